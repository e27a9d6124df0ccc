//! Where the box of each track and face is at any time, from the frames that were analysed.

use std::collections::BTreeMap;

use tempograph_core::{BoxXyxy, Detections, MediaTime, Span, timeline::FaceTrack};

/// The boxes of one track or face in order of time.
struct Path {
    id: u32,
    label: String,
    boxes: Vec<(MediaTime, BoxXyxy)>,
    /// How long a box is shown that leads to no other.
    hold: MediaTime,
}

/// Paths, asked at times that only go forward.
pub(super) struct Paths {
    /// In order of their first box.
    waiting: std::iter::Peekable<std::vec::IntoIter<Path>>,
    active: Vec<(Path, usize)>,
    cuts: Vec<MediaTime>,
    /// Boxes further apart are not joined.
    bridge: MediaTime,
}

/// A box to be drawn.
pub(super) struct Shown<'a> {
    pub(super) id: u32,
    pub(super) label: &'a str,
    pub(super) bbox: BoxXyxy,
}

impl Paths {
    /// Collects the rows that have a track. Boxes no more than `bridge` apart are joined by a
    /// straight line, but never over a scene's start.
    pub(super) fn new<'d>(
        detections: impl Iterator<Item = (MediaTime, &'d Detections)>,
        scenes: impl Iterator<Item = Span>,
        bridge: MediaTime,
    ) -> Self {
        let mut by_track: BTreeMap<u32, Path> = BTreeMap::new();
        let mut times = Vec::new();
        for (time, rows) in detections {
            times.push(time);
            for row in rows.iter() {
                let Some(id) = row.track else { continue };
                let new = || Path { id, label: row.label.to_owned(), boxes: Vec::new(), hold: MediaTime::ZERO };
                let path = by_track.entry(id).or_insert_with(new);
                path.boxes.push((time, row.bbox));
            }
        }
        let mut paths: Vec<Path> = by_track.into_values().collect();
        for path in &mut paths {
            path.boxes.sort_by_key(|b| b.0);
            path.boxes.dedup_by_key(|b| b.0);
        }
        times.sort_unstable();
        times.dedup();
        let mut gaps: Vec<i64> = times.windows(2).map(|w| (w[1] - w[0]).nanos()).collect();
        gaps.sort_unstable();
        // A last box is shown until the next analysed frame could have shown it.
        let hold = gaps.get(gaps.len() / 2).map_or(MediaTime::ZERO, |&g| MediaTime::from_nanos(g * 3 / 4));
        paths.iter_mut().for_each(|p| p.hold = hold);
        Self::of(paths, scenes, bridge.max(hold))
    }

    /// The paths of faces, whose ids are their numbers in `faces`.
    pub(super) fn of_faces(faces: &[FaceTrack], scenes: impl Iterator<Item = Span>) -> Self {
        let path = |(face, id): (&FaceTrack, u32)| {
            let boxes: Vec<_> = face.path.iter().map(|at| (at.t_s, at.bbox)).collect();
            let hold = boxes.last().map_or(MediaTime::ZERO, |&(last, _)| face.span.end - last);
            Path { id, label: face.id.clone(), boxes, hold }
        };
        // A face's path is whole as it is: where it was lost for long, another face begins.
        Self::of(faces.iter().zip(0..).map(path).collect(), scenes, MediaTime::MAX)
    }

    fn of(mut paths: Vec<Path>, scenes: impl Iterator<Item = Span>, bridge: MediaTime) -> Self {
        paths.retain(|p| !p.boxes.is_empty());
        paths.sort_by_key(|p| (p.boxes[0].0, p.id));
        let mut cuts: Vec<MediaTime> = scenes.map(|s| s.start).collect();
        cuts.sort_unstable();
        Self { waiting: paths.into_iter().peekable(), active: Vec::new(), cuts, bridge }
    }

