//! Search: moments of all analysed videos by words and by meaning.
//!
//! ```text
//! Timeline ─► moments ─► phrases (each text once) ─► FTS5          ─┐
//!                                                └─► vectors, 8 bits ┼─► ranks fused ─► Hits
//! frames ─► vectors of pictures, a space of their own ────────────────┘
//! ```
//!
//! A run's moments are written with the run, in its transaction. Vectors come from whoever has a model; without them
//! words alone are searched. A question is data: nothing in it is read as an operator.

mod find;
mod frames;
mod index;
mod moments;
mod rank;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod vectors;
mod words;

use serde::Serialize;
use tempograph_core::{MediaTime, Span};

pub use self::{
    frames::FrameQuestion,
    index::Space,
    moments::{Details, Kind, Moment, moments},
};
pub(crate) use index::put;

use crate::VideoRecord;

/// What is looked for. Every filter that is not empty must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// In the user's words; empty lists what the filters let through, in order of time.
    pub text: String,
    /// Ids of videos; empty means all.
    pub videos: Vec<String>,
    /// Moments that end after this, on the container's clock.
    pub from: Option<MediaTime>,
    /// Moments that start before this, on the container's clock.
    pub to: Option<MediaTime>,
    /// Classes, any of them; case does not count.
    pub labels: Vec<String>,
    /// Who speaks, any of them; case does not count.
    pub speakers: Vec<String>,
    /// Kinds of event, any of them, e.g. `approach`.
    pub events: Vec<String>,
    /// Modalities, any of them.
    pub kinds: Vec<Kind>,
    /// Hits at most.
    pub limit: usize,
    /// Smallest cosine at which a meaning is close.
    pub min_cosine: f32,
    /// The text as those see it who compare it with frames; without it no frame is found.
    pub frames: Option<FrameQuestion>,
}

/// Smallest cosine at which a meaning is close, for bge-small with its instruction: related pairs of the project's
/// tests reach 0.65 and more, unrelated ones stay below 0.6.
pub const MIN_COSINE: f32 = 0.6;

impl Default for Query {
    fn default() -> Self {
        Self {
            text: String::new(),
            videos: Vec::new(),
            from: None,
            to: None,
            labels: Vec::new(),
            speakers: Vec::new(),
            events: Vec::new(),
            kinds: Vec::new(),
            limit: 10,
            min_cosine: MIN_COSINE,
            frames: None,
        }
    }
}

impl Query {
    /// A question without filters.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Whether it has words that full text and vectors can be asked for.
    pub fn has_words(&self) -> bool {
        words::asked(&self.text).is_some()
    }
}

/// The question as a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryVector {
    /// What made it. Vectors of another space are not searched.
    pub space: Space,
    /// A unit vector.
    pub vector: Vec<f32>,
}

/// A moment that answers a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// The video it lies in.
    pub video: VideoRecord,
    /// When, on the container's clock.
    #[serde(flatten)]
    pub span: Span,
    /// Where to begin to watch: the first matched word, else the start.
    pub at_s: MediaTime,
    /// Comparable among the hits of one question only; higher is better.
    pub score: f64,
    /// Why it is here, the best reason first.
    pub matches: Vec<Match>,
    /// A small picture of it.
    pub thumbnail: Option<Thumbnail>,
    /// Where each word of the best match begins, in characters and milliseconds.
    #[serde(skip)]
    words: Vec<(u32, i64)>,
}

/// One modality that answers a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Match {
    /// Which modality.
    pub kind: Kind,
    /// What is said, read, heard or seen; of a frame only that it is one.
    pub text: String,
    /// Ranges of characters of `text` that are words of the question.
    pub highlights: Vec<(u32, u32)>,
    /// How close in meaning, where that is why it was found: cosine.
    pub similarity: Option<f32>,
    /// When.
    #[serde(flatten)]
    pub span: Span,
    /// How sure the analysis is, 0 to 1.
    pub confidence: f32,
    /// Who says it.
    pub speaker: Option<String>,
    /// Classes that take part.
    pub labels: Vec<String>,
    /// Kind of event.
    pub event: Option<String>,
}

impl Match {
    /// Why it was found, e.g. `words: what, country`, `close in meaning 0.71` or `looks like it 0.12`.
    pub fn why(&self) -> String {
        let chars: Vec<char> = self.text.chars().collect();
        let mut words: Vec<String> = Vec::new();
        for &(from, to) in &self.highlights {
            let word: String = chars.get(from as usize..to as usize).unwrap_or_default().iter().collect();
            if !words.iter().any(|w| w.to_lowercase() == word.to_lowercase()) {
                words.push(word);
            }
        }
        let words = (!words.is_empty()).then(|| format!("words: {}", words.join(", ")));
        let how = if self.kind == Kind::Frame { "looks like it" } else { "close in meaning" };
        let meaning = self.similarity.map(|s| format!("{how} {s:.2}"));
        let reasons: Vec<String> = words.into_iter().chain(meaning).collect();
        if reasons.is_empty() { "filters".to_owned() } else { reasons.join("; ") }
    }
}

/// Where a small picture lies: a JPEG within an object of the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Thumbnail {
    /// Key of the object.
    pub object: String,
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
}
