//! NanoDet: per place a score per class and, per side of the box, a distribution over distances.
//!
//! Outputs per stride: scores `[n, places, classes]`, 0 to 1, and distances `[n, places, 4 * bins]` as logits. The
//! box's sides lie at the expected distance of their distribution, in strides, from the centre of the place
//! (Generalized Focal Loss, Li et al. 2020, section 3.3).

use tempograph_core::{BoxXyxy, Result, Session, Size, Tensor};

use super::{
    Batch, Candidate, DetectorOptions, Family, extents,
    input::{Declared, Fit, Input, normalised},
    labels::{given, labels},
    wrong_form,
};

/// Strides a level can have; its number of places says which.
const STRIDES: [u32; 4] = [8, 16, 32, 64];
/// ImageNet's channel statistics, blue first, as NanoDet's configurations use them.
const MEAN_BGR: [f32; 3] = [103.53, 116.28, 123.675];
const STD_BGR: [f32; 3] = [57.375, 57.12, 58.395];
/// NanoDet's own setting of its non-maximum suppression.
const NMS_IOU: f32 = 0.6;
const DEFAULT_SIDE: u32 = 416;

struct NanoDet {
    input: Input,
    labels: Vec<String>,
}

pub(super) fn open(session: &dyn Session, options: &DetectorOptions) -> Result<Box<dyn Family>> {
    let Declared { canvas, channels_last, max_batch } = Declared::read(session, options, DEFAULT_SIDE, 32)?;
    let input = Input {
        canvas,
        fit: Fit::Letterbox,
        channels_last,
        bgr: true,
        values: normalised(1.0, MEAN_BGR, STD_BGR),
        border: 0,
        max_batch,
    };
    let classes = given(session, options).unwrap_or(super::COCO_80.len());
    Ok(Box::new(NanoDet { input, labels: labels(session, options, classes) }))
}

/// One level of the pyramid, found among the outputs.
struct Level<'a> {
    stride: u32,
    places: usize,
    scores: &'a [f32],
    distances: &'a [f32],
    bins: usize,
}

impl NanoDet {
    fn levels<'a>(&self, outputs: &'a [Tensor], images: usize, canvas: Size) -> Result<Vec<Level<'a>>> {
        let classes = self.labels.len();
        let shaped = outputs.iter().map(|t| Ok((extents::<3>(t)?, t))).collect::<Result<Vec<_>>>()?;
        let mut levels = Vec::new();
        for &([n, places, width], scores) in shaped.iter().filter(|([_, _, width], _)| *width == classes) {
            let stride = STRIDES.into_iter().find(|s| places_at(canvas, *s) == places);
            let distances = shaped.iter().find(|([_, p, w], _)| *p == places && *w != width);
            let (Some(stride), Some(&([m, _, sides], distances))) = (stride, distances) else {
                return Err(wrong_form(format!("{places} places fit no level of {}x{}", canvas.width, canvas.height)));
            };
            if n != images || m != images || sides % 4 != 0 || sides == 0 {
                return Err(wrong_form(format!("[{m}, {places}, {sides}] are no distances")));
            }
            let (scores, distances) = (scores.as_f32()?, distances.as_f32()?);
            levels.push(Level { stride, places, scores, distances, bins: sides / 4 });
        }
        if levels.is_empty() {
            return Err(wrong_form(format!("no output has {classes} classes")));
        }
        levels.sort_by_key(|l| l.stride);
        Ok(levels)
    }
}

fn places_at(canvas: Size, stride: u32) -> usize {
    canvas.width.div_ceil(stride) as usize * canvas.height.div_ceil(stride) as usize
}

impl Family for NanoDet {
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
        let levels = self.levels(outputs, batch.placements.len(), batch.canvas)?;
        let mut found = vec![Vec::new(); batch.placements.len()];
        for level in &levels {
            let columns = batch.canvas.width.div_ceil(level.stride) as usize;
            let scores = level.scores.chunks_exact(level.places * self.labels.len());
            let distances = level.distances.chunks_exact(level.places * 4 * level.bins);
            for ((scores, distances), found) in scores.zip(distances).zip(&mut found) {
                let places = scores.chunks_exact(self.labels.len()).zip(distances.chunks_exact(4 * level.bins));
                for (place, (scores, distances)) in places.enumerate() {
                    let (class, score) = best(scores);
                    if score >= confidence {
                        let center = ((place % columns) as f32 + 0.5, (place / columns) as f32 + 0.5);
                        let bbox = bbox(center, level.stride as f32, distances);
                        found.push(Candidate { bbox, score, class });
                    }
                }
            }
        }
        Ok(found)
    }
}

/// The best class of a place: an object counts once, whatever it may also look like.
fn best(scores: &[f32]) -> (usize, f32) {
    // The maximum alone is found fast; where it stands is asked only of the few places that matter.
    let score = scores.iter().fold(f32::MIN, |a, &b| a.max(b));
    (scores.iter().position(|&s| s == score).unwrap_or(0), score)
}

