//! How long a question takes on a large library: `search_speed LIBRARY HOURS FOLDER [MODELS]`.
//!
//! Copies the analyses of the library LIBRARY into a new one in FOLDER until they are HOURS long. In each copy about
//! every second spoken or written word is another one, or all copies would share their texts. Vectors of copies, and of
//! a frame of them every five seconds, are made up: reading them takes as long as reading true ones. Prints milliseconds. With MODELS (a folder of pulled models) the
//! time to load the model and to embed a question is measured too.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that a person starts")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use tempograph_core::{FrameVector, Graph, MediaTime, Runtime as _, SessionOptions, Span, Timeline};
use tempograph_models::embed::{self, Role, TextEmbedder};
use tempograph_runtime_onnx::OnnxRuntime;
use tempograph_store::{
    Library,
    search::{FrameQuestion, Kind, Query, QueryVector, Space},
};

const DIMS: usize = 384;
/// SigLIP base's.
const FRAME_DIMS: usize = 768;
/// How far frames of a copy lie apart.
const FRAME_NS: i64 = 5_000_000_000;
/// Made-up vectors of that length have cosines of 0 ± 0.036: one in 300 reaches this.
const FRAME_COSINE: f32 = 0.1;
const QUESTIONS: [&str; 10] = [
    "what your country",
    "dog barking",
    "person",
    "open source phone software",
    "a car that drives past",
    "the of and to in",
    "Linux",
    "where do people talk about what you can do for your country and the world",
    "🐶",
    "xyzzy",
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn vector(&mut self, dims: usize) -> Vec<f32> {
        let v: Vec<f32> = (0..dims).map(|_| (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect();
        let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.into_iter().map(|x| x / norm).collect()
    }
}

/// Every second word another one: mostly of the corpus itself, now and then one that nobody said before.
fn changed(text: &str, words: &[String], random: &mut Random) -> String {
    let word = |w: &str| match random.next() % 16 {
        0..8 => w.to_owned(),
        8..15 => words[(random.next() % words.len() as u64) as usize].clone(),
        _ => format!("{w}{}", random.next() % 100_000),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn copy(timeline: &Timeline, number: usize, words: &[String], random: &mut Random) -> Timeline {
    let mut t = timeline.clone();
    t.video.id = format!("{number:064x}");
    t.video.uri = format!("copy-{number}.mp4");
    for event in &mut t.audio_events {
        let Some(spoken) = &mut event.words else { continue };
        for word in spoken.iter_mut() {
            word.text = changed(&word.text, words, random);
        }
        event.text = Some(spoken.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "));
    }
    for text in &mut t.texts {
        text.text = changed(&text.text, words, random);
    }
    t
}

fn embedder(models: &Path) -> Option<Box<dyn TextEmbedder>> {
    let folder = models.join("onnxruntime");
    let library = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|e| e.path())
        .find(|p| p.to_string_lossy().contains("libonnxruntime"))?;
    let runtime = OnnxRuntime::open(&library).ok()?;
    let model = models.join("bge-small-en");
    let session = runtime.load(&model.join("bge-small-en.onnx"), &SessionOptions { threads: 2 }).ok()?;
    embed::open_text("bge", session, &std::fs::read(model.join("tokenizer.json")).ok()?).ok()
}

fn frames_of(timeline: &Timeline, random: &mut Random) -> Vec<(Span, FrameVector)> {
    let at = |n: i64| MediaTime::from_nanos(n * FRAME_NS);
    let count = timeline.video.duration_s.nanos() / FRAME_NS;
    (0..count).map(|n| (Span::new(at(n), at(n + 1)), FrameVector::new(0, &random.vector(FRAME_DIMS)))).collect()
}

fn seen() -> Space {
    Space { model: "made-up-eye".into(), dims: FRAME_DIMS }
}

fn fill(from: &Library, to: &Library, hours: f64, space: &Space) {
    let timelines: Vec<Timeline> = from
        .videos()
        .unwrap()
        .iter()
        .filter_map(|v| from.run(&v.id, None).ok().flatten())
        .map(|r| r.timeline)
        .collect();
    let said = |t: &Timeline| t.audio_events.iter().filter_map(|e| e.text.clone()).collect::<Vec<_>>().join(" ");
    let all = timelines.iter().map(said).collect::<Vec<_>>().join(" ");
    let words: Vec<String> = all.split_whitespace().map(str::to_owned).collect();
    let mut random = Random(42);
    let (mut length, mut number) = (0.0, 0);
    let begun = Instant::now();
    while length < hours * 3600.0 {
        let timeline = &timelines[number % timelines.len()];
        let copy = copy(timeline, number, &words, &mut random);
        to.put_video(&copy.video.id, &copy.video.uri).unwrap();
        to.put_run(&copy.video.id, "p", &copy, &Graph::default(), &[]).unwrap();
        to.put_frames(&copy.video.id, &seen(), &frames_of(&copy, &mut random)).unwrap();
        length += copy.video.duration_s.as_secs_f64();
        number += 1;
    }
    println!("{number} analyses of {:.1} h indexed in {:.0} s", length / 3600.0, begun.elapsed().as_secs_f64());
    loop {
        let (texts, _) = to.pending_texts(&space.model, 10_000).unwrap();
        if texts.is_empty() {
            break;
        }
        let vectors: BTreeMap<&str, Vec<f32>> = texts.iter().map(|t| (t.as_str(), random.vector(DIMS))).collect();
        to.put_vectors(space, &vectors).unwrap();
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [from, hours, folder, models @ ..] = args.as_slice() else {
        println!("search_speed LIBRARY HOURS FOLDER [MODELS]");
        return;
    };
    let folder = PathBuf::from(folder);
    let space = Space { model: "made-up".into(), dims: DIMS };
    if !folder.join("library.db").exists() {
        fill(
            &Library::open(Path::new(from)).unwrap(),
            &Library::open(&folder).unwrap(),
            hours.parse().unwrap(),
            &space,
        );
    }
    let size = |name: &str| std::fs::metadata(folder.join(name)).map_or(0, |m| m.len()) >> 20;
    println!("library.db {} MB", size("library.db"));

    let ms = |begun: Instant| begun.elapsed().as_secs_f64() * 1e3;
    let begun = Instant::now();
    let library = Library::open(&folder).unwrap();
    library.index_pending().unwrap();
    println!("open: {:.1} ms", ms(begun));
    let begun = Instant::now();
    let mut embedder = models.first().and_then(|m| embedder(Path::new(m)));
    if embedder.is_some() {
        println!("load the model: {:.1} ms", ms(begun));
    }
    let mut random = Random(7);
    let mut all = Vec::new();
    for question in QUESTIONS {
        let mut row = format!("{question:.40}");
        if let Some(embedder) = &mut embedder {
            embedder.embed(&[question], Role::Query).unwrap();
            let begun = Instant::now();
            embedder.embed(&[question], Role::Query).unwrap();
            row += &format!(" | embed {:.1}", ms(begun));
        }
        let vector = QueryVector { space: space.clone(), vector: random.vector(DIMS) };
        let looks = FrameQuestion { space: seen(), vector: random.vector(FRAME_DIMS), min_cosine: FRAME_COSINE };
        // A floor that some made-up vectors reach, as true ones would.
        let plain = Query { min_cosine: 0.2, ..Query::new(question) };
        let filtered = Query { kinds: vec![Kind::Speech], to: Some(MediaTime::from_millis(30_000)), ..plain.clone() };
        let frames = Query { frames: Some(looks.clone()), ..plain.clone() };
        let narrowed = Query { to: filtered.to, ..frames.clone() };
        for (name, query, vector) in [
            ("words", &plain, None),
            ("both", &plain, Some(&vector)),
            ("filtered", &filtered, Some(&vector)),
            ("with frames", &frames, Some(&vector)),
            ("and filtered", &narrowed, Some(&vector)),
        ] {
            let mut times: Vec<f64> = Vec::new();
            let mut hits = 0;
            for _ in 0..7 {
                let begun = Instant::now();
                hits = library.search(query, vector).unwrap().len();
                times.push(ms(begun));
            }
            times.sort_by(f64::total_cmp);
            row += &format!(" | {name} {:.1} to {:.1}, median {:.1}, {hits} hits", times[0], times[6], times[3]);
            if name == "both" || name == "with frames" {
                all.push((name, times[3], times[0]));
            }
        }
        println!("{row}");
    }
    for kind in ["both", "with frames"] {
        let mut of: Vec<(f64, f64)> = all.iter().filter(|a| a.0 == kind).map(|a| (a.1, a.2)).collect();
        of.sort_by(|a, b| a.0.total_cmp(&b.0));
        let quiet = of.iter().fold(0.0f64, |worst, times| worst.max(times.1));
        let (median, worst) = (of[of.len() / 2].0, of[of.len() - 1].0);
        println!("{kind}: median {median:.1} ms, slowest question {worst:.1} ms, at its best {quiet:.1} ms");
    }
}
