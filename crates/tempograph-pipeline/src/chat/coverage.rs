//! How much of the video an answer rests on.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempograph_core::{MediaTime, Timeline};

use super::{clock, understand::Channel};

/// How far an unfinished analysis is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reached {
    /// What every stage that runs has looked at, on the container's clock.
    pub until: MediaTime,
    /// Whether it is still running.
    pub running: bool,
    /// Names of stages that have not begun.
    pub waiting: Vec<String>,
}

/// How much of the video was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Whether the analysis is finished and nothing was left out.
    pub complete: bool,
    /// Whether it is still running.
    pub running: bool,
    /// Media time up to which it goes.
    pub until_s: MediaTime,
    /// Where the video ends.
    pub of_s: MediaTime,
    /// What was not looked for, e.g. `sounds`.
    pub missing: Vec<String>,
    /// In words; empty when complete.
    pub text: String,
}

/// A stage, what it looks for, and whose questions need it.
const SENSES: &[(&str, &str, Option<Channel>)] = &[
    ("speech", "speech", Some(Channel::Said)),
    ("text", "text in the picture", Some(Channel::Read)),
    ("sounds", "sounds", Some(Channel::Heard)),
    ("detect", "objects", Some(Channel::Seen)),
    ("faces", "faces", Some(Channel::Felt)),
];

/// What of `timeline` was looked at.
pub(super) fn coverage(timeline: &Timeline, reached: Option<&Reached>) -> Coverage {
    let video = &timeline.video;
    let end = video.start_s + video.duration_s;
    let ran: BTreeSet<&str> = timeline
        .run
        .stages
        .iter()
        .filter(|s| !matches!(s.status.as_str(), "failed" | "skipped"))
        .map(|s| s.name.as_str())
        .collect();
    let possible = |sense: Option<Channel>| match sense {
        Some(Channel::Said | Channel::Heard) => video.audio.is_some(),
        _ => video.video_codec.is_some(),
    };
    let missing: Vec<String> = SENSES
        .iter()
        .filter(|(stage, _, sense)| !ran.contains(stage) && possible(*sense))
        .map(|(_, what, _)| (*what).to_owned())
        .collect();
    let until = reached.map_or(end, |r| r.until.min(end));
    let mut parts = Vec::new();
    if until < end {
        let how = if reached.is_some_and(|r| r.running) { " so far" } else { "" };
        parts.push(format!("analysed up to {} of {}{how}", clock(until, video), clock(end, video)));
    }
    if !missing.is_empty() {
        parts.push(format!("no {} were looked for", missing.join(", ").replace("speech", "spoken words")));
    }
    Coverage {
        complete: parts.is_empty(),
        running: reached.is_some_and(|r| r.running),
        until_s: until,
        of_s: end,
        missing,
        text: parts.join("; "),
    }
}

impl Coverage {
    /// What an answer about `channel` must say of it: nothing when what is missing has no bearing.
    pub(super) fn caveat(&self, channel: Option<Channel>, found: bool) -> Option<&str> {
        let needed = |sense: Channel| {
            SENSES.iter().any(|(_, what, s)| *s == Some(sense) && self.missing.iter().any(|m| m == what))
        };
        let partial = self.until_s < self.of_s;
        let bears = partial || channel.map_or(!found && !self.missing.is_empty(), needed);
        (bears && !self.text.is_empty()).then_some(self.text.as_str())
    }
}
