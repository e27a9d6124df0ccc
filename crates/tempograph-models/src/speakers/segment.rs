//! pyannote's speaker segmentation 3.0: who of at most three speaks in each frame of ten seconds.
//!
//! The network answers in the powerset encoding (Plaquet & Bredin 2023): one class for every set of at most two of the
//! three, in the order {}, {1}, {2}, {3}, {1,2}, {1,3}, {2,3}.

use tempograph_core::{Error, ErrorKind, Result, Session, Tensor};

/// Samples of a window at 16 kHz (10 s), the only length the network takes.
pub const SEGMENT_WINDOW: usize = 160_000;
/// Frames the network gives for a window.
pub const FRAMES: usize = 589;
/// Samples between frames (16.875 ms): the strides of the network's first layers.
pub const HOP: usize = 270;
/// The sample in the middle of what the first frame sees: the network's receptive field spans 991.
pub const FIRST_CENTRE: usize = 495;
/// Voices told apart within a window.
pub const LOCAL_SPEAKERS: usize = 3;

/// The sets of voices behind the classes.
const SETS: [[bool; LOCAL_SPEAKERS]; 7] = [
    [false, false, false],
    [true, false, false],
    [false, true, false],
    [false, false, true],
    [true, true, false],
    [true, false, true],
    [false, true, true],
];

/// The segmentation network.
pub struct Segmentation {
    session: Box<dyn Session>,
}

impl Segmentation {
    /// The network in `session`: `waveform` `[b, 1, 160000]` → log probabilities `[b, 589, 7]`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the network does not have one input.
    pub fn new(session: Box<dyn Session>) -> Result<Self> {
        if session.inputs().len() != 1 {
            return Err(Error::new(ErrorKind::ModelInvalid, "not a speaker segmentation network"));
        }
        Ok(Self { session })
    }

    /// The probability that each local voice speaks, for each of [`FRAMES`] frames; `samples` beyond
    /// [`SEGMENT_WINDOW`] are not heard, missing ones are silence.
    ///
    /// Frame `i` is centred on sample `i * HOP + FIRST_CENTRE`. Numbers of voices hold within the window only.
    ///
    /// # Errors
    /// Those of [`Session::run`], and [`ErrorKind::ModelInvalid`] when the network answers with other shapes.
    pub fn run(&mut self, samples: &[f32]) -> Result<Vec<[f32; LOCAL_SPEAKERS]>> {
        let mut input = samples[..samples.len().min(SEGMENT_WINDOW)].to_vec();
        input.resize(SEGMENT_WINDOW, 0.0);
        let mut outputs = self.session.run(&[&Tensor::new([1, 1, SEGMENT_WINDOW], input)?])?;
        let classes = outputs.pop().filter(|_| outputs.is_empty());
        let classes = classes.map(Tensor::into_f32).transpose()?.unwrap_or_default();
        if classes.len() != FRAMES * SETS.len() || classes.iter().any(|v| v.is_nan()) {
            let message = format!("the speaker segmentation gave {} odd values", classes.len());
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
        Ok(classes.chunks_exact(SETS.len()).map(voices).collect())
    }
}

/// Probability of each voice: the sum over the sets it is in.
fn voices(log_probabilities: &[f32]) -> [f32; LOCAL_SPEAKERS] {
    let mut voices = [0.0; LOCAL_SPEAKERS];
    for (set, log) in SETS.iter().zip(log_probabilities) {
        for (voice, inside) in voices.iter_mut().zip(set) {
            *voice += if *inside { log.exp() } else { 0.0 };
        }
    }
    voices.map(|v| v.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_in_every_set_that_names_it() {
        let p = [0.1f32, 0.2, 0.05, 0.05, 0.3, 0.2, 0.1];
        let got = voices(&p.map(f32::ln));
        for (a, b) in got.iter().zip([0.7, 0.45, 0.35]) {
            assert!((a - b).abs() < 1e-6, "{got:?}");
        }
    }
}
