//! Brings packed RGB to another size the way the reference tools do.

use fast_image_resize::{self as fir, images::Image, images::ImageRef};
use tempograph_core::{Error, ErrorKind, Result, Size};

/// Fixed-point bits of a bilinear weight, as OpenCV's 8-bit `resize` keeps them.
const WEIGHT_BITS: u32 = 11;

/// For every output position: the two source positions and their weights.
fn taps(src: u32, dst: u32) -> Vec<(usize, usize, i32, i32)> {
    let scale = f64::from(src) / f64::from(dst);
    let one = (1 << WEIGHT_BITS) as f32;
    (0..dst)
        .map(|d| {
            let at = ((f64::from(d) + 0.5) * scale - 0.5) as f32;
            let floor = at.floor();
            let (i, f) = (floor as i64, at - floor);
            let (i, f) = if i < 0 {
                (0, 0.0)
            } else if i >= i64::from(src) - 1 {
                (i64::from(src) - 1, 0.0)
            } else {
                (i, f)
            };
            let next = (i + 1).min(i64::from(src) - 1);
            (
                (i as usize),
                next as usize,
                ((1.0 - f) * one).round_ties_even() as i32,
                (f * one).round_ties_even() as i32,
            )
        })
        .collect()
}

/// Two-tap linear without low-pass, in the fixed-point arithmetic of OpenCV's `INTER_LINEAR` for
/// 8-bit pixels (imgproc `resize`, `HResizeLinear` and `VResizeLinear`).
///
/// `src` has rows of `stride` bytes; the result is packed.
pub(crate) fn bilinear(src: &[u8], stride: usize, from: Size, to: Size) -> Vec<u8> {
    let columns = taps(from.width, to.width);
    let rows = taps(from.height, to.height);
    let width = to.width as usize * 3;
    let mut out = Vec::with_capacity(width * to.height as usize);
    let mut kept: [(Option<usize>, Vec<i32>); 2] = [(None, vec![0; width]), (None, vec![0; width])];
    let across = |y: usize, line: &mut [i32]| {
        let row = &src[y * stride..];
        for (pixel, &(a, b, wa, wb)) in line.chunks_exact_mut(3).zip(&columns) {
            let (a, b) = (&row[3 * a..3 * a + 3], &row[3 * b..3 * b + 3]);
            for c in 0..3 {
                pixel[c] = i32::from(a[c]) * wa + i32::from(b[c]) * wb;
            }
        }
    };
    for &(y0, y1, w0, w1) in &rows {
        if kept[1].0 == Some(y0) {
            kept.swap(0, 1);
        }
        for (slot, y) in kept.iter_mut().zip([y0, y1]) {
            if slot.0 != Some(y) {
                across(y, &mut slot.1);
                slot.0 = Some(y);
            }
        }
        out.extend(kept[0].1.iter().zip(&kept[1].1).map(|(&s0, &s1)| {
            let sum = ((w0 * (s0 >> 4)) >> 16) + ((w1 * (s1 >> 4)) >> 16);
            ((sum + 2) >> 2).clamp(0, 255) as u8
        }));
    }
    out
}

/// Four-tap cubic (a = −0.5) widened by the scale when shrinking, as Pillow's `BICUBIC`.
pub(crate) fn bicubic(src: &[u8], from: Size, to: Size) -> Result<Vec<u8>> {
    let fail = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Internal, format!("cannot resize a picture: {e}"));
    let image = ImageRef::new(from.width, from.height, src, fir::PixelType::U8x3).map_err(|e| fail(&e))?;
    let mut out = Image::new(to.width, to.height, fir::PixelType::U8x3);
    let options =
        fir::ResizeOptions::new().resize_alg(fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom)).use_alpha(false);
    fir::Resizer::new().resize(&image, &mut out, &options).map_err(|e| fail(&e))?;
    Ok(out.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(values: &[u8]) -> Vec<u8> {
        values.iter().flat_map(|&v| [v; 3]).collect()
    }

    #[test]
    fn bilinear_keeps_a_picture_of_the_same_size() {
        let src = gray(&(0..35).map(|v| v * 7).collect::<Vec<_>>());
        assert_eq!(bilinear(&src, 21, Size::new(7, 5), Size::new(7, 5)), src);
    }

    #[test]
    fn bilinear_samples_between_pixel_centres() {
        // Doubling: weights 3/4 and 1/4; the ends repeat.
        let src = gray(&[0, 100]);
        assert_eq!(bilinear(&src, 6, Size::new(2, 1), Size::new(4, 1)), gray(&[0, 25, 75, 100]));
        // Halving reads the middle of each pair; a fourth of the size skips pixels: no low-pass.
        let src = gray(&[0, 100, 200, 40]);
        assert_eq!(bilinear(&src, 12, Size::new(4, 1), Size::new(2, 1)), gray(&[50, 120]));
        assert_eq!(bilinear(&src, 12, Size::new(4, 1), Size::new(1, 1)), gray(&[150]));
    }

    #[test]
    fn bicubic_of_a_flat_picture_is_flat() {
        let out = bicubic(&gray(&[77; 12 * 9]), Size::new(12, 9), Size::new(5, 4)).unwrap();
        assert!(out.iter().all(|&v| v == 77));
    }
}
