//! Optimal assignment of rows to columns, used by trackers and by the metrics that judge them.
//!
//! Shortest augmenting paths with dual potentials (Jonker and Volgenant 1987, in the rectangular
//! form of Crouse 2016): `O(min² · max)` time, exact.

/// Pairs each row of a `rows` × `cols` row-major cost matrix with at most one column.
///
/// As many pairs as possible are made, and among those choices the total cost is least. A cost
/// that is not finite forbids its pair. Entry `r` of the answer is the column of row `r`.
///
/// # Panics
/// When `costs.len() != rows * cols`.
pub fn assign(costs: &[f64], rows: usize, cols: usize) -> Vec<Option<usize>> {
    assert_eq!(costs.len(), rows * cols, "one cost for each pair");
    let finite = costs.iter().copied().filter(|c| c.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(l, h), c| (l.min(c), h.max(c)));
    if low > high {
        return vec![None; rows];
    }
    // One forbidden pair must cost more than any full set of allowed ones.
    let forbidden = (high - low + 1.0) * (rows.min(cols) as f64 + 1.0);
    let cost = |i: usize| if costs[i].is_finite() { costs[i] - low } else { forbidden };
    let mut pairs = solve(&cost, rows, cols);
    for (r, pair) in pairs.iter_mut().enumerate() {
        *pair = pair.filter(|&c| costs[r * cols + c].is_finite());
    }
    pairs
}

/// As [`assign`], but a pair may cost at most `limit`, and leaving two unpaired costs `limit`.
///
/// The least sum of `cost - limit` over the chosen pairs: what `lap.lapjv` calls `cost_limit`.
///
/// # Panics
/// When `costs.len() != rows * cols`.
pub fn assign_within(costs: &[f64], rows: usize, cols: usize, limit: f64) -> Vec<Option<usize>> {
    assert_eq!(costs.len(), rows * cols, "one cost for each pair");
    // A pair at or over the limit adds as much as no pair, so clipping leaves the optimum alone.
    let cost = |i: usize| if costs[i] < limit { costs[i] } else { limit };
    let mut pairs = solve(&cost, rows, cols);
    for (r, pair) in pairs.iter_mut().enumerate() {
        *pair = pair.filter(|&c| costs[r * cols + c] <= limit);
    }
    pairs
}

/// A full assignment of the shorter side; `cost(r * cols + c)` must be finite.
fn solve(cost: &dyn Fn(usize) -> f64, rows: usize, cols: usize) -> Vec<Option<usize>> {
    if rows <= cols {
        return solve_wide(&|r, c| cost(r * cols + c), rows, cols);
    }
    let mut pairs = vec![None; rows];
    for (c, r) in solve_wide(&|c, r| cost(r * cols + c), cols, rows).into_iter().enumerate() {
        if let Some(r) = r {
            pairs[r] = Some(c);
        }
    }
    pairs
}

fn solve_wide(cost: &dyn Fn(usize, usize) -> f64, rows: usize, cols: usize) -> Vec<Option<usize>> {
    const NONE: usize = usize::MAX;
    let mut row_dual = vec![0.0; rows];
    let mut col_dual = vec![0.0; cols];
    let mut col_of = vec![NONE; rows];
    let mut row_of = vec![NONE; cols];
    let mut reach = vec![f64::INFINITY; cols];
    let mut from = vec![NONE; cols];
    let mut open: Vec<usize> = Vec::with_capacity(cols);
    let mut closed: Vec<usize> = Vec::with_capacity(cols);
    for start in 0..rows {
        reach.fill(f64::INFINITY);
        open.clear();
        open.extend((0..cols).rev());
        closed.clear();
        let (mut row, mut distance) = (start, 0.0);
        let end = loop {
            let (mut best, mut best_at) = (f64::INFINITY, 0);
            for (at, &c) in open.iter().enumerate() {
                let through = distance + cost(row, c) - row_dual[row] - col_dual[c];
                if through < reach[c] {
                    reach[c] = through;
                    from[c] = row;
                }
                // A free column ends the path, so it wins a tie.
                if reach[c] < best || (reach[c] == best && row_of[c] == NONE) {
                    (best, best_at) = (reach[c], at);
                }
            }
            distance = best;
            let c = open.swap_remove(best_at);
            closed.push(c);
            if row_of[c] == NONE {
                break c;
            }
            row = row_of[c];
        };
        row_dual[start] += distance;
        for &c in &closed[..closed.len() - 1] {
            row_dual[row_of[c]] += distance - reach[c];
            col_dual[c] -= distance - reach[c];
        }
        let mut c = end;
        loop {
            let r = from[c];
            row_of[c] = r;
            std::mem::swap(&mut col_of[r], &mut c);
            if r == start {
                break;
            }
        }
    }
    col_of.into_iter().map(|c| (c != NONE).then_some(c)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `(pairs, cost)` of the best choice by trying every one.
    fn brute_force(costs: &[f64], rows: usize, cols: usize, row: usize, used: u32, limit: Option<f64>) -> (usize, f64) {
        if row == rows {
            return (0, 0.0);
        }
        let mut best = brute_force(costs, rows, cols, row + 1, used, limit);
        for c in (0..cols).filter(|c| used & (1 << c) == 0) {
            let cost = costs[row * cols + c];
            if !cost.is_finite() || limit.is_some_and(|l| cost > l) {
                continue;
            }
            let (pairs, rest) = brute_force(costs, rows, cols, row + 1, used | (1 << c), limit);
            let found = (pairs + 1, rest + cost - limit.unwrap_or(0.0));
            let better = match limit {
                Some(_) => found.1 < best.1,
                None => found.0 > best.0 || (found.0 == best.0 && found.1 < best.1),
            };
            if better {
                best = found;
            }
        }
        best
    }

    fn matrix() -> impl Strategy<Value = (usize, usize, Vec<f64>)> {
        (0usize..6, 0usize..6).prop_flat_map(|(rows, cols)| {
            let cost = prop_oneof![6 => -3.0..3.0f64, 2 => (0..3i32).prop_map(f64::from), 1 => Just(f64::INFINITY)];
            (Just(rows), Just(cols), prop::collection::vec(cost, rows * cols))
        })
    }

    proptest! {
        #[test]
        fn as_good_as_trying_everything((rows, cols, costs) in matrix()) {
            let pairs = assign(&costs, rows, cols);
            let chosen: Vec<usize> = pairs.iter().flatten().copied().collect();
            let mut unique = chosen.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(unique.len(), chosen.len());
            let total: f64 = pairs.iter().enumerate().filter_map(|(r, c)| c.map(|c| costs[r * cols + c])).sum();
            let (count, best) = brute_force(&costs, rows, cols, 0, 0, None);
            prop_assert_eq!(chosen.len(), count);
            prop_assert!((total - best).abs() < 1e-9, "{} for {}", total, best);
        }

        #[test]
        fn a_limit_is_as_good_as_trying_everything((rows, cols, costs) in matrix(), limit in -1.0..2.0f64) {
            let pairs = assign_within(&costs, rows, cols, limit);
            let total: f64 = pairs.iter().enumerate().filter_map(|(r, c)| c.map(|c| costs[r * cols + c] - limit)).sum();
            let (_, best) = brute_force(&costs, rows, cols, 0, 0, Some(limit));
            prop_assert!((total - best).abs() < 1e-9, "{} for {}", total, best);
        }
    }
}
