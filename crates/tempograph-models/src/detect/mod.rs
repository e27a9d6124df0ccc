//! Object detectors: frames in, [`Detections`] out.
//!
//! A [`Detector`] is a session, an [`input::Input`] that says how pixels become its tensor, and a [`Family`] that
//! reads its outputs. To add a family, write one file with a `Family` and give it a row in [`FAMILIES`].

use tempograph_core::{BoxXyxy, Detections, Error, ErrorKind, Frame, Result, Session, Size, Tensor};

use input::{Input, Placement};

mod detr;
mod input;
mod labels;
mod nanodet;
mod nms;
mod runner;
mod ssd;
#[cfg(test)]
mod testing;
mod yolo;

pub use labels::COCO_80;

/// Constructors by family name, as in the manifest's `family`.
const FAMILIES: &[(&str, Open)] = &[
    // One row a family.
    ("nanodet", nanodet::open),
    ("yolo", yolo::open),
    ("ssd", ssd::open),
    ("detr", detr::open),
];

type Open = fn(&dyn Session, &DetectorOptions) -> Result<Box<dyn Family>>;

/// Finds objects in frames.
pub trait Detector: Send {
    /// Looks at frames; one result per frame, boxes in displayed pixels inside the frame, best first.
    ///
    /// # Errors
    /// When pixels cannot be converted, the model fails, or its outputs are not of the family's form.
    fn detect(&mut self, frames: &[&Frame]) -> Result<Vec<Detections>>;

    /// Every class it knows, in the model's order.
    fn labels(&self) -> &[String];
}

/// What a caller may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectorOptions {
    /// Boxes below are dropped, 0 to 1.
    pub confidence: f32,
    /// Of two boxes of one class that overlap by more than this IoU the weaker one is dropped; `None` takes the
    /// family's own value. Families without duplicates ignore it.
    pub nms_iou: Option<f32>,
    /// Longest side of the model's input in pixels, where the model allows a choice; `None` takes the model's own.
    pub image_size: Option<u32>,
    /// Class names in the model's order, where the model file does not hold them.
    pub labels: Option<Vec<String>>,
    /// Boxes a frame at most; the best ones stay.
    pub max_detections: usize,
}

impl Default for DetectorOptions {
    fn default() -> Self {
        Self { confidence: 0.25, nms_iou: None, image_size: None, labels: None, max_detections: 300 }
    }
}

/// A detector of `family` over a loaded model.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when there is no such family or the model is not of its form;
/// [`ErrorKind::Config`] when the model does not allow an option.
pub fn open(family: &str, session: Box<dyn Session>, options: &DetectorOptions) -> Result<Box<dyn Detector>> {
    let Some((_, open)) = FAMILIES.iter().find(|(name, _)| *name == family) else {
        let known = FAMILIES.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        return Err(Error::new(ErrorKind::ModelInvalid, format!("there is no detector family of this name: {family}"))
            .with_hint(format!("the families are {known}")));
    };
    if !(0.0..=1.0).contains(&options.confidence) {
        return Err(Error::new(ErrorKind::Config, format!("`confidence` is not in 0 to 1: {}", options.confidence)));
    }
    let family = open(session.as_ref(), options)?;
    Ok(Box::new(runner::Runner::new(session, family, options.clone())))
}

/// What one family means: how its input looks and how its outputs read.
trait Family: Send {
    /// How pixels become its input.
    fn input(&self) -> &Input;

    /// Every class, in the model's order.
    fn labels(&self) -> &[String];

    /// The IoU over which it gives one object twice; `None` when it never does.
    fn nms_iou(&self) -> Option<f32>;

    /// Inputs besides the image, in order.
    ///
    /// # Errors
    /// Never, unless a shape does not fit.
    fn further_inputs(&self, _placements: &[Placement]) -> Result<Vec<Tensor>> {
        Ok(Vec::new())
    }

    /// The boxes of each image of the batch with at least `confidence`, in any order.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the outputs are not of the family's form.
    fn decode(&self, outputs: &[Tensor], batch: &Batch<'_>, confidence: f32) -> Result<Vec<Vec<Candidate>>>;
}

/// What was given to the model.
struct Batch<'a> {
    /// Size of the input tensor's images.
    canvas: Size,
    /// Where each frame lies in its image.
    placements: &'a [Placement],
}

/// A box before duplicates are dropped, in pixels of the model's input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    bbox: BoxXyxy,
    score: f32,
    class: usize,
}

fn wrong_form(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the detector's outputs are not of its family's form: {what}"))
}

/// The extents of a tensor of rank `N`.
fn extents<const N: usize>(tensor: &Tensor) -> Result<[usize; N]> {
    tensor.shape().try_into().map_err(|_| wrong_form(format!("{:?} is not of rank {N}", tensor.shape())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeSession;

    #[test]
    fn an_unknown_family_is_refused_with_the_known_ones() {
        let session = FakeSession::new(&[], vec![]);
        let err = open("oracle", Box::new(session), &DetectorOptions::default()).err().expect("no such family");
        assert_eq!(err.kind(), ErrorKind::ModelInvalid);
        assert!(err.hint().is_some_and(|h| h.contains("`nanodet`")));
    }
}
