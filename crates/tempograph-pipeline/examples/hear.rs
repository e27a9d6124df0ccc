//! Voice activity and speech recognition of one file, as `analyze` runs them:
//! `hear LIBRARY SILERO.onnx WHISPER_FOLDER FILE.wav… [--fitted SECONDS] [--times N] [--json]`.
#![allow(clippy::print_stdout, reason = "an example talks to whoever runs it")]

use std::{error::Error, path::Path, time::Instant};

use tempograph_core::{AudioAnalyzer, AudioBlock, Claim, MediaTime, Observation, Runtime, SessionOptions};
use tempograph_models::{
    vad::Silero,
    whisper::{AudioContext, Files, TranscribeOptions, Whisper},
};
use tempograph_pipeline::analyze::{
    asr::{Asr, Chunker},
    speech::Transcriber,
    vad::Vad,
};
use tempograph_runtime_onnx::OnnxRuntime;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [library, silero, whisper, ..] = args.as_slice() else {
        return Err("give a library, Silero, Whisper, files".into());
    };
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)?.parse::<u32>().ok());
    let runtime = OnnxRuntime::open(Path::new(library))?;
    let threads = value("--threads").unwrap_or(2) as usize;
    let whisper = Whisper::open(&runtime, &Files::of(Path::new(whisper)), &SessionOptions { threads })?;
    let mut options = TranscribeOptions::default();
    if let Some(silence_s) = value("--fitted") {
        options.context = if silence_s >= 30 { AudioContext::Full } else { AudioContext::Fitted { silence_s } };
    }
    let mut asr = Asr::new(whisper, options);
    for file in args.iter().filter(|a| a.ends_with(".wav")) {
        let samples = wav(&std::fs::read(file)?)?;
        for _ in 0..value("--times").unwrap_or(1) {
            let began = Instant::now();
            let voice = Silero::new(runtime.load(Path::new(silero), &SessionOptions { threads: 1 })?)?;
            let (claims, chunks) = hear(&samples, voice, &mut asr)?;
            let spent = began.elapsed().as_secs_f64();
            if args.iter().any(|a| a == "--json") {
                for claim in &claims {
                    println!("{}", serde_json::to_string(claim)?);
                }
            }
            let text = |o: &Observation| match &o.claim {
                Claim::Speech(s) => s.text.clone(),
                _ => String::new(),
            };
            println!("{spent:.3} [{chunks}] {}", claims.iter().map(text).collect::<Vec<_>>().join(" "));
        }
    }
    Ok(())
}

fn hear(samples: &[f32], silero: Silero, asr: &mut Asr) -> Result<(Vec<Observation>, usize), Box<dyn Error>> {
    let (mut vad, mut chunker) = (Vad::new(silero), Chunker::default());
    let (mut claims, mut chunks) = (Vec::new(), 0);
    for (i, piece) in samples.chunks(8000).enumerate() {
        let start = MediaTime::from_ticks(i as i64, 1, 2);
        let block = AudioBlock { start, samples: piece.into() };
        let mut voice = Vec::new();
        vad.push(&block, &mut voice)?;
        chunker.voice(&voice);
        chunker.audio(&block);
        while let Some(chunk) = chunker.next_chunk() {
            claims.extend(asr.transcribe(&chunk)?);
            chunks += 1;
        }
    }
    let mut voice = Vec::new();
    vad.finish(&mut voice)?;
    chunker.voice(&voice);
    chunker.finish();
    while let Some(chunk) = chunker.next_chunk() {
        claims.extend(asr.transcribe(&chunk)?);
        chunks += 1;
    }
    Ok((claims, chunks))
}

fn wav(bytes: &[u8]) -> Result<Vec<f32>, Box<dyn Error>> {
    let at = bytes.windows(4).position(|w| w == b"data").ok_or("not a WAV file")? + 8;
    let data = bytes.get(at..).ok_or("not a WAV file")?;
    Ok(data.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect())
}
