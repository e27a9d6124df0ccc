//! `tracks.mot.txt`: tracks as MOTChallenge trackers hand them in.
//!
//! `frame,id,left,top,width,height,confidence,-1,-1,-1`; frames and pixels count from 1 there. Boxes
//! that no track took are left out, and so are labels: the form has no column for them.

use std::io::Write;

use tempograph_core::Result;

use crate::{Export, detections::round, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    for seen in export.frames()? {
        let (_, frame, detections) = seen?;
        for row in detections.iter() {
            let Some(track) = row.track else { continue };
            let [x1, y1, x2, y2] = <[f32; 4]>::from(row.bbox).map(|v| round(f64::from(v), 2));
            let (w, h) = (round(x2 - x1, 2), round(y2 - y1, 2));
            let (x, y, score) = (round(x1 + 1.0, 2), round(y1 + 1.0, 2), round(f64::from(row.score), 4));
            writeln!(out, "{},{track},{x},{y},{w},{h},{score},-1,-1,-1", frame.saturating_add(1))
                .map_err(write_failed)?;
        }
    }
    Ok(())
}
