//! Voice activity and speech recognition together, against recordings whose words and times are known.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panic and says why it skips")]

#[path = "../../tempograph-models/tests/common/mod.rs"]
mod common;

use tempograph_core::{AudioAnalyzer, AudioBlock, Claim, MediaTime, Observation, SessionOptions, Span, SpeechSegment};
use tempograph_models::{
    vad::Silero,
    whisper::{Files, TranscribeOptions, Whisper},
};
use tempograph_pipeline::analyze::{
    asr::{Asr, Chunker},
    speech::Transcriber,
    vad::Vad,
};

struct Ears {
    vad: Vad,
    asr: Asr,
}

/// Whisper `model` (a folder name) behind voice activity, or nothing when something is missing.
fn ears(model: &str) -> Option<Ears> {
    let runtime = common::runtime()?;
    let silero = common::weights("silero_vad_16k_sequence.onnx")?;
    let settings = common::weights(&format!("{model}/whisper.json"))?;
    let files = Files::of(settings.parent()?);
    let whisper = Whisper::open(&runtime, &files, &SessionOptions { threads: 2 }).unwrap();
    let vad = Vad::new(Silero::new(common::load(&runtime, &silero)).unwrap());
    Some(Ears { vad, asr: Asr::new(whisper, TranscribeOptions::default()) })
}

fn hear(mut ears: Ears, samples: &[f32]) -> Vec<(Span, SpeechSegment)> {
    let (mut chunker, mut claims) = (Chunker::default(), Vec::new());
    let mut recognise = |chunker: &mut Chunker, claims: &mut Vec<Observation>| {
        while let Some(chunk) = chunker.next_chunk() {
            claims.extend(ears.asr.transcribe(&chunk).unwrap());
        }
    };
    for (i, piece) in samples.chunks(8000).enumerate() {
        let block = AudioBlock { start: MediaTime::from_ticks(i as i64, 1, 2), samples: piece.into() };
        let mut voice = Vec::new();
        ears.vad.push(&block, &mut voice).unwrap();
        chunker.voice(&voice);
        chunker.audio(&block);
        recognise(&mut chunker, &mut claims);
    }
    let mut voice = Vec::new();
    ears.vad.finish(&mut voice).unwrap();
    chunker.voice(&voice);
    chunker.finish();
    recognise(&mut chunker, &mut claims);
    let speech = |o: Observation| match o.claim {
        Claim::Speech(s) => (o.span, s),
        other => panic!("not speech: {other:?}"),
    };
    claims.into_iter().map(speech).collect()
}

fn plain(text: &str) -> Vec<String> {
    let letters: String = text
        .to_lowercase()
        .replace(['-', '.'], " ")
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace())
        .collect();
    letters.split_whitespace().map(str::to_owned).collect()
}

fn word_error_rate(truth: &str, heard: &str) -> f64 {
    let (truth, heard) = (plain(truth), plain(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, t) in truth.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, h) in heard.iter().enumerate() {
            let swap = before + usize::from(t != h);
            before = row[j + 1];
            row[j + 1] = swap.min(row[j] + 1).min(before + 1);
        }
    }
    row[heard.len()] as f64 / truth.len() as f64
}

fn text(heard: &[(Span, SpeechSegment)]) -> String {
    heard.iter().map(|h| h.1.text.as_str()).collect::<Vec<_>>().join(" ")
}

const JFK: &str =
    "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.";

#[test]
fn a_known_speech_is_written_down_word_for_word() {
    for model in ["whisper-base", "whisper-tiny.en"] {
        let Some(file) = common::media("speech/jfk.wav") else { return };
        let Some(ears) = ears(model) else { continue };
        let heard = hear(ears, &common::audio(&file).unwrap());
        assert_eq!(plain(&text(&heard)), plain(JFK), "{model}");
        assert!(heard.iter().all(|h| h.1.language == "en"));
        // Pauses of the speech by voice activity: words stay out of them.
        let words: Vec<_> = heard.iter().flat_map(|h| &h.1.words).collect();
        let at = |n: usize| (words[n].start.as_secs_f64(), words[n].end.as_secs_f64());
        assert_eq!(words.len(), 22);
        assert!((0.3..0.7).contains(&at(0).0) && at(4).1 < 2.4, "{model} Americans: {:?}", at(4));
        assert!((3.2..3.6).contains(&at(5).0), "{model} ask: {:?}", at(5));
        assert!((7.9..8.5).contains(&at(14).0), "{model} ask: {:?}", at(14));
        assert!(at(21).1 < 10.8, "{model} country: {:?}", at(21));
        assert!(words.windows(2).all(|w| w[0].end <= w[1].start));
    }
}

/// Truth text, and where somebody speaks.
fn truth(name: &str, list: &str) -> Option<(String, Vec<Span>)> {
    let truth: serde_json::Value = serde_json::from_slice(&std::fs::read(common::media(name)?).unwrap()).unwrap();
    let events: Vec<_> = truth[list].as_array().unwrap().iter().filter(|e| e["kind"] == "speech").collect();
    let time = |v: &serde_json::Value| MediaTime::from_secs_f64(v.as_f64().unwrap());
    let spans = events.iter().map(|e| Span::new(time(&e["start"]), time(&e["end"]))).collect();
    Some((events.iter().map(|e| e["text"].as_str().unwrap()).collect::<Vec<_>>().join(" "), spans))
}

#[test]
fn speech_is_found_where_it_is_and_nowhere_else() {
    for (file, name, list) in [
        ("composite/public_a_citymix.mp4", "truth/public_a_citymix.json", "audio_events"),
        ("composite/public_c_dialog3.wav", "truth/public_c_dialog3.json", "turns"),
    ] {
        let (Some((want, spans)), Some(file)) = (truth(name, list), common::media(file)) else { return };
        let Some(ears) = ears("whisper-base") else { return };
        let Some(audio) = common::audio(&file) else { return };
        let heard = hear(ears, &audio);
        let rate = word_error_rate(&want, &text(&heard));
        println!("{name}: word error rate {rate:.3}");
        assert!(rate <= 0.10, "{name}: {rate} {}", text(&heard));
        let slack = MediaTime::from_millis(300);
        for (span, segment) in &heard {
            for (start, end) in
                std::iter::once((span.start, span.end)).chain(segment.words.iter().map(|w| (w.start, w.end)))
            {
                let inside = spans.iter().any(|s| s.start <= start + slack && start <= s.end + slack)
                    && spans.iter().any(|s| s.start <= end + slack && end <= s.end + slack);
                assert!(inside, "{name}: {start} to {end}: {}", segment.text);
            }
            assert!((0.0..=1.0).contains(&segment.confidence));
        }
    }
}

#[test]
fn silence_and_noise_give_no_words() {
    let Some(mut quiet) = ears("whisper-base") else { return };
    let noise =
        |i: usize, level: f32| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 * level - level;
    let samples: Vec<f32> = (0..20 * 16_000).map(|i| if i < 160_000 { 0.0 } else { noise(i, 0.1) }).collect();
    // Even when voice activity were wrong, the recogniser does not make up words over silence.
    let chunk = tempograph_pipeline::analyze::speech::SpeechChunk {
        start: MediaTime::ZERO,
        samples: vec![0.0; 80_000],
        speech: vec![Span::new(MediaTime::ZERO, MediaTime::from_millis(5000))],
    };
    let made_up = quiet.asr.transcribe(&chunk).unwrap();
    assert_eq!(made_up, []);
    assert_eq!(hear(quiet, &samples), []);
}
