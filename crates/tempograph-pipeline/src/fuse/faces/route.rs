//! Where a face went, told by as few places as show it.

use tempograph_core::{BoxXyxy, MediaTime, timeline::FaceAt};

use super::Sight;

/// How far a box may lie from the line that stands for it, in widths of the face: less than a detector wavers by.
const TOLERANCE: f32 = 0.05;
/// Places that one line stands for at most, which bounds the work.
const LONGEST: usize = 64;

/// The places of `sights` (in order of time) between which straight lines keep every box to within [`TOLERANCE`].
pub(super) fn route(sights: &[Sight<'_>]) -> Vec<FaceAt> {
    let at = |s: &Sight<'_>| FaceAt { t_s: s.time, bbox: s.bbox };
    let mut path: Vec<FaceAt> = sights.first().map(at).into_iter().collect();
    let mut from = 0;
    while from + 1 < sights.len() {
        let furthest = (from + LONGEST).min(sights.len() - 1);
        let mut to = from + 1;
        while to < furthest && stands_for(sights, from, to + 1) {
            to += 1;
        }
        path.push(at(&sights[to]));
        from = to;
    }
    path
}

/// Whether a line from one place to the other is near every place between them.
fn stands_for(sights: &[Sight<'_>], from: usize, to: usize) -> bool {
    let (a, b) = (&sights[from], &sights[to]);
    sights[from + 1..to].iter().all(|s| {
        let line = between((a.time, a.bbox), (b.time, b.bbox), s.time);
        let (line, there) = (<[f32; 4]>::from(line), <[f32; 4]>::from(s.bbox));
        line.iter().zip(there).all(|(l, t)| (l - t).abs() <= TOLERANCE * s.bbox.width())
    })
}

/// The box on the way from one to the other.
fn between((from, a): (MediaTime, BoxXyxy), (to, b): (MediaTime, BoxXyxy), time: MediaTime) -> BoxXyxy {
    let share = ((time - from).as_secs_f64() / (to - from).as_secs_f64().max(f64::MIN_POSITIVE)) as f32;
    a.toward(b, share)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sights(places: &[(f32, f32)]) -> Vec<Sight<'static>> {
        let sight = |(i, &(x, side)): (usize, &(f32, f32))| Sight {
            time: MediaTime::from_millis(250 * i as i64),
            frame: i,
            bbox: BoxXyxy::from_xywh(x, 20.0, side, side),
            score: 0.9,
            emotions: &[],
        };
        places.iter().enumerate().map(sight).collect()
    }

    #[test]
    fn a_steady_face_takes_two_places_and_a_turn_a_third() {
        let there: Vec<_> = (0..20).map(|i| (10.0 * i as f32 + (i % 2) as f32, 50.0)).collect();
        assert_eq!(route(&sights(&there)).len(), 2);
        let and_back: Vec<_> = (0..21).map(|i| (10.0 * (10 - (i - 10i32).abs()) as f32, 50.0)).collect();
        let path = route(&sights(&and_back));
        assert_eq!(path.iter().map(|p| p.t_s.as_secs_f64()).collect::<Vec<_>>(), [0.0, 2.5, 5.0]);
        assert_eq!(route(&sights(&[(1.0, 9.0)])).len(), 1);
        assert!(route(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_box_is_far_from_its_line(places in prop::collection::vec((0.0f32..400.0, 20.0f32..90.0), 1..200)) {
            let sights = sights(&places);
            let path = route(&sights);
            prop_assert_eq!(path[0].t_s, sights[0].time);
            prop_assert_eq!(path[path.len() - 1].t_s, sights[sights.len() - 1].time);
            for s in &sights {
                let next = path.partition_point(|p| p.t_s < s.time);
                let (a, b) = (&path[next.saturating_sub(1)], &path[next]);
                let line = if next == 0 { b.bbox } else { between((a.t_s, a.bbox), (b.t_s, b.bbox), s.time) };
                let (line, there) = (<[f32; 4]>::from(line), <[f32; 4]>::from(s.bbox));
                for (l, t) in line.into_iter().zip(there) {
                    prop_assert!((l - t).abs() <= TOLERANCE * s.bbox.width() + 1e-2, "{l} for {t}");
                }
            }
        }
    }
}
