//! YAMNet: 521 classes of AudioSet, a score each for every 0.96 s.

use std::sync::LazyLock;

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};

use super::{
    STEPS, Scale, Tagger, Windows,
    audioset::Class,
    kept,
    logmel::{BANDS, LogMel, STEP},
    wrong_form,
};

/// Frames of the picture one answer rests on.
const FRAMES: usize = 96;
/// Samples one answer rests on: 96 frames every 10 ms, and what the last of them reaches beyond.
const WINDOW: usize = 15_600;
/// Samples between two answers (0.48 s), as YAMNet's own `patch_hop_seconds`.
const HOP: usize = 7_680;
/// Windows a call takes at most, so memory stays constant.
const BATCH: usize = 16;
/// Its scores are near 0 or near 1 for most of what it knows: a half divides them.
pub(super) const SCALE: Scale = Scale { on: 0.5, off: 0.2, on_over_voice: 0.8 };
/// The classes of AudioSet that it does not tell; it has all others, in AudioSet's order (`yamnet_class_map.csv` of
/// TensorFlow's model garden).
const ABSENT: [&str; 6] = [
    "Male speech, man speaking",
    "Female speech, woman speaking",
    "Battle cry",
    "Male singing",
    "Female singing",
    "Funny music",
];

static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| Class::all().filter(|c| !ABSENT.contains(&c.name())).collect());

/// YAMNet in a session.
pub(super) struct Yamnet {
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
    pub(super) fn new(session: Box<dyn Session>) -> Result<Self> {
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

    fn call(&mut self, samples: &[f32], n: usize, least: f32, out: &mut Vec<Vec<(Class, f32)>>) -> Result<()> {
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
        let logits = match outputs.as_slice() {
            [logits] if logits.shape() == [n, CLASSES.len()] => logits.as_f32()?,
            _ => return Err(wrong_form("its outputs have another shape")),
        };
        out.extend(logits.chunks_exact(CLASSES.len()).map(|row| {
            let score = |&logit: &f32| STEPS / (1.0 + (-logit).exp());
            kept(CLASSES.iter().copied().zip(row.iter().map(score)), least)
        }));
        Ok(())
    }
}

impl Tagger for Yamnet {
    fn windows(&self) -> Windows {
        Windows { context: WINDOW, answer: WINDOW, hop: HOP }
    }

    fn score(&mut self, samples: &[f32], count: usize, least: f32) -> Result<Vec<Vec<(Class, f32)>>> {
        self.windows().check(samples, count)?;
        let mut scores = Vec::with_capacity(count);
        for first in (0..count).step_by(BATCH) {
            let n = BATCH.min(count - first);
            let from = first * HOP;
            self.call(&samples[from..from + (n - 1) * HOP + WINDOW], n, least, &mut scores)?;
        }
        Ok(scores)
    }
}
