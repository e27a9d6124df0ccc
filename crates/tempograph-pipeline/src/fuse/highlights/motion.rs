//! Motion: how fast tracked things move, in lengths of their own box.

use std::collections::BTreeMap;

use tempograph_core::{MediaTime, Span, Timeline};

use super::{
    super::paths::{Path, Spot},
    signals::{Grid, Signal},
};

/// Time over which a displacement is measured: long enough that the jitter of boxes is small.
const OVER: MediaTime = MediaTime::from_millis(500);
/// A longer gap says nothing about the way between.
const MOST_GAP: MediaTime = MediaTime::from_millis(1_500);
/// Lengths a second that are jitter.
const JITTER: f64 = 0.15;
/// Lengths a second that count half; walking is about 0.8, running 2.
const HALF: f64 = 1.0;
/// Lengths a second that are told as fast.
const FAST: f64 = 1.5;

pub(super) fn signal(timeline: &Timeline, paths: &[Path], grid: &Grid) -> Signal {
    let mut signal = Signal::new(grid);
    let entity: BTreeMap<u32, &str> =
        timeline.tracks.iter().filter_map(|t| Some((t.id, t.entity.as_deref()?))).collect();
    for path in paths {
        let mut fastest: Option<(f64, Span)> = None;
        for (span, pace) in paces(&path.spots) {
            let pace = (pace - JITTER).max(0.0);
            signal.raise(span, pace / (pace + HALF));
            if pace >= FAST && fastest.as_ref().is_none_or(|f| pace > f.0) {
                fastest = Some((pace, span));
            }
        }
        if let Some((pace, span)) = fastest {
            let name = entity.get(&path.track).map_or_else(|| path.label.clone(), |e| format!("{} {e}", path.label));
            signal.note(span, pace / (pace + HALF), format!("fast movement of {name}"));
        }
    }
    signal
}

/// Speed between spots about half a second apart, in diagonals a second.
fn paces(spots: &[Spot]) -> impl Iterator<Item = (Span, f64)> {
    let mut to = 0;
    spots.iter().enumerate().filter_map(move |(from, a)| {
        while to < spots.len() && spots[to].time < a.time + OVER {
            to += 1;
        }
        let b = spots.get(to).filter(|b| to > from && b.time - a.time <= MOST_GAP)?;
        let centre = |s: &Spot| (f64::from(s.bbox.x1 + s.bbox.x2) / 2.0, f64::from(s.bbox.y1 + s.bbox.y2) / 2.0);
        let diagonal = |s: &Spot| f64::from(s.bbox.width()).hypot(f64::from(s.bbox.height()));
        let ((ax, ay), (bx, by)) = (centre(a), centre(b));
        let length = (diagonal(a) + diagonal(b)) / 2.0;
        let seconds = (b.time - a.time).as_secs_f64();
        (length > 0.0).then(|| (Span::new(a.time, b.time), (bx - ax).hypot(by - ay) / length / seconds))
    })
}
