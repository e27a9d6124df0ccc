//! Who stands in front of whom, where depth was measured.

use std::ops::RangeInclusive;

use super::{
    Rules,
    motion::State,
    pair::Pair,
    runs::{Fit, runs},
};

/// Stretches in which one of the two covers the other's place in the picture from nearer by; whether the first does.
///
/// A distance that keeps two from being near does not matter here: whoever is far behind is behind all the same.
pub(super) fn fronts(pair: &Pair<'_, '_>, rules: &Rules<'_>) -> Vec<(bool, RangeInclusive<usize>)> {
    let o = rules.options;
    let gap = |k: usize| {
        let (a, b) = (pair.a.at(k)?, pair.b.at(k)?);
        (overlap(a, b, o.foreshortening)).then_some(a.near? - b.near?)
    };
    let side = |sign: f64| {
        runs(pair.range.clone(), |k| {
            gap(k).map_or(Fit::Out, |g| Fit::above(sign * g, [o.front_gap, o.front_gap / 2.0]))
        })
    };
    let told = |(first, runs): (bool, Vec<RangeInclusive<usize>>)| {
        runs.into_iter().filter(|r| rules.seconds(r) >= o.near_s).map(move |r| (first, r))
    };
    [(true, side(1.0)), (false, side(-1.0))].into_iter().flat_map(told).collect()
}

/// Whether their boxes overlap.
fn overlap(a: &State, b: &State, foreshortening: f64) -> bool {
    let sideways = (a.at[0] - b.at[0]).abs() < (a.width + b.width) / 2.0;
    let rows = |s: &State| {
        let foot = s.at[1] / foreshortening;
        (foot - (s.diagonal * s.diagonal - s.width * s.width).max(0.0).sqrt(), foot)
    };
    let ((a_top, a_foot), (b_top, b_foot)) = (rows(a), rows(b));
    sideways && a_top.max(b_top) < a_foot.min(b_foot)
}
