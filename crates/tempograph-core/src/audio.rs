//! Audio as the analyzers hear it.

use std::sync::Arc;

use crate::MediaTime;

/// Samples a second of everything an [`AudioBlock`] carries.
pub const SPEECH_SAMPLE_RATE: u32 = 16_000;

/// A run of 16 kHz mono samples, nominally in −1..1.
#[derive(Clone, Debug)]
pub struct AudioBlock {
    /// Presentation time of the first sample, on the same clock as the frames.
    pub start: MediaTime,
    /// The samples.
    pub samples: Arc<[f32]>,
}

impl AudioBlock {
    /// Presentation time just after the last sample.
    pub fn end(&self) -> MediaTime {
        self.start + MediaTime::from_ticks(self.samples.len() as i64, 1, SPEECH_SAMPLE_RATE as i32)
    }
}
