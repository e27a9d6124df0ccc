//! Observations: what one producer claims about a span of the video.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Detections, Issue, MediaTime, Span};

/// One producer's claim about a span. Append-only: fusion weighs claims, it never edits them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// What.
    #[serde(flatten)]
    pub claim: Claim,
}

/// What a producer can claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Claim {
    /// The measurements one frame gave the scene detectors; cuts are decided from them later.
    SceneScores {
        /// Frame number.
        frame: u64,
        /// One entry per configured measurement, in the stage's own order.
        scores: Vec<f64>,
    },
    /// A new scene starts at this frame.
    Cut {
        /// First frame of the new scene.
        frame: u64,
        /// Detector's name: `content`, `adaptive`, `threshold`, `hist` or `hash`.
        detector: String,
    },
    /// What the detector saw in a frame; an empty list means it looked and saw nothing.
    Detections {
        /// Frame number.
        frame: u64,
        /// The rows; with track ids once tracked.
        detections: Detections,
    },
    /// A small picture of a frame, kept in the object store.
    Thumbnail {
        /// Key of the object; several pictures share one.
        object: String,
        /// First byte of this one.
        offset: u64,
        /// Its length in bytes; a JPEG.
        len: u64,
    },
    /// Speech probability of consecutive windows that fill the span evenly.
    VoiceProbabilities {
        /// 0 to 1 each.
        probabilities: Vec<f32>,
    },
    /// Somebody speaks (voice activity).
    Voice {
        /// Mean speech probability over the span, 0 to 1.
        confidence: f32,
    },
    /// Recognised speech.
    Speech(SpeechSegment),
    /// Somebody known by name speaks: as people's own files say.
    SpeakerTurn {
        /// The name.
        speaker: String,
    },
    /// Something went wrong here.
    Issue(Issue),
}

/// Recognised speech of one span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpeechSegment {
    /// The words as text.
    pub text: String,
    /// BCP 47 language tag, e.g. `en`.
    pub language: String,
    /// 0 to 1: the geometric mean of token probabilities.
    pub confidence: f32,
    /// The words with their times, in order.
    pub words: Vec<Word>,
}

/// One spoken word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// The word with its punctuation, without surrounding space.
    pub text: String,
    /// When it starts.
    #[serde(rename = "start_s")]
    pub start: MediaTime,
    /// When it ends.
    #[serde(rename = "end_s")]
    pub end: MediaTime,
    /// 0 to 1: mean token probability.
    pub confidence: f32,
}
