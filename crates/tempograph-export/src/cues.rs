//! Subtitle cues: which words stand together, on which line, for how long.
//!
//! The limits are those broadcasters and streaming services publish (BBC Subtitle Guidelines,
//! Netflix Timed Text Style Guide): two lines of 42 columns, one to seven seconds, two frames
//! between cues, a comfortable reading speed of 17 columns a second. Where words are broken is the
//! cheapest of all ways under a cost that likes sentence ends, then commas, then pauses.
//!
//! Times are counted from the first frame, as players do, not on the container's clock.

mod lines;
mod split;
mod timing;

use tempograph_core::{
    MediaTime, Timeline,
    timeline::{AudioEvent, AudioEventKind},
};

/// Columns a line holds; a wide character takes two.
pub const LINE_COLUMNS: usize = 42;
/// Lines a cue holds.
pub const CUE_LINES: usize = 2;
/// Shortest time a cue stands.
pub const SHORTEST: MediaTime = MediaTime::from_millis(1_000);
/// Longest time a cue stands.
pub const LONGEST: MediaTime = MediaTime::from_millis(7_000);

/// What stands on the screen for a while.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    /// From the first frame of the video.
    pub start: MediaTime,
    /// From the first frame of the video; after `start`.
    pub end: MediaTime,
    /// One or two lines, never empty when laid out here.
    pub lines: Vec<Line>,
}

/// A line of a cue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who says it.
    pub speaker: Option<String>,
    /// The words: no line end, no control character, no `-->`.
    pub text: String,
}

impl Cue {
    /// Whether its lines belong to different speakers.
    pub fn is_dialogue(&self) -> bool {
        self.lines.windows(2).any(|pair| pair[0].speaker != pair[1].speaker)
    }

    /// Its words on one line.
    pub fn text(&self) -> String {
        self.lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The speech of `timeline` as cues in order of time.
///
/// Cues never overlap and keep every word: when more is said at once than can be shown, later
/// cues wait.
pub fn layout(timeline: &Timeline) -> Vec<Cue> {
    laid_out(timeline, false)
}

/// As [`layout`], where several speak with the speaker's name and a colon before the first words of each turn, for forms
/// that have no other place for it.
pub fn layout_named(timeline: &Timeline) -> Vec<Cue> {
    laid_out(timeline, true)
}

fn laid_out(timeline: &Timeline, names: bool) -> Vec<Cue> {
    let mut speech: Vec<&AudioEvent> =
        timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech).collect();
    speech.sort_by_key(|e| e.span);
    let mut speakers = speech.iter().filter_map(|e| e.speaker.as_deref());
    let names = names && speakers.next().is_some_and(|first| speakers.any(|other| other != first));
    let mut cues = Vec::new();
    let mut before = None;
    for event in speech {
        let changed = event.speaker.as_deref().filter(|s| names && before != Some(*s));
        before = event.speaker.as_deref();
        let named = changed.map(|name| with_name(event, name));
        let words = split::words(named.as_ref().unwrap_or(event), timeline.video.start_s);
        let speaker = event.speaker.as_deref().map(crate::text::one_line).filter(|s| !s.is_empty());
        cues.extend(split::cues(&words, speaker.as_deref()));
    }
    cues.sort_by_key(|c| c.start);
    timing::settle(cues, timing::gap(timeline.video.fps))
}

/// `event` with `name` and a colon before its first word.
fn with_name(event: &AudioEvent, name: &str) -> AudioEvent {
    let mut named = event.clone();
    let before = |text: &mut String| *text = format!("{name}: {text}");
    named.text.iter_mut().filter(|t| !t.trim().is_empty()).for_each(before);
    named.words.iter_mut().filter_map(|w| w.first_mut()).for_each(|w| before(&mut w.text));
    named
}

#[cfg(test)]
mod tests;
