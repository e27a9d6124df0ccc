//! ByteTrack: every detection box counts, the faint ones second.
//!
//! Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022,
//! with the constants of its reference implementation. Two things differ: times are seconds
//! instead of frame counts, with boxes compared more widely the fewer frames a second there are, so
//! that a low or uneven analysis rate works; and a detection counts less for a track of another class.
//!
//! Where detections say what they look like, the first association takes the better of place and looks, as BoT-SORT does
//! (Aharon et al., "BoT-SORT: Robust Associations Multi-Pedestrian Tracking", 2022): looks count only where the motion
//! model can believe the place (DeepSORT's gate), so that a track is found again after it was hidden. Without looks
//! nothing changes.

use tempograph_core::{Appearance, Detections, MediaTime, assign::assign_within};

use super::{Clock, Labels, Sighting, Tracker, corners, distance, kalman::Axis};

/// Process and measurement noise of position and size, as a share of the box height (DeepSORT).
const POSITION_STD: f64 = 1.0 / 20.0;
/// Process noise of velocities, as a share of the box height and step (DeepSORT).
const VELOCITY_STD: f64 = 1.0 / 160.0;
/// Largest IoU distance at which a faint detection continues a track.
const SECOND_LIMIT: f64 = 0.5;
/// Largest distance at which a second sighting confirms a track.
const UNCONFIRMED_LIMIT: f64 = 0.7;
/// IoU distance below which a lost and a followed track are one object.
const DUPLICATE: f64 = 0.15;

/// How [`ByteTrack`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct ByteTrackOptions {
    /// Detections of at least this score are associated first.
    pub high_score: f32,
    /// Detections below this score are ignored.
    pub low_score: f32,
    /// How far above `high_score` a detection must be to start a track.
    pub start_margin: f32,
    /// Largest distance, `1 - IoU · score`, of the first association.
    pub match_limit: f64,
    /// How long a track outlives its last sighting; never less than two steps.
    pub lost: MediaTime,
    /// Distance of analysed frames.
    pub step: MediaTime,
    /// How far boxes reach out to all sides when they are compared, as a share of their size, where
    /// analysed frames lie half a second or more apart; none up to a tenth of a second. Few frames
    /// leave no overlap to go by (Yang et al., "C-BIoU", WACV 2023).
    pub reach: f64,
    /// What overlap counts with a track whose most frequent class is another: 0 keeps classes
    /// apart, 1 ignores them. Detectors waver between classes that look alike, so neither is best.
    pub other_class: f64,
}

/// The reference's evaluation settings (`tools/track.py`): 0.6, 0.1, 0.9, one second.
impl Default for ByteTrackOptions {
    fn default() -> Self {
        Self {
            high_score: 0.6,
            low_score: 0.1,
            start_margin: 0.1,
            match_limit: 0.9,
            lost: MediaTime::from_millis(1000),
            step: MediaTime::from_nanos(1_000_000_000 / 30),
            reach: 0.3,
            other_class: 0.8,
        }
    }
}

/// Largest half cosine distance at which two looks may be of one object (BoT-SORT's appearance threshold).
const LOOKS_LIMIT: f64 = 0.25;
/// Largest squared distance from the predicted box, in standard deviations, at which looks count: the 0.95 quantile of
/// the chi-square distribution with 4 degrees of freedom (DeepSORT).
const LOOKS_GATE: f64 = 9.4877;
/// How much of a track's looks each sighting leaves (BoT-SORT's and StrongSORT's moving average).
const LOOKS_KEPT: f32 = 0.9;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unconfirmed,
    Followed,
    Lost,
}

#[derive(Clone, Debug)]
struct Target {
    id: u32,
    state: State,
    /// Centre x, centre y, width over height, height.
    axes: [Axis; 4],
    labels: Labels,
    /// What it looks like, a unit vector; empty while nobody looked.
    looks: Vec<f32>,
    started: i64,
    seen: i64,
    first: (u64, usize),
    /// Row of the current frame.
    row: Option<usize>,
}

/// The ByteTrack tracker.
#[derive(Debug)]
pub struct ByteTrack {
    options: ByteTrackOptions,
    clock: Clock,
    targets: Vec<Target>,
    confirmed: Vec<Sighting>,
    last_id: u32,
    updates: u64,
    /// Whether the next frame is the first one after the start or a cut: its tracks count at once.
    fresh: bool,
    /// Share of a box's size by which it is widened.
    margin: f64,
}

impl ByteTrack {
    /// A tracker that has seen nothing.
    pub fn new(options: ByteTrackOptions) -> Self {
        let clock = Clock::new(options.step);
        let sparse = ((options.step.as_secs_f64() - 0.1) / 0.4).clamp(0.0, 1.0);
        Self {
            margin: sparse * options.reach,
            options,
            clock,
            targets: Vec::new(),
            confirmed: Vec::new(),
            last_id: 0,
            updates: 0,
            fresh: true,
        }
    }

