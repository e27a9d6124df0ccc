//! Staying: idle, and observing from where one stays.

use std::ops::RangeInclusive;

use tempograph_core::timeline::VisualEventKind;

use super::{
    Found, Rules,
    motion::{Motion, Nature, length, sub},
    pair::Pair,
    runs::{Fit, join, runs},
    sweep::Sweep,
};

/// Mean position and body length of `motion` over `run`.
fn mean(motion: &Motion<'_>, run: &RangeInclusive<usize>) -> Option<([f64; 2], f64)> {
    let states: Vec<_> = run.clone().filter_map(|k| motion.at(k)).collect();
    let n = states.len() as f64;
    let sum = states.iter().fold(([0.0; 2], 0.0), |(p, d), s| ([p[0] + s.at[0], p[1] + s.at[1]], d + s.diagonal));
    (n > 0.0).then(|| ([sum.0[0] / n, sum.0[1] / n], sum.1 / n))
}

/// Stays of those that could move. Pushes an event for each and returns its stretch.
pub(super) fn idle(motion: &Motion<'_>, rules: &Rules<'_>, out: &mut Vec<Found>) -> Vec<RangeInclusive<usize>> {
    let o = rules.options;
    if motion.nature == Nature::Thing {
        return Vec::new();
    }
    let found = runs(motion.range(), |k| match motion.at(k) {
        Some(s) if !rules.camera_moves(k) => Fit::below(s.pace(), o.idle_speed),
        _ => Fit::Out,
    });
    // Out of sight for a moment, or a wild box: the same stay when it goes on at the same place.
    let same = |a: &RangeInclusive<usize>, b: &RangeInclusive<usize>| match (mean(motion, a), mean(motion, b)) {
        (Some((pa, d)), Some((pb, _))) => length(sub(pa, pb)) <= o.idle_drift * d,
        _ => false,
    };
    let stays: Vec<_> = join(found, rules.points(o.merge_s), same)
        .into_iter()
        .filter(|run| {
            let Some((centre, d)) = mean(motion, run) else { return false };
            let strays = |k: usize| motion.at(k).is_some_and(|s| length(sub(s.at, centre)) > o.idle_drift * d);
            rules.seconds(run) >= o.idle_s && !run.clone().any(strays)
        })
        .collect();
    for run in &stays {
        let states: Vec<_> = run.clone().filter_map(|k| motion.at(k)).collect();
        let pace = states.iter().map(|s| s.pace()).sum::<f64>() / states.len().max(1) as f64;
        out.push(Found {
            kind: VisualEventKind::Idle,
            who: vec![rules.index(motion)],
            run: run.clone(),
            margin: 1.0 - pace / o.idle_speed[1],
            min_s: o.idle_s,
            ceiling: 1.0,
        });
    }
    stays
}

/// A being that stays while exactly one other moves at some distance. `stays` are ordered by motion, then time.
///
/// Boxes do not show where somebody looks, so this says no more than that there was one thing to
/// look at; its confidence is held low.
pub(super) fn observe(
    stays: &[(usize, RangeInclusive<usize>)],
    pairs: &[Pair<'_, '_>],
    rules: &Rules<'_>,
    out: &mut Vec<Found>,
) {
    let o = rules.options;
    // Each pair with the position of the other, under the one that may watch.
    let mut others: Vec<Vec<(usize, &Pair<'_, '_>)>> = vec![Vec::new(); rules.motions.len()];
    for pair in pairs {
        let (a, b) = (rules.index(pair.a), rules.index(pair.b));
        others[a].push((b, pair));
        others[b].push((a, pair));
    }
    for own in stays.chunk_by(|a, b| a.0 == b.0) {
        let watcher = own[0].0;
        if rules.motions[watcher].nature != Nature::Being {
            continue;
        }
        let mut sweep = Sweep::new(std::mem::take(&mut others[watcher]), |(_, pair)| pair.range.clone());
        for (_, stay) in own {
            sweep.go_to(&(*stay.start()..stay.end() + 1));
            let mut candidates =
                sweep.there().iter().filter_map(|&(other, pair)| Some((other, watched(other, pair, stay, rules)?)));
            // With several to look at, nothing says which one is.
            if let (Some((other, run)), None) = (candidates.next(), candidates.next()) {
                out.push(Found {
                    kind: VisualEventKind::Observe,
                    who: vec![watcher, other],
                    margin: 0.5,
                    min_s: o.observe_s,
                    ceiling: o.observe_max_confidence,
                    run,
                });
            }
        }
    }
}

/// The longest stretch of `stay` in which `other` of `pair` is there to look at.
fn watched(
    other: usize,
    pair: &Pair<'_, '_>,
    stay: &RangeInclusive<usize>,
    rules: &Rules<'_>,
) -> Option<RangeInclusive<usize>> {
    let o = rules.options;
    let motion = &rules.motions[other];
    let range = pair.range.start.max(*stay.start())..pair.range.end.min(stay.end() + 1);
    let moves = |k: usize| motion.at(k).is_some_and(|s| s.pace() >= o.observe_speed) && !rules.camera_moves(k);
    let found = runs(range, |k| {
        let d = pair.distance(k);
        let right = o.observe_distance[0] <= d && d <= o.observe_distance[1];
        if moves(k) && right { Fit::Enter } else { Fit::Out }
    });
    let longest = found.into_iter().max_by_key(|r| r.end() - r.start())?;
    (motion.nature != Nature::Thing && rules.seconds(&longest) >= o.observe_s).then_some(longest)
}
