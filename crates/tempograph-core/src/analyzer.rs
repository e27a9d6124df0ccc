//! The seams perception plugs into.

use crate::{AudioBlock, Frame, Observation, Result};

/// Which frames an analyzer wants to see.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampling {
    /// Every decoded frame.
    Every,
    /// The first frame at or after each multiple of `1 / fps` seconds.
    Rate {
        /// Frames a second, above 0.
        fps: f64,
    },
    /// Key frames only.
    Key,
}

/// Looks at frames and claims things about them.
///
/// Synchronous by design: it is called from a thread of its own behind a bounded queue, so a slow
/// analyzer holds the decoder back instead of filling memory.
pub trait FrameAnalyzer: Send {
    /// The stage's name, as in `--only` and `run.stages`.
    fn name(&self) -> &'static str;

    /// Which frames it wants.
    fn needs(&self) -> Sampling;

    /// Looks at one frame, in presentation order.
    ///
    /// # Errors
    /// An error becomes an [`Issue`](crate::Issue) of the stage; the other stages go on.
    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()>;

    /// Says what is left to say after the last frame.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()>;
}

/// Listens to 16 kHz mono audio and claims things about it.
pub trait AudioAnalyzer: Send {
    /// The stage's name, as in `--only` and `run.stages`.
    fn name(&self) -> &'static str;

    /// Listens to one block. Blocks come in order; a gap between them is silence that was not sent.
    ///
    /// # Errors
    /// An error becomes an [`Issue`](crate::Issue) of the stage; the other stages go on.
    fn push(&mut self, block: &AudioBlock, out: &mut Vec<Observation>) -> Result<()>;

    /// Says what is left to say after the last block.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()>;
}
