//! Speech recognition: what is said, word by word.
//!
//! [`Chunker`] cuts the audio where voice activity allows it, as soon as it is known; [`Asr`] recognises one chunk at a
//! time and ties the words to where somebody really speaks.

mod chunk;
mod settle;

pub use chunk::Chunker;
use tempograph_core::{Observation, Result};
use tempograph_models::whisper::{TranscribeOptions, Whisper};

use super::{
    recording::samples,
    speech::{SpeechChunk, Transcriber},
};

/// Recognises speech with Whisper.
pub struct Asr {
    whisper: Whisper,
    options: TranscribeOptions,
}

impl Asr {
    /// Recognises with `whisper`.
    pub fn new(whisper: Whisper, options: TranscribeOptions) -> Self {
        Self { whisper, options }
    }
}

impl Transcriber for Asr {
    fn transcribe(&mut self, chunk: &SpeechChunk) -> Result<Vec<Observation>> {
        let position = |t| samples(t) as usize;
        let speech: Vec<_> =
            chunk.speech.iter().map(|s| position(s.start - chunk.start)..position(s.end - chunk.start)).collect();
        let segments = self.whisper.transcribe(&chunk.samples, &speech, &self.options)?;
        Ok(settle::settle(segments, chunk))
    }
}
