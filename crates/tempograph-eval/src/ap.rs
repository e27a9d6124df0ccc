//! Boxes in pictures: COCO average precision and recall.
//!
//! The numbers are pycocotools 2.0's `COCOeval` for boxes, crowd regions included.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use crate::input::parse_json;

/// A box to be found.
#[derive(Clone, Debug, Deserialize)]
pub struct Annotation {
    /// Picture.
    pub image_id: i64,
    /// Class.
    pub category_id: i64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// Area of the object in square pixels; that of the box when not given.
    #[serde(default)]
    pub area: Option<f64>,
    /// 1 for a region full of objects: finding some of it is neither right nor wrong.
    #[serde(default)]
    pub iscrowd: u8,
}

/// A box found.
#[derive(Clone, Debug, Deserialize)]
pub struct Found {
    /// Picture.
    pub image_id: i64,
    /// Class.
    pub category_id: i64,
    /// Left, top, width, height in pixels.
    pub bbox: [f64; 4],
    /// Confidence.
    pub score: f64,
}

#[derive(Clone, Debug, Deserialize)]
struct Image {
    id: i64,
}

#[derive(Clone, Debug, Deserialize)]
struct Category {
    id: i64,
    #[serde(default)]
    name: String,
}

/// A COCO annotation file.
#[derive(Clone, Debug, Deserialize)]
pub struct Truth {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

/// COCO's twelve numbers; −1 where there is nothing to find.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(non_snake_case, reason = "the names the field knows them by")]
pub struct ApScores {
    /// Precision, a mean over IoU .50 to .95.
    pub AP: f64,
    /// Precision at IoU .50.
    pub AP50: f64,
    /// Precision at IoU .75.
    pub AP75: f64,
    /// Precision for objects under 32² pixels.
    pub APs: f64,
    /// Precision for objects from 32² to 96² pixels.
    pub APm: f64,
    /// Precision for objects over 96² pixels.
    pub APl: f64,
    /// Recall with one box a picture.
    pub AR1: f64,
    /// Recall with ten.
    pub AR10: f64,
    /// Recall with a hundred.
    pub AR100: f64,
    /// Recall for small objects.
    pub ARs: f64,
    /// Recall for medium objects.
    pub ARm: f64,
    /// Recall for large objects.
    pub ARl: f64,
    /// Precision of each class, by name or number.
    pub per_class: BTreeMap<String, f64>,
}

const AREAS: [(f64, f64); 4] = [(0.0, 1e10), (0.0, 1024.0), (1024.0, 9216.0), (9216.0, 1e10)];
const LIMITS: [usize; 3] = [1, 10, 100];
const IOUS: usize = 10;
const RECALLS: usize = 101;

/// Reads a COCO annotation file.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when it is not one.
pub fn truth(text: &str) -> Result<Truth> {
    serde_json::from_value(parse_json(text)?).map_err(|e| invalid("annotation", &e))
}

/// Reads a COCO result file: a list of boxes, or an object with the list as `annotations`.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when it is not one.
pub fn found(text: &str) -> Result<Vec<Found>> {
    let mut json = parse_json(text)?;
    let list = json.get_mut("annotations").map(serde_json::Value::take).unwrap_or(json);
    serde_json::from_value(list).map_err(|e| invalid("result", &e))
}

fn invalid(what: &str, e: &serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not a COCO {what} file: {e}"))
}

/// The boxes of one class in one picture, matched under one range of areas.
struct Matched {
    scores: Vec<f64>,
    /// For each IoU and box: whether it is right (`Some(true)`), wrong, or not to be counted.
    right: [Vec<Option<bool>>; IOUS],
    to_find: usize,
}

/// What is to be found and what was.
type Boxes<'a> = (Vec<&'a Annotation>, Vec<&'a Found>);

/// Scores `found` against `truth`.
pub fn score(truth: &Truth, found: &[Found]) -> ApScores {
    let mut images: Vec<i64> = truth.images.iter().map(|i| i.id).collect();
    images.sort_unstable();
    images.dedup();
    let mut classes: BTreeMap<i64, &str> = BTreeMap::new();
    classes.extend(truth.categories.iter().map(|c| (c.id, c.name.as_str())));

    let mut boxes: BTreeMap<(i64, i64), Boxes<'_>> = BTreeMap::new();
    for a in &truth.annotations {
        boxes.entry((a.category_id, a.image_id)).or_default().0.push(a);
    }
    for f in found {
        boxes.entry((f.category_id, f.image_id)).or_default().1.push(f);
    }
    // (class, area, limit) to precision and recall by IoU.
    let mut precision = vec![Vec::new(); AREAS.len()];
    let mut recall = vec![vec![Vec::new(); LIMITS.len()]; AREAS.len()];
    let mut per_class = BTreeMap::new();
    for (&class, &name) in &classes {
        let here: Vec<_> = boxes
            .range((class, i64::MIN)..=(class, i64::MAX))
            .filter(|((_, image), _)| images.binary_search(image).is_ok())
            .map(|(_, (a, f))| Pictured::new(a, f))
            .collect();
        for (a, &area) in AREAS.iter().enumerate() {
            let matched: Vec<Matched> = here.iter().map(|p| p.matched(area)).collect();
            for (l, &limit) in LIMITS.iter().enumerate() {
                let Some(curve) = accumulate(&matched, limit) else { continue };
                recall[a][l].extend(curve.recall);
                if l + 1 == LIMITS.len() {
                    if a == 0 {
                        let name = if name.is_empty() { class.to_string() } else { name.to_owned() };
                        per_class.insert(name, mean(&curve.precision));
                    }
                    precision[a].push(curve.precision);
                }
            }
        }
    }
    let at = |a: usize, iou: usize| mean(&precision[a].iter().map(|p: &[f64; IOUS]| p[iou]).collect::<Vec<_>>());
    let ap = |a: usize| mean(precision[a].as_flattened());
    let ar = |a: usize, l: usize| mean(&recall[a][l]);
    ApScores {
        AP: ap(0),
        AP50: at(0, 0),
        AP75: at(0, 5),
        APs: ap(1),
        APm: ap(2),
        APl: ap(3),
        AR1: ar(0, 0),
        AR10: ar(0, 1),
        AR100: ar(0, 2),
        ARs: ar(1, 2),
        ARm: ar(2, 2),
        ARl: ar(3, 2),
        per_class,
    }
}

/// One class in one picture: the best hundred boxes and what they cover.
struct Pictured<'a> {
    truth: &'a [&'a Annotation],
    found: Vec<&'a Found>,
    /// found × truth.
    iou: Vec<f64>,
}