    /// Pairs `targets` with `rows`; matched targets take their row in, the rest of both is returned.
    fn associate(
        &mut self,
        targets: Vec<usize>,
        rows: Vec<usize>,
        d: &Detections,
        limit: f64,
        fuse_score: bool,
    ) -> (Vec<usize>, Vec<usize>) {
        if targets.is_empty() || rows.is_empty() {
            return (targets, rows);
        }
        let boxes: Vec<[f64; 4]> = rows.iter().map(|&r| corners(d.boxes()[r])).collect();
        let wide: Vec<[f64; 4]> = boxes.iter().map(|&b| widened(b, self.margin)).collect();
        // Weak boxes show the object half hidden: its looks would mislead.
        let looks: Vec<Option<Vec<f32>>> =
            rows.iter().map(|&r| d.appearance(r).filter(|_| fuse_score).map(Appearance::unit)).collect();
        let mut costs = Vec::with_capacity(targets.len() * rows.len());
        for &t in &targets {
            let label = self.targets[t].labels.majority();
            let target = widened(self.targets[t].corners(), self.margin);
            for (i, (&r, &b)) in rows.iter().zip(&wide).enumerate() {
                let class = if d.labels()[r] == label { 1.0 } else { self.options.other_class };
                let score = if fuse_score { f64::from(d.scores()[r]) } else { 1.0 };
                let alike = (1.0 - distance(target, b)) * score * class;
                let place = if class > 0.0 { 1.0 - alike } else { f64::INFINITY };
                let seen = looks[i].as_deref().filter(|_| class > 0.0);
                costs.push(seen.map_or(place, |looks| place.min(self.targets[t].unlike(looks, boxes[i]))));
            }
        }
        let pairs = assign_within(&costs, targets.len(), rows.len(), limit);
        let mut free = vec![true; rows.len()];
        let mut left = Vec::new();
        for (&t, pair) in targets.iter().zip(pairs) {
            match pair {
                Some(at) => {
                    free[at] = false;
                    self.see(t, rows[at], boxes[at], &d.labels()[rows[at]]);
                    if let Some(looks) = &looks[at] {
                        self.targets[t].remember(looks);
                    }
                }
                None => left.push(t),
            }
        }
        (left, rows.into_iter().zip(free).filter_map(|(r, f)| f.then_some(r)).collect())
    }

    fn see(&mut self, target: usize, row: usize, b: [f64; 4], label: &str) {
        let target = &mut self.targets[target];
        target.correct(b);
        target.labels.add(label);
        target.seen = self.clock.now;
        target.row = Some(row);
        if target.state == State::Unconfirmed {
            self.last_id += 1;
            target.id = self.last_id;
            let (update, row) = target.first;
            self.confirmed.push(Sighting { track: target.id, update, row });
        }
        target.state = State::Followed;
    }

    fn start(&mut self, row: usize, b: [f64; 4], d: &Detections) {
        let label = &d.labels()[row];
        let state = if self.fresh { State::Followed } else { State::Unconfirmed };
        if self.fresh {
            self.last_id += 1;
        }
        self.targets.push(Target {
            id: self.last_id,
            state,
            axes: start_axes(b),
            labels: Labels::new(label),
            looks: d.appearance(row).map(Appearance::unit).unwrap_or_default(),
            started: self.clock.now,
            seen: self.clock.now,
            first: (self.updates, row),
            row: Some(row),
        });
    }

    /// Of a followed and a lost track in one place, keeps the one followed for longer.
    fn drop_duplicates(&mut self) {
        let mut dropped = vec![false; self.targets.len()];
        for (a, followed) in self.targets.iter().enumerate().filter(|(_, t)| t.state != State::Lost) {
            for (b, lost) in self.targets.iter().enumerate().filter(|(_, t)| t.state == State::Lost) {
                let apart = self.options.other_class <= 0.0 && followed.labels.majority() != lost.labels.majority();
                if !apart && distance(followed.corners(), lost.corners()) < DUPLICATE {
                    let longer = followed.seen - followed.started > lost.seen - lost.started;
                    dropped[if longer { b } else { a }] = true;
                }
            }
        }
        let mut dropped = dropped.into_iter();
        self.targets.retain(|_| !dropped.next().unwrap_or(false));
    }
}

