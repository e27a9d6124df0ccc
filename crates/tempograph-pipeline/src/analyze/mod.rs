//! Perception: what each stage measures, and what is decided from it.

pub mod detect;
pub mod scenes;
pub mod speech;
pub mod track;
pub mod vad;
