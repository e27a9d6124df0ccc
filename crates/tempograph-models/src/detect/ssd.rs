//! SSD with MobileNet as the TensorFlow detection API trained it on COCO, cut off before its own suppression.
//!
//! Outputs: box codes `[n, anchors, 1, 4]` (or without the 1) as `ty, tx, th, tw`, and class logits
//! `[n, anchors, 91]` by COCO's own category number, 0 the background. Anchors follow from the input size (Liu et al.
//! 2016, section 2.2, with the settings of `ssd_anchor_generator`: scales 0.2 to 0.95 over six levels, fewer boxes on
//! the lowest).

use tempograph_core::{BoxXyxy, Error, ErrorKind, Result, Session, Size, Tensor};

use super::{
    Batch, Candidate, DetectorOptions, Family, extents,
    input::{Canvas, Declared, Fit, Input, normalised},
    labels::{given, labels, with_gaps},
    wrong_form,
};

const LEVELS: usize = 6;
const MIN_SCALE: f32 = 0.2;
const MAX_SCALE: f32 = 0.95;
/// Scale of the square box on the lowest level.
const LOWEST_SCALE: f32 = 0.1;
const RATIOS: [f32; 5] = [1.0, 2.0, 0.5, 3.0, 0.3333];
const LOWEST_STRIDE: u32 = 16;
/// The codes' scales (`faster_rcnn_box_coder`).
const CENTER_SCALE: f32 = 10.0;
const EXTENT_SCALE: f32 = 5.0;
/// The setting the models were published with.
const NMS_IOU: f32 = 0.6;
const DEFAULT_SIDE: u32 = 300;
/// COCO's category numbers run to 90, with gaps, and 0 is the background.
const COCO_CATEGORIES: usize = 91;

struct Ssd {
    input: Input,
    labels: Vec<String>,
    anchors: Vec<Anchor>,
}

/// A box in shares of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Anchor {
    x: f32,
    y: f32,
    width: f32,
    height: f32,
}

pub(super) fn open(session: &dyn Session, options: &DetectorOptions) -> Result<Box<dyn Family>> {
    let Declared { canvas, channels_last, max_batch } = Declared::read(session, options, DEFAULT_SIDE, 1)?;
    let size = match canvas {
        Canvas::Fixed(size) => size,
        Canvas::Longest { side, .. } => Size::new(side, side),
    };
    if size.width > 2048 || size.height > 2048 {
        let message = format!("an SSD does not take images this large: {}x{}", size.width, size.height);
        return Err(Error::new(ErrorKind::ModelInvalid, message));
    }
    let input = Input {
        canvas: Canvas::Fixed(size),
        fit: Fit::Stretch,
        channels_last,
        bgr: false,
        values: normalised(127.5, [1.0; 3], [1.0; 3]),
        border: 0,
        max_batch,
    };
    let labels = match given(session, options) {
        Some(classes) => labels(session, options, classes),
        None => with_gaps(COCO_CATEGORIES),
    };
    Ok(Box::new(Ssd { input, labels, anchors: anchors(size) }))
}

fn anchors(size: Size) -> Vec<Anchor> {
    let scale = |level: usize| match level {
        LEVELS => 1.0,
        _ => MIN_SCALE + (MAX_SCALE - MIN_SCALE) * level as f32 / (LEVELS - 1) as f32,
    };
    let mut grid = (size.width.div_ceil(LOWEST_STRIDE), size.height.div_ceil(LOWEST_STRIDE));
    let mut anchors = Vec::new();
    for level in 0..LEVELS {
        let mut shapes: Vec<(f32, f32)> = if level == 0 {
            vec![(LOWEST_SCALE, 1.0), (scale(0), 2.0), (scale(0), 0.5)]
        } else {
            RATIOS.iter().map(|&ratio| (scale(level), ratio)).collect()
        };
        if level > 0 {
            shapes.push(((scale(level) * scale(level + 1)).sqrt(), 1.0));
        }
        for (row, column) in (0..grid.1).flat_map(|row| (0..grid.0).map(move |column| (row, column))) {
            let (x, y) = ((column as f32 + 0.5) / grid.0 as f32, (row as f32 + 0.5) / grid.1 as f32);
            anchors.extend(shapes.iter().map(|&(scale, ratio)| {
                let root = ratio.sqrt();
                Anchor { x, y, width: scale * root, height: scale / root }
            }));
        }
        grid = (grid.0.div_ceil(2), grid.1.div_ceil(2));
    }
    anchors
}

