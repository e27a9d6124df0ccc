//! Near and far of things in a real picture, with its true disparity in the model's place.

use std::path::Path;

use tempograph_core::{BoxXyxy, Claim, DepthMap, Detections, Observation, Size, Span, timeline::Video};
use tempograph_eval::depth::read_map;
use tempograph_models::depth::InverseDepth;
use tempograph_pipeline::{analyze::depth::grid, fuse::track_depths};

/// Parts of the motorcycle, which stands in front of everything else.
const NEAR: &[(&str, [f32; 4])] = &[
    ("rear wheel", [122.0, 237.0, 280.0, 402.0]),
    ("front wheel", [515.0, 300.0, 683.0, 452.0]),
    ("tank", [345.0, 170.0, 475.0, 240.0]),
    ("seat", [160.0, 165.0, 340.0, 240.0]),
    ("engine", [340.0, 265.0, 470.0, 365.0]),
    ("headlight", [508.0, 122.0, 560.0, 188.0]),
];

/// What stands along the wall.
const FAR: &[(&str, [f32; 4])] = &[
    ("bench", [48.0, 108.0, 283.0, 230.0]),
    ("paper on the door", [180.0, 0.0, 290.0, 94.0]),
    ("carton above", [528.0, 30.0, 593.0, 98.0]),
    ("carton below", [613.0, 185.0, 684.0, 280.0]),
    ("small carton", [590.0, 65.0, 635.0, 100.0]),
    ("red box", [550.0, 182.0, 615.0, 252.0]),
    ("tub", [563.0, 137.0, 623.0, 167.0]),
    ("bicycle", [0.0, 130.0, 45.0, 230.0]),
];

/// Pairs among those along the wall, the nearer first, by what covers what and by where they meet the floor.
const APART: &[(&str, &str)] =
    &[("bench", "paper on the door"), ("bench", "bicycle"), ("carton below", "paper on the door")];

#[test]
fn things_in_front_are_nearer() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media/depth/motorcycle_disp.npz");
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: shared media not present");
        return;
    };
    let truth = read_map(&bytes).expect("a map");
    let size = Size::new(truth.width as u32, truth.height as u32);
    // Where the truth knows nothing a model would still say something; as far as can be is the hardest case.
    let values: Vec<f32> = truth.values.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect();
    let map = InverseDepth { size, values };
    let (low, high) = map.range();
    let (object, grid) = (String::new(), grid(&map, (low, high)));
    let claim = DepthMap { frame: 0, object, offset: 0, len: 0, low, high, columns: 48, rows: 27, grid };

    let things: Vec<_> = NEAR.iter().chain(FAR).collect();
    let mut detections = Detections::default();
    for (name, bbox) in &things {
        detections.push(BoxXyxy::from(*bbox), 0.9, *name);
    }
    let ids = (1..=things.len() as u32).map(Some).collect();
    let detections = detections.with_tracks(ids).expect("a column");
    let observation = |claim| Observation { span: Span::default(), claim };
    let seen = [observation(Claim::Detections { frame: 0, detections }), observation(Claim::Depth(claim))];
    let video = Video { width: size.width, height: size.height, ..Video::default() };
    let depths = track_depths(&seen, &video);
    let near = |name: &str| {
        let track = things.iter().position(|(n, _)| *n == name).expect("a thing") as u32 + 1;
        depths.iter().find(|d| d.track == track).expect("it has a depth").near[0].1
    };

    let mut pairs: Vec<(&str, &str)> = NEAR.iter().flat_map(|(a, _)| FAR.iter().map(move |(b, _)| (*a, *b))).collect();
    pairs.extend(APART);
    let wrong: Vec<_> = pairs.iter().filter(|(a, b)| near(a) <= near(b)).collect();
    for (name, _) in &things {
        println!("{:.3} {name}", near(name));
    }
    println!("{} of {} pairs in order; wrong: {wrong:?}", pairs.len() - wrong.len(), pairs.len());
    assert!(wrong.len() * 20 <= pairs.len(), "{wrong:?}");
    // The event rules take apart what differs by 0.25: not the solid parts of one thing, but it and what is behind.
    let solid = NEAR.iter().skip(2).map(|(name, _)| near(name));
    let ends = solid.fold((1.0f32, 0.0f32), |(a, b), v| (a.min(v), b.max(v)));
    assert!(ends.1 - ends.0 < 0.25 && ends.0 - near("bench") > 0.25, "{ends:?}");
}
