//! Scores of recorded sequences that may not be shipped, read from beside the repository.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempograph_eval::{EvalOptions, run};

fn shared_media() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join("shared/media")).find(|p| p.is_dir());
    if found.is_none() {
        println!("skipped: shared media not present");
    }
    found
}

#[test]
fn equals_motmetrics() {
    let Some(media) = shared_media() else { return };
    let (truth, file) = (media.join("mot/TUD-Campus.gt.txt"), media.join("mot/TUD-Campus.test.txt"));
    let scores = run("mot", &truth, &file, &EvalOptions::default()).expect("two MOT files");
    let expected: Value = serde_json::from_str(include_str!("data/motmetrics_expected.json")).expect("expected");
    for (name, expected) in expected["sequences"]["TUD-Campus"].as_object().expect("named numbers") {
        let (got, expected) = (scores[name].as_f64().expect(name), expected.as_f64().expect("a number"));
        assert!((got - expected).abs() < 1e-6, "{name}: {got} for {expected}");
    }
}

/// HOTA of `trackers` 2.6.1's own outputs, as TrackEval's definition in that package gives it.
#[test]
fn equals_the_reference_of_other_trackers() {
    let Some(media) = shared_media() else { return };
    let reference = std::fs::read_to_string(media.join("truth/trackers_reference.json")).expect("reference");
    let reference: Value = serde_json::from_str(&reference).expect("JSON");
    for tracker in ["SORTTracker", "ByteTrackTracker", "OCSORTTracker"] {
        let file = media.join(format!("truth/{tracker}_TUD-Campus.txt"));
        let scores = run("mot", &media.join("mot/TUD-Campus.gt.txt"), &file, &EvalOptions::default()).expect("MOT");
        let expected = &reference["runs"][format!("TUD-Campus/{tracker}")];
        for name in ["mota", "idf1", "num_switches", "precision", "recall"] {
            let (got, expected) = (scores[name].as_f64().expect(name), expected[name].as_f64().expect(name));
            // The reference file holds four digits.
            assert!((got - expected).abs() < 6e-5, "{tracker} {name}: {got} for {expected}");
        }
    }
}

#[test]
fn real_disparity_against_itself_is_perfect() {
    let Some(media) = shared_media() else { return };
    let file = media.join("depth/motorcycle_disp.npz");
    let mut options = EvalOptions::default();
    options.set_depth("disparity", "disparity", "scale-shift").expect("known names");
    let scores = run("depth", &file, &file, &options).expect("the same map");
    assert!(scores["abs_rel"].as_f64().expect("a number") < 1e-6, "{scores}");
    assert!(scores["pixels"].as_u64().expect("a count") > 200_000);
}
