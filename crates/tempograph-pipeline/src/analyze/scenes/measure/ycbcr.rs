//! YCbCr to RGB with the rounding of libswscale's unscaled converter, which OpenCV decodes with.
//!
//! The constants are those of ITU-R BT.601 and BT.709 as libswscale's `sws_getCoefficients` scales
//! them. Products keep their upper 16 of 32 bits without rounding, as the vector code (`pmulhw`)
//! does.

use multiversion::multiversion;

/// Factors that take samples to RGB.
struct Matrix {
    y_offset: i16,
    y: i16,
    r_v: i16,
    g_u: i16,
    g_v: i16,
    b_u: i16,
}

/// For BT.601 (0) and BT.709 (1), each of 16–235 (0) and of 0–255 (1).
const MATRICES: [[Matrix; 2]; 2] = {
    const BT601: [i64; 4] = [104_597, -25_675, -53_279, 132_201];
    const BT709: [i64; 4] = [117_489, -13_975, -34_925, 138_438];
    [[Matrix::new(BT601, false), Matrix::new(BT601, true)], [Matrix::new(BT709, false), Matrix::new(BT709, true)]]
};

impl Matrix {
    /// From the factors of Cr for red, Cb and Cr for green, and Cb for blue, in 2^-16.
    const fn new([r_v, g_u, g_v, b_u]: [i64; 4], full_range: bool) -> Self {
        // 2^13 times a factor, rounded, is what fits the upper half of a product with samples
        // times 8.
        const fn coefficient(k: i64) -> i16 {
            ((k * 8192 + 32768) >> 16) as i16
        }
        const fn chroma(k: i64, full_range: bool) -> i16 {
            coefficient(if full_range { k * 224 / 255 } else { k })
        }
        Self {
            y_offset: if full_range { 0 } else { 16 * 8 },
            y: coefficient(if full_range { 65536 } else { 65536 * 255 / 219 }),
            r_v: chroma(r_v, full_range),
            g_u: chroma(g_u, full_range),
            g_v: chroma(g_v, full_range),
            b_u: chroma(b_u, full_range),
        }
    }
}

/// What the samples of a picture mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// Whether the matrix is BT.709 (else BT.601).
    pub(super) bt709: bool,
    /// Whether samples use 0–255 instead of 16–235.
    pub(super) full_range: bool,
}

/// Converts samples of equal count; `out` are the B, G and R channels of the same length.
#[multiversion(targets("x86_64+avx2"))]
pub(super) fn convert(kind: Kind, samples: [&[u8]; 3], out: [&mut [u8]; 3]) {
    // With the factors known to the compiler the products become single vector instructions.
    match (kind.bt709, kind.full_range) {
        (false, false) => with(&MATRICES[0][0], samples, out),
        (false, true) => with(&MATRICES[0][1], samples, out),
        (true, false) => with(&MATRICES[1][0], samples, out),
        (true, true) => with(&MATRICES[1][1], samples, out),
    }
}

#[inline(always)]
fn with(matrix: &Matrix, [y, u, v]: [&[u8]; 3], [b, g, r]: [&mut [u8]; 3]) {
    let n = y.len();
    let (u, v) = (&u[..n], &v[..n]);
    let (b, g, r) = (&mut b[..n], &mut g[..n], &mut r[..n]);
    for i in 0..n {
        let luma = upper(i16::from(y[i]).wrapping_mul(8).wrapping_sub(matrix.y_offset), matrix.y);
        let u = i16::from(u[i]).wrapping_mul(8).wrapping_sub(1024);
        let v = i16::from(v[i]).wrapping_mul(8).wrapping_sub(1024);
        b[i] = narrow(luma.wrapping_add(upper(u, matrix.b_u)));
        g[i] = narrow(luma.wrapping_add(upper(u, matrix.g_u).wrapping_add(upper(v, matrix.g_v))));
        r[i] = narrow(luma.wrapping_add(upper(v, matrix.r_v)));
    }
}

/// The upper half of the product.
#[inline(always)]
fn upper(a: i16, b: i16) -> i16 {
    ((i32::from(a) * i32::from(b)) >> 16) as i16
}

fn narrow(v: i16) -> u8 {
    v.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bt709: bool, full_range: bool, y: u8, u: u8, v: u8) -> [u8; 3] {
        let (mut b, mut g, mut r) = ([0], [0], [0]);
        convert(Kind { bt709, full_range }, [&[y], &[u], &[v]], [&mut b, &mut g, &mut r]);
        [b[0], g[0], r[0]]
    }

    #[test]
    fn black_white_and_red() {
        for bt709 in [false, true] {
            assert_eq!(one(bt709, false, 16, 128, 128), [0, 0, 0]);
            assert_eq!(one(bt709, false, 235, 128, 128), [255, 255, 255]);
            assert_eq!(one(bt709, true, 0, 128, 128), [0, 0, 0]);
            assert_eq!(one(bt709, true, 200, 128, 128), [200, 200, 200]);
        }
        for red in [one(false, false, 81, 90, 240), one(true, false, 63, 102, 240), one(false, true, 76, 85, 255)] {
            assert!(red[2] >= 252 && red[1] <= 3 && red[0] <= 3, "red, got {red:?}");
        }
    }
}
