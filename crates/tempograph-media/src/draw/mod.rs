//! Drawing: filled and outlined rectangles, text and pictures on planar 4:2:0 video.
//!
//! Marks go straight onto the Y, Cb and Cr planes, so that an annotated frame costs what is
//! drawn on it and no conversion to RGB and back.

mod colour;
mod text;

pub use colour::{Colour, track_colour};
use tempograph_core::{BoxXyxy, Rgb, Size};
pub use text::{Font, TextMask};

use self::colour::Ycc;

/// A rectangle of whole pixels; may lie partly or wholly outside of the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Left column.
    pub x: i32,
    /// Top row.
    pub y: i32,
    /// Columns; none when not above 0.
    pub w: i32,
    /// Rows; none when not above 0.
    pub h: i32,
}

impl Rect {
    /// A rectangle from its top left corner and its size.
    pub const fn new(x: i32, y: i32, w: i32, h: i32) -> Self {
        Self { x, y, w, h }
    }

    /// The pixels that `bbox` covers, rounded to the nearest edges and held near the canvas.
    pub fn from_box(bbox: BoxXyxy) -> Self {
        let near = |v: f32| v.round().clamp(-32_768.0, 65_536.0) as i32;
        let (x, y) = (near(bbox.x1), near(bbox.y1));
        Self { x, y, w: near(bbox.x2) - x, h: near(bbox.y2) - y }
    }

    /// The part inside a picture of `w` columns and `h` rows, as half-open ranges.
    fn within(self, w: usize, h: usize) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let hold = |v: i64, limit: usize| v.clamp(0, limit as i64) as usize;
        let (x, y) = (i64::from(self.x), i64::from(self.y));
        let xs = hold(x, w)..hold(x + i64::from(self.w.max(0)), w);
        let ys = hold(y, h)..hold(y + i64::from(self.h.max(0)), h);
        (!xs.is_empty() && !ys.is_empty()).then_some((xs, ys))
    }
}

/// Planes of an 8-bit 4:2:0 picture that can be drawn on. The size is even.
#[derive(Debug)]
pub struct Canvas<'a> {
    size: Size,
    planes: [&'a mut [u8]; 3],
    strides: [usize; 3],
    full_range: bool,
    bt709: bool,
}

