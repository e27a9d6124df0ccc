//! Splitting one stretch of speech into cues.

use tempograph_core::{MediaTime, timeline::AudioEvent};

use super::{CUE_LINES, Cue, LINE_COLUMNS, LONGEST, Line, SHORTEST, lines};
use crate::text::{columns, is_wide, one_line};

/// Comfortable reading speed, columns a second (Netflix: 17 for adults in most languages).
pub(super) const READING_SPEED: f64 = 17.0;

/// A word, or a part of one that no line would hold.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) start: MediaTime,
    pub(super) end: MediaTime,
    /// Whether a space stands before it when it is not first.
    pub(super) space_before: bool,
    /// Columns of the text.
    pub(super) columns: usize,
    /// How much of a pause its punctuation promises: 1 for a sentence end, 0 for none.
    pub(super) pause_likeness: f64,
}

impl Piece {
    fn new(text: String, start: MediaTime, end: MediaTime, space_before: bool) -> Self {
        let (columns, pause_likeness) = (columns(&text), pause_likeness(&text));
        Self { text, start, end, space_before, columns, pause_likeness }
    }
}

fn pause_likeness(text: &str) -> f64 {
    let text = text.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»', '」', '』']);
    match text.chars().next_back() {
        Some('.' | '?' | '!' | '…' | '。' | '？' | '！' | '।') => 1.0,
        Some(';' | ':' | '；' | '：') => 0.8,
        Some(',' | '、' | '，' | '–' | '—' | '،') => 0.7,
        _ => 0.0,
    }
}

/// The words of `event` with times from `origin`: those heard, else its text spread evenly.
pub(super) fn words(event: &AudioEvent, origin: MediaTime) -> Vec<Piece> {
    let text = one_line(event.text.as_deref().unwrap_or_default());
    let mut pieces = Vec::new();
    match event.words.as_deref() {
        Some(words) if words.iter().any(|w| !one_line(&w.text).is_empty()) => {
            // The text knows which words stand apart; languages without spaces differ.
            let mut rest = text.as_str();
            let mut time = event.span.start;
            for word in words {
                let word_text = one_line(&word.text);
                if word_text.is_empty() {
                    continue;
                }
                let mut space_before = true;
                if let Some(at) = rest.find(&word_text) {
                    space_before = at > 0;
                    rest = &rest[at + word_text.len()..];
                }
                time = time.max(word.start);
                push(&mut pieces, &word_text, time - origin, word.end.max(time) - origin, space_before);
            }
        }
        _ => spread(&text, event.span.start - origin, event.span.end - origin, &mut pieces),
    }
    pieces
}

/// Words of `text` over a span, each as long as its share of the columns.
fn spread(text: &str, start: MediaTime, end: MediaTime, pieces: &mut Vec<Piece>) {
    let total = columns(text).max(1) as f64;
    let (start, length) = (start.as_secs_f64(), (end - start).as_secs_f64());
    let mut before = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let width = columns(word);
        let at = |column: usize| MediaTime::from_secs_f64(start + length * column as f64 / total);
        push(pieces, word, at(before), at(before + width), true);
        before += width + 1;
    }
}

/// Adds a word; one wider than a line, or written without spaces, goes in parts.
fn push(pieces: &mut Vec<Piece>, word: &str, start: MediaTime, end: MediaTime, space_before: bool) {
    // Both subtitle forms would read it as a time line.
    let word = word.replace("-->", "→");
    // Half a line holds a part, so that two lines can always be filled.
    let limit = if word.chars().any(is_wide) { 2 } else { LINE_COLUMNS / 2 };
    if columns(&word) <= LINE_COLUMNS && limit != 2 {
        pieces.push(Piece::new(word, start, end, space_before));
        return;
    }
    let total = columns(&word).max(1) as i64;
    let at = |column: usize| start + MediaTime::from_nanos((end - start).nanos() / total * column as i64);
    let (mut part, mut done) = (String::new(), 0);
    let mut first = true;
    let mut flush = |part: &mut String, done: &mut usize| {
        let from = *done;
        *done += columns(part);
        let text = std::mem::take(part);
        pieces.push(Piece::new(text, at(from), at(*done), space_before && first));
        first = false;
    };
    for c in word.chars() {
        // A closing mark stays with what it closes.
        let closes = matches!(c, '、' | '。' | '，' | '！' | '？' | '」' | '』' | '：' | '；' | ',' | '.' | '!' | '?');
        if !part.is_empty() && !closes && columns(&part) + columns(c.encode_utf8(&mut [0; 4])) > limit
            || columns(&part) >= LINE_COLUMNS - 2
        {
            flush(&mut part, &mut done);
        }
        part.push(c);
    }
    if !part.is_empty() {
        flush(&mut part, &mut done);
    }
}

/// The cheapest way to cut `words` into cues.
pub(super) fn cues(words: &[Piece], speaker: Option<&str>) -> Vec<Cue> {
    let n = words.len();
    // best[i]: cost of cutting words[..i], and where its last cue starts.
    let mut best = vec![(f64::INFINITY, 0); n + 1];
    best[0].0 = 0.0;
    for end in 1..=n {
        let mut width = 0;
        for start in (0..end).rev() {
            width += words[start].columns + usize::from(start + 1 < end && words[start + 1].space_before);
            if width > CUE_LINES * LINE_COLUMNS + 1 {
                break;
            }
            if lines::break_at(&words[start..end]).is_none() {
                continue;
            }
            let cost = best[start].0 + cost(words, start, end, width);
            if cost < best[end].0 {
                best[end] = (cost, start);
            }
        }
    }
    let mut cues = Vec::new();
    let mut end = n;
    while end > 0 {
        let start = best[end].1;
        let texts = lines::break_lines(&words[start..end]).unwrap_or_default();
        let lines = texts.into_iter().map(|text| Line { speaker: speaker.map(str::to_owned), text }).collect();
        cues.push(Cue { start: words[start].start, end: words[end - 1].end.max(words[start].start), lines });
        end = start;
    }
    cues.reverse();
    cues
}

/// What a cue of `words[start..end]` costs: less is better, 16 is one bad cut.
fn cost(words: &[Piece], start: usize, end: usize, width: usize) -> f64 {
    let seconds = (words[end - 1].end - words[start].start).as_secs_f64();
    let mut cost = 6.0;
    if seconds > LONGEST.as_secs_f64() {
        cost += 20.0 + seconds;
    }
    if seconds < SHORTEST.as_secs_f64() {
        cost += 8.0 * (1.0 - seconds);
    }
    let speed = width as f64 / seconds.max(0.1);
    cost += (speed - READING_SPEED).clamp(0.0, 20.0) * 0.2;
    if end < words.len() {
        let pause = (words[end].start - words[end - 1].end).as_secs_f64();
        let kindness = words[end - 1].pause_likeness.max((pause / 0.8).clamp(0.0, 1.0));
        cost += 16.0 * (1.0 - kindness);
        // A word or two that a better place is just ahead of should not be cut off from it.
        if kindness < 0.5 && words[end..].iter().take(2).any(|w| w.pause_likeness > 0.5) {
            cost += 4.0;
        }
    }
    // Silence inside a cue shows words that are not being said.
    for pair in words[start..end].windows(2) {
        let pause = (pair[1].start - pair[0].end).as_secs_f64();
        cost += ((pause - 0.6) * 6.0).clamp(0.0, 25.0);
        // A sentence that ends inside a cue is better ended by it.
        cost += if pair[0].pause_likeness >= 1.0 { 7.0 } else { 0.0 };
    }
    cost
}
