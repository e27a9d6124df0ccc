//! YOLO as Ultralytics exports it: v8, v5u and 11 (`[n, 4 + classes, places]`, boxes as centre and extent), and the
//! end-to-end heads of v10 and 26 (`[n, rows, 6]`: corners, score, class).
//!
//! Boxes are in pixels of the input, scores 0 to 1. The file's metadata names the classes (`names`) and its size
//! (`imgsz`).

use tempograph_core::{BoxXyxy, Result, Session, Tensor};

use super::{
    Batch, COCO_80, Candidate, DetectorOptions, Family, extents,
    input::{Declared, Fit, Input, normalised},
    labels::{given, labels},
    wrong_form,
};

/// Grey that Ultralytics puts around a letterboxed image.
const BORDER: u8 = 114;
/// Ultralytics' setting of non-maximum suppression when predicting.
const NMS_IOU: f32 = 0.7;
const DEFAULT_SIDE: u32 = 640;
const DEFAULT_STRIDE: u32 = 32;
const MAX_STRIDE: u32 = 256;

struct Yolo {
    input: Input,
    labels: Vec<String>,
    end_to_end: bool,
}

pub(super) fn open(session: &dyn Session, options: &DetectorOptions) -> Result<Box<dyn Family>> {
    let stride = session.metadata("stride").and_then(|s| s.trim().parse().ok()).unwrap_or(DEFAULT_STRIDE);
    let stride = stride.clamp(1, MAX_STRIDE);
    let Declared { canvas, channels_last, max_batch } = Declared::read(session, options, DEFAULT_SIDE, stride)?;
    let input = Input {
        canvas,
        fit: Fit::Letterbox,
        channels_last,
        bgr: false,
        values: normalised(255.0, [0.0; 3], [1.0; 3]),
        border: BORDER,
        max_batch,
    };
    let declared = session.outputs().first().map(|o| o.shape.as_slice()).unwrap_or_default();
    let named = given(session, options);
    let (classes, end_to_end) = match *declared {
        // A head of two classes has six rows of places, an end-to-end head six columns of rows.
        [_, rows, Some(6)] if rows != named.map(|n| n + 4) => (named.unwrap_or(COCO_80.len()), true),
        [_, Some(rows), _] => (named.unwrap_or(rows.saturating_sub(4)), false),
        _ => (named.unwrap_or(COCO_80.len()), false),
    };
    Ok(Box::new(Yolo { input, labels: labels(session, options, classes), end_to_end }))
}

