//! Pixels as a model wants them: placed on its canvas, normalised, in its channel order.

use tempograph_core::{
    BoxXyxy, Error, ErrorKind, Frame, Result, Rgb, RgbRequest, ScaleFilter, Session, Size, Tensor, TensorInfo,
};

use super::DetectorOptions;

/// No model input is larger: a guard against absurd settings and model files.
const MAX_SIDE: u32 = 4096;
/// Images a call at most where the model takes any number, which bounds memory.
const MAX_BATCH: usize = 8;

/// How pixels become a model's image input.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// Which sizes it takes.
    pub(super) canvas: Canvas,
    /// How a frame is fitted in.
    pub(super) fit: Fit,
    /// Whether channels come last (`[n, h, w, 3]`) instead of first.
    pub(super) channels_last: bool,
    /// Whether channels run blue, green, red.
    pub(super) bgr: bool,
    /// Value of a pixel by its 8-bit value, per channel in the model's order.
    pub(super) values: Box<[[f32; 256]; 3]>,
    /// 8-bit value of what lies around the frame.
    pub(super) border: u8,
    /// Images a call at most.
    pub(super) max_batch: usize,
}

/// Which input sizes a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Canvas {
    /// Only this one.
    Fixed(Size),
    /// Any multiple of `stride`: the longest side is given, the other follows the frame, so that little is wasted on
    /// borders.
    Longest { side: u32, stride: u32 },
}

/// How a frame is fitted into the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Its aspect ratio kept, centred.
    Letterbox,
    /// Stretched over all of it.
    Stretch,
}

/// Where a frame lies in the model's image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The frame as displayed.
    pub(super) frame: Size,
    /// The canvas.
    pub(super) canvas: Size,
    /// The frame on the canvas.
    pub(super) inner: Size,
    /// Top left corner of the frame on the canvas.
    pub(super) offset: (u32, u32),
}

impl Placement {
    /// A canvas box in displayed pixels of the frame; not clipped.
    pub(super) fn to_frame(self, b: BoxXyxy) -> BoxXyxy {
        let sx = self.frame.width as f32 / self.inner.width as f32;
        let sy = self.frame.height as f32 / self.inner.height as f32;
        let (dx, dy) = (self.offset.0 as f32, self.offset.1 as f32);
        BoxXyxy::new((b.x1 - dx) * sx, (b.y1 - dy) * sy, (b.x2 - dx) * sx, (b.y2 - dy) * sy)
    }
}

/// Values of `(pixel / 255 - mean) / std` or, with `unit` 1, `(pixel - mean) / std`.
pub(super) fn normalised(unit: f32, mean: [f32; 3], std: [f32; 3]) -> Box<[[f32; 256]; 3]> {
    let mut values = Box::new([[0.0; 256]; 3]);
    for (channel, table) in values.iter_mut().enumerate() {
        for (pixel, value) in table.iter_mut().enumerate() {
            *value = (pixel as f32 / unit - mean[channel]) / std[channel];
        }
    }
    values
}

/// What the model file declares about its image input.
pub(super) struct Declared {
    /// Its canvas under `options`.
    pub(super) canvas: Canvas,
    /// Whether channels come last.
    pub(super) channels_last: bool,
    /// Images a call at most.
    pub(super) max_batch: usize,
}

impl Declared {
    /// Reads the first input; `default_side` serves where neither the file nor `options` say a size.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it is no image, [`ErrorKind::Config`] when the size asked for is not allowed.
    pub(super) fn read(
        session: &dyn Session,
        options: &DetectorOptions,
        default_side: u32,
        stride: u32,
    ) -> Result<Self> {
        let not_image = |shape: &dyn std::fmt::Debug| {
            Error::new(ErrorKind::ModelInvalid, format!("the detector's input is not an image: {shape:?}"))
        };
        let shape = session.inputs().first().map(|TensorInfo { shape, .. }| shape.as_slice()).unwrap_or_default();
        let &[batch, a, b, c] = shape else { return Err(not_image(&shape)) };
        let (channels_last, height, width) = match (a, c) {
            (Some(3), _) => (false, b, c),
            (_, Some(3)) => (true, a, b),
            _ => return Err(not_image(&shape)),
        };
        let side = |v: usize| u32::try_from(v).ok().filter(|v| (1..=MAX_SIDE).contains(v));
        let canvas = match (width, height) {
            (Some(w), Some(h)) => {
                let (w, h) = side(w).zip(side(h)).ok_or_else(|| not_image(&shape))?;
                if let Some(wanted) = options.image_size.filter(|&wanted| wanted != w.max(h)) {
                    let message = format!("the model takes images of {w}x{h} only, not of `image_size`: {wanted}");
                    return Err(Error::new(ErrorKind::Config, message));
                }
                Canvas::Fixed(Size::new(w, h))
            }
            _ => {
                let declared = session.metadata("imgsz").and_then(|text| longest(&text));
                let wanted = options.image_size.or(declared).unwrap_or(default_side);
                if !(stride..=MAX_SIDE).contains(&wanted) {
                    let message = format!("`image_size` is not in {stride} to {MAX_SIDE}: {wanted}");
                    return Err(Error::new(ErrorKind::Config, message));
                }
                Canvas::Longest { side: wanted.next_multiple_of(stride), stride }
            }
        };
        let max_batch = batch.unwrap_or(MAX_BATCH).clamp(1, MAX_BATCH);
        Ok(Self { canvas, channels_last, max_batch })
    }
}

