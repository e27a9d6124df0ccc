//! Runs: stretches of grid points where something holds, with hysteresis.

use std::ops::RangeInclusive;

/// How well a rule is met at one grid point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// Not at all: a run ends.
    Out,
    /// Well enough for a run to go on.
    Stay,
    /// Well enough for a run to begin.
    Enter,
}

impl Fit {
    /// The fit of a value that should be large.
    pub(super) fn above(value: f64, [enter, leave]: [f64; 2]) -> Self {
        if value >= enter {
            Self::Enter
        } else if value >= leave {
            Self::Stay
        } else {
            Self::Out
        }
    }

    /// The fit of a value that should be small.
    pub(super) fn below(value: f64, [enter, leave]: [f64; 2]) -> Self {
        Self::above(-value, [-enter, -leave])
    }
}

/// Maximal stretches of `range` that hold at least one [`Fit::Enter`] and no [`Fit::Out`].
///
/// Points that only stay, before the first that enters, belong to it as well.
pub(super) fn runs(range: std::ops::Range<usize>, fit: impl Fn(usize) -> Fit) -> Vec<RangeInclusive<usize>> {
    let mut found = Vec::new();
    let mut open: Option<(usize, bool)> = None;
    for k in range.clone() {
        match (fit(k), &mut open) {
            (Fit::Out, _) => {
                if let Some((start, true)) = open {
                    found.push(start..=k - 1);
                }
                open = None;
            }
            (fit, Some((_, entered))) => *entered |= fit == Fit::Enter,
            (fit, None) => open = Some((k, fit == Fit::Enter)),
        }
    }
    if let Some((start, true)) = open {
        found.push(start..=range.end - 1);
    }
    found
}

/// Joins runs with at most `gap` points between them when `same` agrees.
pub(super) fn join(
    runs: Vec<RangeInclusive<usize>>,
    gap: usize,
    same: impl Fn(&RangeInclusive<usize>, &RangeInclusive<usize>) -> bool,
) -> Vec<RangeInclusive<usize>> {
    let mut joined: Vec<RangeInclusive<usize>> = Vec::with_capacity(runs.len());
    for run in runs {
        match joined.last_mut() {
            Some(last) if run.start() - last.end() <= gap + 1 && same(last, &run) => {
                *last = *last.start()..=*run.end();
            }
            _ => joined.push(run),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_around_one_threshold_does_not_break_a_run() {
        let values = [0.0, 0.4, 0.6, 0.45, 0.7, 0.2, 0.4, 0.4, 0.1, 0.9];
        let found = runs(0..values.len(), |k| Fit::above(values[k], [0.5, 0.3]));
        assert_eq!(found, [1..=4, 9..=9]);
        assert!(runs(0..0, |_| Fit::Enter).is_empty());
    }

    #[test]
    fn runs_join_over_short_gaps() {
        let found = join(vec![0..=3, 6..=8, 20..=22], 3, |_, _| true);
        assert_eq!(found, [0..=8, 20..=22]);
        assert_eq!(join(vec![0..=3, 5..=8], 3, |_, _| false).len(), 2);
    }

    #[test]
    fn below_mirrors_above() {
        assert_eq!(Fit::below(0.1, [0.2, 0.4]), Fit::Enter);
        assert_eq!(Fit::below(0.3, [0.2, 0.4]), Fit::Stay);
        assert_eq!(Fit::below(0.5, [0.2, 0.4]), Fit::Out);
    }
}
