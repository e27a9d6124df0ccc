//! Tables, RFC 4180: `events.csv` (every event of every kind), `detections.csv` (a row a box) and
//! `transcript.csv` (a row an utterance).
//!
//! Text that a spreadsheet would run as a formula gets an apostrophe in front, because its words
//! come from a video nobody vouches for.

use std::io::Write;

use tempograph_core::{Result, timeline::AudioEventKind};

use crate::{Export, table, text::one_line, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    line(out, ["id", "kind", "type", "start_s", "end_s", "who", "text", "confidence", "origin"].map(cell))?;
    for r in table::rows(export.timeline) {
        let times = [r.span.start, r.span.end].map(|t| format!("{:.3}", t.as_secs_f64()));
        let confidence = r.confidence.map(|c| format!("{c:.4}")).unwrap_or_default();
        let names = [&r.id, r.kind, &r.name].map(cell).into_iter();
        let rest = [cell(&r.who), cell(&r.text), confidence, cell(&r.origin)];
        line(out, names.chain(times).chain(rest))?;
    }
    Ok(())
}

/// Boxes in displayed pixels; frames in which nothing was found have no row.
pub(crate) fn detections(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    line(out, ["t_s", "frame", "track", "label", "score", "x1", "y1", "x2", "y2"].map(cell))?;
    for seen in export.frames()? {
        let (time, frame, detections) = seen?;
        for row in detections.iter() {
            let track = row.track.map(|t| t.to_string()).unwrap_or_default();
            let head = [format!("{:.6}", time.as_secs_f64()), frame.to_string(), track, cell(row.label)];
            let corners = <[f32; 4]>::from(row.bbox).map(|v| format!("{:.2}", f64::from(v) + 0.0));
            line(out, head.into_iter().chain([format!("{:.4}", row.score)]).chain(corners))?;
        }
    }
    Ok(())
}

/// What is said, by whom and when.
pub(crate) fn transcript(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    line(out, ["id", "start_s", "end_s", "speaker", "language", "text", "confidence"].map(cell))?;
    for e in export.timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech) {
        let times = [e.span.start, e.span.end].map(|t| format!("{:.3}", t.as_secs_f64()));
        let words = [&e.speaker, &e.language, &e.text].map(|t| cell(t.as_deref().unwrap_or_default()));
        let cells = [cell(&e.id)].into_iter().chain(times).chain(words);
        line(out, cells.chain([format!("{:.4}", e.confidence)]))?;
    }
    Ok(())
}

fn line(out: &mut dyn Write, cells: impl IntoIterator<Item = String>) -> Result<()> {
    let mut line = cells.into_iter().collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    out.write_all(line.as_bytes()).map_err(write_failed)
}

fn cell(text: impl AsRef<str>) -> String {
    let mut text = one_line(text.as_ref());
    if text.starts_with(['=', '+', '-', '@']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