impl Tracker for ByteTrack {
    fn name(&self) -> &'static str {
        "bytetrack"
    }

    fn update(&mut self, d: &Detections, time: MediaTime) -> Vec<Option<u32>> {
        let steps = self.clock.advance(time);
        let lost_after = self.clock.steps(self.options.lost).max(2);
        self.confirmed.clear();
        if steps > lost_after {
            self.targets.clear();
        }
        for target in &mut self.targets {
            target.row = None;
            if target.state != State::Unconfirmed {
                (0..steps).for_each(|_| target.predict());
            }
        }

        let o = &self.options;
        let high: Vec<usize> = (0..d.len()).filter(|&r| d.scores()[r] >= o.high_score).collect();
        let low = (0..d.len()).filter(|&r| d.scores()[r] < o.high_score && d.scores()[r] > o.low_score).collect();
        let (match_limit, start_score) = (o.match_limit, o.high_score + o.start_margin);
        let of = |state: State, targets: &[Target]| -> Vec<usize> {
            (0..targets.len()).filter(|&t| targets[t].state == state).collect()
        };
        let unconfirmed = of(State::Unconfirmed, &self.targets);
        let mut pool = of(State::Followed, &self.targets);
        pool.extend(of(State::Lost, &self.targets));

        let (left, high) = self.associate(pool, high, d, match_limit, true);
        let left = left.into_iter().filter(|&t| self.targets[t].state == State::Followed).collect();
        let (left, _) = self.associate(left, low, d, SECOND_LIMIT, false);
        for t in left {
            self.targets[t].state = State::Lost;
        }
        let (_, high) = self.associate(unconfirmed, high, d, UNCONFIRMED_LIMIT, true);
        let now = self.clock.now;
        self.targets.retain(|t| match t.state {
            State::Unconfirmed => false,
            State::Followed => true,
            State::Lost => now - t.seen <= lost_after,
        });
        for row in high.into_iter().filter(|&r| d.scores()[r] >= start_score) {
            self.start(row, corners(d.boxes()[row]), d);
        }
        self.drop_duplicates();

        let mut ids = vec![None; d.len()];
        for target in self.targets.iter().filter(|t| t.state == State::Followed) {
            if let Some(row) = target.row {
                ids[row] = Some(target.id);
            }
        }
        self.updates += 1;
        self.fresh = false;
        ids
    }

    fn confirmed(&self) -> &[Sighting] {
        &self.confirmed
    }

    fn cut(&mut self) {
        self.targets.clear();
        self.confirmed.clear();
        self.fresh = true;
    }
}

fn widened(b: [f64; 4], share: f64) -> [f64; 4] {
    let (x, y) = ((b[2] - b[0]) * share, (b[3] - b[1]) * share);
    [b[0] - x, b[1] - y, b[2] + x, b[3] + y]
}

/// Centre, aspect ratio and height of a box; a box without height counts as one pixel high.
fn measure(b: [f64; 4]) -> [f64; 4] {
    let (w, h) = ((b[2] - b[0]).max(0.0), (b[3] - b[1]).max(1.0));
    [(b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0, w / h, h]
}

fn start_axes(b: [f64; 4]) -> [Axis; 4] {
    let [x, y, a, h] = measure(b);
    let (position, velocity) = (2.0 * POSITION_STD * h, 10.0 * VELOCITY_STD * h);
    [
        Axis::new(x, position, velocity),
        Axis::new(y, position, velocity),
        Axis::new(a, 1e-2, 1e-5),
        Axis::new(h, position, velocity),
    ]
}

impl Target {
    fn predict(&mut self) {
        if self.state != State::Followed {
            self.axes[3].rate = 0.0;
        }
        let h = self.axes[3].value;
        let (position, velocity) = (POSITION_STD * h, VELOCITY_STD * h);
        for (i, axis) in self.axes.iter_mut().enumerate() {
            if i == 2 { axis.predict(1e-2, 1e-5) } else { axis.predict(position, velocity) }
        }
    }

    /// How unlike it a detection with these `looks` at `b` is, 0 to [`LOOKS_LIMIT`]; infinite where it cannot be the same.
    fn unlike(&self, looks: &[f32], b: [f64; 4]) -> f64 {
        if self.looks.len() != looks.len() || self.surprise(b) > LOOKS_GATE {
            return f64::INFINITY;
        }
        let cosine: f32 = self.looks.iter().zip(looks).map(|(a, b)| a * b).sum();
        let half = (1.0 - f64::from(cosine)).max(0.0) / 2.0;
        if half <= LOOKS_LIMIT { half } else { f64::INFINITY }
    }

    fn remember(&mut self, looks: &[f32]) {
        if self.looks.len() != looks.len() {
            self.looks = looks.to_vec();
            return;
        }
        for (old, new) in self.looks.iter_mut().zip(looks) {
            *old = LOOKS_KEPT * *old + (1.0 - LOOKS_KEPT) * new;
        }
        let norm = self.looks.iter().map(|v| v * v).sum::<f32>().sqrt();
        if norm > 0.0 {
            self.looks.iter_mut().for_each(|v| *v /= norm);
        }
    }

    /// Squared distance of a box from the predicted one, in standard deviations.
    fn surprise(&self, b: [f64; 4]) -> f64 {
        let std = POSITION_STD * self.axes[3].value;
        let noise = [std, std, 1e-1, std];
        self.axes.iter().zip(measure(b)).zip(noise).map(|((axis, value), std)| axis.surprise(value, std)).sum()
    }

    fn correct(&mut self, b: [f64; 4]) {
        let std = POSITION_STD * self.axes[3].value;
        for (i, (axis, value)) in self.axes.iter_mut().zip(measure(b)).enumerate() {
            axis.correct(value, if i == 2 { 1e-1 } else { std });
        }
    }

    fn corners(&self) -> [f64; 4] {
        let [x, y, a, h] = self.axes.map(|axis| axis.value);
        let w = a * h;
        [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
    }
}
