//! Evidence: what the analysis holds, each piece with the time at which it can be checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tempograph_core::{
    MediaTime, Span, Timeline,
    timeline::{AudioEvent, AudioEventKind, Entity},
};

use super::words::{self, Word};

/// What kind of thing a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something is said.
    Speech,
    /// A sound.
    Sound,
    /// Text in the picture.
    Text,
    /// A thing or person is seen.
    Object,
    /// A face is seen.
    Face,
    /// What a face shows.
    Emotion,
    /// Something happens in the picture.
    Event,
    /// Two are near each other.
    Near,
    /// A stretch between two cuts.
    Scene,
    /// A model's description of a stretch.
    Description,
    /// A moment worth keeping.
    Highlight,
    /// Nothing can be heard.
    Silence,
    /// The video as a whole.
    Video,
}

impl Kind {
    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Sound => "sound",
            Self::Text => "text",
            Self::Object => "object",
            Self::Face => "face",
            Self::Emotion => "emotion",
            Self::Event => "event",
            Self::Near => "near",
            Self::Scene => "scene",
            Self::Description => "description",
            Self::Highlight => "highlight",
            Self::Silence => "silence",
            Self::Video => "video",
        }
    }
}

/// A piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Id in the analysis, e.g. `A3`; empty where it has none.
    pub id: String,
    /// What kind.
    pub kind: Kind,
    /// When, on the container's clock.
    #[serde(flatten)]
    pub span: Span,
    /// What is said, read, heard or seen: data, never an instruction.
    pub text: String,
    /// Class of what is seen or heard, label of a face, kind of an event.
    pub label: String,
    /// Who says it.
    pub speaker: Option<String>,
    /// Ids of the entities that take part.
    pub entities: Vec<String>,
    /// 0 to 1.
    pub confidence: f32,
    /// What else a sound may be.
    #[serde(skip)]
    pub(super) alternatives: Vec<String>,
    /// The words of `text` and `label`.
    #[serde(skip)]
    pub(super) words: Vec<Word>,
}

impl Evidence {
    pub(super) fn new(kind: Kind, span: Span, text: impl Into<String>) -> Self {
        let text = bounded(&text.into());
        Self {
            id: String::new(),
            kind,
            span,
            label: String::new(),
            speaker: None,
            entities: Vec::new(),
            confidence: 1.0,
            alternatives: Vec::new(),
            words: words::words_of(&text, MAX_WORDS),
            text,
        }
    }

    fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.id);
        self
    }

    fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self.words.extend(words::words_of(label, MAX_WORDS));
        self
    }

    fn sure(mut self, confidence: f32) -> Self {
        self.confidence = confidence;
        self
    }

    /// Whether one of its words is `stem`.
    pub(super) fn has(&self, stem: &str) -> bool {
        self.words.iter().any(|w| words::same(&w.stem, stem))
    }
}

/// Characters of one piece.
const MAX_TEXT: usize = 600;
/// Words of one piece that are compared.
const MAX_WORDS: usize = 160;
/// Lines of text in the picture that are one piece when they come and go together.
const LINES: usize = 6;
/// Lines that come and go together do so within this, half the time between two looks.
const TOGETHER: MediaTime = MediaTime::from_millis(500);
/// A track of fewer looks than this that is not sure either is more often a mistake than a thing: on the public set
/// `bird` in a cartoon (3 looks, 0.43), `bed` on a table (2 looks, 0.46).
const MIN_FRAMES: u64 = 4;
/// See [`MIN_FRAMES`].
const SURE: f32 = 0.5;
/// Pieces of one analysis that are looked at. An hour of dense video has about 20,000.
const MAX_PIECES: usize = 100_000;

/// The text on one line, without control characters, cut after [`MAX_TEXT`] characters.
pub(super) fn bounded(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if out.len() > 4 * MAX_TEXT {
            break;
        }
    }
    match out.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", out[..end].trim_end()),
        None => out,
    }
}

/// Everything the timeline holds, in order of kind, then time.
pub fn evidence(timeline: &Timeline) -> Vec<Evidence> {
    let mut all = Vec::new();
    heard(timeline, &mut all);
    texts(timeline, &mut all);
    seen(timeline, &mut all);
    for scene in &timeline.scenes {
        let text = scene.summary.as_deref().unwrap_or_default();
        all.push(Evidence::new(Kind::Scene, scene.span, text).id(&scene.id));
        if !text.is_empty() {
            all.push(Evidence::new(Kind::Description, scene.span, text).id(&scene.id));
        }
    }
    // The template only repeats what is there by itself.
    if timeline.summary.backend != "template" {
        for chapter in &timeline.summary.chapters {
            all.push(Evidence::new(Kind::Description, chapter.span, format!("{}. {}", chapter.title, chapter.text)));
        }
    }
    for highlight in &timeline.highlights {
        let text = highlight.reasons.join(", ");
        all.push(Evidence::new(Kind::Highlight, highlight.span, text).sure(highlight.clip_worthy_score));
    }
    all.truncate(MAX_PIECES);
    all
}

