//! `detect-adaptive`: a cut where the content score stands out from that of its neighbours, which
//! fast camera movement does not.

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use super::{Clock, Length, Scores, Weights, in_range};

/// Parameters of `detect-adaptive`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adaptive {
    /// How many times the mean of its neighbours a score must be.
    pub adaptive_threshold: f64,
    /// Shortest scene.
    pub min_scene_len: Length,
    /// Neighbours on each side, at least 1.
    pub window_width: u32,
    /// Content score below which nothing is a cut.
    pub min_content_val: f64,
    /// What the content score is made of.
    pub weights: Weights,
    /// Side of the square edges are widened by; from the picture's size when absent.
    pub kernel_size: Option<u32>,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            adaptive_threshold: 3.0,
            min_scene_len: Length::Frames(15),
            window_width: 2,
            min_content_val: 15.0,
            weights: Weights::default(),
            kernel_size: None,
        }
    }
}

/// The largest ratio, also that of a score among neighbours that are all zero.
const MAX_RATIO: f64 = 255.0;
/// A mean below which the neighbours count as zero.
const ZERO: f64 = 1e-5;

impl Adaptive {
    pub(super) fn check(&self) -> Result<()> {
        if self.window_width == 0 {
            return Err(Error::new(ErrorKind::Config, "`window_width` must be at least 1: 0"));
        }
        in_range("adaptive_threshold", self.adaptive_threshold, 0.0..=MAX_RATIO)?;
        in_range("min_content_val", self.min_content_val, 0.0..=255.0)?;
        self.weights.check()?;
        self.min_scene_len.check("min_scene_len")
    }

    pub(super) fn frames(&self, scores: &Scores, clock: &Clock) -> Result<Vec<usize>> {
        let content = self.weights.scores(scores)?;
        let width = self.window_width as usize;
        let (mut last, mut cuts) = (0, Vec::new());
        for (start, window) in content.windows(2 * width + 1).enumerate() {
            let (target, score) = (start + width, window[width]);
            let others: f64 = window[..width].iter().chain(&window[width + 1..]).sum();
            let mean = others / (2 * width) as f64;
            let ratio = if mean.abs() >= ZERO {
                (score / mean).min(MAX_RATIO)
            } else if score >= self.min_content_val {
                MAX_RATIO
            } else {
                0.0
            };
            if ratio >= self.adaptive_threshold
                && score >= self.min_content_val
                && clock.reached(last, target, self.min_scene_len)
            {
                last = target;
                cuts.push(target);
            }
        }
        Ok(cuts)
    }
}
