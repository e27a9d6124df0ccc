//! Visual events from geometry: what boxes that move say about who does what.
//!
//! Each scene is looked at by itself. Boxes become smoothed [motions](motion) on a common grid of
//! times, motions become [pairs](pair), and one file for each family of events turns them into
//! events, all through [runs](runs) with hysteresis. Everything is relative to body length, so
//! neither the resolution nor the distance of the camera matters.

mod alone;
mod avoid;
mod front;
mod group;
mod motion;
mod near;
mod options;
mod pair;
mod runs;
mod sweep;
#[cfg(test)]
mod tests;
mod trail;
mod words;

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
};

pub use options::EventOptions;
use tempograph_core::{
    MediaTime, Span,
    timeline::{VisualEvent, VisualEventKind},
};

use self::{
    motion::{Motion, Nature},
    pair::Pair,
};
use super::{TrackDepth, entities::Mover};

/// An event before it has an id.
#[derive(Clone, Debug)]
struct Found {
    kind: VisualEventKind,
    /// Motions, the one who acts first.
    who: Vec<usize>,
    /// Grid points.
    run: RangeInclusive<usize>,
    /// How far beyond its thresholds it is, 0 to 1; held there.
    margin: f64,
    /// Shortest time of its kind.
    min_s: f64,
    /// Highest confidence it may have.
    ceiling: f32,
}

/// What every rule needs to know about the scene.
struct Rules<'a> {
    options: &'a EventOptions,
    motions: &'a [Motion<'a>],
    /// Grid points at which the camera moves, in order.
    camera: Vec<usize>,
    /// Position of each entity's motion.
    by_entity: BTreeMap<usize, usize>,
}

impl Rules<'_> {
    fn index(&self, motion: &Motion<'_>) -> usize {
        self.by_entity[&motion.mover.entity]
    }

    fn camera_moves(&self, k: usize) -> bool {
        self.camera.binary_search(&k).is_ok()
    }

    /// Seconds from the first to the last point.
    fn seconds(&self, run: &RangeInclusive<usize>) -> f64 {
        (run.end() - run.start()) as f64 * self.options.step_s + 1e-9
    }

    /// Grid points in `seconds`.
    fn points(&self, seconds: f64) -> usize {
        (seconds / self.options.step_s).round().max(0.0) as usize
    }
}

/// How two entities stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Side by side; the one that appeared first is named first.
    Near,
    /// The first covers the second's place in the picture from nearer by.
    InFrontOf,
}

impl Place {
    /// The relation's name in the graph.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::InFrontOf => "in_front_of",
        }
    }
}

/// An interval in which two entities stand to each other in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// How.
    pub place: Place,
    /// Ids of the two.
    pub entities: [String; 2],
    /// When.
    pub span: Span,
    /// Mean detection confidence of the less sure of the two, 0 to 1.
    pub confidence: f32,
}

/// What geometry says about a video.
#[derive(Debug, Default)]
pub(super) struct Geometry {
    /// In order of start, with ids.
    pub(super) events: Vec<VisualEvent>,
    /// In order of start.
    pub(super) standings: Vec<Standing>,
}

/// The events of all scenes, and how entities stand to each other. `movers` are ordered by scene.
pub(super) fn find(movers: &[Mover], scenes: &[Span], depths: &[TrackDepth], options: &EventOptions) -> Geometry {
    let options = &EventOptions { step_s: options.step_s.max(0.01), ..options.clone() };
    let depths: Depths<'_> = depths.iter().map(|d| (d.track, d.near.as_slice())).collect();
    let mut geometry = Geometry::default();
    for in_scene in movers.chunk_by(|a, b| a.scene == b.scene) {
        if let Some(&scene) = scenes.get(in_scene[0].scene) {
            scene_events(in_scene, scene, &depths, options, &mut geometry);
        }
    }
    geometry.events.sort_by(|a, b| {
        (a.span, a.kind, &a.entities).cmp(&(b.span, b.kind, &b.entities)).then(b.confidence.total_cmp(&a.confidence))
    });
    for (i, event) in geometry.events.iter_mut().enumerate() {
        event.id = format!("V{}", i + 1);
    }
    geometry.standings.sort_by(|a, b| (a.span, &a.entities, a.place).cmp(&(b.span, &b.entities, b.place)));
    geometry
}

