//! Who speaks: which voices are there in ten seconds of sound, and what a voice is like.
//!
//! [`Segmentation`] tells up to three voices of a window apart without knowing whose they are; [`VoiceEmbedder`] turns a
//! stretch with one voice into a vector that lies near other vectors of the same person.

mod embed;
mod fbank;
mod segment;

pub use embed::{EMBEDDING, VoiceEmbedder};
pub use fbank::{BANDS, Fbank};
pub use segment::{FIRST_CENTRE, FRAMES, HOP, LOCAL_SPEAKERS, SEGMENT_WINDOW, Segmentation};
