//! Boxes packed for the page: integers only, labels once.

use serde::Serialize;
use tempograph_core::{Claim, MediaTime, Observation};

/// Collects detections frame by frame.
pub(super) struct Boxes {
    origin: MediaTime,
    labels: Vec<String>,
    frames: Vec<(i64, Vec<i64>)>,
    count: usize,
}

/// Frames as `[milliseconds from the first frame, then for each box: track or 0, label, score in
/// percent, x1, y1, x2, y2 in tenths of a displayed pixel]`, in order of time.
#[derive(Serialize)]
pub(super) struct Packed {
    labels: Vec<String>,
    frames: Vec<Vec<i64>>,
}

/// Numbers a box takes.
const ROW: usize = 7;

impl Boxes {
    pub(super) fn new(origin: MediaTime) -> Self {
        Self { origin, labels: Vec::new(), frames: Vec::new(), count: 0 }
    }

    pub(super) fn push(&mut self, observation: &Observation) {
        let Claim::Detections { detections, .. } = &observation.claim else { return };
        let millis = (observation.span.start - self.origin).nanos().div_euclid(1_000_000);
        let mut numbers = Vec::with_capacity(detections.len() * ROW);
        for row in detections.iter() {
            let label = self.label(row.label);
            numbers.extend([i64::from(row.track.unwrap_or(0)), label, (row.score * 100.0).round() as i64]);
            numbers.extend(<[f32; 4]>::from(row.bbox).map(|v| (v * 10.0).round() as i64));
        }
        self.count += detections.len();
        self.frames.push((millis, numbers));
    }

    pub(super) fn pack(mut self, max_boxes: usize) -> Packed {
        self.frames.sort_by_key(|f| f.0);
        let step = self.count.div_ceil(max_boxes.max(1)).max(1);
        let frames = self.frames.into_iter().step_by(step).map(|(millis, mut numbers)| {
            numbers.insert(0, millis);
            numbers
        });
        Packed { labels: self.labels, frames: frames.collect() }
    }

    fn label(&mut self, label: &str) -> i64 {
        let known = self.labels.iter().position(|l| l == label);
        known.unwrap_or_else(|| {
            self.labels.push(label.to_owned());
            self.labels.len() - 1
        }) as i64
    }
}
