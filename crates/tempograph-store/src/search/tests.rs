//! Questions to a small library, with stand-in vectors whose axes are meanings.

use std::collections::{BTreeMap, BTreeSet};

use tempograph_core::{
    ErrorKind, Graph, Timeline,
    timeline::{Entity, Scene, StageRun, Track, Window},
};

use super::*;
use crate::Library;

const AXES: [&[&str]; 4] = [&["dog", "bark", "puppy"], &["car", "taxi", "automobile"], &["person", "happy"], &["ask"]];

fn space() -> Space {
    Space { model: "standin".into(), dims: AXES.len() + 1 }
}

/// A direction for each group of words; what is in none points elsewhere.
fn vector(text: &str) -> Vec<f32> {
    let text = text.to_lowercase();
    let mut v: Vec<f32> =
        AXES.iter().map(|words| f32::from(u8::from(words.iter().any(|w| text.contains(w))))).collect();
    v.push(if v.iter().all(|x| *x == 0.0) { 1.0 } else { 0.0 });
    let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
    v.iter().map(|x| x / norm).collect()
}

struct Place {
    _dir: tempfile::TempDir,
    library: Library,
}

fn place(timelines: &[Timeline]) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::open(dir.path()).unwrap();
    for t in timelines {
        put(&library, t, "p");
    }
    Place { _dir: dir, library }
}

fn put(library: &Library, t: &Timeline, plan: &str) {
    library.put_video(&t.video.id, &t.video.uri).unwrap();
    library.put_run(&t.video.id, plan, t, &Graph::default(), &[]).unwrap();
}

fn embed(library: &Library) -> usize {
    let (texts, count) = library.pending_texts(&space().model, 1000).unwrap();
    assert_eq!(texts.len(), count);
    let vectors: BTreeMap<&str, Vec<f32>> = texts.iter().map(|t| (t.as_str(), vector(t))).collect();
    library.put_vectors(&space(), &vectors).unwrap();
    count
}

fn ask(library: &Library, query: &Query) -> Vec<Hit> {
    let vector = QueryVector { space: space(), vector: vector(&query.text) };
    library.search(query, Some(&vector)).unwrap()
}

