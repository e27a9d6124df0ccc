//! Counting frames between two times.

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use super::Scores;

/// A length of time, in frames (an integer in JSON) or seconds (a number with a decimal point).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Length {
    /// Frames at the mean frame rate.
    Frames(u32),
    /// Seconds.
    Secs(f64),
}

impl Length {
    /// Whether it is zero.
    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Frames(n) => n == 0,
            Self::Secs(s) => s <= 0.0,
        }
    }

    /// Fails when it is negative or not a number.
    pub(super) fn check(self, name: &str) -> Result<()> {
        match self {
            Self::Secs(s) if !(s.is_finite() && s >= 0.0) => {
                Err(Error::new(ErrorKind::Config, format!("`{name}` must not be negative: {s}")))
            }
            _ => Ok(()),
        }
    }
}

/// The times of the frames and the rate that lengths are counted with.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Microseconds from the first frame.
    micros: Vec<i64>,
    fps: f64,
}

impl Clock {
    /// A clock over the times of `scores` at the mean rate `fps`; 0 takes it from the times.
    pub fn new(scores: &Scores, fps: f64) -> Self {
        let start = scores.times.first().map_or(0, |t| t.nanos());
        let micros: Vec<i64> =
            scores.times.iter().map(|t| t.nanos().saturating_sub(start).saturating_add(500).div_euclid(1000)).collect();
        let span = micros.last().map_or(0.0, |&last| last as f64 / 1e6);
        let measured = if span > 0.0 { (micros.len() - 1) as f64 / span } else { 25.0 };
        let fps = if fps.is_finite() && fps > 0.0 { fps } else { measured };
        Self { micros, fps: snap(fps) }
    }

    /// Seconds from frame `a` to frame `b`, at least 0.
    fn seconds(&self, a: usize, b: usize) -> f64 {
        self.micros[b].saturating_sub(self.micros[a]).max(0) as f64 / 1e6
    }

    /// Whether frame `b` lies at least `length` after frame `a`.
    pub(super) fn reached(&self, a: usize, b: usize, length: Length) -> bool {
        self.reached_with(a, b, 0, length)
    }

    /// The same with `extra` frames added to the distance.
    pub(super) fn reached_with(&self, a: usize, b: usize, extra: u32, length: Length) -> bool {
        let added = (f64::from(extra) / self.fps * 1e6).round_ties_even() / 1e6;
        let seconds = self.seconds(a, b) + added;
        match length {
            Length::Frames(n) => (seconds * self.fps).round_ties_even() >= f64::from(n),
            Length::Secs(s) => seconds >= s,
        }
    }

    /// The number of frame `i` at a constant rate, from 0.
    pub(super) fn number(&self, i: usize) -> f64 {
        (self.micros[i] as f64 / 1e6 * self.fps).round_ties_even()
    }

    /// The frame shown nearest to the time of `number`, the earlier of two.
    pub(super) fn nearest(&self, number: f64) -> usize {
        let target = number / self.fps * 1e6;
        let after = self.micros.partition_point(|&t| (t as f64) < target);
        let distance = |i: usize| self.micros.get(i).map_or(f64::INFINITY, |&t| (t as f64 - target).abs());
        match after.checked_sub(1) {
            Some(before) if distance(before) <= distance(after) => before,
            _ => after.min(self.micros.len().saturating_sub(1)),
        }
    }
}

/// `fps` on the exact rate `n · 1000 / 1001` when it lies within a thousandth of one.
fn snap(fps: f64) -> f64 {
    let ntsc = (fps * 1.001).round() * 1000.0 / 1001.0;
    if fps.fract() != 0.0 && ntsc > 0.0 && (ntsc - fps).abs() < 1e-3 { ntsc } else { fps }
}

#[cfg(test)]
mod tests {
    use tempograph_core::MediaTime;

    use super::*;

    #[test]
    fn lengths_read_as_frames_or_seconds() {
        assert_eq!(serde_json::from_str::<Length>("15").expect("frames"), Length::Frames(15));
        assert_eq!(serde_json::from_str::<Length>("0.6").expect("seconds"), Length::Secs(0.6));
    }

    #[test]
    fn ntsc_distances_count_whole_frames() {
        let times = (0..100).map(|i| MediaTime::from_ticks(i, 1001, 30000)).collect();
        let clock = Clock::new(&Scores { times, ..Scores::default() }, 29.97);
        assert!(clock.reached(10, 25, Length::Frames(15)));
        assert!(!clock.reached(10, 24, Length::Frames(15)));
        assert_eq!(clock.number(77), 77.0);
        assert_eq!(clock.nearest(77.0), 77);
    }
}
