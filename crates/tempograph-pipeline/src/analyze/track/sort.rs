//! SORT: one association by overlap, the simple fallback.
//!
//! Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016, with the noise of its reference
//! implementation.

use tempograph_core::{Detections, MediaTime, assign::assign_within};

use super::{Clock, Labels, Sighting, Tracker, corners, distance, kalman::Axis};

/// How [`Sort`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct SortOptions {
    /// Detections below this score are ignored.
    pub min_score: f32,
    /// Least IoU of a track's predicted box with its next detection.
    pub min_iou: f64,
    /// Sightings without a break that confirm a track.
    pub min_hits: u32,
    /// How long a track outlives its last sighting; never less than one step.
    pub lost: MediaTime,
    /// Distance of analysed frames.
    pub step: MediaTime,
    /// Whether a detection joins only tracks whose most frequent class is its own.
    pub class_aware: bool,
}

impl Default for SortOptions {
    fn default() -> Self {
        Self {
            min_score: 0.5,
            min_iou: 0.3,
            min_hits: 3,
            lost: MediaTime::ZERO,
            step: MediaTime::from_nanos(1_000_000_000 / 30),
            class_aware: false,
        }
    }
}

#[derive(Clone, Debug)]
struct Target {
    /// 0 until confirmed.
    id: u32,
    /// Centre x, centre y, area, width over height.
    axes: [Axis; 4],
    labels: Labels,
    seen: i64,
    streak: Vec<(u64, usize)>,
    hits: u32,
}

/// The SORT tracker.
#[derive(Debug)]
pub struct Sort {
    options: SortOptions,
    clock: Clock,
    targets: Vec<Target>,
    confirmed: Vec<Sighting>,
    last_id: u32,
    updates: u64,
    /// Frames since the start or the last cut.
    frames: u32,
}

impl Sort {
    /// A tracker that has seen nothing.
    pub fn new(options: SortOptions) -> Self {
        let clock = Clock::new(options.step);
        Self { options, clock, targets: Vec::new(), confirmed: Vec::new(), last_id: 0, updates: 0, frames: 0 }
    }
}

impl Tracker for Sort {
    fn name(&self) -> &'static str {
        "sort"
    }

    fn update(&mut self, d: &Detections, time: MediaTime) -> Vec<Option<u32>> {
        let steps = self.clock.advance(time);
        let lost_after = self.clock.steps(self.options.lost).max(1);
        self.confirmed.clear();
        self.frames = self.frames.saturating_add(1);
        let now = self.clock.now;
        self.targets.retain(|t| now - t.seen <= lost_after.saturating_add(1));
        for target in &mut self.targets {
            (0..steps.min(lost_after + 1)).for_each(|_| target.predict());
            if now - target.seen > steps {
                target.hits = 0;
                target.streak.clear();
            }
        }

        let rows: Vec<usize> = (0..d.len()).filter(|&r| d.scores()[r] >= self.options.min_score).collect();
        let mut costs = Vec::with_capacity(rows.len() * self.targets.len());
        for target in &self.targets {
            for &r in &rows {
                let other_class = self.options.class_aware && d.labels()[r] != target.labels.majority();
                let far = distance(target.corners(), corners(d.boxes()[r]));
                costs.push(if other_class { f64::INFINITY } else { far });
            }
        }
        let pairs = assign_within(&costs, self.targets.len(), rows.len(), 1.0 - self.options.min_iou);
        let mut ids = vec![None; d.len()];
        let mut free = vec![true; rows.len()];
        for (target, at) in self.targets.iter_mut().zip(pairs) {
            let Some(at) = at else { continue };
            let row = rows[at];
            free[at] = false;
            target.correct(corners(d.boxes()[row]));
            target.labels.add(&d.labels()[row]);
            target.seen = now;
            target.hits += 1;
            if target.id == 0 && (target.hits >= self.options.min_hits || self.frames <= self.options.min_hits) {
                self.last_id += 1;
                target.id = self.last_id;
                self.confirmed.extend(target.streak.drain(..).map(|(update, row)| Sighting {
                    track: target.id,
                    update,
                    row,
                }));
            }
            if target.id == 0 {
                target.streak.push((self.updates, row));
            } else {
                ids[row] = Some(target.id);
            }
        }
        for (row, _) in rows.into_iter().zip(free).filter(|(_, free)| *free) {
            self.targets.push(Target {
                id: 0,
                axes: start_axes(corners(d.boxes()[row])),
                labels: Labels::new(&d.labels()[row]),
                seen: now,
                streak: vec![(self.updates, row)],
                hits: 0,
            });
        }
        self.targets.retain(|t| now - t.seen < lost_after.saturating_add(1));
        self.updates += 1;
        ids
    }

    fn confirmed(&self) -> &[Sighting] {
        &self.confirmed
    }

    fn cut(&mut self) {
        self.targets.clear();
        self.confirmed.clear();
        self.frames = 0;
    }
}

/// Centre, area and aspect ratio; a box without extent counts as one pixel.
fn measure(b: [f64; 4]) -> [f64; 4] {
    let (w, h) = ((b[2] - b[0]).max(1.0), (b[3] - b[1]).max(1.0));
    [(b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0, w * h, w / h]
}

fn start_axes(b: [f64; 4]) -> [Axis; 4] {
    // Variances: 10 for what is seen, 10 000 for rates, as in the reference; the aspect ratio has no rate.
    let rate = 1e4_f64.sqrt();
    let std = 10_f64.sqrt();
    let [x, y, s, r] = measure(b);
    [Axis::new(x, std, rate), Axis::new(y, std, rate), Axis::new(s, std, rate), Axis::new(r, std, 0.0)]
}

impl Target {
    fn predict(&mut self) {
        let [x, y, s, r] = &mut self.axes;
        if s.value + s.rate <= 0.0 {
            s.rate = 0.0;
        }
        x.predict(1.0, 0.1);
        y.predict(1.0, 0.1);
        s.predict(1.0, 0.01);
        r.predict(1.0, 0.0);
    }

    fn correct(&mut self, b: [f64; 4]) {
        let std = [1.0, 1.0, 10_f64.sqrt(), 10_f64.sqrt()];
        for ((axis, value), std) in self.axes.iter_mut().zip(measure(b)).zip(std) {
            axis.correct(value, std);
        }
    }

    fn corners(&self) -> [f64; 4] {
        let [x, y, s, r] = self.axes.map(|axis| axis.value);
        let w = (s * r).max(0.0).sqrt();
        let h = if w > 0.0 { s / w } else { 0.0 };
        [x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0]
    }
}