fn count(library: &Library, table: &str) -> i64 {
    library.connection().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_words_time_comes_first() {
    let p = place(&[testing::timeline("v")]);
    for with_vectors in [false, true] {
        if with_vectors {
            embed(&p.library);
        }
        let hits = ask(&p.library, &Query::new("what your country"));
        let first = &hits[0];
        assert_eq!((first.matches[0].kind, first.at_s), (Kind::Speech, MediaTime::from_millis(3500)), "{first:#?}");
        let text: Vec<char> = first.matches[0].text.chars().collect();
        let (from, to) = first.matches[0].highlights[0];
        assert_eq!(text[from as usize..to as usize].iter().collect::<String>(), "what your country");
        assert!(first.matches[0].why().starts_with("words: what your country"), "{}", first.matches[0].why());
        assert_eq!(first.matches[0].speaker.as_deref(), Some("Speaker 1"));
    }
}

#[test]
fn a_bark_is_heard_before_a_dog_is_seen() {
    let mut talk = testing::timeline("talk");
    talk.audio_events = vec![testing::speech(2.0, "S", "My dog and I went to the park.")];
    let p = place(&[talk, testing::timeline("v")]);
    for with_vectors in [false, true] {
        if with_vectors {
            embed(&p.library);
        }
        let hits = ask(&p.library, &Query::new("dog barking"));
        assert_eq!(
            (hits[0].matches[0].kind, hits[0].matches[0].text.as_str()),
            (Kind::Sound, "Bark is heard"),
            "{hits:#?}"
        );
        assert_eq!(hits[0].video.id, "v");
        assert_eq!(hits[0].matches[1].text, "Dog is heard", "one moment, one hit");
    }
    let similar = ask(&p.library, &Query::new("puppy"));
    assert!(similar[0].matches[0].similarity.is_some_and(|s| s > 0.9), "{similar:#?}");
    assert!(similar[0].matches[0].why().starts_with("close in meaning 1.00"));
}

#[test]
fn filters_narrow_down_and_list_on_their_own() {
    let p = place(&[testing::timeline("a"), testing::timeline("b")]);
    embed(&p.library);
    let kinds = |query: &Query| ask(&p.library, query).iter().map(|h| h.matches[0].kind).collect::<Vec<_>>();
    let base = Query::new("dog");
    assert_eq!(
        ask(&p.library, &Query { videos: vec!["b".into()], ..base.clone() })
            .iter()
            .filter(|h| h.video.id == "a")
            .count(),
        0
    );
    assert!(kinds(&Query { kinds: vec![Kind::Object], ..base.clone() }).iter().all(|k| *k == Kind::Object));
    let late = Query { from: Some(MediaTime::from_millis(20_550)), ..base.clone() };
    assert!(ask(&p.library, &late).iter().all(|h| h.span.end > MediaTime::from_millis(20_550)));
    assert!(ask(&p.library, &Query { to: Some(MediaTime::from_millis(17_000)), ..base.clone() }).is_empty());
    let said = Query { speakers: vec!["speaker 1".into()], ..Query::new("country") };
    assert_eq!(ask(&p.library, &said).len(), 4);
    assert!(ask(&p.library, &Query { speakers: vec!["Speaker 2".into()], ..said }).is_empty());
    let listed = Query { labels: vec!["CAR".into()], ..Query::default() };
    assert_eq!(kinds(&listed), [Kind::Object, Kind::Event, Kind::Object, Kind::Event]);
    assert_eq!(kinds(&Query { events: vec!["approach".into()], ..listed }), [Kind::Event, Kind::Event]);
}

#[test]
fn indexing_again_changes_nothing_and_a_run_replaces_its_moments() {
    let p = place(&[testing::timeline("v")]);
    embed(&p.library);
    let before = (count(&p.library, "moment"), count(&p.library, "phrase"));
    let hits = ask(&p.library, &Query::new("dog barking"));
    put(&p.library, &testing::timeline("v"), "p");
    assert_eq!(embed(&p.library), 0, "the same texts keep their vectors");
    assert_eq!((count(&p.library, "moment"), count(&p.library, "phrase")), before);
    assert_eq!(ask(&p.library, &Query::new("dog barking")), hits);

    let mut quiet = testing::timeline("v");
    quiet.audio_events.retain(|e| e.label.as_deref() != Some("Bark"));
    put(&p.library, &quiet, "p");
    assert_eq!(count(&p.library, "phrase"), before.1 - 1);
    assert!(ask(&p.library, &Query::new("bark")).iter().all(|h| h.matches[0].text != "Bark is heard"));
    // The place of the vector that is gone is used again.
    let mut other = quiet.clone();
    other.video.id = "w".into();
    other.texts[0].text = "EXIT".into();
    put(&p.library, &other, "p");
    assert_eq!(embed(&p.library), 1);
    assert_eq!(count(&p.library, "vector_hole"), 0);
}

/// A later run that looked for less hides nothing that an earlier one found; what it looked for it replaces.
#[test]
fn each_kind_is_found_in_the_latest_run_that_has_it() {
    let p = place(&[testing::timeline("v")]);
    let mut less = testing::timeline("v");
    less.audio_events.clear();
    less.tracks.truncate(1);
    put(&p.library, &less, "only objects");
    let texts = |question: &str| -> Vec<String> {
        ask(&p.library, &Query::new(question)).into_iter().map(|h| h.matches[0].text.clone()).collect()
    };
    assert_eq!(texts("country").len(), 2);
    assert!(
        texts("dog").iter().all(|t| t == "Dog is heard"),
        "the dog is no longer seen, but still heard: {:?}",
        texts("dog")
    );
    let run: i64 = p.library.connection().query_row("SELECT min(id) FROM run", [], |row| row.get(0)).unwrap();
    p.library.connection().execute("DELETE FROM run WHERE id = ?1", [run]).unwrap();
    assert!(texts("country").is_empty());
    let orphans = "phrase WHERE id NOT IN (SELECT phrase FROM moment)";
    assert_eq!(count(&p.library, orphans), 0);
    p.library.connection().execute("INSERT INTO phrase_terms (phrase_terms) VALUES ('integrity-check')", []).unwrap();
}

fn stage(name: &str, status: &str) -> StageRun {
    StageRun { name: name.into(), status: status.into(), ..StageRun::default() }
}

/// The kinds that are found in `v` after a second run of `stages` that found nothing at all.
fn left(stages: &[(&str, &str)]) -> Vec<&'static str> {
    let mut first = testing::timeline("v");
    first.scenes = vec![Scene {
        id: "S1".into(),
        span: testing::span(0.0, 60.0),
        start_frame: 0,
        thumbnail: None,
        summary: Some("A street.".into()),
    }];
    first.windows = vec![Window {
        id: "W1".into(),
        span: testing::span(0.0, 30.0),
        summary: "A man waits.".into(),
        origin: "m".into(),
        frames_s: Vec::new(),
        same_as: None,
    }];
    let p = place(&[first.clone()]);
    let mut nothing = Timeline::empty(first.video);
    nothing.run.stages = stages.iter().map(|(name, status)| stage(name, status)).collect();
    put(&p.library, &nothing, "again");
    let found = |kind: &Kind| !ask(&p.library, &Query { kinds: vec![*kind], ..Query::default() }).is_empty();
    Kind::ALL.iter().filter(|kind| found(kind)).map(|kind| kind.as_str()).collect()
}

