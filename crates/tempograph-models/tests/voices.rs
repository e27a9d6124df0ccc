//! The embedding of voices against the checkpoint's own numbers (`scripts/golden/voices.py`).
//!
//! Runtimes rewrite graphs as they load them. One such rewriting averaged over the wrong length, which no test of who
//! speaks noticed: the vectors were worse, not useless.

mod common;

use std::{collections::BTreeMap, path::Path};

use tempograph_core::Tensor;

#[test]
fn embeddings_are_those_of_the_checkpoint_at_every_length() {
    let Some(runtime) = common::runtime() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read(here.join("tests/data/voices.json")).unwrap();
    let golden: BTreeMap<usize, Vec<f32>> = serde_json::from_slice(&golden).unwrap();
    let mut session = common::load(&runtime, &here.join("../../assets/models/campplus-zh-en-192.onnx"));
    for (frames, want) in golden {
        let value = |i: usize| {
            let (t, b) = (i / 80, i % 80);
            ((t * 7 + b * 13 + t * b % 11) % 32) as f32 / 4.0 - 4.0
        };
        let features = Tensor::new([1, frames, 80], (0..frames * 80).map(value).collect::<Vec<f32>>()).unwrap();
        let vector = session.run(&[&features]).unwrap().pop().unwrap().into_f32().unwrap();
        assert_eq!(vector.len(), want.len());
        let worst = vector.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{frames} frames: off by {worst}");
    }
}
