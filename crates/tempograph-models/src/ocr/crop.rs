//! Strips: the pixels inside a rotated rectangle, upright and of one height.

use tempograph_core::Rgb;

use super::quad::Quad;

/// A rectangle this many times as high as wide holds text that runs downwards; it is turned to the left (PaddleOCR).
const UPRIGHT_RATIO: f64 = 1.5;

/// The corners of the strip's text: as the rectangle's, or turned when it stands upright.
pub(super) fn turned(quad: &Quad) -> Quad {
    if quad.height() < quad.width() * UPRIGHT_RATIO {
        return *quad;
    }
    let [tl, tr, br, bl] = quad.corners;
    Quad { corners: [tr, br, bl, tl] }
}

/// Writes the strip inside `quad`, `width` by `height` pixels, into three planes, blue first, through `value`.
/// `stride` is the planes' row length. Where the strip is smaller than what it shows, pixels are averaged.
pub(super) fn cut(
    pixels: &Rgb,
    quad: &Quad,
    (width, height): (usize, usize),
    stride: usize,
    planes: &mut [f32],
    value: impl Fn(f32) -> f32,
) {
    let [tl, tr, _, bl] = quad.corners;
    let plane = stride * height;
    let step = |from: [f64; 2], to: [f64; 2], n: usize| [(to[0] - from[0]) / n as f64, (to[1] - from[1]) / n as f64];
    let (across, down) = (step(tl, tr, width), step(tl, bl, height));
    // Taps a pixel along each axis: one for each source pixel it covers, up to what still makes a difference.
    let taps = |v: [f64; 2]| (v[0].hypot(v[1]).round() as usize).clamp(1, 4);
    let (nx, ny) = (taps(across), taps(down));
    let scale = 1.0 / (nx * ny) as f32;
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0f32; 3];
            for j in 0..ny {
                for i in 0..nx {
                    let s = x as f64 + (i as f64 + 0.5) / nx as f64;
                    let t = y as f64 + (j as f64 + 0.5) / ny as f64;
                    let px = tl[0] + across[0] * s + down[0] * t - 0.5;
                    let py = tl[1] + across[1] * s + down[1] * t - 0.5;
                    let rgb = sample(pixels, px, py);
                    (0..3).for_each(|c| sum[c] += rgb[c]);
                }
            }
            for (channel, plane) in planes.chunks_exact_mut(plane).enumerate() {
                plane[y * stride + x] = value(sum[2 - channel] * scale);
            }
        }
    }
}

/// Linear between the four nearest pixels; beyond the edge the edge goes on.
fn sample(pixels: &Rgb, x: f64, y: f64) -> [f32; 3] {
    let (w, h) = (pixels.size.width as usize, pixels.size.height as usize);
    let (x, y) = (x.clamp(0.0, w as f64 - 1.0), y.clamp(0.0, h as f64 - 1.0));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = ((x - x0 as f64) as f32, (y - y0 as f64) as f32);
    let at = |x: usize, y: usize, c: usize| f32::from(pixels.data[(y * w + x) * 3 + c]);
    std::array::from_fn(|c| {
        let top = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
        let bottom = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
        top * (1.0 - fy) + bottom * fy
    })
}

#[cfg(test)]
mod tests {
    use tempograph_core::Size;

    use super::*;

    #[test]
    fn a_strip_of_its_own_size_is_the_pixels() {
        let size = Size::new(8, 4);
        let pixels = Rgb { size, data: (0..96).collect() };
        let quad = Quad { corners: [[2.0, 1.0], [6.0, 1.0], [6.0, 3.0], [2.0, 3.0]] };
        let mut planes = vec![-1.0; 3 * 2 * 5];
        cut(&pixels, &quad, (4, 2), 5, &mut planes, |v| v);
        let at = |x: usize, y: usize, c: usize| ((y * 8 + x) * 3 + c) as f32;
        assert_eq!(planes[..5], [at(2, 1, 2), at(3, 1, 2), at(4, 1, 2), at(5, 1, 2), -1.0], "blue first");
        assert_eq!(planes[20..24], [at(2, 1, 0), at(3, 1, 0), at(4, 1, 0), at(5, 1, 0)], "red last");
    }

    #[test]
    fn upright_text_is_turned_to_the_left() {
        let quad = Quad { corners: [[0.0, 0.0], [2.0, 0.0], [2.0, 9.0], [0.0, 9.0]] };
        let turned = turned(&quad);
        assert_eq!((turned.width(), turned.height()), (9.0, 2.0));
        assert_eq!(turned.corners[0], [2.0, 0.0]);
        assert_eq!(super::turned(&turned), turned);
    }
}