impl<'a> Pictured<'a> {
    fn new(truth: &'a [&'a Annotation], found: &[&'a Found]) -> Self {
        let mut found = found.to_vec();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(LIMITS[LIMITS.len() - 1]);
        let iou = found.iter().flat_map(|f| truth.iter().map(|t| overlap(f.bbox, t.bbox, t.iscrowd != 0))).collect();
        Self { truth, found, iou }
    }

    fn matched(&self, (least, most): (f64, f64)) -> Matched {
        let outside = |area: f64| area < least || area > most;
        let ignored = |t: &Annotation| t.iscrowd != 0 || outside(t.area.unwrap_or(t.bbox[2] * t.bbox[3]));
        // What counts comes first: a box is given to an ignored object only when no other fits.
        let (mut order, later): (Vec<usize>, Vec<usize>) =
            (0..self.truth.len()).partition(|&t| !ignored(self.truth[t]));
        let to_find = order.len();
        order.extend(later);
        let right = std::array::from_fn(|k| {
            let least_iou = iou_threshold(k).min(1.0 - 1e-10);
            let mut taken = vec![false; order.len()];
            let one = |(d, found): (usize, &&Found)| {
                let mut best = least_iou;
                let mut at: Option<usize> = None;
                for (g, &t) in order.iter().enumerate() {
                    if taken[g] && self.truth[t].iscrowd == 0 {
                        continue;
                    }
                    if g >= to_find && at.is_some_and(|m| m < to_find) {
                        break;
                    }
                    let iou = self.iou[d * self.truth.len() + t];
                    if iou >= best {
                        (best, at) = (iou, Some(g));
                    }
                }
                match at {
                    Some(g) => {
                        taken[g] = true;
                        (g < to_find).then_some(true)
                    }
                    None => (!outside(found.bbox[2] * found.bbox[3])).then_some(false),
                }
            };
            self.found.iter().enumerate().map(one).collect()
        });
        Matched { scores: self.found.iter().map(|f| f.score).collect(), right, to_find }
    }
}

struct Curve {
    /// Mean over the recall levels, by IoU.
    precision: [f64; IOUS],
    recall: [f64; IOUS],
}

fn accumulate(matched: &[Matched], limit: usize) -> Option<Curve> {
    let to_find: usize = matched.iter().map(|m| m.to_find).sum();
    if to_find == 0 {
        return None;
    }
    let mut order: Vec<(f64, usize, usize)> = Vec::new();
    for (p, m) in matched.iter().enumerate() {
        order.extend(m.scores.iter().take(limit).enumerate().map(|(d, &s)| (s, p, d)));
    }
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut curve = Curve { precision: [0.0; IOUS], recall: [0.0; IOUS] };
    for k in 0..IOUS {
        let (mut tp, mut fp) = (0u64, 0u64);
        let (mut recalls, mut precisions) = (Vec::with_capacity(order.len()), Vec::with_capacity(order.len()));
        for &(_, p, d) in &order {
            match matched[p].right[k][d] {
                Some(true) => tp += 1,
                Some(false) => fp += 1,
                None => {}
            }
            recalls.push(tp as f64 / to_find as f64);
            precisions.push(tp as f64 / ((tp + fp) as f64 + f64::EPSILON));
        }
        for i in (1..precisions.len()).rev() {
            precisions[i - 1] = f64::max(precisions[i - 1], precisions[i]);
        }
        curve.recall[k] = recalls.last().copied().unwrap_or(0.0);
        let at = |level: usize| {
            let i = recalls.partition_point(|&r| r < level as f64 * 0.01);
            precisions.get(i).copied().unwrap_or(0.0)
        };
        curve.precision[k] = (0..RECALLS).map(at).sum::<f64>() / RECALLS as f64;
    }
    Some(curve)
}

fn iou_threshold(k: usize) -> f64 {
    0.5 + k as f64 * ((0.95 - 0.5) / 9.0)
}

fn overlap(d: [f64; 4], g: [f64; 4], crowd: bool) -> f64 {
    let w = (d[0] + d[2]).min(g[0] + g[2]) - d[0].max(g[0]);
    let h = (d[1] + d[3]).min(g[1] + g[3]) - d[1].max(g[1]);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let whole = if crowd { d[2] * d[3] } else { d[2] * d[3] + g[2] * g[3] - w * h };
    w * h / whole
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { -1.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_taken(text in "[\\[\\]{}\":,a-z0-9_. ]{0,80}") {
            drop((truth(&text), found(&text)));
        }
    }
}
