//! `detections.coco.json`: boxes in the form of COCO's ground truth, so that its tools open it.
//!
//! An image is an analysed frame: `id` and the number in `file_name` count from 1 as FFmpeg's
//! `frame_%06d.jpg` over every frame does; `frame` counts from 0 and `t_s` is on the container's
//! clock. An annotation has `score` and, where it was followed, `track_id`.

use std::io::Write;

use serde::Serialize;
use tempograph_core::{Result, timeline::SCHEMA};

use crate::{Export, detections::round, json, text::file_name, write_failed};

#[derive(Serialize)]
struct Info<'a> {
    description: &'a str,
    version: &'a str,
    video: String,
    video_id: &'a str,
}

#[derive(Serialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
    frame: u64,
    t_s: f64,
}

#[derive(Serialize)]
struct Annotation {
    id: u64,
    image_id: u64,
    category_id: usize,
    bbox: [f64; 4],
    area: f64,
    iscrowd: u8,
    score: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    track_id: Option<u32>,
}

#[derive(Serialize)]
struct Category<'a> {
    id: usize,
    name: &'a str,
    supercategory: &'a str,
}

/// Reads the observations three times instead of holding them.
pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let video = &export.timeline.video;
    let labels = export.labels()?;
    let info =
        Info { description: "boxes of one video", version: SCHEMA, video: file_name(&video.uri), video_id: &video.id };
    put(out, "{\"info\":")?;
    json::line(&info, out)?;
    put(out, ",\"licenses\":[]\n,\"categories\":")?;
    let categories: Vec<Category<'_>> =
        labels.iter().enumerate().map(|(i, name)| Category { id: i + 1, name, supercategory: "" }).collect();
    json::line(&categories, out)?;
    put(out, ",\"images\":[\n")?;
    let mut list = List::default();
    let mut last = None;
    for seen in export.frames()? {
        let (time, frame, _) = seen?;
        // Detections that follow each other with one frame number share an image.
        if last.replace(frame) == Some(frame) {
            continue;
        }
        let id = frame.saturating_add(1);
        let image = Image {
            id,
            file_name: format!("frame_{id:06}.jpg"),
            width: video.width,
            height: video.height,
            frame,
            t_s: round(time.as_secs_f64(), 6),
        };
        list.item(&image, out)?;
    }
    put(out, "],\"annotations\":[\n")?;
    let mut list = List::default();
    for seen in export.frames()? {
        let (_, frame, detections) = seen?;
        for row in detections.iter() {
            let [x1, y1, x2, y2] = <[f32; 4]>::from(row.bbox).map(|v| round(f64::from(v), 2));
            let (w, h) = (round(x2 - x1, 2), round(y2 - y1, 2));
            let annotation = Annotation {
                id: list.count + 1,
                image_id: frame.saturating_add(1),
                category_id: labels.binary_search_by(|l| l.as_str().cmp(row.label)).map_or(0, |i| i + 1),
                bbox: [x1, y1, w, h],
                area: round(w * h, 2),
                iscrowd: 0,
                score: round(f64::from(row.score), 4),
                track_id: row.track,
            };
            list.item(&annotation, out)?;
        }
    }
    put(out, "]}\n")
}

/// Puts commas between the items of an array.
#[derive(Default)]
struct List {
    count: u64,
}

impl List {
    fn item(&mut self, item: &impl Serialize, out: &mut dyn Write) -> Result<()> {
        if self.count > 0 {
            put(out, ",")?;
        }
        self.count += 1;
        json::line(item, out)
    }
}

fn put(out: &mut dyn Write, text: &str) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(write_failed)
}
