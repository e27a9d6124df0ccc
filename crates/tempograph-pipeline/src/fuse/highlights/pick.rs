//! The best windows that do not overlap.

use tempograph_core::Span;

use super::{HighlightOptions, Weighed, edges::Edges, signals::Grid};

/// Lengths that are tried, each this many times the one before.
const LONGER: f64 = 1.5;

/// A window on the grid.
struct Candidate {
    score: f64,
    first: usize,
    points: usize,
    /// How far it is from the middle of the windows that score the same around it.
    aside: usize,
}

/// A highlight before it has a rank.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) span: Span,
    /// 0 to 1.
    pub(super) score: f64,
}

/// At most `options.count` windows that do not overlap, the best first as far as their edges allow.
pub(super) fn best(grid: &Grid, signals: &[Weighed], edges: &Edges, options: &HighlightOptions) -> Vec<Window> {
    let whole = edges.whole();
    let min = options.min.min(whole.duration());
    let max = options.max.max(min);
    let sums: Vec<Vec<f64>> = signals.iter().map(|w| prefix(w.signal.values())).collect();
    let all: Vec<f64> =
        (0..grid.points).map(|i| signals.iter().map(|w| w.weight * w.signal.values()[i]).sum()).collect();

    let mut candidates: Vec<Candidate> = Vec::new();
    let mut length = min;
    loop {
        let points = grid.count(length).min(grid.points);
        let peaks: Vec<Vec<f64>> = signals.iter().map(|w| highest(w.signal.values(), points)).collect();
        let scores: Vec<f64> = (0..=grid.points - points)
            .map(|i| {
                let of = |s: usize| {
                    let mean = (sums[s][i + points] - sums[s][i]) / points as f64;
                    signals[s].weight * (mean + peaks[s][i]) / 2.0
                };
                (0..signals.len()).map(of).sum()
            })
            .collect();
        let mut first = 0;
        for alike in scores.chunk_by(|a, b| (a - b).abs() < 1e-9) {
            let middle = first + alike.len() / 2;
            candidates.extend(
                alike.iter().enumerate().filter(|(_, s)| **s >= options.min_score).map(|(k, &score)| Candidate {
                    score,
                    first: first + k,
                    points,
                    aside: (first + k).abs_diff(middle),
                }),
            );
            first += alike.len();
        }
        let longer = tempograph_core::MediaTime::from_nanos((length.nanos() as f64 * LONGER) as i64);
        if longer > max || longer <= length {
            break;
        }
        length = longer;
    }
    // Of equals the longer: it shows more; then the one that has what it is about in its middle.
    candidates.sort_by(|a, b| {
        let rest = |c: &Candidate| (std::cmp::Reverse(c.points), c.aside, c.first);
        b.score.total_cmp(&a.score).then_with(|| rest(a).cmp(&rest(b)))
    });

    let mut found: Vec<Window> = Vec::new();
    for Candidate { first: i, points, .. } in candidates {
        if found.len() >= options.count {
            break;
        }
        let end = if i + points >= grid.points { whole.end } else { grid.time(i + points) };
        let window = Span::new(grid.time(i), end);
        let peak = middle_of_peak(&all[i..i + points]) + i;
        let free = |span: Span, found: &[Window]| found.iter().all(|f| f.span.intersect(span).is_none());
        // Whatever its edges do, the peak stays inside.
        if !free(Span::new(grid.time(peak), grid.time(peak + 1)), &found) {
            continue;
        }
        let Some(span) = edges.settle(window, grid.time(peak), min, max) else { continue };
        let score = score(signals, grid, span);
        if free(span, &found) && score >= options.min_score {
            found.push(Window { span, score });
        }
    }
    found
}

/// The middle of the first run of highest values: of a sound that begins just before a cut, what
/// comes after it counts.
fn middle_of_peak(values: &[f64]) -> usize {
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let high = |v: &f64| most - v < 1e-9;
    let from = values.iter().position(high).unwrap_or(0);
    let length = values[from..].iter().take_while(|v| high(v)).count();
    from + length / 2
}

/// The score of `span`. A point that reaches out of it does not count: what raised it may lie outside.
fn score(signals: &[Weighed], grid: &Grid, span: Span) -> f64 {
    let range = grid.inside(span);
    let of = |w: &Weighed| {
        let values = &w.signal.values()[range.clone()];
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        w.weight * (mean + values.iter().copied().fold(0.0, f64::max)) / 2.0
    };
    signals.iter().map(of).sum()
}

/// Sums of the first `0, 1, …` values.
fn prefix(values: &[f64]) -> Vec<f64> {
    let sums = values.iter().scan(0.0, |sum, v| {
        *sum += v;
        Some(*sum)
    });
    std::iter::once(0.0).chain(sums).collect()
}

/// The highest of each `width` consecutive values, in one pass (a queue of falling candidates).
fn highest(values: &[f64], width: usize) -> Vec<f64> {
    let mut queue = std::collections::VecDeque::new();
    let mut out = Vec::with_capacity(values.len().saturating_sub(width) + 1);
    for (i, v) in values.iter().enumerate() {
        while queue.back().is_some_and(|&k: &usize| values[k] <= *v) {
            queue.pop_back();
        }
        queue.push_back(i);
        if queue.front().is_some_and(|&k| k + width <= i) {
            queue.pop_front();
        }
        if i + 1 >= width {
            out.extend(queue.front().map(|&k| values[k]));
        }
    }
    out
}
