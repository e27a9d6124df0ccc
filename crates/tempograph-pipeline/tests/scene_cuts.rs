//! The cuts of every public video, against PySceneDetect's.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempograph_core::Cancel;
use tempograph_media::{Reader, Sample, SkipFrames, VideoWants, Wants};
use tempograph_pipeline::analyze::scenes::{Cut, Detector, Measures, SceneAnalyzer, Scores};

/// The folder of shared test media beside the repository.
fn shared_media() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|dir| dir.join("shared/media")).find(|dir| dir.is_dir())
}

fn cuts(path: &Path) -> tempograph_core::Result<Vec<(Detector, Vec<Cut>)>> {
    let measures = Measures::defaults();
    let mut analyzer = SceneAnalyzer::new(measures)?;
    let mut scores = Scores::default();
    let mut reader = Reader::open(path)?;
    let fps = reader.info().to_video("", "").fps;
    let wants = Wants { video: Some(VideoWants { skip: SkipFrames::None }), audio: None };
    reader.read(&wants, &Cancel::new(), &mut |sample| {
        if let Sample::Frame(frame) = sample {
            scores.push(&measures, frame.index, frame.time, &analyzer.measure(&frame)?)?;
        }
        Ok(())
    })?;
    Detector::all().into_iter().map(|d| Ok((d, d.cuts(&scores, fps)?))).collect()
}

#[test]
fn cuts_equal_the_reference() {
    let Some(media) = shared_media() else {
        println!("skipped: shared media not present");
        return;
    };
    let text = std::fs::read_to_string(media.join("truth/pyscenedetect_cuts.json")).expect("the truth file");
    let truth: Value = serde_json::from_str(&text).expect("valid json");
    let videos = truth["videos"].as_object().expect("videos by name");
    assert!(!videos.is_empty());
    let mut wrong = Vec::new();
    for (name, video) in videos {
        let half_frame = 0.5 / video["fps"].as_f64().expect("a rate");
        for (detector, cuts) in cuts(&media.join(name)).expect(name) {
            let want: Vec<f64> = video[format!("detect-{}", detector.name())]["cut_seconds"]
                .as_array()
                .expect("a list of cuts")
                .iter()
                .map(|t| t.as_f64().expect("a number"))
                .collect();
            let got: Vec<f64> = cuts.iter().map(|c| c.time.as_secs_f64()).collect();
            let equal = got.len() == want.len() && got.iter().zip(&want).all(|(g, w)| (g - w).abs() < half_frame);
            if !equal {
                wrong.push(format!("{name} {}: {got:?} instead of {want:?}", detector.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
