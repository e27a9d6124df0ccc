//! Moments: what of a timeline can be found, each with its time and in words.
//!
//! Pure: the same timeline gives the same moments.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tempograph_core::{
    MediaTime, Span, Timeline, Word,
    timeline::{AudioEvent, AudioEventKind, Entity, StageRun},
};

use super::words;

/// Raised whenever the same timeline gives other moments than before: runs are then indexed anew.
pub(crate) const VERSION: i64 = 4;

/// Characters of a moment's text; what is longer is cut. Sentences and lines of text are far shorter.
const MAX_TEXT: usize = 2000;
/// Words of a speech moment at most: about 15 s, what fits a line of results.
const MAX_WORDS: usize = 40;
/// A pause within speech that ends a moment even without punctuation.
const PAUSE: MediaTime = MediaTime::from_millis(1500);
/// A label that is gone for less than this was there all along.
const GAP: MediaTime = MediaTime::from_millis(2000);
/// What `run.stages` says of a stage that came to its end.
const ENDED: [&str; 4] = ["done", "cached", "resumed", "imported"];

/// By what a moment is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Somebody says it.
    Speech,
    /// Another sound.
    Sound,
    /// It can be read in the picture.
    Text,
    /// It is seen.
    Object,
    /// It happens in the picture.
    Event,
    /// A face shows it.
    Emotion,
    /// A model describes the scene so.
    Description,
    /// A model was shown a stretch of the video and tells it so.
    Memory,
    /// A frame looks like it. Frames are no moments of the timeline: their vectors are kept apart.
    Frame,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Speech,
        Self::Sound,
        Self::Text,
        Self::Object,
        Self::Event,
        Self::Emotion,
        Self::Description,
        Self::Memory,
        Self::Frame,
    ];

    /// Whether both rest on the same evidence: what objects do is known from where they are seen, and scenes are told
    /// from what was told of windows.
    pub(crate) fn same_evidence(self, other: Self) -> bool {
        let seen = |kind| matches!(kind, Self::Object | Self::Event);
        let told = |kind| matches!(kind, Self::Description | Self::Memory);
        self == other || seen(self) && seen(other) || told(self) && told(other)
    }

    /// The stages that look for it, by their names in `run.stages`; with `told`, for what models tell of it.
    fn stages(self, told: bool) -> &'static [&'static str] {
        match self {
            // Who only asks models has not looked for what the detector sees, nor the other way round.
            Self::Object | Self::Event if told => &["ask"],
            _ if told => &[],
            Self::Speech => &["speech"],
            Self::Sound => &["sounds"],
            Self::Text => &["text"],
            Self::Object | Self::Event => &["detect"],
            Self::Emotion => &["faces"],
            Self::Description => &["ask", "summary"],
            Self::Memory => &["ask"],
            Self::Frame => &[],
        }
    }

    /// Whether a run of `stages` looked for it, found or not: one of its stages came to its end and none failed, for a
    /// failure leaves open what there is.
    pub(crate) fn looked_for(self, told: bool, stages: &[StageRun]) -> bool {
        let ended = |s: &StageRun| ENDED.contains(&s.status.as_str());
        let mut own = stages.iter().filter(|s| self.stages(told).contains(&s.name.as_str()));
        own.clone().any(ended) && own.all(|s| s.status != "failed")
    }

    /// The name as in JSON and `--kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speech => "speech",
            Self::Sound => "sound",
            Self::Text => "text",
            Self::Object => "object",
            Self::Event => "event",
            Self::Emotion => "emotion",
            Self::Description => "description",
            Self::Memory => "memory",
            Self::Frame => "frame",
        }
    }

    /// The kind called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == name)
    }
}

/// Something that can be found.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// By what it is known.
    pub kind: Kind,
    /// An object or an event that only a model tells of which was asked.
    pub told: bool,
    /// When.
    pub span: Span,
    /// In words.
    pub text: String,
    /// 0 to 1.
    pub confidence: f32,
    /// What else is known.
    pub details: Details,
}

/// What else is known of a moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// Who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Classes that take part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What kind of event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Where each word begins in the text, in characters, and in time, in milliseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<(u32, i64)>,
}

