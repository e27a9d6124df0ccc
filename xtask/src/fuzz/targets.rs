//! Parsers of what comes from outside, each with inputs to begin with.

mod answers;
mod detector;
mod wires;

use std::io::Cursor;

use tempograph_core::Size;
use tempograph_eval::{ap, depth, der, mot, scenes, wer};
use tempograph_export::{
    import::{self, ImportFormat, Imported},
    subtitles::{self, SubtitleFormat},
};
use tempograph_models::{ct2::Ct2Reader, safetensors, store::Manifest, whisper::Vocabulary};

/// A parser under test.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    pub(super) corpus: &'static [&'static [u8]],
    /// Parses; what it answers does not matter.
    run: fn(&[u8]),
}

impl Target {
    /// Gives the parser `bytes`.
    pub fn run(&self, bytes: &[u8]) {
        (self.run)(bytes);
    }
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "config",
        corpus: &[
            b"[analyze]\nfps = 2.5\nskip = [\"speech\", 'faces']\nlog.level = \"info\"\n[models]\n",
            b"data = ''",
        ],
        run: config,
    },
    Target { name: "subtitles", corpus: &[SRT, VTT, SBV], run: subtitle_files },
    Target { name: "manifest", corpus: &[include_bytes!("../../../assets/models/models.toml"), MODEL], run: manifest },
    Target { name: "ct2", corpus: &[CT2], run: ct2 },
    Target { name: "safetensors", corpus: &[SAFETENSORS], run: tensors },
    Target {
        name: "vocabulary",
        corpus: &[b"<|endoftext|>\na\n \xc4\xa0b\n", b"[\"a\", \"b\"]", b"{\"a\": 0}"],
        run: vocabulary,
    },
    Target { name: "detector", corpus: &[&[0; 64], &[0x3f; 256], detector::SEED], run: detector::run },
    Target { name: "mot", corpus: &[b"1,2,10,20,30,40,1,1,1\n2,2,11,20,30,40,1,-1,-1,-1\n", JSONL], run: tracks },
    Target { name: "der", corpus: &[b"SPEAKER a 1 0.5 2.25 <NA> <NA> alice <NA> <NA>\n", b"a 1 0 30\n"], run: turns },
    Target { name: "ap", corpus: &[AP_TRUTH, AP_FOUND], run: boxes },
    Target { name: "scenes", corpus: &[b"0\n30\n76\n", b"{\"cuts\": [30, 76.5], \"fps\": 25}"], run: cuts },
    Target {
        name: "wer",
        corpus: &[b"1\n00:00:00,000 --> 00:00:01,500\nAsk not, what?\n", b"plain words"],
        run: words,
    },
    Target {
        name: "depth",
        corpus: &[PFM, b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n"],
        run: map,
    },
    Target { name: "import-mot", corpus: &[MOT, b"1 -1 10 20 30 40 64\n"], run: |b| import(b, ImportFormat::Mot) },
    Target { name: "import-coco", corpus: &[COCO], run: |b| import(b, ImportFormat::Coco) },
    Target { name: "import-rttm", corpus: &[RTTM], run: |b| import(b, ImportFormat::Rttm) },
    Target { name: "gguf", corpus: &[wires::GGUF, wires::GGUF_LISTS], run: wires::gguf },
    Target { name: "events", corpus: wires::EVENTS, run: wires::events },
    Target { name: "frames", corpus: wires::FRAMES, run: wires::frames },
    Target { name: "answers", corpus: answers::SEEDS, run: answers::run },
    Target { name: "analysis", corpus: &[b"{\"schema\": \"tempograph.analysis/1\"}"], run: analysis },
];

const MODEL: &[u8] = b"[[model]]\nname = \"a\"\ntask = \"t\"\nfamily = \"f\"\nlicence = \"MIT\"\n[[model.file]]\n\
    name = \"x\"\nbytes = 1\nsha256 = \"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n\
    sources = [{ pip = [{ package = \"p==1\", member = \"m\" }] }]\n";
/// A model of one variable `w` of two floats.
const CT2: &[u8] = b"\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0\x01\0\0\0\x02\0w\0\x01\x02\0\0\0\0\x08\0\0\0\0\0\x80\x3f\
    \0\0\0\x40\0\0\0\0";
const SAFETENSORS: &[u8] = b"\x3c\0\0\0\0\0\0\0{\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}}    \
    \0\0\x80\x3f\0\0\0\x40";
const SRT: &[u8] =
    b"1\n00:00:00,000 --> 00:00:01,500\n<i>Ask</i> not, what?\n\n2\n00:00:02,000 --> 00:00:03,000\nTwo\n";
