//! The suite every tracker passes, and what the recorded sequences must give.

use tempograph_core::{BoxXyxy, Claim, Detections, MediaTime, Observation, Span};

use super::*;

fn both() -> [Box<dyn Tracker>; 2] {
    [
        Box::new(ByteTrack::new(ByteTrackOptions::default())),
        Box::new(Sort::new(SortOptions::default())),
    ]
}

fn at(frame: i64) -> MediaTime {
    MediaTime::from_ticks(frame, 1, 30)
}

fn row(d: &mut Detections, x: f32, y: f32, score: f32, label: &str) {
    d.push(BoxXyxy::from_xywh(x, y, 40.0, 80.0), score, label);
}

/// Ids of a run with the late ones filled in.
fn run(tracker: &mut dyn Tracker, frames: &[(i64, Detections)]) -> Vec<Vec<Option<u32>>> {
    let mut ids: Vec<Vec<Option<u32>>> = Vec::new();
    for (frame, d) in frames {
        ids.push(tracker.update(d, at(*frame)));
        assert_eq!(ids.last().map(Vec::len), Some(d.len()));
        for s in tracker.confirmed() {
            let id = &mut ids[s.update as usize][s.row];
            assert!(id.is_none_or(|id| id == s.track));
            *id = Some(s.track);
        }
    }
    ids
}

fn two_walkers(frames: std::ops::Range<i64>) -> Vec<(i64, Detections)> {
    let frame = |f: i64| {
        let mut d = Detections::default();
        row(&mut d, 10.0 + 2.0 * f as f32, 50.0, 0.9, "person");
        row(&mut d, 400.0 - 2.0 * f as f32, 300.0, 0.8, "person");
        (f, d)
    };
    frames.map(frame).collect()
}

#[test]
fn two_objects_keep_their_ids() {
    for mut tracker in both() {
        let ids = run(&mut *tracker, &two_walkers(0..20));
        assert!(ids.iter().all(|ids| *ids == [Some(1), Some(2)]), "{}: {ids:?}", tracker.name());
    }
}

#[test]
fn nothing_to_see_is_no_trouble() {
    for mut tracker in both() {
        assert!(tracker.update(&Detections::default(), at(0)).is_empty());
        let mut flat = Detections::default();
        flat.push(BoxXyxy::new(5.0, 5.0, 5.0, 5.0), 1.0, "dot");
        flat.push(BoxXyxy::new(9.0, 9.0, 1.0, 1.0), 1.0, "inverted");
        for f in [1, 2, 3, 3, 2, 1_000_000] {
            assert_eq!(tracker.update(&flat, at(f)).len(), 2, "{}", tracker.name());
        }
    }
}

#[test]
fn a_cut_ends_tracks_but_ids_go_on() {
    for mut tracker in both() {
        let before = run(&mut *tracker, &two_walkers(0..10));
        tracker.cut();
        let mut after = Vec::new();
        for (f, d) in two_walkers(10..20) {
            after.push(tracker.update(&d, at(f)));
        }
        let last = after.last().expect("ten frames");
        assert!(before.iter().flatten().all(|id| last.iter().all(|l| l != id)), "{}: {last:?}", tracker.name());
        assert!(last.iter().all(|id| id.is_some_and(|id| id > 2)));
    }
}

#[test]
fn a_class_of_its_own_is_another_track() {
    for mut tracker in both() {
        let frame = |f: i64, label: &str| {
            let mut d = Detections::default();
            row(&mut d, 10.0 + f as f32, 50.0, 0.9, label);
            (f, d)
        };
        let frames: Vec<_> = (0..12).map(|f| frame(f, if f < 6 { "dog" } else { "cat" })).collect();
        let ids = run(&mut *tracker, &frames);
        assert_eq!(ids[5], [Some(1)], "{}", tracker.name());
        assert_eq!(ids[11], [Some(2)], "{}", tracker.name());
    }
}

#[test]
fn the_same_frames_give_the_same_ids() {
    for (mut a, mut b) in both().into_iter().zip(both()) {
        assert_eq!(run(&mut *a, &two_walkers(0..30)), run(&mut *b, &two_walkers(0..30)));
    }
}

#[test]
fn a_gap_in_time_counts_as_the_frames_it_lasted() {
    let mut tracker = ByteTrack::new(ByteTrackOptions::default());
    let mut frames = two_walkers(0..10);
    frames.extend(two_walkers(20..25));
    let ids = run(&mut tracker, &frames);
    assert_eq!(ids[10], [Some(1), Some(2)], "ten frames missing, under the second a track is kept");
    let mut frames = two_walkers(0..10);
    frames.extend(two_walkers(80..85));
    let ids = run(&mut ByteTrack::new(ByteTrackOptions::default()), &frames);
    assert_eq!(ids[14], [Some(3), Some(4)]);
}

#[test]
fn faint_boxes_carry_a_track_but_start_none() {
    let frame = |f: i64| {
        let mut d = Detections::default();
        row(&mut d, 10.0 + 2.0 * f as f32, 50.0, if (5..15).contains(&f) { 0.2 } else { 0.9 }, "person");
        row(&mut d, 300.0, 50.0, 0.3, "person");
        (f, d)
    };
    let frames: Vec<_> = (0..20).map(frame).collect();
    let ids = run(&mut ByteTrack::new(ByteTrackOptions::default()), &frames);
    assert!(ids.iter().all(|ids| *ids == [Some(1), None]), "{ids:?}");
}

fn observe(frames: &[(i64, Detections)]) -> Vec<Observation> {
    let one = |(f, d): &(i64, Detections)| Observation {
        span: Span::new(at(*f), at(*f + 1)),
        claim: Claim::Detections { frame: *f as u64, detections: d.clone() },
    };
    frames.iter().map(one).collect()
}

#[test]
fn tracks_are_summed_up_and_do_not_cross_cuts() {
    let mut seen = observe(&two_walkers(0..20));
    let whole = track(&seen, &[], &TrackOptions::default());
    assert_eq!(whole.tracks.iter().map(|t| (t.id, t.frames)).collect::<Vec<_>>(), [(1, 20), (2, 20)]);
    assert_eq!(whole.tracks[0].span, Span::new(at(0), at(20)));
    assert!((whole.tracks[0].score - 0.9).abs() < 1e-6);
    let cut = track(&seen, &[at(10)], &TrackOptions::default());
    assert_eq!(cut.tracks.len(), 4);
    assert!(cut.tracks.iter().all(|t| t.frames == 10));
    let through = track(&seen, &[at(10)], &TrackOptions { end_at_cuts: false, ..TrackOptions::default() });
    assert_eq!(through, whole);
    seen.reverse();
    assert_eq!(track(&seen, &[], &TrackOptions::default()), whole, "order of arrival does not matter");
}

#[test]
fn the_step_is_the_median_distance() {
    // Every tenth frame of a 30 fps video: 20 pixels between sightings.
    let frames: Vec<_> = two_walkers(0..150).into_iter().step_by(10).collect();
    let tracked = track(&observe(&frames), &[], &TrackOptions::default());
    assert_eq!(tracked.tracks.len(), 2, "{:?}", tracked.tracks);
}

#[test]
fn an_unknown_tracker_is_named() {
    assert_eq!(TrackerKind::from_name("sort").expect("known"), TrackerKind::Sort);
    assert!(TrackerKind::from_name("x").expect_err("unknown").to_string().ends_with(": x"));
}