impl Details {
    /// What it is narrowed down by.
    pub(crate) fn tags(&self) -> BTreeSet<String> {
        let labels = self.labels.iter().map(|l| tag("label", l));
        let speaker = self.speaker.iter().map(|s| tag("speaker", s));
        labels.chain(speaker).chain(self.event.iter().map(|e| tag("event", e))).collect()
    }
}

/// A name and a value that moments are narrowed down by; case does not count.
pub(crate) fn tag(name: &str, value: &str) -> String {
    format!("{name}:{}", value.trim().to_lowercase())
}

/// The moments of `timeline`.
pub fn moments(timeline: &Timeline) -> Vec<Moment> {
    let mut all = Vec::new();
    for event in &timeline.audio_events {
        match event.kind {
            AudioEventKind::Speech => speech(event, &mut all),
            AudioEventKind::Sound => all.extend(event.label.as_deref().and_then(|label| {
                let details = Details { labels: vec![label.to_owned()], ..Details::default() };
                // A class alone says what it is; that it is heard tells a bark from the sight of a dog.
                moment(Kind::Sound, event.span, &format!("{label} is heard"), event.confidence, details)
            })),
            AudioEventKind::Silence => {}
        }
    }
    for text in &timeline.texts {
        all.extend(moment(Kind::Text, text.span, &text.text, text.confidence, Details::default()));
    }
    objects(timeline, &mut all);
    let entities: BTreeMap<&str, &Entity> = timeline.entities.iter().map(|e| (e.id.as_str(), e)).collect();
    for event in &timeline.visual_events {
        let labels: BTreeSet<&str> =
            event.entities.iter().filter_map(|id| entities.get(id.as_str())).map(|e| e.kind.as_str()).collect();
        let details = Details {
            labels: labels.into_iter().map(str::to_owned).collect(),
            event: Some(event.kind.as_str().to_owned()),
            ..Details::default()
        };
        let text = without_ids(&event.description, &entities);
        let told = event.origin.split(',').all(|origin| origin.trim() != "geometry");
        all.extend(moment(Kind::Event, event.span, &text, event.confidence, details).map(|m| Moment { told, ..m }));
    }
    for emotion in &timeline.emotions {
        let details = Details { labels: vec![emotion.label.clone()], ..Details::default() };
        all.extend(moment(Kind::Emotion, emotion.span, &emotion.label, emotion.confidence, details));
    }
    for scene in &timeline.scenes {
        let text = scene.summary.as_deref().unwrap_or_default();
        all.extend(moment(Kind::Description, scene.span, text, 1.0, Details::default()));
    }
    let mut last: Option<&str> = None;
    for window in &timeline.windows {
        // A stretch that goes on the same is one memory.
        if window.same_as.is_some() && last == Some(&window.summary) {
            if let Some(Moment { kind: Kind::Memory, span, .. }) = all.last_mut() {
                span.end = window.span.end;
            }
            continue;
        }
        all.extend(moment(Kind::Memory, window.span, &window.summary, 1.0, Details::default()));
        last = Some(&window.summary);
    }
    // The template only repeats what is found by itself, at vaguer times.
    if timeline.summary.backend != "template" {
        for chapter in &timeline.summary.chapters {
            let text = format!("{}. {}", chapter.title, chapter.text);
            all.extend(moment(Kind::Description, chapter.span, &text, 1.0, Details::default()));
        }
    }
    all
}

fn moment(kind: Kind, span: Span, text: &str, confidence: f32, details: Details) -> Option<Moment> {
    let text = words::plain(text, MAX_TEXT);
    let confidence = if confidence.is_finite() { confidence.clamp(0.0, 1.0) } else { 0.0 };
    (!text.is_empty()).then_some(Moment { kind, told: false, span, text, confidence, details })
}

