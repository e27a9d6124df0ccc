use proptest::prelude::*;
use tempograph_core::{
    BoxXyxy, Claim, FACE_EMOTIONS, FaceSeen, MediaTime, Observation, Span,
    timeline::{Emotion, FaceTrack, Track},
};

use super::{super::paths::Spot, FaceOptions, Path, faces};

fn ms(v: i64) -> MediaTime {
    MediaTime::from_millis(v)
}

/// Scores with most of it on one emotion.
fn feels(label: &str, share: f32) -> Vec<f32> {
    let rest = (1.0 - share) / (FACE_EMOTIONS.len() - 1) as f32;
    FACE_EMOTIONS.iter().map(|&e| if e == label { share } else { rest }).collect()
}

fn face(x: f32, label: &str) -> FaceSeen {
    FaceSeen { bbox: BoxXyxy::from_xywh(x, 20.0, 40.0, 40.0), score: 0.9, emotions: feels(label, 0.8) }
}

/// Four looks a second.
fn look(i: i64, faces: Vec<FaceSeen>) -> Observation {
    Observation { span: Span::new(ms(i * 250), ms(i * 250 + 40)), claim: Claim::Faces { frame: i as u64 * 6, faces } }
}

fn person(track: u32, scene: usize, x: f32, y: f32, w: f32, h: f32) -> Path {
    let spot = |i: i64| Spot { time: ms(i * 200), bbox: BoxXyxy::from_xywh(x, y, w, h), score: 0.8 };
    Path { track, scene, label: "person".to_owned(), spots: (0..60).map(spot).collect() }
}

fn track(id: u32) -> Track {
    let span = Span::new(ms(0), ms(12_000));
    Track { id, label: "person".into(), score: 0.8, span, frames: 60, entity: Some(format!("E{id}")) }
}

const WHOLE: Span = Span { start: MediaTime::ZERO, end: MediaTime::from_millis(10_000) };

fn decided(looks: &[Observation], paths: &[Path]) -> (Vec<FaceTrack>, Vec<Emotion>) {
    faces(looks, &[WHOLE], paths, &[track(1), track(2)], &FaceOptions::default())
}

#[test]
fn a_face_is_followed_and_belongs_to_the_person_around_it() {
    let looks: Vec<_> = (0..20).map(|i| look(i, vec![face(100.0 + 10.0 * i as f32, "happy")])).collect();
    let around = person(1, 0, 90.0, 10.0, 260.0, 400.0);
    let beside = person(2, 0, 500.0, 10.0, 100.0, 400.0);
    let (found, emotions) = decided(&looks, &[beside.clone(), around]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].track, found[0].entity.as_deref(), found[0].frames), (Some(1), Some("E1"), 20));
    assert_eq!(emotions.len(), 1);
    assert_eq!((emotions[0].label.as_str(), emotions[0].entity.as_deref()), ("happy", Some("E1")));
    assert_eq!(emotions[0].span, Span::new(ms(0), ms(10_000)), "it lasts as long as its scene");
    // At somebody's feet it is not that person's.
    let stands_on_it = person(1, 0, 90.0, -380.0, 260.0, 430.0);
    let (found, emotions) = decided(&looks, &[beside, stands_on_it]);
    assert_eq!((found.len(), found[0].track), (1, None));
    assert_eq!((emotions[0].entity.as_deref(), emotions[0].face.as_deref()), (None, Some("F1")));
}

#[test]
fn two_people_keep_their_own_faces() {
    let looks: Vec<_> = (0..12).map(|i| look(i, vec![face(400.0, "sad"), face(100.0, "happy")])).collect();
    let paths = [person(1, 0, 60.0, 0.0, 120.0, 300.0), person(2, 0, 360.0, 0.0, 120.0, 300.0)];
    let (found, emotions) = decided(&looks, &paths);
    let owners: Vec<_> = found.iter().map(|f| (f.bbox.x1, f.track)).collect();
    assert_eq!(owners, [(100.0, Some(1)), (400.0, Some(2))]);
    let felt: Vec<_> = emotions.iter().map(|e| (e.entity.as_deref(), e.label.as_str())).collect();
    assert_eq!(felt, [(Some("E1"), "happy"), (Some("E2"), "sad")]);
    // One person has one face at a time.
    let (found, _) = decided(&looks, &[person(1, 0, 60.0, 0.0, 500.0, 300.0)]);
    assert_eq!(found.iter().filter(|f| f.track == Some(1)).count(), 1);
}

