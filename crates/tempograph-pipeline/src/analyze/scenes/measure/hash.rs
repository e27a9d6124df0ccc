//! The perceptual hash: signs of low frequencies around their median.
//!
//! After N. Krawetz, "Looks Like It" (hackerfactor.com, 2011): shrink the grey picture, take its
//! discrete cosine transform, keep the low frequencies, compare each with their median.

use std::f64::consts::PI;

use super::{Hash, resize::SquareArea, shrink::Small};

/// Takes hashes of one kind.
pub(super) struct Hasher {
    size: usize,
    side: usize,
    grey: Vec<u8>,
    square: Vec<u8>,
    area: SquareArea,
    dct: Dct,
}

impl Hasher {
    pub(super) fn new(Hash { size, lowpass }: Hash) -> Self {
        let side = (size * lowpass) as usize;
        Self {
            size: size as usize,
            side,
            grey: Vec::new(),
            square: Vec::new(),
            area: SquareArea::default(),
            dct: Dct::new(side),
        }
    }

    /// Writes the `size²` bits of `small` into `out`, row by row.
    pub(super) fn hash(&mut self, small: &Small, out: &mut Vec<bool>) {
        self.grey.clear();
        self.grey.extend(small.b.iter().zip(&small.g).zip(&small.r).map(|((&b, &g), &r)| luma15(b, g, r)));
        self.area.apply(&self.grey, (small.size.width, small.size.height), self.side as u32, &mut self.square);
        let brightest = f32::from(self.square.iter().copied().max().unwrap_or(0).max(1));
        let n = self.side;
        let mut plane: Vec<f64> = self.square.iter().map(|&v| f64::from(f32::from(v) / brightest)).collect();
        for row in plane.chunks_exact_mut(n) {
            self.dct.apply(row);
        }
        let mut low = Vec::with_capacity(self.size * self.size);
        let mut column = vec![0.0; n];
        for x in 0..self.size {
            for (y, v) in column.iter_mut().enumerate() {
                *v = plane[y * n + x];
            }
            self.dct.apply(&mut column);
            low.extend(column[..self.size].iter().map(|&v| v as f32));
        }
        let mut sorted = low.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        out.clear();
        for y in 0..self.size {
            out.extend((0..self.size).map(|x| low[x * self.size + y] > median));
        }
    }
}

/// Luma with weights in 2^-15 (0.299, 0.587, 0.114).
fn luma15(b: u8, g: u8, r: u8) -> u8 {
    ((u32::from(b) * 3735 + u32::from(g) * 19235 + u32::from(r) * 9798 + (1 << 14)) >> 15) as u8
}

/// The share of bits that differ; hashes of equal length.
pub(super) fn distance(a: &[bool], b: &[bool]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len().max(1) as f64
}

/// The orthonormal discrete cosine transform (type II) of one length.
///
/// Halves are folded first, so that what is symmetric or constant gives exact zeros instead of
/// rounding noise whose sign would end up in the hash.
struct Dct {
    n: usize,
    cosines: Vec<f64>,
}

impl Dct {
    fn new(n: usize) -> Self {
        // cos(π j / 2n) for one period of j.
        Self { n, cosines: (0..4 * n).map(|j| (PI * j as f64 / (2 * n) as f64).cos()).collect() }
    }

    fn apply(&self, values: &mut [f64]) {
        let mut out = vec![0.0; self.n];
        self.fold(values.to_vec(), 1, &mut out);
        let n = self.n as f64;
        for (k, (v, o)) in values.iter_mut().zip(out).enumerate() {
            *v = o * if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
        }
    }

    /// Writes the coefficients `step · k` of a transform whose inputs were folded to `x`.
    fn fold(&self, x: Vec<f64>, step: usize, out: &mut [f64]) {
        let m = x.len();
        let cos = |k: usize, i: usize| self.cosines[(2 * i + 1) * k * step % (4 * self.n)];
        if m == 0 || m % 2 == 1 {
            for k in 0..m {
                out[k * step] = x.iter().enumerate().map(|(i, v)| v * cos(k, i)).sum();
            }
            return;
        }
        let half = m / 2;
        for k in (1..m).step_by(2) {
            out[k * step] = (0..half).map(|i| (x[i] - x[m - 1 - i]) * cos(k, i)).sum();
        }
        self.fold((0..half).map(|i| x[i] + x[m - 1 - i]).collect(), step * 2, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_folded_transform_is_the_plain_one(x in prop::collection::vec(-1.0f64..1.0, 1..40)) {
            let n = x.len();
            let mut fast = x.clone();
            Dct::new(n).apply(&mut fast);
            for (k, &value) in fast.iter().enumerate() {
                let sum: f64 = x.iter().enumerate()
                    .map(|(i, v)| v * (PI * (2 * i + 1) as f64 * k as f64 / (2 * n) as f64).cos()).sum();
                let want = sum * if k == 0 { 1.0 / (n as f64).sqrt() } else { (2.0 / n as f64).sqrt() };
                prop_assert!((value - want).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_constant_has_no_frequencies() {
        let mut x = vec![0.37; 16];
        Dct::new(16).apply(&mut x);
        assert!(x[1..].iter().all(|&v| v == 0.0));
    }

    #[test]
    fn distance_counts_differing_bits() {
        assert_eq!(distance(&[true, false, true, true], &[true, true, true, false]), 0.5);
    }
}
