//! What a line says: strips of one height through a network that gives a character a step (CTC).

use tempograph_core::{Result, Rgb, Session, Tensor};

use super::{crop, quad::Quad, wrong_form};

/// Height of a strip in pixels.
const HEIGHT: usize = 48;
/// Shortest strip, in pixels: shorter ones are filled up, as in training.
const MIN_WIDTH: usize = 320;
/// Longest strip: 50 times its height, more than a line across a wide screen. Longer ones are squeezed.
const MAX_WIDTH: usize = 2400;
/// Strips a call: beyond this the longest makes the others wait for its padding.
const BATCH: usize = 6;
/// Metadata entry of the model with a character a line.
const CHARACTERS: &str = "character";

pub(super) struct Recognizer {
    session: Box<dyn Session>,
    /// By class; the first is the blank.
    characters: Vec<String>,
}

impl Recognizer {
    pub(super) fn new(session: Box<dyn Session>) -> Result<Self> {
        let Some(listed) = session.metadata(CHARACTERS) else {
            return Err(wrong_form(format!("it has no metadata `{CHARACTERS}`")));
        };
        let mut characters = vec![String::new()];
        characters.extend(listed.trim_end_matches('\n').split('\n').map(|c| c.trim_end_matches('\r').to_owned()));
        characters.push(" ".to_owned());
        Ok(Self { session, characters })
    }

    /// Text and confidence (mean probability of its characters) of each rectangle of `pixels`, in order.
    pub(super) fn read(&mut self, pixels: &Rgb, quads: &[Quad]) -> Result<Vec<(String, f32)>> {
        let quads: Vec<Quad> = quads.iter().map(crop::turned).collect();
        let width = |q: &Quad| ((HEIGHT as f64 * q.width() / q.height().max(1.0)).ceil() as usize).clamp(1, MAX_WIDTH);
        let widths: Vec<usize> = quads.iter().map(width).collect();
        let mut order: Vec<usize> = (0..quads.len()).collect();
        order.sort_by_key(|&i| (widths[i], i));
        let mut read = vec![(String::new(), 0.0); quads.len()];
        for batch in order.chunks(BATCH) {
            let longest = batch.iter().map(|&i| widths[i]).max().unwrap_or(0).max(MIN_WIDTH);
            let strip = 3 * HEIGHT * longest;
            // Padding is 0, the value of middle grey.
            let mut data = vec![0.0f32; batch.len() * strip];
            for (planes, &i) in data.chunks_exact_mut(strip).zip(batch) {
                crop::cut(pixels, &quads[i], (widths[i], HEIGHT), longest, planes, |v| v / 127.5 - 1.0);
            }
            let outputs = self.session.run(&[&Tensor::new([batch.len(), 3, HEIGHT, longest], data)?])?;
            let scores = outputs.first().ok_or_else(|| wrong_form("it gives nothing"))?;
            let &[n, steps, classes] = scores.shape() else {
                return Err(wrong_form(format!("{:?} are no characters", scores.shape())));
            };
            if n != batch.len() || classes != self.characters.len() || steps == 0 {
                let known = self.characters.len();
                return Err(wrong_form(format!("{:?} are not {n} lines of {known} characters", scores.shape())));
            }
            for (line, &i) in scores.as_f32()?.chunks_exact(steps * classes).zip(batch) {
                read[i] = self.decode(line, classes);
            }
        }
        Ok(read)
    }

    /// The best class of each step; equal neighbours are one character and the blank is none.
    fn decode(&self, line: &[f32], classes: usize) -> (String, f32) {
        let (mut text, mut sum, mut count, mut last) = (String::new(), 0.0f32, 0u32, 0);
        for step in line.chunks_exact(classes) {
            // The maximum alone is found fast; where it stands is asked once.
            let best = step.iter().fold(f32::MIN, |a, &b| a.max(b));
            let class = step.iter().position(|&p| p == best).unwrap_or(0);
            if class != 0 && class != last {
                text.push_str(&self.characters[class]);
                sum += best;
                count += 1;
            }
            last = class;
        }
        (text, if count == 0 { 0.0 } else { (sum / count as f32).clamp(0.0, 1.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeSession, PICTURES};

    fn recognizer(characters: &str) -> Recognizer {
        Recognizer::new(Box::new(FakeSession::new(&PICTURES, Vec::new()).with_metadata(CHARACTERS, characters)))
            .expect("it opens")
    }

    #[test]
    fn repeats_join_unless_a_blank_is_between() {
        let reader = recognizer("a\nb\n");
        let step = |class: usize| (0..4).map(move |c| if c == class { 0.8 } else { 0.0 });
        let line: Vec<f32> = [1, 1, 0, 1, 2, 2, 3, 1].into_iter().flat_map(step).collect();
        let (text, confidence) = reader.decode(&line, 4);
        assert_eq!(text, "aab a");
        assert!((confidence - 0.8).abs() < 1e-6);
        assert_eq!(reader.decode(&[1.0, 0.0, 0.0, 0.0], 4), (String::new(), 0.0));
    }

    #[test]
    fn another_number_of_classes_is_refused() {
        let output = Tensor::new([1, 2, 9], vec![0.0f32; 18]).expect("it fits");
        let session = FakeSession::new(&PICTURES, vec![output]).with_metadata(CHARACTERS, "a\nb");
        let mut reader = Recognizer::new(Box::new(session)).expect("it opens");
        let pixels = Rgb { size: tempograph_core::Size::new(4, 4), data: vec![0; 48] };
        let quad = Quad { corners: [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]] };
        let err = reader.read(&pixels, &[quad]).expect_err("nine is not four");
        assert_eq!(err.kind(), tempograph_core::ErrorKind::ModelInvalid);
        assert!(Recognizer::new(Box::new(FakeSession::new(&PICTURES, Vec::new()))).is_err(), "no dictionary");
    }
}