/// Speech sentence by sentence.
fn speech(event: &AudioEvent, out: &mut Vec<Moment>) {
    let details = || Details { speaker: event.speaker.clone(), ..Details::default() };
    let words = event.words.as_deref().unwrap_or_default();
    if words.is_empty() {
        let text = event.text.as_deref().unwrap_or_default();
        out.extend(moment(Kind::Speech, event.span, text, event.confidence, details()));
        return;
    }
    // The text knows where words join: `full-featured` is two of them.
    let mut unread = event.text.as_deref().unwrap_or_default();
    let mut rest = words;
    while !rest.is_empty() {
        let (sentence, later) = rest.split_at(sentence(rest));
        let mut text = String::new();
        let mut times = Vec::new();
        let mut length = 0;
        for word in sentence {
            let joined = match unread.trim_start().strip_prefix(word.text.trim()) {
                Some(after) => {
                    let joined = !unread.starts_with(char::is_whitespace);
                    unread = after;
                    joined
                }
                None => false,
            };
            let spoken = words::plain(&word.text, MAX_TEXT);
            if spoken.is_empty() || length + spoken.len() > MAX_TEXT {
                continue;
            }
            if !joined && words::apart(text.chars().next_back(), spoken.chars().next()) {
                text.push(' ');
                length += 1;
            }
            times.push((length as u32, word.start.nanos() / 1_000_000));
            length += spoken.chars().count();
            text.push_str(&spoken);
        }
        if let (Some(first), Some(last)) = (sentence.first(), sentence.last()) {
            let details = Details { words: times, ..details() };
            let span = Span::new(first.start, last.end);
            out.extend(moment(Kind::Speech, span, &text, event.confidence, details));
        }
        rest = later;
    }
}

/// How many of `words`, at least one, make a sentence.
fn sentence(words: &[Word]) -> usize {
    let ends = |i: usize| {
        let closes = |c: char| matches!(c, '.' | '?' | '!' | '…' | '。' | '？' | '！');
        let text = words[i].text.trim_end_matches(['"', '\'', '”', '’', ')', '»']);
        text.ends_with(closes) || words.get(i + 1).is_some_and(|next| next.start - words[i].end >= PAUSE)
    };
    (0..words.len().min(MAX_WORDS)).find(|&i| ends(i)).map_or(words.len().min(MAX_WORDS), |i| i + 1)
}

/// Where each class is there, however many of it.
fn objects(timeline: &Timeline, out: &mut Vec<Moment>) {
    let mut seen: BTreeMap<&str, Vec<(Span, f32)>> = BTreeMap::new();
    for track in &timeline.tracks {
        seen.entry(&track.label).or_default().push((track.span, track.score));
    }
    for (label, mut spans) in seen {
        spans.sort_by_key(|s| s.0);
        let mut merged: Vec<(Span, f32)> = Vec::new();
        for (span, score) in spans {
            match merged.last_mut() {
                Some((last, best)) if span.start <= last.end + GAP => {
                    last.end = last.end.max(span.end);
                    *best = best.max(score);
                }
                _ => merged.push((span, score)),
            }
        }
        for (span, score) in merged {
            let details = Details { labels: vec![label.to_owned()], ..Details::default() };
            out.extend(moment(Kind::Object, span, label, score, details));
        }
    }
    // What a model calls an entity by more than its class.
    for entity in timeline.entities.iter().filter(|e| e.origin == "vlm" || !e.told.is_empty()) {
        let span = Span::new(entity.first_seen_s, entity.last_seen_s);
        let mut tell = |text: &str, label: &str| {
            let details = Details { labels: vec![label.to_owned()], ..Details::default() };
            out.extend(moment(Kind::Object, span, text, 1.0, details).map(|m| Moment { told: true, ..m }));
        };
        if entity.told.is_empty() {
            tell(&entity.description, &entity.kind);
        }
        for told in &entity.told {
            let text = match told.description.trim() {
                "" => told.label.clone(),
                description => format!("{}: {description}", told.label),
            };
            tell(&text, &told.label);
        }
    }
}