impl<'a> Canvas<'a> {
    /// A canvas over `planes`; `None` when a plane is shorter than `size` and its stride ask for,
    /// or the size is odd or empty.
    pub fn new(
        size: Size,
        planes: [&'a mut [u8]; 3],
        strides: [usize; 3],
        full_range: bool,
        bt709: bool,
    ) -> Option<Self> {
        let (w, h) = (size.width as usize, size.height as usize);
        let fits = |i: usize| {
            let (w, h) = if i == 0 { (w, h) } else { (w / 2, h / 2) };
            strides[i] >= w && planes[i].len() >= strides[i] * h.saturating_sub(1) + w
        };
        let even = w > 0 && h > 0 && w % 2 == 0 && h % 2 == 0;
        (even && (0..3).all(fits)).then_some(Self { size, planes, strides, full_range, bt709 })
    }

    /// Size in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Fills `rect`, letting through what `colour`'s opacity leaves.
    pub fn fill(&mut self, rect: Rect, colour: Colour) {
        let ink = colour.ycc(self.full_range, self.bt709);
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let Some((xs, ys)) = rect.within(w, h) else { return };
        for y in ys.clone() {
            let row = y * self.strides[0];
            blend_row(&mut self.planes[0][row + xs.start..row + xs.end], ink.y, colour.a);
        }
        // Each chroma sample stands for four pixels and takes as much colour as are covered.
        let covered = |range: &std::ops::Range<usize>, c: usize| range.end.min(2 * c + 2) - range.start.max(2 * c);
        let columns = xs.start / 2..xs.end.div_ceil(2);
        for cy in ys.start / 2..ys.end.div_ceil(2) {
            let tall = covered(&ys, cy);
            for (plane, value) in [(1, ink.cb), (2, ink.cr)] {
                let stride = self.strides[plane];
                let row = &mut self.planes[plane][cy * stride + columns.start..cy * stride + columns.end];
                let last = row.len() - 1;
                let share = |wide: usize| (u32::from(colour.a) * (wide * tall) as u32 / 4) as u8;
                let (first_a, last_a) = (share(covered(&xs, columns.start)), share(covered(&xs, columns.end - 1)));
                row[0] = blend(row[0], value, first_a);
                if last > 0 {
                    blend_row(&mut row[1..last], value, share(2));
                    row[last] = blend(row[last], value, last_a);
                }
            }
        }
    }

    /// Draws the edge of `rect`, `thickness` pixels to the inside.
    pub fn outline(&mut self, rect: Rect, thickness: i32, colour: Colour) {
        let t = thickness.min(rect.w / 2).min(rect.h / 2).max(1);
        let Rect { x, y, w, h } = rect;
        self.fill(Rect::new(x, y, w, t), colour);
        self.fill(Rect::new(x, y + h - t, w, t), colour);
        self.fill(Rect::new(x, y + t, t, h - 2 * t), colour);
        self.fill(Rect::new(x + w - t, y + t, t, h - 2 * t), colour);
    }

    /// Draws text with its outline; `x`, `y` is the top left corner of the mask.
    pub fn text(&mut self, mask: &TextMask, x: i32, y: i32, ink: Colour, edge: Colour) {
        if mask.has_edge() {
            self.mask(mask.edge(), mask.size(), x, y, edge);
        }
        self.mask(mask.fill(), mask.size(), x, y, ink);
    }

    /// Blends `colour` in where `cover` says, row-major, `size` columns and rows.
    fn mask(&mut self, cover: &[u8], (mw, mh): (usize, usize), x: i32, y: i32, colour: Colour) {
        let ink = colour.ycc(self.full_range, self.bt709);
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let Some((xs, ys)) = Rect::new(x, y, mw as i32, mh as i32).within(w, h) else { return };
        let at = |px: usize, py: usize| {
            // Pixels of a chroma sample may lie outside of the mask.
            let (mx, my) = (px as i64 - i64::from(x), py as i64 - i64::from(y));
            let inside = mx >= 0 && my >= 0 && (mx as usize) < mw && (my as usize) < mh;
            if inside { u32::from(cover[my as usize * mw + mx as usize]) } else { 0 }
        };
        let alpha = u32::from(colour.a);
        for py in ys.clone() {
            for px in xs.clone() {
                let a = at(px, py) * alpha / 255;
                if a > 0 {
                    let sample = &mut self.planes[0][py * self.strides[0] + px];
                    *sample = blend(*sample, ink.y, a as u8);
                }
            }
        }
        for cy in ys.start / 2..ys.end.div_ceil(2) {
            for cx in xs.start / 2..xs.end.div_ceil(2) {
                let (px, py) = (2 * cx, 2 * cy);
                let four = at(px, py) + at(px + 1, py) + at(px, py + 1) + at(px + 1, py + 1);
                let a = (four * alpha / 255 / 4) as u8;
                if a > 0 {
                    for (plane, value) in [(1, ink.cb), (2, ink.cr)] {
                        let sample = &mut self.planes[plane][cy * self.strides[plane] + cx];
                        *sample = blend(*sample, value, a);
                    }
                }
            }
        }
    }

    /// Puts `picture` with its top left corner at `x`, `y`, both rounded down to even; what does
    /// not fit is cut off.
    pub fn picture(&mut self, picture: &Rgb, x: u32, y: u32) {
        let (x, y) = ((x & !1) as usize, (y & !1) as usize);
        let (w, h) = (picture.size.width as usize & !1, picture.size.height as usize & !1);
        if picture.data.len() < picture.size.area() as usize * 3 {
            return;
        }
        let pixel = |px: usize, py: usize| {
            let i = 3 * (py * picture.size.width as usize + px);
            Colour::rgb(picture.data[i], picture.data[i + 1], picture.data[i + 2])
        };
        let (w, h) =
            (w.min((self.size.width as usize).saturating_sub(x)), h.min((self.size.height as usize).saturating_sub(y)));
        for py in (0..h).step_by(2) {
            for px in (0..w).step_by(2) {
                let four = [(px, py), (px + 1, py), (px, py + 1), (px + 1, py + 1)];
                let mut sums = [0u32; 2];
                for (qx, qy) in four {
                    let Ycc { y: luma, cb, cr } = pixel(qx, qy).ycc(self.full_range, self.bt709);
                    self.planes[0][(y + qy) * self.strides[0] + x + qx] = luma;
                    sums[0] += u32::from(cb);
                    sums[1] += u32::from(cr);
                }
                for plane in [1, 2] {
                    let at = (y + py) / 2 * self.strides[plane] + (x + px) / 2;
                    self.planes[plane][at] = ((sums[plane - 1] + 2) / 4) as u8;
                }
            }
        }
    }
}

fn blend(under: u8, over: u8, alpha: u8) -> u8 {
    let a = u32::from(alpha);
    ((u32::from(under) * (255 - a) + u32::from(over) * a + 127) / 255) as u8
}

fn blend_row(row: &mut [u8], over: u8, alpha: u8) {
    if alpha == 255 {
        row.fill(over);
    } else {
        for v in row {
            *v = blend(*v, over, alpha);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Paper([Vec<u8>; 3], Size);

    impl Paper {
        fn new(w: u32, h: u32) -> Self {
            let n = (w * h) as usize;
            Self([vec![16; n], vec![128; n / 4], vec![128; n / 4]], Size::new(w, h))
        }

        fn canvas(&mut self) -> Canvas<'_> {
            let w = self.1.width as usize;
            let [y, u, v] = &mut self.0;
            Canvas::new(self.1, [y, u, v], [w, w / 2, w / 2], false, false).expect("planes of the right size")
        }
    }

    #[test]
    fn a_fill_covers_its_rectangle_and_no_more() {
        let mut paper = Paper::new(8, 6);
        paper.canvas().fill(Rect::new(2, 2, 4, 2), Colour::rgb(255, 255, 255));
        for (i, &v) in paper.0[0].iter().enumerate() {
            let inside = (2..6).contains(&(i % 8)) && (2..4).contains(&(i / 8));
            assert_eq!(v, if inside { 235 } else { 16 }, "pixel {i}");
        }
        assert!(paper.0[1].iter().all(|&v| v == 128));
    }

    #[test]
    fn chroma_takes_the_covered_share() {
        let mut paper = Paper::new(4, 4);
        paper.canvas().fill(Rect::new(1, 0, 3, 4), Colour::rgb(255, 0, 0));
        let (half, full) = (paper.0[2][0], paper.0[2][1]);
        assert!((239..=241).contains(&full) && (183..=185).contains(&half), "{half} {full}");
    }

    #[test]
    fn drawing_outside_does_nothing_and_never_panics() {
        let mut paper = Paper::new(8, 8);
        let font = Font::bundled();
        let mask = font.mask("Größe", 12.0, 1);
        for (x, y) in [(-9, -9), (7, 7), (100, 3), (i32::MIN, 0), (i32::MAX, i32::MAX), (3, i32::MIN)] {
            for (w, h) in [(4, 4), (0, 9), (-5, 5), (i32::MAX, i32::MAX), (1, 1)] {
                let mut canvas = paper.canvas();
                canvas.fill(Rect::new(x, y, w, h), Colour::rgb(9, 99, 199));
                canvas.text(&mask, x, y, Colour::WHITE, Colour::BLACK);
            }
        }
        let before = Paper::new(8, 8);
        let mut after = Paper::new(8, 8);
        after.canvas().fill(Rect::new(100, 100, 5, 5), Colour::WHITE);
        assert_eq!(before.0, after.0);
    }

    #[test]
    fn short_planes_and_odd_sizes_are_refused() {
        let (mut y, mut u, mut v) = ([0; 16], [0; 4], [0; 3]);
        assert!(Canvas::new(Size::new(4, 4), [&mut y, &mut u, &mut v], [4, 2, 2], false, false).is_none());
        let (mut y, mut u, mut v) = ([0; 99], [0; 99], [0; 99]);
        assert!(Canvas::new(Size::new(3, 4), [&mut y, &mut u, &mut v], [4, 2, 2], false, false).is_none());
    }
}
