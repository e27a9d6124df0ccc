//! Sound events: which of the classes that scored is one, from when to when.
//!
//! A class contains others (`Animal`, `Dog`, `Bark`), and all of them score at one bark. So events are found for
//! *concepts*, the outermost classes that name a source, from the best score within each; the concept's event is then
//! named after the most specific class that is nearly as well supported. Of concepts that rival for one sound the best
//! supported stays. Everything that was outdone is listed as an alternative.

mod concept;
mod edges;

use tempograph_core::{
    Claim, MediaTime, Observation, SoundScores, Span,
    timeline::{AudioEvent, AudioEventKind, SoundLabel},
};
use tempograph_models::sounds::{Class, Kind, Scale, scale};

use self::concept::{Candidate, candidates, name, settle};
pub(super) use self::edges::Levels;

/// When a class's scores are an event.
#[derive(Clone, Debug, PartialEq)]
pub struct SoundOptions {
    /// Score that one window of an event reaches at least.
    pub on: f32,
    /// Score that the windows around it keep.
    pub off: f32,
    /// As `on`, for a window that is mostly voice: there a sound must be plain to stand beside it.
    pub on_over_voice: f32,
    /// Share of a window from which it is mostly voice.
    pub voice_share: f64,
    /// Windows below `off` within an event.
    pub bridge: usize,
    /// A class is named after one it contains that has this share of its support.
    pub specific: f32,
    /// A container, e.g. `Animal`, is no event where its classes' events cover this share of it.
    pub covered: f64,
    /// Share of the weaker of two rivals that the stronger has to cover to outdo it.
    pub rival: f64,
    /// Support of the stronger of two rivals, as a share of the weaker's where both are heard, from which it outdoes it.
    pub rival_share: f32,
    /// Windows on either side that a source takes over from its container.
    pub grow: usize,
    /// Support that says how it sounds yields to a source with this share of it.
    pub manner: f32,
    /// Alternatives listed at most.
    pub alternatives: usize,
    /// Share of a sound's best score that a window reaches which is asked for alternatives.
    pub plain: f32,
    /// Score of an alternative at least.
    pub least_alternative: f32,
    /// Quiet that divides sounds that are acts of their own, e.g. two barks.
    pub pause: MediaTime,
}

impl Default for SoundOptions {
    fn default() -> Self {
        Self::of("yamnet")
    }
}

impl SoundOptions {
    /// For the scores of a network of `family`, which says what is much.
    pub fn of(family: &str) -> Self {
        let Scale { on, off, on_over_voice } = scale(family);
        Self {
            on,
            off,
            on_over_voice,
            voice_share: 0.5,
            bridge: 1,
            specific: 0.8,
            covered: 0.5,
            rival: 0.5,
            rival_share: 0.6,
            grow: 2,
            manner: 0.5,
            alternatives: 4,
            plain: 0.5,
            least_alternative: 0.05,
            pause: MediaTime::from_millis(500),
        }
    }
}

/// A window of one recording and what it sounds like.
pub(super) struct Window {
    span: Span,
    /// Share of it in which somebody speaks.
    voice: f64,
    /// By class, each with the best of what it contains.
    scores: Vec<(Class, f32)>,
}

impl Window {
    fn score(&self, class: Class) -> f32 {
        self.scores.binary_search_by_key(&class, |s| s.0).map_or(0.0, |at| self.scores[at].1)
    }
}

/// The sound events in any order, without ids. `voice` is where somebody speaks.
pub(super) fn events(
    observations: &[Observation],
    voice: &[Span],
    heard_voice: bool,
    options: &SoundOptions,
) -> Vec<AudioEvent> {
    let levels = Levels::new(observations, voice);
    let mut events = Vec::new();
    for windows in recordings(observations, voice, heard_voice) {
        for Candidate { class, first, last, .. } in settle(candidates(&windows, options), &windows, options) {
            let inside = &windows[first..=last];
            let (label, support) = name(class, inside, options);
            let confidence = inside.iter().map(|w| w.score(label)).fold(support, f32::max);
            let alternatives = alternatives(label, inside, options);
            let coarse = Span::new(windows[first].span.start, windows[last].span.end);
            for span in levels.pieces(coarse, label.is_sustained(), options.pause) {
                events.push(AudioEvent {
                    label: Some(label.name().to_owned()),
                    alternatives: alternatives.clone(),
                    confidence,
                    ..super::audio::blank(AudioEventKind::Sound, span)
                });
            }
        }
    }
    joined(events)
}

