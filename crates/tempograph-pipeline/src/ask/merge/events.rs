//! What models say happens, as events: of known kinds, about entities that exist, each once.

use std::collections::BTreeSet;

use tempograph_core::{
    MediaTime, Span, Timeline, ToldEvent, WindowTold,
    timeline::{Evidence, Track, VisualEvent, VisualEventKind as Kind},
};

use super::{
    Refused,
    entities::{Names, track_id},
};
use crate::ask::windows;

/// Shared time over joint time from which two events of one kind and the same entities are one.
const SAME_TIME: f64 = 0.3;
/// Time between two events of neighbouring windows that are one.
const NEXT: MediaTime = MediaTime::from_millis(1_000);
/// Shortest event: a moment is not an interval.
const SHORTEST: MediaTime = MediaTime::from_millis(200);
/// Telling frames that are kept of an event.
const FRAMES: usize = 4;

/// Verbs that models use for the kinds there are.
const VERBS: &[(Kind, &[&str])] = &[
    (
        Kind::Approach,
        &[
            "approach",
            "approaches",
            "approaching",
            "enter",
            "enters",
            "arrive",
            "arrives",
            "come",
            "comes",
            "walk towards",
            "walks towards",
            "walking towards",
            "move towards",
            "moves towards",
            "moving towards",
        ],
    ),
    (
        Kind::Depart,
        &[
            "depart",
            "departs",
            "departing",
            "leave",
            "leaves",
            "leaving",
            "exit",
            "exits",
            "walk away",
            "walks away",
            "walking away",
            "move away",
            "moves away",
            "moving away",
        ],
    ),
    (
        Kind::Interact,
        &[
            "interact",
            "interacts",
            "interacting",
            "interaction",
            "talk",
            "talks",
            "hug",
            "touch",
            "hold",
            "hand over",
            "shake hands",
            "conversation",
        ],
    ),
    (Kind::Follow, &["follow", "follows", "following"]),
    (
        Kind::Idle,
        &[
            "idle", "idles", "idling", "stand", "stands", "standing", "sit", "sits", "sitting", "wait", "waits",
            "waiting", "stay", "stays",
        ],
    ),
    (Kind::Group, &["group", "groups", "grouping", "gather", "gathers", "gathering"]),
    (Kind::Avoid, &["avoid", "avoids", "avoiding", "dodge", "evade"]),
    (Kind::Chase, &["chase", "chases", "chasing", "pursue", "pursues"]),
    (Kind::Observe, &["observe", "observes", "observing", "watch", "watches", "watching", "look", "looks", "looking"]),
];

/// The kind that a model's word means.
pub(super) fn kind(word: &str) -> Option<Kind> {
    let mut word = word.trim().to_lowercase().replace(['_', '-'], " ");
    if word.ends_with("toward") {
        word.push('s');
    }
    VERBS.iter().find(|(_, verbs)| verbs.contains(&word.as_str())).map(|(kind, _)| *kind)
}

/// Whether the kind is about at least two.
fn needs_two(kind: Kind) -> bool {
    !matches!(kind, Kind::Idle | Kind::Observe)
}

/// The events of one window that can be believed.
pub(super) fn of(
    timeline: &Timeline,
    window: Span,
    told: &WindowTold,
    names: &Names,
    refused: &mut Refused,
) -> Vec<VisualEvent> {
    let mut events = Vec::new();
    for event in &told.events {
        let Some(kind) = kind(&event.kind) else {
            refused.kinds.push(format!("{} ({})", event.kind, windows::id(told.window)));
            continue;
        };
        let mut who: Vec<String> = Vec::new();
        let mut unknown = 0;
        for name in &event.entities {
            match names.get(name).or_else(|| names.get(&format!("T{}", track_id(name)?))) {
                Some(id) if who.contains(id) => {}
                Some(id) => who.push(id.clone()),
                None => {
                    unknown += 1;
                    refused.ids.push(format!("{name} ({})", windows::id(told.window)));
                }
            }
        }
        let span = settled(event.span, window);
        // Who was shown no frame knows of nobody but those that are tracked, while they are.
        if told.frames_s.is_empty() {
            who.retain(|id| {
                let there = tracks_of(timeline, std::slice::from_ref(id), span).next().is_some();
                if !there {
                    unknown += 1;
                    refused.absent.push(format!("{id} ({})", windows::id(told.window)));
                }
                there
            });
        }
        // Without the one that was made up, half an event is left.
        if who.is_empty() || unknown > 0 && needs_two(kind) && who.len() < 2 {
            continue;
        }
        events.push(believed(timeline, span, told, event, kind, who));
    }
    events
}

/// What of `said` lies in the window; all of it where nothing does.
fn settled(said: Span, window: Span) -> Span {
    let inside = said.intersect(window).unwrap_or(window);
    let end = inside.end.max(inside.start + SHORTEST).min(window.end);
    Span::new(inside.start.min(end), end)
}

/// The tracks of these entities that are seen in `span`.
fn tracks_of<'a>(timeline: &'a Timeline, who: &'a [String], span: Span) -> impl Iterator<Item = &'a Track> {
    timeline
        .tracks
        .iter()
        .filter(move |t| t.entity.as_ref().is_some_and(|e| who.contains(e)) && t.span.intersect(span).is_some())
}

