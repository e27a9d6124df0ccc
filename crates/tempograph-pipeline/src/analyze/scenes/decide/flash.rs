//! Keeping cuts apart: what happens to cuts closer than the minimum scene length.

use serde::{Deserialize, Serialize};

use super::{Clock, Length};

/// What happens to cuts closer than the minimum scene length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterMode {
    /// A burst of cuts becomes one, at its last frame.
    #[default]
    Merge,
    /// The first stays, the following ones are dropped.
    Suppress,
}

/// The frames that remain of those `above` the threshold (one entry per frame).
pub(super) fn filter(above: impl Iterator<Item = bool>, mode: FilterMode, length: Length, clock: &Clock) -> Vec<usize> {
    if length.is_zero() {
        return above.enumerate().filter_map(|(i, a)| a.then_some(i)).collect();
    }
    match mode {
        FilterMode::Merge => merge(above, length, clock),
        FilterMode::Suppress => suppress(above, length, clock),
    }
}

fn suppress(above: impl Iterator<Item = bool>, length: Length, clock: &Clock) -> Vec<usize> {
    let (mut last, mut kept) = (0, Vec::new());
    for (i, above) in above.enumerate() {
        if above && clock.reached(last, i, length) {
            last = i;
            kept.push(i);
        }
    }
    kept
}

/// The first cut waits for a full length from the first frame. A cut too close to the last one
/// opens a burst; the burst ends, with a cut at its last frame above, once a full length has
/// passed below and the burst itself is that long. Bursts before the first cut are dropped.
fn merge(above: impl Iterator<Item = bool>, length: Length, clock: &Clock) -> Vec<usize> {
    let (mut last_above, mut burst, mut kept) = (0, None, Vec::new());
    for (i, above) in above.enumerate() {
        let apart = clock.reached(last_above, i, length);
        if above {
            last_above = i;
        }
        match burst {
            Some(start) if apart && !above && clock.reached(start, last_above, length) => {
                burst = None;
                kept.push(last_above);
            }
            Some(_) => {}
            None if above && apart => kept.push(i),
            None if above && !kept.is_empty() => burst = Some(i),
            None => {}
        }
    }
    kept
}
