//! Fourier transforms of real signals, planned in one place.
//!
//! A planner brings all kernels of its library along (AVX, NEON and plain ones, in every length), compiled anew in each
//! crate that names one. Whoever needs a transform asks here for it, so that they are compiled once.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// The transform of `points` real samples to `points / 2 + 1` bins, not scaled.
pub fn forward(points: usize) -> Arc<dyn RealToComplex<f32>> {
    RealFftPlanner::new().plan_fft_forward(points)
}

/// The transform of `points / 2 + 1` bins to `points` real samples, not scaled: after [`forward`] each sample comes back
/// `points` times as large.
pub fn inverse(points: usize) -> Arc<dyn ComplexToReal<f32>> {
    RealFftPlanner::new().plan_fft_inverse(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_signal_times_its_length() {
        for points in [400, 512, 1024] {
            let signal: Vec<f32> = (0..points).map(|i| ((i * i) as f32 * 0.01).sin()).collect();
            let (there, back) = (forward(points), inverse(points));
            let (mut input, mut bins, mut output) = (signal.clone(), there.make_output_vec(), back.make_output_vec());
            there.process(&mut input, &mut bins).expect("lengths are right");
            assert_eq!(bins.len(), points / 2 + 1);
            let sum: f32 = signal.iter().sum();
            assert!((bins[0].re - sum).abs() < 1e-3, "{} is not the sum {sum}", bins[0].re);
            back.process(&mut bins, &mut output).expect("lengths are right");
            for (a, b) in signal.iter().zip(&output) {
                assert!((a * points as f32 - b).abs() < 1e-3 * points as f32, "{a} {b}");
            }
        }
    }
}
