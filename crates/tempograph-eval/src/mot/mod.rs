//! Multi-object tracking: CLEAR MOT, identity and HOTA metrics.
//!
//! CLEAR and identity numbers follow py-motmetrics 1.4 (Bernardin and Stiefelhagen 2008; Ristani et
//! al. 2016), HOTA follows TrackEval (Luiten et al. 2021). Boxes are compared as `x, y, w, h` in
//! pixels; MOTChallenge text files count pixels and frames from 1, ours from 0: the readers settle
//! both on MOTChallenge frames and pixels from 0.

mod clear;
mod hota;
mod identity;
mod read;

use std::collections::BTreeMap;

pub use read::{from_detections_jsonl, from_mot_text};
use serde::Serialize;
use tempograph_core::{Error, ErrorKind, Result};

/// One box of one object in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Identity, unique within a frame.
    pub id: i64,
    /// Left, top, width, height in pixels.
    pub xywh: [f64; 4],
    /// Confidence; in truth files a row below 1 is not to be scored.
    pub confidence: f64,
    /// Class, where the file gives one.
    pub label: Option<String>,
}

/// Boxes by frame. A frame that was looked at and found empty has an empty list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sequence {
    /// Frame number, from 1, to its boxes.
    pub frames: BTreeMap<i64, Vec<Row>>,
    /// Whether `frames` names every frame that was looked at, the empty ones too.
    pub lists_empty_frames: bool,
}

impl Sequence {
    /// Drops rows with a confidence below `least`.
    pub fn keep_confident(&mut self, least: f64) {
        for rows in self.frames.values_mut() {
            rows.retain(|r| r.confidence >= least);
        }
        self.drop_empty();
    }

    /// Drops rows of other classes than `labels`.
    pub fn keep_labels(&mut self, labels: &[String]) {
        for rows in self.frames.values_mut() {
            rows.retain(|r| r.label.as_ref().is_some_and(|l| labels.contains(l)));
        }
        self.drop_empty();
    }

    /// Drops frames that `other` never looked at, when it says which those are.
    pub fn keep_frames_of(&mut self, other: &Self) {
        if other.lists_empty_frames {
            self.frames.retain(|f, _| other.frames.contains_key(f));
        }
    }

    fn drop_empty(&mut self) {
        if !self.lists_empty_frames {
            self.frames.retain(|_, rows| !rows.is_empty());
        }
    }
}

/// Every figure of one sequence. Counts are over all frames.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MotScores {
    /// 1 − (misses + false positives + switches) / objects.
    pub mota: f64,
    /// Mean distance `1 − IoU` of matched boxes.
    pub motp: f64,
    /// Harmonic mean of identity precision and recall.
    pub idf1: f64,
    /// Identity precision.
    pub idp: f64,
    /// Identity recall.
    pub idr: f64,
    /// Geometric mean of detection and association accuracy, over IoU .05 to .95.
    pub hota: f64,
    /// Detection accuracy of HOTA.
    pub deta: f64,
    /// Association accuracy of HOTA.
    pub assa: f64,
    /// Mean IoU of HOTA's matches.
    pub loca: f64,
    /// Detected share of the objects.
    pub recall: f64,
    /// Correct share of the detections.
    pub precision: f64,
    /// Frames with a box in either file.
    pub num_frames: u64,
    /// Boxes in the truth.
    pub num_objects: u64,
    /// Boxes in the file.
    pub num_predictions: u64,
    /// Identities in the truth.
    pub num_unique_objects: u64,
    /// Identities in the file.
    pub num_unique_predictions: u64,
    /// Matches that keep their identity.
    pub num_matches: u64,
    /// Matches that change it.
    pub num_switches: u64,
    /// Matches and switches.
    pub num_detections: u64,
    /// Boxes without an object.
    pub num_false_positives: u64,
    /// Objects without a box.
    pub num_misses: u64,
    /// Times an object is lost and found again.
    pub num_fragmentations: u64,
    /// Times an identity passes to another object.
    pub num_transfer: u64,
    /// Switches to an identity not matched before.
    pub num_ascend: u64,
    /// Transfers to an object not matched before.
    pub num_migrate: u64,
    /// Objects matched at least 80 % of their life.
    pub mostly_tracked: u64,
    /// Objects matched from 20 % to 80 % of their life.
    pub partially_tracked: u64,
    /// Objects matched less than 20 % of their life.
    pub mostly_lost: u64,
    /// Identity true positives.
    pub idtp: u64,
    /// Identity false positives.
    pub idfp: u64,
    /// Identity misses.
    pub idfn: u64,
}

/// Most pairs of identities, or of boxes in one frame, that are scored.
const MAX_PAIRS: usize = 100_000_000;

