//! The log-mel picture YAMNet sees: 25 ms windows every 10 ms, 64 bands.

use super::spectrum::{BINS, Filter, Spectrum, hz, mel, triangles};

/// Samples of an analysis window at 16 kHz.
const FRAME: usize = 400;
/// Samples between two of them.
pub(super) const STEP: usize = 160;
/// Mel bands.
pub(super) const BANDS: usize = 64;
/// Lower end of the lowest band and upper end of the highest, Hz.
const EDGES_HZ: [f64; 2] = [125.0, 7_500.0];
/// Added to each band before the logarithm (`log_offset` of YAMNet's own parameters).
const OFFSET: f32 = 0.001;

/// Computes log-mel frames of 16 kHz audio.
///
/// Magnitude spectrum under a periodic Hann window, triangles that are linear in mel (HTK's formula), then
/// `ln(x + 0.001)`: the constants of `params.py` and `features.py` of YAMNet in TensorFlow's model garden.
pub(super) struct LogMel {
    spectrum: Spectrum,
    filters: Vec<Filter>,
    magnitude: Vec<f32>,
}

impl LogMel {
    pub(super) fn new() -> Self {
        Self { spectrum: Spectrum::new(FRAME), filters: filters(), magnitude: vec![0.0; BINS] }
    }

    /// Appends the frames that fit wholly into `samples`, [`BANDS`] values each.
    pub(super) fn frames(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        for heard in samples.windows(FRAME).step_by(STEP) {
            for (m, c) in self.magnitude.iter_mut().zip(self.spectrum.of(heard)) {
                *m = c.norm();
            }
            out.extend(self.filters.iter().map(|(first, weights)| {
                let band: f32 = weights.iter().zip(&self.magnitude[*first..]).map(|(w, m)| w * m).sum();
                (band + OFFSET).ln()
            }));
        }
    }
}

/// Triangles between neighbouring edges that are evenly spaced in mel; the lowest bin is left out.
fn filters() -> Vec<Filter> {
    let [low, high] = EDGES_HZ.map(mel);
    let edge = |i: usize| low + (high - low) * i as f64 / (BANDS + 1) as f64;
    triangles(BANDS, 1..BINS, |bin| mel(hz(bin)), edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_lights_the_band_it_lies_in() {
        let tone: Vec<f32> = (0..1600).map(|i| (i as f32 * 1000.0 / 16_000.0 * std::f32::consts::TAU).sin()).collect();
        let mut frames = Vec::new();
        LogMel::new().frames(&tone, &mut frames);
        assert_eq!(frames.len(), 8 * BANDS);
        let loudest = (0..BANDS).max_by(|&a, &b| frames[a].total_cmp(&frames[b])).expect("there are bands");
        let [low, high] = EDGES_HZ.map(mel);
        let expected = (mel(1000.0) - low) / (high - low) * 65.0 - 1.0;
        assert!((loudest as f64 - expected).abs() <= 1.0, "band {loudest}, expected {expected}");
    }

    #[test]
    fn silence_is_the_logarithm_of_the_offset() {
        let mut frames = Vec::new();
        LogMel::new().frames(&[0.0; 400], &mut frames);
        assert!(frames.len() == BANDS && frames.iter().all(|&v| (v - OFFSET.ln()).abs() < 1e-6));
    }
}
