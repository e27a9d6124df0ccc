//! Perception: what each stage measures, and what is decided from it.

pub mod asr;
pub mod detect;
pub mod prosody;
mod recording;
pub mod scenes;
pub mod speakers;
pub mod speech;
pub mod thumbnails;
pub mod track;
pub mod vad;
