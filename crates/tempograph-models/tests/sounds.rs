//! Sound taggers against their front ends in NumPy or torchaudio and the same networks in Python
//! (`scripts/golden/yamnet.py`, `ced.py`).

mod common;

use std::path::Path;

use serde_json::Value;
use tempograph_models::sounds::{Class, Tagger, open};

/// A rising tone, noise that falls silent, then digital silence and a loud low tone, a second each, as the references
/// make them.
fn signal() -> Vec<f32> {
    let mut state = 7u64;
    let mut noise = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    };
    let t = |i: usize| i as f64 / 16_000.0;
    let rise = (0..16_000).map(|i| 0.5 * (std::f64::consts::TAU * (200.0 * t(i) + 900.0 * t(i) * t(i))).sin());
    let fall: Vec<f64> = (0..16_000).map(|i| 0.3 * noise() * (1.0 - t(i))).collect();
    let low = (0..16_000).map(|i| 0.9 * (std::f64::consts::TAU * 90.0 * t(i)).sin());
    rise.chain(fall).chain(std::iter::repeat_n(0.0, 16_000)).chain(low).map(|v| v as f32).collect()
}

fn reference(family: &str, weights: &str, golden: &str) -> Option<(Box<dyn Tagger>, Value)> {
    let runtime = common::runtime()?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tagger = open(family, common::load(&runtime, &here.join(weights))).expect("it opens");
    let golden = std::fs::read(here.join("tests/data").join(golden)).expect("the reference is there");
    Some((tagger, serde_json::from_slice(&golden).expect("the reference is JSON")))
}

#[test]
fn yamnets_scores_are_those_of_the_reference() {
    let Some((mut yamnet, golden)) = reference("yamnet", "../../assets/models/yamnet.onnx", "yamnet.json") else {
        return;
    };
    let want = golden["windows"].as_array().unwrap();
    let (audio, windows) = (&signal()[..32_000], yamnet.windows());
    let found = yamnet.score(audio, want.len(), 0.0).unwrap();
    assert_eq!(want.len(), (audio.len() - windows.context) / windows.hop + 1);
    // The golden file counts the network's outputs, in which six of AudioSet's classes are missing.
    let mut told: Vec<Class> = found[0].iter().map(|f| f.0).collect();
    told.sort_unstable();
    assert_eq!(told.len(), 521);
    for (found, want) in found.iter().zip(want) {
        for row in want.as_array().unwrap() {
            let (class, score) = (told[row[0].as_u64().unwrap() as usize], row[1].as_f64().unwrap() as f32);
            let got = found.iter().find(|f| f.0 == class).map_or(0.0, |f| f.1);
            assert!((got - score).abs() < 2e-3, "{}: {got} for {score}", class.name());
        }
    }
    assert_eq!((told[137].name(), told[520].name()), ("Bass guitar", "Field recording"));
}

#[test]
fn ceds_scores_are_those_of_the_reference() {
    let Some((mut ced, golden)) = reference("ced", "tests/data/ced_tiny.onnx", "ced.json") else { return };
    let want = golden["scores"].as_array().unwrap();
    let (audio, windows) = (signal(), ced.windows());
    assert_eq!(golden["hop"].as_u64(), Some(windows.hop as u64));
    assert_eq!(want.len(), (audio.len() - windows.context) / windows.hop + 1);
    let found = ced.score(&audio, want.len(), 0.0).unwrap();
    for (found, want) in found.iter().zip(want) {
        let want: Vec<f32> = want.as_array().unwrap().iter().map(|v| v.as_f64().unwrap() as f32).collect();
        assert_eq!(found.len(), want.len());
        for &(class, got) in found {
            let want = want[class.index()];
            // Scores are kept to a thousandth.
            assert!((got - want).abs() < 1e-3, "{}: {got} for {want}", class.name());
        }
    }
}
