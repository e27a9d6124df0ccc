//! Boxes that people bring: they stand in for the detector's.
//!
//! A file knows frames by number; when a frame is shown is known only while reading the video, so
//! the boxes take part in the pass like a detector that answers from memory.

use std::collections::BTreeMap;

use tempograph_core::{BoxXyxy, Claim, Detections, Frame, FrameAnalyzer, Observation, Result, Sampling, Size};

/// The boxes of one frame, and the size of the picture they are in when it is not the video's.
pub type GivenFrame = (Option<Size>, Detections);

/// Claims the boxes of each frame that they know.
pub struct GivenBoxes(BTreeMap<u64, GivenFrame>);

impl GivenBoxes {
    /// Boxes by frame number, from 0.
    pub fn new(frames: BTreeMap<u64, GivenFrame>) -> Self {
        Self(frames)
    }
}

impl FrameAnalyzer for GivenBoxes {
    fn name(&self) -> &'static str {
        "detect"
    }

    fn needs(&self) -> Sampling {
        Sampling::Every
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let Some((of, detections)) = self.0.get(&frame.index) else { return Ok(()) };
        let size = frame.picture.size();
        // What people bring is kept as they brought it: boxes of a benchmark go on beyond the picture's edge.
        let detections = scaled(detections, of.unwrap_or(size), size)?.within(size);
        let span = frame.span();
        out.push(Observation { span, claim: Claim::Detections { frame: frame.index, detections } });
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}

fn scaled(detections: &Detections, from: Size, to: Size) -> Result<Detections> {
    if from == to || from.area() == 0 {
        return Ok(detections.clone());
    }
    let (x, y) = (to.width as f32 / from.width as f32, to.height as f32 / from.height as f32);
    let boxes = detections.boxes().iter().map(|b| BoxXyxy::new(b.x1 * x, b.y1 * y, b.x2 * x, b.y2 * y)).collect();
    let columns = Detections::new(boxes, detections.scores().to_vec(), detections.labels().to_vec())?;
    let tracks: Vec<_> = detections.iter().map(|d| d.track).collect();
    if tracks.iter().any(Option::is_some) { columns.with_tracks(tracks) } else { Ok(columns) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_another_size_are_scaled_and_keep_their_tracks() {
        let mut detections = Detections::default();
        detections.push(BoxXyxy::new(10.0, 10.0, 20.0, 40.0), 0.5, "cat");
        let detections = detections.with_tracks(vec![Some(4)]).expect("an id a row");
        let half = scaled(&detections, Size::new(100, 100), Size::new(50, 200)).expect("boxes");
        assert_eq!(half.boxes(), [BoxXyxy::new(5.0, 20.0, 10.0, 80.0)]);
        assert_eq!(half.get(0).track, Some(4));
        assert_eq!(scaled(&detections, Size::new(7, 7), Size::new(7, 7)).expect("boxes"), detections);
    }
}
