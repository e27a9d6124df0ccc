//! Tracking: detections of consecutive frames joined into objects.
//!
//! A *decide* step: pure and cheap, run again whenever detections or options change. A
//! [`Tracker`] sees frames in order and answers online; [`track`] runs one over a whole video,
//! starts afresh at cuts, and gives a track's first, not yet confirmed rows their id afterwards.

mod bytetrack;
mod decide;
mod kalman;
mod sort;
#[cfg(test)]
mod tests;

pub use bytetrack::{ByteTrack, ByteTrackOptions};
pub use decide::{TrackOptions, Tracked, TrackerKind, named, track};
pub use sort::{Sort, SortOptions};
use tempograph_core::{BoxXyxy, Detections, MediaTime};

/// Follows objects from frame to frame.
///
/// Every implementation passes the suite in `tests.rs`.
pub trait Tracker: Send {
    /// The name users choose it by.
    fn name(&self) -> &'static str;

    /// Takes the detections of the next frame, shown at `time`; one track id or none for each row.
    ///
    /// Ids count from 1 in order of confirmation and are never given twice. A row of a track that
    /// is not confirmed yet has none: see [`Self::confirmed`].
    fn update(&mut self, detections: &Detections, time: MediaTime) -> Vec<Option<u32>>;

    /// Rows of earlier frames that the latest update showed to belong to a track.
    fn confirmed(&self) -> &[Sighting];

    /// A hard cut: what comes next has nothing to do with what was there. Ids go on counting.
    fn cut(&mut self);
}

/// Where a track was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The track.
    pub track: u32,
    /// Which call of [`Tracker::update`], from 0.
    pub update: u64,
    /// Row of its detections.
    pub row: usize,
}

/// Turns presentation times into whole steps of the nominal frame distance.
#[derive(Clone, Copy, Debug)]
struct Clock {
    step: MediaTime,
    last: Option<MediaTime>,
    /// Steps since the first frame.
    now: i64,
}

impl Clock {
    fn new(step: MediaTime) -> Self {
        Self { step: step.max(MediaTime::from_nanos(1)), last: None, now: 0 }
    }

    /// Moves to `time`; how many steps that was, at least 1 after the first frame.
    fn advance(&mut self, time: MediaTime) -> i64 {
        let steps = match self.last {
            None => 0,
            Some(last) => {
                let (gap, step) = ((time - last).nanos(), self.step.nanos());
                (gap.saturating_add(step / 2) / step).max(1)
            }
        };
        self.last = Some(time);
        self.now = self.now.saturating_add(steps);
        steps
    }

    /// Whole steps that `span` lasts.
    fn steps(&self, span: MediaTime) -> i64 {
        span.nanos().max(0) / self.step.nanos()
    }
}

/// The classes a track's detections were given.
#[derive(Clone, Debug, Default)]
struct Labels(Vec<(String, u32)>);

impl Labels {
    fn new(label: &str) -> Self {
        Self(vec![(label.to_owned(), 1)])
    }

    fn add(&mut self, label: &str) {
        match self.0.iter_mut().find(|(l, _)| l == label) {
            Some((_, n)) => *n += 1,
            None => self.0.push((label.to_owned(), 1)),
        }
    }

    /// The most frequent one; of equals the one seen first.
    fn majority(&self) -> &str {
        let most = self.0.iter().map(|(_, n)| *n).max().unwrap_or(0);
        self.0.iter().find(|(_, n)| *n == most).map_or("", |(l, _)| l)
    }
}

/// `1 - IoU`.
fn distance(a: [f64; 4], b: [f64; 4]) -> f64 {
    let w = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let h = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |v: [f64; 4]| (v[2] - v[0]).max(0.0) * (v[3] - v[1]).max(0.0);
    let union = area(a) + area(b) - w * h;
    if union > 0.0 { 1.0 - w * h / union } else { 1.0 }
}

fn corners(b: BoxXyxy) -> [f64; 4] {
    <[f32; 4]>::from(b).map(f64::from)
}
