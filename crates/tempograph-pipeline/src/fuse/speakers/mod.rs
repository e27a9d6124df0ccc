//! Speakers, decided: from windows with voices of their own to speakers of the whole video.
//!
//! 1. Voice prints are clustered ([`cluster`]): average linkage of their cosines, nudged by what the windows say of who is
//!    the same and who is not, down to one threshold. That gives the number of speakers.
//! 2. Each print gets the speaker it is nearest to, by a best path that dislikes changes within one voice of a window.
//! 3. The windows' levels are added up per speaker and become turns ([`activity`]); speakers may overlap.

mod activity;
mod cluster;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tempograph_core::{Claim, MediaTime, Observation, Span, VoicePrint, timeline::SpeakerTurn};
use tempograph_models::speakers::{FIRST_CENTRE, FRAMES, HOP, LOCAL_SPEAKERS};

use self::cluster::{Item, Relations};
use super::audio::join;

/// When voices are one speaker, and when a speaker speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeakerOptions {
    /// Two groups of voice prints with a mean cosine of at least this are one speaker. Two seconds of one voice give 0.45
    /// to 1, of two voices in one room up to 0.5.
    pub same_voice: f32,
    /// Added to the cosine of two prints that the windows give to one voice.
    pub together: f32,
    /// Taken off it when they give them to different voices.
    pub apart: f32,
    /// Shorter prints are too uncertain to say how many speakers there are.
    pub shortest_clustered: MediaTime,
    /// A speaker heard for less than this joins the nearest other one whose mean cosine is at least `absorb_voice`.
    pub absorb_below: MediaTime,
    /// See `absorb_below`.
    pub absorb_voice: f32,
    /// What a change of speaker within one voice of a window costs, in cosines.
    pub switch: f32,
    /// Share of a turn, or of a stretch that a voice is known by, that voice activity must take for a voice. Low, because
    /// distant speakers are heard in parts.
    pub voiced: f64,
    /// Mean level from which a speaker speaks, 0 to 1.
    pub onset: f32,
    /// Mean level below which he stops.
    pub offset: f32,
    /// A shorter pause, in which nobody else begins to speak, does not end a turn.
    pub longest_pause: MediaTime,
    /// Shorter turns are left out.
    pub shortest_turn: MediaTime,
}

impl Default for SpeakerOptions {
    fn default() -> Self {
        Self {
            same_voice: 0.51,
            together: 0.1,
            apart: 0.2,
            shortest_clustered: MediaTime::from_millis(1000),
            absorb_below: MediaTime::from_millis(4000),
            absorb_voice: 0.42,
            switch: 0.2,
            voiced: 0.2,
            onset: 0.5,
            offset: 0.35,
            longest_pause: MediaTime::from_millis(800),
            shortest_turn: MediaTime::from_millis(100),
        }
    }
}

/// One window of the stage.
struct Window<'a> {
    span: Span,
    /// Hexadecimal digits of each voice.
    levels: [&'a [u8]; LOCAL_SPEAKERS],
    /// First frame, counted from the recording's start.
    first: usize,
    /// Prints inside it with the voice that speaks in them, in order of time.
    heard: Vec<Heard>,
}

/// A print as one window hears it.
struct Heard {
    print: usize,
    voice: usize,
    /// Frames of the window.
    from: usize,
    until: usize,
}

impl Window<'_> {
    /// How sure it is that `voice` speaks in `frame`, 0 to 15.
    fn level(&self, voice: usize, frame: usize) -> u8 {
        match self.levels[voice].get(frame) {
            Some(d @ b'0'..=b'9') => d - b'0',
            Some(d @ b'a'..=b'f') => d - b'a' + 10,
            _ => 0,
        }
    }

    /// Which voice speaks in `span`, when the window sees all of it and one is more likely there than not.
    fn hear(&self, print: usize, span: Span) -> Option<Heard> {
        let seen = Span::new(self.span.start - EDGE, self.span.end + EDGE);
        let (from, until) = (self.frame(span.start), self.frame(span.end));
        if span.start < seen.start || span.end > seen.end || until < from + FEWEST {
            return None;
        }
        let sum = |voice| (from..until).map(|f| u32::from(self.level(voice, f))).sum::<u32>();
        let voice = (0..LOCAL_SPEAKERS).max_by_key(|&v| (sum(v), LOCAL_SPEAKERS - v))?;
        (2 * sum(voice) > 15 * (until - from) as u32).then_some(Heard { print, voice, from, until })
    }

    /// The frame whose middle is nearest to `time`.
    fn frame(&self, time: MediaTime) -> usize {
        let samples = (time - self.span.start).as_secs_f64() * 16_000.0 - FIRST_CENTRE as f64;
        (samples / HOP as f64).round().clamp(0.0, FRAMES as f64) as usize
    }
}

