//! Observations: what one producer claims about a span of the video.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BoxXyxy, Detections, Issue, MediaTime, PartTold, Span, WindowTold};

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
    /// What can be read in a frame; an empty list means it looked and read nothing.
    Texts {
        /// Frame number.
        frame: u64,
        /// From top to bottom.
        lines: Vec<TextLine>,
    },
    /// How far away what a frame shows is, kept in the object store.
    Depth(DepthMap),
    /// What a frame looks like to a model that knows pictures and texts.
    FrameVector(FrameVector),
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
    /// What sounds like what in windows that begin evenly over the span.
    Sounds(SoundScores),
    /// Loudness of consecutive pieces that fill the span evenly.
    AudioLevels {
        /// Root mean square of each, decibels relative to full scale.
        levels: Vec<f32>,
    },
    /// The faces in a frame; an empty list means that it was looked at and none was seen.
    Faces {
        /// Frame number.
        frame: u64,
        /// In order of falling score.
        faces: Vec<FaceSeen>,
    },
    /// Somebody known by name speaks: as people's own files say.
    SpeakerTurn {
        /// The name.
        speaker: String,
    },
    /// Which of at most three voices speak in a window of sound.
    Speakers(SpeakerWindow),
    /// How it sounds, frame by frame.
    Prosody(ProsodyFrames),
    /// What a model says of a window.
    Window(Box<WindowTold>),
    /// What a model makes of several windows.
    Part(Box<PartTold>),
    /// Something went wrong here.
    Issue(Issue),
}

/// A line of text in a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TextLine {
    /// What it says.
    pub text: String,
    /// 0 to 1: mean probability of its characters.
    pub confidence: f32,
    /// Where, in displayed pixels.
    #[serde(rename = "box")]
    pub bbox: BoxXyxy,
}

/// The inverse depth of a frame: larger is nearer, up to a scale and shift of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DepthMap {
    /// Frame number.
    pub frame: u64,
    /// Key of the object that holds the map; several share one.
    pub object: String,
    /// First byte of this one.
    pub offset: u64,
    /// Its length in bytes; a 16-bit grey PNG from `low` (0) to `high` (65535).
    pub len: u64,
    /// Least value of the map.
    pub low: f32,
    /// Greatest value of the map.
    pub high: f32,
    /// Columns of `grid`.
    pub columns: u32,
    /// Rows of `grid`.
    pub rows: u32,
    /// Means over equal blocks of the frame, row by row, from `low` (0) to `high` (255).
    pub grid: Vec<u8>,
}

/// A frame as a direction: texts that say what it shows point about the same way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameVector {
    /// Frame number.
    pub frame: u64,
    /// The direction in 8 bits, its largest number 127 in size. That moves a cosine by less than a hundredth.
    pub vector: Vec<i8>,
}

impl FrameVector {
    /// Of a vector of any length.
    pub fn new(frame: u64, vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        let step = if largest > 0.0 && largest.is_finite() { largest / 127.0 } else { 1.0 };
        Self { frame, vector: vector.iter().map(|v| (v / step).round() as i8).collect() }
    }

    /// The vector at length 1; all zeros when it has no direction.
    pub fn unit(&self) -> Vec<f32> {
        let norm = self.dot(self).sqrt().max(1.0);
        self.vector.iter().map(|&v| (f64::from(v) / norm) as f32).collect()
    }

    /// The cosine with `other`; 0 when one has no direction or another length.
    pub fn cosine(&self, other: &Self) -> f64 {
        let norms = (self.dot(self) * other.dot(other)).sqrt();
        if norms > 0.0 && self.vector.len() == other.vector.len() { self.dot(other) / norms } else { 0.0 }
    }

    fn dot(&self, other: &Self) -> f64 {
        self.vector.iter().zip(&other.vector).map(|(&a, &b)| i64::from(a) * i64::from(b)).sum::<i64>() as f64
    }
}

/// How much consecutive windows sound like each class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SoundScores {
    /// How long a window is; longer than the time between two of them.
    #[serde(rename = "window_s")]
    pub window: MediaTime,
    /// AudioSet's names of the classes that scored somewhere in the span.
    pub classes: Vec<String>,
    /// For each window the classes, as positions in `classes`, that reached the least score kept, with scores of 0 to 1.
    pub windows: Vec<Vec<(u16, f32)>>,
}

/// The facial emotions that are told apart, in the order of [`FaceSeen::emotions`]: the classes of FER2013.
pub const FACE_EMOTIONS: [&str; 7] = ["anger", "disgust", "fear", "happy", "sad", "surprise", "neutral"];

/// A face in one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaceSeen {
    /// Where, in displayed pixels.
    #[serde(rename = "box")]
    pub bbox: BoxXyxy,
    /// How surely it is a face, 0 to 1.
    pub score: f32,
    /// Scores of [`FACE_EMOTIONS`], 1 in sum; empty when they were not measured.
    pub emotions: Vec<f32>,
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

/// Which voices speak in one window. Numbers of voices hold within the window only.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpeakerWindow {
    /// For each voice a hexadecimal digit a frame: 0 for certainly silent to f for certainly
    /// speaking; empty when it is silent throughout. The segmentation network says where frames lie.
    pub levels: Vec<String>,
    /// What the voices are like. Over all windows each moment with just one voice is told of once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prints: Vec<VoicePrint>,
}

/// What a voice is like where nobody else speaks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoicePrint {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// Number of the voice in its window.
    pub voice: u8,
    /// A vector of length 1; voices of one person lie near each other.
    pub vector: Vec<f32>,
}

/// Sound measured in frames that fill a span evenly.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProsodyFrames {
    /// Level of each frame in decibels relative to full scale (root mean square), −127 or more.
    pub level_dbfs: Vec<i8>,
    /// Sign changes in each frame, in hundredths of its samples.
    pub crossings: Vec<u8>,
    /// Candidates for the fundamental frequency: frame, hertz, probability; the frame numbers rise.
    pub pitches: Vec<(u16, f32, f32)>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_vector_keeps_its_direction() {
        let (a, b) = (FrameVector::new(1, &[0.3, -0.4, 0.0]), FrameVector::new(2, &[30.0, -40.0, 1.0]));
        assert_eq!(a.vector, [95, -127, 0]);
        assert!((a.unit()[0] - 0.6).abs() < 0.005 && (a.unit()[1] + 0.8).abs() < 0.005);
        assert_eq!(FrameVector::new(1, &a.unit()), a, "8 bits of 8 bits are the same");
        assert!(a.cosine(&b) > 0.99 && (a.cosine(&a) - 1.0).abs() < 1e-12);
        assert_eq!(FrameVector::new(0, &[0.0, f32::NAN]).unit(), [0.0, 0.0]);
        assert_eq!(a.cosine(&FrameVector::new(0, &[1.0])), 0.0);
    }
}
