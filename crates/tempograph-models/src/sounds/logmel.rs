//! The log-mel picture YAMNet sees: 25 ms windows every 10 ms, 64 bands.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex};

/// Samples of an analysis window at 16 kHz.
pub(super) const FRAME: usize = 400;
/// Samples between two of them.
pub(super) const STEP: usize = 160;
/// Points of the transform; the window is followed by zeros.
const FFT: usize = 512;
/// Mel bands.
pub(super) const BANDS: usize = 64;
const RATE: f64 = 16_000.0;
/// Lower end of the lowest band and upper end of the highest, Hz.
const EDGES_HZ: [f64; 2] = [125.0, 7_500.0];
/// Added to each band before the logarithm (`log_offset` of YAMNet's own parameters).
const OFFSET: f32 = 0.001;

/// Computes log-mel frames of 16 kHz audio.
///
/// Magnitude spectrum under a periodic Hann window, triangles that are linear in mel (HTK's formula), then
/// `ln(x + 0.001)`: the constants of `params.py` and `features.py` of YAMNet in TensorFlow's model garden.
pub(super) struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// One filter a band: its first bin and the weights from there.
    filters: Vec<(usize, Vec<f32>)>,
    frame: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    magnitude: Vec<f32>,
}

impl LogMel {
    pub(super) fn new() -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * std::f64::consts::PI * i as f64 / FRAME as f64).cos();
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        Self {
            window: (0..FRAME).map(|i| hann(i) as f32).collect(),
            filters: filters(),
            frame: vec![0.0; FFT],
            spectrum: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            magnitude: vec![0.0; FFT / 2 + 1],
            fft,
        }
    }

    /// Appends the frames that fit wholly into `samples`, [`BANDS`] values each.
    pub(super) fn frames(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        for heard in samples.windows(FRAME).step_by(STEP) {
            for (slot, (sample, weight)) in self.frame.iter_mut().zip(heard.iter().zip(&self.window)) {
                *slot = sample * weight;
            }
            self.frame[FRAME..].fill(0.0);
            if self.fft.process_with_scratch(&mut self.frame, &mut self.spectrum, &mut self.scratch).is_err() {
                // The lengths are this struct's own, so this does not happen; silence is the harmless answer.
                self.spectrum.fill(Complex::default());
            }
            for (m, c) in self.magnitude.iter_mut().zip(&self.spectrum) {
                *m = c.norm();
            }
            out.extend(self.filters.iter().map(|(first, weights)| {
                let band: f32 = weights.iter().zip(&self.magnitude[*first..]).map(|(w, m)| w * m).sum();
                (band + OFFSET).ln()
            }));
        }
    }
}

/// HTK's mel scale.
fn mel(hz: f64) -> f64 {
    1127.0 * (hz / 700.0).ln_1p()
}

/// Triangles between neighbouring edges that are evenly spaced in mel; the lowest bin is left out.
fn filters() -> Vec<(usize, Vec<f32>)> {
    let [low, high] = EDGES_HZ.map(mel);
    let edge = |i: usize| low + (high - low) * i as f64 / (BANDS + 1) as f64;
    (0..BANDS)
        .map(|band| {
            let [left, centre, right] = [edge(band), edge(band + 1), edge(band + 2)];
            let weight = |bin: usize| {
                let at = mel(bin as f64 * RATE / FFT as f64);
                ((at - left) / (centre - left)).min((right - at) / (right - centre)).max(0.0) as f32
            };
            let inside: Vec<usize> = (1..=FFT / 2).filter(|&bin| weight(bin) > 0.0).collect();
            let first = inside.first().copied().unwrap_or_default();
            (first, inside.into_iter().map(weight).collect())
        })
        .collect()
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
