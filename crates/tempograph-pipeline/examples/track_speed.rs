//! How long ByteTrack takes a frame: `track_speed DETECTIONS.txt` (MOTChallenge text), as JSON.
//!
//! The bench table compares it with the same loop over the Python trackers.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::{collections::BTreeMap, time::Instant};

use tempograph_core::{BoxXyxy, Detections, Error, ErrorKind, MediaTime, Result};
use tempograph_pipeline::analyze::track::{ByteTrack, ByteTrackOptions, Tracker};

fn main() -> Result<()> {
    let usage = || Error::new(ErrorKind::Usage, "expected the path of a MOTChallenge detection file");
    let path = std::path::PathBuf::from(std::env::args_os().nth(1).ok_or_else(usage)?);
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, e))?;
    let mut rows: BTreeMap<i64, Detections> = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<f32> = line.split(',').filter_map(|f| f.trim().parse().ok()).collect();
        let [frame, _, x, y, w, h, score, ..] = fields[..] else { return Err(usage()) };
        rows.entry(frame as i64).or_default().push(BoxXyxy::from_xywh(x, y, w, h), score, "person");
    }
    let last = rows.keys().last().copied().unwrap_or(0);
    let frames: Vec<Detections> = (1..=last).map(|f| rows.remove(&f).unwrap_or_default()).collect();
    let mut best = f64::INFINITY;
    let mut ids = 0;
    for _ in 0..5 {
        let mut tracker = ByteTrack::new(ByteTrackOptions::default());
        let start = Instant::now();
        for (i, d) in frames.iter().enumerate() {
            let found = tracker.update(d, MediaTime::from_ticks(i as i64, 1, 30));
            ids = found.into_iter().flatten().max().unwrap_or(0).max(ids);
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    let mut tracker = ByteTrack::new(ByteTrackOptions::default());
    let mut assigned = Vec::new();
    for (i, d) in frames.iter().enumerate() {
        let found = tracker.update(d, MediaTime::from_ticks(i as i64, 1, 30));
        assigned.push(found.into_iter().map(|id| id.unwrap_or(0)).collect::<Vec<_>>());
    }
    let each = best * 1e6 / frames.len().max(1) as f64;
    let frames = frames.len();
    println!("{{\"frames\": {frames}, \"us_per_frame\": {each:.2}, \"ids\": {ids}, \"assigned\": {assigned:?}}}");
    Ok(())
}
