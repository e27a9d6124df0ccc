//! Sizes that a projector takes, and bringing pictures to them.
//!
//! The library fits a picture into the size its model wants and fills up with black; the models were trained on
//! pictures stretched to that size. So pictures of models with a free size are stretched here, and reach the library
//! in a size it leaves alone. 640 × 360 filled up moves the values of a Qwen2.5-VL by half a unit, 300 × 200 by two.

use tempograph_core::{Error, ErrorKind, Result, Rgb, Size};

use crate::gguf::Header;

/// Projectors whose pictures have a free size in multiples of their factor (Qwen2-VL's `smart_resize`).
const DYNAMIC: &[&str] = &["qwen2vl_merger", "qwen2.5vl_merger", "qwen3vl_merger"];
/// Those that read two frames as one where they follow each other, and were trained on frames after their times.
const VIDEO: &[&str] = &["qwen3vl_merger"];
/// Fewest tokens of a picture: the library's own bound for these models.
const LEAST_TOKENS: u64 = 8;
/// Sides that differ more than this many times are refused, as the models' own preprocessing does.
const MAX_ASPECT: u32 = 200;

/// Whether pictures of this projector have a free size.
pub(crate) fn is_dynamic(projector: &Header) -> bool {
    projector.projector().is_some_and(|p| DYNAMIC.contains(&p))
}

/// Whether this projector reads pairs of frames as video.
pub(crate) fn is_video(projector: &Header) -> bool {
    projector.projector().is_some_and(|p| VIDEO.contains(&p))
}

/// Side of the square of pixels that becomes one token.
pub(crate) fn factor(projector: &Header) -> u32 {
    let number = |key: &str| projector.number(&format!("clip.vision.{key}")).and_then(|n| u32::try_from(n).ok());
    let patch = number("patch_size").unwrap_or(14).clamp(1, 256);
    let merge = number("spatial_merge_size").unwrap_or(if is_dynamic(projector) { 2 } else { 1 }).clamp(1, 16);
    patch * merge
}

/// The size that a picture of `size` is stretched to: multiples of `factor`, near its aspect ratio, between the fewest
/// tokens and `most_tokens` (Qwen2-VL's `smart_resize`).
///
/// # Errors
/// [`ErrorKind::InvalidData`] for an empty picture or one too narrow.
pub(crate) fn aligned(size: Size, factor: u32, most_tokens: u32) -> Result<Size> {
    let (short, long) = (size.width.min(size.height), size.width.max(size.height));
    if short == 0 || long / short > MAX_ASPECT {
        return Err(Error::new(
            ErrorKind::InvalidData,
            format!("a picture of {} x {} pixels cannot be shown to the model", size.width, size.height),
        ));
    }
    let f = f64::from(factor);
    let (width, height) = (f64::from(size.width), f64::from(size.height));
    let pixels = width * height;
    let (least, most) = (LEAST_TOKENS as f64 * f * f, f64::from(most_tokens.max(LEAST_TOKENS as u32)) * f * f);
    let near = |side: f64| ((side / f).round_ties_even() * f).max(f);
    let (mut w, mut h) = (near(width), near(height));
    if w * h > most {
        let scale = (pixels / most).sqrt();
        let below = |side: f64| ((side / scale / f).floor() * f).max(f);
        (w, h) = (below(width), below(height));
    } else if w * h < least {
        let scale = (least / pixels).sqrt();
        let above = |side: f64| (side * scale / f).ceil() * f;
        (w, h) = (above(width), above(height));
    }
    Ok(Size { width: w as u32, height: h as u32 })
}

