//! The summary that needs no model: facts put into sentences.

use std::{collections::BTreeMap, fmt::Write as _};

use tempograph_core::{
    MediaTime, Span,
    timeline::{AudioEvent, AudioEventKind, Chapter, Scene, Summary, Video},
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
    text.push_str(&facts(fused, whole, "Seen: ", "Heard: "));
    let chapters = fused.scenes.iter().map(|scene| chapter(scene, video, fused)).collect();
    Summary { text, chapters, backend: "template".to_owned() }
}

fn chapter(scene: &Scene, video: &Video, fused: &Fused) -> Chapter {
    let text = facts(fused, scene.span, "Seen: ", "Heard: ").trim().to_owned();
    Chapter {
        span: scene.span,
        title: format!("Scene {}, {}", scene.id.trim_start_matches('S'), clock(scene.span.start, video)),
        text: if text.is_empty() { "Nothing was recognised.".to_owned() } else { text },
    }
}

/// What was seen, what happened and what was said within `span`, each as a sentence.
fn facts(fused: &Fused, span: Span, seen: &str, heard: &str) -> String {
    let touches = |s: Span| s.intersect(span).is_some() || span.contains(s.start);
    let mut text = String::new();

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for entity in &fused.entities {
        let there = fused.tracks.iter().any(|t| t.entity.as_deref() == Some(&entity.id) && touches(t.span));
        if there {
            *kinds.entry(&entity.kind).or_default() += 1;
        }
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
    for event in fused.visual_events.iter().filter(|e| touches(e.span)) {
        *happened.entry(event.kind.as_str()).or_default() += 1;
    }
    if !happened.is_empty() {
        let list: Vec<_> = happened.into_iter().map(|(kind, n)| format!("{kind} {n}×")).collect();
        let _infallible = write!(text, " Movement: {}.", list.join(", "));
    }

    let mut read: Vec<&str> = Vec::new();
    for text in fused.texts.iter().filter(|t| touches(t.span)) {
        if !read.contains(&text.text.as_str()) {
            read.push(&text.text);
        }
    }
    if !read.is_empty() {
        let more = read.len().saturating_sub(KINDS);
        read.truncate(KINDS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _infallible = write!(text, " Read: “{}”{more}.", shorten(&read.join("”, “")));
    }

    let mut sounds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in fused.audio_events.iter().filter(|e| e.kind == AudioEventKind::Sound && touches(e.span)) {
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
    for emotion in fused.emotions.iter().filter(|e| touches(e.span)) {
        *felt.entry(&emotion.label).or_default() += 1;
    }
    if !felt.is_empty() {
        let list: Vec<_> = felt.into_iter().map(|(label, n)| format!("{label} {n}×")).collect();
        let _infallible = write!(text, " Faces: {}.", list.join(", "));
    }

    let spoken: Vec<&AudioEvent> =
        fused.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech && touches(e.span)).collect();
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
    use super::*;

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
