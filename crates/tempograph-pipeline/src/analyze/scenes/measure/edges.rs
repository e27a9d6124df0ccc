//! Edges of a small picture: Canny's detector around the median value, widened by a square.
//!
//! J. Canny, "A computational approach to edge detection", 1986, in OpenCV's form: 3 × 3 Sobel
//! gradients with replicated borders, |dx| + |dy| as magnitude, sectors split at tan 22.5°.

use tempograph_core::Size;

/// The side of the square edges are widened by, from the picture's size: odd, at least 5.
pub(super) fn kernel_size(size: Size) -> u32 {
    let side = 4 + ((size.area() as f64).sqrt() / 192.0).round_ties_even() as u32;
    side | 1
}

/// Writes 255 near edges of `value` and 0 elsewhere into `out`.
pub(super) fn detect(value: &[u8], size: Size, kernel: u32, out: &mut Vec<u8>) {
    let median = median(value);
    let low = ((1.0 - 1.0 / 3.0) * median).max(0.0) as i32;
    let high = ((1.0 + 1.0 / 3.0) * median).min(255.0) as i32;
    let edges = canny(value, size, low, high);
    dilate(&edges, size, kernel, out);
}

fn median(values: &[u8]) -> f64 {
    let mut counts = [0usize; 256];
    for &v in values {
        counts[usize::from(v)] += 1;
    }
    let nth = |n: usize| {
        let mut left = n;
        counts
            .iter()
            .position(|&c| {
                left < c || {
                    left -= c;
                    false
                }
            })
            .unwrap_or(0) as f64
    };
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => nth(n / 2),
        n => (nth(n / 2 - 1) + nth(n / 2)) / 2.0,
    }
}

fn canny(value: &[u8], size: Size, low: i32, high: i32) -> Vec<bool> {
    let (w, h) = (size.width as usize, size.height as usize);
    let at = |x: usize, y: usize| i32::from(value[y * w + x]);
    let mut gradient = vec![(0i32, 0i32); w * h];
    for y in 0..h {
        let (up, down) = (y.saturating_sub(1), (y + 1).min(h - 1));
        for x in 0..w {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(w - 1));
            let dx =
                at(right, up) + 2 * at(right, y) + at(right, down) - at(left, up) - 2 * at(left, y) - at(left, down);
            let dy = at(left, down) + 2 * at(x, down) + at(right, down) - at(left, up) - 2 * at(x, up) - at(right, up);
            gradient[y * w + x] = (dx, dy);
        }
    }
    let magnitude = |x: i64, y: i64| {
        if x < 0 || y < 0 || x >= w as i64 || y >= h as i64 {
            return 0;
        }
        let (dx, dy) = gradient[y as usize * w + x as usize];
        dx.abs() + dy.abs()
    };
    /// tan 22.5° in 2^-15.
    const TAN: i64 = 13573;
    let mut candidate = vec![false; w * h];
    let mut edge = vec![false; w * h];
    let mut stack = Vec::new();
    for y in 0..h as i64 {
        for x in 0..w as i64 {
            let i = y as usize * w + x as usize;
            let m = magnitude(x, y);
            if m <= low {
                continue;
            }
            let (dx, dy) = gradient[i];
            let (ax, ay) = (i64::from(dx.abs()), i64::from(dy.abs()) << 15);
            let flat = ax * TAN;
            let keep = if ay < flat {
                m > magnitude(x - 1, y) && m >= magnitude(x + 1, y)
            } else if ay > flat + (ax << 16) {
                m > magnitude(x, y - 1) && m >= magnitude(x, y + 1)
            } else {
                let s = if (dx ^ dy) < 0 { -1 } else { 1 };
                m > magnitude(x - s, y - 1) && m > magnitude(x + s, y + 1)
            };
            if keep {
                candidate[i] = true;
                if m > high {
                    edge[i] = true;
                    stack.push((x, y));
                }
            }
        }
    }
    while let Some((x, y)) = stack.pop() {
        for (nx, ny) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (x + dx, y + dy))) {
            if nx < 0 || ny < 0 || nx >= w as i64 || ny >= h as i64 {
                continue;
            }
            let i = ny as usize * w + nx as usize;
            if candidate[i] && !edge[i] {
                edge[i] = true;
                stack.push((nx, ny));
            }
        }
    }
    edge
}

fn dilate(edges: &[bool], size: Size, kernel: u32, out: &mut Vec<u8>) {
    let (w, h, reach) = (size.width as usize, size.height as usize, kernel as usize / 2);
    let mut wide = vec![false; w * h];
    for y in 0..h {
        for x in (0..w).filter(|x| edges[y * w + x]) {
            wide[y * w + x.saturating_sub(reach)..y * w + (x + reach + 1).min(w)].fill(true);
        }
    }
    out.clear();
    out.resize(w * h, 0);
    for y in 0..h {
        for row in y.saturating_sub(reach)..(y + reach + 1).min(h) {
            for x in (0..w).filter(|x| wide[y * w + x]) {
                out[row * w + x] = 255;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_gives_one_wide_line() {
        let size = Size::new(20, 20);
        let value: Vec<u8> = (0..400).map(|i| if i % 20 < 10 { 40 } else { 200 }).collect();
        let mut out = Vec::new();
        detect(&value, size, 5, &mut out);
        let row: Vec<usize> = (0..20).filter(|x| out[10 * 20 + x] == 255).collect();
        assert!(row.len() >= 5 && row.contains(&9) && row.contains(&10), "around the step, got {row:?}");
        assert!((0..20).all(|y| out[y * 20] == 0));
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[9, 1, 5]), 5.0);
        assert_eq!(median(&[1, 2, 4, 9]), 3.0);
        assert_eq!(kernel_size(Size::new(256, 144)), 5);
    }
}
