//! Decodes a file, keeps some frames a second and shrinks them: `sample_frames FILE FPS WIDTH HEIGHT THREADS [nonref|nonkey]`.
//!
//! Prints the seconds it took as JSON; the bench table compares it with the same loop over other bindings.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{path::Path, time::Instant};

use tempograph_core::{Cancel, Error, ErrorKind, MediaTime, Result, RgbRequest, ScaleFilter, Size};
use tempograph_media::{Reader, Sample, SkipFrames, VideoWants, Wants};

fn main() -> Result<()> {
    let usage = || Error::new(ErrorKind::Usage, "expected FILE FPS WIDTH HEIGHT THREADS [nonref|nonkey]");
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, numbers @ ..] = args.as_slice() else { return Err(usage()) };
    let number = |i: usize| numbers.get(i).and_then(|n| n.parse::<u32>().ok()).ok_or_else(usage);
    let (fps, size, threads) = (number(0)?, Size::new(number(1)?, number(2)?), number(3)?);
    let skip = match numbers.get(4).map(String::as_str) {
        Some("nonref") => SkipFrames::NonRef,
        Some("nonkey") => SkipFrames::NonKey,
        _ => SkipFrames::None,
    };

    let start = Instant::now();
    let mut reader = Reader::open(Path::new(file))?;
    reader.set_threads(threads as usize);
    let wants = Wants { video: Some(VideoWants { skip }), audio: None };
    let request = RgbRequest { size, filter: ScaleFilter::Bilinear };
    let step = MediaTime::from_ticks(1, 1, fps as i32);
    let (mut due, mut samples) = (reader.info().start, 0u64);
    let report = reader.read(&wants, &Cancel::default(), &mut |sample| {
        if let Sample::Frame(frame) = sample
            && frame.time >= due
        {
            frame.picture.rgb(request)?;
            due = due + step;
            samples += 1;
        }
        Ok(())
    })?;
    let spent = start.elapsed().as_secs_f64();
    println!("{{\"s\": {spent:.6}, \"frames\": {}, \"samples\": {samples}}}", report.frames);
    Ok(())
}