impl Family for Yolo {
    fn input(&self) -> &Input {
        &self.input
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn nms_iou(&self) -> Option<f32> {
        (!self.end_to_end).then_some(NMS_IOU)
    }

    fn decode(&self, outputs: &[Tensor], batch: &Batch<'_>, confidence: f32) -> Result<Vec<Vec<Candidate>>> {
        let output = outputs.first().ok_or_else(|| wrong_form("there is none"))?;
        let [images, rows, columns] = extents(output)?;
        if images != batch.placements.len() {
            return Err(wrong_form(format!("{images} images for {}", batch.placements.len())));
        }
        let data = output.as_f32()?;
        if rows == 0 || columns == 0 {
            return Ok(vec![Vec::new(); images]);
        }
        let each = data.chunks_exact(rows * columns);
        // A file that declares no extents shows its form only here.
        if self.end_to_end || columns == 6 && rows != 4 + self.labels.len() {
            return if columns == 6 {
                Ok(each.map(|image| listed(image, confidence)).collect())
            } else {
                Err(wrong_form(format!("{:?} is no list of boxes", output.shape())))
            };
        }
        if rows != 4 + self.labels.len() {
            let message = format!("{:?} does not hold 4 + {} rows", output.shape(), self.labels.len());
            return Err(wrong_form(message));
        }
        Ok(each.map(|image| dense(image, columns, confidence)).collect())
    }
}

/// Rows of corners, score and class, which the model has chosen itself.
fn listed(rows: &[f32], confidence: f32) -> Vec<Candidate> {
    let rows = rows.as_chunks::<6>().0.iter().filter(|row| row[4] >= confidence && row[5] >= 0.0);
    rows.map(|&[x1, y1, x2, y2, score, class]| Candidate {
        bbox: BoxXyxy::new(x1, y1, x2, y2),
        score,
        class: class as usize,
    })
    .collect()
}

/// A column per place: centre, extent, then a score per class, of which the best counts.
fn dense(image: &[f32], places: usize, confidence: f32) -> Vec<Candidate> {
    let (boxes, scores) = image.split_at(4 * places);
    // Class by class over all places reads memory in order.
    let mut best = vec![(f32::MIN, 0); places];
    for (class, scores) in scores.chunks_exact(places).enumerate() {
        for (best, &score) in best.iter_mut().zip(scores) {
            if score > best.0 {
                *best = (score, class);
            }
        }
    }
    let found = best.into_iter().enumerate().filter(|(_, (score, _))| *score >= confidence);
    found
        .map(|(place, (score, class))| {
            let [x, y, w, h] = [0, 1, 2, 3].map(|row| boxes[row * places + place]);
            Candidate { bbox: BoxXyxy::from_xywh(x - w / 2.0, y - h / 2.0, w, h), score, class }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tempograph_core::{ErrorKind, Size};

    use super::*;
    use crate::testing::{self, FakeSession};

    const IMAGE: [Option<usize>; 4] = [Some(1), Some(3), Some(64), Some(64)];

    fn detect(session: FakeSession) -> Result<tempograph_core::Detections> {
        let frame = testing::frame(Size::new(64, 64), |_, _| [0; 3]);
        let options = DetectorOptions::default();
        Ok(crate::detect::open("yolo", Box::new(session), &options)?.detect(&[&frame])?.remove(0))
    }

    #[test]
    fn a_dense_head_is_read_by_columns() {
        #[rustfmt::skip]
        let data = vec![
            10.0, 11.0, 40.0f32,
            10.0, 10.0, 40.0,
            8.0, 8.0, 16.0,
            6.0, 6.0, 8.0,
            0.9, 0.8, 0.1,
            0.2, 0.1, 0.5,
        ];
        let output = Tensor::new([1, 6, 3], data).expect("it fits");
        let found =
            detect(FakeSession::new(&IMAGE, vec![output]).with_metadata("names", "['a', 'b']")).expect("it runs");
        assert_eq!(found.labels(), ["a", "b"], "the weaker of two equal boxes is gone");
        assert_eq!(found.boxes(), [BoxXyxy::new(6.0, 7.0, 14.0, 13.0), BoxXyxy::new(32.0, 36.0, 48.0, 44.0)]);
    }

    #[test]
    fn an_end_to_end_head_is_read_by_rows() {
        let data = vec![1.0, 2.0, 9.0, 8.0, 0.9, 1.0f32, 1.0, 2.0, 9.0, 8.0, 0.8, 1.0, 0.0, 0.0, 5.0, 5.0, 0.1, 0.0];
        let output = Tensor::new([1, 3, 6], data).expect("it fits");
        let session = FakeSession::new(&IMAGE, vec![output]).with_metadata("names", "['a', 'b', 'c']");
        let found = detect(session).expect("it runs");
        assert_eq!(found.labels(), ["b", "b"], "nothing is suppressed after the model");
        assert_eq!(found.boxes()[0], BoxXyxy::new(1.0, 2.0, 9.0, 8.0));
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        for shape in [&[1, 7, 3][..], &[2, 6, 3], &[6, 3]] {
            let output = Tensor::new(shape, vec![0.0f32; shape.iter().product()]).expect("it fits");
            let session = FakeSession::new(&IMAGE, vec![output]).with_metadata("names", "['a', 'b']");
            assert_eq!(detect(session).expect_err("it is refused").kind(), ErrorKind::ModelInvalid);
        }
        assert!(detect(FakeSession::new(&IMAGE, vec![])).is_err());
        assert!(detect(FakeSession::new(&[Some(1), Some(1), Some(8), Some(8)], vec![])).is_err(), "a grey image");
    }

    #[test]
    fn an_end_to_end_head_that_declares_no_extents_is_known_by_its_rows() {
        let output = Tensor::new([1, 1, 6], vec![1.0f32, 2.0, 9.0, 8.0, 0.9, 2.0]).expect("it fits");
        let session = FakeSession::new(&IMAGE, vec![output]).with_outputs(&[]);
        assert_eq!(detect(session).expect("it runs").labels(), ["car"]);
    }

    /// Boxes and scores of a real YOLOv8n equal those of the reference in `scripts/golden/detect_yolo.py`.
    #[test]
    fn a_real_model_gives_what_the_reference_gives() {
        let model = testing::asset("target/test-models/320n.onnx");
        if !model.exists() {
            println!("skipped: `target/test-models/320n.onnx` (PyPI nudenet 3.4.2) is not present");
            return;
        }
        let golden = include_str!("../../tests/data/yolo_320n.json");
        let golden: Value = serde_json::from_str(golden).expect("the reference is JSON");
        for case in golden["cases"].as_array().expect("a list") {
            let number = |v: &Value| v.as_f64().expect("a number") as f32;
            let options = DetectorOptions {
                confidence: number(&case["confidence"]),
                image_size: Some(number(&case["image_size"]) as u32),
                ..DetectorOptions::default()
            };
            let exact = case["image"].is_null();
            let frame = if let Some(name) = case["image"].as_str() {
                let Some(frame) = testing::shared_image(name) else { continue };
                frame
            } else {
                let side = |i: usize| number(&case["synthetic"][i]) as u32;
                let bytes = |x: u32, y: u32| [x * 7 + y * 3, x * x / 16 + y * 5, x * y / 32].map(|v| (v % 256) as u8);
                testing::frame(Size::new(side(0), side(1)), bytes)
            };
            let Some(session) = testing::onnx(&model, 1) else { return };
            let mut detector = crate::detect::open("yolo", session, &options).expect("it opens");
            let found = detector.detect(&[&frame]).expect("it runs").remove(0);
            let (boxes, scores) =
                (case["boxes"].as_array().expect("a list"), case["scores"].as_array().expect("a list"));
            assert_eq!(found.len(), boxes.len(), "{case}");
            // OpenCV resizes in fixed point: one grey level, which moves scores and boxes a little.
            let (score_off, box_off) = if exact { (1e-4, 0.05) } else { (0.01, 1.5) };
            for (i, row) in found.iter().enumerate() {
                assert!((row.score - number(&scores[i])).abs() < score_off, "{row:?} {}", scores[i]);
                assert_eq!(row.label, detector.labels()[number(&case["classes"][i]) as usize]);
                for (got, want) in <[f32; 4]>::from(row.bbox).into_iter().zip(boxes[i].as_array().expect("a box")) {
                    assert!((got - number(want)).abs() < box_off, "{row:?} {}", boxes[i]);
                }
            }
        }
    }
}
