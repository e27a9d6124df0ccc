//! The small picture the scores are taken from.
//!
//! Frames whose longer side is over 256 pixels are brought down to it with the aspect ratio kept,
//! as PySceneDetect's automatic downscaling does, in two-tap linear interpolation. Only source
//! pixels that this touches are converted: at 1280 × 720 one in 25.

use multiversion::multiversion;
use tempograph_core::{Error, ErrorKind, Picture, Result, Rgb, RgbRequest, ScaleFilter, Size, YuvView};

use super::{
    pairs::Pairs,
    resize::{Taps, across, blend},
    ycbcr::{self, Kind},
};

/// The longer side of a shrunken picture.
const SIDE: u32 = 256;

/// A small picture as three channels, row-major without padding.
#[derive(Clone, Debug, Default)]
pub(super) struct Small {
    pub(super) size: Size,
    pub(super) b: Vec<u8>,
    pub(super) g: Vec<u8>,
    pub(super) r: Vec<u8>,
}

impl Small {
    /// Mean over pixels and channels.
    pub(super) fn mean(&self) -> f64 {
        let sum = |c: &[u8]| c.iter().map(|&v| u64::from(v)).sum::<u64>();
        let n = (3 * self.b.len()).max(1);
        (sum(&self.b) + sum(&self.g) + sum(&self.r)) as f64 / n as f64
    }
}

/// The size a picture of `size` is shrunk to.
pub(super) fn small_size(size: Size) -> Size {
    let factor = f64::from(size.width.max(size.height)) / f64::from(SIDE);
    if factor <= 1.0 {
        return size;
    }
    let side = |n: u32| (f64::from(n) / factor).round_ties_even().max(1.0) as u32;
    Size::new(side(size.width), side(size.height))
}

/// Makes [`Small`] pictures; remembers where their pixels come from as long as the size stays.
#[derive(Default)]
pub(super) struct Shrinker {
    plan: Plan,
    samples: Samples,
    pixels: [Vec<u8>; 3],
    lines: [Line; 2],
    weights: [Vec<i16>; 2],
}

/// One source row, already brought to the small width, in 128ths.
#[derive(Default)]
struct Line {
    row: Option<u32>,
    channels: [Vec<i16>; 3],
}

/// Where the pixels of a small picture come from.
#[derive(Default)]
struct Plan {
    from: Size,
    to: Size,
    columns: Taps,
    rows: Taps,
    /// Source columns to convert: the first taps, then the second ones where they count.
    wanted: Vec<u32>,
    /// How they are read from a plane of full width.
    full: Pairs,
    /// How the columns of a chroma plane under them are read, for a horizontal shift.
    chroma: (u32, Pairs),
    /// Exactly half in both directions: OpenCV takes the mean of two by two pixels then.
    half: bool,
}

impl Plan {
    fn new(from: Size) -> Self {
        let to = small_size(from);
        let half = from == Size::new(2 * to.width, 2 * to.height);
        let (mut columns, rows) = (Taps::linear(from.width, to.width), Taps::linear(from.height, to.height));
        if half {
            columns.weights = [vec![1; to.width as usize], vec![1; to.width as usize]];
        }
        let mut wanted = columns.first.clone();
        if !columns.single() {
            wanted.extend(&columns.second);
        }
        let full = Pairs::new(&wanted, to.width as usize, from.width);
        let chroma = (0, full.clone());
        Self { from, to, columns, rows, wanted, full, chroma, half }
    }

    /// Prepares for planes whose chroma has `2^shift` times fewer columns.
    fn set_chroma_shift(&mut self, shift: u32) {
        if self.chroma.0 != shift {
            let under: Vec<u32> = self.wanted.iter().map(|&x| x >> shift).collect();
            self.chroma = (shift, Pairs::new(&under, self.to.width as usize, self.from.width.div_ceil(1 << shift)));
        }
    }
}

