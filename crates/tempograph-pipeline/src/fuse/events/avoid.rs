//! Avoiding: turning away from an expected collision.

use tempograph_core::timeline::VisualEventKind;

use super::{
    Found, Rules,
    motion::{Motion, Nature, State, cosine, dot, length, sub},
    pair::Pair,
    runs::{Fit, runs},
};

/// Events in which one of the two turns off a collision course and keeps its distance.
pub(super) fn avoid(pair: &Pair<'_, '_>, rules: &Rules<'_>, out: &mut Vec<Found>) {
    let o = rules.options;
    for course in runs(pair.range.clone(), |k| if expected(pair, k, rules).is_some() { Fit::Enter } else { Fit::Out }) {
        if rules.seconds(&course) < o.avoid_s {
            continue;
        }
        let (first, last) = (*course.start(), *course.end());
        let Some(ahead_s) = expected(pair, last, rules) else { continue };
        let until = (last + rules.points(ahead_s + 1.0)).min(pair.range.end.saturating_sub(1));
        let apart = |k: usize| Some((separation(pair.a.at(k)?, pair.b.at(k)?), k));
        let nearest = (last..=until).filter_map(apart).min_by(|x, y| x.0.total_cmp(&y.0));
        let Some((kept, at)) = nearest.filter(|&(kept, _)| kept >= o.avoid_kept) else { continue };
        // The two must have come past each other; otherwise one only stopped being seen.
        if at + rules.points(0.4) > until {
            continue;
        }
        let turned = |m: &Motion<'_>| turn(m, first, last, at, rules);
        let (Some(a), Some(b)) = (turned(pair.a), turned(pair.b)) else { continue };
        let (who, turn) = if a >= b { ((pair.a, pair.b), a) } else { ((pair.b, pair.a), b) };
        if who.0.nature != Nature::Being || turn < o.avoid_turn_deg || a.min(b) * 1.5 > turn {
            continue;
        }
        out.push(Found {
            kind: VisualEventKind::Avoid,
            who: vec![rules.index(who.0), rules.index(who.1)],
            run: first..=at,
            margin: (turn / o.avoid_turn_deg - 1.0).min(kept / o.avoid_kept - 1.0),
            min_s: o.avoid_s,
            ceiling: 1.0,
        });
    }
}

/// Distance between the feet in body lengths.
fn separation(a: &State, b: &State) -> f64 {
    length(sub(b.at, a.at)) / ((a.diagonal + b.diagonal) / 2.0)
}

/// Seconds until the two collide if they go straight on, when that is to be expected at `k`.
fn expected(pair: &Pair<'_, '_>, k: usize, rules: &Rules<'_>) -> Option<f64> {
    let o = rules.options;
    pair.at(k)?;
    let (a, b) = (pair.a.at(k)?, pair.b.at(k)?);
    if rules.camera_moves(k) || separation(a, b) < o.avoid_kept {
        return None;
    }
    let unit = (a.diagonal + b.diagonal) / 2.0;
    let scale = |v: [f64; 2]| [v[0] / unit, v[1] / unit];
    let (place, speed) = (scale(sub(b.at, a.at)), scale(sub(b.speed, a.speed)));
    let square = dot(speed, speed);
    if square < o.avoid_speed * o.avoid_speed {
        return None;
    }
    let ahead_s = -dot(place, speed) / square;
    let miss = length([place[0] + speed[0] * ahead_s, place[1] + speed[1] * ahead_s]);
    let soon = o.avoid_ahead_s[0] <= ahead_s && ahead_s <= o.avoid_ahead_s[1];
    (soon && miss <= o.avoid_expected).then_some(ahead_s)
}

/// Degrees between the heading on the course and the sharpest heading until `at`; 0 for one that
/// hardly moves on the course or stops instead of turning.
fn turn(motion: &Motion<'_>, first: usize, last: usize, at: usize, rules: &Rules<'_>) -> Option<f64> {
    let before = motion.at((first + last) / 2)?;
    if before.pace() < rules.options.avoid_speed {
        return Some(0.0);
    }
    let angles = (last..=at)
        .filter_map(|k| motion.at(k))
        .filter(|s| s.pace() >= rules.options.avoid_speed)
        .map(|s| cosine(before.speed, s.speed).clamp(-1.0, 1.0).acos().to_degrees());
    Some(angles.fold(0.0, f64::max))
}
