//! `yolo.zip`: boxes in the form YOLO trains on.
//!
//! `classes.txt` and `data.yaml` name the classes, `labels/frame_000001.txt` holds a line
//! `class centre-x centre-y width height` a box, in shares of the picture; the number counts from 1
//! as FFmpeg's `frame_%06d.jpg` over every frame does. Scores and tracks have no place there.

use std::io::{Cursor, Write};

use tempograph_core::{Detections, Error, ErrorKind, Result};
use zip::{DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use crate::{Export, text::one_line, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    // In memory: a writer that is given up halfway complains to standard error.
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // The same export gives the same bytes, whenever it is made.
    let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
    files(export, &mut |name, bytes| {
        archive.start_file(name, options).map_err(failed)?;
        archive.write_all(bytes).map_err(write_failed)
    })?;
    let bytes = archive.finish().map_err(failed)?.into_inner();
    out.write_all(&bytes).map_err(write_failed)
}

fn failed(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => write_failed(error),
        other => Error::new(ErrorKind::Internal, format!("cannot write the archive: {other}")).with_source(other),
    }
}

/// Gives each file of the data set to `put`, its path with `/` first. Names hold nothing that
/// comes from the video.
///
/// # Errors
/// What `put` or reading the observations gives.
pub fn files(export: &Export<'_>, put: &mut dyn FnMut(&str, &[u8]) -> Result<()>) -> Result<()> {
    let labels = export.labels()?;
    // Two labels that differ in white space only must stay two lines.
    let names: Vec<String> = labels.iter().map(|l| one_line(l)).collect();
    let classes: String = names.iter().map(|n| format!("{n}\n")).collect();
    put("classes.txt", classes.as_bytes())?;
    let mut yaml = String::from("path: .\ntrain: images\nval: images\nnames:\n");
    for (i, name) in names.iter().enumerate() {
        // A JSON string is a YAML string, whatever is in it.
        yaml.push_str(&format!("  {i}: {}\n", serde_json::Value::from(name.as_str())));
    }
    put("data.yaml", yaml.as_bytes())?;

    let size = (f64::from(export.timeline.video.width), f64::from(export.timeline.video.height));
    let mut open: Option<(u64, String)> = None;
    for seen in export.frames()? {
        let (_, frame, detections) = seen?;
        let lines = lines(&detections, &labels, size);
        match &mut open {
            Some((number, text)) if *number == frame => text.push_str(&lines),
            _ => {
                if let Some((number, text)) = open.replace((frame, lines)) {
                    put(&file_of(number), text.as_bytes())?;
                }
            }
        }
    }
    open.map_or(Ok(()), |(number, text)| put(&file_of(number), text.as_bytes()))
}

fn file_of(frame: u64) -> String {
    format!("labels/frame_{:06}.txt", frame.saturating_add(1))
}

fn lines(detections: &Detections, labels: &[String], (width, height): (f64, f64)) -> String {
    let mut text = String::new();
    if width <= 0.0 || height <= 0.0 {
        return text;
    }
    for row in detections.iter() {
        let Ok(class) = labels.binary_search_by(|l| l.as_str().cmp(row.label)) else { continue };
        let [x1, y1, x2, y2] = <[f32; 4]>::from(row.bbox).map(f64::from);
        let (x1, x2) = (x1.clamp(0.0, width) / width, x2.clamp(0.0, width) / width);
        let (y1, y2) = (y1.clamp(0.0, height) / height, y2.clamp(0.0, height) / height);
        let [cx, cy, w, h] = [(x1 + x2) / 2.0, (y1 + y2) / 2.0, x2 - x1, y2 - y1];
        text.push_str(&format!("{class} {cx:.6} {cy:.6} {w:.6} {h:.6}\n"));
    }
    text
}
