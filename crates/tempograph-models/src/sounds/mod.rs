//! What a sound is: the classes of AudioSet and the networks that score them.

mod audioset;
mod logmel;
mod yamnet;

pub use audioset::{Class, Kind};
pub use yamnet::{HOP, WINDOW, Yamnet};
