//! The summary that needs no model: facts put into sentences.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use tempograph_core::{
    MediaTime, Span,
    timeline::{AudioEvent, AudioEventKind, Chapter, Emotion, Scene, ScreenText, Summary, Video, VisualEvent},
};

use super::Fused;

/// Characters of speech quoted in the summary and in a chapter.
const QUOTE: usize = 160;
/// Kinds of entities named before the rest is only counted.
const KINDS: usize = 6;

/// `M:SS` or `H:MM:SS`, counted from the start of the video.
pub(super) fn clock(time: MediaTime, video: &Video) -> String {
    let secs = (time - video.start_s).as_secs_f64().max(0.0).round() as u64;
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}

/// The video in words, with one chapter a scene.
pub(super) fn template(video: &Video, fused: &Fused) -> Summary {
    let whole = Span::new(video.start_s, video.start_s + video.duration_s);
    let mut text = format!("{:.0} s", video.duration_s.as_secs_f64());
    if !fused.scenes.is_empty() {
        let _infallible = write!(text, ", {}", count(fused.scenes.len(), "scene"));
    }
    text.push('.');
    for there in There::within(&[whole], fused) {
        text.push_str(&facts(&there, "Seen: ", "Heard: "));
    }
    let spans: Vec<Span> = fused.scenes.iter().map(|s| s.span).collect();
    let there = There::within(&spans, fused);
    let chapters = fused.scenes.iter().zip(&there).map(|(scene, there)| chapter(scene, video, there)).collect();
    Summary { text, chapters, backend: "template".to_owned() }
}

/// What touches one stretch of time, each in the order of the timeline.
#[derive(Default)]
struct There<'a> {
    /// Id and kind of the entities.
    entities: BTreeSet<(&'a str, &'a str)>,
    visual: Vec<&'a VisualEvent>,
    texts: Vec<&'a ScreenText>,
    audio: Vec<&'a AudioEvent>,
    emotions: Vec<&'a Emotion>,
}

impl<'a> There<'a> {
    /// What touches each of `spans`, which follow each other.
    ///
    /// Looks at everything once, so that a long video of many scenes costs no more than what is in them.
    fn within(spans: &[Span], fused: &'a Fused) -> Vec<Self> {
        let mut there: Vec<Self> = spans.iter().map(|_| Self::default()).collect();
        let kinds: BTreeMap<&str, &str> = fused.entities.iter().map(|e| (e.id.as_str(), e.kind.as_str())).collect();
        for track in &fused.tracks {
            let entity = track.entity.as_deref().and_then(|id| kinds.get_key_value(id));
            if let Some((&id, &kind)) = entity {
                for i in touched(spans, track.span) {
                    there[i].entities.insert((id, kind));
                }
            }
        }
        for event in &fused.visual_events {
            touched(spans, event.span).for_each(|i| there[i].visual.push(event));
        }
        for text in &fused.texts {
            touched(spans, text.span).for_each(|i| there[i].texts.push(text));
        }
        for event in &fused.audio_events {
            touched(spans, event.span).for_each(|i| there[i].audio.push(event));
        }
        for emotion in &fused.emotions {
            touched(spans, emotion.span).for_each(|i| there[i].emotions.push(emotion));
        }
        there
    }
}

/// Positions of those of `spans`, which follow each other, that share time with `span` or hold its start.
fn touched(spans: &[Span], span: Span) -> impl Iterator<Item = usize> {
    let from = spans.partition_point(|s| s.end <= span.start);
    (from..spans.len())
        .take_while(move |&i| spans[i].start <= span.start || spans[i].start < span.end)
        .filter(move |&i| span.intersect(spans[i]).is_some() || spans[i].contains(span.start))
}

fn chapter(scene: &Scene, video: &Video, there: &There<'_>) -> Chapter {
    let text = facts(there, "Seen: ", "Heard: ").trim().to_owned();
    Chapter {
        span: scene.span,
        title: format!("Scene {}, {}", scene.id.trim_start_matches('S'), clock(scene.span.start, video)),
        text: if text.is_empty() { "Nothing was recognised.".to_owned() } else { text },
    }
}