/// The largest number of a list like `[480, 640]`.
fn longest(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).max()
}

impl Input {
    /// Where a frame of `frame` pixels goes.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a frame without pixels.
    pub(super) fn place(&self, frame: Size) -> Result<Placement> {
        if frame.width == 0 || frame.height == 0 {
            return Err(Error::new(ErrorKind::InvalidData, "a frame without pixels cannot be looked at"));
        }
        let (w, h) = (f64::from(frame.width), f64::from(frame.height));
        let limit = match self.canvas {
            Canvas::Fixed(size) => size,
            Canvas::Longest { side, .. } => Size::new(side, side),
        };
        let inner = match self.fit {
            Fit::Stretch => limit,
            Fit::Letterbox => {
                let scale = (f64::from(limit.width) / w).min(f64::from(limit.height) / h);
                let side = |v: f64, max: u32| ((v * scale).round() as u32).clamp(1, max);
                Size::new(side(w, limit.width), side(h, limit.height))
            }
        };
        let canvas = match self.canvas {
            Canvas::Fixed(size) => size,
            Canvas::Longest { stride, .. } => {
                Size::new(inner.width.next_multiple_of(stride), inner.height.next_multiple_of(stride))
            }
        };
        let offset = ((canvas.width - inner.width) / 2, (canvas.height - inner.height) / 2);
        Ok(Placement { frame, canvas, inner, offset })
    }

    /// The image tensor of frames whose `placements` share a canvas. `buffer` is reused memory.
    ///
    /// # Errors
    /// When a frame cannot be converted.
    pub(super) fn tensor(&self, frames: &[&Frame], placements: &[Placement], buffer: Vec<f32>) -> Result<Tensor> {
        let canvas = placements.first().map(|p| p.canvas).unwrap_or_default();
        let (w, h) = (canvas.width as usize, canvas.height as usize);
        let mut data = buffer;
        data.resize(frames.len() * 3 * w * h, 0.0);
        for ((frame, placement), image) in frames.iter().zip(placements).zip(data.chunks_exact_mut(3 * w * h)) {
            let rgb = frame.picture.rgb(RgbRequest { size: placement.inner, filter: ScaleFilter::Bilinear })?;
            if rgb.data.len() as u64 != 3 * placement.inner.area() || rgb.size != placement.inner {
                return Err(Error::new(ErrorKind::Internal, "a picture gave another size than was asked for"));
            }
            if self.channels_last {
                self.interleaved(&rgb, placement, image)
            } else {
                self.planar(&rgb, placement, image)
            }
        }
        let shape = if self.channels_last { [frames.len(), h, w, 3] } else { [frames.len(), 3, h, w] };
        Tensor::new(shape, data)
    }

    fn source_channel(&self, channel: usize) -> usize {
        if self.bgr { 2 - channel } else { channel }
    }

    fn planar(&self, rgb: &Rgb, placement: &Placement, image: &mut [f32]) {
        let (w, h) = (placement.canvas.width as usize, placement.canvas.height as usize);
        let (iw, ih) = (placement.inner.width as usize, placement.inner.height as usize);
        let (x0, y0) = (placement.offset.0 as usize, placement.offset.1 as usize);
        for (channel, plane) in image.chunks_exact_mut(w * h).enumerate() {
            let (values, source) = (&self.values[channel], self.source_channel(channel));
            let border = values[usize::from(self.border)];
            plane[..y0 * w].fill(border);
            plane[(y0 + ih) * w..].fill(border);
            for (row, pixels) in plane[y0 * w..].chunks_exact_mut(w).zip(rgb.data.chunks_exact(3 * iw)) {
                row[..x0].fill(border);
                row[x0 + iw..].fill(border);
                for (out, pixel) in row[x0..x0 + iw].iter_mut().zip(pixels.as_chunks::<3>().0) {
                    *out = values[usize::from(pixel[source])];
                }
            }
        }
    }

