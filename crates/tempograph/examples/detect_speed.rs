//! What a detector costs a frame, from the decoded frame to its boxes: `detect_speed LIBRARY MODEL FILE FPS THREADS`.
//!
//! Prints JSON; seconds are the median of one call. The bench table compares it with the same work over OpenCV, NumPy
//! and onnxruntime's Python.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{path::Path, time::Instant};

use tempograph_core::{Cancel, Error, ErrorKind, MediaTime, Result, Runtime as _, SessionOptions};
use tempograph_media::{Reader, Sample, VideoWants, Wants};
use tempograph_models::detect::{self, DetectorOptions};
use tempograph_runtime_onnx::OnnxRuntime;

/// Calls that are not counted: the first ones make room.
const WARM: usize = 3;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Usage, "expected LIBRARY MODEL FILE FPS THREADS");
    let [library, model, file, fps, threads] = args.as_slice() else { return Err(usage()) };
    let number = |text: &String| text.parse::<usize>().map_err(|_| usage());
    let options = SessionOptions { threads: number(threads)? };
    let session = OnnxRuntime::open(Path::new(library))?.load(Path::new(model), &options)?;
    let mut detector = detect::open("nanodet", session, &DetectorOptions::default())?;
    let mut reader = Reader::open(Path::new(file))?;
    reader.set_threads(number(threads)?);

    let step = MediaTime::from_ticks(1, 1, number(fps)? as i32);
    let (mut due, mut spent, mut boxes) = (reader.info().start, Vec::new(), 0);
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    reader.read(&wants, &Cancel::default(), &mut |sample| {
        if let Sample::Frame(frame) = sample
            && frame.time >= due
        {
            due = due + step;
            let start = Instant::now();
            boxes += detector.detect(&[&frame])?.iter().map(|d| d.len()).sum::<usize>();
            spent.push(start.elapsed().as_secs_f64());
        }
        Ok(())
    })?;
    let calls = spent.len();
    let counted = spent.get_mut(WARM..).filter(|c| !c.is_empty()).ok_or_else(usage)?;
    counted.sort_by(f64::total_cmp);
    let median = counted[counted.len() / 2];
    println!("{{\"s\": {median:.6}, \"calls\": {calls}, \"boxes\": {boxes}}}");
    Ok(())
}