/// Nearness of tracks over time.
type Depths<'a> = BTreeMap<u32, &'a [(MediaTime, f32)]>;

fn scene_events(movers: &[Mover], scene: Span, depths: &Depths<'_>, o: &EventOptions, out: &mut Geometry) {
    let motions: Vec<Motion<'_>> = movers.iter().filter_map(|m| Motion::new(m, scene, depths, o)).collect();
    let rules = Rules {
        options: o,
        camera: motion::camera_moves(&motions, o),
        by_entity: motions.iter().enumerate().map(|(i, m)| (m.mover.entity, i)).collect(),
        motions: &motions,
    };
    let pairs = pairs(&motions, o);

    let mut found = Vec::new();
    let mut stays = Vec::new();
    for (i, motion) in motions.iter().enumerate() {
        stays.extend(alone::idle(motion, &rules, &mut found).into_iter().map(|run| (i, run)));
    }
    alone::observe(&stays, &pairs, &rules, &mut found);
    let mut beings_met = Vec::new();
    for pair in &pairs {
        trail::trails(pair, &rules, &mut found);
        avoid::avoid(pair, &rules, &mut found);
        let near = near::near(pair, &rules);
        let meetings = near::meetings(pair, &near, &rules);
        near::closing(pair, &meetings, &rules, &mut found);
        near::interact(pair, &rules, &mut found);
        out.standings.extend(near.iter().map(|run| standing(Place::Near, [pair.a, pair.b], run, scene, &rules)));
        out.standings.extend(front::fronts(pair, &rules).iter().map(|(first, run)| {
            let who = if *first { [pair.a, pair.b] } else { [pair.b, pair.a] };
            standing(Place::InFrontOf, who, run, scene, &rules)
        }));
        if pair.a.nature == Nature::Being && pair.b.nature == Nature::Being {
            let (a, b) = (rules.index(pair.a), rules.index(pair.b));
            beings_met.extend(meetings.into_iter().map(|run| (a, b, run)));
        }
    }
    group::groups(&beings_met, &rules, &mut found);

    let found = limited(found, &rules);
    out.events.extend(found.iter().map(|f| event(f, scene, &rules)));
}

/// The pairs that are there together, ordered by position.
fn pairs<'m, 'a>(motions: &'m [Motion<'a>], options: &EventOptions) -> Vec<Pair<'m, 'a>> {
    let mut by_start: Vec<usize> = (0..motions.len()).collect();
    by_start.sort_by_key(|&i| (motions[i].range().start, i));
    let ends = |r: Range<usize>| r.end;
    let mut keys = Vec::new();
    let mut active: Vec<usize> = Vec::new();
    for &i in &by_start {
        active.retain(|&j| ends(motions[j].range()) > motions[i].range().start);
        keys.extend(active.iter().map(|&j| (i.min(j), i.max(j))));
        active.push(i);
    }
    keys.sort_unstable();
    keys.into_iter().filter_map(|(a, b)| Pair::new(&motions[a], &motions[b], options)).collect()
}

/// `score × (0.6 + 0.4 · margin) × d / (d + min / 2)`: how sure the detections are, how clear the
/// movement is (with depth, where it is known), and how long it lasts against the shortest of its kind.
fn confidence(found: &Found, rules: &Rules<'_>) -> f32 {
    let score = found.who.iter().map(|&i| rules.motions[i].mover.score).sum::<f64>() / found.who.len().max(1) as f64;
    let seconds = rules.seconds(&found.run);
    let margin = (found.margin + confirmed(found, rules)).clamp(0.0, 1.0);
    let value = score * (0.6 + 0.4 * margin) * seconds / (seconds + found.min_s / 2.0);
    (value.clamp(0.0, 1.0) as f32).min(found.ceiling)
}

