//! Detection transformers: RT-DETR, D-FINE, DEIM and RF-DETR. A fixed set of queries, each an object or nothing.
//!
//! Two forms of output are read. With post-processing inside, as the authors of RT-DETR and D-FINE export: a second
//! input with the wanted size `[n, 2]` as width and height; outputs `labels` `[n, queries]`, `boxes`
//! `[n, queries, 4]` as corners in that size, `scores` `[n, queries]`. Without it, as Hugging Face and RF-DETR export:
//! class logits `[n, queries, classes]` and boxes `[n, queries, 4]` as centre and extent in shares of the input.

use tempograph_core::{BoxXyxy, Error, ErrorKind, Result, Session, Size, Tensor, TensorData};

use super::{
    Batch, COCO_80, Candidate, DetectorOptions, Family, extents,
    input::{Declared, Fit, Input, Placement, normalised},
    labels::{given, labels, with_gaps},
    wrong_form,
};

const DEFAULT_SIDE: u32 = 640;
const STRIDE: u32 = 32;
/// ImageNet's channel statistics, which RF-DETR's backbone wants; the others take plain shares of 255. It is known by
/// its output's name or its number of classes.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// RF-DETR counts its classes by COCO's category numbers, 1 to 90.
const COCO_CATEGORIES: usize = 91;

struct Detr {
    input: Input,
    labels: Vec<String>,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Places of labels, boxes and scores among the outputs.
    Chosen { labels: usize, boxes: usize, scores: usize },
    /// Places of logits and boxes among the outputs.
    Raw { logits: usize, boxes: usize },
}

pub(super) fn open(session: &dyn Session, options: &DetectorOptions) -> Result<Box<dyn Family>> {
    let Declared { canvas, channels_last, max_batch } = Declared::read(session, options, DEFAULT_SIDE, STRIDE)?;
    let at = |names: &[&str]| session.outputs().iter().position(|o| names.contains(&o.name.as_str()));
    let chosen = at(&["labels"]).zip(at(&["boxes"])).zip(at(&["scores"]));
    let form = match chosen {
        Some(((labels, boxes), scores)) => Form::Chosen { labels, boxes, scores },
        None => match at(&["logits", "labels"]).zip(at(&["pred_boxes", "dets"])) {
            Some((logits, boxes)) => Form::Raw { logits, boxes },
            None => {
                let names: Vec<_> = session.outputs().iter().map(|o| o.name.as_str()).collect();
                return Err(Error::new(
                    ErrorKind::ModelInvalid,
                    format!("outputs of no detection transformer: {names:?}"),
                ));
            }
        },
    };
    let declared = match form {
        Form::Raw { logits, .. } => session.outputs()[logits].shape.get(2).copied().flatten(),
        Form::Chosen { .. } => None,
    };
    let classes = given(session, options).or(declared).unwrap_or(COCO_80.len());
    let rf_detr = at(&["dets"]).is_some() || given(session, options).is_none() && classes == COCO_CATEGORIES;
    let (mean, std) = if rf_detr { IMAGENET } else { ([0.0; 3], [1.0; 3]) };
    let input = Input {
        canvas,
        // These models are trained on squares without regard to the aspect ratio.
        fit: Fit::Stretch,
        channels_last,
        bgr: false,
        values: normalised(255.0, mean, std),
        border: 0,
        max_batch,
    };
    let labels = match given(session, options) {
        None if classes == COCO_CATEGORIES => with_gaps(classes),
        _ => labels(session, options, classes),
    };
    Ok(Box::new(Detr { input, labels, form }))
}

impl Family for Detr {
    fn input(&self) -> &Input {
        &self.input
    }

    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn nms_iou(&self) -> Option<f32> {
        None
    }

    fn further_inputs(&self, placements: &[Placement]) -> Result<Vec<Tensor>> {
        let Form::Chosen { .. } = self.form else { return Ok(Vec::new()) };
        let sizes = placements.iter().flat_map(|p| [i64::from(p.canvas.width), i64::from(p.canvas.height)]);
        Ok(vec![Tensor::new([placements.len(), 2], sizes.collect::<Vec<_>>())?])
    }

    fn decode(&self, outputs: &[Tensor], batch: &Batch<'_>, confidence: f32) -> Result<Vec<Vec<Candidate>>> {
        let output = |i: usize| outputs.get(i).ok_or_else(|| wrong_form(format!("there are only {}", outputs.len())));
        let boxes = match self.form {
            Form::Chosen { boxes, .. } | Form::Raw { boxes, .. } => output(boxes)?,
        };
        let [images, queries, four] = extents(boxes)?;
        if images != batch.placements.len() || four != 4 {
            return Err(wrong_form(format!("{:?} are no boxes", boxes.shape())));
        }
        if queries == 0 {
            return Ok(vec![Vec::new(); images]);
        }
        let boxes = boxes.as_f32()?.as_chunks::<4>().0;
        match self.form {
            Form::Chosen { labels, scores, .. } => {
                let (labels, scores) = (output(labels)?, output(scores)?);
                if labels.shape() != [images, queries] || scores.shape() != [images, queries] {
                    return Err(wrong_form(format!("{:?} and {:?}", labels.shape(), scores.shape())));
                }
                let classes = classes(labels.data())?;
                let rows = boxes.iter().zip(scores.as_f32()?).zip(classes);
                let rows = rows
                    .map(|((&corners, &score), class)| Some(Candidate { bbox: corners.into(), score, class: class? }));
                Ok(split(rows, images, queries, confidence))
            }
            Form::Raw { logits, .. } => {
                let logits = output(logits)?;
                let [n, q, classes] = extents(logits)?;
                if (n, q, classes) != (images, queries, self.labels.len()) {
                    return Err(wrong_form(format!("{:?} are no logits", logits.shape())));
                }
                let rows = boxes.iter().zip(logits.as_f32()?.chunks_exact(classes)).map(|(&shares, logits)| {
                    let all = logits.iter().copied().enumerate();
                    let (class, logit) = all.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
                    Some(Candidate {
                        bbox: in_pixels(shares, batch.canvas),
                        score: 1.0 / (1.0 + (-logit).exp()),
                        class,
                    })
                });
                Ok(split(rows, images, queries, confidence))
            }
        }
    }
}

