//! YAMNet: 521 classes of AudioSet, a score each for every 0.96 s.

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};

use super::{
    audioset,
    logmel::{BANDS, LogMel, STEP},
};

/// Frames of the picture one answer rests on.
const FRAMES: usize = 96;
/// Samples one answer rests on: 96 frames every 10 ms, and what the last of them reaches beyond.
pub const WINDOW: usize = 15_600;
/// Samples between two answers (0.48 s), as YAMNet's own `patch_hop_seconds`.
pub const HOP: usize = 7_680;
/// Windows a call takes at most, so memory stays constant.
const BATCH: usize = 16;
/// Scores are kept to this part: enough to decide by, and short to store.
const STEPS: f32 = 1000.0;

/// YAMNet in a session.
pub struct Yamnet {
    session: Box<dyn Session>,
    logmel: LogMel,
    frames: Vec<f32>,
    input: Vec<f32>,
}

impl Yamnet {
    /// The network in `session`: `patches` `[n, 1, 96, 64]` → `logits` `[n, 521]`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it takes anything else.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        match session.inputs() {
            [input] if input.shape.len() == 4 && input.shape[1..] == [Some(1), Some(FRAMES), Some(BANDS)] => {
                Ok(Self { session, logmel: LogMel::new(), frames: Vec::new(), input: Vec::new() })
            }
            other => {
                let message = format!("not YAMNet, its inputs are: {other:?}");
                Err(Error::new(ErrorKind::ModelInvalid, message))
            }
        }
    }

    /// The scores of `count` windows of `samples` (16 kHz, −1..1), the first at the start and each [`HOP`] later: for
    /// each window the classes that reach `least`, by falling score.
    ///
    /// # Errors
    /// Those of [`Session::run`]; [`ErrorKind::Usage`] when there are not enough samples, [`ErrorKind::ModelInvalid`]
    /// when the network answers with other shapes.
    pub fn score(&mut self, samples: &[f32], count: usize, least: f32) -> Result<Vec<Vec<(usize, f32)>>> {
        if count > 0 && samples.len() < HOP * (count - 1) + WINDOW {
            return Err(Error::new(ErrorKind::Usage, format!("{} samples do not hold {count} windows", samples.len())));
        }
        let mut scores = Vec::with_capacity(count);
        for first in (0..count).step_by(BATCH) {
            let n = BATCH.min(count - first);
            let from = first * HOP;
            self.call(&samples[from..from + (n - 1) * HOP + WINDOW], n, least, &mut scores)?;
        }
        Ok(scores)
    }

    fn call(&mut self, samples: &[f32], n: usize, least: f32, out: &mut Vec<Vec<(usize, f32)>>) -> Result<()> {
        self.frames.clear();
        self.logmel.frames(samples, &mut self.frames);
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        for window in 0..n {
            let first = window * (HOP / STEP) * BANDS;
            input.extend_from_slice(&self.frames[first..first + FRAMES * BANDS]);
        }
        let input = Tensor::new([n, 1, FRAMES, BANDS], input)?;
        let outputs = self.session.run(&[&input])?;
        self.input = input.into_f32()?;
        let classes = audioset::count();
        let logits = match outputs.as_slice() {
            [logits] if logits.shape() == [n, classes] => logits.as_f32()?,
            _ => return Err(Error::new(ErrorKind::ModelInvalid, "the sound model gave outputs of another shape")),
        };
        out.extend(logits.chunks_exact(classes).map(|row| {
            let score = |&logit: &f32| (STEPS / (1.0 + (-logit).exp())).round() / STEPS;
            let mut kept: Vec<(usize, f32)> =
                row.iter().map(score).enumerate().filter(|&(_, score)| score >= least).collect();
            kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            kept
        }));
        Ok(())
    }
}
