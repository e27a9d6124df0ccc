//! The search for faces against the same networks in Python (`scripts/golden/faces.py`), which are held to the truth of
//! the photos.

mod common;

use std::path::Path;

use tempograph_core::{BoxXyxy, Cancel, FACE_EMOTIONS, Frame};
use tempograph_media::{Reader, Sample, VideoWants, Wants};
use tempograph_models::faces::{BlazeFace, Emotions, FaceOptions, FaceSearch};

fn first_frame(path: &Path) -> Frame {
    let mut frame = None;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut reader = Reader::open(path).expect("the picture opens");
    let read = reader.read(&wants, &Cancel::new(), &mut |sample| {
        if let Sample::Frame(f) = sample {
            frame.get_or_insert(f);
        }
        Ok(())
    });
    read.expect("it is read");
    frame.expect("the picture decodes")
}

#[test]
fn faces_and_their_expressions_are_those_of_the_reference() {
    let Some(runtime) = common::runtime() else { return };
    if common::media("image").is_none() {
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let load = |name: &str| common::load(&runtime, &here.join("../../assets/models").join(name));
    let far = BlazeFace::new(load("blazeface-full-range.onnx")).unwrap();
    let near = BlazeFace::new(load("blazeface-short-range.onnx")).unwrap();
    let emotions = Emotions::new(load("emotion-fer2013.onnx")).unwrap();
    let mut search = FaceSearch::new(far, near, Some(emotions), FaceOptions::default());
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(here.join("tests/data/faces.json")).unwrap()).unwrap();
    for (name, want) in golden.as_object().unwrap() {
        let Some(path) = common::media(name) else { continue };
        let frame = first_frame(&path);
        let found = search.find(frame.picture.as_ref(), true).unwrap();
        let want = want.as_array().unwrap();
        assert_eq!(found.len(), want.len(), "{name}: {found:?}");
        for face in want {
            let number = |v: &serde_json::Value| v.as_f64().unwrap() as f32;
            let corners: Vec<f32> = face["box"].as_array().unwrap().iter().map(number).collect();
            let there = BoxXyxy::new(corners[0], corners[1], corners[2], corners[3]);
            // The pictures are brought to size in other ways, which moves boxes by a pixel or so.
            let (same, scores) =
                found.iter().find(|(f, _)| f.bbox.iou(there) > 0.85).unwrap_or_else(|| panic!("{name}: {face}"));
            assert!((same.score - number(&face["score"])).abs() < 0.06, "{name}: {} for {face}", same.score);
            let Some(emotion) = face["emotion"].as_str() else {
                assert!(scores.is_empty(), "{name}: too small to be judged");
                continue;
            };
            assert!((scores.iter().sum::<f32>() - 1.0).abs() < 0.01);
            let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            println!("{name}: {} {:.2}, the reference {face}", FACE_EMOTIONS[best], scores[best]);
            // Where the network is not sure, the way a picture is brought to size decides.
            if number(&face["emotion_score"]) > 0.6 {
                assert_eq!(FACE_EMOTIONS[best], emotion, "{name}: {scores:?}");
            }
        }
    }
}