impl Family for Ssd {
    fn input(&self) -> &Input {
        &self.input
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn nms_iou(&self) -> Option<f32> {
        Some(NMS_IOU)
    }

    fn decode(&self, outputs: &[Tensor], batch: &Batch<'_>, confidence: f32) -> Result<Vec<Vec<Candidate>>> {
        let (images, places, classes) = (batch.placements.len(), self.anchors.len(), self.labels.len());
        let find = |shapes: &[&[usize]]| {
            let found = outputs.iter().find(|t| shapes.contains(&t.shape()));
            found.ok_or_else(|| wrong_form(format!("there is no output of {:?}", shapes[0])))
        };
        let codes = find(&[&[images, places, 1, 4], &[images, places, 4]])?.as_f32()?;
        let logits = find(&[&[images, places, classes]])?;
        extents::<3>(logits)?;
        let logits = logits.as_f32()?;
        // The logistic function rises: logits are compared, and only what counts is mapped.
        let least = (confidence / (1.0 - confidence)).ln();
        let images = codes.chunks_exact(places * 4).zip(logits.chunks_exact(places * classes));
        let found = images.map(|(codes, logits)| {
            let rows = codes.as_chunks::<4>().0.iter().zip(logits.chunks_exact(classes)).zip(&self.anchors);
            rows.filter_map(|((code, logits), anchor)| {
                let (class, logit) = best(logits)?;
                (logit >= least).then(|| Candidate {
                    bbox: decode(*code, *anchor, batch.canvas),
                    score: 1.0 / (1.0 + (-logit).exp()),
                    class,
                })
            })
            .collect()
        });
        Ok(found.collect())
    }
}

/// The best class that is not the background.
fn best(logits: &[f32]) -> Option<(usize, f32)> {
    let objects = logits.iter().copied().enumerate().skip(1);
    objects.reduce(|a, b| if b.1 > a.1 { b } else { a })
}

fn decode([ty, tx, th, tw]: [f32; 4], anchor: Anchor, canvas: Size) -> BoxXyxy {
    let (x, y) = (anchor.x + tx / CENTER_SCALE * anchor.width, anchor.y + ty / CENTER_SCALE * anchor.height);
    let (w, h) = (anchor.width * (tw / EXTENT_SCALE).exp(), anchor.height * (th / EXTENT_SCALE).exp());
    let (cw, ch) = (canvas.width as f32, canvas.height as f32);
    BoxXyxy::new((x - w / 2.0) * cw, (y - h / 2.0) * ch, (x + w / 2.0) * cw, (y + h / 2.0) * ch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::testing::check,
        testing::{self, FakeSession},
    };

    #[test]
    fn the_anchors_of_300_pixels() {
        let anchors = anchors(Size::new(300, 300));
        assert_eq!(anchors.len(), 1917);
        let near = |i: usize, want: [f32; 4]| {
            let Anchor { x, y, width, height } = anchors[i];
            let off = [x, y, width, height].into_iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{i}: {:?}", anchors[i]);
        };
        near(0, [0.02632, 0.02632, 0.1, 0.1]);
        near(4, [0.07895, 0.02632, 0.28284, 0.14142]);
        near(1083, [0.05, 0.05, 0.35, 0.35]);
        near(1088, [0.05, 0.05, 0.41833, 0.41833]);
        near(1916, [0.5, 0.5, 0.97468, 0.97468]);
    }

    /// Against `scripts/golden/detect_heads.py`.
    #[test]
    fn boxes_equal_the_reference() {
        let golden = testing::golden("detect_heads.json");
        let codes = testing::noise(1, &[1, 1917, 1, 4], 6.0, -3.0);
        let logits = testing::noise(2, &[1, 1917, 91], 12.0, -10.4);
        let session = FakeSession::new(&[Some(1), Some(300), Some(300), Some(3)], vec![codes, logits]);
        check("ssd", session, &golden["ssd"]);
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let input = [Some(1), Some(300), Some(300), Some(3)];
        let frame = testing::frame(Size::new(8, 8), |_, _| [0; 3]);
        for shape in [&[1, 1917, 90][..], &[1, 1916, 4], &[3]] {
            let session = FakeSession::new(&input, vec![testing::noise(1, shape, 1.0, 0.0)]);
            let mut ssd = crate::detect::open("ssd", Box::new(session), &DetectorOptions::default()).expect("it opens");
            assert_eq!(ssd.detect(&[&frame]).expect_err("refused").kind(), ErrorKind::ModelInvalid);
        }
    }
}