/// The events with those of one label that overlap as one: neighbouring windows do, and two runs may get one name.
fn joined(mut events: Vec<AudioEvent>) -> Vec<AudioEvent> {
    events.sort_by(|a, b| (&a.label, a.span).cmp(&(&b.label, b.span)));
    let mut joined: Vec<AudioEvent> = Vec::with_capacity(events.len());
    for event in events {
        match joined.last_mut() {
            Some(last) if last.label == event.label && event.span.start < last.span.end => {
                last.span = Span::new(last.span.start, last.span.end.max(event.span.end));
                if event.confidence > last.confidence {
                    (last.confidence, last.alternatives) = (event.confidence, event.alternatives);
                }
            }
            _ => joined.push(event),
        }
    }
    joined
}

/// Windows in order of time, divided where the audio has a gap.
fn recordings(observations: &[Observation], voice: &[Span], heard_voice: bool) -> Vec<Vec<Window>> {
    let mut claims: Vec<(Span, &SoundScores)> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Sounds(scores) if !scores.windows.is_empty() => Some((o.span, scores)),
            _ => None,
        })
        .collect();
    claims.sort_by_key(|(span, _)| *span);
    let mut recordings: Vec<Vec<Window>> = Vec::new();
    let mut end = None;
    for (span, claim) in claims {
        if end != Some(span.start) {
            recordings.push(Vec::new());
        }
        end = Some(span.end);
        let classes: Vec<Option<Class>> = claim.classes.iter().map(|c| Class::named(c)).collect();
        let count = claim.windows.len() as i64;
        for (i, scores) in claim.windows.iter().enumerate() {
            let start = MediaTime::from_nanos(span.start.nanos() + span.duration().nanos() / count * i as i64);
            let span = Span::new(start, start + claim.window);
            let named = scores.iter().filter_map(|&(c, score)| Some((classes.get(usize::from(c)).copied()??, score)));
            let window = Window { span, voice: share(span, voice), scores: propagated(named, heard_voice) };
            if let Some(recording) = recordings.last_mut() {
                recording.push(window);
            }
        }
    }
    recordings
}

/// The scores with those of the classes around: what contains a class is heard where the class is.
fn propagated(scores: impl Iterator<Item = (Class, f32)>, heard_voice: bool) -> Vec<(Class, f32)> {
    let mut all: Vec<(Class, f32)> = Vec::new();
    for (class, score) in scores {
        let left_out = match class.kind() {
            Kind::Setting => true,
            Kind::Speech => heard_voice,
            _ => !score.is_finite(),
        };
        if !left_out {
            all.extend(std::iter::once(class).chain(class.ancestors()).map(|c| (c, score.clamp(0.0, 1.0))));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    all.dedup_by_key(|s| s.0);
    all
}

/// Share of `span` that `spans` cover; they do not overlap each other.
fn share(span: Span, spans: &[Span]) -> f64 {
    let from = spans.partition_point(|s| s.end <= span.start);
    let covered: i64 = spans[from..]
        .iter()
        .take_while(|s| s.start < span.end)
        .filter_map(|s| s.intersect(span))
        .map(|s| s.duration().nanos())
        .sum();
    covered as f64 / span.duration().nanos().max(1) as f64
}

/// Mean score of `class` over `windows`.
fn support(class: Class, windows: &[Window]) -> f32 {
    windows.iter().map(|w| w.score(class)).sum::<f32>() / windows.len().max(1) as f32
}

/// What else it may be: other branches, the surest first, each as sure as it is at its best, which is how sure `label` is
/// told to be. Asked of the windows that hear `label` well: what else a long sound is once in a while, it is not.
fn alternatives(label: Class, windows: &[Window], options: &SoundOptions) -> Vec<SoundLabel> {
    let best = windows.iter().map(|w| w.score(label)).fold(0.0, f32::max);
    let plain: Vec<&Window> = windows.iter().filter(|w| w.score(label) >= options.plain * best).collect();
    let mut classes: Vec<Class> = plain.iter().flat_map(|w| w.scores.iter().map(|s| s.0)).collect();
    classes.sort_unstable();
    classes.dedup();
    let mut rated: Vec<(Class, f32)> = classes
        .into_iter()
        .filter(|&c| c != label && !c.contains(label) && c.kind() != Kind::Container)
        .map(|c| (c, plain.iter().map(|w| w.score(c)).fold(0.0, f32::max)))
        .filter(|&(_, score)| score >= options.least_alternative)
        .collect();
    // What is inside says more than what is around it, where both are as well supported.
    rated.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    let mut listed: Vec<(Class, f32)> = Vec::new();
    for (class, score) in rated {
        let said = |l: &(Class, f32)| class.contains(l.0);
        if listed.len() < options.alternatives && !listed.iter().any(said) {
            listed.push((class, score));
        }
    }
    listed.into_iter().map(|(c, confidence)| SoundLabel { label: c.name().to_owned(), confidence }).collect()
}

#[cfg(test)]
mod tests;
