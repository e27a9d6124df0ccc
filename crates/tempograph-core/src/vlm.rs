//! Asking a model: one trait for every language model, seeing or not, near or far.
//!
//! ```text
//! Ask ─► Vlm::generate ─► ChunkStream: Text… Usage Done
//! ```
//!
//! A back end answers with a *stream* that any executor, or none, can poll: what it needs to do in the
//! background it does on threads of its own. **Dropping the stream cancels**: the connection closes, the upload
//! is deleted, the remote job is cancelled, the child process is gone. A stream that ends without
//! [`Chunk::Done`] or an error is truncated and must be reported as such by the back end.

use std::{path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use futures_core::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Error, MediaTime, Rgb, Span};

/// A language model that may also see.
pub trait Vlm: Send + Sync {
    /// What the model can take and how it is constrained.
    fn limits(&self) -> &Limits;

    /// Everything its answers depend on apart from the question, e.g. `openai qwen2.5-vl-7b` with the address, or
    /// the digest of local weights. Part of cache keys; holds no secret.
    fn identity(&self) -> String;

    /// Answers. The work begins when the stream is first polled, and stops when it is dropped.
    fn generate(&self, ask: Ask) -> ChunkStream;
}

/// What a model says, piece by piece.
pub type ChunkStream = Pin<Box<dyn Stream<Item = Result<Chunk, CallError>> + Send>>;

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// The next piece of text; pieces concatenate to the answer.
    Text(String),
    /// What has been used so far in this call. The last one counts.
    Usage(Usage),
    /// The answer is complete; nothing follows.
    Done(Finish),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it.
    Stop,
    /// The limit of tokens ended it: the text may be cut anywhere.
    Length,
    /// A safety filter of the provider ended it.
    Filtered,
}

/// Tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens sent, pictures included.
    pub tokens_in: u64,
    /// Of those, tokens the back end had cached.
    pub tokens_cached: u64,
    /// Tokens written.
    pub tokens_out: u64,
}

/// What to ask.
#[derive(Clone, Debug, Default)]
pub struct Ask {
    /// What the call is for: `window`, `scene`, `summary`, `chat`. Goes into the call's record.
    pub purpose: &'static str,
    /// The conversation, oldest first. What stays the same from call to call comes first, so that prefixes are
    /// shared.
    pub messages: Vec<Message>,
    /// What the answer must look like.
    pub schema: Option<AnswerSchema>,
    /// How the answer is drawn.
    pub sampling: SamplingParams,
}

/// One turn of a conversation.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A turn of text alone.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sets the task.
    System,
    /// Asks.
    User,
    /// Answers.
    Assistant,
}

/// A piece of a turn.
#[derive(Clone, Debug)]
pub enum Part {
    /// Text.
    Text(String),
    /// A still picture.
    Image(Arc<Rgb>),
    /// Frames of a video in order of time. A back end that knows video merges pairs or sends them as such; any
    /// other sends them as pictures, each after its time.
    Frames(Vec<TimedImage>),
    /// A stretch of a video file, for back ends that take video whole ([`Limits::video`]).
    Video(VideoPart),
}

/// A frame with its time.
#[derive(Clone, Debug)]
pub struct TimedImage {
    /// On the video's presentation clock.
    pub time: MediaTime,
    /// Pixels in the size to be shown: back ends do not resize.
    pub image: Arc<Rgb>,
}

/// A video file or address to hand over whole.
#[derive(Clone, Debug)]
pub struct VideoPart {
    /// Where it is.
    pub source: VideoSource,
    /// Media type, e.g. `video/mp4`.
    pub mime: String,
    /// BLAKE3 of its bytes, hexadecimal: an upload of the same bytes is used again.
    pub digest: String,
    /// The part that is asked about.
    pub span: Span,
}

/// Tokens of a second of video with sound that is handed over whole: 258 a frame at one a second and 32 of sound, as
/// Gemini counts.
pub const TOKENS_A_VIDEO_SECOND: f64 = 290.0;

/// Where a video is.
#[derive(Clone, Debug)]
pub enum VideoSource {
    /// A file of this machine.
    File(PathBuf),
    /// An address the back end can reach itself.
    Url(String),
}

