//! Motion: where an object is and how fast, on a grid of times that all objects share.

use tempograph_core::Span;

use super::{
    super::{entities::Mover, paths::Spot},
    Depths, EventOptions,
    sweep::Sweep,
};

/// Place and speed of an object at a grid point. Pixels and pixels a second, the height axis
/// multiplied by the foreshortening.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct State {
    /// Middle of the lower edge: where it meets the ground.
    pub(super) at: [f64; 2],
    pub(super) speed: [f64; 2],
    pub(super) width: f64,
    /// One body length.
    pub(super) diagonal: f64,
    /// Nearness among what the frame shows, 0 to 1, where depth was measured.
    pub(super) near: Option<f64>,
}

impl State {
    /// Speed in body lengths a second.
    pub(super) fn pace(&self) -> f64 {
        length(self.speed) / self.diagonal
    }
}

/// What kind of thing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Being,
    Vehicle,
    Thing,
}

/// Grid points a box at most: what is seen more rarely, as when a file's clock jumps by years from frame to frame, shows no
/// motion.
const MOST_POINTS: usize = 1000;

/// The states of one mover in one scene.
#[derive(Debug)]
pub(super) struct Motion<'a> {
    pub(super) mover: &'a Mover,
    pub(super) nature: Nature,
    /// Grid index of the first state.
    pub(super) from: usize,
    /// One for each grid point; none where the object was not seen for long.
    states: Vec<Option<State>>,
}

impl<'a> Motion<'a> {
    /// The motion of `mover` in the scene at `scene`; `None` when it was seen too little.
    pub(super) fn new(mover: &'a Mover, scene: Span, depths: &Depths<'_>, options: &EventOptions) -> Option<Self> {
        let time = |s: &Spot| (s.time - scene.start).as_secs_f64();
        let (first, last) = (time(mover.spots.first()?), time(mover.spots.last()?));
        if last - first < options.min_seen_s || mover.score < options.min_score || first < 0.0 {
            return None;
        }
        let mut gaps: Vec<f64> = mover.spots.windows(2).map(|w| time(&w[1]) - time(&w[0])).collect();
        gaps.sort_by(f64::total_cmp);
        // At low analysis rates the window must still hold a few boxes.
        let spacing = gaps[gaps.len() / 2];
        let (half, bridge) = (options.smooth_s.max(1.6 * spacing), options.bridge_s.max(3.0 * spacing));

        let rows = filtered(&mover.spots, time);
        let from = (first / options.step_s - 1e-6).ceil().max(0.0) as usize;
        let to = (last / options.step_s + 1e-6).floor().max(0.0) as usize;
        if to.saturating_sub(from) > MOST_POINTS * mover.spots.len() {
            return None;
        }
        let near: Vec<(f64, f64)> = nearness(mover, scene, depths);
        let mut states = Vec::with_capacity(to.saturating_sub(from) + 1);
        let (mut low, mut high) = (0, 0);
        for k in from..=to {
            let t = k as f64 * options.step_s;
            while low < rows.len() && rows[low][0] < t - half - 1e-9 {
                low += 1;
            }
            while high < rows.len() && rows[high][0] <= t + half + 1e-9 {
                high += 1;
            }
            let next = rows.partition_point(|r| r[0] < t - 1e-9);
            let hole = if next == 0 || next >= rows.len() { 0.0 } else { rows[next][0] - rows[next - 1][0] };
            let state = if hole <= bridge { fit(&rows[low..high], t, options.foreshortening) } else { None };
            let state = state.or_else(|| bridged(&rows, next, hole <= bridge, t, options.foreshortening));
            states.push(state.map(|s| State { near: near_at(&near, t, options.depth_bridge_s), ..s }));
        }
        let is = |list: &[String]| list.contains(&mover.label);
        let nature = match () {
            () if is(&options.beings) => Nature::Being,
            () if is(&options.vehicles) => Nature::Vehicle,
            () => Nature::Thing,
        };
        Some(Self { mover, nature, from, states })
    }

    /// The state at grid index `k`.
    pub(super) fn at(&self, k: usize) -> Option<&State> {
        self.states.get(k.checked_sub(self.from)?)?.as_ref()
    }

    /// Grid indices from the first to after the last state.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.from..self.from + self.states.len()
    }
}

/// Rows of time, foot x, foot y, width, height; each the median of three neighbours, which
/// removes single wild boxes and leaves steady motion as it is.
fn filtered(spots: &[Spot], time: impl Fn(&Spot) -> f64) -> Vec<[f64; 5]> {
    let raw: Vec<[f64; 5]> = spots
        .iter()
        .map(|s| {
            let (b, t) = (s.bbox, time(s));
            [t, f64::from(b.center().0), f64::from(b.y2), f64::from(b.width()), f64::from(b.height())]
        })
        .collect();
    let mut rows = raw.clone();
    for i in 1..raw.len().saturating_sub(1) {
        for axis in 1..5 {
            let mut v = [raw[i - 1][axis], raw[i][axis], raw[i + 1][axis]];
            v.sort_by(f64::total_cmp);
            rows[i][axis] = v[1];
        }
    }
    rows
}

