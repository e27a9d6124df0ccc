//! Where text is: a map of text probability, cut into rotated rectangles.

use tempograph_core::{Frame, Result, RgbRequest, ScaleFilter, Session, Size, Tensor};

use super::{Generation, quad::Quad, wrong_form};

/// The shorter side of what the model sees is at least this. On the page, the sign, the boards, the screen and the titles
/// of the test media PP-OCRv6 reads at 384 what it reads at 736 (RapidOCR's default), in a third of the time.
const MIN_SHORT_SIDE: f64 = 384.0;
/// The longer side is at most this.
const MAX_LONG_SIDE: f64 = 960.0;
/// Sides are multiples of what the network halves them to.
const STRIDE: f64 = 32.0;
/// Regions whose shorter side is below this many pixels of the map are no text (PaddleOCR's `min_size`), and grown ones
/// need two more.
const MIN_SIDE: f64 = 3.0;
/// Regions a map at most, which bounds the work on noise.
const MAX_REGIONS: usize = 1000;
/// Lines whose side in the frame is below this many pixels cannot be read.
const MIN_LINE_PX: f64 = 3.0;

/// A place with text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// In displayed pixels.
    pub(super) quad: Quad,
    /// Mean probability inside, 0 to 1.
    pub(super) score: f32,
}

pub(super) struct TextDetector {
    session: Box<dyn Session>,
    generation: Generation,
    /// Value of a pixel by its 8-bit value, per channel in the model's order.
    values: Box<[[f32; 256]; 3]>,
    buffer: Vec<f32>,
}

impl TextDetector {
    pub(super) fn new(session: Box<dyn Session>, generation: Generation) -> Result<Self> {
        if session.inputs().len() != 1 || session.inputs()[0].shape.len() != 4 {
            return Err(wrong_form(format!("{:?} are not one image", session.inputs())));
        }
        let mut values = Box::new([[0.0; 256]; 3]);
        for (channel, table) in values.iter_mut().enumerate() {
            for (pixel, value) in table.iter_mut().enumerate() {
                *value = (pixel as f32 / 255.0 - generation.mean[channel]) / generation.std[channel];
            }
        }
        Ok(Self { session, generation, values, buffer: Vec::new() })
    }

    /// Every place with text, in no order.
    pub(super) fn find(&mut self, frame: &Frame) -> Result<Vec<Found>> {
        let full = frame.picture.size();
        let size = input_size(full);
        let pixels = frame.picture.rgb(RgbRequest { size, filter: ScaleFilter::Bilinear })?;
        let (width, height) = (size.width as usize, size.height as usize);
        let mut data = std::mem::take(&mut self.buffer);
        data.resize(3 * width * height, 0.0);
        let (blue, rest) = data.split_at_mut(width * height);
        let (green, red) = rest.split_at_mut(width * height);
        let planes = blue.iter_mut().zip(green).zip(red);
        for (((b, g), r), pixel) in planes.zip(pixels.data.as_chunks::<3>().0) {
            *b = self.values[0][usize::from(pixel[2])];
            *g = self.values[1][usize::from(pixel[1])];
            *r = self.values[2][usize::from(pixel[0])];
        }
        let image = Tensor::new([1, 3, height, width], data)?;
        let outputs = self.session.run(&[&image])?;
        self.buffer = image.into_f32()?;
        let map = outputs.first().ok_or_else(|| wrong_form("it gives nothing"))?;
        if map.shape() != [1, 1, height, width] {
            return Err(wrong_form(format!("{:?} is no map of {width}x{height}", map.shape())));
        }
        let map = Map { width, height, values: map.as_f32()? };
        let scale = (f64::from(full.width) / width as f64, f64::from(full.height) / height as f64);
        let quads = regions(&map, &self.generation).into_iter();
        let found = quads.map(|(quad, score)| Found { quad: quad.scaled(scale.0, scale.1), score });
        Ok(found.filter(|f| f.quad.width().min(f.quad.height()) > MIN_LINE_PX).collect())
    }
}

/// What the model sees of a frame.
fn input_size(frame: Size) -> Size {
    let (w, h) = (f64::from(frame.width.max(1)), f64::from(frame.height.max(1)));
    let up = (MIN_SHORT_SIDE / w.min(h)).max(1.0);
    let scale = up.min(MAX_LONG_SIDE / w.max(h));
    let side = |v: f64| ((v * scale / STRIDE).round() * STRIDE).max(STRIDE) as u32;
    Size::new(side(w), side(h))
}

/// Text probability, row by row.
struct Map<'a> {
    width: usize,
    height: usize,
    values: &'a [f32],
}

/// The rectangles of text in map pixels, grown back to the whole text, with their scores.
fn regions(map: &Map<'_>, generation: &Generation) -> Vec<(Quad, f32)> {
    let mut marked: Vec<bool> = map.values.iter().map(|&p| p > generation.pixel).collect();
    if generation.dilate {
        marked = dilated(&marked, map.width);
    }
    let mut found = Vec::new();
    let mut stack = Vec::new();
    let mut seen = 0;
    for start in 0..marked.len() {
        if !marked[start] {
            continue;
        }
        seen += 1;
        if seen > MAX_REGIONS {
            break;
        }
        let mut points = region(&mut marked, map, start, &mut stack);
        let Some(quad) = Quad::around(&mut points) else { continue };
        let (w, h) = (quad.width(), quad.height());
        if w.min(h) < MIN_SIDE {
            continue;
        }
        let score = mean_inside(map, &quad);
        if score < generation.score {
            continue;
        }
        // A rectangle grown with round corners has the rectangle moved out as its own least rectangle, so no polygon
        // needs to be offset.
        let quad = quad.grown(w * h * generation.unclip / (2.0 * (w + h)));
        if quad.width().min(quad.height()) >= MIN_SIDE + 2.0 {
            found.push((quad, score));
        }
    }
    found
}