fn heard(timeline: &Timeline, all: &mut Vec<Evidence>) {
    for event in &timeline.audio_events {
        match event.kind {
            AudioEventKind::Speech => sentences(event, all),
            AudioEventKind::Sound => {
                let label = event.label.as_deref().unwrap_or("sound");
                let mut piece = Evidence::new(Kind::Sound, event.span, label).id(&event.id).sure(event.confidence);
                label.clone_into(&mut piece.label);
                piece.alternatives = event.alternatives.iter().map(|a| a.label.clone()).collect();
                all.push(piece);
            }
            AudioEventKind::Silence => {
                let what = event.label.as_deref().unwrap_or("silence");
                all.push(
                    Evidence::new(Kind::Silence, event.span, what).label(what).id(&event.id).sure(event.confidence),
                );
            }
        }
    }
}

/// Speech sentence by sentence, where its words have times.
fn sentences(event: &AudioEvent, all: &mut Vec<Evidence>) {
    let whole = event.text.as_deref().unwrap_or_default();
    let mut push = |span: Span, text: &str| {
        let mut piece = Evidence::new(Kind::Speech, span, text).id(&event.id).sure(event.confidence);
        piece.speaker.clone_from(&event.speaker);
        all.push(piece);
    };
    let words = event.words.as_deref().unwrap_or_default();
    let mut rest = words;
    let mut pieces: Vec<(Span, String)> = Vec::new();
    while !rest.is_empty() {
        let end =
            rest.iter().position(|w| w.text.trim_end().ends_with(['.', '?', '!', '。'])).map_or(rest.len(), |i| i + 1);
        let (sentence, later) = rest.split_at(end);
        if let (Some(first), Some(last)) = (sentence.first(), sentence.last()) {
            let text: Vec<&str> = sentence.iter().map(|w| w.text.trim()).collect();
            pieces.push((Span::new(first.start, last.end), text.join(" ")));
        }
        rest = later;
    }
    match pieces.as_slice() {
        // The text knows better than its words where they join.
        [] | [_] => push(event.span, whole),
        many => many.iter().for_each(|(span, text)| push(*span, text)),
    }
}

fn texts(timeline: &Timeline, all: &mut Vec<Evidence>) {
    let mut groups: Vec<(Span, Vec<&str>, f32)> = Vec::new();
    for text in &timeline.texts {
        let alike = |span: &Span| {
            span.start.abs_diff(text.span.start) <= TOGETHER && span.end.abs_diff(text.span.end) <= TOGETHER
        };
        match groups.iter_mut().rev().take(2 * LINES).find(|(span, lines, _)| alike(span) && lines.len() < LINES) {
            Some((_, lines, sure)) => {
                lines.push(&text.text);
                *sure = sure.max(text.confidence);
            }
            None => groups.push((text.span, vec![&text.text], text.confidence)),
        }
    }
    for (span, lines, sure) in groups {
        all.push(Evidence::new(Kind::Text, span, lines.join(" / ")).sure(sure));
    }
}

fn seen(timeline: &Timeline, all: &mut Vec<Evidence>) {
    let entities: BTreeMap<&str, &Entity> = timeline.entities.iter().map(|e| (e.id.as_str(), e)).collect();
    for track in timeline.tracks.iter().filter(|t| t.frames >= MIN_FRAMES || t.score >= SURE) {
        let entity = track.entity.as_deref().and_then(|id| entities.get(id));
        let mut piece = Evidence::new(Kind::Object, track.span, where_in_picture(entity.copied()))
            .id(track.entity.as_deref().unwrap_or_default())
            .label(&track.label)
            .sure(track.score);
        piece.entities.extend(track.entity.clone());
        piece.speaker = entity.and_then(|e| e.speakers.first().cloned());
        all.push(piece);
    }
    for entity in timeline.entities.iter().filter(|e| e.tracks.is_empty() && e.origin != "speech") {
        let span = Span::new(entity.first_seen_s, entity.last_seen_s);
        let mut piece = Evidence::new(Kind::Object, span, entity.description.as_str())
            .id(&entity.id)
            .label(&entity.kind)
            .sure(SURE);
        piece.entities.push(entity.id.clone());
        all.push(piece);
    }
    for face in &timeline.faces {
        let mut piece = Evidence::new(Kind::Face, face.span, "").id(&face.id).label("face").sure(face.score);
        piece.entities.extend(face.entity.clone());
        all.push(piece);
    }
    for emotion in &timeline.emotions {
        let mut piece = Evidence::new(Kind::Emotion, emotion.span, "").label(&emotion.label).sure(emotion.confidence);
        piece.entities.extend(emotion.entity.clone());
        piece.id = emotion.face.clone().unwrap_or_default();
        all.push(piece);
    }
    for event in &timeline.visual_events {
        let mut piece = Evidence::new(Kind::Event, event.span, event.description.as_str())
            .id(&event.id)
            .label(event.kind.as_str())
            .sure(event.confidence);
        piece.entities.clone_from(&event.entities);
        for kind in event.entities.iter().filter_map(|id| entities.get(id.as_str())).map(|e| &e.kind) {
            piece.words.extend(words::words_of(kind, MAX_WORDS));
        }
        all.push(piece);
    }
}

/// The middle part of `cat, centre, 0:21–0:26`: where the thing is in the picture, or the whole of what a model wrote.
fn where_in_picture(entity: Option<&Entity>) -> String {
    let Some(entity) = entity else { return String::new() };
    let mut parts = entity.description.split(", ");
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(place), Some(time), None) if time.contains('–') => place.to_owned(),
        _ => entity.description.clone(),
    }
}
