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

/// Confidences above 1, as some detectors of the benchmark give, are divided by the largest. A
/// confidence of 0 marks a row of the ground truth that does not count; it is left out.
pub(super) fn read(text: &str) -> Result<BTreeMap<u64, FrameBoxes>> {
    let mut frames: BTreeMap<u64, Rows> = BTreeMap::new();
    let mut most = 1f32;
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
            Some(field) if !field.is_empty() => number(6)? as f32,
            _ => 1.0,
        };
        if confidence == 0.0 {
            continue;
        }
        most = most.max(confidence);
        let id = number(1)?;
        let track = (id >= 1.0).then_some(id as u32);
        let bbox = BoxXyxy::from_xywh(x as f32, y as f32, w.max(0.0) as f32, h.max(0.0) as f32);
        // Results have -1 where nothing is known.
        let score = if confidence < 0.0 { 1.0 } else { confidence };
        let rows = &mut frames.entry(frame as u64 - 1).or_default().rows;
        rows.push((bbox, score, class(fields.get(7).copied()), track));
    }
    if most > 1.0 {
        frames.values_mut().flat_map(|f| &mut f.rows).for_each(|row| row.1 /= most);
    }
    frames.into_iter().map(|(frame, rows)| Ok((frame, rows.columns()?))).collect()
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
