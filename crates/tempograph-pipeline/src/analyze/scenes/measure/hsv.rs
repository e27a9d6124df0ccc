//! Hue, saturation and value as OpenCV's 8-bit `COLOR_BGR2HSV`: hue in steps of two degrees.

use tempograph_core::Size;

use super::shrink::Small;

const SHIFT: u32 = 12;
/// `255 / v` and `180 / (6 d)` in 4096ths, rounded; entry 0 is 0.
const SATURATION: [i32; 256] = reciprocals(255 << SHIFT);
const HUE: [i32; 256] = reciprocals((180 << SHIFT) / 6);

const fn reciprocals(numerator: i32) -> [i32; 256] {
    let mut table = [0; 256];
    let mut i = 1;
    while i < 256 {
        table[i] = (2 * numerator + i as i32) / (2 * i as i32);
        i += 1;
    }
    table
}

/// The three channels of a picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Hsv {
    pub(super) size: Size,
    hue: Vec<u8>,
    saturation: Vec<u8>,
    /// The largest of R, G and B.
    pub(super) value: Vec<u8>,
}

impl Hsv {
    /// Takes over `small`.
    pub(super) fn fill(&mut self, small: &Small) {
        let n = small.b.len();
        self.size = small.size;
        for channel in [&mut self.hue, &mut self.saturation, &mut self.value] {
            channel.resize(n, 0);
        }
        let (hue, saturation, value) = (&mut self.hue[..n], &mut self.saturation[..n], &mut self.value[..n]);
        let (b, g, r) = (&small.b[..n], &small.g[..n], &small.r[..n]);
        for i in 0..n {
            [hue[i], saturation[i], value[i]] = hsv(b[i], g[i], r[i]);
        }
    }

    /// Mean absolute difference of hue, saturation and value; sizes equal.
    pub(super) fn distance(&self, other: &Self) -> [f64; 3] {
        [
            mean_distance(&self.hue, &other.hue),
            mean_distance(&self.saturation, &other.saturation),
            mean_distance(&self.value, &other.value),
        ]
    }
}

fn hsv(b: u8, g: u8, r: u8) -> [u8; 3] {
    let value = b.max(g).max(r);
    let range = value.wrapping_sub(b.min(g).min(r));
    let (bi, gi, ri, d) = (i32::from(b), i32::from(g), i32::from(r), i32::from(range));
    let half = 1 << (SHIFT - 1);
    let saturation = d.wrapping_mul(SATURATION[usize::from(value)]).wrapping_add(half) >> SHIFT;
    let sector = if value == r {
        gi.wrapping_sub(bi)
    } else if value == g {
        bi.wrapping_sub(ri).wrapping_add(2 * d)
    } else {
        ri.wrapping_sub(gi).wrapping_add(4 * d)
    };
    let hue = sector.wrapping_mul(HUE[usize::from(range)]).wrapping_add(half) >> SHIFT;
    [if hue < 0 { hue + 180 } else { hue } as u8, saturation as u8, value]
}

/// Mean absolute difference of two pictures of equal length; 0 when they are empty.
pub(super) fn mean_distance(a: &[u8], b: &[u8]) -> f64 {
    let n = a.len().min(b.len());
    // Sums of a few thousand fit 32 bits, and short sums are what the compiler turns into `psadbw`.
    let chunk =
        |(a, b): (&[u8], &[u8])| a.iter().zip(b).fold(0u32, |sum, (&a, &b)| sum.wrapping_add(u32::from(a.abs_diff(b))));
    let sum: u64 = a[..n].chunks(4096).zip(b[..n].chunks(4096)).map(|pair| u64::from(chunk(pair))).sum();
    if n == 0 { 0.0 } else { sum as f64 / n as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_and_greys() {
        assert_eq!(hsv(0, 0, 255), [0, 255, 255]);
        assert_eq!(hsv(0, 255, 0), [60, 255, 255]);
        assert_eq!(hsv(255, 0, 0), [120, 255, 255]);
        assert_eq!(hsv(77, 77, 77), [0, 0, 77]);
        assert_eq!(hsv(0, 0, 0), [0, 0, 0]);
        assert_eq!(hsv(10, 0, 255)[0], 179);
    }

    #[test]
    fn distance_is_the_mean() {
        assert_eq!(mean_distance(&[0, 255, 10, 10], &[10, 245, 10, 0]), 7.5);
        assert_eq!(mean_distance(&[], &[]), 0.0);
    }
}
