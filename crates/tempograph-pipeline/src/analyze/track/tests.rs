//! The suite every tracker passes, and what the recorded sequences must give.

use proptest::prelude::*;
use tempograph_core::{BoxXyxy, Claim, Detections, MediaTime, Observation, Span};

use super::*;

fn both() -> [Box<dyn Tracker>; 2] {
    [Box::new(ByteTrack::new(ByteTrackOptions::default())), Box::new(Sort::new(SortOptions::default()))]
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
fn classes_can_be_kept_apart_or_not() {
    let apart: [Box<dyn Tracker>; 2] = [
        Box::new(ByteTrack::new(ByteTrackOptions { other_class: 0.0, ..ByteTrackOptions::default() })),
        Box::new(Sort::new(SortOptions { class_aware: true, ..SortOptions::default() })),
    ];
    for (mut tracker, second) in apart.into_iter().map(|t| (t, 2)).chain(both().into_iter().map(|t| (t, 1))) {
        let frame = |f: i64, label: &str| {
            let mut d = Detections::default();
            row(&mut d, 10.0 + f as f32, 50.0, 0.9, label);
            (f, d)
        };
        let frames: Vec<_> = (0..12).map(|f| frame(f, if f < 6 { "dog" } else { "cat" })).collect();
        let ids = run(&mut *tracker, &frames);
        assert_eq!(ids[5], [Some(1)], "{}", tracker.name());
        assert_eq!(ids[11], [Some(second)], "{}", tracker.name());
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
fn few_frames_a_second_are_enough_for_a_walker() {
    // Two frames a second, and each time a person has moved by more than their width.
    let frame = |f: i64| {
        let mut d = Detections::default();
        row(&mut d, 10.0 + 3.0 * f as f32, 50.0, 0.9, "person");
        (f, d)
    };
    let frames: Vec<_> = (0..150).step_by(15).map(frame).collect();
    let tracked = track(&observe(&frames), &[], &TrackOptions::default());
    assert_eq!(tracked.tracks.iter().map(|t| t.frames).collect::<Vec<_>>(), [10]);
}

#[test]
fn an_unknown_tracker_is_named() {
    assert_eq!(TrackerKind::from_name("sort").expect("known"), TrackerKind::Sort);
    assert!(TrackerKind::from_name("x").expect_err("unknown").to_string().ends_with(": x"));
}

proptest::proptest! {
    #[test]
    fn any_boxes_are_taken(
        frames in prop::collection::vec((-5i64..200, prop::collection::vec((any_box(), 0f32..1.0, 0u8..3), 0..8)), 0..20),
        cut_at in 0usize..20,
    ) {
        for mut tracker in both() {
            let mut highest = 0;
            for (i, (frame, boxes)) in frames.iter().enumerate() {
                let before = highest;
                if i == cut_at {
                    tracker.cut();
                }
                let mut d = Detections::default();
                boxes.iter().for_each(|(b, score, label)| d.push(BoxXyxy::from(*b), *score, label.to_string()));
                let ids = tracker.update(&d, at(*frame));
                prop_assert_eq!(ids.len(), d.len());
                let mut given: Vec<u32> = ids.into_iter().flatten().collect();
                highest = given.iter().copied().max().unwrap_or(0).max(highest);
                prop_assert!(i != cut_at || given.iter().all(|&id| id > before));
                let count = given.len();
                given.sort_unstable();
                given.dedup();
                prop_assert_eq!(given.len(), count, "one row a track");
            }
        }
    }
}

/// Mostly sane boxes, some of them upside down or huge.
fn any_box() -> impl Strategy<Value = [f32; 4]> {
    prop_oneof![
        8 => (0f32..300.0, 0f32..300.0, 0f32..100.0, 0f32..100.0).prop_map(|(x, y, w, h)| [x, y, x + w, y + h]),
        1 => prop::array::uniform4(-500f32..500.0),
        1 => prop::array::uniform4(-1e30f32..1e30),
    ]
}

mod recorded {
    //! Sequences that may not be shipped, read from beside the repository.

    use std::{collections::BTreeMap, path::PathBuf};

    use tempograph_eval::mot::{self, MotScores, Row, Sequence};

    use super::*;

    fn shared_media() -> Option<PathBuf> {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = manifest.ancestors().map(|a| a.join("shared/media")).find(|p| p.is_dir());
        if found.is_none() {
            println!("skipped: shared media not present");
        }
        found
    }

    /// Detections by frame from MOTChallenge text, whose ids are not used; frames 1 to `last`.
    fn detections(text: &str, last: i64, fps: f64) -> Vec<Observation> {
        let mut frames: BTreeMap<i64, Detections> = (1..=last).map(|f| (f, Detections::default())).collect();
        for line in text.lines() {
            let f: Vec<&str> = line.split(',').collect();
            let n = |i: usize| f[i].parse::<f32>().expect("a number");
            let label = if f[7].parse::<f32>().is_ok() { "person" } else { f[7] };
            let bbox = BoxXyxy::from_xywh(n(2), n(3), n(4), n(5));
            frames.entry(n(0) as i64).or_default().push(bbox, n(6), label);
        }
        let time = |f: i64| MediaTime::from_secs_f64(f as f64 / fps);
        frames
            .into_iter()
            .map(|(f, detections)| Observation {
                span: Span::new(time(f - 1), time(f)),
                claim: Claim::Detections { frame: (f - 1) as u64, detections },
            })
            .collect()
    }

    fn score(truth: &str, tracked: &Tracked) -> MotScores {
        let mut truth = mot::from_mot_text(truth).expect("truth");
        truth.keep_confident(1.0);
        let mut found = Sequence { lists_empty_frames: true, ..Sequence::default() };
        for o in &tracked.observations {
            let Claim::Detections { frame, detections } = &o.claim else { continue };
            let rows = detections.iter().filter_map(|d| {
                let b = d.bbox;
                // The files at hand count pixels from 1, and so do the boxes made from them.
                let xywh = [b.x1 - 1.0, b.y1 - 1.0, b.width(), b.height()].map(f64::from);
                Some(Row { id: i64::from(d.track?), xywh, confidence: 1.0, label: None })
            });
            found.frames.insert(*frame as i64 + 1, rows.collect());
        }
        truth.keep_frames_of(&found);
        mot::score(&truth, &found, 0.5).expect("few pairs")
    }

    #[test]
    fn tud_campus_is_at_least_as_good_as_the_reference() {
        let Some(media) = shared_media() else { return };
        let read = |name: &str| std::fs::read_to_string(media.join("mot").join(name)).expect(name);
        let seen = detections(&read("TUD-Campus.det.txt"), 71, 25.0);
        for (kind, mota, idf1) in [(TrackerKind::ByteTrack, 0.579, 0.603), (TrackerKind::Sort, 0.0, 0.0)] {
            let tracked = track(&seen, &[], &TrackOptions { tracker: kind, ..TrackOptions::default() });
            let s = score(&read("TUD-Campus.gt.txt"), &tracked);
            println!(
                "{}: MOTA {:.4} IDF1 {:.4} HOTA {:.4} switches {} ids {} rows {}",
                kind.as_str(),
                s.mota,
                s.idf1,
                s.hota,
                s.num_switches,
                tracked.tracks.len(),
                s.num_predictions
            );
            assert!(s.mota >= mota && s.idf1 >= idf1, "{}: {s:?}", kind.as_str());
        }
    }

    #[test]
    fn pets_names_no_more_people_than_the_reference() {
        let Some(media) = shared_media() else { return };
        let text = std::fs::read_to_string(media.join("mot/PETS09-S2L1.det.txt")).expect("detections");
        for kind in [TrackerKind::ByteTrack, TrackerKind::Sort] {
            let options = TrackOptions { tracker: kind, ..TrackOptions::default() };
            let tracked = track(&detections(&text, 795, 7.0), &[], &options);
            let rows: u64 = tracked.tracks.iter().map(|t| t.frames).sum();
            println!("{}: ids {} rows {rows}", kind.as_str(), tracked.tracks.len());
            assert!(kind == TrackerKind::Sort || tracked.tracks.len() <= 51, "{}", tracked.tracks.len());
        }
    }

    #[test]
    fn true_boxes_keep_their_names() {
        let Some(media) = shared_media() else { return };
        let text = std::fs::read_to_string(media.join("truth/public_e_mot.gt.txt")).expect("truth");
        let seen = detections(&text, 500, 25.0);
        for every in [1, 2, 5, 12] {
            let sampled: Vec<Observation> = seen.iter().step_by(every).cloned().collect();
            for other_class in [0.0, 0.8, 1.0] {
                let mut options = TrackOptions::default();
                options.bytetrack.other_class = other_class;
                let tracked = track(&sampled, &[], &options);
                let s = score(&text, &tracked);
                println!(
                    "every {every}, other class {other_class}: MOTA {:.4} IDF1 {:.4} HOTA {:.4} ids {}",
                    s.mota,
                    s.idf1,
                    s.hota,
                    tracked.tracks.len()
                );
                assert!(every > 1 || s.idf1 >= 0.95, "{s:?}");
            }
        }
    }
}
