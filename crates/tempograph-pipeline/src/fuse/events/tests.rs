//! Each kind of event on made trajectories, and what must not be taken for it.

use proptest::prelude::*;
use tempograph_core::{
    BoxXyxy, Claim, Detections, MediaTime, Observation, Span,
    timeline::{Track, Video, VisualEvent, VisualEventKind as Kind},
};

use crate::fuse::{EventOptions, FuseInput, FuseOptions, Fused, Heard, Place, TrackDepth, fuse};

/// Frames a second of the made detections.
const RATE: i64 = 10;
/// Height of a made person, pixels; width is 0.4 of it, so one body length is 108 pixels.
const HEIGHT: f64 = 100.0;

/// Somebody made: label, first and last second, foot position at each second.
struct Actor<'a> {
    label: &'a str,
    from: f64,
    to: f64,
    at: Box<dyn Fn(f64) -> (f64, f64) + 'a>,
    size: (f64, f64),
}

fn person<'a>(to: f64, at: impl Fn(f64) -> (f64, f64) + 'a) -> Actor<'a> {
    Actor { label: "person", from: 0.0, to, at: Box::new(at), size: (0.4 * HEIGHT, HEIGHT) }
}

/// A smooth, bounded, repeatable wobble of about ±2 pixels, different for each actor and axis.
fn wobble(seed: usize, frame: i64) -> f64 {
    let x = (frame as f64 * 12.9898 + seed as f64 * 78.233).sin() * 43758.5453;
    (x - x.floor() - 0.5) * 4.0
}

#[derive(Clone)]
struct Stage {
    video: Video,
    observations: Vec<Observation>,
    tracks: Vec<Track>,
}