/// Class numbers, `None` for what is none.
fn classes(labels: &TensorData) -> Result<Vec<Option<usize>>> {
    match labels {
        TensorData::I64(v) => Ok(v.iter().map(|&c| usize::try_from(c).ok()).collect()),
        TensorData::I32(v) => Ok(v.iter().map(|&c| usize::try_from(c).ok()).collect()),
        _ => Err(wrong_form("labels are not integers")),
    }
}

fn in_pixels([x, y, w, h]: [f32; 4], canvas: Size) -> BoxXyxy {
    let (cw, ch) = (canvas.width as f32, canvas.height as f32);
    BoxXyxy::new((x - w / 2.0) * cw, (y - h / 2.0) * ch, (x + w / 2.0) * cw, (y + h / 2.0) * ch)
}

fn split(
    rows: impl Iterator<Item = Option<Candidate>>,
    images: usize,
    queries: usize,
    confidence: f32,
) -> Vec<Vec<Candidate>> {
    let mut found = vec![Vec::new(); images];
    for (i, row) in rows.enumerate() {
        found[i / queries].extend(row.filter(|c| c.score >= confidence));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        detect::{input::Canvas, testing::check},
        testing::{self, FakeSession},
    };

    const IMAGE: [Option<usize>; 4] = [None, Some(3), Some(64), Some(64)];

    /// Against `scripts/golden/detect_heads.py`.
    #[test]
    fn raw_outputs_equal_the_reference() {
        let golden = testing::golden("detect_heads.json");
        let cases = [(80, "detr", ["logits", "pred_boxes"]), (91, "detr_91", ["labels", "dets"])];
        for (classes, name, outputs) in cases {
            let logits = testing::noise(3, &[1, 300, classes], 8.0, -6.5);
            let boxes = testing::noise(4, &[1, 300, 4], 1.0, 0.0);
            let session = FakeSession::new(&IMAGE, vec![logits, boxes]).with_outputs(&outputs);
            check("detr", session, &golden[name]);
        }
    }

    fn chosen(labels: TensorData, scores: Vec<f32>) -> Result<tempograph_core::Detections> {
        let boxes = Tensor::new([1, 2, 4], vec![0.0f32, 16.0, 32.0, 48.0, 10.0, 10.0, 20.0, 20.0])?;
        let outputs = vec![Tensor::new([1, 2], labels)?, boxes, Tensor::new([1, scores.len()], scores)?];
        let session = FakeSession::new(&IMAGE, outputs).with_outputs(&["labels", "boxes", "scores"]);
        let frame = testing::frame(Size::new(128, 32), |_, _| [0; 3]);
        let mut detector = crate::detect::open("detr", Box::new(session), &DetectorOptions::default())?;
        Ok(detector.detect(&[&frame])?.remove(0))
    }

    #[test]
    fn chosen_boxes_are_scaled_from_the_size_that_was_asked_for() {
        for labels in [TensorData::from(vec![2i64, 0]), vec![2i32, 0].into()] {
            let found = chosen(labels, vec![0.9, 0.1]).expect("it runs");
            assert_eq!((found.labels(), found.scores()), (["car".to_owned()].as_slice(), [0.9].as_slice()));
            assert_eq!(found.boxes(), [BoxXyxy::new(0.0, 8.0, 64.0, 24.0)]);
        }
    }

    #[test]
    fn outputs_of_another_form_are_refused() {
        let out_of_range = chosen(vec![-1i64, 999].into(), vec![0.9, 0.9]).expect("unknown classes are left out");
        assert!(out_of_range.is_empty());
        for err in [chosen(vec![0f32, 0.0].into(), vec![0.9, 0.9]), chosen(vec![0i64, 0].into(), vec![0.9])] {
            assert_eq!(err.expect_err("it is refused").kind(), ErrorKind::ModelInvalid);
        }
        let nameless = FakeSession::new(&IMAGE, vec![]);
        assert!(crate::detect::open("detr", Box::new(nameless), &DetectorOptions::default()).is_err());
    }

    #[test]
    fn the_wanted_size_is_the_second_input() {
        let session = FakeSession::new(&IMAGE, vec![]).with_outputs(&["labels", "boxes", "scores"]);
        let family = open(&session, &DetectorOptions::default()).expect("it opens");
        let place = family.input().place(Size::new(128, 32)).expect("it has pixels");
        let further = family.further_inputs(&[place, place]).expect("they fit");
        assert_eq!(further, [Tensor::new([2, 2], vec![64i64; 4]).expect("four")]);
        assert!(matches!(family.input().canvas, Canvas::Fixed(_)));
    }
}
