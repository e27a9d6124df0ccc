//! Perception: what each stage measures, and what is decided from it.

pub mod asr;
pub mod detect;
pub mod faces;
pub mod scenes;
pub mod sounds;
pub mod speech;
pub mod thumbnails;
pub mod track;
pub mod vad;
