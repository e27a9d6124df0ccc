//! The fused view of a video: exactly what `analysis.json` holds.
//!
//! Field names carry their unit (`start_s`, `size_bytes`). The JSON Schema published as
//! `schema/analysis.schema.json` is generated from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{BoxXyxy, Issue, MediaTime, Span, Word, vlm::ModelCall};

/// Name and version of the format. A reader refuses another major number.
pub const SCHEMA: &str = "tempograph.analysis/1";

/// Everything known about one video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The file itself.
    pub video: Video,
    /// Stretches between cuts, in order, covering the whole video.
    pub scenes: Vec<Scene>,
    /// Objects followed from frame to frame.
    pub tracks: Vec<Track>,
    /// Who and what is there, merged over tracks and voices.
    pub entities: Vec<Entity>,
    /// What happens in the picture.
    pub visual_events: Vec<VisualEvent>,
    /// What is heard.
    pub audio_events: Vec<AudioEvent>,
    /// Faces followed from frame to frame.
    #[serde(default)]
    pub faces: Vec<FaceTrack>,
    /// Who speaks when, in order of start; turns of different speakers may overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub speakers: Vec<SpeakerTurn>,
    /// Facial emotion over time.
    pub emotions: Vec<Emotion>,
    /// Text in the picture.
    pub texts: Vec<ScreenText>,
    /// How near entities are, where depth was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depths: Vec<EntityDepth>,
    /// What is seen and heard together.
    pub correlations: Vec<Correlation>,
    /// Moments worth keeping, best first.
    pub highlights: Vec<Highlight>,
    /// What a model says of each window it was asked about, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// The video in words.
    pub summary: Summary,
    /// Models that took part.
    pub models: Vec<ModelUse>,
    /// What the run cost.
    pub run: Run,
    /// What went wrong without stopping the run.
    pub issues: Vec<Issue>,
}

/// The file itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Video {
    /// BLAKE3 of the bytes, hexadecimal: the video's identity.
    pub id: String,
    /// Where it was read from.
    pub uri: String,
    /// From the first presentation time to the end of the last frame or sample.
    pub duration_s: MediaTime,
    /// Mean frame rate; 0 without a video stream.
    pub fps: f64,
    /// Width as displayed; 0 without a video stream.
    pub width: u32,
    /// Height as displayed; 0 without a video stream.
    pub height: u32,
    /// Width of a pixel over its height as displayed; absent where pixels are square.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixel_aspect: Option<f64>,
    /// Clockwise rotation the file asks for, already applied to `width` and `height`: 0, 90, 180 or 270.
    pub rotation_deg: u32,
    /// Codec of the video stream, e.g. `h264`.
    pub video_codec: Option<String>,
    /// Bits a sample of the video stream.
    pub bit_depth: Option<u32>,
    /// First presentation time.
    pub start_s: MediaTime,
    /// The audio stream that was heard.
    pub audio: Option<Audio>,
    /// Length of the file.
    pub size_bytes: u64,
}

/// An audio stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Audio {
    /// Codec, e.g. `aac`.
    pub codec: String,
    /// Channels as stored.
    pub channels: u32,
    /// Samples a second as stored.
    pub sample_rate_hz: u32,
    /// Audio streams in the file.
    pub streams: u32,
    /// Which of them was heard, from 0.
    pub stream: u32,
}

/// A stretch between two cuts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scene {
    /// `S1`, `S2`, …
    pub id: String,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// First frame, from 0.
    pub start_frame: u64,
    /// Path of a picture, relative to the output folder.
    pub thumbnail: Option<String>,
    /// What happens in it, in words.
    pub summary: Option<String>,
}

/// An object followed from frame to frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Track {
    /// Id, from 1, as in `detections.jsonl`.
    pub id: u32,
    /// Class name.
    pub label: String,
    /// Mean confidence of its detections, 0 to 1.
    pub score: f32,
    /// First to last frame it was seen in.
    #[serde(flatten)]
    pub span: Span,
    /// Analysed frames it was seen in.
    pub frames: u64,
    /// The entity it belongs to.
    pub entity: Option<String>,
}

/// Who or what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// `E1`, `E2`, … in order of first appearance.
    pub id: String,
    /// Class, e.g. `person`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In words.
    pub description: String,
    /// First time it is seen or heard.
    pub first_seen_s: MediaTime,
    /// Last time it is seen or heard.
    pub last_seen_s: MediaTime,
    /// Its tracks.
    pub tracks: Vec<u32>,
    /// Its voices.
    pub speakers: Vec<String>,
    /// What says so: `tracks`, `vlm`, `speech`.
    pub origin: String,
    /// What models say of it, each time they say something new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Told>,
}

