//! Frames: pixels with a presentation time.

use std::sync::Arc;

use crate::{MediaTime, Result, Size, Span};

/// One decoded frame, shared cheaply between analyzers.
#[derive(Clone)]
pub struct Frame {
    /// Position in decoding output order, from 0. Derived: never a clock.
    pub index: u64,
    /// Presentation time.
    pub time: MediaTime,
    /// How long it is shown, as far as the file says.
    pub duration: MediaTime,
    /// Whether it can be decoded on its own.
    pub key: bool,
    /// The pixels, upright as displayed.
    pub picture: Arc<dyn Picture>,
}

impl Frame {
    /// From when to when it is shown.
    pub fn span(&self) -> Span {
        Span::new(self.time, self.time.saturating_add(self.duration))
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("index", &self.index).field("time", &self.time).finish_non_exhaustive()
    }
}

/// How a picture is brought to another size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScaleFilter {
    /// Two-tap linear between pixel centres without low-pass, as OpenCV's `INTER_LINEAR`.
    Bilinear,
    /// Mean of the covered source pixels.
    Area,
    /// Four-tap cubic with low-pass when shrinking, as Pillow's `BICUBIC`.
    Bicubic,
}

/// A wish for RGB pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RgbRequest {
    /// Wanted size, upright as displayed. The aspect ratio is not kept: letterboxing is the asker's.
    pub size: Size,
    /// How to get there.
    pub filter: ScaleFilter,
}

/// Packed 8-bit RGB, row-major, no padding: `data.len() == 3 * width * height`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Size in pixels.
    pub size: Size,
    /// Pixels.
    pub data: Vec<u8>,
}

/// Planar 8-bit YCbCr as decoded.
///
/// Present only where the picture is stored so and needs no rotation. Chroma planes are
/// `ceil(size >> shift)`.
#[derive(Clone, Copy)]
pub struct YuvView<'a> {
    /// Luma size in pixels.
    pub size: Size,
    /// The Y, Cb and Cr planes.
    pub planes: [&'a [u8]; 3],
    /// Bytes from one row to the next, per plane.
    pub strides: [usize; 3],
    /// log2 of horizontal and vertical chroma subsampling: 4:2:0 is `(1, 1)`.
    pub chroma_shift: (u32, u32),
    /// Whether samples use 0–255 instead of 16–235.
    pub full_range: bool,
    /// Whether the matrix is BT.709 (else BT.601).
    pub bt709: bool,
}

/// Decoded pixels that convert themselves on demand and remember the result.
pub trait Picture: Send + Sync {
    /// Size upright, as displayed.
    fn size(&self) -> Size;

    /// RGB at the size asked for. Equal requests on one picture share one conversion.
    ///
    /// # Errors
    /// When the pixel format cannot be converted or the size is zero.
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>>;

    /// The stored planes, where they are 8-bit planar YCbCr and upright.
    fn yuv(&self) -> Option<YuvView<'_>> {
        None
    }
}
