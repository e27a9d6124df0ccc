//! COCO: images, annotations and categories. The frame of an image is its `frame` or `frame_index`
//! (from 0), else the number its file name ends in (from 1, as FFmpeg's `frame_%06d.jpg` counts).

use std::collections::BTreeMap;

use serde::Deserialize;
use tempograph_core::{BoxXyxy, Error, ErrorKind, Result, Size};

use super::{FrameBoxes, Rows};

#[derive(Deserialize)]
struct DataSet {
    images: Vec<Image>,
    #[serde(default)]
    annotations: Vec<Annotation>,
    #[serde(default)]
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    #[serde(default)]
    file_name: String,
    #[serde(default)]
    width: Option<f64>,
    #[serde(default)]
    height: Option<f64>,
    #[serde(default, alias = "frame_index")]
    frame: Option<u64>,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    #[serde(default)]
    score: Option<f64>,
    #[serde(default, alias = "instance_id")]
    track_id: Option<i64>,
    #[serde(default)]
    iscrowd: Option<i64>,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// Crowds are left out: they are regions, not objects.
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<u64, FrameBoxes>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let set: DataSet = serde_json::from_slice(bytes).map_err(|e| {
        Error::new(ErrorKind::InvalidData, format!("not a COCO data set: {e}"))
            .with_hint("a data set has `images`, `annotations` and `categories`")
    })?;
    let names: BTreeMap<i64, String> =
        set.categories.into_iter().map(|c| (c.id, crate::text::one_line(&c.name))).collect();
    let mut frame_of = BTreeMap::new();
    let mut frames: BTreeMap<u64, Rows> = BTreeMap::new();
    for image in set.images {
        let frame = image.frame.or_else(|| number_at_end(&image.file_name)?.checked_sub(1)).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidData,
                format!("which frame is image {}? its file name ends in no number", image.id),
            )
            .with_hint("name images as `frame_000001.jpg`, or give them `frame`, from 0")
        })?;
        frame_of.insert(image.id, frame);
        let rows = frames.entry(frame).or_default();
        if let (Some(w), Some(h)) = (image.width, image.height)
            && w >= 1.0
            && h >= 1.0
        {
            rows.size = Some(Size::new(w as u32, h as u32));
        }
    }
    for a in set.annotations {
        let unknown =
            |what: &str, id: i64| Error::new(ErrorKind::InvalidData, format!("an annotation of unknown {what} {id}"));
        let frame = frame_of.get(&a.image_id).ok_or_else(|| unknown("image", a.image_id))?;
        let label = names.get(&a.category_id).ok_or_else(|| unknown("category", a.category_id))?;
        if a.iscrowd == Some(1) {
            continue;
        }
        let [x, y, w, h] = a.bbox.map(|v| v as f32);
        let score = a.score.unwrap_or(1.0).clamp(0.0, 1.0) as f32;
        let track = a.track_id.and_then(|t| u32::try_from(t).ok()).filter(|t| *t > 0);
        let row = (BoxXyxy::from_xywh(x, y, w.max(0.0), h.max(0.0)), score, label.clone(), track);
        frames.entry(*frame).or_default().rows.push(row);
    }
    frames.into_iter().map(|(frame, rows)| Ok((frame, rows.columns()?))).collect()
}

/// The digits before the ending of a file name.
fn number_at_end(name: &str) -> Option<u64> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let digits = stem.len() - stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    stem[stem.len() - digits..].parse().ok()
}
