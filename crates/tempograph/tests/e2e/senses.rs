//! Sounds and faces: the public files with a truth, through the binary.

use std::path::Path;

use serde_json::Value;

use crate::support::{Done, Place, models, read_json, shared_media};

/// What `analyze` makes of `file` with these stages.
fn analysed(place: &Place, file: &Path, stages: &str) -> Value {
    let Done { code, err, .. } = place.run(&[
        "analyze",
        file.to_str().unwrap(),
        "--only",
        stages,
        "--no-annotate",
        "--out",
        "o",
        "--sound-model",
        "yamnet",
    ]);
    assert_eq!(code, 0, "{err}");
    let analysis = place.json("o/analysis.json");
    assert_eq!(analysis["issues"], serde_json::json!([]));
    analysis
}

fn rows<'a>(analysis: &'a Value, list: &str) -> Vec<&'a Value> {
    analysis[list].as_array().unwrap().iter().collect()
}

fn of_kind<'a>(analysis: &'a Value, kind: &str) -> Vec<&'a Value> {
    rows(analysis, "audio_events").into_iter().filter(|e| e["type"] == kind).collect()
}

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap()
}

/// A sound's three likeliest names.
fn names(event: &Value) -> Vec<&str> {
    let others = event["alternatives"].as_array().map(Vec::as_slice).unwrap_or_default();
    std::iter::once(&event["label"])
        .chain(others.iter().map(|o| &o["label"]))
        .take(3)
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn the_sounds_of_the_city_mix_are_named_and_timed_and_speech_is_not_told_twice() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let analysis = analysed(&place, &media.join("composite/public_a_citymix.mp4"), "sounds,vad");
    let truth = read_json(&media.join("truth/public_a_citymix.json"));
    let sounds = of_kind(&analysis, "sound");
    let mut matched = 0;
    for event in truth["audio_events"].as_array().unwrap().iter().filter(|e| e["kind"] != "speech") {
        let accepted: &[&str] = match event["label"].as_str().unwrap() {
            "Dog bark" => &["Dog", "Bark"],
            "Alarm clock" => &["Alarm clock", "Alarm", "Beep, bleep", "Smoke detector, smoke alarm"],
            _ => &["Beep, bleep", "Sine wave"],
        };
        let near = |s: &&&Value| {
            (number(&s["start_s"]) - number(&event["start"])).abs() <= 0.5
                && (number(&s["end_s"]) - number(&event["end"])).abs() <= 0.5
        };
        let found = sounds.iter().find(near).unwrap_or_else(|| panic!("{event}: {sounds:#?}"));
        assert!(names(found).iter().any(|n| accepted.contains(n)), "{event}: {found}");
        matched += 1;
    }
    assert_eq!((matched, sounds.len()), (4, 4), "and nothing else is heard: {sounds:#?}");
    let spoken = |e: &&Value| names(e).contains(&"Speech");
    assert!(!sounds.iter().any(spoken));
    let silences = of_kind(&analysis, "silence");
    assert!(silences.iter().any(|s| s["label"] == "silence" && number(&s["confidence"]) > 0.9), "{silences:#?}");
    for silence in &silences {
        let apart = |s: &&Value| {
            number(&s["end_s"]) <= number(&silence["start_s"]) + 1e-6
                || number(&silence["end_s"]) <= number(&s["start_s"]) + 1e-6
        };
        assert!(sounds.iter().all(apart), "{silence}");
    }
}

#[test]
fn clips_are_named_and_speech_alone_has_no_sounds() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let clips: [(&str, &[&str]); 8] = [
        ("tp_dog.ogg", &["Dog", "Bark"]),
        ("tp_rooster.ogg", &["Chicken, rooster", "Crowing, cock-a-doodle-doo"]),
        ("tp_drumkit.ogg", &["Drum kit", "Drum", "Percussion", "Cymbal"]),
        ("tp_vacuum_cleaner.ogg", &["Vacuum cleaner"]),
        // "A glass of water.", says the text that its package has beside it; it is filled.
        ("tp_glass.ogg", &["Fill (with liquid)", "Pour"]),
        ("tp_lightningbolt.ogg", &["Thunder", "Thunderstorm"]),
        ("tp_firetruck.ogg", &["Emergency vehicle", "Siren", "Fire engine, fire truck (siren)"]),
        ("fd_bell.oga", &["Bell", "Ding", "Chime"]),
    ];
    let place = Place::new();
    for (name, accepted) in clips {
        let analysis = analysed(&place, &media.join("sound").join(name), "sounds,vad");
        let sounds = of_kind(&analysis, "sound");
        let named = sounds.iter().any(|s| names(s).iter().any(|n| accepted.contains(n)));
        assert!(named, "{name}: {sounds:#?}");
    }
    for name in ["speech/jfk.wav", "speech/ami_dev00.wav", "composite/public_c_dialog3.wav"] {
        let analysis = analysed(&place, &media.join(name), "sounds,vad");
        assert_eq!(of_kind(&analysis, "sound"), Vec::<&Value>::new(), "{name}");
    }
    let analysis = analysed(&place, &media.join("video/trailer_bbb.mp4"), "sounds,vad");
    let music: f64 = of_kind(&analysis, "sound")
        .iter()
        .filter(|s| s["label"] == "Music")
        .map(|s| number(&s["end_s"]) - number(&s["start_s"]))
        .sum();
    assert!(music > 20.0, "{music} s of music in a trailer that is full of it");
}

