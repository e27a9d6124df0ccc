//! Highlights: the moments worth keeping, with a score from 0 to 1 and the reasons in words.
//!
//! Five [signals] say for each quarter second how much there is to see, hear or feel. A
//! window's score is the weighted mean, over the signals this video has, of half their mean and
//! half their peak within it. The best windows that do not overlap win; their [edges] move to
//! cuts and sentence ends.
//!
//! **Invariant:** pure and deterministic, like all of fusion: a function of the timeline, the
//! tracked detections and the options.

mod edges;
mod emotion;
mod happening;
mod motion;
mod novelty;
mod pick;
mod signals;
mod speech;
#[cfg(test)]
mod tests;

use tempograph_core::{MediaTime, Observation, Span, Timeline, timeline::Highlight};

use self::{
    edges::Edges,
    signals::{Grid, Signal},
};
use super::{paths, summary::clock};

/// Reasons given at most.
const MOST_REASONS: usize = 3;

/// How much each signal counts; only their proportions matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Faces and voices that show feeling.
    pub emotion: f64,
    /// Words, how loud and how fast; laughter, applause, cheering.
    pub speech: f64,
    /// How fast things move, in their own lengths.
    pub motion: f64,
    /// What happens between things, and what is seen and heard together.
    pub events: f64,
    /// What is unlike the rest of the video.
    pub novelty: f64,
}

/// What is a highlight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HighlightOptions {
    /// How many at most.
    pub count: usize,
    /// Shortest time; a video that is shorter is one highlight.
    pub min: MediaTime,
    /// Longest time.
    pub max: MediaTime,
    /// Score below which nothing is worth keeping, 0 to 1.
    pub min_score: f64,
    /// How much each signal counts.
    pub weights: Weights,
}

impl Default for HighlightOptions {
    /// Speech leads because it is what people quote; novelty is the least sure sign. Five to twenty
    /// seconds is what one idea takes.
    fn default() -> Self {
        Self {
            count: 5,
            min: MediaTime::from_millis(5_000),
            max: MediaTime::from_millis(20_000),
            min_score: 0.1,
            weights: Weights { emotion: 0.2, speech: 0.25, motion: 0.2, events: 0.2, novelty: 0.15 },
        }
    }
}

/// A signal and what it counts.
struct Weighed {
    signal: Signal,
    /// What it is in words, where it has no particular reason.
    words: &'static str,
    weight: f64,
}

/// The highlights of `timeline`, best first; `observations` hold the tracked detections.
///
/// A signal that this video has nothing of is left out and the others count more, so a video
/// without faces is not held against one with faces.
pub fn find(timeline: &Timeline, observations: &[Observation], options: &HighlightOptions) -> Vec<Highlight> {
    let video = &timeline.video;
    let whole = Span::new(video.start_s, video.start_s + video.duration_s);
    let Some(grid) = Grid::over(whole) else { return Vec::new() };
    let scenes: Vec<Span> = timeline.scenes.iter().map(|s| s.span).collect();
    let paths = paths::paths(observations, &timeline.tracks, &scenes);
    let w = options.weights;
    let mut signals = vec![
        (emotion::signal(timeline, &grid), "feeling", w.emotion),
        (speech::signal(timeline, &grid), "speech", w.speech),
        (motion::signal(timeline, &paths, &grid), "movement", w.motion),
        (happening::signal(timeline, &grid), "something happens", w.events),
        (novelty::signal(timeline, &grid), "something new", w.novelty),
    ];
    signals.retain(|(signal, _, weight)| *weight > 0.0 && !signal.is_silent());
    let all: f64 = signals.iter().map(|(_, _, weight)| weight).sum();
    if all <= 0.0 {
        return Vec::new();
    }
    let signals: Vec<Weighed> =
        signals.into_iter().map(|(signal, words, weight)| Weighed { signal, words, weight: weight / all }).collect();
    let edges = Edges::of(timeline, whole);
    let mut found = pick::best(&grid, &signals, &edges, options);
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.span.cmp(&b.span)));
    found
        .into_iter()
        .enumerate()
        .map(|(i, window)| Highlight {
            rank: i as u32 + 1,
            span: window.span,
            // Four decimals: beyond that the order of additions would show.
            clip_worthy_score: ((window.score * 1e4).round() / 1e4).clamp(0.0, 1.0) as f32,
            reasons: reasons(&signals, &grid, window.span),
            clip: None,
        })
        .collect()
}

/// What speaks most for `span`, each thing once.
fn reasons(signals: &[Weighed], grid: &Grid, span: Span) -> Vec<String> {
    let mut notes: Vec<(f64, MediaTime, &str)> = signals
        .iter()
        .flat_map(|w| w.signal.notes().iter().map(move |note| (w.weight * note.strength, note)))
        .filter(|(_, note)| note.span.intersect(span).is_some())
        .map(|(strength, note)| (strength, note.span.start, note.words.as_str()))
        .collect();
    notes.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let mut reasons: Vec<String> = Vec::new();
    for (_, _, words) in notes {
        if reasons.len() < MOST_REASONS && !reasons.iter().any(|r| r == words) {
            reasons.push(words.to_owned());
        }
    }
    if reasons.is_empty() {
        let sum = |w: &Weighed| w.weight * w.signal.values()[grid.inside(span)].iter().sum::<f64>();
        let most = signals.iter().max_by(|a, b| sum(a).total_cmp(&sum(b)));
        reasons.extend(most.map(|w| w.words.to_owned()));
    }
    reasons
}

/// One sentence about the best moment; empty when there is none.
pub(super) fn in_words(timeline: &Timeline) -> String {
    let Some(best) = timeline.highlights.first() else { return String::new() };
    let (from, to) = (clock(best.span.start, &timeline.video), clock(best.span.end, &timeline.video));
    let why = if best.reasons.is_empty() { String::new() } else { format!(" ({})", best.reasons.join(", ")) };
    format!(" Best moment: {from} to {to}{why}.")
}

/// Fills in the highlights, in the place of those that are there, and says the best in the summary.
pub fn fill(timeline: &mut Timeline, observations: &[Observation], options: &HighlightOptions) {
    let before = in_words(timeline);
    if timeline.summary.text.ends_with(&before) {
        timeline.summary.text.truncate(timeline.summary.text.len() - before.len());
    }
    timeline.highlights = find(timeline, observations, options);
    let best = in_words(timeline);
    timeline.summary.text.push_str(&best);
}