/// What a model says of an entity; beside what was measured, never instead of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Told {
    /// What it calls it. Where that is not the entity's type, the two disagree.
    pub label: String,
    /// In words.
    pub description: String,
    /// Name of the model.
    pub origin: String,
    /// The window it was said of.
    pub window: String,
}

/// A stretch of the video that a model was asked about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// `W1`, `W2`, … in order of time.
    pub id: String,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// What happens in it.
    pub summary: String,
    /// Name of the model that says so.
    pub origin: String,
    /// Times of the frames it was shown; where it was given the video itself, moments that stand for the window.
    pub frames_s: Vec<MediaTime>,
    /// The window whose answer this is: it looked and sounded the same, so this one was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

/// What kind of thing happens in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VisualEventKind {
    /// The distance shrinks until the two are near.
    Approach,
    /// Two that were near draw apart.
    Depart,
    /// Two touch or overlap for a while.
    Interact,
    /// One goes where the other has just been.
    Follow,
    /// One stays where it is.
    Idle,
    /// Three or more stay near each other.
    Group,
    /// One turns away from another that comes near.
    Avoid,
    /// One follows fast while the other flees.
    Chase,
    /// One stays and faces a moving other from a distance.
    Observe,
}

impl VisualEventKind {
    /// The name as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approach => "approach",
            Self::Depart => "depart",
            Self::Interact => "interact",
            Self::Follow => "follow",
            Self::Idle => "idle",
            Self::Group => "group",
            Self::Avoid => "avoid",
            Self::Chase => "chase",
            Self::Observe => "observe",
        }
    }
}

/// Something that happens in the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VisualEvent {
    /// `V1`, `V2`, … in order of start.
    pub id: String,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: VisualEventKind,
    /// Who takes part; the one who acts first.
    pub entities: Vec<String>,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// In words.
    pub description: String,
    /// 0 to 1.
    pub confidence: f32,
    /// What says so: `geometry`, a model's name, or both with a comma between.
    pub origin: String,
    /// Where to look.
    pub evidence: Evidence,
}

/// Where to look to check a claim.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// Times of telling frames.
    pub frames_s: Vec<MediaTime>,
    /// Tracks it rests on.
    pub tracks: Vec<u32>,
}

/// What kind of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudioEventKind {
    /// Somebody speaks.
    Speech,
    /// Another sound.
    Sound,
    /// Nothing to hear.
    Silence,
}

/// Something that is heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AudioEvent {
    /// `A1`, `A2`, … in order of start.
    pub id: String,
    /// What kind.
    #[serde(rename = "type")]
    pub kind: AudioEventKind,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// What is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Language tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The words with their times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<Word>>,
    /// Class of a sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What else a sound may be, the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<SoundLabel>,
    /// 0 to 1.
    pub confidence: f32,
    /// How it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prosody: Option<Prosody>,
    /// How it sounds to feel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emotion: Option<String>,
    /// What that rests on, e.g. `pitch +4.1 semitones and 6 dB over this speaker's median`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emotion_basis: Option<String>,
}

/// A stretch in which one speaker speaks without a pause worth telling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpeakerTurn {
    /// `Speaker 1`, `Speaker 2`, … in order of first speech; the same over the whole video.
    pub speaker: String,
    /// When.
    #[serde(flatten)]
    pub span: Span,
}

/// A class that a sound may belong to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SoundLabel {
    /// AudioSet's name.
    pub label: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// How something is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Prosody {
    /// Mean fundamental frequency of the voiced part.
    pub f0_mean_hz: Option<f32>,
    /// Range of it.
    pub f0_range_hz: Option<f32>,
    /// Mean level relative to full scale.
    pub energy_dbfs: f32,
    /// Share of samples where the sign changes, 0 to 1.
    pub zero_crossing_rate: f32,
    /// Words a second.
    pub rate_wps: Option<f32>,
    /// Pauses of at least a quarter of a second inside it.
    #[serde(default)]
    pub pauses: u32,
    /// How long they last together.
    #[serde(default)]
    pub pause_s: MediaTime,
    /// Whether all of it is so quiet that nothing can be heard.
    #[serde(default)]
    pub silent: bool,
}

/// A face followed from frame to frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaceTrack {
    /// `F1`, `F2`, … in order of first appearance.
    pub id: String,
    /// First to last time it was seen.
    #[serde(flatten)]
    pub span: Span,
    /// Mean certainty that it is a face, 0 to 1.
    pub score: f32,
    /// Analysed frames it was seen in.
    pub frames: u64,
    /// The person's track that carries it.
    pub track: Option<u32>,
    /// The entity of that track.
    pub entity: Option<String>,
    /// Where it was seen largest, in displayed pixels.
    #[serde(rename = "box")]
    pub bbox: BoxXyxy,
    /// When that was.
    pub box_time_s: MediaTime,
    /// Where it went, in order of time: between two places it moves in a straight line, and after the last it stays until
    /// the end.
    #[serde(default)]
    pub path: Vec<FaceAt>,
}

