//! Kaldi's log mel filter bank, the features speaker and speech networks trained with Kaldi or torchaudio expect.
//!
//! The options are Kaldi's `compute-fbank-feats` defaults with 80 bands and no dither: frames of 25 ms every 10 ms that
//! fit whole (`snip_edges`), the mean taken off, pre-emphasis 0.97, Povey's window, power spectrum over 512 points,
//! triangles even on the mel scale 1127·ln(1 + f/700) from 20 Hz to 8 kHz, natural logarithm held at `f32::EPSILON`.

use std::sync::Arc;

use realfft::{RealToComplex, num_complex::Complex};

use crate::fft;

/// Mel bands of a frame.
pub const BANDS: usize = 80;
/// Samples of a frame.
const FRAME: usize = 400;
/// Samples between frames.
const SHIFT: usize = 160;
const FFT: usize = 512;
const RATE: f64 = 16_000.0;
const LOWEST_HZ: f64 = 20.0;
const PREEMPHASIS: f32 = 0.97;
/// Exponent of the Hann window that makes it Povey's.
const POVEY: f64 = 0.85;

/// Computes filter banks of 16 kHz audio.
pub struct Fbank {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// One filter a band: its first bin and the weights from there.
    filters: Vec<(usize, Vec<f32>)>,
}

impl Default for Fbank {
    fn default() -> Self {
        Self::new()
    }
}

impl Fbank {
    /// With Kaldi's constants.
    pub fn new() -> Self {
        let step = 2.0 * std::f64::consts::PI / (FRAME - 1) as f64;
        let povey = |i: usize| (0.5 - 0.5 * (step * i as f64).cos()).powf(POVEY) as f32;
        Self { fft: fft::forward(FFT), window: (0..FRAME).map(povey).collect(), filters: filters() }
    }

    /// The features of `samples`, row-major `[frames, 80]`; empty when they are shorter than a frame.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let frames = if samples.len() < FRAME { 0 } else { 1 + (samples.len() - FRAME) / SHIFT };
        let mut features = Vec::with_capacity(frames * BANDS);
        let mut input = vec![0f32; FFT];
        let mut spectrum = vec![Complex::default(); FFT / 2 + 1];
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0f32; FFT / 2 + 1];
        for frame in samples.windows(FRAME).step_by(SHIFT) {
            let mean = frame.iter().sum::<f32>() / FRAME as f32;
            let mut before = frame[0] - mean;
            for ((slot, sample), window) in input.iter_mut().zip(frame).zip(&self.window) {
                let centred = sample - mean;
                *slot = (centred - PREEMPHASIS * before) * window;
                before = centred;
            }
            input[FRAME..].fill(0.0);
            if self.fft.process_with_scratch(&mut input, &mut spectrum, &mut scratch).is_err() {
                // The lengths are this struct's own, so this does not happen; silence is the harmless answer.
                spectrum.fill(Complex::default());
            }
            power.iter_mut().zip(&spectrum).for_each(|(p, c)| *p = c.norm_sqr());
            features.extend(self.filters.iter().map(|(start, weights)| {
                let energy: f32 = weights.iter().zip(&power[*start..]).map(|(w, p)| w * p).sum();
                energy.max(f32::EPSILON).ln()
            }));
        }
        features
    }
}

fn filters() -> Vec<(usize, Vec<f32>)> {
    let mel = |hz: f64| 1127.0 * (1.0 + hz / 700.0).ln();
    let (low, high) = (mel(LOWEST_HZ), mel(RATE / 2.0));
    let step = (high - low) / (BANDS + 1) as f64;
    let triangle = |band: usize| {
        let left = low + band as f64 * step;
        let weight = |bin: usize| {
            let at = (mel(bin as f64 * RATE / FFT as f64) - left) / step;
            if at > 0.0 && at < 2.0 { at.min(2.0 - at) } else { 0.0 }
        };
        let start = (0..FFT / 2).find(|&b| weight(b) > 0.0).unwrap_or(0);
        let weights = (start..FFT / 2).map(weight).take_while(|&w| w > 0.0).map(|w| w as f32).collect();
        (start, weights)
    };
    (0..BANDS).map(triangle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator of `scripts/golden/fbank.py`.
    fn noise(len: usize) -> Vec<f32> {
        let mut state = 7u64;
        let next = |_| {
            state = (state * 1_103_515_245 + 12_345) % (1 << 31);
            (state as f64 / f64::from(1u32 << 31) - 0.5) as f32
        };
        (0..len).map(next).collect()
    }

    #[test]
    fn features_are_those_of_kaldi() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/fbank.json")).expect("a document");
        let rate = 16_000.0;
        let tone = |i: usize| {
            let t = i as f64 / rate;
            (0.3 * (2.0 * std::f64::consts::PI * (200.0 + 900.0 * t) * t).sin() + 0.05) as f32
        };
        let fbank = Fbank::new();
        for (name, samples) in
            [("noise", noise(2000)), ("chirp", (0..2000).map(tone).collect()), ("silence", vec![0.0; 400])]
        {
            let want: Vec<f64> =
                golden[name].as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect();
            let got = fbank.compute(&samples);
            assert_eq!(got.len(), want.len(), "{name}");
            let worst = got.iter().zip(&want).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
            assert!(worst < 2e-3, "{name}: {worst}");
        }
        assert!(fbank.compute(&[0.0; 399]).is_empty());
    }
}
