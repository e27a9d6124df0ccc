//! Frames found by text, with tiny checkpoints of random weights in the place of the published ones: what is found means
//! nothing, but it must be what the towers say, at the right time.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempograph_core::{Cancel, Runtime as _, SessionOptions};
use tempograph_media::{Reader, Sample, VideoWants, Wants};
use tempograph_models::{
    embed::{self, Role, View},
    store::{Manifest, ModelEntry},
};
use tempograph_runtime_onnx::OnnxRuntime;

use crate::support::{Done, Place, ffmpeg, finished, models};

/// Seconds of each still picture of the clip.
const SHOT_S: f64 = 6.0;
const SHOTS: [&str; 7] =
    ["color=red", "smptebars", "rgbtestsrc", "color=white", "pal100bars", "color=0x204060", "yuvtestsrc"];
const QUESTIONS: [&str; 12] = [
    "newspaper",
    "green grass",
    "children",
    "play football on the grass",
    "yellow taxi",
    "from the train",
    "two people ride bikes",
    "kitchen",
    "red",
    "light near the bridge",
    "window of the train",
    "reads a newspaper",
];
const MODELS: [(&str, &str); 2] = [("clip-vit-base-patch32", "clip"), ("siglip-base-patch16-224", "siglip")];
/// Vectors are kept in 8 bits: cosines that lie closer than this, to each other or to the floor, may change places.
const CLEAR: f64 = 0.02;

fn row(name: &str) -> ModelEntry {
    Manifest::builtin().unwrap().get(name).unwrap().clone()
}

fn tiny(family: &str, part: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tempograph-models/tests/data");
    data.join(format!("{family}_tiny_{part}"))
}

/// Puts the tiny towers of `family` where the store keeps those of `name`.
fn install(store: &Path, name: &str, family: &str) {
    let (entry, folder) = (row(name), store.join(name));
    std::fs::create_dir_all(&folder).unwrap();
    let (mut pulled, mut files) = (Vec::new(), Vec::new());
    for file in &entry.files {
        let part = file.name.replace("_model", "");
        let bytes = std::fs::copy(tiny(family, &part), folder.join(&file.name)).unwrap();
        pulled.push(json!({"name": file.name, "sha256": file.sha256, "source": "a test"}));
        files.push(json!({"name": file.name, "bytes": bytes, "sha256": file.sha256}));
    }
    std::fs::write(folder.join("installed.json"), json!({"pulled": pulled, "files": files}).to_string()).unwrap();
}

/// A clip of still pictures, one after the other.
fn clip(path: &Path) -> bool {
    let parts: String = SHOTS
        .iter()
        .enumerate()
        .map(|(i, shot)| format!("{shot}{}s=160x120:r=25:d={SHOT_S}[{i}];", sep(shot)))
        .collect();
    let inputs: String = (0..SHOTS.len()).map(|i| format!("[{i}]setsar=1,format=yuv420p[v{i}];")).collect();
    let all: String = (0..SHOTS.len()).map(|i| format!("[v{i}]")).collect();
    let graph = format!("{parts}{inputs}{all}concat=n={}:v=1[v]", SHOTS.len());
    ffmpeg(&["-filter_complex", &graph, "-map", "[v]", "-crf", "10"], path)
}

/// Sources with an option already go on with a colon.
fn sep(source: &str) -> char {
    if source.contains('=') { ':' } else { '=' }
}

/// ONNX Runtime's own file in the store of the machine.
fn runtime() -> Option<PathBuf> {
    let folder = models()?.join("onnxruntime");
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path());
    files.into_iter().find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().contains("libonnxruntime")))
}

struct Stage {
    place: Place,
    store: PathBuf,
    runtime: PathBuf,
}

impl Stage {
    fn run(&self, args: &[&str]) -> Done {
        let mut command = self.place.command(args);
        command.env("TEMPOGRAPH_MODELS", &self.store).env("TEMPOGRAPH_RUNTIME_ONNXRUNTIME", &self.runtime);
        let done = finished(command.output().unwrap());
        assert_eq!(done.code, 0, "{args:?}: {}", done.err);
        done
    }

    fn hits(&self, args: &[&str]) -> (Vec<Value>, String) {
        let done = self.run(&[&["search", "--json"], args].concat());
        let found: Value = serde_json::from_str(&done.out).unwrap();
        (found["hits"].as_array().unwrap().clone(), found["by"].as_str().unwrap().to_owned())
    }

    fn analyze(&self, only: &str) -> Value {
        self.run(&["analyze", "clip.mp4", "--only", only, "--no-annotate", "--out", "o"]);
        self.place.json("o/analysis.json")
    }
}

/// Cosine of each question with each shot, straight from the towers.
fn reference(stage: &Stage, family: &str) -> Vec<Vec<f64>> {
    let runtime = OnnxRuntime::open(&stage.runtime).unwrap();
    let load = |part: &str| runtime.load(&tiny(family, part), &SessionOptions { threads: 1 }).unwrap();
    let mut viewer = embed::open_image(family, load("vision.onnx")).unwrap();
    let tokenizer = std::fs::read(tiny(family, "tokenizer.json")).unwrap();
    let mut reader = embed::open_text(family, load("text.onnx"), &tokenizer).unwrap();
    let mut shots: Vec<Vec<f32>> = Vec::new();
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut see = |sample| {
        if let Sample::Frame(frame) = sample
            && frame.time.as_secs_f64() >= SHOT_S * shots.len() as f64 + 1.0
        {
            shots.extend(viewer.embed(&[View { frame: &frame, region: None }])?);
        }
        Ok(())
    };
    Reader::open(&stage.place.path("clip.mp4")).unwrap().read(&wants, &Cancel::default(), &mut see).unwrap();
    assert_eq!(shots.len(), SHOTS.len());
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let questions = reader.embed(&QUESTIONS, Role::Query).unwrap();
    questions.iter().map(|question| shots.iter().map(|shot| dot(question, shot)).collect()).collect()
}