    /// The boxes at `time`, larger ones first so that smaller ones are drawn over them.
    pub(super) fn at(&mut self, time: MediaTime) -> Vec<Shown<'_>> {
        while let Some(path) = self.waiting.next_if(|p| p.boxes[0].0 <= time) {
            self.active.push((path, 0));
        }
        let bridge = self.bridge;
        self.active.retain(|(path, _)| path.boxes[path.boxes.len() - 1].0 + path.hold >= time);
        let mut shown: Vec<Shown<'_>> = Vec::new();
        for (path, at) in &mut self.active {
            while path.boxes.get(*at + 1).is_some_and(|b| b.0 <= time) {
                *at += 1;
            }
            let (from, here) = path.boxes[*at];
            let next = path.boxes.get(*at + 1).copied().filter(|&(to, _)| to - from <= bridge);
            let cut = |until: MediaTime| {
                let first = self.cuts.partition_point(|&c| c <= from);
                self.cuts.get(first).is_some_and(|&c| c <= until)
            };
            let bbox = match next {
                Some((to, there)) if !cut(to) => {
                    let share = (time - from).as_secs_f64() / (to - from).as_secs_f64().max(1e-9);
                    Some(here.toward(there, share as f32))
                }
                _ => (time - from <= path.hold && !cut(time)).then_some(here),
            };
            if let Some(bbox) = bbox {
                shown.push(Shown { id: path.id, label: &path.label, bbox });
            }
        }
        shown.sort_by(|a, b| b.bbox.area().total_cmp(&a.bbox.area()).then(a.id.cmp(&b.id)));
        shown
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::timeline::FaceAt;

    use super::*;

    fn ms(v: i64) -> MediaTime {
        MediaTime::from_millis(v)
    }

    fn rows(x: f32) -> Detections {
        let d = Detections::new(vec![BoxXyxy::from_xywh(x, 0.0, 10.0, 10.0)], vec![0.9], vec!["cat".into()]);
        d.and_then(|d| d.with_tracks(vec![Some(7)])).expect("equal columns")
    }

    fn paths(scene_starts: &[i64]) -> Paths {
        let made = [(0, 0.0), (200, 10.0), (400, 20.0), (4000, 50.0)].map(|(t, x)| (ms(t), rows(x)));
        let scenes = scene_starts.iter().map(|&s| Span::new(ms(s), ms(9000)));
        Paths::new(made.iter().map(|(t, d)| (*t, d)), scenes, ms(1000))
    }

    fn left(paths: &mut Paths, at: i64) -> Option<f32> {
        paths.at(ms(at)).first().map(|s| s.bbox.x1)
    }

    #[test]
    fn boxes_move_in_a_straight_line_and_do_not_linger() {
        let mut paths = paths(&[0]);
        assert_eq!(left(&mut paths, 0), Some(0.0));
        assert_eq!(left(&mut paths, 100), Some(5.0));
        assert_eq!(left(&mut paths, 300), Some(15.0));
        assert_eq!(left(&mut paths, 450), Some(20.0), "held for a moment");
        assert_eq!(left(&mut paths, 2000), None, "a long gap is not bridged");
        assert_eq!(left(&mut paths, 4000), Some(50.0));
        assert_eq!(left(&mut paths, 5000), None);
    }

    #[test]
    fn a_face_goes_where_its_path_says_and_stays_to_its_end() {
        let at = |t, x| FaceAt { t_s: ms(t), bbox: BoxXyxy::from_xywh(x, 0.0, 10.0, 10.0) };
        let face = FaceTrack {
            id: "F1".into(),
            span: Span::new(ms(1000), ms(9300)),
            score: 0.9,
            frames: 33,
            track: None,
            entity: None,
            bbox: BoxXyxy::default(),
            box_time_s: ms(1000),
            path: vec![at(1000, 0.0), at(9000, 80.0)],
        };
        let scenes = || [Span::new(ms(0), ms(9400))].into_iter();
        let mut paths = Paths::of_faces(&[FaceTrack { path: Vec::new(), ..face.clone() }, face], scenes());
        assert_eq!(left(&mut paths, 500), None);
        assert_eq!(left(&mut paths, 5000), Some(40.0));
        assert_eq!(paths.at(ms(5000))[0].id, 1);
        assert_eq!(left(&mut paths, 9200), Some(80.0));
        assert_eq!(left(&mut paths, 9350), None);
    }

    #[test]
    fn no_box_crosses_a_cut() {
        let mut paths = paths(&[0, 100]);
        assert_eq!(left(&mut paths, 80), Some(0.0), "not yet moving towards the other scene's box");
        assert_eq!(left(&mut paths, 120), None);
        assert_eq!(left(&mut paths, 200), Some(10.0));
    }
}