/// `person E1 approaches car E2` without the names that mean something within one video only.
fn without_ids(text: &str, entities: &BTreeMap<&str, &Entity>) -> String {
    let id = |word: &&str| !entities.contains_key(word.trim_end_matches([',', ':', ';', '.']));
    text.split_whitespace().filter(id).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::testing;
    use tempograph_core::timeline::{Told, Window};

    fn of(kind: Kind, all: &[Moment]) -> Vec<(&str, f64, f64)> {
        let shown = |m: &'_ &Moment| m.kind == kind;
        all.iter()
            .filter(shown)
            .map(|m| (m.text.as_str(), m.span.start.as_secs_f64(), m.span.end.as_secs_f64()))
            .collect()
    }

    #[test]
    fn every_modality_gives_its_moments() {
        let all = moments(&testing::timeline("v"));
        assert_eq!(
            of(Kind::Speech, &all),
            [
                ("And so, my fellow Americans, ask not what your country can do for you.", 0.0, 7.0),
                ("Ask what you can do for your country.", 7.0, 11.0),
            ]
        );
        assert_eq!(of(Kind::Sound, &all), [("Bark is heard", 20.0, 20.5), ("Dog is heard", 20.0, 20.6)]);
        assert_eq!(of(Kind::Text, &all), [("TAXI", 30.0, 34.0)]);
        assert_eq!(of(Kind::Object, &all), [("car", 3.0, 9.0), ("dog", 18.0, 26.0), ("person", 1.0, 12.0)]);
        assert_eq!(of(Kind::Event, &all), [("person approaches car", 4.0, 6.0)]);
        assert_eq!(of(Kind::Emotion, &all), [("happy", 2.0, 5.0)]);
        assert_eq!(of(Kind::Description, &all), [], "the template repeats the others");
        assert_eq!(of(Kind::Memory, &all), [], "nobody was asked");
        let event = all.iter().find(|m| m.kind == Kind::Event).expect("one");
        let tags: Vec<_> = event.details.tags().into_iter().collect();
        assert_eq!(tags, ["event:approach", "label:car", "label:person"]);
    }

    #[test]
    fn what_models_told_is_found_by_window_and_by_entity() {
        let mut timeline = testing::timeline("v");
        let window = |n: i64, summary: &str, same_as: Option<&str>| Window {
            id: format!("W{n}"),
            span: Span::new(MediaTime::from_millis(n * 30_000 - 30_000), MediaTime::from_millis(n * 30_000)),
            summary: summary.into(),
            origin: "m".into(),
            frames_s: Vec::new(),
            same_as: same_as.map(str::to_owned),
        };
        timeline.windows = vec![
            window(1, "A man waits at a door.", None),
            window(2, "A man waits at a door.", Some("W1")),
            window(3, "He leaves.", None),
        ];
        let told = Told { label: "man".into(), description: "in a red coat".into(), ..Told::default() };
        timeline.entities[0].told.push(told);
        let all = moments(&timeline);
        let memories = of(Kind::Memory, &all);
        assert_eq!(memories, [("A man waits at a door.", 0.0, 60.0), ("He leaves.", 60.0, 90.0)]);
        assert!(of(Kind::Object, &all).iter().any(|m| m.0 == "man: in a red coat"));
    }

    #[test]
    fn words_know_where_they_begin_in_text_and_time() {
        let all = moments(&testing::timeline("v"));
        let text: Vec<char> = all[0].text.chars().collect();
        let (at, time) = all[0].details.words[7];
        assert_eq!(text[at as usize..][..4], ['w', 'h', 'a', 't']);
        assert_eq!(time, 3500);
    }

    #[test]
    fn words_join_as_the_text_has_them() {
        let mut timeline = testing::timeline("v");
        let event = &mut timeline.audio_events[0];
        *event = testing::speech(0.0, "S", "An open -source, full -featured PBX.");
        event.text = Some("An open-source, full-featured PBX.".into());
        let all = moments(&timeline);
        assert_eq!(all[0].text, "An open-source, full-featured PBX.");
        assert_eq!(all[0].details.words[2..4], [(7, 1000), (16, 1500)]);
    }

    #[test]
    fn speech_without_punctuation_ends_at_pauses_and_after_forty_words() {
        let word = |i: i64| Word {
            text: "la".into(),
            start: MediaTime::from_millis(if i < 5 { i * 300 } else { i * 300 + 5000 }),
            end: MediaTime::from_millis(if i < 5 { i * 300 + 200 } else { i * 300 + 5200 }),
            confidence: 1.0,
        };
        let mut timeline = testing::timeline("v");
        timeline.audio_events[0].words = Some((0..100).map(word).collect());
        let lengths: Vec<usize> =
            moments(&timeline).iter().filter(|m| m.kind == Kind::Speech).map(|m| m.details.words.len()).collect();
        assert_eq!(lengths[..4], [5, 40, 40, 15]);
    }
}
