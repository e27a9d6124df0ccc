//! Transcribes a 16 kHz mono WAV file: `transcribe LIBRARY MODEL_FOLDER FILE.wav [--fitted SECONDS] [--json] [--times N]`.
//!
//! With `--convert MODEL.BIN VOCABULARY CONFIG OUT [--float]` it converts CTranslate2 weights first.
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{error::Error, fs, path::Path, time::Instant};

use tempograph_core::SessionOptions;
use tempograph_models::whisper::{AudioContext, Files, TranscribeOptions, Whisper, convert};
use tempograph_runtime_onnx::OnnxRuntime;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().position(|a| a == name);
    if let [mark, model, vocabulary, config, out, ..] = args.as_slice()
        && mark == "--convert"
    {
        let (vocabulary, config) = (fs::read(vocabulary)?, fs::read(config)?);
        let companions = convert::Companions { vocabulary: &vocabulary, generation: Some(&config) };
        let precision = if flag("--float").is_some() { convert::Precision::Float32 } else { convert::Precision::Int8 };
        fs::create_dir_all(out)?;
        let mut file = std::io::BufReader::new(fs::File::open(model)?);
        convert::from_ct2(&mut file, &companions, Path::new(out), precision)?;
        return Ok(());
    }
    let [library, folder, ..] = args.as_slice() else {
        return Err("give a library, a model folder and WAV files".into());
    };
    let runtime = OnnxRuntime::open(Path::new(library))?;
    let mut whisper = Whisper::open(&runtime, &Files::of(Path::new(folder)), &SessionOptions { threads: 2 })?;
    let value = |name: &str| flag(name).and_then(|i| args.get(i + 1)?.parse::<u32>().ok());
    let mut options = TranscribeOptions::default();
    if let Some(silence_s) = value("--fitted") {
        options.context = if silence_s >= 30 { AudioContext::Full } else { AudioContext::Fitted { silence_s } };
    }
    for file in args.iter().filter(|a| a.ends_with(".wav")) {
        let samples = wav(&fs::read(file)?)?;
        for _ in 0..value("--times").unwrap_or(1) {
            let began = Instant::now();
            let segments = whisper.transcribe(&samples, &[], &options)?;
            let spent = began.elapsed().as_secs_f64();
            if flag("--json").is_some() {
                let words = |s: &tempograph_models::whisper::Segment| {
                    s.words
                        .iter()
                        .map(|w| serde_json::json!([w.text, w.start, w.end, w.probability]))
                        .collect::<Vec<_>>()
                };
                for s in &segments {
                    println!(
                        "{}",
                        serde_json::json!({"start": s.start, "end": s.end, "text": s.text, "language": s.language,
                            "confidence": s.confidence, "no_speech": s.no_speech, "words": words(s)})
                    );
                }
            }
            let text: Vec<&str> = segments.iter().map(|s| s.text.as_str()).collect();
            println!("{spent:.3} {}", text.join(" "));
        }
    }
    Ok(())
}

fn wav(bytes: &[u8]) -> Result<Vec<f32>, Box<dyn Error>> {
    let at = bytes.windows(4).position(|w| w == b"data").ok_or("not a WAV file")? + 8;
    let data = bytes.get(at..).ok_or("not a WAV file")?;
    Ok(match bytes[34] {
        32 => data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        _ => data.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect(),
    })
}
