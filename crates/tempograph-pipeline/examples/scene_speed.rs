//! Finds cuts as one detector does, decoding included: `scene_speed FILE DETECTOR THREADS`, as JSON.
//!
//! The bench table compares time and cuts with PySceneDetect's.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};
use tempograph_media::{Reader, Sample, VideoWants, Wants};
use tempograph_pipeline::analyze::scenes::{Detector, SceneAnalyzer, Scores};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Usage, "expected FILE DETECTOR THREADS");
    let [file, name, threads] = args.as_slice() else { return Err(usage()) };
    let detector = Detector::named(name)?;
    let measures = detector.measures();

    let start = Instant::now();
    let mut reader = Reader::open(Path::new(file))?;
    reader.set_threads(threads.parse().map_err(|_| usage())?);
    let fps = reader.info().video.as_ref().map_or(0.0, |v| v.fps);
    let mut analyzer = SceneAnalyzer::new(measures)?;
    let (mut scores, mut measuring, mut first) = (Scores::default(), Duration::ZERO, None);
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let report = reader.read(&wants, &Cancel::default(), &mut |sample| {
        if let Sample::Frame(frame) = sample {
            let began = Instant::now();
            let row = analyzer.measure(&frame)?;
            measuring += began.elapsed();
            first.get_or_insert(frame.time);
            scores.push(&measures, frame.index, frame.time, &row)?;
        }
        Ok(())
    })?;
    let cuts = detector.cuts(&scores, fps)?;
    let spent = start.elapsed().as_secs_f64();
    let cuts: Vec<f64> = cuts.iter().map(|c| c.time.as_secs_f64()).collect();
    let more = serde_json::json!({
        "s": spent, "measuring": measuring.as_secs_f64(), "frames": report.frames, "cuts": cuts,
        "start": first.map(|t| t.as_secs_f64()),
    });
    println!("{more}");
    Ok(())
}
