//! Reads the text in pictures and says how long that takes, for comparing with other readers.
//!
//! `read_text LIBRARY DET REC FAMILY THREADS PICTURE…`: a JSON line each, the time being the best of five.
#![expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{path::Path, time::Instant};

use tempograph_core::{Cancel, Frame, Runtime, SessionOptions};
use tempograph_media::{Reader as Media, Sample, VideoWants, Wants};
use tempograph_models::ocr::Reader;
use tempograph_runtime_onnx::OnnxRuntime;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [library, det, rec, family, threads, pictures @ ..] = args.as_slice() else {
        return Err("usage: read_text LIBRARY DET REC FAMILY THREADS PICTURE…".into());
    };
    let runtime = OnnxRuntime::open(Path::new(library))?;
    let options = SessionOptions { threads: threads.parse()? };
    let (det, rec) = (runtime.load(Path::new(det), &options)?, runtime.load(Path::new(rec), &options)?);
    let mut reader = Reader::new(family, det, rec)?;
    for picture in pictures {
        let mut times = Vec::new();
        let mut lines = Vec::new();
        for _ in 0..5 {
            // A frame keeps what it converted, so each round gets its own.
            let frame = frame(Path::new(picture))?;
            let started = Instant::now();
            lines = reader.read(&frame)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let best = times.into_iter().fold(f64::INFINITY, f64::min);
        println!("{}", serde_json::json!({"picture": picture, "ms": best, "lines": lines}));
    }
    Ok(())
}

fn frame(path: &Path) -> Result<Frame, Box<dyn std::error::Error>> {
    let mut found = None;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    Media::open(path)?.read(&wants, &Cancel::new(), &mut |sample| {
        if let Sample::Frame(frame) = sample {
            found.get_or_insert(frame);
        }
        Ok(())
    })?;
    found.ok_or_else(|| "no picture in the file".into())
}
