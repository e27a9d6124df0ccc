//! Faces frame by frame, and what they express, spared where nothing changed.
//!
//! The frames where a face was expected and none seen are claimed too: which faces are followed, to whom they belong and
//! which expressions count is decided in `fuse`.

use tempograph_core::{Claim, FaceSeen, Frame, FrameAnalyzer, Observation, Result, Sampling};
use tempograph_models::faces::FaceSearch;

use super::gate::{Gate, Watch};

/// Frames a second looked at. An expression that people read lasts half a second or longer (Ekman's macro-expressions),
/// which is then seen at least twice.
pub const RATE_FPS: f64 = 4.0;
/// Small faces are looked for in one of so many looks: they cost twice what the others do.
const TILES_EVERY: i64 = 2;
/// Scores are kept to this part.
const STEPS: f32 = 1000.0;
/// Boxes are kept to this part of a pixel.
const PIXEL_STEPS: f32 = 10.0;

/// The stage `faces`.
pub struct FaceAnalyzer {
    search: FaceSearch,
    watch: Watch,
    last: Vec<FaceSeen>,
    /// Whether small faces were looked for in the last look.
    tiles: bool,
}

impl FaceAnalyzer {
    /// Looks with `search`; with a `gate` the last answer stands where nothing changed.
    pub fn new(search: FaceSearch, gate: Option<Gate>) -> Self {
        Self { search, watch: Watch::new(gate), last: Vec::new(), tiles: false }
    }

    fn look(&mut self, frame: &Frame, tiles: bool) -> Result<Vec<FaceSeen>> {
        let pixel = |v: f32| (v * PIXEL_STEPS).round() / PIXEL_STEPS;
        let found = self.search.find(frame.picture.as_ref(), tiles)?;
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
        // From the time alone, so that a resumed run decides the same.
        let slot = (frame.time.as_secs_f64() * RATE_FPS + 0.5).floor() as i64;
        let tiles = slot.rem_euclid(TILES_EVERY) == 0;
        let unchanged = self.watch.unchanged(frame)?;
        if !unchanged || tiles && !self.tiles {
            self.last = self.look(frame, tiles)?;
            self.tiles = tiles;
        }
        let faces = self.last.clone();
        let span = frame.span();
        out.push(Observation { span, claim: Claim::Faces { frame: frame.index, faces } });
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        // A resumed run looks anew here, so this one does too.
        self.watch.forget();
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tempograph_core::{MediaTime, Size, Tensor};
    use tempograph_models::faces::{BlazeFace, FaceOptions};

    use super::{
        super::testing::{grey, network},
        *,
    };

    /// A network of 192 or 128 pixels that counts the pictures it is given and sees nothing in them.
    fn blind(side: usize, anchors: usize, asked: &Arc<AtomicUsize>) -> BlazeFace {
        let asked = Arc::clone(asked);
        let session = network(&[("image", &[None, Some(3), Some(side), Some(side)])], move |inputs| {
            let n = inputs[0].shape()[0];
            asked.fetch_add(n, Ordering::Relaxed);
            let boxes = Tensor::new([n, anchors, 16], vec![0f32; n * anchors * 16])?;
            Ok(vec![boxes, Tensor::new([n, anchors], vec![-9f32; n * anchors])?])
        });
        BlazeFace::new(session).unwrap()
    }

    #[test]
    fn a_still_scene_is_looked_at_once_a_unit_and_small_faces_in_every_second_look() {
        let asked = Arc::new(AtomicUsize::new(0));
        let (far, near) = (blind(192, 2304, &asked), blind(128, 896, &asked));
        let search = FaceSearch::new(far, near, None, FaceOptions::default());
        let mut stage = FaceAnalyzer::new(search, Some(Gate::default()));
        let (mut out, mut counts) = (Vec::new(), Vec::new());
        let looks = [(0, 9), (250, 9), (500, 9), (750, 80), (1000, 80), (1250, 80)];
        for (ms, level) in looks {
            if ms == 500 {
                stage.checkpoint(&mut out).unwrap();
            }
            let time = MediaTime::from_millis(ms);
            let picture = grey(level, Size::new(1280, 720));
            let frame = Frame { index: 0, time, duration: MediaTime::from_millis(40), key: false, picture };
            stage.push(&frame, &mut out).unwrap();
            counts.push(asked.swap(0, Ordering::Relaxed));
        }
        stage.finish(&mut out).unwrap();
        // Whole and tiles; the same again; anew after the checkpoint; a change without tiles, then with them; the same.
        assert_eq!(counts, [3, 0, 3, 1, 3, 0], "pictures given to the networks");
        assert_eq!(out.len(), looks.len(), "nothing seen is claimed too");
        assert!(out.iter().all(|o| matches!(&o.claim, Claim::Faces { faces, .. } if faces.is_empty())));
    }
}
