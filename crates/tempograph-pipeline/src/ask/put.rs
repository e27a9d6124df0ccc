//! Putting a question to a model and placing the times it answers with.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tempograph_core::{
    Cancel, Error, MediaTime, Span, Timeline,
    vlm::{Ask, Message, Part, Role, SamplingParams, Usage, Vlm},
};

use super::structured::{Settled, SettledSpan, TimeFrame, TimeText, Unanswered, ask_structured};

/// How far a time is moved to an edge at most: what a model reads off frames half a second apart.
const SNAP: MediaTime = MediaTime::from_millis(400);

/// A question, what stays the same from call to call first.
pub(crate) struct Question<'a> {
    pub(crate) purpose: &'static str,
    pub(crate) system: &'a str,
    pub(crate) parts: Vec<Part>,
    pub(crate) max_tokens: u32,
}

/// Asks for a `T`.
///
/// # Errors
/// As [`ask_structured`].
pub(crate) fn put<T: DeserializeOwned + JsonSchema>(
    model: &dyn Vlm,
    question: Question<'_>,
    cancel: &Cancel,
) -> Result<T, Unanswered> {
    let ask = Ask {
        purpose: question.purpose,
        messages: vec![
            Message::text(Role::System, question.system),
            Message { role: Role::User, parts: question.parts },
        ],
        schema: None,
        sampling: SamplingParams { max_tokens: question.max_tokens, ..SamplingParams::default() },
    };
    Ok(ask_structured::<T>(model, ask, cancel)?.value)
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self { error: Box::new(error), raw: String::new(), tries: 0, usage: Usage::default() }
    }
}

/// Times at which something begins or ends, in order.
#[derive(Debug, Default)]
pub(crate) struct Edges(Vec<MediaTime>);

impl Edges {
    /// At `times`.
    pub(crate) fn at(times: impl Iterator<Item = MediaTime>) -> Self {
        let mut all: Vec<_> = times.collect();
        all.sort_unstable();
        all.dedup();
        Self(all)
    }

    /// The edges of scenes and tracks.
    pub(crate) fn of(timeline: &Timeline) -> Self {
        let scenes = timeline.scenes.iter().map(|s| s.span);
        Self::at(scenes.chain(timeline.tracks.iter().map(|t| t.span)).flat_map(|s| [s.start, s.end]))
    }

    fn frame(&self, window: Span) -> TimeFrame<'_> {
        TimeFrame { window, edges: &self.0, tolerance: SNAP }
    }

    /// The time on the clock, within `window`.
    pub(crate) fn time(&self, text: TimeText, window: Span) -> Settled {
        self.frame(window).settle(text)
    }

    /// The span on the clock, within `window`.
    pub(crate) fn span(&self, start: TimeText, end: TimeText, window: Span) -> SettledSpan {
        self.frame(window).settle_span(start, end)
    }
}
