//! Brings packed RGB to another size the way the reference tools do.

use multiversion::multiversion;
use tempograph_core::Size;

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
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn bilinear(src: &[u8], stride: usize, from: Size, to: Size) -> Vec<u8> {
    let columns = taps(from.width, to.width);
    let rows = taps(from.height, to.height);
    let width = to.width as usize * 3;
    let mut out = vec![0; width * to.height as usize];
    // Sums across fit 16 bits once their lower four are gone, which is how they are used.
    let mut kept: [(Option<usize>, Vec<i16>); 2] = [(None, vec![0; width]), (None, vec![0; width])];
    let mut weights = [vec![0i16; width], vec![0i16; width]];
    let across = |y: usize, line: &mut [i16]| {
        let row = &src[y * stride..][..from.width as usize * 3];
        for (pixel, &(a, b, wa, wb)) in line.chunks_exact_mut(3).zip(&columns) {
            let (a, b) = (&row[3 * a..3 * a + 3], &row[3 * b..3 * b + 3]);
            for c in 0..3 {
                pixel[c] = ((i32::from(a[c]) * wa + i32::from(b[c]) * wb) >> 4) as i16;
            }
        }
    };
    for (out, &(y0, y1, w0, w1)) in out.chunks_exact_mut(width.max(1)).zip(&rows) {
        if kept[1].0 == Some(y0) {
            kept.swap(0, 1);
        }
        for (slot, y) in kept.iter_mut().zip([y0, y1]) {
            if slot.0 != Some(y) {
                across(y, &mut slot.1);
                slot.0 = Some(y);
            }
        }
        // The weight beside every value: upper halves of products of two vectors are single instructions.
        weights[0].fill(w0 as i16);
        weights[1].fill(w1 as i16);
        let [(_, s0), (_, s1)] = &kept;
        let ([w0, w1], [s0, s1]) = ([&weights[0][..width], &weights[1][..width]], [&s0[..width], &s1[..width]]);
        let upper = |v: i16, w: i16| ((i32::from(v) * i32::from(w)) >> 16) as i16;
        for i in 0..width {
            let sum = upper(s0[i], w0[i]).wrapping_add(upper(s1[i], w1[i]));
            out[i] = (sum.wrapping_add(2) >> 2).clamp(0, 255) as u8;
        }
    }
    out
}

/// For every output position: the first covered source position and the share of each.
fn shares(src: u32, dst: u32) -> Vec<(usize, Vec<f32>)> {
    let scale = f64::from(src) / f64::from(dst);
    (0..dst)
        .map(|d| {
            let (from, to) = (f64::from(d) * scale, (f64::from(d) + 1.0) * scale);
            let first = (from.floor() as u32).min(src - 1);
            let last = (to.ceil() as u32).clamp(first + 1, src);
            let share = |i: u32| ((f64::from(i) + 1.0).min(to) - f64::from(i).max(from)).max(0.0) / scale;
            (first as usize, (first..last).map(|i| share(i) as f32).collect())
        })
        .collect()
}

/// Mean of the covered source pixels, each counted by the part of it that is covered; when
/// shrinking this is OpenCV's `INTER_AREA`.
///
/// `src` has rows of `stride` bytes; the result is packed.
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn area(src: &[u8], stride: usize, from: Size, to: Size) -> Vec<u8> {
    let columns = shares(from.width, to.width);
    let rows = shares(from.height, to.height);
    let width = from.width as usize * 3;
    let mut out = Vec::with_capacity(3 * to.width as usize * to.height as usize);
    let mut line = vec![0.0_f32; width];
    for (top, weights) in &rows {
        line.fill(0.0);
        for (row, &weight) in src[top * stride..].chunks(stride).zip(weights) {
            for (sum, &v) in line.iter_mut().zip(&row[..width]) {
                *sum += weight * f32::from(v);
            }
        }
        for (left, weights) in &columns {
            let mut pixel = [0.0; 3];
            for (v, &weight) in line[3 * left..].chunks_exact(3).zip(weights) {
                for (sum, &v) in pixel.iter_mut().zip(v) {
                    *sum += weight * v;
                }
            }
            out.extend(pixel.map(|v| v.round_ties_even() as u8));
        }
    }
    out
}

/// Fixed-point bits of a cubic weight, as Pillow keeps them for 8-bit pixels.
const CUBIC_BITS: u32 = 22;

