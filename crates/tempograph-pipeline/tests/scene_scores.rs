//! The scores of pictures made by a formula, against what PySceneDetect measures on them.
//!
//! `data/scene_scores.json` was written by `data/scene_scores.py`.

use std::sync::Arc;

use tempograph_core::{Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Size};
use tempograph_pipeline::analyze::scenes::{
    Measures, SceneAnalyzer,
    measure::{Edges, Hash},
};

struct Made(Size, Arc<Rgb>);

impl Picture for Made {
    fn size(&self) -> Size {
        self.0
    }
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        assert_eq!(request.size, self.0, "scores are taken from pixels nobody else has scaled");
        Ok(Arc::clone(&self.1))
    }
}

/// The same formula as in the script, in wrapping 32-bit arithmetic.
fn pixel(x: u32, y: u32, frame: u32, c: u32) -> u8 {
    let h = x.wrapping_mul(73_856_093) ^ y.wrapping_mul(19_349_663) ^ (frame / 2 * 83_492_791 + c * 40_503);
    let h = (h ^ (h >> 13)).wrapping_mul(1_274_126_177);
    let shapes = x * (3 + c) / 4 + y * (2 + frame) / 3 + 37 * frame * c;
    (((shapes + (h >> 27)) & 255) / (1 + frame % 3)) as u8
}

#[derive(serde::Deserialize)]
struct Case {
    size: [u32; 2],
    rows: Vec<Vec<f64>>,
}

#[test]
fn scores_equal_the_reference() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/scene_scores.json")).expect("valid json");
    assert!(cases.len() > 5);
    let measures = Measures {
        color: true,
        edges: Some(Edges { kernel_size: None }),
        brightness: true,
        histogram: Some(128),
        hash: Some(Hash { size: 8, lowpass: 2 }),
    };
    for Case { size: [width, height], rows } in cases {
        let size = Size::new(width, height);
        let mut analyzer = SceneAnalyzer::new(measures).expect("measures are in range");
        for (index, want) in rows.iter().enumerate() {
            let mut data = Vec::with_capacity((3 * width * height) as usize);
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                data.extend((0..3).map(|c| pixel(x, y, index as u32, c)));
            }
            let frame = Frame {
                index: index as u64,
                time: MediaTime::from_millis(40 * index as i64),
                duration: MediaTime::from_millis(40),
                key: false,
                picture: Arc::new(Made(size, Arc::new(Rgb { size, data }))),
            };
            let got = analyzer.measure(&frame).expect("a picture with pixels");
            assert_eq!(got.len(), want.len());
            for (column, (got, want)) in got.iter().zip(want).enumerate() {
                let near = (got - want).abs() < 1e-6;
                assert!(near, "{width}x{height} frame {index} column {column}: {got} instead of {want}");
            }
        }
    }
}
