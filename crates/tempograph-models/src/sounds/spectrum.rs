//! The spectrum of a stretch of 16 kHz sound: what both front ends begin with.

use std::{f64::consts::TAU, ops::Range, sync::Arc};

use realfft::{RealToComplex, num_complex::Complex};

use crate::fft;

/// Points of the transform.
pub(super) const POINTS: usize = 512;
/// Bins of a spectrum, from 0 Hz to half the rate.
pub(super) const BINS: usize = POINTS / 2 + 1;
const RATE: f64 = 16_000.0;

/// Fourier transforms under a periodic Hann window.
pub(super) struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    frame: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
}

impl Spectrum {
    /// With a window of `length` samples, at most [`POINTS`]; zeros follow it.
    pub(super) fn new(length: usize) -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / length as f64).cos();
        let fft = fft::forward(POINTS);
        Self {
            window: (0..length.min(POINTS)).map(|i| hann(i) as f32).collect(),
            frame: vec![0.0; POINTS],
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            fft,
        }
    }

    /// The [`BINS`] bins of `heard`, which is as long as the window.
    pub(super) fn of(&mut self, heard: &[f32]) -> &[Complex<f32>] {
        for (slot, (sample, weight)) in self.frame.iter_mut().zip(heard.iter().zip(&self.window)) {
            *slot = sample * weight;
        }
        self.frame[heard.len().min(self.window.len())..].fill(0.0);
        if self.fft.process_with_scratch(&mut self.frame, &mut self.bins, &mut self.scratch).is_err() {
            // The lengths are this struct's own, so this does not happen; silence is the harmless answer.
            self.bins.fill(Complex::default());
        }
        &self.bins
    }
}

/// The frequency of a bin, Hz.
pub(super) fn hz(bin: usize) -> f64 {
    bin as f64 * RATE / POINTS as f64
}

/// HTK's mel scale.
pub(super) fn mel(hz: f64) -> f64 {
    1127.0 * (hz / 700.0).ln_1p()
}

/// The frequency at a place of HTK's mel scale, Hz.
pub(super) fn mel_inverse(mel: f64) -> f64 {
    700.0 * (mel / 1127.0).exp_m1()
}

/// A band of a filter bank: its first bin and the weights from there.
pub(super) type Filter = (usize, Vec<f32>);

/// `bands` triangles between neighbouring edges: `edge(i)` to `edge(i + 2)` with the peak between, both in the unit of
/// `place`, which says where a bin lies. Bins outside of `bins` are left out.
pub(super) fn triangles(
    bands: usize,
    bins: Range<usize>,
    place: impl Fn(usize) -> f64,
    edge: impl Fn(usize) -> f64,
) -> Vec<Filter> {
    (0..bands)
        .map(|band| {
            let [left, centre, right] = [edge(band), edge(band + 1), edge(band + 2)];
            let weight = |bin: usize| {
                let at = place(bin);
                ((at - left) / (centre - left)).min((right - at) / (right - centre)).max(0.0) as f32
            };
            let inside: Vec<usize> = bins.clone().filter(|&bin| weight(bin) > 0.0).collect();
            (inside.first().copied().unwrap_or_default(), inside.into_iter().map(weight).collect())
        })
        .collect()
}
