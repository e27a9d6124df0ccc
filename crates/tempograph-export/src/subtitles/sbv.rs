//! SBV: cues apart by blank lines, each a line `start,end` and text; `[br]` breaks a line.

use tempograph_core::Span;

use super::{Subtitles, markup, srt, time};
use crate::cues::Line;

/// Never fails; what is no cue is in `skipped`.
pub(super) fn parse(lines: &[&str]) -> Subtitles {
    srt::blocks(lines, times, |text| {
        let lines = text.iter().flat_map(|line| line.split("[br]"));
        lines.map(|line| Line { speaker: None, text: markup::strip_srt(line) }).collect()
    })
}

fn times(line: &str) -> Option<Span> {
    let (start, end) = line.split_once(',')?;
    // A fraction after a comma would belong to another form.
    if !start.contains('.') || !end.contains('.') {
        return None;
    }
    Some(Span::new(time::parse(start.trim(), true)?, time::parse(end.trim(), true)?))
}