const VTT: &[u8] = b"WEBVTT\n\nSTYLE\n::cue {}\n\nid\n00:00.000 --> 00:01.500 line:0\n<v Ann>Ask <00:00:00.500>not\n";
const SBV: &[u8] = b"0:00:00.000,0:00:01.500\nAsk not\n";
const JSONL: &[u8] =
    b"{\"t_s\":0.2,\"frame\":5,\"boxes\":[{\"track\":1,\"label\":\"person\",\"score\":0.9,\"xyxy\":[1,2,3,4]}]}\n";
const AP_TRUTH: &[u8] = b"{\"images\":[{\"id\":1}],\"categories\":[{\"id\":1,\"name\":\"a\"}],\"annotations\":\
    [{\"id\":1,\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],\"area\":12,\"iscrowd\":0}]}";
const AP_FOUND: &[u8] = b"[{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":0.5}]";
const PFM: &[u8] = b"Pf\n2 1\n-1.0\n\0\0\x80\x3f\0\0\0\x40";

const MOT: &[u8] = b"1,2,10,20,30,40,0.5,3,1\n2,2,11,20,30,40,1,-1,-1,-1\n";
const COCO: &[u8] = b"{\"images\":[{\"id\":1,\"file_name\":\"frame_000001.jpg\",\"width\":64,\"height\":36},\
    {\"id\":2,\"frame\":4}],\"categories\":[{\"id\":1,\"name\":\"a\"}],\"annotations\":\
    [{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":0.5,\"track_id\":3}]}";
const RTTM: &[u8] = b"SPEAKER a 1 0.5 2.25 <NA> <NA> alice <NA> <NA>\nSPEAKER b 1 3 1 <NA> <NA> bob <NA> <NA>\n";

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn config(bytes: &[u8]) {
    tempograph_settings::from_toml(&text(bytes), "fuzz").ok();
    let mut lines = bytes.split(|&b| b == b'\n').map(text);
    let pairs = std::iter::from_fn(|| Some((format!("TEMPOGRAPH_{}", lines.next()?), lines.next()?.into_owned())));
    tempograph_settings::from_environment(pairs).ok();
}

fn subtitle_files(bytes: &[u8]) {
    for format in [SubtitleFormat::Srt, SubtitleFormat::Vtt, SubtitleFormat::Sbv] {
        subtitles::read(bytes, format).ok();
    }
}

fn manifest(bytes: &[u8]) {
    Manifest::parse(&text(bytes)).ok();
}

fn ct2(mut bytes: &[u8]) {
    let Ok(mut reader) = Ct2Reader::open(&mut bytes) else { return };
    while let Ok(Some(_)) = reader.next_variable() {}
}

fn tensors(bytes: &[u8]) {
    safetensors::each(&mut Cursor::new(bytes), &mut |_, _, _| Ok(())).ok();
}

fn vocabulary(bytes: &[u8]) {
    Vocabulary::parse(bytes).ok();
}

fn tracks(bytes: &[u8]) {
    let text = text(bytes);
    for sequence in [mot::from_mot_text(&text), mot::from_detections_jsonl(&text)].into_iter().flatten() {
        mot::score(&sequence, &sequence, 0.5).ok();
    }
}

fn turns(bytes: &[u8]) {
    let text = text(bytes);
    let uem = der::from_uem(&text).ok();
    if let Ok(turns) = der::from_rttm(&text) {
        der::score_all(&turns, &turns, uem.as_ref(), &der::DerOptions::default()).ok();
    }
}

fn boxes(bytes: &[u8]) {
    let text = text(bytes);
    let (truth, found) = (ap::truth(&text), ap::found(&text));
    if let Ok(truth) = truth {
        ap::score(&truth, &found.unwrap_or_default());
    }
}

fn cuts(bytes: &[u8]) {
    scenes::parse(&text(bytes), None).ok();
}

fn words(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(transcript) = wer::transcript(&text) {
        wer::score(&transcript, &wer::normalize(&text)).ok();
    }
}

fn map(bytes: &[u8]) {
    depth::read_map(bytes).ok();
}

fn import(bytes: &[u8], format: ImportFormat) {
    if let Ok(Imported::Boxes(frames)) = import::read(bytes, format, "a") {
        for frame in frames.into_values() {
            frame.detections.clip(Size::new(64, 36));
        }
    }
}

fn analysis(bytes: &[u8]) {
    if let Ok(timeline) = serde_json::from_slice::<tempograph_core::Timeline>(bytes) {
        serde_json::to_vec(&timeline).ok();
    }
}