/// The form an answer must have.
#[derive(Clone, Debug)]
pub struct AnswerSchema {
    /// Name, `snake_case`.
    pub name: &'static str,
    /// JSON Schema (draft 2020-12) without outside references.
    pub schema: Arc<serde_json::Value>,
}

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingParams {
    /// 0 takes the likeliest token each time.
    pub temperature: f32,
    /// Share of probability that is drawn from, 0 to 1.
    pub top_p: f32,
    /// Most tokens to write.
    pub max_tokens: u32,
    /// Of the random draws, where the back end takes one.
    pub seed: u64,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, max_tokens: 1024, seed: 0 }
    }
}

/// What a model can take.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Name of the model, for people and records.
    pub model: String,
    /// Tokens that question and answer may have together.
    pub context_tokens: u64,
    /// Most pictures or frames in one question; 0 for a model that only reads.
    pub images: u32,
    /// Side of the square of pixels that becomes one token: 28 for Qwen2.5-VL, 32 for Qwen3-VL.
    pub image_factor: u32,
    /// Whether it takes video files whole.
    pub video: bool,
    /// How well it keeps to a schema.
    pub structured: Structured,
    /// Calls that may run at once.
    pub concurrency: u32,
    /// Where the frames and words go: whether they leave this machine.
    pub remote: bool,
}

/// How an answer is held to its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Structured {
    /// Only by asking for it.
    Prompt,
    /// The back end promises JSON, not which.
    Json,
    /// Constrained decoding: the answer fits the schema unless it is cut short.
    Schema,
}

/// A call that failed.
#[derive(Debug)]
pub struct CallError {
    /// What and why.
    pub error: Error,
    /// Whether the same call may do better.
    pub retry: Retry,
}

impl CallError {
    /// A failure that asking again cannot mend.
    pub fn fatal(error: Error) -> Self {
        Self { error, retry: Retry::Never }
    }

    /// A failure that may pass.
    pub fn passing(error: Error) -> Self {
        Self { error, retry: Retry::Backoff }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::fatal(error)
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Whether the same call may do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No: refused, too large, no such model, no credit.
    Never,
    /// Yes, after a pause that grows.
    Backoff,
    /// Yes, not before this has passed: the back end said so.
    After(Duration),
}

/// The record of one call, kept whether it succeeded or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelCall {
    /// What for.
    pub purpose: String,
    /// Back end, e.g. `openai`.
    pub backend: String,
    /// Model.
    pub model: String,
    /// Tokens, summed over every try.
    #[serde(flatten)]
    pub usage: Usage,
    /// From asking to the last token, pauses between tries included.
    pub wall_ms: u64,
    /// From asking to the first token.
    pub first_token_ms: Option<u64>,
    /// What it cost, summed over every try.
    pub cost_usd: f64,
    /// Tries after the first.
    pub retries: u32,
    /// Whether the answer was known already: no token was sent.
    pub cache_hit: bool,
    /// Code of the failure that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answers that are known already, by a key that covers the model, the prompt, the frames and the parameters.
pub trait AnswerCache: Send + Sync {
    /// The answer under `key`.
    ///
    /// # Errors
    /// When the store refuses.
    fn answer(&self, key: &str) -> crate::Result<Option<KnownAnswer>>;

    /// Remembers a complete answer. Writing the same key twice is harmless.
    ///
    /// # Errors
    /// When the store refuses.
    fn remember(&self, key: &str, answer: &KnownAnswer) -> crate::Result<()>;
}

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownAnswer {
    /// The text.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// What it took when it was first given.
    pub usage: Usage,
}

/// What models cost, day by day, kept beyond the life of a process. Days are counted from 1970-01-01, in UTC.
pub trait SpendLedger: Send + Sync {
    /// US dollars spent on `day`, over all models.
    ///
    /// # Errors
    /// When the store refuses.
    fn spent_usd(&self, day: u32) -> crate::Result<f64>;

    /// Calls of `model` on `day`, tries that failed included.
    ///
    /// # Errors
    /// When the store refuses.
    fn calls(&self, day: u32, model: &str) -> crate::Result<u64>;

    /// Books one try. Booking the same [`Spending::id`] twice is harmless.
    ///
    /// # Errors
    /// When the store refuses.
    fn book(&self, spending: &Spending) -> crate::Result<()>;
}

/// What one try of a call took.
#[derive(Clone, Debug, PartialEq)]
pub struct Spending {
    /// Unlike that of any other try.
    pub id: String,
    /// Day it was begun.
    pub day: u32,
    /// Back end and model, e.g. `openai:gpt-5-mini`.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
    /// What it cost.
    pub cost_usd: f64,
}
