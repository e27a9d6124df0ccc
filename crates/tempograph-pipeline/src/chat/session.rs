//! A conversation: what was asked and answered before.

use serde::{Deserialize, Serialize};

use super::reply::Reply;

/// Name of the session when none is given.
pub const DEFAULT_SESSION: &str = "default";
/// Turns that a conversation looks back on.
pub const MAX_TURNS: usize = 8;

/// A question with its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// As it was asked.
    pub question: String,
    /// What was answered.
    pub reply: Reply,
}

/// The last turn that was answered.
pub(super) fn last(history: &[Turn]) -> Option<&Turn> {
    history.iter().rev().take(MAX_TURNS).find(|t| !t.reply.abstained && !t.reply.citations.is_empty())
}
