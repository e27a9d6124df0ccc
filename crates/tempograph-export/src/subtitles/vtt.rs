//! WebVTT, read as the specification's parser does (W3C WebVTT, section 6.1), a little more kindly:
//! digits of a time need no padding and its fraction may follow a comma.

use tempograph_core::{Error, ErrorKind, Result, Span};

use super::{Skipped, Subtitles, markup::Voice, time};
use crate::cues::{Cue, Line};

/// # Errors
/// [`ErrorKind::InvalidData`] when the first line is not `WEBVTT`.
pub(super) fn parse(lines: &[&str]) -> Result<Subtitles> {
    let heading = lines.first().copied().unwrap_or_default();
    if !heading.strip_prefix("WEBVTT").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return Err(Error::new(ErrorKind::InvalidData, "no subtitle could be read: line 1: not `WEBVTT`")
            .with_hint("a WebVTT file begins with a line `WEBVTT`; SubRip files end in `.srt`"));
    }
    let mut read = Subtitles { cues: Vec::new(), skipped: Vec::new() };
    // What follows the heading without a blank line describes the file.
    let mut at = 1 + lines[1..].iter().take_while(|l| !l.is_empty() && !l.contains("-->")).count();
    while at < lines.len() {
        let line = lines[at];
        if line.contains("-->") {
            let end = end_of_block(lines, at + 1);
            take(&lines[at..end], at + 1, &mut read);
            at = end;
        } else if line.trim().is_empty() {
            at += 1;
        } else {
            let end = end_of_block(lines, at);
            let is_cue_name = lines.get(end).is_some_and(|l| l.contains("-->"));
            let silent = ["NOTE", "STYLE", "REGION"].iter().any(|word| line.starts_with(word));
            if !is_cue_name && !silent {
                read.skipped.push(Skipped { line: at + 1, why: "no line with a start and an end" });
            }
            at = end;
        }
    }
    Ok(read)
}

/// The next blank line or time line.
fn end_of_block(lines: &[&str], from: usize) -> usize {
    let length = lines[from..].iter().position(|l| l.is_empty() || l.contains("-->"));
    length.map_or(lines.len(), |n| from + n)
}

/// A time line and the text under it.
fn take(block: &[&str], line: usize, read: &mut Subtitles) {
    let Some(span) = times(block[0]) else {
        read.skipped.push(Skipped { line, why: "a start or an end that is not a time" });
        return;
    };
    let mut voice = Voice::default();
    let lines = block[1..].iter().map(|l| voice.strip(l)).filter(|(text, _)| !text.is_empty());
    let lines: Vec<Line> = lines.map(|(text, speaker)| Line { speaker, text }).collect();
    if lines.is_empty() {
        read.skipped.push(Skipped { line, why: "no text" });
    } else {
        read.cues.push(Cue { start: span.start, end: span.end, lines });
    }
}

/// `start --> end`, with settings after it passed over.
fn times(line: &str) -> Option<Span> {
    let (start, rest) = line.split_once("-->")?;
    let end = rest.split_whitespace().next()?;
    Some(Span::new(time::parse(start.trim(), false)?, time::parse(end, false)?))
}
