//! SubRip: cues apart by blank lines, each with an optional number, a time line and text.

use tempograph_core::{MediaTime, Span};

use super::{Skipped, Subtitles, markup, time};
use crate::cues::{Cue, Line};

/// Never fails; what is no cue is in `skipped`.
pub(super) fn parse(lines: &[&str]) -> Subtitles {
    blocks(lines, times, |text| text.iter().map(|line| Line { speaker: None, text: markup::strip_srt(line) }).collect())
}

/// Cues that stand in blocks apart by blank lines, with a time line each. A second time line in a
/// block begins a cue of its own.
pub(super) fn blocks(
    lines: &[&str],
    times: impl Fn(&str) -> Option<Span>,
    text_of: impl Fn(&[&str]) -> Vec<Line>,
) -> Subtitles {
    let mut read = Subtitles { cues: Vec::new(), skipped: Vec::new() };
    let mut at = 0;
    while at < lines.len() {
        if lines[at].trim().is_empty() {
            at += 1;
            continue;
        }
        let end = at + lines[at..].iter().position(|l| l.trim().is_empty()).unwrap_or(lines.len() - at);
        let stamps: Vec<(usize, Span)> = (at..end).filter_map(|i| Some((i, times(lines[i])?))).collect();
        if stamps.is_empty() {
            read.skipped.push(Skipped { line: at + 1, why: "no line with a start and an end" });
        }
        for (i, (from, span)) in stamps.iter().enumerate() {
            let to = match stamps.get(i + 1) {
                // The number of the next cue is not part of this one.
                Some((next, _)) if *next > from + 1 && is_number(lines[next - 1]) => next - 1,
                Some((next, _)) => *next,
                None => end,
            };
            let mut text = text_of(&lines[from + 1..to]);
            text.retain(|l| !l.text.is_empty());
            if text.is_empty() {
                read.skipped.push(Skipped { line: from + 1, why: "no text" });
            } else {
                read.cues.push(Cue { start: span.start, end: span.end, lines: text });
            }
        }
        at = end;
    }
    read
}

fn is_number(line: &str) -> bool {
    !line.trim().is_empty() && line.trim().bytes().all(|b| b.is_ascii_digit())
}

/// `start --> end`, with positions after it passed over.
fn times(line: &str) -> Option<Span> {
    let (start, rest) = line.split_once("-->")?;
    let end = rest.split_whitespace().next()?;
    let [start, end]: [MediaTime; 2] = [time::parse(start.trim(), true)?, time::parse(end, true)?];
    Some(Span::new(start, end))
}
