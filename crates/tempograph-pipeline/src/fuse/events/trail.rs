//! Trails: one goes where the other has just been.

use std::ops::RangeInclusive;

use tempograph_core::timeline::VisualEventKind;

use super::{
    Found, Rules,
    motion::{Motion, Nature, cosine, dot, length, sub},
    pair::Pair,
    runs::{Fit, join, runs},
};

/// Following and chasing, in both directions.
pub(super) fn trails(pair: &Pair<'_, '_>, rules: &Rules<'_>, out: &mut Vec<Found>) {
    let o = rules.options;
    for (leader, follower) in [(pair.a, pair.b), (pair.b, pair.a)] {
        if leader.nature == Nature::Thing || follower.nature == Nature::Thing {
            continue;
        }
        let beings = leader.nature == Nature::Being && follower.nature == Nature::Being;
        let speeds = |speed: [f64; 2]| {
            let found = runs(pair.range.clone(), |k| fit(leader, follower, k, speed, rules));
            join(found, rules.points(o.merge_s) / 2, |_, _| true)
        };
        let who = vec![rules.index(follower), rules.index(leader)];
        let chases: Vec<_> = if beings { speeds(o.chase_speed) } else { Vec::new() };
        let chases: Vec<_> = chases.into_iter().filter(|r| rules.seconds(r) >= o.chase_s).collect();
        for run in &chases {
            out.push(Found {
                kind: VisualEventKind::Chase,
                who: who.clone(),
                run: run.clone(),
                margin: pace(follower, run) / o.chase_speed[0] - 1.0,
                min_s: o.chase_s,
                ceiling: 1.0,
            });
        }
        for run in speeds(o.follow_speed).into_iter().filter(|r| rules.seconds(r) >= o.follow_s) {
            let common = |c: &RangeInclusive<usize>| run.clone().filter(|k| c.contains(k)).count();
            if chases.iter().map(common).sum::<usize>() * 2 >= run.clone().count() {
                continue;
            }
            out.push(Found {
                kind: VisualEventKind::Follow,
                who: who.clone(),
                margin: (rules.seconds(&run) / o.follow_s - 1.0) / 2.0,
                run,
                min_s: o.follow_s,
                ceiling: 1.0,
            });
        }
    }
}

fn pace(motion: &Motion<'_>, run: &RangeInclusive<usize>) -> f64 {
    let paces: Vec<f64> = run.clone().filter_map(|k| motion.at(k)).map(|s| s.pace()).collect();
    paces.iter().sum::<f64>() / paces.len().max(1) as f64
}

/// Whether `follower` is at `k` where `leader` was a little before, going the same way.
fn fit(leader: &Motion<'_>, follower: &Motion<'_>, k: usize, speed: [f64; 2], rules: &Rules<'_>) -> Fit {
    let o = rules.options;
    let (Some(ahead), Some(me)) = (leader.at(k), follower.at(k)) else { return Fit::Out };
    let moving = Fit::above(ahead.pace().min(me.pace()), speed);
    if rules.camera_moves(k) || moving == Fit::Out {
        return Fit::Out;
    }
    let unit = (ahead.diagonal + me.diagonal) / 2.0;
    let lead = dot(sub(ahead.at, me.at), me.speed) / length(me.speed) / unit;
    if lead < o.follow_ahead[0] || lead > o.follow_ahead[1] {
        return Fit::Out;
    }
    let lags = rules.points(o.follow_lag_s[0]).max(1)..=rules.points(o.follow_lag_s[1]);
    let mut best: Option<(f64, f64)> = None;
    for past in lags.filter_map(|lag| leader.at(k.checked_sub(lag)?)) {
        let off = length(sub(past.at, me.at)) / unit;
        if best.is_none_or(|(least, _)| off < least) {
            best = Some((off, cosine(past.speed, me.speed)));
        }
    }
    best.map_or(Fit::Out, |(off, heading)| {
        moving.min(Fit::below(off, o.follow_path)).min(Fit::above(heading, o.follow_heading))
    })
}
