//! What the networks of a run take alone: `session_replay LIBRARY THREADS LOG`.
//!
//! LOG holds the JSON lines that sessions write at their end (`network calls`). Each model is loaded and asked the same
//! shapes again, one model after the other; a shape's median over at most [`SAMPLES`] calls stands for all of its calls.

use std::{collections::BTreeMap, path::Path, time::Instant};

use serde_json::{Value, json};
use tempograph_core::{Error, ErrorKind, Result, Runtime, Session, SessionOptions, Tensor};
use tempograph_runtime_onnx::OnnxRuntime;

/// Calls that a median is taken of.
const SAMPLES: u64 = 15;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Usage, "expected LIBRARY THREADS LOG");
    let [library, threads, log] = arguments.as_slice() else { return Err(usage()) };
    let options = SessionOptions { threads: threads.parse().map_err(|_| usage())? };
    let runtime = OnnxRuntime::open(Path::new(library))?;
    let text = std::fs::read_to_string(log).map_err(|e| Error::io("read the log", Path::new(log), e))?;
    let mut models: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        if let (Some(model), Some(inputs), Some(calls)) =
            (line["model"].as_str(), line["inputs"].as_str(), line["calls"].as_u64())
        {
            models.entry(model.to_owned()).or_default().push((inputs.to_owned(), calls));
        }
    }
    let (mut total, mut shares) = (0.0, serde_json::Map::new());
    for (model, shapes) in &models {
        let mut session = runtime.load(Path::new(model), &options)?;
        let mut alone = 0.0;
        for (inputs, calls) in shapes.iter().filter(|(inputs, _)| inputs != "other") {
            alone += median(session.as_mut(), inputs, (*calls).min(SAMPLES))? * *calls as f64;
        }
        total += alone;
        let name = Path::new(model).file_name().map_or_else(|| model.clone(), |n| n.to_string_lossy().into_owned());
        shares.insert(name, json!(alone));
    }
    #[expect(clippy::print_stdout, reason = "what it was asked for")]
    {
        println!("{}", json!({ "s": total, "shares": shares }));
    }
    Ok(())
}

/// Seconds of one call on zeros, after one that does not count.
fn median(session: &mut dyn Session, inputs: &str, calls: u64) -> Result<f64> {
    let tensors = inputs.split(' ').map(zeros).collect::<Result<Vec<_>>>()?;
    let views: Vec<&Tensor> = tensors.iter().collect();
    session.run(&views)?;
    let mut times = Vec::new();
    for _ in 0..calls.max(1) {
        let start = Instant::now();
        session.run(&views)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The tensor that a log line names, e.g. `f32[1,3,224,224]`. Integers are ones: a mask of zeros is another case.
fn zeros(text: &str) -> Result<Tensor> {
    let wrong = || Error::new(ErrorKind::InvalidData, format!("not a tensor: {text}"));
    let (kind, extents) = text.strip_suffix(']').and_then(|t| t.split_once('[')).ok_or_else(wrong)?;
    let shape: Vec<usize> =
        extents.split(',').filter(|e| !e.is_empty()).map(|e| e.parse().map_err(|_| wrong())).collect::<Result<_>>()?;
    let count = shape.iter().product();
    match kind {
        "f32" => Tensor::new(shape, vec![0.0f32; count]),
        "i64" => Tensor::new(shape, vec![1i64; count]),
        "i32" => Tensor::new(shape, vec![1i32; count]),
        "u8" => Tensor::new(shape, vec![0u8; count]),
        _ => Err(wrong()),
    }
}
