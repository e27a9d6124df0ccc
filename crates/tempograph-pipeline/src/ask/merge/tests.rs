//! What models tell, held against scripted timelines.

use proptest::prelude::*;
use tempograph_core::{
    BoxXyxy, Claim, Detections, MediaTime, Observation, Span, Third, Timeline, ToldEntity, ToldEvent, ToldScene,
    WindowTold,
    timeline::{Entity, Evidence, Scene, Track, Video, VisualEvent, VisualEventKind as Kind},
};

use super::merge;
use crate::ask::context::Places;

fn at(s: i64) -> MediaTime {
    MediaTime::from_millis(s * 1000)
}

fn span(from: i64, to: i64) -> Span {
    Span::new(at(from), at(to))
}

/// A person at the left (T1, E1), a person at the right (T2, E2) and a car (T3, E3), all from 0 to 30 s.
fn street() -> (Timeline, Places) {
    let mut t = Timeline::empty(Video { width: 300, height: 200, duration_s: at(60), ..Video::default() });
    for (i, label) in ["person", "person", "car"].into_iter().enumerate() {
        let (id, entity) = (i as u32 + 1, format!("E{}", i + 1));
        t.tracks.push(Track {
            id,
            label: label.into(),
            score: 0.9,
            span: span(0, 30),
            frames: 60,
            entity: Some(entity.clone()),
        });
        t.entities.push(Entity {
            id: entity,
            kind: label.into(),
            description: format!("{label}, somewhere"),
            first_seen_s: at(0),
            last_seen_s: at(30),
            tracks: vec![id],
            speakers: Vec::new(),
            origin: "tracks".into(),
            told: Vec::new(),
        });
    }
    t.scenes.push(Scene { id: "S1".into(), span: span(0, 60), start_frame: 0, thumbnail: None, summary: None });
    let boxes = [10.0, 250.0, 140.0].map(|x| BoxXyxy::new(x, 10.0, x + 20.0, 90.0)).to_vec();
    let labels = ["person", "person", "car"].map(String::from).to_vec();
    let detections = Detections::new(boxes, vec![0.9; 3], labels).unwrap();
    let detections = detections.with_tracks(vec![Some(1), Some(2), Some(3)]).unwrap();
    let seen = [0, 10, 29].map(|s| Observation {
        span: span(s, s),
        claim: Claim::Detections { frame: s as u64, detections: detections.clone() },
    });
    let places = Places::new(&seen, &t);
    (t, places)
}

fn told(window: u32) -> WindowTold {
    let frames_s = vec![at(30 * i64::from(window) + 1), at(30 * i64::from(window) + 20)];
    WindowTold { window, frames_s, model: "m".into(), summary: format!("window {window}"), ..WindowTold::default() }
}

fn entity(id: &str, label: &str, description: &str, position: Option<Third>) -> ToldEntity {
    ToldEntity { id: id.into(), label: label.into(), description: description.into(), span: span(0, 60), position }
}

fn event(kind: &str, entities: &[&str], when: Span) -> ToldEvent {
    ToldEvent {
        kind: kind.into(),
        entities: entities.iter().map(|&e| e.into()).collect(),
        span: when,
        description: format!("they {kind}"),
        confidence: 0.7,
        ..ToldEvent::default()
    }
}

fn measured(kind: Kind, entities: &[&str], when: Span) -> VisualEvent {
    VisualEvent {
        id: "V1".into(),
        kind,
        entities: entities.iter().map(|&e| e.into()).collect(),
        span: when,
        description: "person E1 approaches car E3".into(),
        confidence: 0.6,
        origin: "geometry".into(),
        evidence: Evidence { frames_s: vec![at(4)], tracks: vec![1, 3] },
    }
}

#[test]
fn a_named_track_gets_the_models_words_and_keeps_its_own() {
    let (mut t, places) = street();
    let mut w = told(0);
    w.entities = vec![entity("T1", "person", "in a red coat", None), entity("t3", "truck", "white, parked", None)];
    assert!(merge(&mut t, &[(span(0, 30), w)], &places).is_empty());
    assert_eq!(t.entities.len(), 3);
    assert_eq!(t.entities[0].told[0].description, "in a red coat");
    let car = &t.entities[2];
    assert_eq!((car.kind.as_str(), car.told[0].label.as_str()), ("car", "truck"), "both are kept");
    assert_eq!((car.origin.as_str(), car.told[0].origin.as_str(), car.told[0].window.as_str()), ("tracks", "m", "W1"));
}