fn stage(actors: &[Actor<'_>], scale: f64, shift_ms: i64) -> Stage {
    let last = actors.iter().map(|a| a.to).fold(0.0, f64::max);
    let start = MediaTime::from_millis(shift_ms);
    let time = |f: i64| start + MediaTime::from_millis(f * 1000 / RATE);
    let mut observations = Vec::new();
    for frame in 0..=(last * RATE as f64) as i64 {
        let t = frame as f64 / RATE as f64;
        let (mut boxes, mut ids) = (Vec::new(), Vec::new());
        let mut labels = Vec::new();
        for (i, a) in actors.iter().enumerate().filter(|(_, a)| a.from <= t && t <= a.to) {
            let (x, y) = (a.at)(t);
            let (x, y) = (x + wobble(2 * i, frame), y + wobble(2 * i + 1, frame) / 2.0);
            let b = [x - a.size.0 / 2.0, y - a.size.1, x + a.size.0 / 2.0, y].map(|v| (v * scale) as f32);
            boxes.push(BoxXyxy::from(b));
            labels.push(a.label.to_owned());
            ids.push(Some(i as u32 + 1));
        }
        let scores = vec![0.8; boxes.len()];
        let detections =
            Detections::new(boxes, scores, labels).and_then(|d| d.with_tracks(ids)).expect("equal columns");
        let span = Span::new(time(frame), time(frame + 1));
        observations.push(Observation { span, claim: Claim::Detections { frame: frame as u64, detections } });
    }
    let tracks = actors.iter().enumerate().map(|(i, a)| Track {
        id: i as u32 + 1,
        label: a.label.to_owned(),
        score: 0.8,
        span: Span::new(time((a.from * RATE as f64) as i64), time((a.to * RATE as f64) as i64)),
        frames: ((a.to - a.from) * RATE as f64) as u64 + 1,
        entity: None,
    });
    Stage {
        video: Video {
            width: (2000.0 * scale) as u32,
            height: (1000.0 * scale) as u32,
            start_s: start,
            duration_s: MediaTime::from_secs_f64(last + 1.0),
            ..Video::default()
        },
        observations,
        tracks: tracks.collect(),
    }
}

fn events_of(stage: &Stage) -> Vec<VisualEvent> {
    events_with(stage, &[])
}

/// The events when each track was as near as `near` says, in order of tracks, once a second.
fn events_with(stage: &Stage, near: &[f32]) -> Vec<VisualEvent> {
    fused_with(stage, near).visual_events
}

fn fused_with(stage: &Stage, near: &[f32]) -> Fused {
    let seconds = stage.video.duration_s.as_secs_f64() as i64;
    let times = || (0..seconds).map(|s| stage.video.start_s + MediaTime::from_millis(1000 * s));
    let depth = |(i, &near): (usize, &f32)| TrackDepth {
        track: i as u32 + 1,
        near: times().map(|time| (time, near)).collect(),
    };
    let depths: Vec<TrackDepth> = near.iter().enumerate().map(depth).collect();
    let input = FuseInput {
        video: &stage.video,
        observations: &stage.observations,
        tracks: &stage.tracks,
        depths: &depths,
        heard: Heard::default(),
    };
    fuse(&input, &FuseOptions::default())
}

fn events(actors: &[Actor<'_>]) -> Vec<VisualEvent> {
    events_of(&stage(actors, 1.0, 0))
}

fn kinds(events: &[VisualEvent]) -> Vec<Kind> {
    let mut kinds: Vec<_> = events.iter().map(|e| e.kind).collect();
    kinds.sort();
    kinds
}

fn only(events: &[VisualEvent], kind: Kind) -> &VisualEvent {
    let of: Vec<_> = events.iter().filter(|e| e.kind == kind).collect();
    assert_eq!(of.len(), 1, "one {kind:?} in {events:#?}");
    of[0]
}

fn secs(event: &VisualEvent) -> (f64, f64) {
    (event.span.start.as_secs_f64(), event.span.end.as_secs_f64())
}

/// From `a` to `b` between the seconds `t0` and `t1`, standing before and after.
fn go(t: f64, t0: f64, t1: f64, a: f64, b: f64) -> f64 {
    a + (b - a) * ((t - t0) / (t1 - t0)).clamp(0.0, 1.0)
}

/// Comes from the left, meets one that stands, goes on after eight seconds.
fn visit<'a>() -> Vec<Actor<'a>> {
    let visitor = |t: f64| (go(t, 1.0, 6.0, 200.0, 650.0) + go(t, 14.0, 19.0, 0.0, -450.0), 500.0);
    vec![person(20.0, |_| (700.0, 500.0)), person(20.0, visitor)]
}

#[test]
fn depth_denies_meetings_and_confirms_them() {
    let stage = stage(&visit(), 1.0, 0);
    let plain = events_of(&stage);
    // The boxes meet, but one is far behind the other.
    let apart = events_with(&stage, &[0.9, 0.3]);
    assert!(apart.iter().all(|e| !matches!(e.kind, Kind::Approach | Kind::Interact | Kind::Depart)), "{apart:#?}");
    let together = events_with(&stage, &[0.5, 0.52]);
    assert_eq!(kinds(&together), kinds(&plain));
    for kind in [Kind::Approach, Kind::Depart] {
        let (before, after) = (only(&plain, kind), only(&together, kind));
        assert!(after.confidence >= before.confidence, "{kind:?}: {} after {}", after.confidence, before.confidence);
        assert_eq!(after.description, before.description);
    }
    let staggered = events_with(&stage, &[0.6, 0.45]);
    let meeting = only(&staggered, Kind::Interact);
    assert!(meeting.description.ends_with(", E1 in front of E2"), "{}", meeting.description);
}

#[test]
fn who_is_nearer_stands_in_front_while_the_boxes_overlap() {
    // Passes one who stands, 50 pixels a second.
    let passer = |t: f64| (go(t, 1.0, 21.0, 200.0, 1200.0), 495.0);
    let stage = stage(&[person(24.0, |_| (700.0, 500.0)), person(24.0, passer)], 1.0, 0);
    let fronts = |near: &[f32]| -> Vec<_> {
        let standings = fused_with(&stage, near).standings.into_iter();
        standings.filter(|s| s.place == Place::InFrontOf).map(|s| (s.entities, s.span)).collect()
    };
    for (near, front) in [([0.9, 0.3], ["E1", "E2"]), ([0.3, 0.9], ["E2", "E1"]), ([0.55, 0.4], ["E1", "E2"])] {
        let found = fronts(&near);
        let [(entities, span)] = &found[..] else { panic!("one time: {found:?}") };
        assert_eq!(entities, &front);
        // The boxes are 40 wide, so they overlap from 40 before the middle to 40 after.
        assert!(
            (span.start.as_secs_f64() - 10.2).abs() < 0.4 && (span.end.as_secs_f64() - 11.8).abs() < 0.4,
            "{span:?}"
        );
    }
    assert!(fronts(&[0.5, 0.52]).is_empty(), "depth does not tell them apart");
    assert!(fronts(&[]).is_empty(), "nobody knows without depth");
}

#[test]
fn a_visit_is_approach_interact_depart() {
    let events = events(&visit());
    let approach = only(&events, Kind::Approach);
    assert_eq!(approach.entities, ["E2", "E1"], "the one who comes is named first");
    let (start, end) = secs(approach);
    assert!((0.5..=1.6).contains(&start) && (5.2..=6.6).contains(&end), "{approach:?}");
    let (start, end) = secs(only(&events, Kind::Interact));
    assert!((5.0..=6.6).contains(&start) && (13.6..=15.0).contains(&end));
    let depart = only(&events, Kind::Depart);
    assert_eq!(depart.entities, ["E2", "E1"]);
    assert!((13.4..=14.8).contains(&secs(depart).0));
    assert!(approach.confidence > 0.5 && approach.evidence.tracks == [1, 2] && approach.evidence.frames_s.len() == 3);
    assert!(events.iter().all(|e| e.origin == "geometry"));
}

#[test]
fn passers_by_do_not_meet() {
    let crossing = [person(10.0, |t| (200.0 + 80.0 * t, 500.0)), person(10.0, |t| (1000.0 - 80.0 * t, 505.0))];
    assert_eq!(kinds(&events(&crossing)), []);
    let past_one_who_stands = [person(10.0, |t| (200.0 + 80.0 * t, 500.0)), person(10.0, |_| (600.0, 500.0))];
    let found = kinds(&events(&past_one_who_stands));
    assert!(!found.iter().any(|k| matches!(k, Kind::Approach | Kind::Depart | Kind::Interact)), "{found:?}");
}

#[test]
fn passing_a_parked_car_is_no_visit() {
    let car = Actor { label: "car", from: 0.0, to: 14.0, at: Box::new(|_| (700.0, 505.0)), size: (220.0, 110.0) };
    let found = kinds(&events(&[person(14.0, |t| (200.0 + 75.0 * t, 505.0)), car]));
    assert!(!found.iter().any(|k| matches!(k, Kind::Approach | Kind::Depart | Kind::Interact)), "{found:?}");
}

#[test]
fn a_parked_car_is_idle_once() {
    let car = || Actor { label: "car", from: 0.0, to: 60.0, at: Box::new(|_| (700.0, 505.0)), size: (220.0, 110.0) };
    let found = events(&[car()]);
    assert_eq!(kinds(&found), [Kind::Idle]);
    assert!(found[0].span.duration() > MediaTime::from_millis(59_000));
    let chair = Actor { label: "chair", ..car() };
    assert_eq!(kinds(&events(&[chair])), [], "what cannot move does not idle");
}

#[test]
fn walking_and_creeping_are_not_idle() {
    assert_eq!(kinds(&events(&[person(10.0, |t| (200.0 + 70.0 * t, 500.0))])), []);
    assert_eq!(kinds(&events(&[person(30.0, |t| (200.0 + 18.0 * t, 500.0))])), []);
    assert_eq!(kinds(&events(&[person(2.0, |_| (200.0, 500.0))])), [], "too short");
}

#[test]
fn one_behind_another_follows() {
    // Round a corner, two seconds apart: a coincidence of straight lines is not enough.
    let walk = |t: f64| (200.0 + 80.0 * t.min(6.0), 400.0 + 30.0 * (t - 6.0).max(0.0));
    let found = events(&[person(14.0, walk), person(14.0, move |t| walk((t - 2.0).max(0.0)))]);
    let follow = only(&found, Kind::Follow);
    assert_eq!(follow.entities, ["E2", "E1"], "the follower first");
    assert!(follow.span.duration() > MediaTime::from_millis(8000), "{follow:?}");
    assert!(!kinds(&found).contains(&Kind::Chase));
}

#[test]
fn side_by_side_or_another_way_is_not_following() {
    let abreast = [person(10.0, |t| (200.0 + 80.0 * t, 500.0)), person(10.0, |t| (200.0 + 80.0 * t, 530.0))];
    assert!(!kinds(&events(&abreast)).contains(&Kind::Follow));
    let apart = [person(10.0, |t| (400.0 + 80.0 * t, 500.0)), person(10.0, |t| (200.0 + 80.0 * t, 560.0))];
    assert!(!kinds(&events(&apart)).contains(&Kind::Follow));
}

#[test]
fn running_after_somebody_is_a_chase() {
    let run = |t: f64| (100.0 + 190.0 * t, 500.0);
    let found = events(&[person(9.0, move |t| run(t + 1.0)), person(9.0, run)]);
    assert_eq!(only(&found, Kind::Chase).entities, ["E2", "E1"]);
    assert!(!kinds(&found).contains(&Kind::Follow), "a chase is not told twice");
    let cars: Vec<_> = [1.0, 0.0]
        .map(|ahead| Actor {
            label: "car",
            from: 0.0,
            to: 5.0,
            at: Box::new(move |t| (100.0 + 350.0 * (t + ahead), 500.0)),
            size: (180.0, 90.0),
        })
        .into();
    assert!(!kinds(&events(&cars)).contains(&Kind::Chase), "traffic is no chase");
}

#[test]
fn three_together_are_a_group() {
    let stand = |x: f64| person(10.0, move |_| (x, 500.0));
    let found = events(&[stand(600.0), stand(665.0), stand(730.0), stand(1500.0)]);
    assert_eq!(only(&found, Kind::Group).entities, ["E1", "E2", "E3"]);
    assert!(!kinds(&events(&[stand(600.0), stand(665.0), stand(1500.0)])).contains(&Kind::Group));
}

#[test]
fn a_crowd_that_crosses_is_no_group() {
    let cross = [
        person(10.0, |t| (200.0 + 80.0 * t, 500.0)),
        person(10.0, |t| (1000.0 - 80.0 * t, 505.0)),
        person(10.0, |t| (600.0, 340.0 + 32.0 * t)),
    ];
    assert!(!kinds(&events(&cross)).contains(&Kind::Group));
}

#[test]
fn turning_off_a_collision_course_avoids() {
    let straight = |t: f64| (1200.0 - 60.0 * t, 500.0);
    let dodge = |t: f64| (200.0 + 80.0 * t.min(5.0) + 50.0 * (t - 5.0).max(0.0), 500.0 - 36.0 * (t - 5.0).max(0.0));
    let found = events(&[person(11.0, straight), person(11.0, dodge)]);
    assert_eq!(only(&found, Kind::Avoid).entities, ["E2", "E1"], "the one who turns first");
    let meet = [person(11.0, straight), person(11.0, |t| (200.0 + 80.0 * t, 500.0))];
    assert!(!kinds(&events(&meet)).contains(&Kind::Avoid), "nobody turned");
    let lanes = [person(11.0, straight), person(11.0, |t| (200.0 + 80.0 * t, 600.0))];
    assert!(!kinds(&events(&lanes)).contains(&Kind::Avoid), "no collision was to be expected");
}

#[test]
fn one_who_stays_with_one_thing_to_look_at_observes() {
    let walker = |y: f64| person(10.0, move |t| (250.0 + 90.0 * t, y));
    let stander = || person(10.0, |_| (700.0, 700.0));
    let found = events(&[stander(), walker(550.0)]);
    let observe = only(&found, Kind::Observe);
    assert_eq!(observe.entities, ["E1", "E2"]);
    assert!(observe.confidence <= EventOptions::default().observe_max_confidence);
    let busy = events(&[stander(), walker(550.0), walker(850.0)]);
    assert!(!kinds(&busy).contains(&Kind::Observe), "nothing says at which of the two");
}

#[test]
fn jitter_alone_is_nothing() {
    let still = |x: f64| person(20.0, move |_| (x, 500.0));
    let found = kinds(&events(&[still(400.0), still(640.0)]));
    assert_eq!(found, [Kind::Idle, Kind::Idle]);
}

#[test]
fn a_camera_that_pans_moves_nobody() {
    let pan = |x: f64, y: f64| person(10.0, move |t| (x + 60.0 * t, y));
    let found = kinds(&events(&[pan(200.0, 500.0), pan(500.0, 503.0), pan(900.0, 300.0), pan(1200.0, 900.0)]));
    assert_eq!(found, []);
}

#[test]
fn nothing_goes_on_over_a_cut() {
    let mut stage = stage(&[person(20.0, |_| (700.0, 500.0))], 1.0, 0);
    let at = MediaTime::from_millis(8000);
    let cut = Claim::Cut { frame: 80, detector: "content".into() };
    stage.observations.push(Observation { span: Span::new(at, at), claim: cut });
    let found = events_of(&stage);
    assert_eq!(kinds(&found), [Kind::Idle, Kind::Idle]);
    assert!(found[0].span.end <= at && found[1].span.start >= at);
}

/// The same, where the clock jumps by `by` after the second `at`.
fn after_a_jump(mut stage: Stage, at: f64, by: MediaTime) -> Stage {
    let at = stage.video.start_s + MediaTime::from_secs_f64(at);
    let moved = |t: MediaTime| if t > at { t + by } else { t };
    stage.observations.iter_mut().for_each(|o| o.span = Span::new(moved(o.span.start), moved(o.span.end)));
    stage.tracks.iter_mut().for_each(|t| t.span = Span::new(moved(t.span.start), moved(t.span.end)));
    stage.video.duration_s = stage.video.duration_s + by;
    stage
}

#[test]
fn a_clock_that_jumps_by_years_costs_nothing() {
    let stand = |x: f64| Actor { from: 0.2, ..person(10.0, move |_| (x, 500.0)) };
    let later = |actor| Actor { from: 20.0, ..actor };
    let pan = |x: f64, y: f64| Actor { from: 50.0, ..person(58.0, move |t| (x + 60.0 * (t - 50.0), y)) };
    let visitor = |t: f64| (go(t, 21.0, 26.0, 200.0, 650.0) + go(t, 34.0, 39.0, 0.0, -450.0), 500.0);
    let acts = [
        stand(600.0),
        stand(665.0),
        stand(730.0),
        later(person(40.0, |_| (700.0, 500.0))),
        later(person(40.0, visitor)),
        later(person(40.0, |_| (1400.0, 500.0))),
        later(person(40.0, |_| (1465.0, 500.0))),
        later(person(40.0, |_| (1530.0, 500.0))),
        pan(200.0, 500.0),
        pan(500.0, 503.0),
        pan(900.0, 300.0),
        pan(1200.0, 900.0),
    ];
    let near = stage(&acts, 1.0, 0);
    let want = events_of(&near);
    for kind in [Kind::Approach, Kind::Depart, Kind::Interact, Kind::Group, Kind::Idle] {
        assert!(kinds(&want).contains(&kind), "{kind:?} in {want:#?}");
    }
    let groups: Vec<_> = want.iter().filter(|e| e.kind == Kind::Group).collect();
    assert_eq!(groups.len(), 2, "{groups:#?}");
    assert!(want.iter().all(|e| secs(e).1 < 45.0), "the pan is none: {want:#?}");

    let by = MediaTime::from_millis(1_700_000_000_000);
    for jump in [15.0, 45.0] {
        // Whoever walks through the years between takes memory that no machine has.
        let found = events_of(&after_a_jump(near.clone(), jump, by));
        assert_eq!(without_confidence(&found), without_confidence(&want));
        for (far, event) in found.iter().zip(&want) {
            let by = if secs(event).0 > jump { by } else { MediaTime::ZERO };
            // Seconds as large as these are known to a quarter of a microsecond, so that a box may come to lie on the
            // other side of a window's edge.
            assert!((far.confidence - event.confidence).abs() < 0.03, "{far:?} was {event:?}");
            for (far, near) in [(far.span.start, event.span.start), (far.span.end, event.span.end)] {
                assert!(far.abs_diff(near + by) <= MediaTime::from_millis(401), "{far} was {event:?}");
            }
        }
    }
}

#[test]
fn what_is_seen_once_in_years_has_no_motion() {
    let mut seen = stage(&[person(1.0, |_| (600.0, 500.0))], 1.0, 0);
    let mut end = MediaTime::ZERO;
    for (observation, n) in seen.observations.iter_mut().zip(0..) {
        let start = MediaTime::from_millis(100_000_000_000 * n);
        end = start + observation.span.duration();
        observation.span = Span::new(start, end);
    }
    seen.tracks[0].span = Span::new(MediaTime::ZERO, end);
    seen.video.duration_s = end;
    assert_eq!(events_of(&seen), []);
}

#[test]
fn each_stay_has_its_own_to_look_at() {
    // Stands, goes on, stands, goes on, stands; in each stay but the second one other passes.
    let watcher = |t: f64| (go(t, 12.0, 17.0, 400.0, 800.0) + go(t, 29.0, 34.0, 0.0, 400.0), 700.0);
    let passer = |from: f64, x: f64| Actor { from, ..person(from + 9.0, move |t| (x + 90.0 * (t - from), 500.0)) };
    let acts = || vec![person(46.0, watcher), passer(1.5, 50.0), passer(36.0, 850.0)];
    let observed = |acts: &[Actor<'_>]| -> Vec<_> {
        let found = events(acts).into_iter().filter(|e| e.kind == Kind::Observe && e.entities[0] == "E1");
        found.map(|e| (e.entities[1].clone(), secs(&e).0.round() as i64)).collect()
    };
    let twice = observed(&acts());
    let who: Vec<&str> = twice.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(who, ["E2", "E3"], "{twice:?}");
    // One that is there all along is looked at while it moves, and the others still are while it does not.
    let to_and_fro = |t: f64| (1000.0 + 90.0 * ((t - 20.0).clamp(0.0, 7.0)), 550.0);
    let mut all = acts();
    all.push(person(46.0, to_and_fro));
    let thrice = observed(&all);
    assert_eq!(thrice.len(), 3, "{thrice:?}");
    assert_eq!((thrice[0].1, thrice[2].1), (twice[0].1, twice[1].1));
    assert!((19..=22).contains(&thrice[1].1), "{thrice:?}");
}

/// A little of everything.
fn scene<'a>(seed: f64) -> Vec<Actor<'a>> {
    let mut actors = visit();
    let run = move |t: f64| (100.0 + (150.0 + seed) * t, 900.0);
    actors.push(person(9.0, move |t| run(t + 1.0)));
    actors.push(person(9.0, run));
    let car = Actor {
        label: "car",
        from: 2.0,
        to: 18.0,
        at: Box::new(move |_| (1500.0 + seed, 400.0)),
        size: (220.0, 110.0),
    };
    actors.push(car);
    actors
}

fn without_evidence(events: Vec<VisualEvent>) -> Vec<(Kind, Vec<String>, f32)> {
    events.into_iter().map(|e| (e.kind, e.entities, e.confidence)).collect()
}

fn without_confidence(events: &[VisualEvent]) -> Vec<(Kind, &[String], &str)> {
    events.iter().map(|e| (e.kind, &e.entities[..], &e.description[..])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_order_of_observations_does_not_matter(order in prop::collection::vec(any::<u32>(), 201), seed in 0.0..60.0) {
        let made = stage(&scene(seed), 1.0, 0);
        let mut shuffled = made.clone();
        let mut keyed: Vec<_> = order.into_iter().zip(shuffled.observations).collect();
        keyed.sort_by_key(|(key, _)| *key);
        shuffled.observations = keyed.into_iter().map(|(_, o)| o).collect();
        shuffled.tracks.reverse();
        let events = events_of(&made);
        prop_assert!(events.len() > 4);
        prop_assert_eq!(events, events_of(&shuffled));
    }

    #[test]
    fn resolution_does_not_matter(power in -3i32..4, seed in 0.0..60.0) {
        let plain = events_of(&stage(&scene(seed), 1.0, 0));
        let scaled = events_of(&stage(&scene(seed), 2f64.powi(power), 0));
        prop_assert_eq!(without_evidence(plain), without_evidence(scaled));
    }

    #[test]
    fn the_start_of_the_clock_does_not_matter(shift_ms in -5_000i64..90_000_000, seed in 0.0..60.0) {
        let plain = events_of(&stage(&scene(seed), 1.0, 0));
        let later = events_of(&stage(&scene(seed), 1.0, shift_ms));
        prop_assert_eq!(plain.len(), later.len());
        for (a, b) in plain.iter().zip(&later) {
            prop_assert_eq!(a.span.start + MediaTime::from_millis(shift_ms), b.span.start);
            prop_assert_eq!((a.kind, &a.entities, a.confidence), (b.kind, &b.entities, b.confidence));
        }
    }
}