/// What a later run looked for in vain is not there: an elephant that a higher threshold no longer sees.
#[test]
fn what_a_later_run_looked_for_in_vain_is_gone() {
    let all = ["speech", "sound", "text", "object", "event", "emotion", "description", "memory"];
    let without = |gone: &[&str]| all.into_iter().filter(|kind| !gone.contains(kind)).collect::<Vec<_>>();
    for (name, gone) in [
        ("detect", &["object", "event"][..]),
        ("speech", &["speech"]),
        ("sounds", &["sound"]),
        ("text", &["text"]),
        ("faces", &["emotion"]),
        ("ask", &["description", "memory"]),
        ("summary", &["description"]),
        ("scenes", &[]),
        ("vad", &[]),
        ("fuse", &[]),
    ] {
        for status in ["done", "cached", "resumed", "imported"] {
            assert_eq!(left(&[(name, status)]), without(gone), "{name} {status}");
        }
        for status in ["failed", "skipped", "running"] {
            assert_eq!(left(&[(name, status)]), all, "{name} {status}");
        }
    }
    assert_eq!(left(&[]), all);
    let partly = left(&[("ask", "failed"), ("summary", "done"), ("text", "done")]);
    assert_eq!(partly, without(&["text"]), "windows that failed may have had descriptions");
}

/// A timeline of `v` in which a model tells of a dog and nothing else is known.
fn told() -> Timeline {
    let mut t = Timeline::empty(testing::timeline("v").video);
    let dog = testing::timeline("v").entities.into_iter().find(|e| e.kind == "dog").unwrap();
    t.entities = vec![Entity { origin: "vlm".into(), description: "a golden retriever".into(), tracks: vec![], ..dog }];
    t.visual_events = testing::timeline("v").visual_events;
    t.visual_events[0].origin = "some model".into();
    t.visual_events[0].description = "the retriever steals a sausage".into();
    t.run.stages = vec![stage("ask", "done")];
    t
}

/// Who only asks a model has not looked again for what the detector saw, nor the other way round.
#[test]
fn what_models_tell_of_objects_stands_beside_what_is_seen_of_them() {
    let p = place(&[testing::timeline("v")]);
    let of = |kind: Kind| -> BTreeSet<String> {
        let hits = ask(&p.library, &Query { kinds: vec![kind], ..Query::default() });
        hits.into_iter().flat_map(|h| h.matches).map(|m| m.text).collect()
    };
    let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<BTreeSet<_>>();
    let seen = (names(&["car", "dog", "person"]), names(&["person approaches car"]));
    assert_eq!((of(Kind::Object), of(Kind::Event)), seen);

    put(&p.library, &told(), "only asked");
    let both = (
        names(&["a golden retriever", "car", "dog", "person"]),
        names(&["person approaches car", "the retriever steals a sausage"]),
    );
    assert_eq!((of(Kind::Object), of(Kind::Event)), both);

    let mut again = testing::timeline("v");
    again.run.stages = vec![stage("detect", "cached")];
    put(&p.library, &again, "only looked");
    assert_eq!((of(Kind::Object), of(Kind::Event)), both);

    let mut nothing = Timeline::empty(again.video);
    nothing.run.stages = vec![stage("ask", "done")];
    put(&p.library, &nothing, "asked, and nothing was told");
    assert_eq!((of(Kind::Object), of(Kind::Event)), seen);
}

/// Moments that are one hit do not use up the limit.
#[test]
fn a_list_is_as_long_as_it_may_be() {
    let mut t = testing::timeline("v");
    let one = t.tracks[0].clone();
    // Five times forty classes at once, ten seconds apart.
    t.tracks = (0..200)
        .map(|i| {
            let at = 10.0 * f64::from(i / 40);
            let span = testing::span(at, at + 1.0);
            Track { id: i + 1, label: format!("class {}", i % 40), span, entity: None, ..one.clone() }
        })
        .collect();
    let p = place(&[t]);
    let starts = |limit: usize| -> Vec<f64> {
        let hits = ask(&p.library, &Query { kinds: vec![Kind::Object], limit, ..Query::default() });
        assert!(hits.iter().all(|h| h.matches.len() == 40), "every hit is whole");
        hits.iter().map(|h| h.span.start.as_secs_f64()).collect()
    };
    assert_eq!(starts(1), [0.0]);
    assert_eq!(starts(3), [0.0, 10.0, 20.0]);
    assert_eq!(starts(5), [0.0, 10.0, 20.0, 30.0, 40.0]);
    assert_eq!(starts(10).len(), 5, "there are no more");
}

