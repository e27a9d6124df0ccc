//! YCbCr to RGB with the rounding of libswscale's unscaled converter, which OpenCV decodes with.
//!
//! The constants are ITU-R BT.601's as libswscale's `sws_getCoefficients` scales them; OpenCV never
//! tells it another matrix, so the same is used for every stream. Products keep their upper 16 of
//! 32 bits without rounding, as the vector code (`pmulhw`) does.

/// Factors that take samples to RGB.
struct Matrix {
    y_offset: i16,
    y: i16,
    r_v: i16,
    g_u: i16,
    g_v: i16,
    b_u: i16,
}

/// For samples of 16–235.
const LIMITED: Matrix = Matrix::bt601(false);
/// For samples of 0–255.
const FULL: Matrix = Matrix::bt601(true);

impl Matrix {
    const fn bt601(full_range: bool) -> Self {
        // 2^13 times a factor given in 2^-16, rounded, is what fits the upper half of a product
        // with samples times 8.
        const fn coefficient(k: i64) -> i16 {
            ((k * 8192 + 32768) >> 16) as i16
        }
        const fn chroma(k: i64, full_range: bool) -> i16 {
            coefficient(if full_range { k * 224 / 255 } else { k })
        }
        Self {
            y_offset: if full_range { 0 } else { 16 * 8 },
            y: coefficient(if full_range { 65536 } else { 65536 * 255 / 219 }),
            r_v: chroma(104_597, full_range),
            g_u: chroma(-25_675, full_range),
            g_v: chroma(-53_279, full_range),
            b_u: chroma(132_201, full_range),
        }
    }
}

/// Converts samples of equal count, of 0–255 where `full_range`; `out` are the B, G and R channels
/// of the same length.
pub(super) fn convert(full_range: bool, samples: [&[u8]; 3], out: [&mut [u8]; 3]) {
    // With the factors known to the compiler the products become single vector instructions.
    if full_range { with(&FULL, samples, out) } else { with(&LIMITED, samples, out) }
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

    fn one(full: bool, y: u8, u: u8, v: u8) -> [u8; 3] {
        let (mut b, mut g, mut r) = ([0], [0], [0]);
        convert(full, [&[y], &[u], &[v]], [&mut b, &mut g, &mut r]);
        [b[0], g[0], r[0]]
    }

    #[test]
    fn black_white_and_primaries() {
        assert_eq!(one(false, 16, 128, 128), [0, 0, 0]);
        assert_eq!(one(false, 235, 128, 128), [255, 255, 255]);
        assert_eq!(one(true, 0, 128, 128), [0, 0, 0]);
        assert_eq!(one(true, 200, 128, 128), [200, 200, 200]);
        let red = one(false, 81, 90, 240);
        assert!(red[2] >= 253 && red[1] <= 2 && red[0] <= 2, "BT.601 red, got {red:?}");
    }
}