/// What was seen, what happened and what was said, each as a sentence.
fn facts(there: &There<'_>, seen: &str, heard: &str) -> String {
    let mut text = String::new();

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, kind) in &there.entities {
        *kinds.entry(kind).or_default() += 1;
    }
    if !kinds.is_empty() {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let more = kinds.len().saturating_sub(KINDS);
        let mut named: Vec<_> = kinds.into_iter().take(KINDS).map(|(kind, n)| count(n, kind)).collect();
        if more > 0 {
            named.push(count(more, "other kind"));
        }
        let _infallible = write!(text, " {seen}{}.", named.join(", "));
    }

    let mut happened: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &there.visual {
        *happened.entry(event.kind.as_str()).or_default() += 1;
    }
    if !happened.is_empty() {
        let list: Vec<_> = happened.into_iter().map(|(kind, n)| format!("{kind} {n}×")).collect();
        let _infallible = write!(text, " Movement: {}.", list.join(", "));
    }

    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut read: Vec<&str> = there.texts.iter().map(|t| t.text.as_str()).filter(|t| known.insert(t)).collect();
    if !read.is_empty() {
        let more = read.len().saturating_sub(KINDS);
        read.truncate(KINDS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _infallible = write!(text, " Read: “{}”{more}.", shorten(&read.join("”, “")));
    }

    let mut sounds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in there.audio.iter().filter(|e| e.kind == AudioEventKind::Sound) {
        *sounds.entry(event.label.as_deref().unwrap_or("sound")).or_default() += 1;
    }
    if !sounds.is_empty() {
        let more = sounds.len().saturating_sub(KINDS);
        let mut list: Vec<_> = sounds.into_iter().take(KINDS).map(|(label, n)| format!("{label} {n}×")).collect();
        if more > 0 {
            list.push(count(more, "other kind"));
        }
        let _infallible = write!(text, " Sounds: {}.", list.join(", "));
    }

    let mut felt: BTreeMap<&str, usize> = BTreeMap::new();
    for emotion in &there.emotions {
        *felt.entry(&emotion.label).or_default() += 1;
    }
    if !felt.is_empty() {
        let list: Vec<_> = felt.into_iter().map(|(label, n)| format!("{label} {n}×")).collect();
        let _infallible = write!(text, " Faces: {}.", list.join(", "));
    }

    let spoken: Vec<_> = there.audio.iter().filter(|e| e.kind == AudioEventKind::Speech).collect();
    if !spoken.is_empty() {
        let words: Vec<_> = spoken.iter().filter_map(|e| e.text.as_deref()).collect();
        let said = if words.is_empty() {
            "speech".to_owned()
        } else {
            format!("“{}”", shorten(words.join(" ").trim_end_matches('.')))
        };
        let _infallible = write!(text, " {heard}{said}.");
    }
    text
}

