//! Speech recognition with Whisper (Radford et al. 2022, "Robust speech recognition via large-scale weak supervision").
//!
//! [`convert`] makes two ONNX graphs of published weights, once. [`Whisper`] runs them: [`mel`] turns samples into the
//! picture the encoder sees, [`decode`] searches for the most likely text under the rules of the time stamps, [`words`]
//! finds when each word is spoken from where the decoder looked.
//!
//! **Invariant:** [`Whisper::transcribe`] depends on nothing but its samples and options.

pub mod convert;
mod decode;
mod dtw;
#[cfg(test)]
mod golden;
mod graph;
mod mel;
mod model;
mod settings;
mod transcribe;
mod vocabulary;
mod words;

pub use mel::LogMel;
pub use model::{Files, Whisper};
pub use settings::WhisperSettings;
pub use transcribe::{AudioContext, Segment, TimedWord, TranscribeOptions};
pub use vocabulary::Vocabulary;
