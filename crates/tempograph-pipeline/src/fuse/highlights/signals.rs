//! Signals: how much there is of something, at each point of a grid of times.

use tempograph_core::{MediaTime, Span};

/// Distance of grid points: half the shortest thing that anybody notices as one.
const STEP: MediaTime = MediaTime::from_millis(250);
/// Grid points at most; longer videos have a wider grid, so that memory stays bounded.
const MOST_POINTS: i64 = 200_000;

/// The times at which signals are told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    whole: Span,
    step: i64,
    pub(super) points: usize,
}

impl Grid {
    /// A grid over `whole`; `None` when that lasts no time.
    pub(super) fn over(whole: Span) -> Option<Self> {
        let length = whole.duration().nanos();
        if length <= 0 {
            return None;
        }
        let step = STEP.nanos().max(length / MOST_POINTS + 1);
        Some(Self { whole, step, points: (length / step + i64::from(length % step > 0)) as usize })
    }

    /// The points whose time overlaps `span`; at least one when it lies inside.
    pub(super) fn range(&self, span: Span) -> std::ops::Range<usize> {
        let index = |t: MediaTime| ((t - self.whole.start).nanos().max(0) / self.step) as usize;
        if span.end <= self.whole.start || span.start >= self.whole.end {
            return 0..0;
        }
        let from = index(span.start).min(self.points - 1);
        // The end is not part of the span.
        let to = index(MediaTime::from_nanos(span.end.nanos().saturating_sub(1))).min(self.points - 1);
        from..to.max(from) + 1
    }

    /// The points whose time lies inside `span`; those that overlap it when there are none.
    pub(super) fn inside(&self, span: Span) -> std::ops::Range<usize> {
        let all = self.range(span);
        let from = all.start + usize::from(self.time(all.start) < span.start);
        let last = self.whole.end.min(self.time(all.end));
        let to = all.end - usize::from(!all.is_empty() && last > span.end);
        if from < to { from..to } else { all }
    }

    /// When point `i` begins.
    pub(super) fn time(&self, i: usize) -> MediaTime {
        self.whole.start + MediaTime::from_nanos(self.step.saturating_mul(i as i64))
    }

    /// Points in `time`, at least one.
    pub(super) fn count(&self, time: MediaTime) -> usize {
        (time.nanos().max(0) / self.step).max(1) as usize
    }
}

/// Why a signal is high somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub(super) span: Span,
    /// 0 to 1.
    pub(super) strength: f64,
    pub(super) words: String,
}

/// A value from 0 to 1 at each point, and why.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    grid: Grid,
    values: Vec<f64>,
    notes: Vec<Note>,
}

impl Signal {
    pub(super) fn new(grid: &Grid) -> Self {
        Self { grid: *grid, values: vec![0.0; grid.points], notes: Vec::new() }
    }

    /// At least `value` throughout `span`.
    pub(super) fn raise(&mut self, span: Span, value: f64) {
        let value = held(value);
        for v in &mut self.values[self.grid.range(span)] {
            *v = v.max(value);
        }
    }

    /// `value` besides what is there: two halves make three quarters.
    pub(super) fn join(&mut self, span: Span, value: f64) {
        let value = held(value);
        for v in &mut self.values[self.grid.range(span)] {
            *v = 1.0 - (1.0 - *v) * (1.0 - value);
        }
    }

    /// Says why.
    pub(super) fn note(&mut self, span: Span, strength: f64, words: impl Into<String>) {
        self.notes.push(Note { span, strength: held(strength), words: words.into() });
    }

    pub(super) fn notes(&self) -> &[Note] {
        &self.notes
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Whether there is nothing of it anywhere.
    pub(super) fn is_silent(&self) -> bool {
        self.values.iter().all(|v| *v == 0.0)
    }
}

fn held(value: f64) -> f64 {
    if value.is_finite() { value.clamp(0.0, 1.0) } else { 0.0 }
}

/// The middle of `values`; `None` of fewer than `least`.
pub(super) fn median(mut values: Vec<f64>, least: usize) -> Option<f64> {
    values.retain(|v| v.is_finite());
    if values.len() < least.max(1) {
        return None;
    }
    values.sort_by(f64::total_cmp);
    Some(values[values.len() / 2])
}
