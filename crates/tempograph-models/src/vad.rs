//! Voice activity: how likely each 32 ms of audio holds speech, and the stretches that do.
//!
//! [`Silero`] is the network (Silero VAD, 16 kHz); [`Segmenter`] turns its probabilities into stretches. The first is
//! dear and has a memory of its own, the second is a pure function that can run again at any time.

mod segment;
mod silero;

pub use segment::{SegmentOptions, Segmenter, Stretch, pad, stretches};
pub use silero::{Silero, WINDOW};
