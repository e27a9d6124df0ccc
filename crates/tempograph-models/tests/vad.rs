//! Silero VAD against the probabilities and stretches of the reference package.

mod common;

use std::time::Instant;

use tempograph_models::vad::{SegmentOptions, Silero, WINDOW, stretches};

#[test]
fn probabilities_and_stretches_are_those_of_the_reference() {
    let Some(truth) = common::media("truth/silero_vad_reference.json") else { return };
    let Some(runtime) = common::runtime() else { return };
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(truth).unwrap()).unwrap();
    for graph in ["silero_vad_16k_sequence.onnx", "silero_vad.onnx"] {
        let Some(weights) = common::weights(graph) else { continue };
        let mut silero = Silero::new(common::load(&runtime, &weights)).unwrap();
        for (name, expected) in truth["files"].as_object().unwrap() {
            let Some(file) = common::media(name) else { continue };
            let Some(audio) = common::audio(&file) else { continue };
            let mut got = Vec::new();
            let began = Instant::now();
            for block in audio.chunks(1024) {
                silero.push(block, &mut got).unwrap();
            }
            silero.finish(&mut got).unwrap();
            let spent = began.elapsed();
            let want: Vec<f32> =
                expected["probs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap() as f32).collect();
            assert_eq!(got.len(), want.len(), "{name}");
            let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{graph} {name}: {} windows in {spent:?}, largest difference {worst}", got.len());
            // A decoder that mixes and resamples another way than the reference's moves single windows a little.
            let tolerance = if name.ends_with(".wav") { 1e-3 } else { 0.05 };
            assert!(worst < tolerance, "{name}: {worst}");

            let found = stretches(&got, audio.len() as u64, &SegmentOptions::default());
            let want = expected["segments_s"].as_array().unwrap();
            assert_eq!(found.len(), want.len(), "{name}");
            for (a, b) in found.iter().zip(want) {
                let close = |samples: u64, i: usize| {
                    (samples as f64 - b[i].as_f64().unwrap() * 16_000.0).abs() <= WINDOW as f64
                };
                assert!(close(a.start, 0) && close(a.end, 1), "{name}: {a:?} {b}");
            }
        }
    }
}
