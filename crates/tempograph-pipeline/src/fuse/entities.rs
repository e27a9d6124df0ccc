//! Entities: tracks, joined where one object was only interrupted.
//!
//! Joining is conservative. Two tracks become one entity only within a scene, when they have the
//! same label, do not overlap in time, and the later starts where the earlier was heading, at
//! the same size, with no other track as good a candidate on either side. Nothing is joined
//! across a cut: geometry has no evidence there.

use std::collections::BTreeMap;

use tempograph_core::{
    MediaTime,
    timeline::{Entity, Track, Video},
};

use super::{
    paths::{Path, Spot},
    summary::clock,
};

/// When interrupted tracks are one entity. Lengths are in diagonals of the object's own box.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityOptions {
    /// Longest interruption.
    pub max_gap: MediaTime,
    /// Time at each end of a track that its speed there is estimated from.
    pub speed_window: MediaTime,
    /// Boxes that a track needs within that time: fewer say nothing of where it was heading.
    pub min_boxes: usize,
    /// Largest distance between where the earlier track was heading and where the later starts.
    pub max_error: f64,
    /// What that distance may grow by for each second of interruption.
    pub max_error_per_s: f64,
    /// Largest ratio between the box diagonals at both ends.
    pub max_size_ratio: f64,
    /// A join is refused when another candidate's error is below this many times its own.
    pub ambiguity: f64,
}

impl Default for EntityOptions {
    fn default() -> Self {
        Self {
            max_gap: MediaTime::from_millis(2000),
            speed_window: MediaTime::from_millis(800),
            min_boxes: 3,
            max_error: 0.35,
            max_error_per_s: 0.25,
            max_size_ratio: 1.3,
            ambiguity: 2.0,
        }
    }
}

/// An entity within one scene, as the event rules see it.
#[derive(Clone, Debug)]
pub(super) struct Mover {
    /// Position in the list of entities.
    pub(super) entity: usize,
    pub(super) id: String,
    pub(super) label: String,
    pub(super) scene: usize,
    /// In order of time.
    pub(super) spots: Vec<Spot>,
    /// Track and the time of its first spot here, in order of time.
    pub(super) tracks: Vec<(u32, MediaTime)>,
    /// Mean confidence of its detections.
    pub(super) score: f64,
}

/// What [`group`] decided.
#[derive(Debug)]
pub(super) struct Grouped {
    pub(super) entities: Vec<Entity>,
    /// Ordered by scene, then entity.
    pub(super) movers: Vec<Mover>,
}

/// Groups tracks into entities and writes each entity's id into its tracks.
pub(super) fn group(tracks: &mut [Track], paths: &[Path], video: &Video, options: &EntityOptions) -> Grouped {
    let position: BTreeMap<u32, usize> = tracks.iter().enumerate().map(|(i, t)| (t.id, i)).collect();
    let mut parent: Vec<usize> = (0..tracks.len()).collect();
    for (earlier, later) in joins(paths, options) {
        let (a, b) = (root(&parent, position[&earlier]), root(&parent, position[&later]));
        parent[a.max(b)] = a.min(b);
    }

    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for i in 0..tracks.len() {
        members.entry(root(&parent, i)).or_default().push(i);
    }
    let mut groups: Vec<Vec<usize>> = members.into_values().collect();
    for group in &mut groups {
        group.sort_by_key(|&i| (tracks[i].span.start, tracks[i].id));
    }
    groups.sort_by_key(|g| (tracks[g[0]].span.start, tracks[g[0]].id));

    let mut by_track: BTreeMap<u32, Vec<&Path>> = BTreeMap::new();
    for path in paths {
        by_track.entry(path.track).or_default().push(path);
    }
    let mut grouped = Grouped { entities: Vec::with_capacity(groups.len()), movers: Vec::new() };
    for (n, group) in groups.iter().enumerate() {
        let id = format!("E{}", n + 1);
        for &i in group {
            tracks[i].entity = Some(id.clone());
        }
        let mut own: Vec<&Path> =
            group.iter().flat_map(|&i| by_track.get(&tracks[i].id).into_iter().flatten().copied()).collect();
        own.sort_by_key(|p| (p.scene, p.first().time, p.track));
        grouped.entities.push(entity(&id, group, tracks, &own, video));
        for scene in own.chunk_by(|a, b| a.scene == b.scene) {
            grouped.movers.push(mover(n, &id, scene));
        }
    }
    grouped.movers.sort_by_key(|m| (m.scene, m.entity));
    grouped
}

fn root(parent: &[usize], mut i: usize) -> usize {
    while parent[i] != i {
        i = parent[i];
    }
    i
}

