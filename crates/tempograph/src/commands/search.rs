//! `tempograph search`: moments of analysed videos by words, by meaning and by looks.

use std::{fmt::Write as _, io::IsTerminal as _, path::Path};

use serde_json::json;
use tempograph_core::{Cancel, Error, ErrorKind, MediaTime, Result};
use tempograph_store::{
    Library,
    search::{Hit, Kind, Match, Query},
};

use super::{export::identify, print, print_json};
use crate::{args, indexing, progress::Display, registry::Registry, settings::Settings};

/// Characters of a match that a line shows; the rest is in `--json`.
const SHOWN: usize = 110;

/// Prints the moments that answer a question, best first.
pub(crate) fn run(args: &args::Search, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    let mut query = query(args)?;
    let library = Library::open(data)?;
    query.videos = args.video.iter().map(|v| identify(&library, v)).collect::<Result<_>>()?;
    let display = Display::new();
    library.index_pending()?;
    let vector = if query.has_words() {
        let registry = Registry::open(settings, data)?;
        if query.kinds.is_empty() || query.kinds.contains(&Kind::Frame) {
            query.frames = indexing::frame_question(&query.text, &library, &registry).unwrap_or_else(|error| {
                display.note(&format!("frames are not searched: {error}"));
                None
            });
            if query.frames.is_none() && query.kinds == [Kind::Frame] {
                display.note("no video was analysed with a model that knows what frames look like");
                display
                    .note("hint: see `tempograph models list` for the task `embed-image`, pull one and analyse again");
            }
        }
        match indexing::question(&query.text, &library, &registry, cancel, &|line| display.note(line)) {
            Ok(vector) => Some(vector),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                display.note(&format!("words alone are searched, not meaning: {error}"));
                if let Some(hint) = error.hint() {
                    display.note(&format!("hint: {hint}"));
                }
                None
            }
        }
    } else {
        None
    };
    let hits = library.search(&query, vector.as_ref())?;
    if args.json {
        print_json(&json!({
            "query": query.text,
            "by": by(vector.is_some(), query.frames.is_some()),
            "hits": hits.iter().map(|h| document(h, &library)).collect::<Result<Vec<_>>>()?,
        }))?;
    } else if hits.is_empty() {
        display.note("nothing found");
    } else {
        print(&lines(&hits, std::io::stdout().is_terminal()))?;
    }
    Ok(0)
}

/// What was searched, in words.
fn by(meaning: bool, frames: bool) -> &'static str {
    match (meaning, frames) {
        (true, true) => "words, meaning and frames",
        (true, false) => "words and meaning",
        (false, true) => "words and frames",
        (false, false) => "words",
    }
}

fn query(args: &args::Search) -> Result<Query> {
    let time = |name: &str, text: &Option<String>| {
        let read = |t: &String| {
            parse_time(t).ok_or_else(|| {
                Error::new(ErrorKind::Usage, format!("`--{name}` is not a time: {t}"))
                    .with_hint("give seconds, `M:SS` or `H:MM:SS`")
            })
        };
        text.as_ref().map(read).transpose()
    };
    let kind = |name: &String| {
        Kind::from_name(name.trim()).ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("there is no such kind of moment: {name}"))
                .with_hint(format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")))
        })
    };
    Ok(Query {
        text: args.query.clone(),
        from: time("from", &args.from)?,
        to: time("to", &args.to)?,
        labels: args.label.clone(),
        speakers: args.speaker.clone(),
        events: args.event.clone(),
        kinds: args.kind.iter().map(kind).collect::<Result<_>>()?,
        limit: args.limit,
        ..Query::default()
    })
}

/// `90`, `1:30` or `0:01:30.5`.
fn parse_time(text: &str) -> Option<MediaTime> {
    let mut seconds = 0.0;
    let parts: Vec<&str> = text.trim().split(':').collect();
    if parts.len() > 3 {
        return None;
    }
    for part in parts {
        let value: f64 = part.parse().ok()?;
        if !(0.0..1e9).contains(&value) {
            return None;
        }
        seconds = seconds * 60.0 + value;
    }
    Some(MediaTime::from_secs_f64(seconds))
}

/// `M:SS.t` or `H:MM:SS.t`.
fn shown_time(time: MediaTime) -> String {
    let tenths = (time.as_secs_f64().max(0.0) * 10.0).floor() as u64;
    let (s, m, h) = (tenths / 10 % 60, tenths / 600 % 60, tenths / 36_000);
    if h > 0 { format!("{h}:{m:02}:{s:02}.{}", tenths % 10) } else { format!("{m}:{s:02}.{}", tenths % 10) }
}

/// A hit as JSON, with why it matched in words and where its picture lies.
fn document(hit: &Hit, library: &Library) -> Result<serde_json::Value> {
    let unwritable = |e| Error::new(ErrorKind::Internal, format!("a hit cannot be written as JSON: {e}"));
    let mut value = serde_json::to_value(hit).map_err(unwritable)?;
    for (found, shown) in hit.matches.iter().zip(value["matches"].as_array_mut().into_iter().flatten()) {
        shown["why"] = found.why().into();
    }
    if let Some(picture) = &hit.thumbnail {
        value["thumbnail"]["path"] = library.objects().file(&picture.object)?.display().to_string().into();
    }
    Ok(value)
}

fn lines(hits: &[Hit], terminal: bool) -> String {
    let mut out = String::new();
    for (i, hit) in hits.iter().enumerate() {
        let _infallible = writeln!(out, "{:>2}. {}  {}", i + 1, shown_time(hit.at_s), hit.video.uri);
        for found in &hit.matches {
            let speaker = found.speaker.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
            let text = emphasised(found, terminal);
            let _infallible = writeln!(out, "    {:<11} {speaker}{text}  ({})", found.kind.as_str(), found.why());
        }
    }
    out
}

/// The text around its first matched word, with matched words in bold on a terminal.
fn emphasised(found: &Match, terminal: bool) -> String {
    let chars: Vec<char> = found.text.chars().collect();
    let first = found.highlights.first().map_or(0, |r| r.0 as usize);
    let from = if chars.len() <= SHOWN { 0 } else { first.saturating_sub(SHOWN / 3) };
    let to = (from + SHOWN).min(chars.len());
    let mut out = String::new();
    if from > 0 {
        out.push('…');
    }
    for (i, &c) in chars.iter().enumerate().take(to).skip(from) {
        let at = i as u32;
        if terminal && found.highlights.iter().any(|r| r.0 == at) {
            out.push_str("\u{1b}[1m");
        }
        out.push(c);
        if terminal && found.highlights.iter().any(|r| r.1 == at + 1) {
            out.push_str("\u{1b}[0m");
        }
    }
    if terminal && to < chars.len() {
        out.push_str("\u{1b}[0m");
    }
    if to < chars.len() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let secs = |t: &str| parse_time(t).map(MediaTime::as_secs_f64);
        assert_eq!(secs("90"), Some(90.0));
        assert_eq!(secs("1:30.5"), Some(90.5));
        assert_eq!(secs("1:00:01"), Some(3601.0));
        for wrong in ["", "x", "-3", "1:2:3:4", "nan", "1e99", "1::2"] {
            assert_eq!(secs(wrong), None, "{wrong}");
        }
    }
}
