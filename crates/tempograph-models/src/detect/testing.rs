//! What the tests of several detectors do.

use tempograph_core::Size;

use crate::testing::{FakeSession, frame};

/// Runs `family` on a frame of 200 x 100 pixels and compares boxes, scores and labels.
pub(super) fn check(family: &str, session: FakeSession, golden: &serde_json::Value) {
    let number = |v: &serde_json::Value| v.as_f64().expect("a number") as f32;
    let options = super::DetectorOptions { confidence: number(&golden["confidence"]), ..Default::default() };
    let mut detector = super::open(family, Box::new(session), &options).expect("it opens");
    let frame = frame(Size::new(200, 100), |_, _| [0; 3]);
    let found = detector.detect(&[&frame]).expect("it runs").remove(0);
    let rows = golden["rows"].as_array().expect("a list");
    assert!(!rows.is_empty() && found.len() == rows.len(), "{} for {}", found.len(), rows.len());
    // Single and double precision order nearly equal scores differently, so rows are found, not counted off.
    for want in rows {
        let near = |got: &tempograph_core::Detection<'_>| {
            let corners = want["box"].as_array().expect("a box").iter().map(number);
            Some(got.label) == want["label"].as_str()
                && (got.score - number(&want["score"])).abs() < 1e-4
                && <[f32; 4]>::from(got.bbox).into_iter().zip(corners).all(|(a, b)| (a - b).abs() < 1e-2)
        };
        assert!(found.iter().any(|got| near(&got)), "{want}");
    }
}
