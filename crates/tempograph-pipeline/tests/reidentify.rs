//! Objects found again by their looks: detector and network are stand-ins, everything between is real.
#![allow(clippy::unwrap_used, reason = "helpers of tests, outside test functions")]

use std::sync::Arc;

use tempograph_core::{
    BoxXyxy, Claim, Detections, Frame, FrameAnalyzer as _, MediaTime, Observation, Picture, Result, Rgb, RgbRequest,
    Session, Size, Tensor, TensorInfo,
};
use tempograph_models::{detect::Detector, embed};
use tempograph_pipeline::analyze::{
    detect::{DetectAnalyzer, DetectSettings, Looker},
    track::{TrackOptions, Tracked, track},
};

const SIZE: Size = Size::new(320, 180);
const RED: [u8; 3] = [220, 20, 20];
const BLUE: [u8; 3] = [20, 20, 220];

type Object = (BoxXyxy, [u8; 3]);

/// Boxes of plain colour on grey.
struct Painted(Vec<Object>);

impl Picture for Painted {
    fn size(&self) -> Size {
        SIZE
    }
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        assert_eq!(request.size, SIZE);
        let inside = |b: &BoxXyxy, x: f32, y: f32| b.x1 <= x && x < b.x2 && b.y1 <= y && y < b.y2;
        let colour = |x: u32, y: u32| {
            self.0.iter().find(|(b, _)| inside(b, x as f32, y as f32)).map_or([128; 3], |(_, colour)| *colour)
        };
        let pixels = (0..SIZE.height).flat_map(|y| (0..SIZE.width).map(move |x| (x, y)));
        Ok(Arc::new(Rgb { size: SIZE, data: pixels.flat_map(|(x, y)| colour(x, y)).collect() }))
    }
}

/// Knows where everything is.
struct Oracle(Vec<Vec<Object>>);

impl Detector for Oracle {
    fn detect(&mut self, frames: &[&Frame]) -> Result<Vec<Detections>> {
        let seen = |frame: &&Frame| {
            let mut detections = Detections::default();
            for (bbox, _) in &self.0[frame.index as usize] {
                detections.push(*bbox, 0.9, "person");
            }
            detections
        };
        Ok(frames.iter().map(seen).collect())
    }
    fn labels(&self) -> &[String] {
        &[]
    }
}

/// A network whose vectors are mean colours.
struct Colour(Vec<TensorInfo>, Vec<TensorInfo>);

impl Session for Colour {
    fn inputs(&self) -> &[TensorInfo] {
        &self.0
    }
    fn outputs(&self) -> &[TensorInfo] {
        &self.1
    }
    fn metadata(&self, _: &str) -> Option<String> {
        None
    }
    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let (images, pixels) = (inputs[0].shape()[0], 256 * 128);
        let means = inputs[0].as_f32()?.chunks_exact(pixels).map(|plane| plane.iter().sum::<f32>() / pixels as f32);
        Ok(vec![Tensor::new([images, 3], means.collect::<Vec<_>>())?])
    }
}

fn network(batch: Option<usize>) -> Box<dyn Session> {
    let info = |name: &str, shape: &[Option<usize>]| vec![TensorInfo { name: name.into(), shape: shape.to_vec() }];
    Box::new(Colour(info("input", &[batch, Some(3), Some(256), Some(128)]), info("output", &[batch, Some(3)])))
}

/// Tracks of a script at ten frames a second, with and without looks.
fn follow(script: &[Vec<Object>], network: Option<Box<dyn Session>>) -> Tracked {
    let looks = network.map(|network| embed::open_image("reid", network).unwrap());
    let lookers = vec![Looker { detector: Box::new(Oracle(script.to_vec())), looks }];
    let mut stage = DetectAnalyzer::new(lookers, DetectSettings { fps: 10.0, gate: None }).unwrap();
    let mut out: Vec<Observation> = Vec::new();
    for (i, objects) in script.iter().enumerate() {
        let (time, duration) = (MediaTime::from_millis(100 * i as i64), MediaTime::from_millis(100));
        let picture = Arc::new(Painted(objects.clone()));
        stage.push(&Frame { index: i as u64, time, duration, key: false, picture }, &mut out).unwrap();
    }
    stage.finish(&mut out).unwrap();
    // Claims come back from the journal as JSON.
    let json = serde_json::to_string(&out).unwrap();
    let kept: Vec<Observation> = serde_json::from_str(&json).unwrap();
    assert_eq!(kept, out);
    track(&kept, &[], &TrackOptions::default())
}

/// Which track is at each object of the last frame.
fn last(tracked: &Tracked) -> Vec<Option<u32>> {
    match &tracked.observations.last().unwrap().claim {
        Claim::Detections { detections, .. } => detections.iter().map(|d| d.track).collect(),
        other => panic!("{other:?}"),
    }
}

/// Red and blue walk towards each other, hide behind a pillar and come out on the side they went in.
fn turned_back() -> Vec<Vec<Object>> {
    let at = |x: f32, colour| (BoxXyxy::from_xywh(x, 50.0, 40.0, 80.0), colour);
    (0..20)
        .map(|i| {
            let step = i as f32;
            match i {
                0..8 => vec![at(100.0 + 6.0 * step, RED), at(206.0 - 6.0 * step, BLUE)],
                8..11 => Vec::new(),
                _ => vec![at(144.0 - 2.0 * (step - 11.0), RED), at(166.0 + 2.0 * (step - 11.0), BLUE)],
            }
        })
        .collect()
}

/// A narrow walker whose second half lies beside where the first was heading.
fn displaced() -> Vec<Vec<Object>> {
    let at = |x: f32| vec![(BoxXyxy::from_xywh(x, 50.0, 20.0, 80.0), RED)];
    (0..18)
        .map(|i| match i {
            0..9 => at(60.0 + 4.0 * i as f32),
            9..12 => Vec::new(),
            _ => at(60.0 + 4.0 * i as f32 + 24.0),
        })
        .collect()
}

#[test]
fn looks_tell_apart_what_place_confuses() {
    assert_eq!(last(&follow(&turned_back(), None)), [Some(2), Some(1)], "by place alone they have passed each other");
    for batch in [None, Some(16)] {
        assert_eq!(last(&follow(&turned_back(), Some(network(batch)))), [Some(1), Some(2)], "batch {batch:?}");
    }
}

#[test]
fn looks_find_again_what_place_lost() {
    assert_eq!(follow(&displaced(), None).tracks.len(), 2);
    let found = follow(&displaced(), Some(network(None)));
    assert_eq!(found.tracks.len(), 1, "{:?}", found.tracks);
    // What was only for the tracker is not kept.
    let json = serde_json::to_string(&found.observations).unwrap();
    assert!(!json.contains("appearances"));
}

#[test]
fn another_look_is_another_object() {
    let mut script = displaced();
    for object in script[12..].iter_mut().flatten() {
        object.1 = BLUE;
    }
    assert_eq!(follow(&script, Some(network(None))).tracks.len(), 2);
}