#[test]
fn a_library_of_before_is_indexed_when_it_is_searched() {
    let p = place(&[testing::timeline("v")]);
    p.library.connection().execute_batch("DELETE FROM moment; UPDATE run SET moments = 0;").unwrap();
    assert!(ask(&p.library, &Query::new("country")).is_empty());
    assert_eq!(p.library.index_pending().unwrap(), 1);
    assert_eq!(p.library.index_pending().unwrap(), 0);
    assert_eq!(ask(&p.library, &Query::new("country")).len(), 2);
}

/// The video was analysed anew before anything was searched.
#[test]
fn a_run_of_before_does_not_hide_the_one_after_it() {
    let first = testing::timeline("v");
    let p = place(std::slice::from_ref(&first));
    let mut nothing = Timeline::empty(first.video);
    nothing.run.stages = vec![stage("speech", "done")];
    p.library.connection().execute_batch("UPDATE run SET finished = finished - 60, moments = 0;").unwrap();
    put(&p.library, &nothing, "again");
    let country = || ask(&p.library, &Query { kinds: vec![Kind::Speech], ..Query::new("country") });
    assert!(country().is_empty());
    assert_eq!(p.library.index_pending().unwrap(), 2);
    assert!(country().is_empty(), "the later run heard no such words");
    assert!(!ask(&p.library, &Query::new("dog")).is_empty(), "it did not look for sounds");
    assert_eq!(p.library.index_pending().unwrap(), 0);
}

#[test]
fn another_model_begins_anew() {
    let p = place(&[testing::timeline("v")]);
    embed(&p.library);
    let other = Space { model: "other".into(), dims: 2 };
    let vectors: BTreeMap<&str, Vec<f32>> = [("Bark is heard", vec![1.0, 0.0])].into();
    p.library.put_vectors(&other, &vectors).unwrap();
    assert!(p.library.without_vector("other", &["Bark is heard", "Dog is heard", "Dog is heard"]).unwrap() == [1]);
    let files = || std::fs::read_dir(p.library.root().join("vectors")).unwrap().count();
    assert_eq!(files(), 1, "the old file is gone");
    let old = QueryVector { space: space(), vector: vector("puppy") };
    assert!(p.library.search(&Query::new("puppy"), Some(&old)).unwrap().is_empty(), "no comparing of spaces");
    let new = QueryVector { space: other.clone(), vector: vec![1.0, 0.0] };
    assert_eq!(p.library.search(&Query::new("puppy"), Some(&new)).unwrap()[0].matches[0].text, "Bark is heard");
    let wrong: BTreeMap<&str, Vec<f32>> = [("Bark is heard", vec![1.0])].into();
    assert_eq!(p.library.put_vectors(&other, &wrong).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_deleted_file_of_vectors_is_made_anew() {
    let p = place(&[testing::timeline("v")]);
    let all = embed(&p.library);
    std::fs::remove_dir_all(p.library.root().join("vectors")).unwrap();
    assert!(!ask(&p.library, &Query::new("dog")).is_empty(), "words are still there");
    assert_eq!(embed(&p.library), all);
    assert!(ask(&p.library, &Query::new("puppy"))[0].matches[0].similarity.is_some());
}

#[test]
fn hostile_questions_are_questions() {
    let mut t = testing::timeline("v");
    t.texts[0].text = "NEAR \"quoted\" (AND) OR* ^x:y \u{2}\u{3} 去公园".into();
    let p = place(&[t]);
    embed(&p.library);
    let megabytes = "a\"b* ".repeat(1 << 20);
    let hostile = [
        "\"",
        "''",
        "*",
        "NEAR(a b)",
        "terms:dog",
        "^dog",
        "dog OR",
        "AND",
        "a AND NOT b",
        "{x} : y",
        "-dog",
        "🐶",
        "\0",
        "'; DROP TABLE moment; --",
        "(((((",
        &megabytes,
        "é\u{301}",
        "\u{202e}dog",
    ];
    for text in hostile {
        let vector = QueryVector { space: space(), vector: vector(text) };
        for vector in [None, Some(&vector)] {
            p.library.search(&Query::new(text), vector).unwrap();
        }
    }
    assert!(p.library.search(&Query::new("🐶 ??"), None).unwrap().is_empty());
    assert_eq!(p.library.search(&Query::new("  "), None).unwrap_err().kind(), ErrorKind::Usage);
    let hits = p.library.search(&Query::new("公园"), None).unwrap();
    let found = &hits[0].matches[0];
    let text: Vec<char> = found.text.chars().collect();
    let (from, to) = found.highlights[0];
    assert_eq!(text[from as usize..to as usize].iter().collect::<String>(), "公园");
    assert_eq!(p.library.search(&Query::new("near quoted and or"), None).unwrap()[0].matches[0].kind, Kind::Text);
}
