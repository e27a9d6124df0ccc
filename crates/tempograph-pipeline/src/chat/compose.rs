//! Evidence put into sentences, without a model.

use std::collections::BTreeMap;

use tempograph_core::Span;

use super::{
    evidence::{Evidence, Kind},
    reply::{Citation, Line, cut},
    understand::{Asked, Order},
};

/// Statements of one answer.
const LINES: usize = 6;
/// Characters of what is said or written that are quoted.
const QUOTE: usize = 240;
/// Below this a thing only looks like what it is called.
const SURE: f32 = 0.45;

/// What `pieces` say, one statement a line. Pieces of one class are one statement; `ranked` keeps the order they come
/// in, otherwise it is that of time.
pub(super) fn tell(pieces: &[&Evidence], asked: &Asked, ranked: bool) -> Vec<Line> {
    let mut pieces: Vec<&Evidence> = pieces.to_vec();
    if !ranked {
        pieces.sort_by_key(|p| (p.span.start, p.span.end));
    }
    // That a thing which is seen stays where it is adds nothing, unless it was asked for.
    let objects = pieces.iter().any(|p| p.kind == Kind::Object);
    pieces.retain(|p| !(objects && p.kind == Kind::Event && p.label == "idle"));
    let groups = grouped(&pieces);
    let mut lines: Vec<Line> = Vec::new();
    for group in &groups {
        if lines.len() >= LINES {
            break;
        }
        lines.extend(line(group, asked));
    }
    lines
}

/// Pieces that one statement can tell, in the order of their first.
fn grouped<'e>(pieces: &[&'e Evidence]) -> Vec<Vec<&'e Evidence>> {
    let mut groups: Vec<Vec<&Evidence>> = Vec::new();
    for piece in pieces {
        let alike = |other: &Evidence| {
            piece.kind == other.kind
                && match piece.kind {
                    Kind::Object | Kind::Sound | Kind::Face | Kind::Emotion | Kind::Silence => {
                        piece.label == other.label
                    }
                    Kind::Near => piece.text == other.text,
                    Kind::Speech | Kind::Text | Kind::Description => {
                        piece.text == other.text && piece.speaker == other.speaker
                    }
                    Kind::Event => plain(piece) == plain(other),
                    _ => false,
                }
        };
        match groups.iter_mut().find(|g| g.first().is_some_and(|first| alike(first))) {
            Some(group) => group.push(piece),
            None => groups.push(vec![piece]),
        }
    }
    groups
}

fn line(group: &[&Evidence], asked: &Asked) -> Option<Line> {
    let first = group.first()?;
    let sure = group.iter().map(|p| p.confidence).fold(0.0, f32::max) >= SURE;
    let text = match first.kind {
        Kind::Speech => {
            let who = first.speaker.as_deref().unwrap_or("somebody");
            format!("{who} says “{}”", quoted(&first.text))
        }
        Kind::Sound => format!("“{}” is heard", first.label),
        Kind::Text => format!("the picture shows “{}”", quoted(&first.text)),
        Kind::Object => {
            let what = article(&first.label);
            let what = if sure { what } else { format!("what looks like {what}") };
            let place = match (asked.place, first.text.as_str()) {
                (true, place) if !place.is_empty() => format!(" ({place} of the picture)"),
                _ => String::new(),
            };
            format!("{what} is seen{place}")
        }
        Kind::Face => "a face is seen".to_owned(),
        Kind::Emotion => format!("a face looks {}", looks(&first.label)),
        Kind::Event => plain(first),
        Kind::Near => first.text.clone(),
        Kind::Scene => format!("scene {} is shown", first.id.trim_start_matches('S')),
        Kind::Description => format!("it is described as “{}”", quoted(&first.text)),
        Kind::Highlight => first.text.clone(),
        Kind::Silence => match first.label.as_str() {
            "" => first.text.clone() + " is heard",
            label => format!("{label} is heard"),
        },
        Kind::Video => first.text.clone(),
    };
    let cites = picked(joined(group), asked.order);
    Line::new(text, cites)
}