/// A print may reach this far over a window's edge.
const EDGE: MediaTime = MediaTime::from_millis(200);
/// Frames of a print that say something (85 ms).
const FEWEST: usize = 5;

/// Who speaks when, in order of start.
///
/// With `voiced`, voice activity was listened for too, and what it does not take for a voice is none: the windows alone
/// hear voices in music.
pub(super) fn turns(observations: &[Observation], voiced: bool, options: &SpeakerOptions) -> Vec<SpeakerTurn> {
    let voice = Voice::new(observations, voiced);
    let (mut windows, mut prints) = gather(observations);
    prints.retain(|p| voice.is_heard(p.span, options.voiced));
    for window in &mut windows {
        let first = prints.partition_point(|p| p.span.start < window.span.start - EDGE);
        let inside = prints[first..].iter().enumerate().take_while(|(_, p)| p.span.start < window.span.end);
        window.heard = inside.filter_map(|(i, p)| window.hear(first + i, p.span)).collect();
    }
    let voices = voices(&windows, &prints, options);
    let labels = assign(&prints, &voices, &windows, options.switch);
    let mut spoken = activity::spoken(&windows, &labels, voices.len().max(1), options);
    spoken.retain(|(span, _)| voice.is_heard(*span, options.voiced));
    named(spoken)
}

/// Where voice activity hears a voice, in order, each span once; `None` when nobody listened for it.
struct Voice(Option<Vec<Span>>);

impl Voice {
    fn new(observations: &[Observation], voiced: bool) -> Self {
        Self(voiced.then(|| {
            let voice = observations.iter().filter(|o| matches!(o.claim, Claim::Voice { .. }));
            let mut spans: Vec<Span> = voice.map(|o| o.span).collect();
            join(&mut spans);
            spans
        }))
    }

    /// Whether at least `share` of `span` is voice.
    fn is_heard(&self, span: Span, share: f64) -> bool {
        let Some(spans) = &self.0 else { return true };
        let first = spans.partition_point(|s| s.end <= span.start);
        let inside = spans[first..].iter().take_while(|s| s.start < span.end);
        let heard: f64 = inside.filter_map(|s| s.intersect(span)).map(|s| s.duration().as_secs_f64()).sum();
        heard > 0.0 && heard >= share * span.duration().as_secs_f64()
    }
}

/// Windows and prints in order of time.
fn gather(observations: &[Observation]) -> (Vec<Window<'_>>, Vec<&VoicePrint>) {
    let mut windows = Vec::new();
    let mut prints: Vec<&VoicePrint> = Vec::new();
    for observation in observations {
        let Claim::Speakers(claim) = &observation.claim else { continue };
        let level = |v: usize| claim.levels.get(v).map_or(&[][..], |l| l.as_bytes());
        let levels = std::array::from_fn(level);
        windows.push(Window { span: observation.span, levels, first: 0, heard: Vec::new() });
        prints.extend(&claim.prints);
    }
    windows.sort_by_key(|w| w.span);
    prints.sort_by_key(|p| (p.span, p.voice));
    prints.dedup_by_key(|p| (p.span, p.voice));
    let width = prints.first().map_or(0, |p| p.vector.len());
    prints.retain(|p| p.vector.len() == width);
    let mut start = MediaTime::ZERO;
    for i in 0..windows.len() {
        let begins = i == 0 || !activity::follows(windows[i - 1].span, windows[i].span);
        start = if begins { windows[i].span.start } else { start };
        let samples = (windows[i].span.start - start).as_secs_f64() * 16_000.0;
        windows[i].first = (samples / HOP as f64).round().max(0.0) as usize;
    }
    (windows, prints)
}

