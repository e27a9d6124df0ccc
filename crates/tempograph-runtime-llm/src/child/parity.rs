//! The same values as the reference implementation, with tiny models of random weights.
//!
//! `fixtures/` holds the models and what transformers answers, made by `scripts/golden/nano_vlm.py`. Bounds after
//! measuring: the text path alone is exact to rounding; for pictures the library keeps some steps in 16 bits.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use tempograph_core::{
    Rgb, Size,
    vlm::{Role, SamplingParams},
};

use super::engine::Engine;
use crate::{
    align,
    gguf::Header,
    native::{Picture, Stop, Token},
    wire::{Load, Part, Question, Turn},
};

/// Largest difference of a value (they have a standard deviation near 1.5) with a cache of 32 bits and plain
/// attention.
const MAX_APART: f32 = 1e-2;
/// Least cosine of the two rows of values.
const LEAST_COSINE: f64 = 0.9999;
/// As above with a cache of 16 bits and flash attention for pictures, which is what users run.
const MAX_APART_FAST: f32 = 5e-2;

#[derive(Deserialize)]
struct Case {
    pictures: Vec<(u32, u32, u32)>,
    #[serde(default)]
    times: Vec<f64>,
    ids: Vec<Token>,
    greedy: Vec<Token>,
    logits: Vec<f32>,
}

#[derive(Deserialize)]
struct Resized {
    from: (u32, u32),
    to: (u32, u32),
    bytes: Vec<u8>,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The picture of the generator's `picture`.
fn picture(width: u32, height: u32, seed: u32) -> Rgb {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            data.push(((5 * x + 2 * y + 29 * seed) % 256) as u8);
            data.push(((x * y / 32 + y + 13 * seed) % 256) as u8);
            data.push(((x / 24 + y / 16) % 2 * 160 + (3 * x + 7 * seed) % 90) as u8);
        }
    }
    Rgb { size: Size { width, height }, data }
}

fn apart(a: &[f32], b: &[f32]) -> (f32, f64) {
    assert_eq!(a.len(), b.len());
    let most = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (most, dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())
}

fn compare(shape: &str, exact: bool) {
    let cases: BTreeMap<String, Case> =
        serde_json::from_slice(&fs::read(fixture(&format!("nano-{shape}.json"))).unwrap()).unwrap();
    let mmproj = fixture(&format!("nano-{shape}-mmproj.gguf"));
    let projector = Header::read(&mmproj).unwrap();
    let load = Load {
        model: fixture(&format!("nano-{shape}.gguf")),
        mmproj: Some(mmproj),
        context_tokens: 4096,
        picture_tokens: 1024,
        threads: 1,
        gpu_layers: 0,
        budget_bytes: u64::MAX,
        exact,
    };
    let stop = Arc::new(Stop::default());
    let mut engine = Engine::load(load, &stop).unwrap();
    for (call, (name, case)) in cases.iter().enumerate() {
        stop.begin(call as u64 + 1);
        let video = !case.times.is_empty() && align::is_video(&projector);
        let shown: Vec<Picture> = case
            .pictures
            .iter()
            .map(|&(width, height, seed)| {
                let picture = picture(width, height, seed);
                let size = align::aligned(picture.size, align::factor(&projector), 1024).unwrap();
                let rgb = align::stretched(&picture, size).unwrap();
                Picture::new(size.width, size.height, &rgb, video).unwrap()
            })
            .collect();
        let question = question(case, video);
        let ids: Vec<Token> = engine.prompt_tokens(&question, &shown).unwrap();
        assert_eq!(ids.len(), case.ids.len(), "{shape} {name}: as many tokens");
        assert!(ids.iter().zip(&case.ids).all(|(a, b)| *a == -1 || a == b), "{shape} {name}: the same tokens");
        engine.read_prompt(&question, &shown).unwrap();
        let (most, cosine) = apart(&engine.logits().unwrap(), &case.logits);
        let greedy = engine.greedy(&question, &shown, case.greedy.len()).unwrap();
        eprintln!("{shape} {name} exact {exact}: {most:.1e} {cosine:.7} {}", greedy == case.greedy);
        let bound = if exact { MAX_APART } else { MAX_APART_FAST };
        assert!(most < bound && cosine > LEAST_COSINE, "{shape} {name}: {most} {cosine}");
        if exact {
            assert_eq!(greedy, case.greedy, "{shape} {name}");
        }
    }
}

fn question(case: &Case, video: bool) -> Question {
    let mut parts = Vec::new();
    if case.times.is_empty() {
        parts.extend(case.pictures.iter().map(|_| Part::Picture));
    }
    for group in case.times.chunks(if video { 2 } else { 1 }) {
        let mean = group.iter().sum::<f64>() / group.len() as f64;
        parts.push(Part::Text(format!("<{mean:.1} seconds>")));
        parts.extend(group.iter().map(|_| Part::Picture));
    }
    parts.push(Part::Text("Describe the image.".to_owned()));
    Question {
        call: 1,
        turns: vec![Turn { role: Role::User, parts }],
        schema: None,
        sampling: SamplingParams { max_tokens: 8, ..SamplingParams::default() },
    }
}

#[test]
fn qwen25_vl_gives_the_values_of_the_reference() {
    compare("qwen2.5-vl", true);
}

#[test]
fn qwen3_vl_gives_the_values_of_the_reference() {
    compare("qwen3-vl", true);
}

#[test]
fn what_users_run_is_close_to_the_reference() {
    compare("qwen2.5-vl", false);
    compare("qwen3-vl", false);
}

#[test]
fn pictures_are_stretched_as_pillow_does() {
    let rows: Vec<Resized> = serde_json::from_slice(&fs::read(fixture("resized.json")).unwrap()).unwrap();
    for row in rows {
        let from = picture(row.from.0, row.from.1, 5);
        let size = Size { width: row.to.0, height: row.to.1 };
        let got: Vec<u8> = align::stretched(&from, size).unwrap().into_iter().step_by(641).collect();
        assert_eq!(got.len(), row.bytes.len());
        assert!(got == row.bytes, "{:?} -> {:?}", row.from, row.to);
    }
}
