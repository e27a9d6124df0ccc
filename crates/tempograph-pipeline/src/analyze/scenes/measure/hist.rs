//! Luma histograms and their correlation, as OpenCV's `calcHist`, `normalize` and `compareHist`.

use super::shrink::Small;

/// The histogram of BT.601 luma in `bins` equal bins over 0–255, scaled to length one.
pub(super) fn histogram(small: &Small, bins: u32, out: &mut Vec<f32>) {
    let mut levels = [0u32; 256];
    for ((&b, &g), &r) in small.b.iter().zip(&small.g).zip(&small.r) {
        levels[usize::from(luma14(b, g, r))] += 1;
    }
    let mut counts = vec![0u32; bins as usize];
    for (level, &n) in levels.iter().enumerate() {
        counts[level * bins as usize / 256] += n;
    }
    let norm = counts.iter().map(|&n| f64::from(n) * f64::from(n)).sum::<f64>().sqrt();
    let scale = if norm > f64::EPSILON { 1.0 / norm } else { 0.0 };
    out.clear();
    out.extend(counts.iter().map(|&n| (f64::from(n) * scale) as f32));
}

/// Luma with weights in 2^-14 (0.299, 0.587, 0.114).
fn luma14(b: u8, g: u8, r: u8) -> u8 {
    ((u32::from(b) * 1868 + u32::from(g) * 9617 + u32::from(r) * 4899 + (1 << 13)) >> 14) as u8
}

/// Pearson correlation of two histograms of equal length; 1 where one of them is flat.
pub(super) fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let (mut s1, mut s2, mut s11, mut s22, mut s12) = (0f64, 0f64, 0f64, 0f64, 0f64);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        s1 += a;
        s2 += b;
        s11 += a * a;
        s22 += b * b;
        s12 += a * b;
    }
    let scale = 1.0 / a.len().max(1) as f64;
    let spread = (s11 - s1 * s1 * scale) * (s22 - s2 * s2 * scale);
    // Rounding can leave the spread of a flat histogram just below zero.
    if spread > f64::EPSILON { (s12 - s1 * s2 * scale) / spread.sqrt() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_histograms_correlate_fully() {
        let a = [0.6, 0.8, 0.0, 0.0];
        assert!((correlation(&a, &a) - 1.0).abs() < 1e-12);
        assert!(correlation(&a, &[0.0, 0.0, 0.8, 0.6]) < 0.0);
        assert_eq!(correlation(&[0.5; 4], &a), 1.0, "a flat histogram has no spread");
        // At lengths of 2 to 256 and levels of any size rounding must not make a root of a negative number.
        for length in (1..=8).map(|n| 1usize << n) {
            let mut peak = vec![0f32; length];
            peak[0] = 1.0;
            let flat = vec![1.0 / (length as f32).sqrt(); length];
            assert!(correlation(&flat, &peak).is_finite() && correlation(&peak, &flat).is_finite(), "{length}");
        }
    }
}