/// One vector of length 1 for each speaker.
fn voices(windows: &[Window<'_>], prints: &[&VoicePrint], options: &SpeakerOptions) -> Vec<Vec<f32>> {
    let relations = relations(windows, options);
    let long = |shortest| move |i: &usize| prints[*i].span.duration() >= shortest;
    let mut sure: Vec<usize> = (0..prints.len()).filter(long(options.shortest_clustered)).collect();
    if sure.is_empty() {
        sure = (0..prints.len()).collect();
    }
    let item = |i: usize| Item::new(i, &prints[i].vector, prints[i].span.duration().as_secs_f64() as f32);
    let mut items = cluster::cluster(sure.into_iter().map(item).collect(), &relations, options.same_voice);
    cluster::absorb(&mut items, options.absorb_below.as_secs_f64() as f32, options.absorb_voice);
    items.iter().map(Item::direction).collect()
}

/// What the windows say of pairs of prints: how much their cosine is raised or lowered.
fn relations(windows: &[Window<'_>], options: &SpeakerOptions) -> Relations {
    let mut votes: BTreeMap<(usize, usize), (i32, i32)> = BTreeMap::new();
    for window in windows {
        for (i, a) in window.heard.iter().enumerate() {
            for b in &window.heard[i + 1..] {
                let (sum, count) = votes.entry((a.print.min(b.print), a.print.max(b.print))).or_default();
                *sum += if a.voice == b.voice { 1 } else { -1 };
                *count += 1;
            }
        }
    }
    let nudge = |(sum, count): (i32, i32)| {
        let mean = sum as f32 / count.max(1) as f32;
        mean * if mean > 0.0 { options.together } else { options.apart }
    };
    votes.into_iter().map(|(pair, votes)| (pair, nudge(votes))).collect()
}

/// The speaker of each print: the path with the highest sum of cosines less `switch` for each change within one voice.
fn assign(prints: &[&VoicePrint], voices: &[Vec<f32>], windows: &[Window<'_>], switch: f32) -> Vec<usize> {
    if voices.is_empty() {
        return vec![0; prints.len()];
    }
    let mut joined = vec![false; prints.len()];
    for pair in windows.iter().flat_map(|w| w.heard.windows(2)) {
        joined[pair[1].print] |= pair[0].voice == pair[1].voice && pair[0].print + 1 == pair[1].print;
    }
    let cosines = |p: &VoicePrint| -> Vec<f32> { voices.iter().map(|v| cluster::dot(v, &p.vector)).collect() };
    let best = |scores: &[f32]| (0..scores.len()).fold(0, |b, k| if scores[k] > scores[b] { k } else { b });
    let mut scores = vec![0.0; voices.len()];
    let mut from: Vec<Vec<usize>> = Vec::with_capacity(prints.len());
    for (i, print) in prints.iter().enumerate() {
        let top = best(&scores);
        let fee = if joined[i] { switch } else { 0.0 };
        let change = scores[top] - fee;
        from.push((0..voices.len()).map(|k| if scores[k] >= change { k } else { top }).collect());
        scores = scores.iter().zip(cosines(print)).map(|(s, c)| s.max(change) - scores[top] + c).collect();
    }
    let mut labels = vec![0; prints.len()];
    let mut at = best(&scores);
    for i in (0..prints.len()).rev() {
        labels[i] = at;
        at = from[i][at];
    }
    labels
}

/// `Speaker 1`, `Speaker 2`, … in order of first speech.
fn named(mut spoken: Vec<(Span, usize)>) -> Vec<SpeakerTurn> {
    spoken.sort_unstable();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let mut name = |speaker: usize| {
        let next = numbers.len() + 1;
        format!("Speaker {}", *numbers.entry(speaker).or_insert(next))
    };
    spoken.into_iter().map(|(span, speaker)| SpeakerTurn { speaker: name(speaker), span }).collect()
}