/// Shots that reach the model's floor, closest first, none within ten seconds of a closer one.
fn expected(cosines: &[f64], floor: f64) -> Vec<(usize, f64)> {
    let mut order: Vec<(usize, f64)> = cosines.iter().copied().enumerate().filter(|(_, c)| *c >= floor).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for (shot, cosine) in order {
        if kept.iter().all(|(other, _)| other.abs_diff(shot) as f64 * SHOT_S >= 10.0) {
            kept.push((shot, cosine));
        }
    }
    kept
}

/// Whether 8 bits cannot change what is expected.
fn clear(cosines: &[f64], floor: f64) -> bool {
    let mut near: Vec<f64> = cosines.iter().copied().filter(|c| *c > floor - CLEAR).chain([floor]).collect();
    near.sort_by(f64::total_cmp);
    near.windows(2).all(|w| w[1] - w[0] > CLEAR)
}

#[test]
fn a_question_finds_the_frames_that_the_towers_say() {
    let Some(runtime) = runtime() else { return };
    let place = Place::new();
    let store = place.path("models");
    std::fs::create_dir(&store).unwrap();
    if !clip(&place.path("clip.mp4")) {
        return;
    }
    let stage = Stage { place, store, runtime };

    // Without a model nothing is missed by who did not ask for it, and who did hears what to do.
    let stages = |analysis: &Value| -> Vec<String> {
        analysis["run"]["stages"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    };
    stage.run(&["analyze", "clip.mp4", "--no-annotate", "--out", "o", "--skip", "detect,text,faces,embed"]);
    let without = stage.place.json("o/analysis.json");
    assert!(!stages(&without).contains(&"frames".to_owned()), "{:?}", stages(&without));
    assert!(without["issues"].as_array().unwrap().iter().all(|i| i["stage"] != "frames"), "{}", without["issues"]);
    let asked = stage.analyze("scenes,frames");
    assert_eq!(
        (&asked["issues"][0]["stage"], &asked["issues"][0]["code"]),
        (&json!("frames"), &json!("model_missing"))
    );
    assert!(asked["issues"][0]["hint"].as_str().unwrap().contains("models pull siglip"), "{}", asked["issues"]);
    assert_eq!(stage.hits(&["a dog"]), (Vec::new(), "words".to_owned()));

    for (name, family) in MODELS {
        // Of several the better one is used; each is searched in its own space.
        install(&stage.store, name, family);
        let analysis = stage.analyze("scenes,thumbnails,frames");
        assert_eq!(analysis["issues"], json!([]));
        assert_eq!(analysis["models"][0]["task"], "embed-image");
        let run = analysis["run"]["stages"].as_array().unwrap().iter().find(|s| s["name"] == "frames").unwrap();
        assert_eq!(run["items"].as_f64().unwrap(), 2.0 * SHOT_S * SHOTS.len() as f64, "half a second apart");

        let floor = f64::from(row(name).min_cosine.unwrap());
        let (mut asked, mut several) = (0, 0);
        for (question, cosines) in QUESTIONS.iter().zip(reference(&stage, family)) {
            if !clear(&cosines, floor) {
                continue;
            }
            asked += 1;
            let want = expected(&cosines, floor);
            let (hits, by) = stage.hits(&[question, "--kind", "frame", "-n", "50"]);
            assert_eq!(by, "words and frames");
            let got: Vec<(f64, f64)> = hits
                .iter()
                .map(|h| (h["at_s"].as_f64().unwrap(), h["matches"][0]["similarity"].as_f64().unwrap()))
                .collect();
            assert_eq!(got.len(), want.len(), "{question}: {got:?} for {want:?}");
            for ((at, similarity), (shot, cosine)) in got.iter().zip(&want) {
                assert!((similarity - cosine).abs() < 0.02, "{question}: {got:?} for {want:?}");
                assert!((at - *shot as f64 * SHOT_S).abs() < 0.5, "{question}: {got:?} for {want:?}");
            }
            several += usize::from(want.len() > 1);
            for hit in &hits {
                assert_eq!(hit["matches"][0]["kind"], "frame");
                assert!(hit["matches"][0]["why"].as_str().unwrap().starts_with("looks like it "), "{hit:#}");
                assert!(hit["thumbnail"]["path"].is_string(), "{hit:#}");
            }
        }
        assert!(asked >= 4 && several >= 1, "{asked} questions, {several} of them with answers in an order");
    }

    // Filters hold, and the same again gives the same.
    let question = QUESTIONS[1];
    let all = stage.hits(&[question, "--kind", "frame"]).0;
    assert!(all.len() >= 3, "{all:#?}");
    for (filter, allowed) in [(&["--to", "12"][..], 0.0..12.0), (&["--from", "20"], 17.9..60.0)] {
        let hits = stage.hits(&[&[question, "--kind", "frame"], filter].concat()).0;
        assert!(
            !hits.is_empty() && hits.iter().all(|h| allowed.contains(&h["at_s"].as_f64().unwrap())),
            "{filter:?}: {hits:#?}"
        );
    }
    assert!(stage.hits(&[question, "--label", "dog"]).0.is_empty());
    let again = stage.analyze("scenes,thumbnails,frames");
    let run = again["run"]["stages"].as_array().unwrap().iter().find(|s| s["name"] == "frames").unwrap().clone();
    assert_eq!(run["cached"], true);
    assert_eq!(stage.hits(&[question, "--kind", "frame"]).0, all);
}
