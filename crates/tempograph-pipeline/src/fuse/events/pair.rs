//! Pairs: distance and relative motion of two objects over their common time.

use std::ops::Range;

use super::{
    EventOptions,
    motion::{Motion, length, sub},
};

/// Two objects at one grid point, in body lengths of the pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    /// From edge to edge sideways, from foot to foot in depth; 0 when side by side and touching.
    pub(super) distance: f64,
    /// Relative speed, in lengths of the smaller body a second.
    pub(super) relative_pace: f64,
}

/// Two objects in one scene.
#[derive(Debug)]
pub(super) struct Pair<'m, 'a> {
    pub(super) a: &'m Motion<'a>,
    pub(super) b: &'m Motion<'a>,
    pub(super) range: Range<usize>,
    links: Vec<Option<Link>>,
    /// Speed at which the distance changes, body lengths a second.
    rates: Vec<f64>,
}

impl<'m, 'a> Pair<'m, 'a> {
    /// The pair over the time both are there; `None` when that is too short for any event.
    pub(super) fn new(a: &'m Motion<'a>, b: &'m Motion<'a>, options: &EventOptions) -> Option<Self> {
        let (ra, rb) = (a.range(), b.range());
        let range = ra.start.max(rb.start)..ra.end.min(rb.end);
        if (range.len() as f64) * options.step_s < options.avoid_s.min(options.closing_s) {
            return None;
        }
        let same_class = a.mover.label == b.mover.label;
        let links: Vec<Option<Link>> = range.clone().map(|k| link(a, b, k, same_class, options)).collect();
        let mut pair = Self { a, b, range, links, rates: Vec::new() };
        pair.rates = pair.range.clone().map(|k| pair.slope(k, options.step_s)).collect();
        Some(pair)
    }

    pub(super) fn at(&self, k: usize) -> Option<&Link> {
        self.links.get(k.checked_sub(self.range.start)?)?.as_ref()
    }

    /// Distance at `k`; infinite where either was not seen or the two are at different depths.
    pub(super) fn distance(&self, k: usize) -> f64 {
        self.at(k).map_or(f64::INFINITY, |l| l.distance)
    }

    /// How fast the distance grows at `k`; negative while it shrinks.
    pub(super) fn rate(&self, k: usize) -> f64 {
        k.checked_sub(self.range.start).and_then(|i| self.rates.get(i)).copied().unwrap_or(0.0)
    }

    /// Difference over up to two points on each side.
    fn slope(&self, k: usize, step_s: f64) -> f64 {
        let reach = |back: bool| {
            (1..=2).take_while(move |&i| {
                let j = if back { k.checked_sub(i) } else { Some(k + i) };
                j.is_some_and(|j| self.distance(j).is_finite())
            })
        };
        let (before, after) = (reach(true).count(), reach(false).count());
        if before + after == 0 || !self.distance(k).is_finite() {
            return 0.0;
        }
        (self.distance(k + after) - self.distance(k - before)) / ((before + after) as f64 * step_s)
    }
}

fn link(a: &Motion<'_>, b: &Motion<'_>, k: usize, same_class: bool, options: &EventOptions) -> Option<Link> {
    let (s, t) = (a.at(k)?, b.at(k)?);
    let (small, large) = (s.diagonal.min(t.diagonal), s.diagonal.max(t.diagonal));
    if same_class && large > small * options.max_size_ratio {
        return None;
    }
    if s.near.zip(t.near).is_some_and(|(a, b)| (a - b).abs() > options.max_depth_gap) {
        return None;
    }
    let unit = (s.diagonal + t.diagonal) / 2.0;
    let apart = sub(t.at, s.at);
    let sideways = (apart[0].abs() - (s.width + t.width) / 2.0).max(0.0);
    Some(Link { distance: sideways.hypot(apart[1]) / unit, relative_pace: length(sub(t.speed, s.speed)) / small })
}
