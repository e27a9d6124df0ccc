//! Events of every kind as rows of one table; CSV and Parquet write the same rows.

use tempograph_core::{
    Span, Timeline,
    timeline::{AudioEventKind, Emotion},
};

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// `scene`, `visual`, `audio`, `emotion`, `text` or `highlight`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) who: String,
    pub(crate) text: String,
    pub(crate) confidence: Option<f32>,
    pub(crate) origin: String,
}

/// The rows of `timeline`, kind by kind, each in its order there.
pub(crate) fn rows(timeline: &Timeline) -> Vec<Row> {
    let mut rows = Vec::new();
    let blank = |kind: &'static str, span| Row {
        id: String::new(),
        kind,
        name: kind.to_owned(),
        span,
        who: String::new(),
        text: String::new(),
        confidence: None,
        origin: String::new(),
    };
    rows.extend(timeline.scenes.iter().map(|s| Row {
        id: s.id.clone(),
        text: s.summary.clone().unwrap_or_default(),
        ..blank("scene", s.span)
    }));
    rows.extend(timeline.visual_events.iter().map(|e| Row {
        id: e.id.clone(),
        name: e.kind.as_str().to_owned(),
        who: e.entities.join(" "),
        text: e.description.clone(),
        confidence: Some(e.confidence),
        origin: e.origin.clone(),
        ..blank("visual", e.span)
    }));
    rows.extend(timeline.audio_events.iter().map(|e| {
        let (name, text) = match e.kind {
            AudioEventKind::Speech => ("speech", e.text.as_ref()),
            AudioEventKind::Sound => ("sound", e.label.as_ref()),
            AudioEventKind::Silence => ("silence", None),
        };
        Row {
            id: e.id.clone(),
            name: name.to_owned(),
            who: e.speaker.clone().unwrap_or_default(),
            text: text.cloned().unwrap_or_default(),
            confidence: Some(e.confidence),
            ..blank("audio", e.span)
        }
    }));
    rows.extend(timeline.emotions.iter().map(|e| Row {
        name: e.label.clone(),
        who: whose(e),
        confidence: Some(e.confidence),
        ..blank("emotion", e.span)
    }));
    rows.extend(timeline.texts.iter().map(|t| Row {
        text: t.text.clone(),
        confidence: Some(t.confidence),
        ..blank("text", t.span)
    }));
    rows.extend(timeline.highlights.iter().map(|h| Row {
        id: h.rank.to_string(),
        text: h.reasons.join("; "),
        confidence: Some(h.clip_worthy_score),
        ..blank("highlight", h.span)
    }));
    rows
}

fn whose(emotion: &Emotion) -> String {
    emotion.entity.clone().or(emotion.track.map(|t| format!("track {t}"))).unwrap_or_default()
}