impl Shrinker {
    /// Writes the small form of `picture` into `out`.
    ///
    /// # Errors
    /// When the picture has no pixels, holds fewer than it says, or cannot be converted.
    pub(super) fn shrink(&mut self, picture: &dyn Picture, out: &mut Small) -> Result<()> {
        let size = picture.size();
        if size.area() == 0 {
            return Err(Error::new(ErrorKind::InvalidData, "a picture without pixels"));
        }
        if self.plan.from != size {
            self.plan = Plan::new(size);
        }
        if let Some(view) = picture.yuv().filter(|view| view.size == size && nearest_chroma(view)) {
            check(&view)?;
            self.plan.set_chroma_shift(view.chroma_shift.0);
            self.fill(&Planes(view), out);
            return Ok(());
        }
        let rgb = picture.rgb(RgbRequest { size, filter: ScaleFilter::Bilinear })?;
        if rgb.size != size || rgb.data.len() as u64 != size.area().saturating_mul(3) {
            return Err(Error::new(ErrorKind::InvalidData, "a picture holds another number of pixels than it says"));
        }
        self.fill(rgb.as_ref(), out);
        Ok(())
    }

    fn fill(&mut self, source: &dyn Source, out: &mut Small) {
        let (width, height) = (self.plan.to.width as usize, self.plan.to.height as usize);
        out.size = self.plan.to;
        for channel in [&mut out.b, &mut out.g, &mut out.r] {
            channel.resize(width * height, 0);
        }
        for line in &mut self.lines {
            line.row = None;
        }
        self.samples.chroma = None;
        for y in 0..height {
            let (first, second) = (self.plan.rows.first[y], self.plan.rows.second[y]);
            let weights = [self.plan.rows.weights[0][y], self.plan.rows.weights[1][y]];
            // One weight for each pixel: products of two vectors in memory are single instructions.
            for (all, weight) in self.weights.iter_mut().zip(weights) {
                all.clear();
                all.resize(width, weight);
            }
            if self.lines[0].row != Some(first) {
                self.lines.swap(0, 1);
                self.read(source, first, 0);
            }
            if self.plan.half || weights[1] != 0 {
                self.read(source, second, 1);
            }
            let [a, b] = &self.lines;
            for (channel, out) in [&mut out.b, &mut out.g, &mut out.r].into_iter().enumerate() {
                let out = &mut out[y * width..(y + 1) * width];
                let (a, b) = (&a.channels[channel][..width], &b.channels[channel]);
                let [wa, wb] = [&self.weights[0][..width], &self.weights[1][..width]];
                if self.plan.half {
                    let b = &b[..width];
                    (0..width).for_each(|x| out[x] = (a[x].wrapping_add(b[x]).wrapping_add(2) >> 2) as u8);
                } else if weights[1] == 0 {
                    (0..width).for_each(|x| out[x] = blend(a[x], 0, [wa[x], 0]));
                } else {
                    blend_rows([a, b], [wa, wb], out);
                }
            }
        }
    }

    /// Makes sure line `slot` holds source row `row`.
    fn read(&mut self, source: &dyn Source, row: u32, slot: usize) {
        if self.lines[slot].row == Some(row) {
            return;
        }
        let plan = &self.plan;
        let width = plan.to.width as usize;
        for pixels in &mut self.pixels {
            pixels.resize(plan.wanted.len(), 0);
        }
        source.read(row, plan, &mut self.samples, &mut self.pixels);
        let line = &mut self.lines[slot];
        line.row = Some(row);
        for (pixels, out) in self.pixels.iter().zip(&mut line.channels) {
            out.resize(width, 0);
            let (first, second) = pixels.split_at(width);
            let (out, weights) = (&mut out[..width], &plan.columns.weights);
            let ([wa, wb], n) = ([&weights[0][..width], &weights[1][..width]], width.min(second.len()));
            if second.is_empty() {
                (0..width).for_each(|x| out[x] = across(first[x], 0, [wa[x], 0]));
            } else if plan.half {
                (0..n).for_each(|x| out[x] = i16::from(first[x]).wrapping_add(i16::from(second[x])));
            } else {
                join_columns([first, second], [wa, wb], out);
            }
        }
    }
}

