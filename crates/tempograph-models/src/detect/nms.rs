//! Non-maximum suppression.

use super::Candidate;

/// Candidates looked at per frame; the weakest beyond are dropped first, which bounds the work on degenerate outputs.
const MAX_CANDIDATES: usize = 3000;

/// The best `max` candidates, best first.
///
/// With `iou`, a candidate that overlaps a better one of its class by more than this is dropped (greedy, class by
/// class). Equal scores keep their order.
pub(super) fn select(mut candidates: Vec<Candidate>, iou: Option<f32>, max: usize) -> Vec<Candidate> {
    candidates.retain(|c| c.score.is_finite() && <[f32; 4]>::from(c.bbox).iter().all(|v| v.is_finite()));
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    let Some(iou) = iou else {
        candidates.truncate(max);
        return candidates;
    };
    let mut kept: Vec<Candidate> = Vec::with_capacity(max.min(candidates.len()));
    for c in candidates {
        if kept.len() == max {
            break;
        }
        if kept.iter().all(|k| k.class != c.class || k.bbox.iou(c.bbox) <= iou) {
            kept.push(c);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::BoxXyxy;

    use super::*;

    fn candidate(x: f32, score: f32, class: usize) -> Candidate {
        Candidate { bbox: BoxXyxy::from_xywh(x, 0.0, 10.0, 10.0), score, class }
    }

    #[test]
    fn the_better_of_two_overlapping_boxes_of_one_class_stays() {
        let input =
            vec![candidate(0.0, 0.5, 0), candidate(1.0, 0.9, 0), candidate(1.0, 0.4, 1), candidate(40.0, 0.3, 0)];
        let kept = select(input.clone(), Some(0.5), 10);
        assert_eq!(kept, [input[1], input[2], input[3]]);
        assert_eq!(select(input.clone(), None, 2), [input[1], input[0]]);
        assert_eq!(select(vec![candidate(f32::NAN, 0.9, 0), candidate(0.0, f32::INFINITY, 0)], Some(0.5), 9), []);
    }

    proptest! {
        #[test]
        fn what_stays_does_not_overlap_and_explains_what_went(
            rows in prop::collection::vec((0f32..50.0, 0f32..1.0, 0usize..3), 0..60)
        ) {
            let input: Vec<_> = rows.iter().map(|&(x, s, c)| candidate(x, s, c)).collect();
            let kept = select(input.clone(), Some(0.4), 100);
            let clash = |a: &Candidate, b: &Candidate| a.class == b.class && a.bbox.iou(b.bbox) > 0.4;
            for (i, a) in kept.iter().enumerate() {
                prop_assert!(kept[..i].iter().all(|b| !clash(a, b) && b.score >= a.score));
            }
            for gone in input.iter().filter(|c| !kept.contains(c)) {
                prop_assert!(kept.iter().any(|k| clash(k, gone) && k.score >= gone.score));
            }
        }
    }
}