fn mover(entity: usize, id: &str, paths: &[&Path]) -> Mover {
    let mut spots: Vec<Spot> = paths.iter().flat_map(|p| &p.spots).copied().collect();
    spots.sort_by_key(|s| s.time);
    spots.dedup_by_key(|s| s.time);
    let score = spots.iter().map(|s| f64::from(s.score)).sum::<f64>() / spots.len().max(1) as f64;
    let tracks = paths.iter().map(|p| (p.track, p.first().time)).collect();
    Mover { entity, id: id.to_owned(), label: paths[0].label.clone(), scene: paths[0].scene, spots, tracks, score }
}

fn entity(id: &str, group: &[usize], tracks: &[Track], paths: &[&Path], video: &Video) -> Entity {
    let first = group.iter().map(|&i| tracks[i].span.start).min().unwrap_or_default();
    let last = group.iter().map(|&i| tracks[i].span.end).max().unwrap_or_default();
    let kind = tracks[group[0]].label.clone();
    let place = match (paths.first(), paths.last()) {
        (Some(a), Some(b)) => format!(", {}", place(a.first(), b.last(), video)),
        _ => String::new(),
    };
    Entity {
        id: id.to_owned(),
        description: format!("{kind}{place}, {}–{}", clock(first, video), clock(last, video)),
        kind,
        first_seen_s: first,
        last_seen_s: last,
        tracks: group.iter().map(|&i| tracks[i].id).collect(),
        speakers: Vec::new(),
        origin: "tracks".to_owned(),
        told: Vec::new(),
    }
}

/// Where in the frame: the third it is in, or the thirds it goes between.
fn place(first: Spot, last: Spot, video: &Video) -> String {
    let third = |s: Spot| match s.bbox.center().0 * 3.0 / video.width.max(1) as f32 {
        x if x < 1.0 => "left",
        x if x < 2.0 => "centre",
        _ => "right",
    };
    match (third(first), third(last)) {
        (a, b) if a == b => a.to_owned(),
        (a, b) => format!("{a} to {b}"),
    }
}

/// A possible join, with the distance left over in box diagonals.
struct Candidate {
    earlier: usize,
    later: usize,
    error: f64,
}

/// Pairs of track ids that are one object, each track at most once on each side.
fn joins(paths: &[Path], options: &EntityOptions) -> Vec<(u32, u32)> {
    let mut candidates = Vec::new();
    let ends: Vec<(End, End)> = paths.iter().map(|p| (End::of(p, false, options), End::of(p, true, options))).collect();
    for scene in paths.chunk_by(|a, b| a.scene == b.scene) {
        // Paths lie in one slice, so an index into it follows from the scene's first element.
        let base = paths.partition_point(|p| p.scene < scene[0].scene);
        let mut by_start: Vec<usize> = (base..base + scene.len()).collect();
        by_start.sort_by_key(|&i| (paths[i].first().time, paths[i].track));
        for earlier in base..base + scene.len() {
            let end = paths[earlier].last().time;
            let from = by_start.partition_point(|&i| paths[i].first().time <= end);
            for &later in &by_start[from..] {
                if paths[later].first().time - end > options.max_gap {
                    break;
                }
                if paths[later].label == paths[earlier].label
                    && let Some(error) = error(&ends[earlier].1, &ends[later].0, options)
                {
                    candidates.push(Candidate { earlier, later, error });
                }
            }
        }
    }
    let rivalled = |c: &Candidate| {
        candidates.iter().any(|o| {
            let other = (o.earlier, o.later) != (c.earlier, c.later);
            other && (o.earlier == c.earlier || o.later == c.later) && o.error < c.error * options.ambiguity + 0.05
        })
    };
    candidates.iter().filter(|c| !rivalled(c)).map(|c| (paths[c.earlier].track, paths[c.later].track)).collect()
}

/// Position, speed and size of a path at one of its ends.
struct End {
    time: f64,
    at: [f64; 2],
    /// Pixels a second.
    speed: [f64; 2],
    diagonal: f64,
    boxes: usize,
}

impl End {
    fn of(path: &Path, last: bool, options: &EntityOptions) -> Self {
        let edge = if last { path.last() } else { path.first() };
        let near: Vec<&Spot> =
            path.spots.iter().filter(|s| s.time.abs_diff(edge.time) <= options.speed_window).collect();
        let n = near.len() as f64;
        // Times relative to the edge keep the sums small whatever the container's clock says.
        let t = |s: &Spot| (s.time - edge.time).as_secs_f64();
        let mean_t = near.iter().map(|s| t(s)).sum::<f64>() / n;
        let var_t = near.iter().map(|s| (t(s) - mean_t).powi(2)).sum::<f64>();
        let axis = |f: fn(&Spot) -> f32| {
            let mean = near.iter().map(|s| f64::from(f(s))).sum::<f64>() / n;
            let cov = near.iter().map(|s| (t(s) - mean_t) * (f64::from(f(s)) - mean)).sum::<f64>();
            let slope = if var_t > 0.0 { cov / var_t } else { 0.0 };
            (mean - slope * mean_t, slope)
        };
        let (x, vx) = axis(|s| s.bbox.center().0);
        let (y, vy) = axis(|s| s.bbox.center().1);
        let diagonal = near.iter().map(|s| f64::from(s.bbox.width().hypot(s.bbox.height()))).sum::<f64>() / n;
        Self { time: edge.time.as_secs_f64(), at: [x, y], speed: [vx, vy], diagonal, boxes: near.len() }
    }
}

