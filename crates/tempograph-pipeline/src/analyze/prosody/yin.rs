//! pYIN's first half (Mauch & Dixon 2014): candidates for the fundamental frequency of one frame.
//!
//! YIN's difference function (de Cheveigné & Kawahara 2002) by Fourier transform, normalised by its cumulative mean;
//! each trough is as likely as the share of thresholds, weighed by a beta distribution, under which it would be taken.
//! The constants are those of the paper's beta(2, 18) and of librosa's `pyin`, which the tests compare with.
//!
//! Kept libraries do both halves over a whole signal at once (`pyin` 1.2), which a run that may stop anywhere cannot use.

use std::sync::Arc;

use realfft::{ComplexToReal, RealToComplex, num_complex::Complex};
use tempograph_models::fft;

/// Lowest pitch looked for: below it is creak.
pub const LOWEST_HZ: f32 = 65.0;
/// Highest pitch looked for: a child's excited voice.
pub const HIGHEST_HZ: f32 = 600.0;
const RATE: f32 = 16_000.0;
/// Samples of a frame (40 ms): two and a half periods of the lowest pitch.
const WINDOW: usize = 640;
const LONGEST: usize = (RATE / LOWEST_HZ) as usize + 2;
const SHORTEST: usize = (RATE / HIGHEST_HZ) as usize;
const FFT: usize = 1024;
const THRESHOLDS: usize = 100;
/// Probability that the lowest trough is right although it is above the threshold.
const NO_TROUGH: f32 = 0.01;
/// Decay of the preference for short periods among the troughs under a threshold.
const BOLTZMANN: f32 = 2.0;

/// Finds candidates for the pitch.
pub struct Yin {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Weight of each threshold; they lie evenly from 0 to 1.
    prior: Vec<f32>,
    samples: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
}

impl Default for Yin {
    fn default() -> Self {
        Self::new()
    }
}

impl Yin {
    /// Samples [`Self::candidates`] looks at.
    pub const SPAN: usize = WINDOW;

    /// Ready for 16 kHz audio.
    pub fn new() -> Self {
        const { assert!(WINDOW + LONGEST <= FFT, "the correlation must not wrap around") };
        // beta(2, 18) has the distribution 1 − (1 − x)^18 (1 + 18 x).
        let beta = |x: f64| 1.0 - (1.0 - x).powi(18) * (1.0 + 18.0 * x);
        let at = |i: usize| i as f64 / THRESHOLDS as f64;
        Self {
            forward: fft::forward(FFT),
            inverse: fft::inverse(FFT),
            prior: (0..THRESHOLDS).map(|i| (beta(at(i + 1)) - beta(at(i))) as f32).collect(),
            samples: vec![0.0; FFT],
            spectrum: vec![Complex::default(); FFT / 2 + 1],
        }
    }

    /// Candidates as hertz and probability for the first [`Self::SPAN`] of `samples`, by rising period; the
    /// probabilities sum to at most 1, the rest is that of no pitch. Nothing for fewer samples.
    pub fn candidates(&mut self, samples: &[i16]) -> Vec<(f32, f32)> {
        let Some(samples) = samples.get(..Self::SPAN) else { return Vec::new() };
        let normal = self.normalized_difference(samples);
        // Troughs: lower than the lag before and not higher than the one after.
        let troughs: Vec<usize> = (1..normal.len() - 1)
            .filter(|&i| i + 1 >= SHORTEST.max(1) && normal[i] < normal[i - 1] && normal[i] <= normal[i + 1])
            .collect();
        let Some(lowest) = (0..troughs.len()).min_by(|&a, &b| normal[troughs[a]].total_cmp(&normal[troughs[b]])) else {
            return Vec::new();
        };
        let mut probability = vec![0f32; troughs.len()];
        for (i, prior) in self.prior.iter().enumerate() {
            let threshold = (i + 1) as f32 / THRESHOLDS as f32;
            let below: Vec<usize> = (0..troughs.len()).filter(|&t| normal[troughs[t]] < threshold).collect();
            if below.is_empty() {
                probability[lowest] += NO_TROUGH * prior;
                continue;
            }
            let whole = (1.0 - (-BOLTZMANN * below.len() as f32).exp()) / (1.0 - (-BOLTZMANN).exp());
            for (rank, &t) in below.iter().enumerate() {
                probability[t] += prior * (-BOLTZMANN * rank as f32).exp() / whole;
            }
        }
        let hertz = |i: usize| {
            let (a, b, c) = (normal[i - 1], normal[i], normal[i + 1]);
            let bend = a + c - 2.0 * b;
            let shift = if bend > 0.0 { ((a - c) / (2.0 * bend)).clamp(-1.0, 1.0) } else { 0.0 };
            RATE / ((i + 1) as f32 + shift)
        };
        troughs.iter().zip(&probability).map(|(&i, &p)| (hertz(i), p)).collect()
    }

    /// The difference function over its cumulative mean, for lags from 1. At a lag, all pairs of samples that lie so far
    /// apart within the frame are compared.
    fn normalized_difference(&mut self, samples: &[i16]) -> Vec<f32> {
        self.samples.fill(0.0);
        self.samples.iter_mut().zip(samples).for_each(|(v, s)| *v = f32::from(*s) / 32_768.0);
        let squares: Vec<f64> = self.samples[..WINDOW].iter().map(|v| f64::from(v * v)).collect();
        let failed = self.forward.process(&mut self.samples, &mut self.spectrum).is_err();
        self.spectrum.iter_mut().for_each(|c| *c = Complex::new(c.norm_sqr(), 0.0));
        if failed || self.inverse.process(&mut self.spectrum, &mut self.samples).is_err() {
            // The lengths are this struct's own, so this does not happen; a flat function has no troughs.
            return vec![1.0; LONGEST];
        }
        let whole: f64 = squares.iter().sum();
        // What the earlier and the later samples of the pairs lack of the whole.
        let (mut lost, mut sum) = (0.0f64, 0.0f64);
        (1..LONGEST)
            .map(|lag| {
                lost += squares[WINDOW - lag] + squares[lag - 1];
                let same = f64::from(self.samples[lag]) / FFT as f64;
                let difference = (2.0 * (whole - same) - lost).max(0.0);
                sum += difference;
                if sum > 1e-9 { (difference * lag as f64 / sum) as f32 } else { 1.0 }
            })
            .collect()
    }
}