#[test]
fn a_chance_likeness_is_no_face_and_a_still_picture_has_one_look() {
    let mut looks: Vec<_> = (0..12).map(|i| look(i, Vec::new())).collect();
    looks[5] = look(5, vec![face(100.0, "happy")]);
    assert_eq!(decided(&looks, &[]).0, []);
    let (found, emotions) = decided(&[look(0, vec![face(100.0, "happy"), face(300.0, "anger")])], &[]);
    assert_eq!((found.len(), emotions.len()), (2, 2));
    assert_eq!(found[0].id, "F1");
}

#[test]
fn one_look_is_enough_on_a_person_and_a_persons_face_is_one() {
    let mut looks: Vec<_> = (0..12).map(|i| look(i, Vec::new())).collect();
    looks[2] = look(2, vec![face(100.0, "happy")]);
    looks[9] = look(9, vec![face(300.0, "sad")]);
    let (found, emotions) = decided(&looks, &[person(1, 0, 80.0, 0.0, 300.0, 300.0)]);
    assert_eq!(found.iter().map(|f| (f.track, f.frames)).collect::<Vec<_>>(), [(Some(1), 2)]);
    assert_eq!(emotions, [], "two looks two seconds apart are no feeling");
}

#[test]
fn no_face_crosses_a_cut() {
    let looks: Vec<_> = (0..12).map(|i| look(i, vec![face(100.0, "happy")])).collect();
    let scenes = [Span::new(ms(0), ms(1450)), Span::new(ms(1450), ms(10_000))];
    let (found, _) = faces(&looks, &scenes, &[], &[], &FaceOptions::default());
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].span.end, found[1].span.start), (ms(1450), ms(1500)));
}

#[test]
fn an_emotion_changes_when_another_is_plainly_stronger() {
    let at = |i: i64, label: &str, share: f32| {
        look(i, vec![FaceSeen { emotions: feels(label, share), ..face(100.0, label) }])
    };
    let (_, emotions) =
        decided(&(0..16).map(|i| at(i, if i < 8 { "neutral" } else { "happy" }, 0.9)).collect::<Vec<_>>(), &[]);
    let felt: Vec<_> = emotions.iter().map(|e| (e.label.as_str(), e.span.start)).collect();
    assert_eq!(felt, [("neutral", ms(0)), ("happy", ms(2000))]);
    // One frame of another is smoothed away.
    let (_, emotions) =
        decided(&(0..16).map(|i| at(i, if i == 8 { "fear" } else { "happy" }, 0.9)).collect::<Vec<_>>(), &[]);
    assert_eq!(emotions.iter().map(|e| e.label.as_str()).collect::<Vec<_>>(), ["happy"]);
    // Nothing plain is nothing.
    let (found, emotions) = decided(&(0..16).map(|i| at(i, "sad", 0.3)).collect::<Vec<_>>(), &[]);
    assert_eq!((found.len(), emotions.len()), (1, 0));
}

proptest! {
    #[test]
    fn every_emotion_lies_within_its_face(
        rows in prop::collection::vec((prop::bool::weighted(0.8), 0f32..300.0, 0usize..7, 0.1f32..1.0), 1..40)
    ) {
        let looks: Vec<_> = rows.iter().enumerate().map(|(i, &(seen, x, label, share))| {
            let emotions = feels(FACE_EMOTIONS[label], share);
            look(i as i64, if seen { vec![FaceSeen { emotions, ..face(x, "sad") }] } else { Vec::new() })
        }).collect();
        let (found, emotions) = decided(&looks, &[]);
        let mut shuffled = looks.clone();
        shuffled.reverse();
        prop_assert_eq!(&(found.clone(), emotions.clone()), &decided(&shuffled, &[]));
        for emotion in &emotions {
            let own = found.iter().find(|f| Some(&f.id) == emotion.face.as_ref()).expect("its face");
            prop_assert!(own.span.start <= emotion.span.start && emotion.span.end <= own.span.end);
            prop_assert!(emotion.confidence >= FaceOptions::default().emotion_off);
        }
        for pair in emotions.windows(2).filter(|p| p[0].face == p[1].face) {
            prop_assert!(pair[0].span.end <= pair[1].span.start);
        }
    }
}