/// What measured depth adds to the margin of an approach or departure: boxes that meet in the picture may be far
/// apart, unless depth says that they were at one distance when they met.
fn confirmed(found: &Found, rules: &Rules<'_>) -> f64 {
    let together = match found.kind {
        VisualEventKind::Approach => *found.run.end(),
        VisualEventKind::Depart => *found.run.start(),
        _ => return 0.0,
    };
    let known = |&i: &usize| rules.motions[i].at(together).is_some_and(|s| s.near.is_some());
    // Those at different distances are not near and met nobody, so to be known is to agree.
    if found.who.iter().all(known) { rules.options.depth_margin } else { 0.0 }
}

/// Keeps the surest where one pair or one entity would have too many of a kind.
fn limited(mut found: Vec<Found>, rules: &Rules<'_>) -> Vec<Found> {
    let o = rules.options;
    found.retain(|f| confidence(f, rules) >= o.min_confidence);
    found.sort_by(|a, b| {
        let key = |f: &Found| (*f.run.start(), f.kind, f.who.clone());
        confidence(b, rules).total_cmp(&confidence(a, rules)).then_with(|| key(a).cmp(&key(b)))
    });
    let mut by_pair: BTreeMap<(VisualEventKind, Vec<usize>), usize> = BTreeMap::new();
    let mut by_entity: BTreeMap<(VisualEventKind, usize), usize> = BTreeMap::new();
    found.retain(|f| {
        let mut who = f.who.clone();
        who.sort_unstable();
        let full = who.iter().any(|&i| by_entity.get(&(f.kind, i)).is_some_and(|&n| n >= o.max_per_entity));
        let pair = by_pair.entry((f.kind, who.clone())).or_default();
        if full || *pair >= o.max_per_pair {
            return false;
        }
        *pair += 1;
        who.into_iter().for_each(|i| *by_entity.entry((f.kind, i)).or_default() += 1);
        true
    });
    found
}

fn standing(
    place: Place,
    [a, b]: [&Motion<'_>; 2],
    run: &RangeInclusive<usize>,
    scene: Span,
    rules: &Rules<'_>,
) -> Standing {
    Standing {
        place,
        entities: [a.mover.id.clone(), b.mover.id.clone()],
        span: span(run, scene, rules.options),
        confidence: a.mover.score.min(b.mover.score).clamp(0.0, 1.0) as f32,
    }
}

/// Which of two stands in front of the other, in words, where depth tells them apart for most of the time.
fn in_front(found: &Found, rules: &Rules<'_>) -> String {
    let [a, b] = found.who[..] else { return String::new() };
    let (a, b) = (&rules.motions[a], &rules.motions[b]);
    let gap = |k: usize| Some(a.at(k)?.near? - b.at(k)?.near?);
    let mut gaps: Vec<f64> = found.run.clone().filter_map(gap).collect();
    gaps.sort_by(f64::total_cmp);
    let Some(&median) = gaps.get(gaps.len() / 2) else { return String::new() };
    let (front, back) = if median > 0.0 { (a, b) } else { (b, a) };
    if median.abs() < rules.options.front_gap {
        return String::new();
    }
    format!(", {} in front of {}", front.mover.id, back.mover.id)
}

fn time(k: usize, scene: Span, options: &EventOptions) -> MediaTime {
    scene.start + MediaTime::from_secs_f64(k as f64 * options.step_s)
}

fn span(run: &RangeInclusive<usize>, scene: Span, options: &EventOptions) -> Span {
    let end = time(*run.end(), scene, options).min(scene.end);
    Span::new(time(*run.start(), scene, options).min(end), end)
}

fn event(found: &Found, scene: Span, rules: &Rules<'_>) -> VisualEvent {
    let span = span(&found.run, scene, rules.options);
    let movers: Vec<&Mover> = found.who.iter().map(|&i| rules.motions[i].mover).collect();
    VisualEvent {
        id: String::new(),
        kind: found.kind,
        entities: movers.iter().map(|m| m.id.clone()).collect(),
        span,
        description: words::describe(found.kind, &movers) + &in_front(found, rules),
        confidence: confidence(found, rules),
        origin: "geometry".to_owned(),
        evidence: words::evidence(span, &movers),
    }
}
