//! Prosody decided from frames made by hand.

use super::*;

/// Frames of 20 ms from `start_ms`: level and pitch.
fn frames(start_ms: i64, values: &[(i8, f32)]) -> Observation {
    let start = MediaTime::from_millis(start_ms);
    let claim = ProsodyFrames {
        level_dbfs: values.iter().map(|v| v.0).collect(),
        crossings: vec![10; values.len()],
        pitches: values
            .iter()
            .enumerate()
            .filter(|(_, v)| v.1 > 0.0)
            .flat_map(|(i, v)| [(i as u16, v.1, 0.8), (i as u16, v.1 / 2.0, 0.1)])
            .collect(),
    };
    let span = Span::new(start, start + MediaTime::from_millis(20 * values.len() as i64));
    Observation { span, claim: Claim::Prosody(claim) }
}

fn event(start_ms: i64, end_ms: i64, speaker: &str, text: &str) -> AudioEvent {
    let step = (end_ms - start_ms) / 4;
    let word = |i: i64| Word {
        text: "word".to_owned(),
        start: MediaTime::from_millis(start_ms + i * step),
        end: MediaTime::from_millis(start_ms + i * step + if i == 1 { step / 4 } else { step }),
        confidence: 1.0,
    };
    AudioEvent {
        id: String::new(),
        kind: AudioEventKind::Speech,
        span: Span::new(MediaTime::from_millis(start_ms), MediaTime::from_millis(end_ms)),
        text: Some(text.to_owned()),
        speaker: Some(speaker.to_owned()),
        language: None,
        words: Some((0..4).map(word).collect()),
        label: None,
        alternatives: Vec::new(),
        confidence: 1.0,
        prosody: None,
        emotion: None,
        emotion_basis: None,
    }
}

#[test]
fn an_event_is_described_by_its_own_frames() {
    let mut events = [event(0, 2000, "Speaker 1", "so")];
    let all = [frames(0, &[(-20, 120.0); 100]), frames(2000, &[(-3, 400.0); 100])];
    fill(&mut events, &all, &ProsodyOptions::default());
    let prosody = events[0].prosody.as_ref().expect("measured");
    assert_eq!((prosody.f0_mean_hz, prosody.f0_range_hz), (Some(120.0), Some(0.0)));
    assert_eq!((prosody.energy_dbfs, prosody.zero_crossing_rate, prosody.rate_wps), (-20.0, 0.1, Some(2.0)));
    assert_eq!((prosody.pauses, prosody.pause_s), (1, MediaTime::from_millis(375)));
    assert_eq!((prosody.silent, events[0].emotion.as_deref()), (false, None));
}

#[test]
fn nothing_measured_or_nothing_voiced_is_said_so() {
    let mut events = [event(0, 1000, "Speaker 1", "so")];
    fill(&mut events, &[], &ProsodyOptions::default());
    assert_eq!(events[0].prosody, None);
    fill(&mut events, &[frames(0, &[(-90, 0.0); 50])], &ProsodyOptions::default());
    let prosody = events[0].prosody.as_ref().expect("measured");
    assert_eq!((prosody.f0_mean_hz, prosody.silent), (None, true));
}

#[test]
fn excitement_is_relative_to_the_speaker() {
    let calm = [(-30, 110.0); 50];
    let high = [(-24, 150.0); 50];
    let other = [(-24, 220.0); 50];
    let all = [frames(0, &calm), frames(1000, &calm), frames(2000, &high), frames(3000, &calm), frames(4000, &other)];
    let mut events: Vec<_> = (0..5i64)
        .map(|i| event(i * 1000, i * 1000 + 1000, if i == 4 { "Speaker 2" } else { "Speaker 1" }, "so"))
        .collect();
    fill(&mut events, &all, &ProsodyOptions::default());
    let hints: Vec<_> = events.iter().map(|e| e.emotion.as_deref()).collect();
    assert_eq!(hints, [None, None, Some("excited"), None, None], "the other speaker is high by nature");
    let basis = events[2].emotion_basis.as_deref().expect("a basis");
    assert_eq!(basis, "pitch +5.4 semitones and 6 dB over this speaker's median");
}

