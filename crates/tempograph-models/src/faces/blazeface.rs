//! One BlazeFace network: pictures in, boxes out.

use tempograph_core::{BoxXyxy, Error, ErrorKind, Result, Session, Tensor};

use super::{Face, anchors};

/// Columns of an answer: centre, size, and six key points, the eyes first.
const COLUMNS: usize = 16;
/// Logits beyond say nothing more (`score_clipping_thresh` of MediaPipe's graphs).
const LOGIT_LIMIT: f32 = 100.0;

/// A BlazeFace network: `image` `[n, 3, side, side]` (RGB, −1..1) → `boxes` `[n, anchors, 16]`, `scores`
/// `[n, anchors]`.
pub struct BlazeFace {
    session: Box<dyn Session>,
    side: usize,
    anchors: Vec<(f32, f32)>,
}

impl BlazeFace {
    /// The network in `session`, of 128 (short range), 256 (back camera) or 192 (full range) pixels.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it takes anything else.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        let side = match session.inputs() {
            [image] if image.shape.len() == 4 && image.shape[1] == Some(3) && image.shape[2] == image.shape[3] => {
                image.shape[3]
            }
            _ => None,
        };
        let anchors = match side {
            Some(128) => anchors::centres(128, &[8, 16, 16, 16], 2),
            Some(256) => anchors::centres(256, &[16, 32, 32, 32], 2),
            Some(192) => anchors::centres(192, &[4], 1),
            _ => {
                let message = format!("not a face detector of the BlazeFace family: {:?}", session.inputs());
                return Err(Error::new(ErrorKind::ModelInvalid, message));
            }
        };
        Ok(Self { session, side: side.unwrap_or_default(), anchors })
    }

    /// Width and height of its pictures.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The boxes of each picture that score `least` or more, in pixels of the picture, in any order. `pictures` are
    /// planar RGB in −1..1, one after another.
    ///
    /// # Errors
    /// Those of [`Session::run`], and [`ErrorKind::ModelInvalid`] when the network answers with other shapes.
    pub fn detect(&mut self, pictures: Vec<f32>, least: f32) -> Result<Vec<Vec<Face>>> {
        let n = pictures.len() / (3 * self.side * self.side);
        let image = Tensor::new([n, 3, self.side, self.side], pictures)?;
        let outputs = self.session.run(&[&image])?;
        let count = self.anchors.len();
        let (boxes, scores) = match outputs.as_slice() {
            [boxes, scores] if boxes.shape() == [n, count, COLUMNS] && scores.shape() == [n, count] => {
                (boxes.as_f32()?, scores.as_f32()?)
            }
            _ => return Err(Error::new(ErrorKind::ModelInvalid, "the face detector gave outputs of another shape")),
        };
        let pictures = boxes.chunks_exact(count * COLUMNS).zip(scores.chunks_exact(count));
        Ok(pictures.map(|(boxes, scores)| self.decode(boxes, scores, least)).collect())
    }

    fn decode(&self, boxes: &[f32], scores: &[f32], least: f32) -> Vec<Face> {
        let rows = boxes.chunks_exact(COLUMNS).zip(scores).zip(&self.anchors);
        rows.filter_map(|((row, &logit), &(ax, ay))| {
            let score = 1.0 / (1.0 + (-logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)).exp());
            let (x, y) = (row[0] + ax, row[1] + ay);
            let bbox = BoxXyxy::new(x - row[2] / 2.0, y - row[3] / 2.0, x + row[2] / 2.0, y + row[3] / 2.0);
            let eyes = [(row[4] + ax, row[5] + ay), (row[6] + ax, row[7] + ay)];
            // Written so that what is not a number does not pass.
            (score >= least && row[2] > 0.0 && row[3] > 0.0).then_some(Face { bbox, score, eyes })
        })
        .collect()
    }
}
