//! Fusion as a whole: what is heard, what goes with it, and the summary.

use proptest::prelude::*;
use tempograph_core::{
    Claim, MediaTime, Observation, Span, SpeechSegment, Word,
    timeline::{Audio, AudioEvent, AudioEventKind, Evidence, Video, VisualEvent, VisualEventKind},
};

use super::{CorrelationOptions, FuseInput, FuseOptions, Fused, Heard, correlate::correlate, fuse};

fn ms(v: i64) -> MediaTime {
    MediaTime::from_millis(v)
}

fn span(from: i64, to: i64) -> Span {
    Span::new(ms(from), ms(to))
}

fn speech(from: i64, to: i64, text: &str) -> Observation {
    let word = Word { text: text.to_owned(), start: ms(from), end: ms(to), confidence: 0.8 };
    let segment =
        SpeechSegment { text: text.to_owned(), language: "en".to_owned(), confidence: 0.8, words: vec![word] };
    Observation { span: span(from, to), claim: Claim::Speech(segment) }
}

fn voice(from: i64, to: i64) -> Observation {
    Observation { span: span(from, to), claim: Claim::Voice { confidence: 0.9 } }
}

fn video() -> Video {
    Video { width: 640, height: 360, duration_s: ms(20_000), audio: Some(Audio::default()), ..Video::default() }
}

fn heard(observations: &[Observation], heard: Heard) -> Fused {
    let video = video();
    fuse(&FuseInput { video: &video, observations, tracks: &[], depths: &[], heard }, &FuseOptions::default())
}

const BOTH: Heard = Heard { voice: true, words: true };

fn kinds(fused: &Fused) -> Vec<(AudioEventKind, Span)> {
    fused.audio_events.iter().map(|e| (e.kind, e.span)).collect()
}

#[test]
fn words_are_speech_and_their_absence_is_silence() {
    let fused = heard(&[voice(3000, 9000), speech(3100, 8900, " hello there ")], BOTH);
    let want = [
        (AudioEventKind::Silence, span(0, 3000)),
        (AudioEventKind::Speech, span(3100, 8900)),
        (AudioEventKind::Silence, span(9000, 20_000)),
    ];
    assert_eq!(kinds(&fused), want);
    let said = &fused.audio_events[1];
    assert_eq!(
        (said.id.as_str(), said.text.as_deref(), said.language.as_deref()),
        ("A2", Some("hello there"), Some("en"))
    );
    assert_eq!(said.words.as_ref().map(Vec::len), Some(1));
    assert!(fused.summary.text.contains("hello there") && fused.summary.backend == "template");
}

#[test]
fn voice_alone_is_speech_only_when_nobody_looked_for_words() {
    let without = heard(&[voice(3000, 9000)], Heard { voice: true, words: false });
    assert_eq!(kinds(&without)[1], (AudioEventKind::Speech, span(3000, 9000)));
    assert_eq!(without.audio_events[1].text, None);
    let with = heard(&[voice(3000, 9000)], BOTH);
    assert!(
        with.audio_events.iter().all(|e| e.kind == AudioEventKind::Silence),
        "no words were found, so none are claimed"
    );
    assert!(with.audio_events.iter().all(|e| e.span.intersect(span(3000, 9000)).is_none()), "but it was not silent");
    assert!(heard(&[speech(0, 900, "  ")], Heard::default()).audio_events.is_empty());
}

#[test]
fn nobody_listened_so_nothing_was_silent() {
    assert!(heard(&[], Heard::default()).audio_events.is_empty());
    let video = Video { audio: None, ..video() };
    let input = FuseInput { video: &video, observations: &[], tracks: &[], depths: &[], heard: BOTH };
    assert!(fuse(&input, &FuseOptions::default()).audio_events.is_empty(), "there is no sound at all");
}

#[test]
fn short_pauses_are_no_events() {
    let fused = heard(&[voice(0, 9000), voice(10_500, 20_000)], BOTH);
    assert!(fused.audio_events.is_empty());
}

#[test]
fn nothing_at_all_is_a_valid_result() {
    let video = Video::default();
    let input = FuseInput { video: &video, observations: &[], tracks: &[], depths: &[], heard: BOTH };
    let fused = fuse(&input, &FuseOptions::default());
    assert!(fused.scenes.is_empty() && fused.entities.is_empty() && fused.summary.chapters.is_empty());
    assert!(!fused.summary.text.is_empty());
}

fn seen(id: &str, span: Span, confidence: f32) -> VisualEvent {
    VisualEvent {
        id: id.to_owned(),
        kind: VisualEventKind::Idle,
        entities: vec!["E1".to_owned()],
        span,
        description: String::new(),
        confidence,
        origin: "geometry".to_owned(),
        evidence: Evidence::default(),
    }
}

fn said(id: &str, kind: AudioEventKind, span: Span) -> AudioEvent {
    AudioEvent {
        id: id.to_owned(),
        kind,
        span,
        text: None,
        speaker: None,
        language: None,
        words: None,
        label: None,
        confidence: 0.64,
        alternatives: Vec::new(),
        prosody: None,
        emotion: None,
        emotion_basis: None,
    }
}

#[test]
fn correlations_say_what_came_first() {
    let visual = [seen("V1", span(0, 1000), 1.0), seen("V2", span(2500, 4000), 1.0), seen("V3", span(7000, 9000), 1.0)];
    let audio =
        [said("A1", AudioEventKind::Speech, span(3000, 6000)), said("A2", AudioEventKind::Silence, span(0, 9000))];
    let found = correlate(&visual, &audio, &CorrelationOptions::default());
    let shown: Vec<_> = found.iter().map(|c| (c.visual.as_str(), c.relation.as_str(), c.gap_s)).collect();
    assert_eq!(
        shown,
        [("V2", "simultaneous", ms(0)), ("V3", "audio_first", ms(1000)), ("V1", "visual_first", ms(2000))]
    );
    let sure: Vec<f32> = found.iter().map(|c| c.confidence).collect();
    for (got, want) in sure.iter().zip([0.8, 0.5, 0.2]) {
        assert!((got - want).abs() < 1e-6, "linear in the gap: {sure:?}");
    }
}

proptest! {
    #[test]
    fn correlations_keep_to_the_window_and_the_limit(
        visual in prop::collection::vec((0i64..30_000, 0i64..5000, 0.0f32..1.0), 0..30),
        audio in prop::collection::vec((0i64..30_000, 0i64..5000), 0..8),
    ) {
        let mut visual = visual;
        visual.sort_by_key(|v| (v.0, v.1));
        let visual: Vec<_> = visual.iter().enumerate().map(|(i, v)| seen(&format!("V{i}"), span(v.0, v.0 + v.1), v.2)).collect();
        let audio: Vec<_> = audio.iter().enumerate().map(|(i, a)| said(&format!("A{i}"), AudioEventKind::Speech, span(a.0, a.0 + a.1))).collect();
        let options = CorrelationOptions::default();
        let found = correlate(&visual, &audio, &options);
        for a in &audio {
            let within = visual.iter().filter(|v| v.span.gap(a.span) <= options.window).count();
            let kept: Vec<_> = found.iter().filter(|c| c.audio == a.id).collect();
            prop_assert_eq!(kept.len(), within.min(options.per_audio_event));
            prop_assert!(kept.iter().all(|c| (0.0..=1.0).contains(&c.confidence) && c.gap_s <= options.window));
            prop_assert!(kept.windows(2).all(|w| w[0].confidence >= w[1].confidence));
        }
    }
}
