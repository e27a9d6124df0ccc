//! Text as masks of coverage, from the bundled font.

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};

/// DejaVu Sans 2.37: Latin, Greek, Cyrillic, Arabic and symbols. Licence beside the file.
const BUNDLED: &[u8] = include_bytes!("../../../../assets/fonts/DejaVuSans.ttf");

/// Longest text that is drawn, in characters.
const MAX_CHARS: usize = 512;
/// Largest size, in pixels.
const MAX_PX: f32 = 400.0;

/// A font that texts are set in.
#[derive(Clone, Debug)]
pub struct Font(FontRef<'static>);

/// A set line of text: how much of each pixel the letters and their outline cover.
#[derive(Clone, Debug)]
pub struct TextMask {
    size: (usize, usize),
    fill: Vec<u8>,
    edge: Vec<u8>,
}

impl TextMask {
    /// Columns and rows. The height depends on the font size alone.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    pub(super) fn fill(&self) -> &[u8] {
        &self.fill
    }

    pub(super) fn edge(&self) -> &[u8] {
        &self.edge
    }

    pub(super) fn has_edge(&self) -> bool {
        !self.edge.is_empty()
    }
}

impl Font {
    /// The font that is part of the program.
    pub fn bundled() -> Self {
        Self(FontRef::try_from_slice(BUNDLED).expect("the bundled file is a font"))
    }

    /// Width of `text` in pixels when set `px` pixels high.
    pub fn width(&self, text: &str, px: f32) -> f32 {
        self.layout(text, px, 0.0).1
    }

    /// Glyphs of a line with its left edge at `left`, and its width.
    fn layout(&self, text: &str, px: f32, left: f32) -> (Vec<Glyph>, f32) {
        let font = self.0.as_scaled(scale(px));
        let mut glyphs = Vec::new();
        let (mut x, mut last) = (0.0, None);
        for c in text.chars().take(MAX_CHARS) {
            let id = font.glyph_id(if c.is_control() { ' ' } else { c });
            x += last.map_or(0.0, |l| font.kern(l, id));
            glyphs.push(id.with_scale_and_position(font.scale(), point(left + x, font.ascent())));
            x += font.h_advance(id);
            last = Some(id);
        }
        (glyphs, x.max(0.0))
    }

    /// Sets one line `px` pixels high with an outline of `edge` pixels.
    pub fn mask(&self, text: &str, px: f32, edge: usize) -> TextMask {
        let (glyphs, width) = self.layout(text, px, edge as f32);
        let font = self.0.as_scaled(scale(px));
        let size = (width.ceil() as usize + 2 * edge, font.height().ceil() as usize + 2 * edge);
        let mut fill = vec![0u8; size.0 * size.1];
        for glyph in glyphs {
            let Some(outlined) = self.0.outline_glyph(glyph) else { continue };
            let bounds = outlined.px_bounds();
            outlined.draw(|gx, gy, cover| {
                let x = bounds.min.x as i64 + i64::from(gx);
                let y = bounds.min.y as i64 + i64::from(gy) + edge as i64;
                if (0..size.0 as i64).contains(&x) && (0..size.1 as i64).contains(&y) {
                    let at = &mut fill[y as usize * size.0 + x as usize];
                    *at = (*at).max((cover.clamp(0.0, 1.0) * 255.0) as u8);
                }
            });
        }
        let edge = if edge > 0 { dilated(&fill, size, edge) } else { Vec::new() };
        TextMask { size, fill, edge }
    }

    /// Breaks `text` into at most `lines` lines no wider than `width`; the last is cut short with
    /// an ellipsis when there is more.
    pub fn wrap(&self, text: &str, px: f32, width: f32, lines: usize) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for word in text.split_whitespace().take(MAX_CHARS) {
            let joined = out.last().map(|line| format!("{line} {word}"));
            match joined.filter(|j| self.width(j, px) <= width) {
                Some(joined) => *out.last_mut().expect("it was joined to the last line") = joined,
                None if out.len() < lines => out.push(word.to_owned()),
                None => {
                    if let Some(last) = out.last_mut() {
                        last.push('…');
                    }
                    break;
                }
            }
        }
        out
    }
}

/// A font size that can be set; what is no number is the smallest.
fn scale(px: f32) -> PxScale {
    PxScale::from(if px.is_nan() { 1.0 } else { px.clamp(1.0, MAX_PX) })
}

/// The largest coverage within `radius` pixels, as a round brush.
fn dilated(fill: &[u8], (w, h): (usize, usize), radius: usize) -> Vec<u8> {
    let r = radius as i64;
    let brush: Vec<(i64, i64)> =
        (-r..=r).flat_map(|y| (-r..=r).map(move |x| (x, y))).filter(|(x, y)| x * x + y * y <= r * r + r).collect();
    let mut out = vec![0u8; fill.len()];
    for y in 0..h as i64 {
        for x in 0..w as i64 {
            let value = fill[y as usize * w + x as usize];
            if value == 0 {
                continue;
            }
            for (dx, dy) in &brush {
                let (x, y) = (x + dx, y + dy);
                if x >= 0 && y >= 0 && x < w as i64 && y < h as i64 {
                    let at = &mut out[y as usize * w + x as usize];
                    *at = (*at).max(value);
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_cover_pixels_within_their_outline() {
        let mask = Font::bundled().mask("Ag|", 20.0, 2);
        assert!(mask.fill.contains(&255));
        assert!(mask.fill.iter().zip(&mask.edge).all(|(f, e)| e >= f));
        assert!(mask.edge.iter().filter(|&&v| v > 0).count() > mask.fill.iter().filter(|&&v| v > 0).count());
    }

    #[test]
    fn lines_are_no_wider_than_asked() {
        let font = Font::bundled();
        let text = "And so, my fellow Americans, ask not what your country can do for you";
        let lines = font.wrap(text, 16.0, 200.0, 9);
        assert!(lines.len() > 2 && lines.iter().all(|l| font.width(l, 16.0) <= 200.0));
        assert_eq!(lines.join(" "), text);
        let cut = font.wrap(text, 16.0, 200.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'));
        assert!(font.wrap("", 16.0, 200.0, 2).is_empty());
        assert_eq!(font.wrap("unbreakable", 16.0, 5.0, 2), ["unbreakable"]);
    }

    #[test]
    fn any_text_can_be_set() {
        let font = Font::bundled();
        for text in ["", "\u{0}\n\t", "日本語", "👩‍🚀", &"x".repeat(10_000), "e\u{301}"] {
            for px in [f32::NAN, -1.0, 0.0, 11.0, 1e9] {
                let mask = font.mask(text, px, 1);
                assert_eq!(mask.fill.len(), mask.size.0 * mask.size.1);
            }
        }
    }
}
