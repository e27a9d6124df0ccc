//! Hue, saturation and value as OpenCV's 8-bit `COLOR_BGR2HSV`: hue in steps of two degrees.

use multiversion::multiversion;
use tempograph_core::Size;

use super::shrink::Small;

const SHIFT: u32 = 12;
/// What saturation and hue are shares of, in 4096ths: 255, and a sixth of a circle of 180 steps.
const SATURATION: i32 = 255 << SHIFT;
const HUE: i32 = (180 << SHIFT) / 6;
/// Pixels that are converted at once.
const BLOCK: usize = 16;

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
        convert([&small.b, &small.g, &small.r], [&mut self.hue, &mut self.saturation, &mut self.value]);
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

/// Channels of equal length.
#[multiversion(targets("x86_64+avx2"))]
fn convert([b, g, r]: [&[u8]; 3], [hue, saturation, value]: [&mut [u8]; 3]) {
    let n = b.len();
    let (hue, saturation, value) = (&mut hue[..n], &mut saturation[..n], &mut value[..n]);
    let (g, r) = (&g[..n], &r[..n]);
    let whole = n - n % BLOCK;
    for at in (0..whole).step_by(BLOCK) {
        let here = at..at + BLOCK;
        let ([b, g, r], [hue, saturation, value]) = (
            [&b[here.clone()], &g[here.clone()], &r[here.clone()]],
            [&mut hue[here.clone()], &mut saturation[here.clone()], &mut value[here]],
        );
        // Of a known length, so that it becomes vector instructions.
        for i in 0..BLOCK {
            [hue[i], saturation[i], value[i]] = hsv(b[i], g[i], r[i]);
        }
    }
    for i in whole..n {
        [hue[i], saturation[i], value[i]] = hsv(b[i], g[i], r[i]);
    }
}

#[inline(always)]
fn hsv(b: u8, g: u8, r: u8) -> [u8; 3] {
    let value = b.max(g).max(r);
    let range = value.wrapping_sub(b.min(g).min(r));
    let (b, g, r, v, d) = (i32::from(b), i32::from(g), i32::from(r), i32::from(value), i32::from(range));
    let half = 1 << (SHIFT - 1);
    let saturation = d.wrapping_mul(share(SATURATION, v)).wrapping_add(half) >> SHIFT;
    let of_red = g.wrapping_sub(b);
    let of_green = b.wrapping_sub(r).wrapping_add(2 * d);
    let of_blue = r.wrapping_sub(g).wrapping_add(4 * d);
    let sector = if v == r { of_red } else { if v == g { of_green } else { of_blue } };
    let hue = sector.wrapping_mul(share(HUE, d)).wrapping_add(half) >> SHIFT;
    [hue.wrapping_add(if hue < 0 { 180 } else { 0 }) as u8, saturation as u8, value]
}

/// `whole / n` rounded, for `n` up to 255; of 0, which is only multiplied by 0, as of 1.
///
/// In floating point, which has vector instructions: adding 2^23 leaves the nearest whole number in the mantissa's bits. A
/// table would be read pixel by pixel.
#[inline(always)]
fn share(whole: i32, n: i32) -> i32 {
    const WHOLE: f32 = (1 << 23) as f32;
    ((whole as f32 / n.max(1) as f32 + WHOLE).to_bits() & 0x7f_ffff) as i32
}

/// Mean absolute difference of two pictures of equal length; 0 when they are empty.
#[multiversion(targets("x86_64+avx2"))]
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
    fn shares_are_those_of_whole_numbers() {
        for whole in [SATURATION, HUE] {
            assert!((1..256).all(|n| share(whole, n) == (2 * whole + n) / (2 * n)));
        }
    }

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
