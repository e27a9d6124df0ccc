//! What frames look like: a vector where a shot begins, where it has gone on for a while, and where it changed.

use tempograph_core::{Claim, Frame, FrameAnalyzer, FrameVector, MediaTime, Observation, Result, Sampling};
use tempograph_models::embed::{ImageEmbedder, View};

use super::gate::{Gate, Watch};

/// Frames a second that are looked at to find those that matter: a shot is entered half a second late at most.
pub const RATE_FPS: f64 = 2.0;
/// A picture that goes on moving is embedded this often: what a shot shows rarely changes faster without a jump.
const PERIOD: MediaTime = MediaTime::from_millis(5_000);
/// Mean difference of the luma of 64 x 36 blocks, of 255, at which the picture is another one at once. On the shared
/// media every cut lies above 28, and the median half second within a shot below 17.
const OTHER_PICTURE: f32 = 20.0;
/// No difference of one block makes another picture.
const ANY_BLOCK: f32 = 256.0;
/// A picture that stays is embedded once a unit.
const STILL: MediaTime = MediaTime::from_millis(10_000);

/// The stage `frames`.
pub struct FramesAnalyzer {
    embedder: Box<dyn ImageEmbedder>,
    /// Tells when it is time to look again.
    shot: Watch,
    /// Tells whether there is anything new to see then.
    still: Watch,
}

impl FramesAnalyzer {
    /// With `gated` a picture that stays as it is spares the model.
    pub fn new(embedder: Box<dyn ImageEmbedder>, gated: bool) -> Self {
        let shot = Watch::new(Some(Gate { mean: OTHER_PICTURE, block: ANY_BLOCK, refresh: PERIOD }));
        let still = Watch::new(gated.then(|| Gate { refresh: STILL, ..Gate::default() }));
        Self { embedder, shot, still }
    }
}

impl FrameAnalyzer for FramesAnalyzer {
    fn name(&self) -> &'static str {
        "frames"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: RATE_FPS }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        if self.shot.unchanged(frame)? || self.still.unchanged(frame)? {
            return Ok(());
        }
        let vectors = self.embedder.embed(&[View { frame, region: None }])?;
        let span = frame.span();
        out.extend(vectors.iter().map(|vector| {
            let claim = Claim::FrameVector(FrameVector::new(frame.index, vector));
            Observation { span, claim }
        }));
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        self.shot.forget();
        self.still.forget();
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::Size;

    use super::{super::testing::grey, *};

    /// Gives how often it was asked.
    struct Counter(f32);
    impl ImageEmbedder for Counter {
        fn dims(&self) -> usize {
            2
        }
        fn embed(&mut self, views: &[View<'_>]) -> Result<Vec<Vec<f32>>> {
            self.0 += views.len() as f32;
            Ok(vec![vec![1.0, self.0 / 127.0]])
        }
    }

    /// Half seconds at which a frame was embedded, of frames of these levels; `None` ends a unit.
    fn embedded(levels: &[Option<u8>], gated: bool) -> Vec<u64> {
        let mut stage = FramesAnalyzer::new(Box::new(Counter(0.0)), gated);
        let mut out = Vec::new();
        for (i, level) in levels.iter().enumerate() {
            let Some(level) = *level else {
                stage.checkpoint(&mut out).expect("it settles");
                continue;
            };
            let time = MediaTime::from_millis(500 * i as i64);
            let duration = MediaTime::from_millis(40);
            let frame = Frame { index: i as u64, time, duration, key: false, picture: grey(level, Size::new(64, 36)) };
            stage.push(&frame, &mut out).expect("it looks");
        }
        stage.finish(&mut out).expect("it ends");
        let frame = |o: &Observation| match &o.claim {
            Claim::FrameVector(vector) => vector.frame,
            other => panic!("{other:?}"),
        };
        out.iter().map(frame).collect()
    }

    #[test]
    fn shots_are_seen_at_once_movement_now_and_then_and_stills_once_a_unit() {
        let still = [Some(9); 19];
        assert_eq!(embedded(&still, true), [0]);
        assert_eq!(embedded(&still, false), [0, 10], "without the gate time alone decides");
        let cut: Vec<_> = (0..19).map(|i| Some(if i < 7 { 9 } else { 90 })).collect();
        assert_eq!(embedded(&cut, true), [0, 7]);
        let moving: Vec<_> = (0..25).map(|i| Some(i as u8 + 30)).collect();
        assert_eq!(embedded(&moving, true), [0, 10, 20]);
        assert_eq!(embedded(&[Some(9), Some(9), None, Some(9), Some(9)], true), [0, 3]);
    }
}
