//! Perception: what each stage measures, and what is decided from it.

pub mod asr;
pub mod depth;
pub mod detect;
pub mod faces;
pub mod frames;
pub mod gate;
pub mod given;
pub mod prosody;
mod recording;
pub mod scenes;
pub mod sounds;
pub mod speakers;
pub mod speech;
#[cfg(test)]
mod testing;
pub mod text;
pub mod thumbnails;
pub mod track;
pub mod vad;
