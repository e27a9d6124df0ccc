//! Events in words, and where to look to check them.

use tempograph_core::{
    MediaTime, Span,
    timeline::{Evidence, VisualEventKind},
};

use super::super::entities::Mover;

/// Members of a group that are named before the rest is only counted.
const NAMED: usize = 4;

/// One sentence without a full stop, e.g. `person E1 approaches car E2`.
pub(super) fn describe(kind: VisualEventKind, who: &[&Mover]) -> String {
    let name = |m: &Mover| format!("{} {}", m.label, m.id);
    let verb = match kind {
        VisualEventKind::Approach => "approaches",
        VisualEventKind::Depart => "leaves",
        VisualEventKind::Interact => "is close beside",
        VisualEventKind::Follow => "follows",
        VisualEventKind::Idle => "stays in place",
        VisualEventKind::Group => "stay together",
        VisualEventKind::Avoid => "turns away from",
        VisualEventKind::Chase => "chases",
        VisualEventKind::Observe => "stays while only one other moves:",
    };
    match who {
        [] => verb.to_owned(),
        [one] => format!("{} {verb}", name(one)),
        [one, other] => format!("{} {verb} {}", name(one), name(other)),
        many => {
            let named: Vec<_> = many.iter().take(NAMED).map(|m| name(m)).collect();
            let more = many.len().saturating_sub(NAMED);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("{}{rest} {verb}", named.join(", "))
        }
    }
}

/// Frames near the start, the middle and the end in which the first participant was detected, and
/// the tracks of all.
pub(super) fn evidence(span: Span, who: &[&Mover]) -> Evidence {
    let middle = span.start + MediaTime::from_nanos(span.duration().nanos() / 2);
    let nearest = |time: MediaTime| {
        let spots = &who.first()?.spots;
        let after = spots.partition_point(|s| s.time < time);
        let near = spots[after.saturating_sub(1)..(after + 1).min(spots.len())].iter();
        near.min_by_key(|s| s.time.abs_diff(time)).map(|s| s.time)
    };
    let mut frames_s: Vec<MediaTime> = [span.start, middle, span.end].into_iter().filter_map(nearest).collect();
    frames_s.dedup();
    let mut tracks: Vec<u32> = who.iter().flat_map(|m| tracks_in(m, span)).collect();
    tracks.sort_unstable();
    tracks.dedup();
    Evidence { frames_s, tracks }
}

/// The tracks of `mover` that are there at some time in `span`.
fn tracks_in(mover: &Mover, span: Span) -> impl Iterator<Item = u32> {
    mover.tracks.iter().enumerate().filter_map(move |(i, &(track, from))| {
        let until = mover.tracks.get(i + 1).map_or(MediaTime::MAX, |&(_, next)| next);
        (from <= span.end && until > span.start).then_some(track)
    })
}
