//! Groups: three or more beings that stay near each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use tempograph_core::timeline::VisualEventKind;

use super::{Found, Rules, sweep::Sweep};

/// Two motions and when they are near and together.
pub(super) type Nearness = (usize, usize, RangeInclusive<usize>);

/// A group while it is followed through time.
struct Open {
    from: usize,
    last: usize,
    /// Grid points at which each has been in it.
    members: BTreeMap<usize, usize>,
    now: BTreeSet<usize>,
}

/// Groups made of pairs of beings that meet.
pub(super) fn groups(near: &[Nearness], rules: &Rules<'_>, out: &mut Vec<Found>) {
    let mut sweep = Sweep::new(near.iter().collect(), |n: &&Nearness| *n.2.start()..n.2.end() + 1);
    let mut open: Vec<Open> = Vec::new();
    let mut k = 0;
    loop {
        sweep.go_to(&(k..k + 1));
        if sweep.there().is_empty() {
            let Some(next) = sweep.next_start() else { break };
            if open.is_empty() {
                k = next;
                continue;
            }
        }
        for members in components(sweep.there()).into_iter().filter(|c| c.len() >= rules.options.group_size) {
            // The open group that shares most members goes on; of equals the oldest.
            let shared = |g: &Open| g.now.intersection(&members).count();
            let best = (0..open.len()).max_by_key(|&i| (shared(&open[i]), std::cmp::Reverse(i)));
            let same =
                best.filter(|&i| open[i].last < k && shared(&open[i]) * 2 >= open[i].now.len().min(members.len()));
            let i = same.unwrap_or_else(|| {
                open.push(Open { from: k, last: k, members: BTreeMap::new(), now: BTreeSet::new() });
                open.len() - 1
            });
            for &m in &members {
                *open[i].members.entry(m).or_default() += 1;
            }
            open[i].last = k;
            open[i].now = members;
        }
        let gap = rules.points(rules.options.merge_s) / 2;
        let (over, going): (Vec<_>, Vec<_>) = open.into_iter().partition(|g| k - g.last > gap);
        open = going;
        over.iter().for_each(|g| close(g, rules, out));
        k += 1;
    }
    open.iter().for_each(|g| close(g, rules, out));
}

/// Connected components of the pairs.
fn components(pairs: &[&Nearness]) -> Vec<BTreeSet<usize>> {
    let mut sets: Vec<BTreeSet<usize>> = Vec::new();
    for (a, b, _) in pairs {
        let (joined, rest): (Vec<_>, Vec<_>) = sets.into_iter().partition(|s| s.contains(a) || s.contains(b));
        sets = rest;
        let mut set: BTreeSet<usize> = joined.into_iter().flatten().collect();
        set.extend([*a, *b]);
        sets.push(set);
    }
    sets.sort();
    sets
}

fn close(group: &Open, rules: &Rules<'_>, out: &mut Vec<Found>) {
    let o = rules.options;
    let run = group.from..=group.last;
    let points = group.last - group.from + 1;
    let who: Vec<usize> = group.members.iter().filter(|&(_, &n)| n * 2 >= points).map(|(&m, _)| m).collect();
    if rules.seconds(&run) >= o.group_s && who.len() >= o.group_size {
        let margin = (who.len() - o.group_size) as f64 / 3.0 + 0.3;
        out.push(Found { kind: VisualEventKind::Group, who, run, margin, min_s: o.group_s, ceiling: 1.0 });
    }
}