/// The picture stretched to `size`, byte for byte as `BICUBIC` of Pillow 12 does it: rows, then columns, each rounded to
/// eight bits. General resizers round otherwise, which moves one byte in twenty and the model's values with it.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when its pixels do not fit its size, or a size is empty.
pub(crate) fn stretched(picture: &Rgb, size: Size) -> Result<Vec<u8>> {
    let (width, height) = (picture.size.width as usize, picture.size.height as usize);
    let fits = width.checked_mul(height).and_then(|n| n.checked_mul(3)) == Some(picture.data.len());
    if !fits || picture.data.is_empty() || size.width == 0 || size.height == 0 {
        return Err(Error::new(ErrorKind::InvalidData, "a picture whose pixels do not fit its size"));
    }
    let across = if size.width == picture.size.width {
        picture.data.clone()
    } else {
        let taps = taps(picture.size.width, size.width);
        let mut out = Vec::with_capacity(3 * size.width as usize * height);
        for row in picture.data.chunks_exact(3 * width) {
            for (first, weights) in &taps {
                let mut sums = [HALF; 3];
                for (pixel, &weight) in row[3 * first..].chunks_exact(3).zip(weights) {
                    for (sum, &byte) in sums.iter_mut().zip(pixel) {
                        *sum += i32::from(byte) * weight;
                    }
                }
                out.extend(sums.map(byte));
            }
        }
        out
    };
    if size.height == picture.size.height {
        return Ok(across);
    }
    let stride = 3 * size.width as usize;
    let mut out = Vec::with_capacity(stride * size.height as usize);
    let mut sums = vec![0; stride];
    for (first, weights) in taps(picture.size.height, size.height) {
        sums.fill(HALF);
        for (row, weight) in across[first * stride..].chunks_exact(stride).zip(weights) {
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += i32::from(byte) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| byte(sum)));
    }
    Ok(out)
}

/// Fixed-point bits of a weight in Pillow (`Resample.c`): 32, less 8 of the pixel, less 2 of overshoot.
const BITS: u32 = 32 - 8 - 2;
/// Half a unit, so that cutting off rounds.
const HALF: i32 = 1 << (BITS - 1);

fn byte(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// For every place of the result: the first place of the source that counts, and the weights from there on.
fn taps(from: u32, to: u32) -> Vec<(usize, Vec<i32>)> {
    let scale = f64::from(from) / f64::from(to);
    // A picture that shrinks is blurred as much.
    let blur = scale.max(1.0);
    let reach = 2.0 * blur;
    let tap = |place: u32| {
        let centre = (f64::from(place) + 0.5) * scale;
        let first = (centre - reach + 0.5).max(0.0) as u32;
        let last = ((centre + reach + 0.5) as u32).min(from);
        let weights: Vec<f64> = (first..last).map(|at| cubic((f64::from(at) - centre + 0.5) / blur)).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |w: f64| (w / sum * f64::from(1_u32 << BITS)).round() as i32;
        (first as usize, weights.into_iter().map(fixed).collect())
    };
    (0..to).map(tap).collect()
}

/// Keys' cubic with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    match x.abs() {
        x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From `smart_resize` of transformers 5.23 with factor 28, 8 to 4096 tokens: width, height → width, height.
    #[test]
    fn sizes_are_those_of_the_reference() {
        let cases = [
            ((640, 360), (644, 364)),
            ((300, 200), (308, 196)),
            ((224, 224), (224, 224)),
            ((1920, 1080), (1932, 1092)),
            ((14, 14), (84, 84)),
            ((8000, 6000), (2044, 1540)),
            ((42, 70), (84, 112)),
        ];
        for ((width, height), (w, h)) in cases {
            let got = aligned(Size { width, height }, 28, 4096).unwrap();
            assert_eq!((got.width, got.height), (w, h), "{width} x {height}");
        }
        assert!(aligned(Size { width: 0, height: 9 }, 28, 4096).is_err());
        assert!(aligned(Size { width: 4000, height: 9 }, 28, 4096).is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_size_is_a_multiple_and_within_bounds(width in 1_u32..5000, height in 1_u32..5000, most in 16_u32..5000) {
            if let Ok(size) = aligned(Size { width, height }, 28, most) {
                let tokens = u64::from(size.width / 28) * u64::from(size.height / 28);
                proptest::prop_assert!(size.width % 28 == 0 && size.height % 28 == 0);
                proptest::prop_assert!(size.width >= 28 && size.height >= 28);
                let thin = width.max(height) / width.min(height) > 8;
                proptest::prop_assert!(thin || tokens <= u64::from(most.max(8)), "{size:?} {tokens}");
            }
        }
    }
}