#[test]
fn without_an_id_label_time_and_position_decide() {
    let (mut t, places) = street();
    let mut w = told(0);
    w.entities = vec![
        entity("N1", "woman", "with a bag", Some(Third::Right)),
        entity("N2", "man", "with a dog", Some(Third::Left)),
        entity("N3", "dog", "on a lead", Some(Third::Left)),
    ];
    w.events = vec![event("interact", &["N2", "N3"], span(5, 9))];
    assert!(merge(&mut t, &[(span(0, 30), w)], &places).is_empty());
    assert_eq!(t.entities[1].told[0].description, "with a bag", "the one at the right");
    assert_eq!(t.entities[0].told[0].description, "with a dog");
    let dog = &t.entities[3];
    assert_eq!((dog.id.as_str(), dog.kind.as_str(), dog.origin.as_str()), ("E4", "dog", "vlm"));
    assert_eq!((dog.first_seen_s, dog.last_seen_s), (at(1), at(20)), "seen in the frames that were shown");
    let e = &t.visual_events[0];
    assert_eq!(
        (e.id.as_str(), &e.entities[..], e.origin.as_str()),
        ("V1", &["E1".to_owned(), "E4".to_owned()][..], "m")
    );
    assert_eq!(e.evidence.tracks, [1]);
    assert!(!e.evidence.frames_s.is_empty());
}

#[test]
fn without_frames_only_who_is_tracked_at_the_time_does_anything() {
    let (mut t, places) = street();
    t.tracks[1].span = span(0, 4);
    let mut w = told(0);
    w.events = vec![event("idle", &["T2"], span(10, 20)), event("approach", &["T1", "T2"], span(10, 20))];
    w.events.push(event("observe", &["T1"], span(10, 20)));
    let mut shown = t.clone();
    assert!(merge(&mut shown, &[(span(0, 30), w.clone())], &places).is_empty());
    assert_eq!(shown.visual_events.len(), 3, "who sees frames may see whom no track follows");
    w.frames_s.clear();
    let issues = merge(&mut t, &[(span(0, 30), w)], &places);
    assert_eq!(issues.len(), 1);
    assert!(issues[0].message.ends_with("left out: E2 (W1), E2 (W1)"), "{}", issues[0].message);
    assert_eq!(t.visual_events.len(), 1, "{:?}", t.visual_events);
    assert_eq!((t.visual_events[0].kind, &t.visual_events[0].evidence.tracks[..]), (Kind::Observe, &[1][..]));
}

#[test]
fn what_is_made_up_becomes_an_issue() {
    let (mut t, places) = street();
    let mut w = told(0);
    w.entities = vec![entity("T99", "elephant", "", None)];
    w.events = vec![
        event("approach", &["T98", "T1"], span(2, 4)),
        event("idle", &["T1", "T97"], span(2, 4)),
        event("juggle", &["T1"], span(2, 4)),
        event("follow", &["N7"], span(2, 4)),
    ];
    let issues = merge(&mut t, &[(span(0, 30), w)], &places);
    let said: Vec<_> = issues.iter().map(|i| i.message.as_str()).collect();
    assert!(said[0].ends_with("left out: T99 (W1), T98 (W1), T97 (W1), N7 (W1)"), "{said:?}");
    assert!(said[1].contains("juggle (W1)"), "{said:?}");
    assert_eq!(t.entities.len(), 3);
    assert_eq!(t.visual_events.len(), 1, "half of an approach is none, idling is about one");
    assert_eq!(t.visual_events[0].entities, ["E1"]);
}

#[test]
fn who_only_reads_sees_nobody_new() {
    let (mut t, places) = street();
    let mut w = told(0);
    w.frames_s.clear();
    w.entities = vec![entity("N1", "dog", "brown", None)];
    let issues = merge(&mut t, &[(span(0, 30), w)], &places);
    assert_eq!((t.entities.len(), issues.len()), (3, 1));
}

#[test]
fn an_event_that_geometry_knows_is_told_once() {
    let (mut t, places) = street();
    t.visual_events = vec![measured(Kind::Approach, &["E1", "E3"], span(3, 6))];
    let mut w = told(0);
    w.events = vec![
        event("approaches", &["T1", "T3"], span(2, 6)),
        event("approach", &["T2", "T3"], span(2, 6)),
        event("approach", &["T1", "T3"], span(20, 25)),
    ];
    merge(&mut t, &[(span(0, 30), w.clone())], &places);
    let got: Vec<_> =
        t.visual_events.iter().map(|e| (e.id.as_str(), e.entities.join("+"), e.origin.as_str())).collect();
    let want = [("V1", "E2+E3".to_owned(), "m"), ("V2", "E1+E3".into(), "geometry, m"), ("V3", "E1+E3".into(), "m")];
    assert_eq!(got, want);
    let both = &t.visual_events[1];
    assert_eq!((both.span, both.confidence), (span(3, 6), 0.7), "geometry knows when");
    assert_eq!(both.description, "person E1 approaches car E3: they approaches");
}

#[test]
fn what_goes_on_over_two_windows_is_one_event() {
    let (mut t, places) = street();
    t.tracks[0].span = span(0, 60);
    let (mut a, mut b) = (told(0), told(1));
    a.events = vec![event("idle", &["T1"], span(10, 30))];
    b.events = vec![event("idle", &["T1"], span(30, 45))];
    merge(&mut t, &[(span(0, 30), a), (span(30, 60), b)], &places);
    assert_eq!(t.visual_events.iter().map(|e| e.span).collect::<Vec<_>>(), [span(10, 45)]);
    assert_eq!(t.windows.iter().map(|w| w.id.as_str()).collect::<Vec<_>>(), ["W1", "W2"]);
}