/// Citations of `group` in order of time, with those of one class that overlap as one.
fn joined(group: &[&Evidence]) -> Vec<Citation> {
    let mut pieces = group.to_vec();
    pieces.sort_by_key(|p| (p.span.start, p.span.end));
    let mut out: Vec<Citation> = Vec::new();
    for piece in pieces {
        let join = matches!(piece.kind, Kind::Object | Kind::Face | Kind::Emotion | Kind::Near);
        match out.last_mut().filter(|last| join && last.span.end > piece.span.start) {
            Some(last) => last.span = Span::new(last.span.start, last.span.end.max(piece.span.end)),
            None => out.push(Citation::of(piece)),
        }
    }
    out
}

fn picked(mut cites: Vec<Citation>, order: Option<Order>) -> Vec<Citation> {
    match order {
        Some(Order::First) => cites.truncate(1),
        Some(Order::Last) => {
            if let Some(last) = cites.pop() {
                cites = vec![last];
            }
        }
        None => {}
    }
    cites
}

/// Only the earliest or latest of `pieces`, when one was asked for.
pub(super) fn ordered(mut pieces: Vec<&Evidence>, order: Option<Order>) -> Vec<&Evidence> {
    match order {
        None => pieces,
        Some(Order::First) => {
            pieces.sort_by_key(|p| (p.span.start, p.span.end));
            pieces.truncate(1);
            pieces
        }
        Some(Order::Last) => {
            pieces.sort_by_key(|p| (p.span.end, p.span.start));
            pieces.pop().into_iter().collect()
        }
    }
}

/// Time that `pieces` cover, overlaps counted once, as stretches.
pub(super) fn union(pieces: &[&Evidence]) -> Vec<Span> {
    let mut spans: Vec<Span> = pieces.iter().map(|p| p.span).collect();
    spans.sort();
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => *last = Span::new(last.start, last.end.max(span.end)),
            None => out.push(span),
        }
    }
    out
}

/// The description of an event without the ids that mean nothing to people.
pub(super) fn plain(piece: &Evidence) -> String {
    let mut out = String::new();
    for word in piece.text.split(' ') {
        let bare = word.trim_end_matches(',');
        if piece.entities.iter().any(|id| id == bare) {
            out.push_str(&word[bare.len()..]);
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Quoted data must not end the quotation.
fn quoted(text: &str) -> String {
    cut(&text.replace(['“', '”'], "\""), QUOTE).trim_end_matches('.').to_owned()
}

/// The noun with its article.
pub(super) fn article(noun: &str) -> String {
    let plain = noun.ends_with('s') && !noun.ends_with("ss") && noun != "bus";
    match noun.chars().next() {
        _ if plain => noun.to_owned(),
        Some(c) if "aeiou".contains(c.to_ascii_lowercase()) => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}

/// How a face with this label looks.
pub(super) fn looks(label: &str) -> &str {
    match label {
        "surprise" => "surprised",
        "fear" => "afraid",
        "disgust" => "disgusted",
        "anger" => "angry",
        other => other,
    }
}

/// `3 cars`, `1 person`, `2 people`.
pub(super) fn count(n: usize, noun: &str) -> String {
    let plural = match noun {
        _ if n == 1 => noun.to_owned(),
        "person" => "people".to_owned(),
        "sheep" => noun.to_owned(),
        _ if noun.ends_with('s') || noun.ends_with("ch") => format!("{noun}es"),
        _ => format!("{noun}s"),
    };
    format!("{n} {plural}")
}

/// The most of `pieces` that are there at one time, and a time at which they are.
pub(super) fn at_once<'e>(pieces: &[&'e Evidence]) -> (usize, Vec<&'e Evidence>) {
    let mut best: Vec<&Evidence> = Vec::new();
    for piece in pieces {
        let at = piece.span.start;
        let mut there: BTreeMap<&str, &Evidence> = BTreeMap::new();
        for other in pieces.iter().filter(|o| o.span.contains(at) || o.span.start == at) {
            let id = if other.id.is_empty() { other.text.as_str() } else { other.id.as_str() };
            there.entry(id).or_insert(other);
        }
        if there.len() > best.len() {
            best = there.into_values().collect();
        }
    }
    (best.len(), best)
}
