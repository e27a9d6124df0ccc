//! `search` from question to moment.

use serde_json::Value;

use crate::support::{Place, clip, models, shared_media};

fn hits(place: &Place, args: &[&str]) -> Vec<Value> {
    let done = place.run(&[&["search", "--json"], args].concat());
    assert_eq!(done.code, 0, "{args:?}: {}", done.err);
    let found: Value = serde_json::from_str(&done.out).unwrap();
    found["hits"].as_array().unwrap().clone()
}

#[test]
fn hostile_and_empty_questions_are_answered() {
    let place = Place::new();
    assert!(hits(&place, &["anything"]).is_empty(), "an empty library");
    let done = place.run(&["search", ""]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("hint: say what to look for"), "{}", done.err);
    let long = "dog \"OR* ".repeat(10_000);
    for question in ["\"", "NEAR(a b) AND NOT", "'; DROP TABLE moment; --", "🐶", "--", &long] {
        let done = place.run(&["search", "--json", "--", question]);
        assert_eq!(done.code, 0, "{question:.20}: {}", done.err);
    }
    for wrong in [&["--from", "soon"][..], &["--kind", "smell"]] {
        let done = place.run(&[&["search", "dog"], wrong].concat());
        assert_eq!(done.code, 2, "{wrong:?}");
        assert!(done.err.contains("hint: "), "{}", done.err);
    }
    assert_eq!(place.run(&["search", "dog", "--video", "nowhere.mp4"]).code, 1);
}

/// Without the model words are searched, and it is said so.
#[test]
fn a_missing_model_leaves_words_alone() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 3) {
        return;
    }
    let without = |args: &[&str]| {
        let output = place.command(args).env("TEMPOGRAPH_MODELS", place.path("none")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        crate::support::finished(output)
    };
    without(&["analyze", "a.mp4", "--only", "scenes,embed", "--no-annotate"]);
    let analysis = place.json("tempograph-out/a/analysis.json");
    let issue = &analysis["issues"][0];
    assert_eq!(issue["stage"], "embed", "{issue}");
    assert!(issue["hint"].as_str().unwrap().contains("models pull bge-small-en"), "{issue}");
    let done = without(&["search", "anything"]);
    assert!(done.err.contains("words alone are searched"), "{}", done.err);
    without(&["analyze", "a.mp4", "--only", "scenes", "--no-annotate"]);
    assert_eq!(place.json("tempograph-out/a/analysis.json")["issues"], serde_json::json!([]), "nobody asked for it");
}

/// Spoken words, things seen and what is close in meaning, in the public set.
#[test]
fn the_public_set_is_found_again() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let jfk = media.join("speech/jfk.wav");
    let mix = media.join("composite/public_a_citymix.mp4");
    let sources = [jfk.to_str().unwrap(), mix.to_str().unwrap()];
    let only = "scenes,thumbnails,detect,sounds,vad,speech,embed";
    let args = ["analyze", sources[0], sources[1], "--only", only, "--no-annotate", "--out", "o"];
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);

    // "And so, my fellow Americans, ask not what your country can do for you": the word's own time.
    let first = &hits(&place, &["what your country", "--video", sources[0]])[0];
    let at = first["at_s"].as_f64().unwrap();
    assert!((3.9..4.7).contains(&at), "{first:#}");
    let matched = &first["matches"][0];
    assert_eq!(matched["kind"], "speech");
    assert!(matched["why"].as_str().unwrap().starts_with("words: what your country"), "{matched:#}");
    for hit in &hits(&place, &["what your country"])[..2] {
        assert!(hit["matches"][0]["why"].as_str().unwrap().starts_with("words: what your country"), "{hit:#}");
    }

    // A bark is heard, whatever dogs are seen or spoken of.
    let bark = &hits(&place, &["dog barking"])[0];
    assert_eq!(bark["matches"][0]["kind"], "sound", "{bark:#}");
    let truth = crate::support::read_json(&media.join("truth/public_a_citymix.json"));
    let near = |e: &Value| {
        let (start, end) = (e["start"].as_f64().unwrap() - 0.5, e["end"].as_f64().unwrap() + 0.5);
        e["label"].as_str().is_some_and(|l| l.contains("Dog")) && (start..end).contains(&bark["at_s"].as_f64().unwrap())
    };
    assert!(truth["audio_events"].as_array().unwrap().iter().any(near), "{bark:#}");

    // Nobody says "automobile", and the detector knows cars only.
    let seen = &hits(&place, &["automobile"])[0];
    assert_eq!(seen["matches"][0]["kind"], "object", "{seen:#}");
    assert!(seen["matches"][0]["why"].as_str().unwrap().contains("close in meaning"), "{seen:#}");
    let picture = &seen["thumbnail"];
    let object = std::fs::read(picture["path"].as_str().unwrap()).unwrap();
    let from = picture["offset"].as_u64().unwrap() as usize;
    assert_eq!(object[from..from + 2], [0xff, 0xd8], "a JPEG begins there");

    let people = hits(&place, &["", "--label", "person", "--to", "5", "--limit", "3"]);
    assert!(!people.is_empty() && people.iter().all(|h| h["start_s"].as_f64().unwrap() < 5.0), "{people:#?}");
    let done = place.run(&["search", "linux", "-n", "1"]);
    assert!(done.out.contains("operating system") && done.out.contains("words: Linux"), "{}", done.out);

    // Everything is known by now: no model is loaded again.
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);
    let analysis = place.json("o/public_a_citymix/analysis.json");
    let stages = analysis["run"]["stages"].as_array().unwrap();
    assert_eq!(stages.iter().find(|s| s["name"] == "embed").unwrap()["cached"], true);
}
