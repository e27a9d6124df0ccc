//! Asking models: what is put to them, and what of their answers is believed.
//!
//! ```text
//! Timeline ─► windows ─► frames, evidence ─► answers ─► merge ─► Timeline
//!                                                   └─► summary ─┘
//! ```
//!
//! Answers are measured like anything else: journaled window by window under all they depend on. What is believed of
//! them is decided anew each time, and nothing is believed that has no evidence.

mod answer;
mod brief;
mod context;
mod frames;
mod listen;
mod loops;
mod merge;
mod pictures;
mod plan;
mod prompts;
mod put;
pub mod structured;
mod summary;
#[cfg(test)]
pub(crate) mod testing;
mod windows;

use std::sync::Arc;

use tempograph_core::vlm::Vlm;

pub(crate) use self::{
    answer::WindowAnswer,
    brief::brief,
    context::Places,
    frames::{Wanted, read},
    merge::merge,
    pictures::Shot,
    plan::{Known, Need, Plan, plan},
    prompts::digest,
    put::{Edges, Question, put},
    summary::{Kept, Task, summarise},
};
pub use self::{
    context::ContextOptions,
    listen::{Answer, listen},
    plan::Estimate,
    prompts::Prompts,
    structured::{Answered, Structured, TimeFrame, TimeText, Unanswered, ask_structured},
    summary::{Piece, SummaryOptions},
    windows::{MAX_FRAMES, Window, WindowOptions, windows},
};

/// Whom to ask, and how.
#[derive(Clone)]
pub struct Asking {
    /// Who is shown windows of the video. A model that takes no images only reads what was measured.
    pub vision: Option<Arc<dyn Vlm>>,
    /// Who writes a summary of what was measured when nobody is shown the video.
    pub text: Option<Arc<dyn Vlm>>,
    /// Whether windows are asked about: the stage `ask`.
    pub ask: bool,
    /// Whether a summary is written: the stage `summary`.
    pub summarise: bool,
    /// What they are asked with.
    pub prompts: Prompts,
    /// How the video is cut up.
    pub windows: WindowOptions,
    /// Whether the file itself is given to a model that takes one, with the stretch that a window is, instead of frames.
    pub whole_video: bool,
    /// What is told beside the frames.
    pub context: ContextOptions,
    /// How summaries are written.
    pub summary: SummaryOptions,
    /// Tokens that the answer about one window may take.
    pub answer_tokens: u32,
}

/// Tokens that the answer about one window may take unless asked otherwise: some 600 words of JSON.
pub const ANSWER_TOKENS: u32 = 1_200;