/// For every output position: the first source position and the weights from there on.
fn cubic_weights(src: u32, dst: u32) -> Vec<(usize, Vec<i32>)> {
    const A: f64 = -0.5;
    let cubic = |x: f64| {
        let x = x.abs();
        if x < 1.0 {
            ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            (((x - 5.0) * x + 8.0) * x - 4.0) * A
        } else {
            0.0
        }
    };
    let scale = f64::from(src) / f64::from(dst);
    let stretch = scale.max(1.0);
    let support = 2.0 * stretch;
    (0..dst)
        .map(|d| {
            let center = (f64::from(d) + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as u32;
            let end = ((center + support + 0.5) as u32).min(src);
            let raw: Vec<f64> = (first..end).map(|i| cubic((f64::from(i) - center + 0.5) / stretch)).collect();
            let sum: f64 = raw.iter().sum();
            let fixed = |w: &f64| (w / sum * f64::from(1 << CUBIC_BITS)).round() as i32;
            (first as usize, raw.iter().map(fixed).collect())
        })
        .collect()
}

fn to_level(sum: i32) -> u8 {
    (sum >> CUBIC_BITS).clamp(0, 255) as u8
}

/// Four-tap cubic (a = −0.5) widened by the scale when shrinking, in the fixed-point arithmetic
/// of Pillow's `BICUBIC`: across first, rounded to 8 bits, then down.
///
/// `src` has rows of `stride` bytes; the result is packed.
pub(crate) fn bicubic(src: &[u8], stride: usize, from: Size, to: Size) -> Vec<u8> {
    let half = 1 << (CUBIC_BITS - 1);
    let (wide, width) = (from.width as usize * 3, to.width as usize * 3);
    let columns = cubic_weights(from.width, to.width);
    let mut across = Vec::with_capacity(width * from.height as usize);
    for row in src.chunks(stride).take(from.height as usize) {
        if from.width == to.width {
            across.extend_from_slice(&row[..wide]);
            continue;
        }
        for (left, weights) in &columns {
            let mut pixel = [half; 3];
            for (v, &weight) in row[3 * left..].chunks_exact(3).zip(weights) {
                for (sum, &v) in pixel.iter_mut().zip(v) {
                    *sum += weight * i32::from(v);
                }
            }
            across.extend(pixel.map(to_level));
        }
    }
    if from.height == to.height {
        return across;
    }
    let mut out = Vec::with_capacity(width * to.height as usize);
    let mut line = vec![0; width];
    for (top, weights) in cubic_weights(from.height, to.height) {
        line.fill(half);
        for (row, &weight) in across[top * width..].chunks_exact(width).zip(&weights) {
            for (sum, &v) in line.iter_mut().zip(row) {
                *sum += weight * i32::from(v);
            }
        }
        out.extend(line.iter().map(|&sum| to_level(sum)));
    }
    out
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

    /// Largest difference between two pictures and the share of values that differ.
    fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
        assert_eq!(a.len(), b.len());
        let differ = a.iter().zip(b).filter(|(a, b)| a != b).count();
        let worst = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        (worst, differ as f64 / a.len() as f64)
    }

    #[test]
    fn agrees_with_opencv_and_pillow() {
        let all: serde_json::Value = serde_json::from_str(include_str!("../tests/data/resize_cases.json")).unwrap();
        let bytes = |v: &serde_json::Value| serde_json::from_value::<Vec<u8>>(v.clone()).unwrap();
        let size = |v: &serde_json::Value| {
            Size::new(v["width"].as_u64().unwrap() as u32, v["height"].as_u64().unwrap() as u32)
        };
        let (from, picture) = (size(&all), bytes(&all["picture"]));
        let stride = from.width as usize * 3;
        for case in all["cases"].as_array().unwrap() {
            let to = size(case);
            let shrinks = to.width <= from.width && to.height <= from.height;
            // OpenCV rounds an enlarged picture by another path: at most one level, rarely.
            let (worst, share) = difference(&bilinear(&picture, stride, from, to), &bytes(&case["linear"]));
            assert!(worst <= u8::from(!shrinks) && share < 0.01, "bilinear {to:?}: {worst} {share}");
            let (worst, share) = difference(&bicubic(&picture, stride, from, to), &bytes(&case["bicubic"]));
            assert!(worst == 0, "bicubic {to:?}: {worst} {share}");
            if shrinks {
                let (worst, share) = difference(&area(&picture, stride, from, to), &bytes(&case["area"]));
                assert!(worst <= 1 && share < 0.01, "area {to:?}: {worst} {share}");
            }
        }
    }

    #[test]
    fn bicubic_of_a_flat_picture_is_flat() {
        let out = bicubic(&gray(&[77; 12 * 9]), 36, Size::new(12, 9), Size::new(5, 4));
        assert!(out.iter().all(|&v| v == 77));
    }
}
