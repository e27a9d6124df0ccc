use proptest::prelude::*;
use tempograph_core::{Span, Word, timeline::Video};

use super::*;
use crate::text::columns;

fn speech(start_ms: i64, end_ms: i64, text: &str, speaker: Option<&str>) -> AudioEvent {
    AudioEvent {
        id: "A1".into(),
        kind: AudioEventKind::Speech,
        span: Span::new(MediaTime::from_millis(start_ms), MediaTime::from_millis(end_ms)),
        text: Some(text.into()),
        speaker: speaker.map(str::to_owned),
        language: None,
        words: None,
        label: None,
        confidence: 1.0,
        alternatives: Vec::new(),
        prosody: None,
        emotion: None,
        emotion_basis: None,
    }
}

fn timeline(events: Vec<AudioEvent>) -> Timeline {
    Timeline { audio_events: events, ..Timeline::empty(Video { fps: 25.0, ..Video::default() }) }
}

fn check(cues: &[Cue], gap: MediaTime) {
    for cue in cues {
        assert!(!cue.lines.is_empty() && cue.lines.len() <= CUE_LINES, "{cue:?}");
        for line in &cue.lines {
            let dash = if cue.is_dialogue() { 2 } else { 0 };
            assert!(columns(&line.text) + dash <= LINE_COLUMNS, "{line:?}");
            assert!(!line.text.is_empty() && !line.text.contains("-->") && !line.text.contains(['\n', '\r']));
        }
        assert!(cue.end - cue.start >= SHORTEST && cue.end - cue.start <= LONGEST, "{cue:?}");
    }
    for pair in cues.windows(2) {
        assert!(pair[1].start - pair[0].end >= gap, "{pair:?}");
    }
}

#[test]
fn a_long_sentence_breaks_at_its_commas() {
    let text = "And so, my fellow Americans, ask not what your country can do for you, \
                ask what you can do for your country.";
    let cues = layout(&timeline(vec![speech(320, 10_560, text, None)]));
    check(&cues, MediaTime::from_millis(80));
    let texts: Vec<Vec<&str>> = cues.iter().map(|c| c.lines.iter().map(|l| l.text.as_str()).collect()).collect();
    assert_eq!(
        texts,
        [
            vec!["And so, my fellow Americans,", "ask not what your country can do for you,"],
            vec!["ask what you can do for your country."]
        ]
    );
}

#[test]
fn names_stand_before_the_first_words_of_a_turn() {
    let events = vec![
        speech(0, 2000, "Are you ready?", Some("Speaker 1")),
        speech(2000, 4000, "I asked whether you are ready to go.", Some("Speaker 1")),
        speech(9000, 10_000, "Yes.", Some("Speaker 2")),
    ];
    let cues = layout_named(&timeline(events));
    check(&cues, MediaTime::from_millis(80));
    let text = cues.iter().map(Cue::text).collect::<Vec<_>>().join(" ");
    assert_eq!(text, "Speaker 1: Are you ready? I asked whether you are ready to go. Speaker 2: Yes.");
}

#[test]
fn words_without_spaces_are_joined_as_the_text_joins_them() {
    let mut event = speech(0, 3000, "今日は良い天気です。", None);
    let word = |text: &str, a: i64, b: i64| Word {
        text: text.into(),
        start: MediaTime::from_millis(a),
        end: MediaTime::from_millis(b),
        confidence: 1.0,
    };
    event.words = Some(vec![word("今日は", 0, 1000), word("良い", 1000, 1500), word("天気です。", 1500, 3000)]);
    let cues = layout(&timeline(vec![event]));
    assert_eq!(cues[0].text(), "今日は良い天気です。");
}

#[test]
fn two_short_voices_share_a_cue() {
    let cues = layout(&timeline(vec![speech(0, 500, "Ready?", Some("A")), speech(500, 900, "Yes.", Some("B"))]));
    assert_eq!(cues.len(), 1);
    assert!(cues[0].is_dialogue());
}

#[test]
fn times_count_from_the_first_frame() {
    let mut timeline = timeline(vec![speech(3_601_400, 3_603_400, "late", None)]);
    timeline.video.start_s = MediaTime::from_millis(3_601_400);
    assert_eq!(layout(&timeline)[0].start, MediaTime::ZERO);
}

proptest! {
    #[test]
    fn layout_keeps_its_limits_and_every_word(
        events in prop::collection::vec((0i64..60_000, 0i64..12_000, "([a-z日。,.\\->]{1,60} ?){0,30}", prop::option::of("[AB]")), 0..8)
    ) {
        let timeline = timeline(
            events.iter().map(|(s, d, t, who)| speech(*s, s + d, t, who.as_deref())).collect(),
        );
        let cues = layout(&timeline);
        check(&cues, MediaTime::from_millis(80));
        let mut said: Vec<char> = events.iter().flat_map(|e| e.2.replace("-->", "→").chars().collect::<Vec<_>>()).filter(|c| *c != ' ').collect();
        let mut shown: Vec<char> = cues.iter().flat_map(|c| c.text().chars().collect::<Vec<_>>()).filter(|c| *c != ' ').collect();
        said.sort_unstable();
        shown.sort_unstable();
        prop_assert_eq!(said, shown);
    }
}