#[test]
fn faces_and_emotions_are_what_the_truth_says() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let analysis = analysed(&place, &media.join("composite/public_d_faces.mp4"), "scenes,detect,faces");
    let truth = read_json(&media.join("truth/public_d_faces.json"));
    let (faces, emotions) = (rows(&analysis, "faces"), rows(&analysis, "emotions"));
    for scene in truth["scenes"].as_array().unwrap() {
        let (start, end) = (number(&scene["start"]), number(&scene["end"]));
        let within = |x: &&&Value| number(&x["start_s"]) >= start - 0.04 && number(&x["end_s"]) <= end + 0.04;
        let seen = faces.iter().filter(within).count() as u64;
        assert_eq!(seen, scene["truth"]["faces"].as_u64().unwrap(), "{scene}");
        let felt: Vec<&str> = emotions.iter().filter(within).filter_map(|e| e["label"].as_str()).collect();
        let want = ["emotion", "emotion_start", "emotion_end"].map(|k| scene["truth"][k].as_str());
        assert_eq!(felt, want.into_iter().flatten().collect::<Vec<_>>(), "{scene}");
    }
    for face in &faces {
        assert!(face["track"].is_u64() && face["entity"].is_string(), "each is somebody's: {face}");
    }

    let analysis = analysed(&place, &media.join("video/single_face.mp4"), "scenes,detect,faces");
    let felt = rows(&analysis, "emotions");
    assert_eq!((rows(&analysis, "faces").len(), felt.len()), (1, 2), "{felt:#?}");
    assert_eq!((felt[0]["label"].as_str(), felt[1]["label"].as_str()), (Some("neutral"), Some("happy")));
    assert!((number(&felt[1]["start_s"]) - 20.0 / 30.0).abs() <= 0.3, "{felt:#?}");
    let analysis = analysed(&place, &media.join("video/no_face.mp4"), "scenes,detect,faces");
    assert_eq!(rows(&analysis, "faces"), Vec::<&Value>::new());
    let analysis = analysed(&place, &media.join("video/carphone_pristine.mp4"), "scenes,detect,faces");
    let faces = rows(&analysis, "faces");
    assert_eq!(faces.len(), 1);
    assert!(number(&faces[0]["end_s"]) - number(&faces[0]["start_s"]) > 3.9, "throughout: {faces:#?}");
}

#[test]
fn a_photo_is_a_video_of_one_frame() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let truth = read_json(&media.join("truth/real_media_truth.json"));
    for (name, truth) in truth.as_object().unwrap() {
        let Some(count) = truth["faces"].as_u64().filter(|_| !name.starts_with("video/")) else { continue };
        let analysis = analysed(&place, &media.join(name), "scenes,thumbnails,detect,faces");
        assert!(number(&analysis["video"]["duration_s"]) > 0.0);
        assert_eq!(rows(&analysis, "faces").len() as u64, count, "{name}");
        let felt = rows(&analysis, "emotions");
        // The angry face is told by less than half a point of certainty, so it is not asserted.
        if let Some(emotion) = truth["emotion"].as_str().filter(|e| *e != "anger") {
            assert_eq!(felt.iter().map(|e| &e["label"]).collect::<Vec<_>>(), [emotion], "{name}");
        }
        let span = |x: &Value| number(&x["end_s"]) - number(&x["start_s"]);
        assert!(rows(&analysis, "faces").into_iter().chain(felt).all(|x| span(x) > 0.0), "{name}");
    }
    let analysis = analysed(&place, &media.join("image/chelsea.png"), "scenes,detect,faces");
    assert_eq!(rows(&analysis, "faces"), Vec::<&Value>::new(), "a cat has no face here");
}