    fn interleaved(&self, rgb: &Rgb, placement: &Placement, image: &mut [f32]) {
        let w = placement.canvas.width as usize;
        let (iw, (x0, y0)) = (placement.inner.width as usize, placement.offset);
        let border: [f32; 3] = std::array::from_fn(|c| self.values[c][usize::from(self.border)]);
        image.as_chunks_mut::<3>().0.fill(border);
        let rows = image[y0 as usize * w * 3..].chunks_exact_mut(w * 3);
        for (row, pixels) in rows.zip(rgb.data.chunks_exact(3 * iw)) {
            let row = &mut row[x0 as usize * 3..];
            for (out, pixel) in row.as_chunks_mut::<3>().0.iter_mut().zip(pixels.as_chunks::<3>().0) {
                *out = std::array::from_fn(|c| self.values[c][usize::from(pixel[self.source_channel(c)])]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    fn input(canvas: Canvas, fit: Fit) -> Input {
        let values = normalised(1.0, [1.0, 2.0, 3.0], [1.0; 3]);
        Input { canvas, fit, channels_last: false, bgr: true, values, border: 0, max_batch: 1 }
    }

    proptest! {
        #[test]
        fn boxes_come_back_to_where_they_were(
            (w, h) in (1u32..5000, 1u32..5000), side in 32u32..1300, fixed: bool, stretch: bool,
        ) {
            let canvas = if fixed { Canvas::Fixed(Size::new(side, side / 2 + 1)) } else {
                Canvas::Longest { side: side.next_multiple_of(32), stride: 32 }
            };
            let fit = if stretch { Fit::Stretch } else { Fit::Letterbox };
            let p = input(canvas, fit).place(Size::new(w, h)).expect("it has pixels");
            prop_assert!(p.offset.0 + p.inner.width <= p.canvas.width);
            prop_assert!(p.offset.1 + p.inner.height <= p.canvas.height);
            let (x, y) = (p.offset.0 as f32, p.offset.1 as f32);
            let whole = BoxXyxy::from_xywh(x, y, p.inner.width as f32, p.inner.height as f32);
            let back = p.to_frame(whole);
            prop_assert!(back.x1.abs() < 1e-3 && back.y1.abs() < 1e-3);
            prop_assert!((back.x2 - w as f32).abs() < 1e-3 * w as f32);
            prop_assert!((back.y2 - h as f32).abs() < 1e-3 * h as f32);
        }
    }

    #[test]
    fn a_wide_frame_gets_a_wide_canvas() {
        let any = input(Canvas::Longest { side: 416, stride: 32 }, Fit::Letterbox);
        let p = any.place(Size::new(640, 360)).expect("it has pixels");
        assert_eq!((p.canvas, p.inner, p.offset), (Size::new(416, 256), Size::new(416, 234), (0, 11)));
        let fixed = input(Canvas::Fixed(Size::new(416, 416)), Fit::Letterbox);
        let p = fixed.place(Size::new(360, 640)).expect("it has pixels");
        assert_eq!((p.inner, p.offset), (Size::new(234, 416), (91, 0)));
        assert!(fixed.place(Size::new(0, 4)).is_err());
    }

    #[test]
    fn channels_are_swapped_normalised_and_bordered() {
        let frame = testing::frame(Size::new(2, 1), |x, _| [10 + x as u8, 20, 30]);
        for channels_last in [false, true] {
            let input = Input { channels_last, ..input(Canvas::Fixed(Size::new(2, 3)), Fit::Letterbox) };
            let p = input.place(Size::new(2, 1)).expect("it has pixels");
            let tensor = input.tensor(&[&frame], &[p], vec![7.0; 99]).expect("it converts");
            let data = tensor.as_f32().expect("floats");
            let pixel = |c: usize, y: usize, x: usize| {
                if channels_last { data[(y * 2 + x) * 3 + c] } else { data[c * 6 + y * 2 + x] }
            };
            for x in 0..2 {
                assert_eq!([0, 1, 2].map(|c| pixel(c, 1, x)), [29.0, 18.0, 7.0 + x as f32]);
                assert_eq!([0, 1, 2].map(|c| pixel(c, 0, x)), [-1.0, -2.0, -3.0]);
                assert_eq!([0, 1, 2].map(|c| pixel(c, 2, x)), [-1.0, -2.0, -3.0]);
            }
        }
    }
}
