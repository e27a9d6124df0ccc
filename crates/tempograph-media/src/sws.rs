//! Colour conversion by libswscale, with contexts and buffers that are used again.
#![expect(unsafe_code, reason = "libswscale is a C library")]

use std::{collections::HashMap, ptr};

use ffmpeg::ffi;
use parking_lot::Mutex;
use tempograph_core::{Error, ErrorKind, Result, Size};

use crate::av::{self, AvFrame};

/// How libswscale gets from one size to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Quality {
    /// Same size or nearly: what OpenCV's and PyAV's readers do.
    Plain,
    /// Mean of the covered pixels, straight from the stored planes.
    Area,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    format: i32,
    from: Size,
    to: Size,
    quality: Quality,
    colorspace: i32,
    full_range: bool,
}

struct Context(*mut ffi::SwsContext);

// SAFETY: a context has no thread affinity; the pool hands it to one user at a time.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: came from sws_getContext, freed once.
        unsafe { ffi::sws_freeContext(self.0) }
    }
}

/// Contexts kept for use again, at most this many per kind and kinds in all.
const KEPT: usize = 8;
const KINDS: usize = 32;

/// Converts frames to RGB; shared by all pictures of a reader.
#[derive(Default)]
pub(crate) struct Converter {
    contexts: Mutex<HashMap<Key, Vec<Context>>>,
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// Packed RGB with padded rows, whose memory returns to the pool.
pub(crate) struct Padded<'a> {
    pub(crate) size: Size,
    pub(crate) stride: usize,
    pub(crate) data: Vec<u8>,
    owner: &'a Converter,
}

impl Padded<'_> {
    /// The rows without their padding.
    pub(crate) fn packed(&self) -> Vec<u8> {
        let row = self.size.width as usize * 3;
        let mut out = Vec::with_capacity(row * self.size.height as usize);
        for line in self.data.chunks(self.stride).take(self.size.height as usize) {
            out.extend_from_slice(&line[..row]);
        }
        out
    }
}

impl Drop for Padded<'_> {
    fn drop(&mut self) {
        let mut buffers = self.owner.buffers.lock();
        if buffers.len() < KEPT {
            buffers.push(std::mem::take(&mut self.data));
        }
    }
}

/// Whether samples use 0–255.
pub(crate) fn full_range(frame: &ffi::AVFrame) -> bool {
    frame.color_range == ffi::AVColorRange::JPEG
        || [
            ffi::AVPixelFormat::YUVJ420P,
            ffi::AVPixelFormat::YUVJ422P,
            ffi::AVPixelFormat::YUVJ444P,
            ffi::AVPixelFormat::YUVJ440P,
            ffi::AVPixelFormat::YUVJ411P,
        ]
        .contains(&ffi::AVPixelFormat(frame.format))
}

/// The matrix a frame names. A frame that names none gets BT.601, which is what libswscale,
/// OpenCV and PyAV assume: reference figures were made that way.
fn matrix(frame: &ffi::AVFrame) -> i32 {
    match frame.colorspace {
        ffi::AVColorSpace::BT709 => ffi::SWS_CS_ITU709,
        ffi::AVColorSpace::FCC => ffi::SWS_CS_FCC,
        ffi::AVColorSpace::SMPTE240M => ffi::SWS_CS_SMPTE240M,
        ffi::AVColorSpace::BT2020_NCL | ffi::AVColorSpace::BT2020_CL => ffi::SWS_CS_BT2020,
        _ => ffi::SWS_CS_DEFAULT,
    }
}

impl Converter {
    fn context(&self, key: Key) -> Result<Context> {
        if let Some(found) = self.contexts.lock().get_mut(&key).and_then(Vec::pop) {
            return Ok(found);
        }
        let flags = match key.quality {
            Quality::Plain => ffi::SWS_BICUBIC,
            Quality::Area => ffi::SWS_AREA | ffi::SWS_ACCURATE_RND | ffi::SWS_FULL_CHR_H_INT,
        };
        let format = ffi::AVPixelFormat(key.format);
        // SAFETY: sizes are positive and bounded; null filters and parameters mean defaults; the
        // coefficient tables are static.
        unsafe {
            if ffi::sws_isSupportedInput(format) == 0 {
                let name = av::pixel_format(key.format).map_or_else(|| key.format.to_string(), av::pixel_format_name);
                return Err(Error::new(ErrorKind::Unsupported, format!("cannot convert the pixel format `{name}`")));
            }
            let ctx = ffi::sws_getContext(
                key.from.width as i32,
                key.from.height as i32,
                format,
                key.to.width as i32,
                key.to.height as i32,
                ffi::AVPixelFormat::RGB24,
                flags,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null(),
            );
            if ctx.is_null() {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "cannot convert a picture of {}x{} to {}x{}",
                        key.from.width, key.from.height, key.to.width, key.to.height
                    ),
                ));
            }
            let (table, one) = (ffi::sws_getCoefficients(key.colorspace), 1 << 16);
            // Refused for RGB input, which needs no matrix.
            let _refused = ffi::sws_setColorspaceDetails(ctx, table, key.full_range.into(), table, 1, 0, one, one);
            Ok(Context(ctx))
        }
    }

    fn give_back(&self, key: Key, context: Context) {
        let mut contexts = self.contexts.lock();
        if contexts.len() >= KINDS && !contexts.contains_key(&key) {
            contexts.clear();
        }
        let kept = contexts.entry(key).or_default();
        if kept.len() < KEPT {
            kept.push(context);
        }
    }

    /// RGB of `frame`, as stored (not turned), at size `to`.
    pub(crate) fn rgb(&self, frame: &AvFrame, to: Size, quality: Quality) -> Result<Padded<'_>> {
        let raw = frame.raw();
        if raw.width <= 0 || raw.height <= 0 {
            return Err(Error::new(ErrorKind::InvalidData, "a decoded picture has no size"));
        }
        let from = Size::new(raw.width as u32, raw.height as u32);
        let key = Key { format: raw.format, from, to, quality, colorspace: matrix(raw), full_range: full_range(raw) };
        let context = self.context(key)?;
        // libswscale's vector code writes whole blocks and leaves the rest of a row that does not
        // hold one; a wide stride gives it room.
        let stride = (to.width as usize * 3).next_multiple_of(96) + 96;
        let needed = stride * to.height as usize + 96;
        let mut data = self.buffers.lock().pop().unwrap_or_default();
        data.resize(needed, 0);
        let planes = [data.as_mut_ptr(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut()];
        let strides = [stride as i32, 0, 0, 0];
        // SAFETY: the source planes belong to the frame and have its size and format, which the
        // context was made for; the destination holds `stride` bytes for each of `to.height` rows.
        let rows = unsafe {
            ffi::sws_scale(
                context.0,
                raw.data.as_ptr().cast(),
                raw.linesize.as_ptr(),
                0,
                raw.height,
                planes.as_ptr(),
                strides.as_ptr(),
            )
        };
        self.give_back(key, context);
        let padded = Padded { size: to, stride, data, owner: self };
        if rows < to.height as i32 {
            return Err(Error::new(ErrorKind::Decode, format!("converting a picture stopped after {rows} rows")));
        }
        Ok(padded)
    }
}
