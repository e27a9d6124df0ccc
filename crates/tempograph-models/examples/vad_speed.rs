//! Finds speech in a 16 kHz mono WAV file of 16 bits: `vad_speed LIBRARY MODEL FILE.wav`, as JSON.
//!
//! The bench table compares time, probabilities and stretches with the Silero package's.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{path::Path, time::Instant};

use tempograph_core::{Error, ErrorKind, Result, Runtime as _, SessionOptions};
use tempograph_models::vad::{SegmentOptions, Silero, stretches};
use tempograph_runtime_onnx::OnnxRuntime;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Usage, "expected LIBRARY MODEL FILE.wav");
    let [library, model, file] = args.as_slice() else { return Err(usage()) };
    let bytes = std::fs::read(file).map_err(|e| Error::io("read", Path::new(file), e))?;
    let data = bytes.windows(4).position(|w| w == b"data").and_then(|at| bytes.get(at + 8..)).ok_or_else(usage)?;
    let samples: Vec<f32> =
        data.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect();
    let session = OnnxRuntime::open(Path::new(library))?.load(Path::new(model), &SessionOptions { threads: 1 })?;
    let mut silero = Silero::new(session)?;

    let start = Instant::now();
    let mut probabilities = Vec::new();
    silero.push(&samples, &mut probabilities)?;
    silero.finish(&mut probabilities)?;
    let found = stretches(&probabilities, samples.len() as u64, &SegmentOptions::default());
    let spent = start.elapsed().as_secs_f64();
    let segments: Vec<[u64; 2]> = found.iter().map(|s| [s.start, s.end]).collect();
    println!("{}", serde_json::json!({"s": spent, "segments": segments, "probabilities": probabilities}));
    Ok(())
}