/// A row of the small picture from the two lines it lies between.
#[multiversion(targets("x86_64+avx2"))]
fn blend_rows([a, b]: [&[i16]; 2], [wa, wb]: [&[i16]; 2], out: &mut [u8]) {
    let n = out.len();
    let (a, b, wa, wb) = (&a[..n], &b[..n], &wa[..n], &wb[..n]);
    (0..n).for_each(|x| out[x] = blend(a[x], b[x], [wa[x], wb[x]]));
}

/// A line of the small width from the two samples beside each of its places.
#[multiversion(targets("x86_64+avx2"))]
fn join_columns([a, b]: [&[u8]; 2], [wa, wb]: [&[i16]; 2], out: &mut [i16]) {
    let n = out.len();
    let (a, b, wa, wb) = (&a[..n], &b[..n], &wa[..n], &wb[..n]);
    (0..n).for_each(|x| out[x] = across(a[x], b[x], [wa[x], wb[x]]));
}

/// Scratch for the samples of one row: those of each plane, and what they are read through.
#[derive(Default)]
struct Samples {
    planes: [Vec<u8>; 3],
    /// The row of the chroma planes that they hold: two rows of a picture may share it.
    chroma: Option<u32>,
    pairs: Vec<u16>,
}

/// Pixels to read rows from.
trait Source {
    /// Writes the pixels of `row` that `plan` wants as B, G and R.
    fn read(&self, row: u32, plan: &Plan, samples: &mut Samples, out: &mut [Vec<u8>; 3]);
}

struct Planes<'a>(YuvView<'a>);

impl Source for Planes<'_> {
    fn read(&self, row: u32, plan: &Plan, samples: &mut Samples, [b, g, r]: &mut [Vec<u8>; 3]) {
        let view = &self.0;
        let chroma = row >> view.chroma_shift.1;
        let known = samples.chroma.replace(chroma) == Some(chroma);
        for (plane, out) in samples.planes.iter_mut().enumerate().take(if known { 1 } else { 3 }) {
            let (pairs, row) = if plane == 0 { (&plan.full, row) } else { (&plan.chroma.1, chroma) };
            pairs.read(&view.planes[plane][row as usize * view.strides[plane]..], &mut samples.pairs, out);
        }
        let [y, u, v] = &samples.planes;
        ycbcr::convert(Kind { bt709: view.bt709, full_range: view.full_range }, [y, u, v], [b, g, r]);
    }
}

impl Source for Rgb {
    fn read(&self, row: u32, plan: &Plan, _samples: &mut Samples, [b, g, r]: &mut [Vec<u8>; 3]) {
        let line = &self.data[row as usize * self.size.width as usize * 3..];
        for (i, &x) in plan.wanted.iter().enumerate() {
            let x = x as usize * 3;
            (r[i], g[i], b[i]) = (line[x], line[x + 1], line[x + 2]);
        }
    }
}

/// Whether libswscale takes the nearest chroma sample of such a picture. Where it interpolates,
/// its own conversion is asked for instead.
fn nearest_chroma(view: &YuvView<'_>) -> bool {
    matches!(view.chroma_shift, (1, 0 | 1)) && view.size.height.is_multiple_of(2)
}

