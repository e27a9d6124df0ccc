//! YAMNet against its front end in NumPy and the same network in Python (`scripts/golden/yamnet.py`).

mod common;

use std::path::Path;

use tempograph_models::sounds::{Class, HOP, WINDOW, Yamnet};

/// Two seconds: a rising tone, then noise that falls silent, as the reference makes them.
fn signal() -> Vec<f32> {
    let mut state = 7u64;
    let mut noise = || {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        state as f64 / f64::from(1u32 << 31) * 2.0 - 1.0
    };
    let t = |i: usize| i as f64 / 16_000.0;
    let rise = (0..16_000).map(|i| 0.5 * (std::f64::consts::TAU * (200.0 * t(i) + 900.0 * t(i) * t(i))).sin());
    let fall: Vec<f64> = (0..16_000).map(|i| 0.3 * noise() * (1.0 - t(i))).collect();
    rise.chain(fall).map(|v| v as f32).collect()
}

#[test]
fn scores_are_those_of_the_reference() {
    let Some(runtime) = common::runtime() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let weights = here.join("../../assets/models/yamnet.onnx");
    let mut yamnet = Yamnet::new(common::load(&runtime, &weights)).unwrap();
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(here.join("tests/data/yamnet.json")).unwrap()).unwrap();
    let want = golden["windows"].as_array().unwrap();
    let audio = signal();
    let found = yamnet.score(&audio, want.len(), 0.0).unwrap();
    assert_eq!(want.len(), (audio.len() - WINDOW) / HOP + 1);
    for (found, want) in found.iter().zip(want) {
        for row in want.as_array().unwrap() {
            let (class, score) = (row[0].as_u64().unwrap() as usize, row[1].as_f64().unwrap() as f32);
            let got = found.iter().find(|f| f.0 == class).map_or(0.0, |f| f.1);
            assert!((got - score).abs() < 2e-3, "{}: {got} for {score}", Class::at(class).unwrap().name());
        }
        assert!(found.windows(2).all(|w| w[0].1 >= w[1].1));
    }
    assert!(yamnet.score(&audio[..WINDOW - 1], 1, 0.0).is_err());
    assert_eq!(yamnet.score(&[], 0, 0.0).unwrap(), Vec::<Vec<(usize, f32)>>::new());
}
