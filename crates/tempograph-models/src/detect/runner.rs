//! A family at work: placing, running, choosing, mapping back.

use tempograph_core::{Detections, Frame, Result, Session, Tensor};

use super::{Batch, Detector, DetectorOptions, Family, nms, wrong_form};

pub(super) struct Runner {
    session: Box<dyn Session>,
    family: Box<dyn Family>,
    options: DetectorOptions,
    buffer: Vec<f32>,
}

impl Runner {
    pub(super) fn new(session: Box<dyn Session>, family: Box<dyn Family>, options: DetectorOptions) -> Self {
        Self { session, family, options, buffer: Vec::new() }
    }

    /// Frames that fit one call: placed on equal canvases, no more than the model takes.
    fn call(&mut self, frames: &[&Frame], out: &mut Vec<Detections>) -> Result<usize> {
        let input = self.family.input();
        let mut placements = Vec::new();
        for frame in frames.iter().take(input.max_batch) {
            let placement = input.place(frame.picture.size())?;
            if placements.first().is_some_and(|p: &super::Placement| p.canvas != placement.canvas) {
                break;
            }
            placements.push(placement);
        }
        let count = placements.len();
        let image = input.tensor(&frames[..count], &placements, std::mem::take(&mut self.buffer))?;
        let further = self.family.further_inputs(&placements)?;
        let inputs: Vec<&Tensor> = std::iter::once(&image).chain(&further).collect();
        let outputs = self.session.run(&inputs)?;
        self.buffer = image.into_f32()?;

        let batch = Batch { canvas: placements[0].canvas, placements: &placements };
        let found = self.family.decode(&outputs, &batch, self.options.confidence)?;
        if found.len() != count {
            return Err(wrong_form(format!("{} results for {count} images", found.len())));
        }
        let iou = self.family.nms_iou().map(|own| self.options.nms_iou.unwrap_or(own));
        for (candidates, placement) in found.into_iter().zip(&placements) {
            let mut detections = Detections::default();
            for c in nms::select(candidates, iou, self.options.max_detections) {
                if let Some(label) = self.family.labels().get(c.class) {
                    detections.push(placement.to_frame(c.bbox), c.score, label);
                }
            }
            out.push(detections.clip(placement.frame));
        }
        Ok(count)
    }
}

impl Detector for Runner {
    fn detect(&mut self, frames: &[&Frame]) -> Result<Vec<Detections>> {
        let mut out = Vec::with_capacity(frames.len());
        while out.len() < frames.len() {
            self.call(&frames[out.len()..], &mut out)?;
        }
        Ok(out)
    }

    fn labels(&self) -> &[String] {
        self.family.labels()
    }
}
