//! When cues come and go: long enough to read, never two at once.

use tempograph_core::MediaTime;

use super::{CUE_LINES, Cue, LINE_COLUMNS, LONGEST, SHORTEST, split::READING_SPEED};
use crate::text::columns;

/// How long a cue may stay after its last word so that it can be read.
const LINGER: MediaTime = MediaTime::from_millis(2_000);
/// How early a cue may come so that it stands long enough.
const EARLY: MediaTime = MediaTime::from_millis(300);

/// Two frames at `fps`; a film's two frames where the rate is unknown.
pub(super) fn gap(fps: f64) -> MediaTime {
    let fps = if fps.is_finite() && fps >= 1.0 { fps.min(240.0) } else { 24.0 };
    // Whole milliseconds, rounded up: the forms have no finer times.
    MediaTime::from_millis((2000.0 / fps).ceil() as i64)
}

/// `cues`, ordered by start, made to follow each other by `gap` and to last from 1 to 7 seconds.
pub(super) fn settle(cues: Vec<Cue>, gap: MediaTime) -> Vec<Cue> {
    let mut settled: Vec<Cue> = Vec::with_capacity(cues.len());
    for mut cue in cues {
        cue.start = whole_millis(cue.start.max(MediaTime::ZERO));
        cue.end = whole_millis(cue.end).max(cue.start);
        let Some(last) = settled.last_mut() else {
            settled.push(cue);
            continue;
        };
        // The one before ends when its words do, or in time for this one.
        let room = cue.start - gap - last.start;
        if room < SHORTEST
            && let Some(joined) = join(last, &cue)
        {
            *last = joined;
            continue;
        }
        finish(last, Some(cue.start - gap));
        let earliest = last.end + gap;
        if cue.start < earliest {
            cue.start = earliest;
            cue.end = cue.end.max(cue.start);
        } else if cue.end - cue.start < SHORTEST {
            cue.start = (cue.end - SHORTEST).max(cue.start - EARLY).max(earliest).min(cue.start);
        }
        settled.push(cue);
    }
    if let Some(last) = settled.last_mut() {
        finish(last, None);
    }
    settled
}

/// Gives `cue` its last instant: read time, but before `limit` unless that is under a second.
fn finish(cue: &mut Cue, limit: Option<MediaTime>) {
    let width: usize = cue.lines.iter().map(|l| columns(&l.text)).sum();
    let reading = whole_millis(MediaTime::from_secs_f64(width as f64 / READING_SPEED));
    let spoken = cue.end - cue.start;
    let wanted = spoken.max(reading.min(spoken + LINGER)).max(SHORTEST).min(LONGEST);
    let mut end = cue.start + wanted;
    if let Some(limit) = limit {
        end = end.min(limit).max(cue.start + SHORTEST);
    }
    cue.end = end;
}

/// Both in one cue: one line each, when they fit and last no longer than a cue may.
fn join(a: &Cue, b: &Cue) -> Option<Cue> {
    if a.end.max(b.end) - a.start > LONGEST {
        return None;
    }
    let same = a.lines.iter().chain(&b.lines).all(|l| l.speaker == a.lines[0].speaker);
    let mut lines = a.lines.clone();
    let (x, y) = (lines.last_mut()?, b.lines.first()?);
    // Two speakers are told apart by a dash and a space.
    let limit = if same { LINE_COLUMNS } else { LINE_COLUMNS - 2 };
    if same && b.lines.len() == 1 && columns(&x.text) + 1 + columns(&y.text) <= limit {
        x.text.push(' ');
        x.text.push_str(&y.text);
    } else {
        lines.extend(b.lines.iter().cloned());
    }
    let fits = lines.len() <= CUE_LINES && lines.iter().all(|l| columns(&l.text) <= limit);
    fits.then(|| Cue { start: a.start, end: a.end.max(b.end), lines })
}

fn whole_millis(t: MediaTime) -> MediaTime {
    MediaTime::from_millis((t.nanos() + 500_000).div_euclid(1_000_000))
}