/// A least-squares line through `rows`, read at `t`.
fn fit(rows: &[[f64; 5]], t: f64, foreshortening: f64) -> Option<State> {
    if rows.len() < 3 {
        return None;
    }
    let n = rows.len() as f64;
    let mean = |axis: usize| rows.iter().map(|r| r[axis]).sum::<f64>() / n;
    let mean_t = mean(0);
    let spread = rows.iter().map(|r| (r[0] - mean_t).powi(2)).sum::<f64>();
    let line = |axis: usize| {
        let m = mean(axis);
        let cov = rows.iter().map(|r| (r[0] - mean_t) * (r[axis] - m)).sum::<f64>();
        let slope = if spread > 0.0 { cov / spread } else { 0.0 };
        (m + slope * (t - mean_t), slope)
    };
    let ((x, vx), (y, vy)) = (line(1), line(2));
    let (width, height) = (mean(3), mean(4));
    let diagonal = width.hypot(height);
    let (at, speed) = ([x, y * foreshortening], [vx, vy * foreshortening]);
    (diagonal > 0.0).then_some(State { at, speed, width, diagonal, near: None })
}

/// A state between two boxes when too few lie near for [`fit`].
fn bridged(rows: &[[f64; 5]], next: usize, allowed: bool, t: f64, foreshortening: f64) -> Option<State> {
    if !allowed || next == 0 || next >= rows.len() {
        return None;
    }
    let (a, b) = (&rows[next - 1], &rows[next]);
    let span = (b[0] - a[0]).max(f64::MIN_POSITIVE);
    let share = (t - a[0]) / span;
    let mix = |axis: usize| a[axis] + (b[axis] - a[axis]) * share;
    let slope = |axis: usize| (b[axis] - a[axis]) / span;
    let diagonal = mix(3).hypot(mix(4));
    (diagonal > 0.0).then_some(State {
        at: [mix(1), mix(2) * foreshortening],
        speed: [slope(1), slope(2) * foreshortening],
        width: mix(3),
        diagonal,
        near: None,
    })
}

/// Seconds into the scene and nearness of the mover's tracks, in order of time.
fn nearness(mover: &Mover, scene: Span, depths: &Depths<'_>) -> Vec<(f64, f64)> {
    let samples = mover.tracks.iter().filter_map(|(track, _)| depths.get(track)).flat_map(|near| near.iter());
    let mut near: Vec<(f64, f64)> = samples
        .filter(|(time, _)| scene.contains(*time))
        .map(|&(time, near)| ((time - scene.start).as_secs_f64(), f64::from(near)))
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near
}

/// Nearness at `t`: between two measurements that are close enough in time, or that of one close by.
fn near_at(near: &[(f64, f64)], t: f64, bridge_s: f64) -> Option<f64> {
    let next = near.partition_point(|n| n.0 < t);
    let before = next.checked_sub(1).map(|i| near[i]);
    let after = near.get(next).copied();
    match (before, after) {
        (Some(a), Some(b)) if b.0 - a.0 <= bridge_s => {
            let share = if b.0 > a.0 { (t - a.0) / (b.0 - a.0) } else { 0.0 };
            Some(a.1 + (b.1 - a.1) * share)
        }
        (a, b) => {
            let close = [a, b].into_iter().flatten().filter(|n| (n.0 - t).abs() <= bridge_s / 2.0);
            close.min_by(|a, b| (a.0 - t).abs().total_cmp(&(b.0 - t).abs())).map(|n| n.1)
        }
    }
}

/// The grid points at which most objects move alike, so that the camera must be moving; in order.
///
/// Rules that need to know who really moves hold still there; distances between objects are not
/// touched by it.
pub(super) fn camera_moves(motions: &[Motion<'_>], options: &EventOptions) -> Vec<usize> {
    let mut sweep = Sweep::new(motions.iter().collect(), |m: &&Motion<'_>| m.range());
    let mut moving = Vec::new();
    let mut k = 0;
    loop {
        sweep.go_to(&(k..k + 1));
        if sweep.there().is_empty() {
            let Some(next) = sweep.next_start() else { return moving };
            k = next;
            continue;
        }
        let states: Vec<&State> = sweep.there().iter().filter_map(|m| m.at(k)).collect();
        if states.len() >= options.camera_objects && move_alike(&states, options) {
            moving.push(k);
        }
        k += 1;
    }
}

/// Whether most of `states` share one speed that is not small.
fn move_alike(states: &[&State], options: &EventOptions) -> bool {
    let median = |axis: usize| {
        let mut v: Vec<f64> = states.iter().map(|s| s.speed[axis]).collect();
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    };
    let common = [median(0), median(1)];
    let alike = states
        .iter()
        .filter(|s| {
            let off = length([s.speed[0] - common[0], s.speed[1] - common[1]]);
            length(common) >= options.camera_speed * s.diagonal && off <= options.camera_speed * s.diagonal
        })
        .count();
    alike as f64 >= options.camera_share * states.len() as f64
}

pub(super) fn length(v: [f64; 2]) -> f64 {
    v[0].hypot(v[1])
}

pub(super) fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

pub(super) fn sub(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// Cosine of the angle between two vectors; 0 when either is zero.
pub(super) fn cosine(a: [f64; 2], b: [f64; 2]) -> f64 {
    let norm = length(a) * length(b);
    if norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}
