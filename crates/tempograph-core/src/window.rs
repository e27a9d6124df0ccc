//! Windows: stretches of a video that a model was asked about, and what it said of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{MediaTime, Span, timeline::Chapter};

/// What a model said of one window. A claim like any other: nothing of it is believed before fusion has held it
/// against what was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowTold {
    /// Number of the window, from 0, in order of time.
    pub window: u32,
    /// Times of the frames the model was shown; empty when it only read. Where it was given the video itself, moments that
    /// stand for the window.
    pub frames_s: Vec<MediaTime>,
    /// Name of the model.
    pub model: String,
    /// The window whose answer this is, where one that is like this one was asked instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<u32>,
    /// What happens, in a few sentences.
    pub summary: String,
    /// What happens in each scene.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenes: Vec<ToldScene>,
    /// Who and what is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<ToldEntity>,
    /// What they do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<ToldEvent>,
}

/// A scene in a model's words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldScene {
    /// Id of the scene, as the model wrote it.
    pub scene: String,
    /// What happens in it.
    pub summary: String,
}

/// Who or what a model says is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldEntity {
    /// `T7` for track 7, else a name of the model's own that holds within the window.
    pub id: String,
    /// Class.
    pub label: String,
    /// In words.
    pub description: String,
    /// When, within the window.
    #[serde(flatten)]
    pub span: Span,
    /// Where in the picture, when the model says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Third>,
}

/// A third of the picture's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Third {
    /// The left third.
    Left,
    /// The middle.
    Centre,
    /// The right third.
    Right,
}

impl Third {
    /// The third that `x` lies in, in a picture of `width` pixels.
    pub fn of(x: f32, width: u32) -> Self {
        match x * 3.0 / width.max(1) as f32 {
            t if t < 1.0 => Self::Left,
            t if t < 2.0 => Self::Centre,
            _ => Self::Right,
        }
    }

    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Centre => "centre",
            Self::Right => "right",
        }
    }
}

/// What a model says happens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ToldEvent {
    /// What kind, as the model wrote it.
    pub kind: String,
    /// Ids of [`ToldEntity`] or tracks; the one who acts first.
    pub entities: Vec<String>,
    /// When: within the window, brought to the edges of scenes and tracks that are near.
    #[serde(flatten)]
    pub span: Span,
    /// How far the times were moved in all; 0 when the model's own were taken.
    #[serde(default)]
    pub shift_s: MediaTime,
    /// In words.
    pub description: String,
    /// How sure the model says it is, 0 to 1.
    pub confidence: f32,
}

/// What a model wrote of a stretch of the video, from what was told of its parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PartTold {
    /// 0 where parts are windows; each level above gathers parts of the one below.
    pub level: u32,
    /// Whether this is the whole: nothing is above it.
    pub whole: bool,
    /// In a few words.
    pub title: String,
    /// In a few sentences.
    pub text: String,
    /// Its chapters; of the whole only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chapters: Vec<Chapter>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_of_a_picture() {
        assert_eq!(Third::of(0.0, 300), Third::Left);
        assert_eq!(Third::of(150.0, 300), Third::Centre);
        assert_eq!(Third::of(299.0, 300), Third::Right);
        assert_eq!(Third::of(5.0, 0), Third::Right);
    }
}
