//! Depth maps: relative error, RMSE and the δ accuracies.
//!
//! A monocular model tells inverse depth up to scale and shift, so by default those two are fitted
//! first, by least squares on inverse depth as MiDaS (Ranftl et al. 2020) and Depth Anything do.

mod read;

pub use read::{Map, read_map};
use serde::Serialize;
use tempograph_core::{Error, ErrorKind, Result};

/// What the numbers of a map mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Distance: larger is farther.
    Depth,
    /// Inverse distance or stereo disparity: larger is nearer.
    Disparity,
}

/// What is fitted before scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Nothing: both maps share a unit.
    None,
    /// Scale and shift of inverse depth, least squares.
    ScaleShift,
    /// Scale of depth, by medians.
    Median,
}

/// How to score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthOptions {
    /// What the truth holds.
    pub truth: Quantity,
    /// What the file holds.
    pub found: Quantity,
    /// What is fitted.
    pub alignment: Alignment,
}

impl Default for DepthOptions {
    fn default() -> Self {
        Self { truth: Quantity::Depth, found: Quantity::Disparity, alignment: Alignment::ScaleShift }
    }
}

/// Errors over the pixels whose truth is known (finite and above 0).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DepthScores {
    /// Mean of |found − true| / true depth.
    pub abs_rel: f64,
    /// Root mean square error of depth, in the truth's unit.
    pub rmse: f64,
    /// Share of pixels within a factor of 1.25 of the truth.
    pub delta1: f64,
    /// Within 1.25².
    pub delta2: f64,
    /// Within 1.25³.
    pub delta3: f64,
    /// Fitted scale; 1 when not fitted.
    pub scale: f64,
    /// Fitted shift of inverse depth; 0 when not fitted.
    pub shift: f64,
    /// Pixels scored.
    pub pixels: u64,
    /// Pixels with a truth for which the file has no usable number: scored as wrong.
    pub unusable: u64,
}

/// Scores `found` against `truth`.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when sizes differ or no pixel has a truth.
pub fn score(truth: &Map, found: &Map, options: &DepthOptions) -> Result<DepthScores> {
    if (truth.width, truth.height) != (found.width, found.height) {
        let (t, f) = (format!("{}×{}", truth.width, truth.height), format!("{}×{}", found.width, found.height));
        return Err(Error::new(ErrorKind::InvalidData, format!("depth maps differ in size: {f} for {t}"))
            .with_hint("resize the result to the size of the truth"));
    }
    let known = |v: f64| v.is_finite() && v > 0.0;
    let pairs = || truth.values.iter().zip(&found.values).map(|(&t, &f)| (f64::from(t), f64::from(f)));
    let pixels = pairs().filter(|&(t, _)| known(t)).count();
    if pixels == 0 {
        return Err(Error::new(ErrorKind::InvalidData, "no pixel has a true depth"));
    }
    let true_disparity = |t: f64| if options.truth == Quantity::Depth { 1.0 / t } else { t };
    // Affine disparity may be zero or negative before it is fitted; a depth may not.
    let found_disparity = |f: f64| match options.found {
        Quantity::Depth => known(f).then(|| 1.0 / f),
        Quantity::Disparity => f.is_finite().then_some(f),
    };
    let usable =
        || pairs().filter_map(|(t, f)| Some((true_disparity(Some(t).filter(|&t| known(t))?), found_disparity(f)?)));
    let (scale, shift) = match options.alignment {
        Alignment::None => (1.0, 0.0),
        Alignment::ScaleShift => fit(usable()),
        Alignment::Median => {
            let median = |mut v: Vec<f64>| {
                let middle = v.len() / 2;
                if v.is_empty() { 1.0 } else { *v.select_nth_unstable_by(middle, f64::total_cmp).1 }
            };
            let (t, f): (Vec<f64>, Vec<f64>) = usable().filter(|&(_, f)| f > 0.0).unzip();
            (median(t) / median(f), 0.0)
        }
    };
    let farthest = usable().map(|(t, _)| t).fold(f64::INFINITY, f64::min);
    let (mut rel, mut square, mut near, mut unusable) = (0.0, 0.0, [0u64; 3], 0u64);
    for (t, f) in pairs().filter(|&(t, _)| known(t)) {
        let t = 1.0 / true_disparity(t);
        let f = found_disparity(f).map(|f| scale * f + shift);
        // A fitted disparity at or below zero lies beyond the farthest true point.
        let f = match (f, options.alignment) {
            (Some(f), Alignment::ScaleShift) => Some(1.0 / f.max(farthest)),
            (Some(f), _) => Some(1.0 / f).filter(|&f| known(f)),
            (None, _) => None,
        };
        let Some(f) = f else {
            unusable += 1;
            rel += 1.0;
            square += t * t;
            continue;
        };
        rel += (f - t).abs() / t;
        square += (f - t) * (f - t);
        let factor = (f / t).max(t / f);
        for (power, n) in (1..).zip(&mut near) {
            *n += u64::from(factor < 1.25_f64.powi(power));
        }
    }
    let n = pixels as f64;
    Ok(DepthScores {
        abs_rel: rel / n,
        rmse: (square / n).sqrt(),
        delta1: near[0] as f64 / n,
        delta2: near[1] as f64 / n,
        delta3: near[2] as f64 / n,
        scale,
        shift,
        pixels: pixels as u64,
        unusable,
    })
}

