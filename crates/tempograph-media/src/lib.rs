//! Opens, decodes, samples, draws, cuts and encodes video and audio over FFmpeg's libraries.
//!
//! [`probe()`] says what a file holds; a [`Reader`] decodes it in one pass. Times are those of the
//! container; pixels stand upright; audio is 16 kHz mono.

pub mod annotate;
mod audio;
mod av;
mod clock;
pub mod draw;
pub mod encode;
mod hash;
mod orient;
mod picture;
mod probe;
mod read;
mod relief;
mod resample;
mod resize;
pub mod sampling;
mod sprite;
mod still;
mod sws;

pub use av::{SkipFrames, ffmpeg_version};
pub use hash::content_hash;
pub use orient::Orientation;
pub use probe::{AudioInfo, MediaInfo, VideoInfo, probe};
pub use read::{AudioWants, ReadReport, Reader, Sample, VideoWants, Wants};
pub use relief::{decode_map, encode_map, inferno};
pub use sprite::SpriteSheet;
pub use still::{decode_jpeg, encode_jpeg, write_jpeg, write_png};
