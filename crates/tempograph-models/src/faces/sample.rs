//! Square cut-outs of a picture, turned and scaled.

use multiversion::multiversion;
use tempograph_core::Rgb;

/// A square region of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Square {
    /// Its centre, pixels.
    pub(super) centre: (f32, f32),
    /// Its side, pixels, above 0.
    pub(super) side: f32,
    /// How far its upper edge falls to the right, radians.
    pub(super) roll: f32,
}

/// Points a side that the mean of an output pixel is taken over at most.
const MOST_POINTS: usize = 4;

/// Calls `put` with the RGB values, 0 to 255, of `square` brought to `to` x `to` pixels, row by row. What lies outside of
/// the picture is black.
///
/// An output pixel is the mean of bilinear samples, one or so for each pixel it covers.
#[multiversion(targets("x86_64+avx2"))]
pub(super) fn square(rgb: &Rgb, square: Square, to: usize, mut put: impl FnMut(usize, [f32; 3])) {
    let (w, h) = (rgb.size.width as i64, rgb.size.height as i64);
    let scale = square.side / to as f32;
    let points = if scale.is_finite() { (scale.ceil().max(1.0) as usize).min(MOST_POINTS) } else { 1 };
    let (sin, cos) = square.roll.sin_cos();
    let pixel = |x: i64, y: i64| -> [u8; 3] {
        if x < 0 || y < 0 || x >= w || y >= h {
            return [0; 3];
        }
        let at = (y * w + x) as usize * 3;
        rgb.data.get(at..at + 3).map_or([0; 3], |p| [p[0], p[1], p[2]])
    };
    // Two neighbours in a row; in all but the outermost columns they lie side by side.
    let pair = |x: i64, y: i64| -> [u8; 6] {
        if x >= 0 && y >= 0 && x + 1 < w && y < h {
            let at = (y * w + x) as usize * 3;
            if let Some(&pair) = rgb.data.get(at..).and_then(<[u8]>::first_chunk::<6>) {
                return pair;
            }
        }
        let ([a, b, c], [d, e, f]) = (pixel(x, y), pixel(x + 1, y));
        [a, b, c, d, e, f]
    };
    for row in 0..to {
        for column in 0..to {
            let mut sum = [0f32; 3];
            for point in 0..points * points {
                let at =
                    |i: usize, sub: usize| (i as f32 + (sub as f32 + 0.5) / points as f32) * scale - square.side / 2.0;
                let (dx, dy) = (at(column, point % points), at(row, point / points));
                let x = square.centre.0 + dx * cos - dy * sin - 0.5;
                let y = square.centre.1 + dx * sin + dy * cos - 0.5;
                // Far outside nothing is there, and the conversion below stays in range.
                if !(-1.0..=w as f32).contains(&x) || !(-1.0..=h as f32).contains(&y) {
                    continue;
                }
                let (x0, y0) = (x.floor(), y.floor());
                let (fx, fy) = (x - x0, y - y0);
                let (x0, y0) = (x0 as i64, y0 as i64);
                let (above, below) = (pair(x0, y0).map(f32::from), pair(x0, y0 + 1).map(f32::from));
                for (i, sum) in sum.iter_mut().enumerate() {
                    let across = |p: &[f32; 6]| p[i] * (1.0 - fx) + p[i + 3] * fx;
                    *sum += across(&above) * (1.0 - fy) + across(&below) * fy;
                }
            }
            put(row * to + column, sum.map(|v| v / (points * points) as f32));
        }
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::Size;

    use super::*;

    fn ramp() -> Rgb {
        let data = (0..64 * 64).flat_map(|i| [(i % 64 * 4) as u8, (i / 64 * 4) as u8, 7]).collect();
        Rgb { size: Size::new(64, 64), data }
    }

    fn cut(region: Square, to: usize) -> Vec<[f32; 3]> {
        let mut out = vec![[-1.0; 3]; to * to];
        square(&ramp(), region, to, |i, p| out[i] = p);
        out
    }

    #[test]
    fn the_whole_picture_comes_back_as_it_was() {
        let whole = cut(Square { centre: (32.0, 32.0), side: 64.0, roll: 0.0 }, 64);
        assert!(whole.iter().enumerate().all(|(i, p)| *p == [(i % 64 * 4) as f32, (i / 64 * 4) as f32, 7.0]));
        let half = cut(Square { centre: (32.0, 32.0), side: 64.0, roll: 0.0 }, 32);
        assert!((half[33][0] - 10.0).abs() < 1e-3 && (half[33][1] - 10.0).abs() < 1e-3, "{:?}", half[33]);
    }

    #[test]
    fn a_quarter_turn_swaps_the_axes_and_outside_is_black() {
        let turned = cut(Square { centre: (32.0, 32.0), side: 32.0, roll: std::f32::consts::FRAC_PI_2 }, 32);
        // To the right in the cut-out is downwards in the picture.
        assert!(turned[31][1] > turned[0][1] && (turned[31][0] - turned[0][0]).abs() < 1e-2);
        let outside = cut(Square { centre: (-500.0, 1e9), side: 10.0, roll: 0.3 }, 4);
        assert!(outside.iter().all(|p| *p == [0.0; 3]));
        assert_eq!(cut(Square { centre: (f32::NAN, 0.0), side: f32::INFINITY, roll: f32::NAN }, 2), [[0.0; 3]; 4]);
    }
}
