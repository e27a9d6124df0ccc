//! Colours, and which track has which.

/// A colour with opacity, 0 to 255 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
    /// Opacity; 255 hides what is below.
    pub a: u8,
}

/// A colour as video stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ycc {
    pub(super) y: u8,
    pub(super) cb: u8,
    pub(super) cr: u8,
}

impl Colour {
    /// Opaque white.
    pub const WHITE: Self = Self::rgb(255, 255, 255);
    /// Opaque black.
    pub const BLACK: Self = Self::rgb(0, 0, 0);

    /// An opaque colour.
    pub const fn rgb(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b, a: 255 }
    }

    /// The same colour at another opacity.
    #[must_use]
    pub const fn with_alpha(self, a: u8) -> Self {
        Self { a, ..self }
    }

    /// Perceived lightness, 0 to 255 (BT.709 luma of the gamma-coded values).
    pub fn luma(self) -> f32 {
        0.2126 * f32::from(self.r) + 0.7152 * f32::from(self.g) + 0.0722 * f32::from(self.b)
    }

    /// Black or white, whichever can be read on this colour.
    pub fn ink(self) -> Self {
        if self.luma() > 140.0 { Self::BLACK } else { Self::WHITE }
    }

    /// As YCbCr, after ITU-R BT.601 or BT.709.
    pub(super) fn ycc(self, full_range: bool, bt709: bool) -> Ycc {
        let [r, g, b] = [self.r, self.g, self.b].map(|v| f32::from(v) / 255.0);
        let (kr, kb) = if bt709 { (0.2126, 0.0722) } else { (0.299, 0.114) };
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (cb, cr) = ((b - y) / (2.0 - 2.0 * kb), (r - y) / (2.0 - 2.0 * kr));
        let (base, luma, chroma) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
        let byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
        Ycc { y: byte(base + luma * y), cb: byte(128.0 + chroma * cb), cr: byte(128.0 + chroma * cr) }
    }
}

/// The colour of track `id`: hues a golden angle apart, so that neighbours differ most.
pub fn track_colour(id: u32) -> Colour {
    // The remainder is taken first: an f32 product would lose the hue of large ids.
    let hue = (f64::from(id) * 137.507_764_05 % 360.0) as f32;
    let (saturation, value) = (0.78, 0.98);
    let chroma = value * saturation;
    let sector = hue / 60.0;
    let x = chroma * (1.0 - (sector % 2.0 - 1.0).abs());
    let (r, g, b) = match sector as u32 {
        0 => (chroma, x, 0.0),
        1 => (x, chroma, 0.0),
        2 => (0.0, chroma, x),
        3 => (0.0, x, chroma),
        4 => (x, 0.0, chroma),
        _ => (chroma, 0.0, x),
    };
    let byte = |v: f32| ((v + value - chroma) * 255.0).round() as u8;
    Colour::rgb(byte(r), byte(g), byte(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_in_video_range() {
        let ycc = |c: Colour, bt709| {
            let v = c.ycc(false, bt709);
            (v.y, v.cb, v.cr)
        };
        assert_eq!(ycc(Colour::WHITE, false), (235, 128, 128));
        assert_eq!(ycc(Colour::BLACK, true), (16, 128, 128));
        assert_eq!(ycc(Colour::rgb(255, 0, 0), false), (81, 90, 240));
        assert_eq!(ycc(Colour::rgb(255, 0, 0), true), (63, 102, 240));
        assert_eq!(Colour::WHITE.ycc(true, true), Ycc { y: 255, cb: 128, cr: 128 });
    }

    #[test]
    fn neighbouring_tracks_differ() {
        for id in 0..200u32 {
            let (a, b) = (track_colour(id), track_colour(id + 1));
            let far = a.r.abs_diff(b.r).max(a.g.abs_diff(b.g)).max(a.b.abs_diff(b.b));
            assert!(far > 60, "{a:?} {b:?}");
        }
    }
}
