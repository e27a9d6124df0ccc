//! Median time of one call of a model on zeros: `session_speed LIBRARY MODEL THREADS CALLS N C H W`.
//!
//! One half of the session row of the bench; the other is the same model under Python's onnxruntime.

use std::{path::Path, time::Instant};

use tempograph_core::{Error, ErrorKind, Result, Runtime, SessionOptions, Tensor};
use tempograph_runtime_onnx::OnnxRuntime;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usage = || Error::new(ErrorKind::Usage, "expected LIBRARY MODEL THREADS CALLS EXTENT...");
    let [library, model, numbers @ ..] = arguments.as_slice() else { return Err(usage()) };
    let numbers: Vec<usize> = numbers.iter().map(|n| n.parse().map_err(|_| usage())).collect::<Result<_>>()?;
    let [threads, calls, shape @ ..] = numbers.as_slice() else { return Err(usage()) };
    let runtime = OnnxRuntime::open(Path::new(library))?;
    let mut session = runtime.load(Path::new(model), &SessionOptions { threads: *threads })?;
    let input = Tensor::new(shape, vec![0.0f32; shape.iter().product()])?;
    let mut times = Vec::new();
    for _ in 0..*calls + 3 {
        let start = Instant::now();
        session.run(&[&input])?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(3);
    times.sort_by(f64::total_cmp);
    #[expect(clippy::print_stdout, reason = "what it was asked for")]
    if let (Some(least), Some(median)) = (times.first(), times.get(times.len() / 2)) {
        println!("{{\"median_ms\": {median:.3}, \"least_ms\": {least:.3}}}");
    }
    Ok(())
}
