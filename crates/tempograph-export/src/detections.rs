//! `detections.jsonl`: a line per analysed frame, boxes in displayed pixels.
//!
//! `{"t_s":1.52,"frame":38,"boxes":[{"track":1,"label":"person","score":0.91,"xyxy":[10.5,20,60,180.25]}]}`.
//! Times keep six decimals, boxes two, scores four: below what a detector can tell.
//! A frame in which nothing was found has its line too; frames that were not looked at have none.

use std::io::Write;

use serde::Serialize;
use tempograph_core::{Claim, Detections, MediaTime, Observation, Result};

use crate::{Export, json, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let mut writer = DetectionsWriter::new(out);
    for observation in export.observations()? {
        writer.push(&observation?)?;
    }
    writer.finish()
}

#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) t_s: f64,
    pub(crate) frame: u64,
    pub(crate) boxes: Vec<Row>,
}

#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) track: Option<u32>,
    pub(crate) label: String,
    pub(crate) score: f64,
    pub(crate) xyxy: [f64; 4],
}

/// Writes detections as they come; holds one frame.
pub struct DetectionsWriter<W> {
    out: W,
    pending: Option<Line>,
}

impl<W: Write> DetectionsWriter<W> {
    /// A writer onto `out`; buffer it.
    pub fn new(out: W) -> Self {
        Self { out, pending: None }
    }

    /// Takes one observation, in order of time; claims other than detections are passed over.
    /// Detections that follow each other with one frame number share a line.
    ///
    /// # Errors
    /// [`tempograph_core::ErrorKind::Io`] or `DiskFull` when the writer refuses.
    pub fn push(&mut self, observation: &Observation) -> Result<()> {
        if let Claim::Detections { frame, detections } = &observation.claim {
            self.push_frame(observation.span.start, *frame, detections)?;
        }
        Ok(())
    }

    /// Takes what was found in frame number `frame`, shown at `time`.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_frame(&mut self, time: MediaTime, frame: u64, detections: &Detections) -> Result<()> {
        let boxes = rows(detections);
        match &mut self.pending {
            Some(line) if line.frame == frame => line.boxes.extend(boxes),
            _ => {
                self.flush_line()?;
                self.pending = Some(Line { t_s: round(time.as_secs_f64(), 6), frame, boxes: boxes.collect() });
            }
        }
        Ok(())
    }

    /// Writes what is held back and flushes.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(mut self) -> Result<()> {
        self.flush_line()?;
        self.out.flush().map_err(write_failed)
    }

    fn flush_line(&mut self) -> Result<()> {
        let Some(line) = self.pending.take() else { return Ok(()) };
        json::line(&line, &mut self.out)
    }
}

fn rows(detections: &Detections) -> impl Iterator<Item = Row> {
    detections.iter().map(|d| Row {
        track: d.track,
        label: d.label.to_owned(),
        score: round(f64::from(d.score), 4),
        xyxy: <[f32; 4]>::from(d.bbox).map(|v| round(f64::from(v), 2)),
    })
}

/// `value` with `decimals` decimals; negative zero becomes zero.
pub(crate) fn round(value: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use tempograph_core::{BoxXyxy, Span};

    use super::*;

    fn seen(nanos: i64, frame: u64, boxes: &[(f32, Option<u32>)]) -> Observation {
        let mut detections = Detections::default();
        for (x, _) in boxes {
            detections.push(BoxXyxy::new(*x, 0.0, x + 10.126, 20.0), 0.912_345, "person");
        }
        let detections = detections.with_tracks(boxes.iter().map(|b| b.1).collect()).unwrap();
        let time = MediaTime::from_nanos(nanos);
        Observation { span: Span::new(time, time), claim: Claim::Detections { frame, detections } }
    }

    #[test]
    fn a_line_per_frame_with_rounded_numbers() {
        let mut out = Vec::new();
        let mut writer = DetectionsWriter::new(&mut out);
        writer.push(&seen(40_000_400, 1, &[(-0.001, Some(7))])).unwrap();
        writer.push(&seen(40_000_400, 1, &[(5.0, None)])).unwrap();
        writer.push(&seen(80_000_000, 2, &[])).unwrap();
        writer.finish().unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        {"t_s":0.04,"frame":1,"boxes":[{"track":7,"label":"person","score":0.9123,"xyxy":[0.0,0.0,10.13,20.0]},{"track":null,"label":"person","score":0.9123,"xyxy":[5.0,0.0,15.13,20.0]}]}
        {"t_s":0.08,"frame":2,"boxes":[]}
        "#);
    }
}
