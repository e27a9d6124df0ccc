//! What a face expresses: mini-Xception trained on FER2013.

use tempograph_core::{Error, ErrorKind, FACE_EMOTIONS, Result, Rgb, Session, Tensor};

use super::{
    Face,
    sample::{Square, square},
};

/// Width and height of the network's pictures.
const SIDE: usize = 64;
/// Sides of the cut-outs a face is judged by, in widths of its box. FER2013's faces are cut between these, and the
/// network wavers with the cut, so its answers are averaged.
const CUTS: [f32; 3] = [1.0, 1.2, 1.4];
/// Scores are kept to this part.
const STEPS: f32 = 1000.0;

/// An emotion network: `face` `[n, 1, 64, 64]` (grey, −1..1) → `scores` `[n, 7]`.
pub struct Emotions {
    session: Box<dyn Session>,
}

impl Emotions {
    /// The network in `session`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it takes anything else.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        match session.inputs() {
            [face] if face.shape.len() == 4 && face.shape[1..] == [Some(1), Some(SIDE), Some(SIDE)] => {
                Ok(Self { session })
            }
            other => Err(Error::new(ErrorKind::ModelInvalid, format!("not an emotion network: {other:?}"))),
        }
    }

    /// The scores of [`FACE_EMOTIONS`] for each of `faces` in `picture`, 1 in sum.
    ///
    /// # Errors
    /// Those of [`Session::run`], and [`ErrorKind::ModelInvalid`] when the network answers with other shapes or with
    /// what is not a number.
    pub fn judge(&mut self, picture: &Rgb, faces: &[Face]) -> Result<Vec<Vec<f32>>> {
        if faces.is_empty() {
            return Ok(Vec::new());
        }
        let n = faces.len() * CUTS.len();
        let mut input = vec![0f32; n * SIDE * SIDE];
        let cuts = faces.iter().flat_map(|face| CUTS.map(|cut| (face, cut)));
        for ((face, cut), image) in cuts.zip(input.chunks_exact_mut(SIDE * SIDE)) {
            let region = Square { centre: face.bbox.center(), side: face.bbox.width() * cut, roll: face.roll() };
            // BT.601 weights, as OpenCV and Pillow make grey.
            square(picture, region, SIDE, |i, [r, g, b]| image[i] = (0.299 * r + 0.587 * g + 0.114 * b) / 127.5 - 1.0);
        }
        let outputs = self.session.run(&[&Tensor::new([n, 1, SIDE, SIDE], input)?])?;
        let count = FACE_EMOTIONS.len();
        let scores = match outputs.as_slice() {
            [scores] if scores.shape() == [n, count] => scores.as_f32()?,
            _ => return Err(Error::new(ErrorKind::ModelInvalid, "the emotion network gave outputs of another shape")),
        };
        if scores.iter().any(|score| !score.is_finite()) {
            return Err(Error::new(ErrorKind::ModelInvalid, "the emotion network gave what is not a number"));
        }
        let mean = |face: &[f32]| {
            let of = |i: usize| face.iter().skip(i).step_by(count).sum::<f32>() / CUTS.len() as f32;
            (0..count).map(|i| (of(i) * STEPS).round() / STEPS).collect()
        };
        Ok(scores.chunks_exact(CUTS.len() * count).map(mean).collect())
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::{BoxXyxy, Size};

    use super::*;
    use crate::testing::FakeSession;

    /// What a network that always gives `scores` says of one face.
    fn judged(scores: [f32; 21]) -> Result<Vec<Vec<f32>>> {
        let scores = Tensor::new([3, FACE_EMOTIONS.len()], scores.to_vec())?;
        let session = FakeSession::new(&[None, Some(1), Some(SIDE), Some(SIDE)], vec![scores]);
        let picture = Rgb { size: Size::new(8, 8), data: vec![90; 192] };
        let bbox = BoxXyxy::new(1.0, 1.0, 6.0, 6.0);
        let face_in_it = Face { bbox, score: 0.9, eyes: [(2.0, 3.0), (5.0, 3.0)] };
        Emotions::new(Box::new(session))?.judge(&picture, &[face_in_it])
    }

    #[test]
    fn the_cuts_of_a_face_are_averaged() {
        let mut scores = [0.0; 21];
        (scores[0], scores[7], scores[15]) = (0.9, 0.6, 1.0);
        let found = judged(scores).expect("it judges");
        assert_eq!(found, [vec![0.5, 0.333, 0.0, 0.0, 0.0, 0.0, 0.0]]);
    }

    #[test]
    fn what_is_not_a_number_is_refused() {
        for wrong in [f32::NAN, f32::INFINITY] {
            let mut scores = [0.1; 21];
            scores[20] = wrong;
            assert_eq!(judged(scores).expect_err("no score").kind(), ErrorKind::ModelInvalid);
        }
    }
}
