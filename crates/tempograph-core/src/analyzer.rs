//! The seams perception plugs into.

use std::time::Duration;

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
    /// As [`Sampling::Rate`], and the last frame of each shot where half of `1 / fps` seconds lie between it and the
    /// frame picked before: what comes into view at its end is seen.
    Shots {
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
    /// After a resume the last frame of the previous unit comes first and its claims are thrown
    /// away, so an analyzer may compare with the previous frame but keep nothing older.
    ///
    /// # Errors
    /// An error becomes an [`Issue`](crate::Issue) of the stage; the other stages go on.
    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()>;

    /// Ends a unit of work: called at each unit boundary, before the next frame.
    ///
    /// What was claimed so far is then kept for good, so a run that is killed later starts again
    /// here. An analyzer that gathers claims, or reuses earlier results, settles and forgets them
    /// now: its answers must not depend on where a run was resumed.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }

    /// Says what is left to say after the last frame.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()>;

    /// Processor time so far of threads of its own, which whoever calls it cannot see.
    fn helpers_cpu(&self) -> Duration {
        Duration::ZERO
    }
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

    /// Ends a unit of work: called at each unit boundary, before the next block.
    ///
    /// What was claimed so far is then kept for good, so a run that is killed later starts again
    /// here. An analyzer that gathers claims, or reuses earlier results, settles and forgets them
    /// now: its answers must not depend on where a run was resumed.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }

    /// The state a resumed run needs to go on from the last checkpoint; empty when there is none.
    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Takes up a state that [`Self::snapshot`] gave.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`](crate::ErrorKind::InvalidData) when it is not of this version.
    fn restore(&mut self, _snapshot: &[u8]) -> Result<()> {
        Ok(())
    }

    /// Says what is left to say after the last block.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()>;
}