/// Where a face is at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FaceAt {
    /// When.
    pub t_s: MediaTime,
    /// Where, in displayed pixels.
    #[serde(rename = "box")]
    pub bbox: BoxXyxy,
}

/// A facial emotion over an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Emotion {
    /// Whose, when the face belongs to an entity.
    pub entity: Option<String>,
    /// Whose, as a track.
    pub track: Option<u32>,
    /// Whose, as a face.
    #[serde(default)]
    pub face: Option<String>,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// Class name.
    pub label: String,
    /// 0 to 1.
    pub confidence: f32,
}

/// Text in the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScreenText {
    /// When it can be read.
    #[serde(flatten)]
    pub span: Span,
    /// What it says.
    pub text: String,
    /// 0 to 1.
    pub confidence: f32,
    /// Where, in displayed pixels.
    #[serde(rename = "box")]
    pub bbox: BoxXyxy,
}

/// How near an entity is over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntityDepth {
    /// Id of the entity.
    pub entity: String,
    /// In order of time.
    pub samples: Vec<DepthSample>,
}

/// How near something is in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DepthSample {
    /// Time of the frame.
    pub t_s: MediaTime,
    /// From the farthest (0) to the nearest (1) that the frame shows; compares within one frame.
    pub nearness: f32,
}

/// A visual and an audio event that belong together in time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Correlation {
    /// Id of the visual event.
    pub visual: String,
    /// Id of the audio event.
    pub audio: String,
    /// How they lie to each other: `simultaneous`, `visual_first` or `audio_first`.
    pub relation: String,
    /// Time between them; 0 when they overlap.
    pub gap_s: MediaTime,
    /// 0 to 1.
    pub confidence: f32,
}

/// A moment worth keeping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Highlight {
    /// 1 is the best.
    pub rank: u32,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// 0 to 1.
    pub clip_worthy_score: f32,
    /// Why.
    pub reasons: Vec<String>,
    /// Path of the clip, relative to the output folder.
    pub clip: Option<String>,
}

/// The video in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The whole.
    pub text: String,
    /// Its parts.
    pub chapters: Vec<Chapter>,
    /// What wrote it: `template`, `text-llm` or a vision model's name.
    pub backend: String,
}

/// A part of the video in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Chapter {
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// In a few words.
    pub title: String,
    /// In a sentence or two.
    pub text: String,
}

/// A model that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelUse {
    /// What for, e.g. `detect`.
    pub task: String,
    /// Name in the manifest.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// SPDX licence expression of its weights.
    pub licence: String,
    /// What ran it.
    pub runtime: String,
    /// Where: `cpu`, `cuda:0`, …
    pub device: String,
}

/// What the run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Stages in order.
    pub stages: Vec<StageRun>,
    /// Wall-clock seconds.
    pub wall_s: f64,
    /// Processor seconds.
    pub cpu_s: f64,
    /// Wall-clock seconds for each second of video.
    pub real_time_factor: f64,
    /// Largest resident set of the process.
    pub peak_rss_bytes: u64,
    /// Largest GPU allocation; 0 without one.
    pub peak_gpu_bytes: u64,
    /// Tokens sent to language models.
    pub tokens_in: u64,
    /// Tokens they wrote.
    pub tokens_out: u64,
    /// What they cost.
    pub cost_usd: f64,
    /// Each call of a language model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ModelCall>,
    /// Calls that were not needed: windows that look and sound like others took their answers.
    #[serde(default)]
    pub calls_saved: u64,
    /// Settings that shaped the result, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// What one stage did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageRun {
    /// Its name.
    pub name: String,
    /// `done`, `cached`, `resumed`, `imported`, `skipped` or `failed`.
    pub status: String,
    /// Whether all of it came from the stage cache.
    pub cached: bool,
    /// Wall-clock seconds spent inside it.
    pub wall_s: f64,
    /// Processor seconds spent inside it.
    pub cpu_s: f64,
    /// Frames, segments or other units it handled.
    pub items: u64,
}

impl Timeline {
    /// An empty timeline of `video`: a valid document in which nothing was found yet.
    pub fn empty(video: Video) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            video,
            scenes: Vec::new(),
            tracks: Vec::new(),
            entities: Vec::new(),
            visual_events: Vec::new(),
            audio_events: Vec::new(),
            faces: Vec::new(),
            speakers: Vec::new(),
            emotions: Vec::new(),
            texts: Vec::new(),
            depths: Vec::new(),
            correlations: Vec::new(),
            highlights: Vec::new(),
            windows: Vec::new(),
            summary: Summary { backend: "template".to_owned(), ..Summary::default() },
            models: Vec::new(),
            run: Run::default(),
            issues: Vec::new(),
        }
    }
}