/// Scores `found` against `truth`; boxes match from an IoU of `iou` (0.5 is customary).
///
/// # Errors
/// [`ErrorKind::OverBudget`] when there are over 100 million pairs of identities, or of boxes in
/// one frame.
pub fn score(truth: &Sequence, found: &Sequence, iou: f64) -> Result<MotScores> {
    let frames = frames(truth, found)?;
    let clear = clear::score(&frames, 1.0 - iou);
    let id = identity::score(&frames, 1.0 - iou);
    let hota = hota::score(&frames);
    let (objects, predictions) = (clear.objects as f64, clear.predictions as f64);
    let detections = clear.matches + clear.switches;
    let ratio = |a: f64, b: f64| if b == 0.0 { 0.0 } else { a / b };
    Ok(MotScores {
        mota: 1.0 - ratio((clear.misses + clear.switches + clear.false_positives) as f64, objects),
        motp: ratio(clear.distance, detections as f64),
        idf1: ratio(2.0 * id.tp as f64, objects + predictions),
        idp: ratio(id.tp as f64, (id.tp + id.fp) as f64),
        idr: ratio(id.tp as f64, (id.tp + id.missed) as f64),
        hota: hota.hota,
        deta: hota.deta,
        assa: hota.assa,
        loca: hota.loca,
        recall: ratio(detections as f64, objects),
        precision: ratio(detections as f64, (detections + clear.false_positives) as f64),
        num_frames: frames.len() as u64,
        num_objects: clear.objects,
        num_predictions: clear.predictions,
        num_unique_objects: clear.unique_objects,
        num_unique_predictions: clear.unique_predictions,
        num_matches: clear.matches,
        num_switches: clear.switches,
        num_detections: detections,
        num_false_positives: clear.false_positives,
        num_misses: clear.misses,
        num_fragmentations: clear.fragmentations,
        num_transfer: clear.transfer,
        num_ascend: clear.ascend,
        num_migrate: clear.migrate,
        mostly_tracked: clear.mostly_tracked,
        partially_tracked: clear.partially_tracked,
        mostly_lost: clear.mostly_lost,
        idtp: id.tp,
        idfp: id.fp,
        idfn: id.missed,
    })
}

/// One frame with identities as indices and the IoU of every pair.
struct PairedFrame {
    objects: Vec<usize>,
    found: Vec<usize>,
    /// Row-major, objects × found.
    iou: Vec<f64>,
}

fn frames(truth: &Sequence, found: &Sequence) -> Result<Vec<PairedFrame>> {
    let (objects, predictions) = (numbering(truth), numbering(found));
    let largest = |s: &Sequence| s.frames.values().map(Vec::len).max().unwrap_or(0);
    let pairs = objects.len().saturating_mul(predictions.len()).max(largest(truth).saturating_mul(largest(found)));
    if pairs > MAX_PAIRS {
        return Err(Error::new(ErrorKind::OverBudget, format!("too many pairs to score: {pairs}")));
    }
    let mut numbers: Vec<i64> = truth.frames.keys().chain(found.frames.keys()).copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let none = Vec::new();
    let paired = |n: i64| {
        let (t, f) = (truth.frames.get(&n).unwrap_or(&none), found.frames.get(&n).unwrap_or(&none));
        PairedFrame {
            objects: t.iter().map(|r| objects[&r.id]).collect(),
            found: f.iter().map(|r| predictions[&r.id]).collect(),
            iou: t.iter().flat_map(|t| f.iter().map(|f| iou(t.xywh, f.xywh))).collect(),
        }
    };
    Ok(numbers.into_iter().map(paired).collect())
}

/// Identities in ascending order as 0, 1, ….
fn numbering(sequence: &Sequence) -> BTreeMap<i64, usize> {
    let mut ids: Vec<i64> = sequence.frames.values().flatten().map(|r| r.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().enumerate().map(|(i, id)| (id, i)).collect()
}

fn count(frames: &[PairedFrame], of: impl Fn(&PairedFrame) -> &Vec<usize>) -> Vec<u64> {
    let n = frames.iter().flat_map(|f| of(f).iter()).max().map_or(0, |&m| m + 1);
    let mut counts = vec![0; n];
    for frame in frames {
        for &i in of(frame) {
            counts[i] += 1;
        }
    }
    counts
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let w = ((a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0])).max(0.0);
    let h = ((a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1])).max(0.0);
    let common = w * h;
    if common == 0.0 {
        return 0.0;
    }
    common / (a[2].max(0.0) * a[3].max(0.0) + b[2].max(0.0) * b[3].max(0.0) - common)
}
