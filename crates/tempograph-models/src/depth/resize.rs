//! Cubic interpolation of a map.

use tempograph_core::Size;

/// Keys' parameter as PyTorch has it.
const A: f32 = -0.75;

/// `values` of `from` in size `to`: four taps an axis around pixel centres, no low-pass, edges repeated.
pub(super) fn bicubic(values: &[f32], from: Size, to: Size) -> Vec<f32> {
    let (from_w, to_w) = (from.width as usize, to.width as usize);
    if from == to || values.is_empty() {
        return values.to_vec();
    }
    let columns = taps(from.width, to.width);
    let rows = taps(from.height, to.height);
    // Each source row is stretched once; a target row mixes four of them.
    let mut stretched = Vec::with_capacity(to_w * from.height as usize);
    for row in values.chunks_exact(from_w) {
        stretched.extend(columns.iter().map(|(at, weights)| (0..4).map(|i| row[at[i]] * weights[i]).sum::<f32>()));
    }
    let mut out = Vec::with_capacity(to_w * to.height as usize);
    for (at, weights) in &rows {
        let four: [&[f32]; 4] = at.map(|y| &stretched[y * to_w..(y + 1) * to_w]);
        out.extend((0..to_w).map(|x| (0..4).map(|i| four[i][x] * weights[i]).sum::<f32>()));
    }
    out
}

/// Positions and weights of the four taps of each target pixel.
fn taps(from: u32, to: u32) -> Vec<([usize; 4], [f32; 4])> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|i| {
            let at = (i as f32 + 0.5) * scale - 0.5;
            let base = at.floor();
            let t = at - base;
            let index = |k: i64| (base as i64 + k).clamp(0, i64::from(from) - 1) as usize;
            let weights = [outer(t + 1.0), inner(t), inner(1.0 - t), outer(2.0 - t)];
            ([index(-1), index(0), index(1), index(2)], weights)
        })
        .collect()
}

/// The kernel within one pixel of its centre.
fn inner(x: f32) -> f32 {
    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
}

/// The kernel from one to two pixels away.
fn outer(x: f32) -> f32 {
    ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_flat_map_stays_flat(level in -10f32..10.0, w in 1u32..20, h in 1u32..20, tw in 1u32..40, th in 1u32..40) {
            let flat = vec![level; (w * h) as usize];
            let out = bicubic(&flat, Size::new(w, h), Size::new(tw, th));
            prop_assert_eq!(out.len(), (tw * th) as usize);
            prop_assert!(out.iter().all(|v| (v - level).abs() < 1e-4));
        }
    }
}
