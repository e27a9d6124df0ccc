//! `detect-content`: a cut where colour and brightness jump between two frames.

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use super::{Clock, FilterMode, Length, Scores, flash, in_range};
use crate::analyze::scenes::measure::{Edges, Measures};

/// How much each difference counts towards a frame's content score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Hue.
    pub delta_hue: f64,
    /// Saturation.
    pub delta_sat: f64,
    /// Value.
    pub delta_lum: f64,
    /// Edges; measured only when not 0.
    pub delta_edges: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { delta_hue: 1.0, delta_sat: 1.0, delta_lum: 1.0, delta_edges: 0.0 }
    }
}

impl Weights {
    /// Value alone.
    pub const LUMA_ONLY: Self = Self { delta_hue: 0.0, delta_sat: 0.0, delta_lum: 1.0, delta_edges: 0.0 };

    pub(super) fn measures(&self, kernel_size: Option<u32>) -> Measures {
        let edges = (self.delta_edges != 0.0).then_some(Edges { kernel_size });
        Measures { color: true, edges, ..Measures::default() }
    }

    pub(super) fn check(&self) -> Result<()> {
        let all = [self.delta_hue, self.delta_sat, self.delta_lum, self.delta_edges];
        if all.iter().all(|w| w.is_finite()) && all.iter().any(|&w| w != 0.0) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, "`weights` must be finite and not all 0"))
    }

    /// The weighted mean of the differences of each frame.
    pub(super) fn scores(&self, scores: &Scores) -> Result<Vec<f64>> {
        let hue = scores.whole(&scores.hue, "hue")?;
        let saturation = scores.whole(&scores.saturation, "saturation")?;
        let value = scores.whole(&scores.value, "value")?;
        let edges = if self.delta_edges == 0.0 { &[] } else { scores.whole(&scores.edges, "edges")? };
        let total = self.delta_hue.abs() + self.delta_sat.abs() + self.delta_lum.abs() + self.delta_edges.abs();
        Ok((0..scores.len())
            .map(|i| {
                let edges = edges.get(i).map_or(0.0, |e| e * self.delta_edges);
                (hue[i] * self.delta_hue + saturation[i] * self.delta_sat + value[i] * self.delta_lum + edges) / total
            })
            .collect())
    }
}

/// Parameters of `detect-content`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Content {
    /// Content score from which a frame counts as a cut.
    pub threshold: f64,
    /// Shortest scene.
    pub min_scene_len: Length,
    /// What the content score is made of.
    pub weights: Weights,
    /// Side of the square edges are widened by; from the picture's size when absent.
    pub kernel_size: Option<u32>,
    /// What happens to cuts closer than `min_scene_len`.
    pub filter_mode: FilterMode,
}

impl Default for Content {
    fn default() -> Self {
        Self {
            threshold: 27.0,
            min_scene_len: Length::Frames(15),
            weights: Weights::default(),
            kernel_size: None,
            filter_mode: FilterMode::Merge,
        }
    }
}

impl Content {
    pub(super) fn check(&self) -> Result<()> {
        in_range("threshold", self.threshold, 0.0..=255.0)?;
        self.weights.check()?;
        self.min_scene_len.check("min_scene_len")
    }

    pub(super) fn frames(&self, scores: &Scores, clock: &Clock) -> Result<Vec<usize>> {
        let content = self.weights.scores(scores)?;
        let above = content.into_iter().map(|score| score >= self.threshold);
        Ok(flash::filter(above, self.filter_mode, self.min_scene_len, clock))
    }
}
