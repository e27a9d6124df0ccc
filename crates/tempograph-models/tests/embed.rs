//! Embedders against the references that `scripts/golden/embedders.py` wrote with onnxruntime, tokenizers and Pillow, and
//! `scripts/golden/towers_tiny.py` with transformers.
#![allow(clippy::unwrap_used, reason = "helpers of tests, outside test functions")]

mod common;

use std::{path::Path, sync::Arc};

use serde_json::Value;
use tempograph_core::{BoxXyxy, Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Size};
use tempograph_models::embed::{self, Role, TextEmbedder, View};

fn data(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn golden(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(data(name)).unwrap()).unwrap()
}

fn cosine(a: &[f32], b: &Value) -> f64 {
    let b: Vec<f64> = b.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| f64::from(*a) * b).sum()
}

fn bge() -> Option<Box<dyn TextEmbedder>> {
    let folder = common::weights("bge-small-en.onnx")?;
    let runtime = common::runtime()?;
    let session = common::load(&runtime, &folder);
    let tokenizer = std::fs::read(folder.with_file_name("tokenizer.json")).unwrap();
    Some(embed::open_text("bge", session, &tokenizer).unwrap())
}

#[test]
fn bge_gives_what_python_gives() {
    let Some(mut bge) = bge() else { return };
    assert_eq!(bge.dims(), 384);
    let golden = golden("bge_small.json");
    let documents = golden["documents"].as_array().unwrap();
    let texts: Vec<&str> = documents.iter().map(|d| d["text"].as_str().unwrap()).collect();
    for (text, want) in texts.iter().zip(documents) {
        let cosine = cosine(&bge.embed(&[text], Role::Document).unwrap()[0], &want["vector"]);
        assert!(cosine > 0.9999, "{cosine}: {:.60}", text);
    }
    // In company the 8-bit weights see another scale.
    for (vector, want) in bge.embed(&texts, Role::Document).unwrap().iter().zip(documents) {
        let cosine = cosine(vector, &want["vector"]);
        assert!(cosine > 0.97, "{cosine}: {:.60}", want["text"]);
    }
    let query = &golden["query"];
    let vector = bge.embed(&[query["text"].as_str().unwrap()], Role::Query).unwrap().remove(0);
    assert!(cosine(&vector, &query["vector"]) > 0.9999);
}

/// The formula that the reference's pictures follow.
struct Formula(Size);

impl Picture for Formula {
    fn size(&self) -> Size {
        self.0
    }
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        assert_eq!(request.size, self.0, "embedders resize on their own");
        let pixels = (0..self.0.height).flat_map(|y| (0..self.0.width).map(move |x| (x, y)));
        let data = pixels.flat_map(|(x, y)| [x * 7 + y, x * y / 5, y * 3 + 40].map(|v| (v % 256) as u8)).collect();
        Ok(Arc::new(Rgb { size: self.0, data }))
    }
}

#[test]
fn pixels_are_prepared_as_each_familys_reference_does() {
    let Some(runtime) = common::runtime() else { return };
    let time = MediaTime::ZERO;
    for case in golden("image_embedders.json").as_array().unwrap() {
        let family = case["family"].as_str().unwrap();
        let file = if family == "reid" { "reid_encoder.onnx" } else { "image_encoder.onnx" };
        let mut embedder = embed::open_image(family, common::load(&runtime, &data(file))).unwrap();
        assert_eq!(embedder.dims(), 16);
        let size = Size::new(case["width"].as_u64().unwrap() as u32, case["height"].as_u64().unwrap() as u32);
        let frame = Frame { index: 0, time, duration: time, key: true, picture: Arc::new(Formula(size)) };
        let region: Option<BoxXyxy> = serde_json::from_value(case["region"].clone()).unwrap();
        // Three views in one call: none changes another.
        let view = View { frame: &frame, region };
        for vector in embedder.embed(&[view, View { frame: &frame, region: None }, view]).unwrap().iter().step_by(2) {
            let cosine = cosine(vector, &case["vector"]);
            assert!(cosine > 0.9999, "{cosine}: {family} {region:?} of {size:?}");
        }
    }
}

/// Largest difference of two numbers at one place.
fn apart(a: &[f32], b: &Value) -> f64 {
    let b: Vec<f64> = b.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

/// Both towers of tiny CLIP and SigLIP checkpoints: what `transformers` makes of texts and of pictures.
#[test]
fn texts_and_pictures_meet_where_transformers_puts_them() {
    let Some(runtime) = common::runtime() else { return };
    let time = MediaTime::ZERO;
    for case in golden("towers_tiny.json").as_array().unwrap() {
        let family = case["family"].as_str().unwrap();
        let tokenizer = std::fs::read(data(&format!("{family}_tiny_tokenizer.json"))).unwrap();
        let session = common::load(&runtime, &data(&format!("{family}_tiny_text.onnx")));
        let mut reader = embed::open_text(family, session, &tokenizer).unwrap();
        let texts = case["texts"].as_array().unwrap();
        let asked: Vec<&str> = texts.iter().map(|t| t["text"].as_str().unwrap()).collect();
        for (vector, want) in reader.embed(&asked, Role::Query).unwrap().iter().zip(texts) {
            let apart = apart(vector, &want["vector"]);
            assert!(apart < 1e-4, "{apart}: {family} {:.60}", want["text"]);
        }
        let session = common::load(&runtime, &data(&format!("{family}_tiny_vision.onnx")));
        let mut viewer = embed::open_image(family, session).unwrap();
        assert_eq!(viewer.dims(), reader.dims());
        for want in case["pictures"].as_array().unwrap() {
            let size = Size::new(want["width"].as_u64().unwrap() as u32, want["height"].as_u64().unwrap() as u32);
            let frame = Frame { index: 0, time, duration: time, key: true, picture: Arc::new(Formula(size)) };
            let vectors = viewer.embed(&[View { frame: &frame, region: None }]).unwrap();
            // Pillow rounds to 8 bits between its two directions of resizing, which a network of random weights magnifies.
            let (apart, cosine) = (apart(&vectors[0], &want["vector"]), cosine(&vectors[0], &want["vector"]));
            assert!(
                cosine > 0.999 && (apart < 1e-4 || size != Size::new(32, 32)),
                "{apart} {cosine}: {family} {size:?}"
            );
        }
    }
}