#[test]
fn a_rise_at_the_end_asks() {
    let to = |top: f32| -> Vec<(i8, f32)> {
        (0..50).map(|i| (-20, 120.0 + (top - 120.0) * (i - 40).max(0) as f32 / 9.0)).collect()
    };
    let cases = [
        (Some("really?"), to(145.0), Some("questioning")),
        (Some("really."), to(180.0), None),
        (None, to(145.0), None),
        (None, to(180.0), Some("questioning")),
        (Some("really?"), to(100.0), None),
    ];
    for (text, pitches, hint) in cases {
        let mut events = [AudioEvent { text: text.map(str::to_owned), ..event(0, 1000, "Speaker 1", "") }];
        fill(&mut events, &[frames(0, &pitches)], &ProsodyOptions::default());
        assert_eq!(events[0].emotion.as_deref(), hint, "{text:?}, {:?}", events[0].emotion_basis);
    }
}

/// A statement that ends in creak: the estimate jumps an octave up, the voice does not.
#[test]
fn a_jump_is_no_rise() {
    let creak: Vec<(i8, f32)> = (0..50).map(|i| (-20, if i < 40 { 80.0 } else { 155.0 })).collect();
    let mut events = [event(0, 1000, "Speaker 1", "is it?")];
    fill(&mut events, &[frames(0, &creak)], &ProsodyOptions::default());
    assert_eq!(events[0].emotion, None);
}

#[test]
fn the_contour_follows_the_likely_voice_and_does_not_jump() {
    // One frame in which the octave below looks likelier.
    let mut observation = frames(0, &[(-20, 200.0); 30]);
    if let Claim::Prosody(claim) = &mut observation.claim {
        for candidate in claim.pitches.iter_mut().filter(|c| c.0 == 15) {
            candidate.2 = if candidate.1 > 150.0 { 0.3 } else { 0.5 };
        }
    }
    let claims = match &observation.claim {
        Claim::Prosody(frames) => vec![(observation.span, frames)],
        _ => Vec::new(),
    };
    let contour = pitch::contour(&within(&claims, observation.span));
    assert_eq!(contour, vec![Some(200.0); 30]);
}

/// `speech/jfk.wav` of the shared media, when it is there.
fn jfk() -> Option<Vec<f32>> {
    let roots = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let Some(media) = roots.map(|a| a.join("shared/media")).find(|p| p.is_dir()) else {
        println!("skipped: shared media not present");
        return None;
    };
    let bytes = std::fs::read(media.join("speech/jfk.wav")).expect("a file");
    let data = bytes.windows(4).position(|w| w == b"data").expect("a chunk of samples") + 8;
    Some(bytes[data..].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect())
}

#[test]
fn the_pitch_of_speech_is_that_of_librosa() {
    use tempograph_core::{AudioAnalyzer, AudioBlock};

    let Some(samples) = jfk() else { return };
    let want: Vec<f32> =
        serde_json::from_str(include_str!("../../../tests/data/pyin_jfk.json")).expect("a list of hertz");
    let (mut stage, mut out) = (crate::analyze::prosody::Prosody::new(), Vec::new());
    let began = std::time::Instant::now();
    stage.push(&AudioBlock { start: MediaTime::ZERO, samples: samples.into() }, &mut out).expect("measured");
    stage.finish(&mut out).expect("measured");
    let measured = began.elapsed();
    let claims: Vec<_> = out
        .iter()
        .map(|o| match &o.claim {
            Claim::Prosody(frames) => (o.span, frames),
            other => panic!("{other:?}"),
        })
        .collect();
    let got = pitch::contour(&within(&claims, Span::new(MediaTime::ZERO, MediaTime::MAX)));
    let pairs: Vec<_> = got.iter().zip(&want).map(|(a, b)| (a.unwrap_or(0.0), *b)).collect();
    let same = pairs.iter().filter(|(a, b)| (*a > 0.0) == (*b > 0.0)).count();
    let mut cents: Vec<f32> =
        pairs.iter().filter(|(a, b)| *a > 0.0 && *b > 0.0).map(|(a, b)| 1200.0 * (a / b).log2().abs()).collect();
    cents.sort_by(f32::total_cmp);
    let near = cents.iter().filter(|c| **c < 50.0).count();
    println!(
        "{} frames in {measured:?}: voicing agrees in {same}, {near} of {} voiced within 50 cents, median {}",
        pairs.len(),
        cents.len(),
        quantile(&cents, 0.5)
    );
    // The two part on where voicing begins and ends, a frame or two at each edge.
    assert!(same as f64 >= 0.85 * pairs.len() as f64);
    assert!(near as f64 >= 0.97 * cents.len() as f64);
    // librosa rounds to tenths of a semitone.
    assert!(quantile(&cents, 0.5) < 5.0);
}