fn bbox((x, y): (f32, f32), stride: f32, distances: &[f32]) -> BoxXyxy {
    let mut sides = distances.chunks_exact(distances.len() / 4).map(expectation);
    let [left, top, right, bottom] = std::array::from_fn(|_| sides.next().unwrap_or(0.0));
    BoxXyxy::new((x - left) * stride, (y - top) * stride, (x + right) * stride, (y + bottom) * stride)
}

/// The mean bin number under the softmax of `logits`.
fn expectation(logits: &[f32]) -> f32 {
    let max = logits.iter().fold(f32::MIN, |a, &b| a.max(b));
    let (mut sum, mut weighted) = (0.0, 0.0);
    for (bin, logit) in logits.iter().enumerate() {
        let e = (logit - max).exp();
        sum += e;
        weighted += e * bin as f32;
    }
    weighted / sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::Detector,
        testing::{self, FakeSession, PICTURES},
    };

    #[test]
    fn a_certain_distribution_is_its_bin() {
        let mut logits = [0.0; 11];
        assert!((expectation(&logits) - 5.0).abs() < 1e-6);
        logits[3] = 50.0;
        assert!((expectation(&logits) - 3.0).abs() < 1e-6);
    }

    /// One object at the place (1, 0) of stride 32, sides at one, none, two and one strides.
    fn outputs(images: usize) -> Vec<Tensor> {
        let mut all = Vec::new();
        for (places, object) in [(64, false), (16, false), (4, true)] {
            let (mut scores, mut sides) = (vec![0.0f32; images * places * 2], vec![0.0f32; images * places * 12]);
            if object {
                for image in 0..images {
                    scores[(image * places + 1) * 2 + 1] = 0.75;
                    for (side, bin) in [1, 0, 2, 1].into_iter().enumerate() {
                        sides[(image * places + 1) * 12 + side * 3 + bin] = 80.0;
                    }
                }
            }
            all.push(Tensor::new([images, places, 12], sides).expect("it fits"));
            all.insert(0, Tensor::new([images, places, 2], scores).expect("it fits"));
        }
        all
    }

    fn detector(outputs: Vec<Tensor>) -> Result<Box<dyn Detector>> {
        let session = FakeSession::new(&PICTURES, outputs).with_metadata("names", "['a', 'b']");
        let options = DetectorOptions { image_size: Some(64), ..DetectorOptions::default() };
        crate::detect::open("nanodet", Box::new(session), &options)
    }

    #[test]
    fn boxes_lie_around_the_centres_of_their_places() {
        let frame = testing::frame(Size::new(128, 128), |_, _| [0; 3]);
        let mut detector = detector(outputs(2)).expect("it opens");
        let found = detector.detect(&[&frame, &frame]).expect("it runs");
        assert_eq!(found.len(), 2);
        for found in found {
            assert_eq!((found.labels(), found.scores()), (["b".to_owned()].as_slice(), [0.75].as_slice()));
            // (1.5 - 1) * 32 = 16 and so on, then twice that in the frame; the right side is cut off by its edge.
            let b = found.boxes()[0];
            for (got, want) in <[f32; 4]>::from(b).into_iter().zip([32.0, 32.0, 128.0, 96.0]) {
                assert!((got - want).abs() < 1e-3, "{b:?}");
            }
        }
    }

    #[test]
    fn the_bundled_model_sees_a_cat_and_a_footballer() {
        let model = testing::asset("assets/models/nanodet-g-416.onnx");
        let Some(session) = testing::onnx(&model, 1) else { return };
        let mut detector = crate::detect::open("nanodet", session, &DetectorOptions::default()).expect("it opens");
        let cases =
            [("chelsea.png", "cat", [20.0, 0.0, 440.0, 300.0]), ("messi5.jpg", "person", [80.0, 40.0, 420.0, 330.0])];
        for (name, label, place) in cases {
            let Some(frame) = testing::shared_image(name) else { return };
            let found = detector.detect(&[&frame]).expect("it runs").remove(0);
            println!("{name}: {found:?}");
            let best = found.get(0);
            assert_eq!(best.label, label, "{name}");
            assert!(best.score > 0.4 && best.bbox.iou(place.into()) > 0.6, "{name}: {best:?}");
        }
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let frame = testing::frame(Size::new(64, 64), |_, _| [0; 3]);
        let tensor = |shape: &[usize]| Tensor::new(shape, vec![0.9f32; shape.iter().product()]).expect("it fits");
        for wrong in [
            vec![],
            vec![tensor(&[1, 4, 2])],
            vec![tensor(&[1, 4, 2]), tensor(&[1, 4, 7])],
            vec![tensor(&[1, 5, 2]), tensor(&[1, 5, 12])],
            vec![tensor(&[4, 2])],
            vec![tensor(&[3, 4, 2]), tensor(&[3, 4, 12])],
            vec![tensor(&[1, 4, 0])],
        ] {
            let err = detector(wrong).expect("it opens").detect(&[&frame]).expect_err("it is refused");
            assert_eq!(err.kind(), tempograph_core::ErrorKind::ModelInvalid);
        }
    }
}