/// How far `later` starts from where `earlier` was heading, in diagonals, when that is near enough.
fn error(earlier: &End, later: &End, options: &EntityOptions) -> Option<f64> {
    let unit = (earlier.diagonal + later.diagonal) / 2.0;
    let ratio = earlier.diagonal.max(later.diagonal) / earlier.diagonal.min(later.diagonal).max(f64::MIN_POSITIVE);
    if earlier.boxes.min(later.boxes) < options.min_boxes || unit <= 0.0 || ratio > options.max_size_ratio {
        return None;
    }
    let gap = later.time - earlier.time;
    // Half way with each speed: exact for steady motion, and a turn in between costs both the same.
    let miss = |axis: usize| {
        let speed = (earlier.speed[axis] + later.speed[axis]) / 2.0;
        (later.at[axis] - earlier.at[axis] - speed * gap) / unit
    };
    let error = miss(0).hypot(miss(1));
    (error <= options.max_error + options.max_error_per_s * gap).then_some(error)
}

#[cfg(test)]
mod tests {
    use tempograph_core::{BoxXyxy, Span};

    use super::*;

    /// A 20×40 box that starts at `x` and moves `speed` pixels a second, ten frames a second.
    fn path(track: u32, from_ms: i64, to_ms: i64, x: f32, speed: f32) -> Path {
        let spots = (from_ms / 100..=to_ms / 100)
            .map(|i| {
                let dx = (i - from_ms / 100) as f32 / 10.0 * speed;
                Spot {
                    time: MediaTime::from_millis(i * 100),
                    bbox: BoxXyxy::from_xywh(x + dx, 50.0, 20.0, 40.0),
                    score: 0.9,
                }
            })
            .collect();
        Path { track, scene: 0, label: "person".into(), spots }
    }

    fn entities(paths: &[Path]) -> Vec<Entity> {
        let mut tracks: Vec<Track> = paths
            .iter()
            .map(|p| Track {
                id: p.track,
                label: p.label.clone(),
                score: 0.9,
                span: Span::new(p.first().time, p.last().time),
                frames: p.spots.len() as u64,
                entity: None,
            })
            .collect();
        let video = Video { width: 300, height: 200, ..Video::default() };
        let entities = group(&mut tracks, paths, &video, &EntityOptions::default()).entities;
        assert!(tracks.iter().all(|t| t.entity.is_some()));
        entities
    }

    #[test]
    fn an_interrupted_walker_is_one_entity() {
        let found = entities(&[path(1, 0, 3000, 10.0, 30.0), path(2, 4000, 6000, 130.0, 30.0)]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].tracks, [1, 2]);
        assert_eq!(found[0].description, "person, left to right, 0:00–0:06");
    }

    #[test]
    fn other_place_size_label_scene_or_time_is_another_entity() {
        let first = path(1, 0, 3000, 10.0, 30.0);
        let elsewhere = path(2, 4000, 6000, 210.0, 30.0);
        let late = path(2, 6000, 8000, 190.0, 30.0);
        let meanwhile = path(2, 2500, 6000, 90.0, 30.0);
        let mut car = path(2, 4000, 6000, 130.0, 30.0);
        car.label = "car".into();
        let mut cut = path(2, 4000, 6000, 130.0, 30.0);
        cut.scene = 1;
        let mut large = path(2, 4000, 6000, 130.0, 30.0);
        for s in &mut large.spots {
            s.bbox = BoxXyxy::new(s.bbox.x1 - 10.0, s.bbox.y1 - 20.0, s.bbox.x2 + 10.0, s.bbox.y2 + 20.0);
        }
        let brief = path(2, 4000, 4100, 130.0, 30.0);
        for second in [brief, elsewhere, late, meanwhile, car, cut, large] {
            assert_eq!(entities(&[first.clone(), second.clone()]).len(), 2, "{second:?}");
        }
    }

    #[test]
    fn two_candidates_are_no_evidence() {
        let rivals = [path(1, 0, 3000, 10.0, 30.0), path(2, 4000, 6000, 128.0, 30.0), path(3, 4000, 6000, 133.0, 30.0)];
        assert_eq!(entities(&rivals).len(), 3);
    }
}
