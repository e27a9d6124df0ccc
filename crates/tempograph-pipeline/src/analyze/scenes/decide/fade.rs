//! `detect-threshold`: a cut between fading out and fading in again.

use serde::{Deserialize, Serialize};
use tempograph_core::Result;

use super::{Clock, Length, Scores, in_range};

/// Which side of the threshold is faded out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FadeMethod {
    /// Below it: fades through black.
    #[default]
    Floor,
    /// At it and above: fades through white.
    Ceiling,
}

/// Parameters of `detect-threshold`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// Mean brightness, 0 to 255, at which the picture counts as faded; its fraction is dropped.
    pub threshold: f64,
    /// Shortest scene.
    pub min_scene_len: Length,
    /// Where between the two fades the cut lies: −1 at the fade out, 0 in the middle, 1 at the fade in.
    pub fade_bias: f64,
    /// Whether a video that ends faded out gets a cut at that last fade.
    pub add_final_scene: bool,
    /// Which side of the threshold is faded out.
    pub method: FadeMethod,
    /// Shortest time faded out.
    pub min_out_length: Length,
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            threshold: 12.0,
            min_scene_len: Length::Frames(15),
            fade_bias: 0.0,
            add_final_scene: false,
            method: FadeMethod::Floor,
            min_out_length: Length::Frames(0),
        }
    }
}

impl Threshold {
    pub(super) fn check(&self) -> Result<()> {
        in_range("threshold", self.threshold, 0.0..=255.0)?;
        in_range("fade_bias", self.fade_bias, -1.0..=1.0)?;
        self.min_scene_len.check("min_scene_len")?;
        self.min_out_length.check("min_out_length")
    }

    pub(super) fn frames(&self, scores: &Scores, clock: &Clock) -> Result<Vec<usize>> {
        let brightness = scores.whole(&scores.brightness, "brightness")?;
        let threshold = self.threshold.trunc();
        let faded = |level: f64| (level < threshold) == (self.method == FadeMethod::Floor);
        // The last change between shown and faded out, and whether it left the picture faded out.
        let (mut out, mut fade) = (brightness.first().is_some_and(|&level| faded(level)), 0);
        let (mut last_cut, mut cuts) = (0, Vec::new());
        for (i, &level) in brightness.iter().enumerate().skip(1) {
            if faded(level) == out {
                continue;
            }
            if out && clock.reached(last_cut, i, self.min_scene_len) && clock.reached(fade, i, self.min_out_length) {
                let from = clock.number(fade);
                let way = ((clock.number(i) - from) * (1.0 + self.fade_bias) / 2.0).round_ties_even();
                cuts.push(clock.nearest(from + way));
                last_cut = i;
            }
            (out, fade) = (!out, i);
        }
        let end = brightness.len().saturating_sub(1);
        if self.add_final_scene
            && out
            && !brightness.is_empty()
            && clock.reached(last_cut, end, self.min_scene_len)
            && clock.reached_with(fade, end, 1, self.min_out_length)
        {
            cuts.push(fade);
        }
        Ok(cuts)
    }
}