/// Whether the planes hold the rows they claim.
fn check(view: &YuvView<'_>) -> Result<()> {
    let (across, down) = view.chroma_shift;
    let holds = |plane: usize, across: u32, down: u32| {
        let width = u64::from(view.size.width).div_ceil(1 << across);
        let rows = u64::from(view.size.height).div_ceil(1 << down);
        let stride = view.strides[plane] as u64;
        stride >= width
            && (rows - 1)
                .checked_mul(stride)
                .is_some_and(|n| n.saturating_add(width) <= view.planes[plane].len() as u64)
    };
    if across > 3 || down > 3 || !holds(0, 0, 0) || !holds(1, across, down) || !holds(2, across, down) {
        return Err(Error::new(ErrorKind::InvalidData, "a picture plane is shorter than its size asks for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    /// A 4:2:0 picture that shows its planes or hides them.
    struct Made {
        size: Size,
        planes: [Vec<u8>; 3],
        kind: Kind,
        hidden: bool,
    }

    impl Picture for Made {
        fn size(&self) -> Size {
            self.size
        }

        fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
            assert_eq!(request.size, self.size);
            let mut data = Vec::new();
            let width = self.size.width as usize;
            for y in 0..self.size.height as usize {
                let luma = &self.planes[0][y * width..][..width];
                let chroma = |plane: usize| -> Vec<u8> {
                    let half = width.div_ceil(2);
                    (0..width).map(|x| self.planes[plane][y / 2 * half + x / 2]).collect()
                };
                let mut out: [Vec<u8>; 3] = std::array::from_fn(|_| vec![0; width]);
                let [b, g, r] = &mut out;
                ycbcr::convert(self.kind, [luma, &chroma(1), &chroma(2)], [b, g, r]);
                data.extend((0..width).flat_map(|x| [out[2][x], out[1][x], out[0][x]]));
            }
            Ok(Arc::new(Rgb { size: self.size, data }))
        }

        fn yuv(&self) -> Option<YuvView<'_>> {
            (!self.hidden).then(|| self.view())
        }
    }

    impl Made {
        fn view(&self) -> YuvView<'_> {
            let wide = self.size.width as usize;
            YuvView {
                size: self.size,
                planes: self.planes.each_ref().map(Vec::as_slice),
                strides: [wide, wide.div_ceil(2), wide.div_ceil(2)],
                chroma_shift: (1, 1),
                full_range: self.kind.full_range,
                bt709: self.kind.bt709,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn planes_give_the_pixels_that_their_rgb_gives(
            width in 1u32..700, half in 1u32..200, bt709: bool, full_range: bool, seed: u32,
        ) {
            let size = Size::new(width, 2 * half);
            let mut state = seed | 1;
            let mut noise = |n: u32| (0..n).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }).collect::<Vec<_>>();
            let chroma = width.div_ceil(2) * half;
            let planes = [noise(width * 2 * half), noise(chroma), noise(chroma)];
            let mut made = Made { size, planes, kind: Kind { bt709, full_range }, hidden: false };
            let (mut shrinker, mut planes, mut rgb) = (Shrinker::default(), Small::default(), Small::default());
            shrinker.shrink(&made, &mut planes).expect("whole planes");
            made.hidden = true;
            shrinker.shrink(&made, &mut rgb).expect("whole pixels");
            prop_assert_eq!(planes.size, small_size(size));
            prop_assert_eq!((planes.b, planes.g, planes.r), (rgb.b, rgb.g, rgb.r));
        }
    }

    #[test]
    fn sizes_follow_the_longer_side() {
        for (from, to) in [
            ((1280, 720), (256, 144)),
            ((640, 272), (256, 109)),
            ((256, 100), (256, 100)),
            ((100, 50), (100, 50)),
            ((720, 1280), (144, 256)),
            ((5000, 3), (256, 1)),
        ] {
            assert_eq!(small_size(Size::new(from.0, from.1)), Size::new(to.0, to.1));
        }
    }

    #[test]
    fn short_planes_are_refused() {
        let plane = [0u8; 30];
        let view = YuvView {
            size: Size::new(8, 4),
            planes: [&plane, &plane, &plane],
            strides: [8, 4, 4],
            chroma_shift: (1, 1),
            full_range: false,
            bt709: false,
        };
        assert!(check(&view).is_err(), "32 bytes are needed, 30 are there");
        assert!(check(&YuvView { size: Size::new(6, 4), ..view }).is_ok(), "the last row may end early");
        assert!(check(&YuvView { strides: [4, 4, 4], ..view }).is_err());
    }
}
