//! One face from the many boxes that hold it.

use super::Face;

/// Boxes that overlap the best one by more than this show the same face (`min_suppression_threshold` of MediaPipe's face
/// detection graphs).
const IOU: f32 = 0.3;
/// Boxes looked at; the weakest beyond are dropped, which bounds the work on degenerate outputs.
const MOST: usize = 500;

/// The faces, best first: boxes that overlap the best one left are averaged into it, each by its score.
///
/// MediaPipe's weighted non-maximum suppression (`non_max_suppression_calculator.cc`, `WEIGHTED`).
pub(super) fn weighted(mut boxes: Vec<Face>) -> Vec<Face> {
    boxes.retain(|f| f.score.is_finite() && f.bbox.area().is_finite() && f.bbox.area() > 0.0);
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score));
    boxes.truncate(MOST);
    let mut faces = Vec::new();
    while let Some(&best) = boxes.first() {
        let (same, rest): (Vec<Face>, Vec<Face>) =
            boxes.into_iter().partition(|f| *f == best || f.bbox.iou(best.bbox) > IOU);
        faces.push(mean(best, &same));
        boxes = rest;
    }
    faces
}

fn mean(best: Face, same: &[Face]) -> Face {
    let total: f32 = same.iter().map(|f| f.score).sum();
    if total <= 0.0 {
        return best;
    }
    let of = |value: &dyn Fn(&Face) -> f32| same.iter().map(|f| value(f) * f.score).sum::<f32>() / total;
    let eye = |i: usize| (of(&|f| f.eyes[i].0), of(&|f| f.eyes[i].1));
    let mut bbox = best.bbox;
    bbox.x1 = of(&|f| f.bbox.x1);
    bbox.y1 = of(&|f| f.bbox.y1);
    bbox.x2 = of(&|f| f.bbox.x2);
    bbox.y2 = of(&|f| f.bbox.y2);
    Face { bbox, score: best.score, eyes: [eye(0), eye(1)] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::BoxXyxy;

    use super::*;

    fn face(x: f32, y: f32, side: f32, score: f32) -> Face {
        Face { bbox: BoxXyxy::from_xywh(x, y, side, side), score, eyes: [(x, y), (x + side, y)] }
    }

    #[test]
    fn overlapping_boxes_become_their_weighted_mean() {
        let found = weighted(vec![face(2.0, 0.0, 10.0, 0.3), face(0.0, 0.0, 10.0, 0.9), face(50.0, 0.0, 10.0, 0.5)]);
        assert_eq!(found.len(), 2);
        assert!((found[0].bbox.x1 - 0.5).abs() < 1e-6 && found[0].score == 0.9, "{found:?}");
        assert!((found[0].eyes[1].0 - 10.5).abs() < 1e-6);
        assert_eq!(found[1], face(50.0, 0.0, 10.0, 0.5));
        assert_eq!(weighted(vec![face(f32::NAN, 0.0, 1.0, 0.9), face(0.0, 0.0, 1.0, f32::NAN)]), []);
    }

    proptest! {
        #[test]
        fn every_box_belongs_to_a_face_and_faces_come_best_first(
            rows in prop::collection::vec((0f32..90.0, 0f32..90.0, 1f32..30.0, 0.01f32..1.0), 0..60)
        ) {
            let boxes: Vec<Face> = rows.iter().map(|&(x, y, s, p)| face(x, y, s, p)).collect();
            let found = weighted(boxes.clone());
            prop_assert!(found.len() <= boxes.len() && found.is_empty() == boxes.is_empty());
            prop_assert!(found.windows(2).all(|w| w[0].score >= w[1].score));
            for f in &found {
                prop_assert!(boxes.iter().any(|b| b.score == f.score));
                prop_assert!(f.bbox.x1 >= -1e-3 && f.bbox.x2 <= 120.0 + 1e-3 && f.bbox.area() > 0.0);
            }
        }
    }
}
