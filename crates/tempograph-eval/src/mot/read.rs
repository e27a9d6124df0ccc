//! Readers of tracking files.

use serde::Deserialize;
use tempograph_core::Result;

use super::{Row, Sequence};
use crate::input::bad_line;

/// Boxes from a MOTChallenge text file: `frame,id,x,y,w,h[,confidence[,class[,visibility]]]`.
///
/// Separated by commas or blanks. Pixels and frames count from 1 there. A missing confidence is 1.
///
/// # Errors
/// [`tempograph_core::ErrorKind::InvalidData`] with the line, when a line has fewer than six
/// fields, a number is not one, or an identity appears twice in a frame.
pub fn from_mot_text(text: &str) -> Result<Sequence> {
    let mut sequence = Sequence::default();
    for (n, line) in text.lines().enumerate() {
        let n = n + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = if line.contains(',') {
            line.split(',').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        if fields.len() < 6 {
            return Err(bad_line(n, "expected `frame,id,x,y,w,h`"));
        }
        let number = |i: usize| match fields[i].parse::<f64>() {
            Ok(v) if v.is_finite() && v.abs() < 1e15 => Ok(v),
            _ => Err(bad_line(n, &format!("field {} is not a number", i + 1))),
        };
        let confidence = match fields.get(6) {
            Some(f) if !f.is_empty() => number(6)?,
            _ => 1.0,
        };
        let label = fields.get(7).filter(|l| !l.is_empty() && **l != "-1").map(|l| (*l).to_owned());
        let row = Row {
            id: number(1)? as i64,
            xywh: [number(2)? - 1.0, number(3)? - 1.0, number(4)?, number(5)?],
            confidence,
            label,
        };
        sequence.frames.entry(number(0)? as i64).or_default().push(row);
    }
    unique(&sequence)?;
    Ok(sequence)
}

#[derive(Deserialize)]
struct Line {
    frame: u64,
    boxes: Vec<TrackedBox>,
}

#[derive(Deserialize)]
struct TrackedBox {
    #[serde(default)]
    track: Option<u32>,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    score: Option<f64>,
    xyxy: [f64; 4],
}

/// Tracked boxes from our `detections.jsonl`; boxes without a track are left out.
///
/// # Errors
/// [`tempograph_core::ErrorKind::InvalidData`] with the line that is not of that form.
pub fn from_detections_jsonl(text: &str) -> Result<Sequence> {
    let mut sequence = Sequence { lists_empty_frames: true, ..Sequence::default() };
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|e| bad_line(n + 1, &e.to_string()))?;
        let frame = i64::try_from(line.frame).ok().and_then(|f| f.checked_add(1));
        let rows = sequence.frames.entry(frame.ok_or_else(|| bad_line(n + 1, "frame out of range"))?).or_default();
        for b in line.boxes {
            let Some(track) = b.track else { continue };
            let [x1, y1, x2, y2] = b.xyxy;
            rows.push(Row {
                id: i64::from(track),
                xywh: [x1, y1, x2 - x1, y2 - y1],
                confidence: b.score.unwrap_or(1.0),
                label: b.label,
            });
        }
    }
    unique(&sequence)?;
    Ok(sequence)
}

fn unique(sequence: &Sequence) -> Result<()> {
    for (frame, rows) in &sequence.frames {
        let mut ids: Vec<i64> = rows.iter().map(|r| r.id).collect();
        ids.sort_unstable();
        if let Some(w) = ids.windows(2).find(|w| w[0] == w[1]) {
            let what = format!("identity {} appears twice in frame {frame}", w[0]);
            return Err(tempograph_core::Error::new(tempograph_core::ErrorKind::InvalidData, what));
        }
    }
    Ok(())
}