fn believed(
    timeline: &Timeline,
    span: Span,
    told: &WindowTold,
    event: &ToldEvent,
    kind: Kind,
    who: Vec<String>,
) -> VisualEvent {
    let mut frames_s: Vec<MediaTime> = told.frames_s.iter().copied().filter(|t| span.contains(*t)).collect();
    if frames_s.is_empty() {
        let middle = MediaTime::from_nanos((span.start.nanos() + span.end.nanos()) / 2);
        frames_s.extend(told.frames_s.iter().copied().min_by_key(|t| t.abs_diff(middle)));
    }
    let step = frames_s.len().div_ceil(FRAMES).max(1);
    let frames_s = frames_s.into_iter().step_by(step).collect();
    VisualEvent {
        id: String::new(),
        kind,
        evidence: Evidence { frames_s, tracks: tracks_of(timeline, &who, span).map(|t| t.id).collect() },
        entities: who,
        span,
        description: event.description.clone(),
        confidence: event.confidence.clamp(0.0, 1.0),
        origin: told.model.clone(),
    }
}

/// Adds `found` to the events, each once, and numbers all of them anew in order of start.
pub(super) fn add(timeline: &mut Timeline, mut found: Vec<VisualEvent>) {
    found.sort_by(order);
    let mut own: Vec<VisualEvent> = Vec::new();
    for event in found {
        let measured = timeline.visual_events.iter_mut().filter(|e| same(e, &event));
        let best = measured.max_by(|a, b| overlap(a.span, event.span).total_cmp(&overlap(b.span, event.span)));
        if let Some(measured) = best {
            join(measured, &event);
        } else if let Some(known) = own.iter_mut().find(|e| same(e, &event) || follows(e, &event)) {
            known.span.end = known.span.end.max(event.span.end);
            known.confidence = known.confidence.max(event.confidence);
            known.evidence.frames_s.extend(event.evidence.frames_s);
            known.evidence.frames_s.dedup();
            known.evidence.frames_s.truncate(FRAMES);
            known.evidence.tracks.extend(event.evidence.tracks);
            known.evidence.tracks.sort_unstable();
            known.evidence.tracks.dedup();
        } else {
            own.push(event);
        }
    }
    if own.is_empty() {
        return;
    }
    timeline.visual_events.extend(own);
    timeline.visual_events.sort_by(order);
    for (i, event) in timeline.visual_events.iter_mut().enumerate() {
        event.id = format!("V{}", i + 1);
    }
}

/// What geometry measured stands; the model adds its words and its name.
fn join(measured: &mut VisualEvent, told: &VisualEvent) {
    let said = measured.origin.split(", ").any(|o| o == told.origin);
    if !said {
        measured.origin = format!("{}, {}", measured.origin, told.origin);
        if !told.description.is_empty() {
            measured.description = format!("{}: {}", measured.description, told.description);
        }
    }
    measured.confidence = measured.confidence.max(told.confidence);
    let frames = told.evidence.frames_s.iter().filter(|t| !measured.evidence.frames_s.contains(t));
    let frames: Vec<MediaTime> = frames.copied().take(FRAMES).collect();
    measured.evidence.frames_s.extend(frames);
    measured.evidence.frames_s.sort_unstable();
}

fn order(a: &VisualEvent, b: &VisualEvent) -> std::cmp::Ordering {
    (a.span, a.kind, &a.entities, &a.origin)
        .cmp(&(b.span, b.kind, &b.entities, &b.origin))
        .then(b.confidence.total_cmp(&a.confidence))
        .then_with(|| a.description.cmp(&b.description))
}

fn overlap(a: Span, b: Span) -> f64 {
    let both = a.intersect(b).map_or(0.0, |s| s.duration().as_secs_f64());
    let either = a.end.max(b.end) - a.start.min(b.start);
    both / either.as_secs_f64().max(1e-9)
}

/// One kind, mostly the same entities, and the same time or one within the other.
fn same(a: &VisualEvent, b: &VisualEvent) -> bool {
    let within = |a: Span, b: Span| a.start <= b.start && b.end <= a.end;
    let time = overlap(a.span, b.span) >= SAME_TIME || within(a.span, b.span) || within(b.span, a.span);
    a.kind == b.kind && time && company(a, b)
}

/// Whether `b` goes on where `a` ended.
fn follows(a: &VisualEvent, b: &VisualEvent) -> bool {
    let set = |e: &VisualEvent| e.entities.iter().cloned().collect::<BTreeSet<_>>();
    a.kind == b.kind && a.span.gap(b.span) <= NEXT && set(a) == set(b)
}

/// Whether at least half of those that take part in either take part in both.
fn company(a: &VisualEvent, b: &VisualEvent) -> bool {
    let set = |e: &VisualEvent| e.entities.iter().cloned().collect::<BTreeSet<_>>();
    let (a, b) = (set(a), set(b));
    2 * a.intersection(&b).count() >= a.union(&b).count().max(1)
}
