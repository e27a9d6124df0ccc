//! Small pictures twice a second: scene thumbnails, search hits, scrubbing.

use std::sync::Arc;

use tempograph_core::{
    Claim, Frame, FrameAnalyzer, Observation, Result, RgbRequest, Sampling, ScaleFilter, Size, Span,
};
use tempograph_media::encode_jpeg;

use crate::cache::Objects;

/// Pictures a second. No scene is shorter than 0.6 s by default, so each holds at least one.
pub const RATE_FPS: f64 = 2.0;
/// Width in pixels; the height follows the video.
const WIDTH: u32 = 256;
const QUALITY: u8 = 78;

/// Gathers a unit's pictures into one object.
pub struct Thumbnails {
    objects: Arc<dyn Objects>,
    bytes: Vec<u8>,
    pictures: Vec<(Span, u64, u64)>,
}

impl Thumbnails {
    /// Keeps pictures in `objects`.
    pub fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects, bytes: Vec::new(), pictures: Vec::new() }
    }

    fn flush(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        if self.pictures.is_empty() {
            return Ok(());
        }
        let object = self.objects.put(&self.bytes)?;
        out.extend(self.pictures.drain(..).map(|(span, offset, len)| Observation {
            span,
            claim: Claim::Thumbnail { object: object.clone(), offset, len },
        }));
        self.bytes.clear();
        Ok(())
    }
}

impl FrameAnalyzer for Thumbnails {
    fn name(&self) -> &'static str {
        "thumbnails"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: RATE_FPS }
    }

    fn push(&mut self, frame: &Frame, _out: &mut Vec<Observation>) -> Result<()> {
        let full = frame.picture.size();
        let width = WIDTH.min(full.width.max(1));
        let height = (u64::from(full.height) * u64::from(width)).div_ceil(u64::from(full.width.max(1)));
        let size = Size::new(width, height.clamp(1, u64::from(4 * WIDTH)) as u32);
        let picture = frame.picture.rgb(RgbRequest { size, filter: ScaleFilter::Area })?;
        let jpeg = encode_jpeg(&picture, QUALITY)?;
        let span = frame.span();
        self.pictures.push((span, self.bytes.len() as u64, jpeg.len() as u64));
        self.bytes.extend_from_slice(&jpeg);
        Ok(())
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.flush(out)
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.flush(out)
    }
}
