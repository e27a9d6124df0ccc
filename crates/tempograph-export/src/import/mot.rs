//! MOTChallenge: `frame,id,left,top,width,height[,confidence[,class[,visibility]]]`, by commas or
//! blanks; frames and pixels count from 1.

use std::collections::BTreeMap;

use tempograph_core::{BoxXyxy, Result};

use super::{FrameBoxes, Rows, bad_line};

/// Classes of MOT16 and later by number, in this program's words; the first is number 1.
const CLASSES: [&str; 12] = [
    "person",
    "person",
    "car",
    "bicycle",
    "motorcycle",
    "vehicle",
    "person",
    "distractor",
    "occluder",
    "occluder",
    "occluder",
    "reflection",
];
/// Class of a row that names none: the benchmark follows people.
const DEFAULT_CLASS: &str = "person";

/// What stands for a confidence where nothing is known.
const UNKNOWN: f32 = -1.0;

/// Confidences become scores as [`Scale`] says.
pub(super) fn read(text: &str) -> Result<BTreeMap<u64, FrameBoxes>> {
    let mut all = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let n = n + 1;
        let fields: Vec<&str> = if line.contains(',') {
            line.split(',').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        if fields.len() < 6 {
            return Err(bad_line(n, "expected `frame,id,left,top,width,height`"));
        }
        let number = |i: usize| match fields[i].parse::<f64>() {
            Ok(v) if v.is_finite() && v.abs() < 1e9 => Ok(v),
            _ => Err(bad_line(n, &format!("field {} is not a number", i + 1))),
        };
        let frame = number(0)?;
        if frame < 1.0 {
            return Err(bad_line(n, "frames count from 1"));
        }
        let [x, y, w, h] = [number(2)? - 1.0, number(3)? - 1.0, number(4)?, number(5)?];
        let confidence = match fields.get(6) {
            Some(field) if !field.is_empty() => Some(number(6)? as f32),
            _ => None,
        };
        let id = number(1)?;
        let track = (id >= 1.0).then_some(id as u32);
        let bbox = BoxXyxy::from_xywh(x as f32, y as f32, w.max(0.0) as f32, h.max(0.0) as f32);
        all.push((frame as u64 - 1, confidence, (bbox, class(fields.get(7).copied()), track)));
    }
    let scale = Scale::of(all.iter().filter_map(|(_, confidence, _)| *confidence));
    let mut frames: BTreeMap<u64, Rows> = BTreeMap::new();
    for (frame, confidence, (bbox, label, track)) in all {
        if let Some(score) = scale.score(confidence) {
            frames.entry(frame).or_default().rows.push((bbox, score, label, track));
        }
    }
    frames.into_iter().map(|(frame, rows)| Ok((frame, rows.columns()?))).collect()
}

/// What the confidences of a file mean, which only all of them together tell.
enum Scale {
    /// From 0, for a row of the ground truth that does not count, to 1; to `most` where a detector gives more.
    Confidences { most: f32 },
    /// Scores of a detector as they come, such as DPM's, of which some are negative, so that 0 and -1 are scores like the
    /// others: those of a file lie between these.
    Raw { low: f32, high: f32 },
}

impl Scale {
    fn of(confidences: impl Iterator<Item = f32>) -> Self {
        let (mut low, mut high, mut raw) = (f32::INFINITY, f32::NEG_INFINITY, false);
        for confidence in confidences {
            raw |= confidence < 0.0 && confidence != UNKNOWN;
            (low, high) = (low.min(confidence), high.max(confidence));
        }
        if raw { Self::Raw { low, high } } else { Self::Confidences { most: high.max(1.0) } }
    }

    /// The score of a row, 0 to 1, in the order of the confidences; 1 where there is none. `None`: the row does not
    /// count.
    fn score(&self, confidence: Option<f32>) -> Option<f32> {
        let Some(confidence) = confidence else { return Some(1.0) };
        match *self {
            Self::Confidences { .. } if confidence == UNKNOWN => Some(1.0),
            Self::Confidences { most } => (confidence != 0.0).then_some(confidence / most),
            Self::Raw { low, high } if low < high => Some((confidence - low) / (high - low)),
            Self::Raw { .. } => Some(1.0),
        }
    }
}

fn class(field: Option<&str>) -> String {
    match field {
        None | Some("" | "-1") => DEFAULT_CLASS.to_owned(),
        Some(text) => match text.parse::<f64>() {
            Ok(number) => {
                let known = (number >= 1.0).then(|| CLASSES.get(number as usize - 1)).flatten();
                known.map_or_else(|| format!("class {text}"), |name| (*name).to_owned())
            }
            Err(_) => crate::text::one_line(text),
        },
    }
}
