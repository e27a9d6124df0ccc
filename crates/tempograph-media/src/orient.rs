//! How stored pixels are turned to stand upright.

use serde::{Deserialize, Serialize};
use tempograph_core::Size;

/// One of the eight ways a rectangle can lie: mirrored left to right, then turned clockwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Orientation {
    /// Clockwise quarter turns, 0 to 3.
    pub quarter_turns: u8,
    /// Whether left and right change places before the turn.
    pub mirrored: bool,
}

impl Orientation {
    /// From a container's display matrix (row vectors, 16.16 fixed point, y down), rounded to
    /// the nearest quarter turn. A degenerate matrix is upright.
    pub fn from_matrix(m: [i32; 9]) -> Self {
        let [a, b, c, d] = [m[0], m[1], m[3], m[4]].map(f64::from);
        let mirrored = a * d - b * c < 0.0;
        // Undoing the mirror negates the first row, which leaves a pure rotation.
        let (a, b) = if mirrored { (-a, -b) } else { (a, b) };
        if a == 0.0 && b == 0.0 {
            return Self::default();
        }
        let turns = (b.atan2(a) / std::f64::consts::FRAC_PI_2).round() as i64;
        Self { quarter_turns: turns.rem_euclid(4) as u8, mirrored }
    }

    /// Whether nothing has to be done.
    pub fn is_upright(self) -> bool {
        self == Self::default()
    }

    /// The size after turning; its own inverse.
    pub fn apply(self, size: Size) -> Size {
        if self.quarter_turns % 2 == 1 { Size::new(size.height, size.width) } else { size }
    }

    /// Clockwise degrees: 0, 90, 180 or 270.
    pub fn degrees(self) -> u32 {
        u32::from(self.quarter_turns) * 90
    }

    /// Turns packed RGB rows of a picture of `size`; the result has `self.apply(size)`.
    pub(crate) fn turn_rgb(self, size: Size, src: &[u8]) -> Vec<u8> {
        let (w, h) = (size.width as usize, size.height as usize);
        let out = self.apply(size);
        let (ow, oh) = (out.width as usize, out.height as usize);
        let mut dst = Vec::with_capacity(src.len());
        for y in 0..oh {
            for x in 0..ow {
                // Where the pixel shown at (x, y) is stored before the clockwise turn.
                let (sx, sy) = match self.quarter_turns {
                    0 => (x, y),
                    1 => (y, h - 1 - x),
                    2 => (w - 1 - x, h - 1 - y),
                    _ => (w - 1 - y, x),
                };
                let sx = if self.mirrored { w - 1 - sx } else { sx };
                let at = 3 * (sy * w + sx);
                dst.extend_from_slice(&src[at..at + 3]);
            }
        }
        dst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> [i32; 9] {
        [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]
    }

    fn px(values: &[u8]) -> Vec<u8> {
        values.iter().flat_map(|&v| [v; 3]).collect()
    }

    #[test]
    fn matrices_of_the_eight_orientations() {
        let of = |a, b, c, d| {
            let o = Orientation::from_matrix(matrix(a, b, c, d));
            (o.degrees(), o.mirrored)
        };
        assert_eq!(of(1, 0, 0, 1), (0, false));
        assert_eq!(of(0, 1, -1, 0), (90, false));
        assert_eq!(of(-1, 0, 0, -1), (180, false));
        assert_eq!(of(0, -1, 1, 0), (270, false));
        assert_eq!(of(-1, 0, 0, 1), (0, true));
        assert_eq!(of(1, 0, 0, -1), (180, true));
        assert_eq!(Orientation::from_matrix([0; 9]), Orientation::default());
    }

    #[test]
    fn turning_moves_pixels_where_the_matrix_says() {
        // 1 2 3
        // 4 5 6
        let (size, src) = (Size::new(3, 2), px(&[1, 2, 3, 4, 5, 6]));
        let turn = |q, m| Orientation { quarter_turns: q, mirrored: m }.turn_rgb(size, &src);
        assert_eq!(turn(1, false), px(&[4, 1, 5, 2, 6, 3]));
        assert_eq!(turn(2, false), px(&[6, 5, 4, 3, 2, 1]));
        assert_eq!(turn(3, false), px(&[3, 6, 2, 5, 1, 4]));
        assert_eq!(turn(0, true), px(&[3, 2, 1, 6, 5, 4]));
        assert_eq!(turn(1, true), px(&[6, 3, 5, 2, 4, 1]));
    }
}