#[test]
fn a_window_like_another_shows_who_is_there_and_not_what_happened() {
    let (mut t, places) = street();
    let mut a = told(0);
    a.entities = vec![entity("N1", "dog", "brown", None), entity("T1", "person", "in red", None)];
    a.events = vec![event("idle", &["N1"], span(1, 9))];
    let b = WindowTold { window: 1, same_as: Some(0), ..a.clone() };
    merge(&mut t, &[(span(0, 30), a), (span(30, 60), b)], &places);
    assert_eq!(t.visual_events.len(), 1);
    let dog = &t.entities[3];
    assert_eq!((dog.last_seen_s, t.entities.len()), (at(60), 4));
    assert_eq!(t.windows[1].same_as.as_deref(), Some("W1"));
}

#[test]
fn scenes_are_told_of_by_id_or_when_a_window_is_theirs_alone() {
    let (mut t, places) = street();
    t.scenes[0].span = span(0, 20);
    for (id, s) in [("S2", span(20, 30)), ("S3", span(30, 60))] {
        t.scenes.push(Scene { id: id.into(), span: s, start_frame: 0, thumbnail: None, summary: None });
    }
    let mut a = told(0);
    a.scenes = vec![ToldScene { scene: "S2".into(), summary: "A dog.".into() }];
    merge(&mut t, &[(span(0, 30), a), (span(30, 60), told(1))], &places);
    let got: Vec<_> = t.scenes.iter().map(|s| s.summary.as_deref()).collect();
    assert_eq!(got, [None, Some("A dog."), Some("window 1")]);
}

prop_compose! {
    fn any_entity()(id in "[TN]?[0-9]{0,2}", label in "(person|car|dog|)", words in "[a-d]{0,3}( [a-d]{3}){0,3}",
        position in prop::option::of(prop::sample::select(vec![Third::Left, Third::Centre, Third::Right]))) -> ToldEntity {
        entity(&id, &label, &words, position)
    }
}

prop_compose! {
    fn any_event()(kind in "(approach|idle|follow|group|fly)", who in prop::collection::vec("[TN][0-9]{1,2}", 0..4),
        from in -20i64..90, length in -5i64..40) -> ToldEvent {
        let who: Vec<&str> = who.iter().map(String::as_str).collect();
        event(&kind, &who, Span { start: at(from), end: at(from + length) })
    }
}

prop_compose! {
    fn any_told()(window in 0u32..4, entities in prop::collection::vec(any_entity(), 0..6), shown in any::<bool>(),
        events in prop::collection::vec(any_event(), 0..6), same_as in prop::option::of(0u32..4)) -> (Span, WindowTold) {
        let mut w = WindowTold { entities, events, same_as: same_as.filter(|s| *s < window), ..told(window) };
        if !shown {
            w.frames_s.clear();
        }
        (span(15 * i64::from(window), 15 * i64::from(window) + 15), w)
    }
}

proptest! {
    #[test]
    fn nothing_is_invented_and_nothing_measured_is_lost(all in prop::collection::vec(any_told(), 0..5)) {
        let (mut t, places) = street();
        t.visual_events = vec![measured(Kind::Approach, &["E1", "E3"], span(3, 6))];
        let before = t.clone();
        merge(&mut t, &all, &places);

        let ids: Vec<&str> = t.entities.iter().map(|e| e.id.as_str()).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        prop_assert_eq!(unique.len(), ids.len(), "ids are unique");
        let whole = span(0, 60);
        for event in &t.visual_events {
            prop_assert!(!event.entities.is_empty());
            prop_assert!(event.entities.iter().all(|e| ids.contains(&e.as_str())));
            prop_assert!(event.evidence.tracks.iter().all(|id| t.tracks.iter().any(|t| t.id == *id)));
            prop_assert!(event.span.start >= whole.start && event.span.end <= whole.end && event.span.start <= event.span.end);
            prop_assert!((0.0..=1.0).contains(&event.confidence));
        }
        prop_assert_eq!(&t.tracks, &before.tracks);
        for (now, then) in t.entities.iter().zip(&before.entities) {
            prop_assert_eq!(&Entity { told: Vec::new(), ..now.clone() }, then);
        }
        for new in &t.entities[before.entities.len()..] {
            prop_assert_eq!(new.origin.as_str(), "vlm");
            let shown = |(_, w): &(Span, WindowTold)| !w.frames_s.is_empty() && w.entities.iter().any(|e| e.label == new.kind);
            prop_assert!(all.iter().any(shown), "somebody was shown it");
        }
        let geometry = |t: &Timeline| t.visual_events.iter().filter(|e| e.origin.starts_with("geometry")).count();
        prop_assert_eq!(geometry(&t), geometry(&before));

        let (mut again, _) = street();
        again.visual_events = before.visual_events.clone();
        let mut turned = all.clone();
        turned.dedup_by_key(|w| w.1.window);
        merge(&mut again, &all, &places);
        prop_assert_eq!(again, t, "the same claims give the same timeline");
    }
}
