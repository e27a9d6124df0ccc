//! Nearness: approach, depart, interact, and the intervals in which two are near.

use std::ops::RangeInclusive;

use tempograph_core::timeline::VisualEventKind;

use super::{
    Found, Rules,
    motion::{Nature, dot, length, sub},
    pair::Pair,
    runs::{Fit, join, runs},
};

/// Stretches in which the two are near, long enough to count.
pub(super) fn near(pair: &Pair<'_, '_>, rules: &Rules<'_>) -> Vec<RangeInclusive<usize>> {
    let o = rules.options;
    runs(pair.range.clone(), |k| Fit::below(pair.distance(k), o.near))
        .into_iter()
        .filter(|r| rules.seconds(r) >= o.near_s)
        .collect()
}

/// Those of `near` in which the two are together for a while instead of passing each other.
pub(super) fn meetings(
    pair: &Pair<'_, '_>,
    near: &[RangeInclusive<usize>],
    rules: &Rules<'_>,
) -> Vec<RangeInclusive<usize>> {
    let together = |r: &RangeInclusive<usize>| {
        let slow = |&k: &usize| pair.at(k).is_some_and(|l| l.relative_pace <= rules.options.together_speed);
        r.clone().filter(slow).count() as f64 * rules.options.step_s >= rules.options.linger_s
    };
    near.iter().filter(|r| together(r)).cloned().collect()
}

/// Approaches that end in a meeting, and departures from one.
pub(super) fn closing(
    pair: &Pair<'_, '_>,
    meetings: &[RangeInclusive<usize>],
    rules: &Rules<'_>,
    out: &mut Vec<Found>,
) {
    let o = rules.options;
    for (kind, sign) in [(VisualEventKind::Approach, -1.0), (VisualEventKind::Depart, 1.0)] {
        if meetings.is_empty() {
            return;
        }
        for run in runs(pair.range.clone(), |k| {
            if pair.distance(k).is_finite() { Fit::above(sign * pair.rate(k), o.closing_speed) } else { Fit::Out }
        }) {
            let (first, last) = (*run.start(), *run.end());
            let change = sign * (pair.distance(last) - pair.distance(first));
            // The near end of the run must lie in a meeting.
            let meeting_end = if sign < 0.0 { last } else { first };
            let met = meetings.iter().any(|m| m.contains(&meeting_end));
            if !met || change < o.closing_change || rules.seconds(&run) < o.closing_s {
                continue;
            }
            let Some(who) = movers_first(pair, &run, sign, rules) else { continue };
            let margin = (change / o.closing_change - 1.0) / 2.0;
            out.push(Found { kind, who, run, margin, min_s: o.closing_s, ceiling: 1.0 });
        }
    }
}

/// The two, the one that makes most of the change first; `None` when neither can act.
fn movers_first(pair: &Pair<'_, '_>, run: &RangeInclusive<usize>, sign: f64, rules: &Rules<'_>) -> Option<Vec<usize>> {
    let mut share = [0.0; 2];
    for k in run.clone() {
        let (Some(a), Some(b)) = (pair.a.at(k), pair.b.at(k)) else { continue };
        let apart = sub(b.at, a.at);
        let norm = length(apart).max(f64::MIN_POSITIVE);
        share[0] -= sign * dot(a.speed, apart) / norm;
        share[1] += sign * dot(b.speed, apart) / norm;
    }
    let acts = [pair.a.nature != Nature::Thing, pair.b.nature != Nature::Thing];
    let (a, b) = (rules.index(pair.a), rules.index(pair.b));
    match acts {
        [false, false] => None,
        [true, false] => Some(vec![a, b]),
        [false, true] => Some(vec![b, a]),
        [true, true] => Some(if share[0] >= share[1] { vec![a, b] } else { vec![b, a] }),
    }
}

/// Two that touch while they hardly move against each other.
pub(super) fn interact(pair: &Pair<'_, '_>, rules: &Rules<'_>, out: &mut Vec<Found>) {
    let o = rules.options;
    let beings = [pair.a.nature, pair.b.nature].iter().filter(|&&n| n == Nature::Being).count();
    if beings == 0 {
        return;
    }
    // What is never seen apart from its bearer (a tie, a bicycle under its rider) is not met.
    let apart = || pair.range.clone().any(|k| pair.distance(k).is_finite() && pair.distance(k) > o.near[0]);
    if beings == 1 && !apart() {
        return;
    }
    let found = runs(pair.range.clone(), |k| {
        pair.at(k).map_or(Fit::Out, |l| Fit::below(l.distance, o.touch).min(Fit::below(l.relative_pace, o.touch_speed)))
    });
    for run in join(found, rules.points(o.merge_s), |_, _| true) {
        if rules.seconds(&run) < o.interact_s {
            continue;
        }
        let (a, b) = (rules.index(pair.a), rules.index(pair.b));
        let who = if pair.a.nature == Nature::Being { vec![a, b] } else { vec![b, a] };
        let links: Vec<_> = run.clone().filter_map(|k| pair.at(k)).collect();
        let pace = links.iter().map(|l| l.relative_pace).sum::<f64>() / links.len().max(1) as f64;
        let margin = 1.0 - pace / o.touch_speed[1];
        out.push(Found { kind: VisualEventKind::Interact, who, run, margin, min_s: o.interact_s, ceiling: 1.0 });
    }
}
