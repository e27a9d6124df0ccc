//! Decoded pixels that stay as the decoder left them until somebody asks for RGB.

use std::sync::Arc;

use ffmpeg::ffi;
use parking_lot::Mutex;
use tempograph_core::{Error, ErrorKind, Picture, Result, Rgb, RgbRequest, ScaleFilter, Size, YuvView};

use crate::{
    av::{self, AvFrame},
    orient::Orientation,
    resize,
    sws::{self, Converter, Quality},
};

/// Largest RGB picture that is made, in pixels.
const MAX_RGB_PIXELS: u64 = 16_384 * 16_384;

/// One conversion: locked while it is being made, so that equal requests share it.
type Slot = Arc<Mutex<Option<Arc<Rgb>>>>;

/// A decoded frame's pixels.
pub(crate) struct AvPicture {
    frame: AvFrame,
    orientation: Orientation,
    /// Upright size of the stream; a frame of another size is brought to it.
    size: Size,
    converter: Arc<Converter>,
    made: Mutex<Vec<(RgbRequest, Slot)>>,
}

impl AvPicture {
    pub(crate) fn new(frame: AvFrame, orientation: Orientation, size: Size, converter: Arc<Converter>) -> Self {
        Self { frame, orientation, size, converter, made: Mutex::default() }
    }

    fn convert(&self, request: RgbRequest) -> Result<Rgb> {
        // Scaling and turning by right angles commute, so the smaller picture is turned.
        let stored = self.orientation.apply(self.size);
        let to = self.orientation.apply(request.size);
        let shrinks_much = 2 * to.width <= stored.width && 2 * to.height <= stored.height;
        let data = match request.filter {
            _ if to == stored => self.converter.rgb(&self.frame, to, Quality::Plain)?.packed(),
            // One pass from the stored planes, less than a level from the exact mean on average.
            ScaleFilter::Area if shrinks_much => self.converter.rgb(&self.frame, to, Quality::Area)?.packed(),
            ScaleFilter::Area => {
                let full = self.converter.rgb(&self.frame, stored, Quality::Plain)?;
                resize::area(&full.data, full.stride, stored, to)
            }
            ScaleFilter::Bilinear => {
                let full = self.converter.rgb(&self.frame, stored, Quality::Plain)?;
                resize::bilinear(&full.data, full.stride, stored, to)
            }
            ScaleFilter::Bicubic => {
                let full = self.converter.rgb(&self.frame, stored, Quality::Plain)?;
                resize::bicubic(&full.data, full.stride, stored, to)
            }
        };
        let data = if self.orientation.is_upright() { data } else { self.orientation.turn_rgb(to, &data) };
        Ok(Rgb { size: request.size, data })
    }
}

impl Picture for AvPicture {
    fn size(&self) -> Size {
        self.size
    }

    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        if request.size.area() == 0 || request.size.area() > MAX_RGB_PIXELS {
            let Size { width, height } = request.size;
            return Err(Error::new(ErrorKind::Usage, format!("cannot make a picture of this size: {width}x{height}")));
        }
        // At the stored size no filter has anything to do.
        let filter = if request.size == self.size { ScaleFilter::Bilinear } else { request.filter };
        let request = RgbRequest { filter, ..request };
        let slot = {
            let mut made = self.made.lock();
            match made.iter().find(|(r, _)| *r == request) {
                Some((_, slot)) => Arc::clone(slot),
                None => {
                    let slot = Slot::default();
                    made.push((request, Arc::clone(&slot)));
                    slot
                }
            }
        };
        let mut slot = slot.lock();
        if let Some(rgb) = slot.as_ref() {
            return Ok(Arc::clone(rgb));
        }
        let rgb = Arc::new(self.convert(request)?);
        *slot = Some(Arc::clone(&rgb));
        Ok(rgb)
    }

    fn yuv(&self) -> Option<YuvView<'_>> {
        let raw = self.frame.raw();
        let desc = av::pixel_format(raw.format)?;
        let unfit = ffi::AV_PIX_FMT_FLAG_RGB
            | ffi::AV_PIX_FMT_FLAG_PAL
            | ffi::AV_PIX_FMT_FLAG_HWACCEL
            | ffi::AV_PIX_FMT_FLAG_BITSTREAM
            | ffi::AV_PIX_FMT_FLAG_BAYER
            | ffi::AV_PIX_FMT_FLAG_FLOAT;
        let planar = (0..3).all(|i| {
            let c = &desc.comp[i];
            c.plane == i as i32 && c.step == 1 && c.depth == 8 && c.shift == 0 && c.offset == 0
        });
        let same_size = (raw.width, raw.height) == (self.size.width as i32, self.size.height as i32);
        if desc.nb_components < 3 || desc.flags & unfit as u64 != 0 || !planar || !same_size {
            return None;
        }
        if !self.orientation.is_upright() {
            return None;
        }
        let shift = (u32::from(desc.log2_chroma_w), u32::from(desc.log2_chroma_h));
        let mut planes: [&[u8]; 3] = [&[]; 3];
        let mut strides = [0; 3];
        for i in 0..3 {
            let (sw, sh) = if i == 0 { (0, 0) } else { shift };
            let width = (self.size.width as usize).div_ceil(1 << sw);
            let height = (self.size.height as usize).div_ceil(1 << sh);
            strides[i] = usize::try_from(raw.linesize[i]).ok().filter(|&s| s >= width)?;
            planes[i] = self.frame.plane(i, strides[i] * (height - 1) + width)?;
        }
        Some(YuvView {
            size: self.size,
            planes,
            strides,
            chroma_shift: shift,
            full_range: sws::full_range(raw),
            bt709: raw.colorspace == ffi::AVColorSpace::BT709,
        })
    }
}
