//! A timeline with something of every kind, and stand-in vectors.

use tempograph_core::{
    BoxXyxy, MediaTime, Span, Timeline, Word,
    timeline::{AudioEvent, AudioEventKind, Entity, Evidence, ScreenText, Track, Video, VisualEvent, VisualEventKind},
};

pub(crate) fn span(start: f64, end: f64) -> Span {
    Span::new(MediaTime::from_secs_f64(start), MediaTime::from_secs_f64(end))
}

/// From JSON, as files come in: fields that are added later do not matter here.
fn heard(id: &str, kind: AudioEventKind, span: Span) -> AudioEvent {
    let (start_s, end_s) = (span.start, span.end);
    let value = serde_json::json!({"id": id, "type": kind, "start_s": start_s, "end_s": end_s, "confidence": 0.9});
    serde_json::from_value(value).expect("an audio event")
}

/// Speech whose words are half a second each.
pub(crate) fn speech(start: f64, speaker: &str, text: &str) -> AudioEvent {
    let words: Vec<Word> = text
        .split(' ')
        .enumerate()
        .map(|(i, word)| Word {
            text: word.into(),
            start: MediaTime::from_secs_f64(start + 0.5 * i as f64),
            end: MediaTime::from_secs_f64(start + 0.5 * (i + 1) as f64),
            confidence: 0.9,
        })
        .collect();
    AudioEvent {
        text: Some(text.into()),
        speaker: Some(speaker.into()),
        words: Some(words.clone()),
        ..heard("A1", AudioEventKind::Speech, span(start, start + 0.5 * words.len() as f64))
    }
}

pub(crate) fn sound(start: f64, end: f64, label: &str) -> AudioEvent {
    AudioEvent { label: Some(label.into()), ..heard("A2", AudioEventKind::Sound, span(start, end)) }
}

fn track(id: u32, label: &str, span: Span) -> Track {
    Track { id, label: label.into(), score: 0.8, span, frames: 9, entity: Some(format!("E{id}")) }
}

fn entity(id: u32, kind: &str, span: Span) -> Entity {
    Entity {
        id: format!("E{id}"),
        kind: kind.into(),
        description: format!("a {kind} from here to there"),
        first_seen_s: span.start,
        last_seen_s: span.end,
        tracks: vec![id],
        speakers: Vec::new(),
        origin: "tracks".into(),
        told: Vec::new(),
    }
}

/// Kennedy speaks, a dog barks, a taxi is read.
pub(crate) fn timeline(video: &str) -> Timeline {
    let mut t = Timeline::empty(Video {
        id: video.into(),
        uri: format!("{video}.mp4"),
        duration_s: MediaTime::from_secs_f64(60.0),
        ..Video::default()
    });
    t.audio_events = vec![
        speech(
            0.0,
            "Speaker 1",
            "And so, my fellow Americans, ask not what your country can do for you. Ask what you can do for your country.",
        ),
        sound(20.0, 20.5, "Bark"),
        sound(20.0, 20.6, "Dog"),
        heard("A9", AudioEventKind::Silence, span(40.0, 60.0)),
    ];
    t.texts =
        vec![ScreenText { span: span(30.0, 34.0), text: "TAXI".into(), confidence: 0.9, bbox: BoxXyxy::default() }];
    let people = [("person", 1.0, 6.0), ("car", 3.0, 9.0), ("person", 7.0, 12.0), ("dog", 18.0, 26.0)];
    for (i, (label, start, end)) in people.into_iter().enumerate() {
        t.tracks.push(track(i as u32 + 1, label, span(start, end)));
        t.entities.push(entity(i as u32 + 1, label, span(start, end)));
    }
    t.visual_events = vec![VisualEvent {
        id: "V1".into(),
        kind: VisualEventKind::Approach,
        entities: vec!["E1".into(), "E2".into()],
        span: span(4.0, 6.0),
        description: "person E1 approaches car E2".into(),
        confidence: 0.7,
        origin: "geometry".into(),
        evidence: Evidence::default(),
    }];
    let happy =
        serde_json::json!({"entity": null, "track": 1, "start_s": 2, "end_s": 5, "label": "happy", "confidence": 0.8});
    t.emotions = vec![serde_json::from_value(happy).expect("an emotion")];
    t
}
