//! Ranks fused, and hits that are one moment joined.

use std::{collections::HashMap, hash::Hash};

use tempograph_core::Span;

use super::{Hit, Match};

/// The constant of reciprocal-rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
const RRF_K: f64 = 60.0;
/// Share of time two spans must have in common to be one moment.
const SAME_MOMENT_IOU: f64 = 0.5;
/// Two spans that touch and begin no further apart than this are one moment, in nanoseconds.
const SAME_START_NS: i64 = 500_000_000;

/// Items of several ranked lists, best first: each list gives an item `1 / (60 + rank)`. Of equal sums the item that a
/// list names earlier comes first.
pub(super) fn fused<T: Copy + Eq + Hash>(lists: &[&[T]]) -> Vec<(T, f64)> {
    let mut sums: HashMap<T, (f64, usize)> = HashMap::new();
    let mut order = 0;
    for list in lists {
        for (rank, &item) in list.iter().enumerate() {
            let entry = sums.entry(item).or_insert((0.0, order));
            entry.0 += 1.0 / (RRF_K + rank as f64 + 1.0);
            order += 1;
        }
    }
    let mut items: Vec<_> = sums.into_iter().map(|(item, (score, order))| (item, score, order)).collect();
    items.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)));
    items.into_iter().map(|(item, score, _)| (item, score)).collect()
}

fn one_moment(a: Span, b: Span) -> bool {
    let common = a.intersect(b).map_or(0, |s| s.duration().nanos());
    let union = a.duration().nanos().saturating_add(b.duration().nanos()).saturating_sub(common);
    let touch = a.start <= b.end && b.start <= a.end;
    touch && (a.start.abs_diff(b.start).nanos() <= SAME_START_NS || common as f64 >= SAME_MOMENT_IOU * union as f64)
}

/// Takes `found` in, into the hit of the same moment where there is one.
///
/// Evidence of another kind adds its score; more of the same adds none.
pub(super) fn join(hits: &mut Vec<Hit>, found: Hit) {
    let Some(first) = found.matches.first() else { return };
    let same = |hit: &&mut Hit| hit.video.id == found.video.id && one_moment(hit.span, found.span);
    let Some(hit) = hits.iter_mut().find(same) else {
        hits.push(found);
        return;
    };
    if hit.matches.iter().any(|m| m.kind == first.kind && m.text == first.text) {
        return;
    }
    if !hit.matches.iter().any(|m| m.kind.same_evidence(first.kind)) {
        hit.score += found.score;
    }
    hit.matches.extend(found.matches);
}

/// Best first; of equals the surer, then the earlier.
pub(super) fn sort(hits: &mut [Hit]) {
    let sure = |h: &Hit| h.matches.first().map_or(0.0, |m: &Match| m.confidence);
    hits.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| sure(b).total_cmp(&sure(a)))
            .then_with(|| (&a.video.id, a.span).cmp(&(&b.video.id, b.span)))
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_two_lists_agree_on_wins() {
        let fused = fused(&[&[1, 2, 3], &[4, 2, 5]]);
        assert_eq!(fused.iter().map(|f| f.0).collect::<Vec<_>>(), [2, 1, 4, 3, 5]);
        assert!((fused[0].1 - 2.0 / 62.0).abs() < 1e-12);
        assert!((fused[1].1 - 1.0 / 61.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn fusion_keeps_order_and_agreement(
            (n, seed) in (1usize..30, any::<u64>()),
        ) {
            // Two lists of distinct items with some in common.
            let a: Vec<i64> = (0..n as i64).collect();
            let mut b: Vec<i64> = (0..n as i64).map(|i| i + n as i64 / 2).collect();
            let turn = (seed % n as u64) as usize;
            b.rotate_left(turn);
            let fused = fused(&[&a, &b]);
            let place = |item: i64| fused.iter().position(|f| f.0 == item).expect("it is there");
            prop_assert_eq!(fused.len(), n + n / 2);
            prop_assert!(fused.windows(2).all(|w| w[0].1 >= w[1].1));
            for (x, y) in a.iter().zip(&a[1..]) {
                // Better in one list and no worse in the other stays better.
                let rank = |v: &[i64], i: i64| v.iter().position(|&x| x == i).unwrap_or(usize::MAX);
                if rank(&b, *x) <= rank(&b, *y) {
                    prop_assert!(place(*x) < place(*y));
                }
            }
        }
    }
}
