//! CAM++ (Wang et al. 2023): a vector for a voice.

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};

use super::fbank::{BANDS, Fbank};

/// Numbers in an embedding.
pub const EMBEDDING: usize = 192;
/// Frames of 10 ms the network needs at least: its statistics pool over segments of 100, and less than a fifth of one
/// says nothing of a voice.
const LEAST_FRAMES: usize = 20;

/// The embedding network with its features.
pub struct VoiceEmbedder {
    session: Box<dyn Session>,
    fbank: Fbank,
}

impl VoiceEmbedder {
    /// The network in `session`: `fbank` `[b, frames, 80]` → `[b, 192]`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the network does not have one input.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        if session.inputs().len() != 1 {
            return Err(Error::new(ErrorKind::ModelInvalid, "not a speaker embedding network"));
        }
        Ok(Self { session, fbank: Fbank::new() })
    }

    /// The embedding of 16 kHz `samples` with one voice, of length 1; `None` when they are too few or all alike.
    ///
    /// # Errors
    /// Those of [`Session::run`], and [`ErrorKind::ModelInvalid`] when the network answers with other shapes.
    pub fn embed(&mut self, samples: &[f32]) -> Result<Option<Vec<f32>>> {
        let mut features = self.fbank.compute(samples);
        let frames = features.len() / BANDS;
        if frames < LEAST_FRAMES {
            return Ok(None);
        }
        // Without its mean, the picture no longer tells of level and channel.
        let mut mean = [0f32; BANDS];
        for frame in features.chunks_exact(BANDS) {
            mean.iter_mut().zip(frame).for_each(|(m, v)| *m += v / frames as f32);
        }
        for frame in features.chunks_exact_mut(BANDS) {
            frame.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m);
        }
        let mut outputs = self.session.run(&[&Tensor::new([1, frames, BANDS], features)?])?;
        let output = outputs.pop().filter(|_| outputs.is_empty());
        let mut vector = output.map(Tensor::into_f32).transpose()?.unwrap_or_default();
        if vector.len() != EMBEDDING {
            let message = format!("the speaker embedding has {} values instead of {EMBEDDING}", vector.len());
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        if !norm.is_finite() || norm <= f32::EPSILON {
            return Ok(None);
        }
        vector.iter_mut().for_each(|v| *v /= norm);
        Ok(Some(vector))
    }
}
