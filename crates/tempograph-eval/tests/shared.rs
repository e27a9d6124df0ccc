//! Scores of recorded sequences that may not be shipped, read from beside the repository.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

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

/// HOTA, DetA, AssA and LocA by the evaluator of `trackers` 2.6.1, which follows TrackEval.
const HOTA: [(&str, [f64; 4]); 4] = [
    (
        "truth/SORTTracker_TUD-Campus.txt",
        [0.4411073902045725, 0.47896621596430294, 0.4086290149737131, 0.7758622573560425],
    ),
    (
        "truth/ByteTrackTracker_TUD-Campus.txt",
        [0.468123405029745, 0.49137958709936125, 0.44803442193674425, 0.7750123340975168],
    ),
    (
        "truth/OCSORTTracker_TUD-Campus.txt",
        [0.4880492042881994, 0.4681111902902127, 0.5098646168489611, 0.7774457493976424],
    ),
    ("mot/TUD-Campus.test.txt", [0.3913974378451139, 0.418047030142763, 0.36912068120832836, 0.770052227022172]),
];

#[test]
fn equals_trackeval() {
    let Some(media) = shared_media() else { return };
    for (file, expected) in HOTA {
        let truth = media.join("mot/TUD-Campus.gt.txt");
        let scores = run("mot", &truth, &media.join(file), &EvalOptions::default()).expect("MOT");
        for (name, expected) in ["hota", "deta", "assa", "loca"].into_iter().zip(expected) {
            let got = scores[name].as_f64().expect(name);
            assert!((got - expected).abs() < 1e-6, "{file} {name}: {got} for {expected}");
        }
    }
}

/// The scores that came with the outputs of `trackers` 2.6.1.
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

#[test]
fn the_tool_agrees_with_itself_on_every_video() {
    let Some(media) = shared_media() else { return };
    let file = media.join("truth/pyscenedetect_cuts.json");
    let cuts: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("cuts")).expect("JSON");
    for video in cuts["videos"].as_object().expect("by video").keys() {
        let options = EvalOptions { video: Some(video.clone()), ..EvalOptions::default() };
        let scores = run("scenes", &file, &file, &options).expect("the same cuts");
        assert_eq!(scores.as_object().map(serde_json::Map::len), Some(5), "{video}: {scores}");
        assert!(scores.as_object().into_iter().flatten().all(|(_, s)| s["f1"] == 1.0), "{video}: {scores}");
    }
}

#[test]
fn composites_are_read_as_truth() {
    let Some(media) = shared_media() else { return };
    let scenes = media.join("truth/public_a_citymix.json");
    let scores = run("scenes", &scenes, &scenes, &EvalOptions::default()).expect("cut frames");
    assert_eq!(scores["cuts"]["matched"], 14, "{scores}");
    let speakers = media.join("truth/public_c_dialog3.rttm");
    let scores = run("der", &speakers, &speakers, &EvalOptions::default()).expect("RTTM");
    assert_eq!((scores["der"].as_f64(), scores["jer"].as_f64()), (Some(0.0), Some(0.0)), "{scores}");
    let dialog = media.join("truth/public_c_dialog3.json");
    let scores = run("wer", &dialog, &dialog, &EvalOptions::default()).expect("turns with text");
    assert!(scores["truth_words"].as_u64() > Some(50) && scores["wer"] == 0.0, "{scores}");
    let scores = run("wer", &scenes, &scenes, &EvalOptions::default()).expect("speech with text");
    assert_eq!(scores["truth_words"], 22 + 23, "{scores}");
}
