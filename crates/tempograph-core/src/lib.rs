//! The nouns of TempoGraph.
//!
//! Everything that passes between crates is named here: [`MediaTime`], [`Frame`],
//! [`Detections`], [`Observation`], [`Timeline`], [`Graph`], [`Issue`], [`Error`] and the
//! traits an extension implements ([`FrameAnalyzer`], [`AudioAnalyzer`], [`Session`],
//! [`Runtime`], [`vlm::Vlm`]). Whoever adds a detector or a runtime depends on this crate alone.
//!
//! **Invariant:** no I/O, no clock, no environment, no thread and no async runtime.

pub mod allen;
mod analyzer;
mod appearance;
pub mod assign;
mod audio;
mod cancel;
mod detections;
mod error;
mod frame;
mod geometry;
mod graph;
mod issue;
mod observation;
mod session;
mod time;
pub mod timeline;
pub mod vlm;
mod window;

pub use analyzer::{AudioAnalyzer, FrameAnalyzer, Sampling};
pub use appearance::Appearance;
pub use audio::{AudioBlock, SPEECH_SAMPLE_RATE};
pub use cancel::Cancel;
pub use detections::{Detection, Detections};
pub use error::{Code, Error, ErrorKind, Result};
pub use frame::{Frame, Picture, Rgb, RgbRequest, ScaleFilter, YuvView};
pub use geometry::{BoxXyxy, Size};
pub use graph::{Edge, Graph, Node, NodeKind};
pub use issue::Issue;
pub use observation::{
    Claim, DepthMap, FACE_EMOTIONS, FaceSeen, FrameVector, Observation, ProsodyFrames, SoundScores, SpeakerWindow,
    SpeechSegment, TextLine, VoicePrint, Word,
};
pub use session::{Runtime, Session, SessionOptions, Tensor, TensorData, TensorInfo};
pub use time::{MediaTime, Span};
pub use timeline::Timeline;
pub use window::{PartTold, Third, ToldEntity, ToldEvent, ToldScene, WindowTold};
