//! Faces frame by frame, and what they express, spared where nothing changed.
//!
//! The frames where a face was expected and none seen are claimed too: which faces are followed, to whom they belong and
//! which expressions count is decided in `fuse`.

use tempograph_core::{Claim, FaceSeen, Frame, FrameAnalyzer, MediaTime, Observation, Result, Sampling, Size, Span};
use tempograph_models::faces::FaceSearch;

use super::detect::{Gate, Luma, luma, unchanged};

/// Frames a second looked at. An expression that people read lasts half a second or longer (Ekman's macro-expressions),
/// which is then seen at least twice.
pub const RATE_FPS: f64 = 4.0;
/// Scores are kept to this part.
const STEPS: f32 = 1000.0;
/// Boxes are kept to this part of a pixel.
const PIXEL_STEPS: f32 = 10.0;

/// The stage `faces`.
pub struct FaceAnalyzer {
    search: FaceSearch,
    gate: Option<Gate>,
    last: Option<Seen>,
}

struct Seen {
    time: MediaTime,
    size: Size,
    luma: Luma,
    faces: Vec<FaceSeen>,
}

impl FaceAnalyzer {
    /// Looks with `search`; with a `gate` the last answer stands where nothing changed.
    pub fn new(search: FaceSearch, gate: Option<Gate>) -> Self {
        Self { search, gate, last: None }
    }

    fn look(&mut self, frame: &Frame) -> Result<Vec<FaceSeen>> {
        let pixel = |v: f32| (v * PIXEL_STEPS).round() / PIXEL_STEPS;
        let found = self.search.find(frame.picture.as_ref())?;
        let seen = found.into_iter().map(|(face, emotions)| FaceSeen {
            bbox: <[f32; 4]>::from(face.bbox).map(pixel).into(),
            score: (face.score * STEPS).round() / STEPS,
            emotions,
        });
        Ok(seen.collect())
    }

    fn gated(&mut self, frame: &Frame, gate: Gate) -> Result<Vec<FaceSeen>> {
        let (size, luma) = (frame.picture.size(), luma(frame.picture.as_ref())?);
        if let Some(seen) = &self.last
            && seen.size == size
            && frame.time - seen.time < gate.refresh
            && unchanged(&seen.luma, &luma, gate)
        {
            return Ok(seen.faces.clone());
        }
        let faces = self.look(frame)?;
        self.last = Some(Seen { time: frame.time, size, luma, faces: faces.clone() });
        Ok(faces)
    }
}

impl FrameAnalyzer for FaceAnalyzer {
    fn name(&self) -> &'static str {
        "faces"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: RATE_FPS }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let faces = match self.gate {
            Some(gate) => self.gated(frame, gate)?,
            None => self.look(frame)?,
        };
        let span = Span::new(frame.time, frame.time.saturating_add(frame.duration));
        out.push(Observation { span, claim: Claim::Faces { frame: frame.index, faces } });
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        // A resumed run looks anew here, so this one does too.
        self.last = None;
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}