/// Each pixel also marks the one to its right, the one below and the one between.
fn dilated(marked: &[bool], width: usize) -> Vec<bool> {
    let mut out = marked.to_vec();
    for (row, line) in out.chunks_exact_mut(width.max(1)).enumerate() {
        let here = &marked[row * width..][..width];
        // Above the first row there is nothing, so it stands for itself.
        let above = &marked[row.saturating_sub(1) * width..][..width];
        line.iter_mut().zip(above).for_each(|(to, &from)| *to |= from);
        line[1..].iter_mut().zip(here).zip(above).for_each(|((to, &left), &corner)| *to |= left | corner);
    }
    out
}

/// Takes the pixels joined to `start` (side by side or corner to corner) out of `marked`; the outermost of each row.
fn region(marked: &mut [bool], map: &Map<'_>, start: usize, stack: &mut Vec<usize>) -> Vec<[f64; 2]> {
    let (width, height) = (map.width, map.height);
    let mut rows: std::collections::BTreeMap<usize, (usize, usize)> = std::collections::BTreeMap::new();
    marked[start] = false;
    stack.push(start);
    while let Some(i) = stack.pop() {
        let (x, y) = (i % width, i / width);
        let row = rows.entry(y).or_insert((x, x));
        *row = (row.0.min(x), row.1.max(x));
        for ny in y.saturating_sub(1)..(y + 2).min(height) {
            for nx in x.saturating_sub(1)..(x + 2).min(width) {
                let n = ny * width + nx;
                if marked[n] {
                    marked[n] = false;
                    stack.push(n);
                }
            }
        }
    }
    rows.into_iter().flat_map(|(y, (a, b))| [[a as f64, y as f64], [b as f64, y as f64]]).collect()
}

/// Mean probability of the pixels inside `quad`.
fn mean_inside(map: &Map<'_>, quad: &Quad) -> f32 {
    let b = quad.bounds();
    let columns = b.x1.floor().max(0.0) as usize..=(b.x2.ceil().max(0.0) as usize).min(map.width - 1);
    let rows = b.y1.floor().max(0.0) as usize..=(b.y2.ceil().max(0.0) as usize).min(map.height - 1);
    let (mut sum, mut count) = (0.0f64, 0u32);
    for y in rows {
        for x in columns.clone().filter(|&x| quad.contains([x as f64, y as f64])) {
            sum += f64::from(map.values[y * map.width + x]);
            count += 1;
        }
    }
    if count == 0 { 0.0 } else { (sum / f64::from(count)) as f32 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn inputs_are_multiples_of_the_stride_within_bounds() {
        assert_eq!(input_size(Size::new(640, 360)), Size::new(672, 384));
        assert_eq!(input_size(Size::new(1920, 1080)), Size::new(960, 544));
        assert_eq!(input_size(Size::new(384, 191)), Size::new(768, 384));
        assert_eq!(input_size(Size::new(4000, 10)), Size::new(960, 32));
        assert_eq!(input_size(Size::new(1, 1)), Size::new(384, 384));
    }

    fn map_with(block: (std::ops::Range<usize>, std::ops::Range<usize>), value: f32) -> Vec<f32> {
        let inside = |i: usize| block.0.contains(&(i % 64)) && block.1.contains(&(i / 64));
        (0..64 * 32).map(|i| if inside(i) { value } else { 0.0 }).collect()
    }

    #[test]
    fn a_block_of_probability_becomes_a_grown_rectangle() {
        for generation in super::super::GENERATIONS {
            let values = map_with((10..40, 8..14), 0.9);
            let found = regions(&Map { width: 64, height: 32, values: &values }, generation);
            let [(quad, score)] = found[..] else { panic!("{found:?}") };
            assert!(score > 0.6, "{score}");
            // Pixel centres span 29 by 5 (one more each when dilated).
            let (w, h) = if generation.dilate { (30.0, 6.0) } else { (29.0, 5.0) };
            let by = w * h * generation.unclip / (2.0 * (w + h));
            assert!((quad.width() - w - 2.0 * by).abs() < 1e-9 && (quad.height() - h - 2.0 * by).abs() < 1e-9);
        }
    }

    proptest! {
        #[test]
        fn a_dilated_pixel_has_a_marked_one_at_or_before_it(width in 1usize..9, cells in prop::collection::vec(any::<bool>(), 1..9)) {
            let marked: Vec<bool> = (0..width * cells.len()).map(|i| cells[(i * 7 + i / width) % cells.len()]).collect();
            let at = |x: usize, y: usize| marked[y * width + x];
            for (i, found) in dilated(&marked, width).into_iter().enumerate() {
                let (x, y) = (i % width, i / width);
                let near = |x: Option<usize>, y: Option<usize>| x.zip(y).is_some_and(|(x, y)| at(x, y));
                let (left, up) = (x.checked_sub(1), y.checked_sub(1));
                prop_assert_eq!(found, at(x, y) || near(left, Some(y)) || near(Some(x), up) || near(left, up));
            }
        }
    }

    #[test]
    fn faint_or_tiny_blocks_are_no_text() {
        let generation = &super::super::GENERATIONS[1];
        for values in [map_with((10..40, 8..14), 0.3), map_with((10..12, 8..10), 0.9), map_with((0..0, 0..0), 0.0)] {
            assert!(regions(&Map { width: 64, height: 32, values: &values }, generation).is_empty());
        }
        let noise: Vec<f32> = (0..64 * 32).map(|i| if i % 2 == i / 64 % 2 { 1.0 } else { 0.0 }).collect();
        regions(&Map { width: 64, height: 32, values: &noise }, generation);
    }
}
