//! Faces frame by frame, and what they express, spared where nothing changed.
//!
//! The frames where a face was expected and none seen are claimed too: which faces are followed, to whom they belong and
//! which expressions count is decided in `fuse`.

use tempograph_core::{Claim, FaceSeen, Frame, FrameAnalyzer, Observation, Result, Sampling, Span};
use tempograph_models::faces::FaceSearch;

use super::gate::{Gate, Watch};

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
    watch: Option<Watch>,
    last: Vec<FaceSeen>,
}

impl FaceAnalyzer {
    /// Looks with `search`; with a `gate` the last answer stands where nothing changed.
    pub fn new(search: FaceSearch, gate: Option<Gate>) -> Self {
        Self { search, watch: gate.map(Watch::new), last: Vec::new() }
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
}

impl FrameAnalyzer for FaceAnalyzer {
    fn name(&self) -> &'static str {
        "faces"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: RATE_FPS }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let spared = match &mut self.watch {
            Some(watch) => watch.unchanged(frame)?,
            None => false,
        };
        if !spared {
            self.last = self.look(frame)?;
        }
        let faces = self.last.clone();
        let span = Span::new(frame.time, frame.time.saturating_add(frame.duration));
        out.push(Observation { span, claim: Claim::Faces { frame: frame.index, faces } });
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        // A resumed run looks anew here, so this one does too.
        if let Some(watch) = &mut self.watch {
            watch.forget();
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}