/// The scale and shift of the second numbers that come nearest to the first.
fn fit(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut n, mut t, mut f, mut ff, mut tf) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (truth, found) in pairs {
        n += 1.0;
        t += truth;
        f += found;
        ff += found * found;
        tf += truth * found;
    }
    let spread = n * ff - f * f;
    if n == 0.0 || spread <= f64::EPSILON * n * ff {
        return (0.0, if n > 0.0 { t / n } else { 0.0 });
    }
    let scale = (n * tf - t * f) / spread;
    (scale, (t - scale * f) / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(values: &[f32]) -> Map {
        Map { width: values.len(), height: 1, values: values.to_vec() }
    }

    #[test]
    fn an_affine_inverse_is_perfect() {
        let truth = map(&[1.0, 2.0, 4.0, f32::NAN, 0.0]);
        let found = map(&[2.0 + 5.0, 1.0 + 5.0, 0.5 + 5.0, 9.0, 9.0]);
        let s = score(&truth, &found, &DepthOptions::default()).expect("same size");
        assert!(s.abs_rel < 1e-5 && s.rmse < 1e-5, "{s:?}");
        assert_eq!((s.pixels, s.delta1), (3, 1.0));
        assert!((s.scale - 0.5).abs() < 1e-5 && (s.shift + 2.5).abs() < 1e-5);
    }

    #[test]
    fn plain_depths_by_hand() {
        let o = DepthOptions { truth: Quantity::Depth, found: Quantity::Depth, alignment: Alignment::None };
        let s = score(&map(&[1.0, 2.0]), &map(&[1.5, 2.0]), &o).expect("same size");
        assert!((s.abs_rel - 0.25).abs() < 1e-6 && (s.rmse - 0.125_f64.sqrt()).abs() < 1e-6);
        assert_eq!((s.delta1, s.delta2), (0.5, 1.0));
        let o = DepthOptions { alignment: Alignment::Median, ..o };
        let s = score(&map(&[1.0, 2.0, 3.0]), &map(&[2.0, 4.0, 6.0]), &o).expect("same size");
        assert!(s.abs_rel < 1e-6);
    }

    #[test]
    fn sizes_must_agree() {
        assert!(score(&map(&[1.0]), &map(&[1.0, 2.0]), &DepthOptions::default()).is_err());
        assert!(score(&map(&[0.0]), &map(&[1.0]), &DepthOptions::default()).is_err());
    }
}
