//! The depth family against what `transformers` makes of the same pictures (`scripts/golden/depth_tiny.py`).

mod common;

use std::path::{Path, PathBuf};

use tempograph_core::{Cancel, Frame, Rgb, RgbRequest, ScaleFilter, Size};
use tempograph_media::{Reader, Sample, VideoWants, Wants, write_png};
use tempograph_models::depth::DepthEstimator;

/// What the family's tensors may differ from the reference's.
const WITHIN: f32 = 1e-3;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The floats of a `.npy` file.
fn npy(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(data(name)).expect("the reference is there");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[header..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// A picture file as the frame that the decoder makes of it.
fn frame(path: &Path) -> Frame {
    let mut found = None;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut keep = |sample: Sample| {
        if let Sample::Frame(frame) = sample {
            found = Some(frame);
        }
        Ok(())
    };
    Reader::open(path).expect("it opens").read(&wants, &Cancel::new(), &mut keep).expect("it decodes");
    found.expect("a frame")
}

/// The picture of the golden script.
fn made(size: Size) -> Rgb {
    let at = |i: u32| {
        let (x, y) = (i % size.width, i / size.width);
        [(x * 7 + y * 3) as u8, (x * x / 16 + y * 5) as u8, (x * y / 32) as u8]
    };
    Rgb { size, data: (0..size.width * size.height).flat_map(at).collect() }
}

fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn estimator(side: u32) -> Option<DepthEstimator> {
    let runtime = common::runtime()?;
    let session = common::load(&runtime, &data("depth_tiny.onnx"));
    Some(DepthEstimator::new("depth-anything", session, Some(side)).expect("it opens"))
}

#[test]
fn a_made_picture_gives_the_references_tensors() {
    let Some(mut estimator) = estimator(70) else { return };
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("made.png");
    let size = Size::new(105, 75);
    write_png(&made(size), &path).expect("written");
    let frame = frame(&path);
    let whole = RgbRequest { size, filter: ScaleFilter::Bicubic };
    assert_eq!(frame.picture.rgb(whole).expect("pixels").data, made(size).data, "the picture comes back whole");
    let input = estimator.input(&frame).expect("pixels");
    let off = farthest(input.as_f32().expect("floats"), &npy("depth_tiny_input.npy"));
    let depth = estimator.estimate(&frame).expect("it runs").resized(size);
    let error = farthest(&depth.values, &npy("depth_tiny_depth.npy"));
    println!("input off by {off:.2e}, depth by {error:.2e}");
    assert!(off < WITHIN && error < WITHIN, "input {off}, depth {error}");
}

#[test]
fn a_photograph_gives_the_references_depth() {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/depth/motorcycle_left.png");
    if !photo.exists() {
        println!("skipped: shared media not present");
        return;
    }
    let Some(mut estimator) = estimator(70) else { return };
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data("depth_tiny.json")).expect("there")).expect("JSON");
    let frame = frame(&photo);
    let size = frame.picture.size();
    let depth = estimator.estimate(&frame).expect("it runs").resized(size);
    let probes = golden["photo"]["depth"].as_array().expect("a list");
    assert!(!probes.is_empty());
    let error = probes.iter().map(|p| {
        let number = |i: usize| p[i].as_f64().expect("a number");
        let at = number(1) as usize * size.width as usize + number(0) as usize;
        (depth.values[at] - number(2) as f32).abs()
    });
    let error = error.fold(0.0, f32::max);
    println!("depth off by {error:.2e} at most over {} probes", probes.len());
    assert!(error < WITHIN, "{error}");
}
