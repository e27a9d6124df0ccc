//! The seam of speech recognition: chunks of speech in, words out.

use tempograph_core::{MediaTime, Observation, Result, Span};

/// A stretch of audio that voice activity let through, short enough to recognise at once.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechChunk {
    /// Presentation time of the first sample.
    pub start: MediaTime,
    /// 16 kHz mono.
    pub samples: Vec<f32>,
    /// Where somebody speaks, in presentation time, in order.
    pub speech: Vec<Span>,
}

/// Turns speech into words.
///
/// A chunk's result depends on nothing but the chunk, so that finished chunks can be kept and a
/// stopped run goes on at the next one.
pub trait Transcriber: Send {
    /// Recognises one chunk: [`Claim::Speech`](tempograph_core::Claim::Speech) claims in order.
    ///
    /// # Errors
    /// An error becomes an [`Issue`](tempograph_core::Issue) of the stage; the other stages go on.
    fn transcribe(&mut self, chunk: &SpeechChunk) -> Result<Vec<Observation>>;
}
