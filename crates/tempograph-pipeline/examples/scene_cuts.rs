//! Prints the cuts of all five scene detectors, with default parameters, as JSON.
//!
//! `scene_cuts FILE [--scores] [DETECTOR…]`: with names, only these are measured and decided; with
//! `--scores`, a line for each frame precedes the cuts.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{collections::BTreeMap, error::Error, path::Path};

use tempograph_core::Cancel;
use tempograph_media::{Reader, Sample, SkipFrames, VideoWants, Wants};
use tempograph_pipeline::analyze::scenes::{Detector, Measures, SceneAnalyzer, Scores};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: scene_cuts FILE [--scores] [DETECTOR…]")?;
    let mut args = args.peekable();
    let print_scores = args.next_if(|a| a == "--scores").is_some();
    let named = args.map(|name| Detector::named(&name)).collect::<Result<Vec<_>, _>>()?;
    let detectors = if named.is_empty() { Detector::all().to_vec() } else { named };
    let measures = detectors.iter().try_fold(Measures::default(), |all, d| all.union(d.measures()))?;
    let mut analyzer = SceneAnalyzer::new(measures)?;
    let mut scores = Scores::default();
    let mut reader = Reader::open(Path::new(&path))?;
    let fps = reader.info().to_video("", "").fps;
    let wants = Wants { video: Some(VideoWants { skip: SkipFrames::None }), audio: None };
    reader.read(&wants, &Cancel::new(), &mut |sample| {
        if let Sample::Frame(frame) = sample {
            let row = analyzer.measure(&frame)?;
            if print_scores {
                println!("{}", serde_json::json!(row));
            }
            scores.push(&measures, frame.index, frame.time, &row)?;
        }
        Ok(())
    })?;
    let mut cuts = BTreeMap::new();
    for detector in detectors {
        cuts.insert(format!("detect-{}", detector.name()), detector.cuts(&scores, fps)?);
    }
    println!("{}", serde_json::json!({"frames": scores.len(), "fps": fps, "cuts": cuts}));
    Ok(())
}
