//! What there is at a time, for times that only go on.

use std::{ops::Range, vec};

/// Goes once through things that each last for a range of grid points, so that asking at every
/// point costs what is there and not all there is.
pub(super) struct Sweep<T, R> {
    range: R,
    /// By their first point, the next one first.
    waiting: vec::IntoIter<T>,
    there: Vec<T>,
}

impl<T, R: Fn(&T) -> Range<usize>> Sweep<T, R> {
    pub(super) fn new(mut things: Vec<T>, range: R) -> Self {
        things.sort_by_key(|t| range(t).start);
        Self { range, waiting: things.into_iter(), there: Vec::new() }
    }

    /// Goes on to `when`, which neither begins nor ends before the one before it.
    pub(super) fn go_to(&mut self, when: &Range<usize>) {
        let begun = self.waiting.as_slice().iter().take_while(|t| (self.range)(t).start < when.end).count();
        self.there.extend(self.waiting.by_ref().take(begun));
        self.there.retain(|t| (self.range)(t).end > when.start);
    }

    /// What shares a point with where it is.
    pub(super) fn there(&self) -> &[T] {
        &self.there
    }

    /// The first point of what comes next.
    ///
    /// A file's clock may jump by years: where nothing is there, go on from here instead of point by point.
    pub(super) fn next_start(&self) -> Option<usize> {
        self.waiting.as_slice().first().map(|t| (self.range)(t).start)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_there_is_what_overlaps(
            ranges in prop::collection::vec((0usize..50, 1usize..20), 0..30),
            steps in prop::collection::vec((0usize..8, 1usize..6), 1..20),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let mut sweep = Sweep::new(ranges.clone(), Range::clone);
            let mut when = 0..0;
            for (step, length) in steps {
                let start = when.start + step;
                when = start..when.end.max(start + length);
                sweep.go_to(&when);
                let overlap = |r: &&Range<usize>| r.start < when.end && when.start < r.end;
                let mut want: Vec<_> = ranges.iter().filter(overlap).cloned().collect();
                let mut got = sweep.there().to_vec();
                want.sort_by_key(|r| (r.start, r.end));
                got.sort_by_key(|r| (r.start, r.end));
                prop_assert_eq!(got, want);
                prop_assert_eq!(sweep.next_start(), ranges.iter().map(|r| r.start).filter(|s| *s >= when.end).min());
            }
        }
    }
}