/// `n` of something, with an English plural.
fn count(n: usize, noun: &str) -> String {
    let plural = match noun {
        _ if n == 1 => noun.to_owned(),
        "person" => "people".to_owned(),
        "mouse" => "mice".to_owned(),
        "knife" => "knives".to_owned(),
        "sheep" | "skis" | "scissors" => noun.to_owned(),
        _ if noun.ends_with('s') || noun.ends_with("ch") || noun.ends_with("sh") => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!("{n} {plural}")
}

/// At most [`QUOTE`] characters, cut at a space.
fn shorten(text: &str) -> String {
    let Some((at, _)) = text.char_indices().nth(QUOTE) else { return text.to_owned() };
    let cut = text[..at].rfind(' ').unwrap_or(at);
    format!("{}…", text[..cut].trim_end_matches([',', '.', ';', ' ']))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::timeline::{Entity, Track};

    use super::*;

    fn span(from: i64, to: i64) -> Span {
        Span::new(MediaTime::from_millis(from), MediaTime::from_millis(to))
    }

    fn scene(i: i64) -> Scene {
        let span = span(1000 * i, 1000 * i + 1000);
        Scene { id: format!("S{}", i + 1), span, start_frame: 0, thumbnail: None, summary: None }
    }

    fn entity(n: i64, kind: &str) -> Entity {
        Entity {
            id: format!("E{n}"),
            kind: kind.to_owned(),
            description: String::new(),
            first_seen_s: MediaTime::ZERO,
            last_seen_s: MediaTime::ZERO,
            tracks: Vec::new(),
            speakers: Vec::new(),
            origin: "tracks".to_owned(),
            told: Vec::new(),
        }
    }

    fn track(id: u32, entity: i64, span: Span) -> Track {
        Track { id, label: String::new(), score: 0.8, span, frames: 1, entity: Some(format!("E{entity}")) }
    }

    fn summary(seconds: i64, fused: &Fused) -> Summary {
        template(&Video { duration_s: MediaTime::from_millis(1000 * seconds), ..Video::default() }, fused)
    }

    #[test]
    fn an_entity_is_counted_once_in_each_scene_it_touches() {
        let fused = Fused {
            scenes: (0..3).map(scene).collect(),
            entities: vec![entity(1, "person"), entity(2, "dog"), entity(3, "person")],
            // E1 was lost for a moment in the first scene and leaves as the second ends, E2 is seen in one frame as
            // it begins, E3 was only heard.
            tracks: vec![
                track(1, 1, span(100, 300)),
                track(2, 1, span(500, 2000)),
                track(3, 2, span(1000, 1000)),
                track(4, 9, span(0, 3000)),
            ],
            ..Fused::default()
        };
        let told = summary(3, &fused);
        assert_eq!(told.text, "3 s, 3 scenes. Seen: 1 dog, 1 person.");
        let texts: Vec<_> = told.chapters.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["Seen: 1 person.", "Seen: 1 dog, 1 person.", "Nothing was recognised."]);
    }

    #[test]
    fn each_of_many_scenes_has_its_own() {
        let n = 20_000;
        let fused = Fused {
            scenes: (0..n).map(scene).collect(),
            entities: (0..n).map(|i| entity(i, "person")).collect(),
            tracks: (0..n).map(|i| track(i as u32, i, span(1000 * i, 1000 * i + 900))).collect(),
            ..Fused::default()
        };
        // Whoever asks every track about every entity in every scene is not done in an hour.
        let told = summary(n, &fused);
        assert!(told.text.ends_with("Seen: 20000 people."), "{}", told.text);
        assert!(told.chapters.iter().all(|c| c.text == "Seen: 1 person."));
    }

    proptest! {
        #[test]
        fn what_is_touched_is_found(
            lengths in prop::collection::vec(0i64..40, 0..12),
            (from, length) in (-20i64..260, 0i64..120),
        ) {
            let mut end = 0;
            let mut next = |length| {
                end += length;
                span(end - length, end)
            };
            let spans: Vec<Span> = lengths.into_iter().map(&mut next).collect();
            let span = span(from, from + length);
            let touches = |s: &Span| span.intersect(*s).is_some() || s.contains(span.start);
            let want: Vec<usize> = (0..spans.len()).filter(|&i| touches(&spans[i])).collect();
            prop_assert_eq!(touched(&spans, span).collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn plurals_and_quotes() {
        assert_eq!(count(1, "person"), "1 person");
        assert_eq!(count(5, "person"), "5 people");
        assert_eq!(count(2, "bus"), "2 buses");
        assert_eq!(count(0, "scene"), "0 scenes");
        let long = "wörter ".repeat(60);
        assert!(shorten(&long).chars().count() <= QUOTE + 1);
        assert!(shorten(&long).ends_with('…'));
        assert_eq!(shorten("short"), "short");
    }
}
