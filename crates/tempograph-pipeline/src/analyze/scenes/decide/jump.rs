//! `detect-hist` and `detect-hash`: a cut where one number jumps between two frames.

use serde::{Deserialize, Serialize};
use tempograph_core::Result;

use super::{Clock, Length, Scores, in_range};
use crate::analyze::scenes::measure;

/// Parameters of `detect-hist`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hist {
    /// Drop in correlation, 0 to 1, from which a frame counts as a cut.
    pub threshold: f64,
    /// Bins of the luma histogram, 1 to 256.
    pub bins: u32,
    /// Shortest scene.
    pub min_scene_len: Length,
}

impl Default for Hist {
    fn default() -> Self {
        Self { threshold: 0.20, bins: 128, min_scene_len: Length::Frames(15) }
    }
}

impl Hist {
    pub(super) fn check(&self) -> Result<()> {
        in_range("threshold", self.threshold, 0.0..=1.0)?;
        self.min_scene_len.check("min_scene_len")
    }

    pub(super) fn frames(&self, scores: &Scores, clock: &Clock) -> Result<Vec<usize>> {
        let correlations = scores.whole(&scores.histogram, "histogram")?;
        let least = (1.0 - self.threshold).clamp(0.0, 1.0);
        Ok(jumps(correlations.iter().map(|&c| c <= least), self.min_scene_len, clock))
    }
}

/// Parameters of `detect-hash`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hash {
    /// Share of differing bits, 0 to 1, from which a frame counts as a cut.
    pub threshold: f64,
    /// Side of the square of low frequencies kept.
    pub size: u32,
    /// Share of frequencies left out: 2 keeps the lower half.
    pub lowpass: u32,
    /// Shortest scene.
    pub min_scene_len: Length,
}

impl Default for Hash {
    fn default() -> Self {
        Self { threshold: 0.35, size: 8, lowpass: 2, min_scene_len: Length::Frames(15) }
    }
}

impl Hash {
    pub(super) fn kind(&self) -> measure::Hash {
        measure::Hash { size: self.size, lowpass: self.lowpass }
    }

    pub(super) fn check(&self) -> Result<()> {
        in_range("threshold", self.threshold, 0.0..=1.0)?;
        self.min_scene_len.check("min_scene_len")
    }

    pub(super) fn frames(&self, scores: &Scores, clock: &Clock) -> Result<Vec<usize>> {
        let distances = scores.whole(&scores.hash, "hash")?;
        Ok(jumps(distances.iter().map(|&d| d >= self.threshold), self.min_scene_len, clock))
    }
}

/// The frames `above` that lie at least `length` after the one before, or after the first frame.
/// The first frame has nothing to differ from and never counts.
fn jumps(above: impl Iterator<Item = bool>, length: Length, clock: &Clock) -> Vec<usize> {
    let (mut last, mut cuts) = (0, Vec::new());
    for (i, above) in above.enumerate().skip(1) {
        if above && clock.reached(last, i, length) {
            last = i;
            cuts.push(i);
        }
    }
    cuts
}
