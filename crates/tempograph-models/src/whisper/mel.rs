//! The log-mel picture Whisper sees: 25 ms windows every 10 ms.

use std::sync::Arc;

use realfft::{RealToComplex, num_complex::Complex};

use crate::fft;

/// Window length in samples at 16 kHz.
const FFT: usize = 400;
/// Samples between windows.
pub(super) const HOP: usize = 160;
const BINS: usize = FFT / 2 + 1;
const RATE: f64 = 16_000.0;

/// Computes log-mel pictures of 16 kHz audio.
///
/// Power spectrum under a periodic Hann window, Slaney mel filters, `log10` held at −10, cut 8 below the highest value,
/// then `(x + 4) / 4`: the constants of Whisper's own `log_mel_spectrogram`.
pub struct LogMel {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// One filter a mel band: its first bin and the weights from there.
    filters: Vec<(usize, Vec<f32>)>,
}

impl LogMel {
    /// For pictures of `bands` mel bands (80, or 128 since large-v3).
    pub fn new(bands: usize) -> Self {
        let hann = |i: usize| 0.5 - 0.5 * (2.0 * std::f64::consts::PI * i as f64 / FFT as f64).cos();
        Self { fft: fft::forward(FFT), window: (0..FFT).map(|i| hann(i) as f32).collect(), filters: slaney(bands) }
    }

    /// The picture of `samples` followed by silence up to `frames` columns, row-major `[bands, frames]`.
    pub fn compute(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let bands = self.filters.len();
        let mut picture = vec![0.0f32; bands * frames];
        let mut frame = vec![0.0f32; FFT];
        let mut spectrum = vec![Complex::default(); BINS];
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0f32; BINS];
        let total = frames * HOP;
        let at = |i: i64| {
            // The ends are mirrored, the end being that of the silence.
            let last = total as i64 - 1;
            let i = if i < 0 {
                -i
            } else if i > last {
                2 * last - i
            } else {
                i
            };
            usize::try_from(i).ok().and_then(|i| samples.get(i)).copied().unwrap_or(0.0)
        };
        for column in 0..frames {
            let first = (column * HOP) as i64 - (FFT / 2) as i64;
            if first >= samples.len() as i64 && column > 0 && first + (FFT as i64) < total as i64 {
                for band in 0..bands {
                    picture[band * frames + column] = -10.0;
                }
                continue;
            }
            for (i, (slot, window)) in frame.iter_mut().zip(&self.window).enumerate() {
                *slot = at(first + i as i64) * window;
            }
            if self.fft.process_with_scratch(&mut frame, &mut spectrum, &mut scratch).is_err() {
                // The lengths are this struct's own, so this does not happen; silence is the harmless answer.
                spectrum.fill(Complex::default());
            }
            for (p, c) in power.iter_mut().zip(&spectrum) {
                *p = c.norm_sqr();
            }
            for (band, (start, weights)) in self.filters.iter().enumerate() {
                let energy: f32 = weights.iter().zip(&power[*start..]).map(|(w, p)| w * p).sum();
                picture[band * frames + column] = energy.max(1e-10).log10();
            }
        }
        let highest = picture.iter().copied().fold(-10.0, f32::max);
        for value in &mut picture {
            *value = (value.max(highest - 8.0) + 4.0) / 4.0;
        }
        picture
    }
}

/// Triangular filters of equal area over `bands` equal steps of Slaney's mel scale (Auditory Toolbox, 1998): linear
/// below 1 kHz, logarithmic above.
fn slaney(bands: usize) -> Vec<(usize, Vec<f32>)> {
    let (step, knee, log_step) = (200.0 / 3.0, 1000.0, 6.4f64.ln() / 27.0);
    let to_mel = |hz: f64| if hz < knee { hz / step } else { knee / step + (hz / knee).ln() / log_step };
    let to_hz = |mel: f64| {
        if mel < knee / step { mel * step } else { knee * ((mel - knee / step) * log_step).exp() }
    };
    let top = to_mel(RATE / 2.0);
    let edges: Vec<f64> = (0..bands + 2).map(|i| to_hz(top * i as f64 / (bands + 1) as f64)).collect();
    let triangle = |edges: &[f64]| {
        let (low, mid, high) = (edges[0], edges[1], edges[2]);
        let weight = |bin: usize| {
            let hz = bin as f64 * RATE / FFT as f64;
            ((hz - low) / (mid - low)).min((high - hz) / (high - mid)).max(0.0) * 2.0 / (high - low)
        };
        let start = (0..BINS).find(|&b| weight(b) > 0.0).unwrap_or(0);
        let weights = (start..BINS).map(weight).take_while(|&w| w > 0.0).map(|w| w as f32).collect();
        (start, weights)
    };
    edges.windows(3).map(triangle).collect()
}
