//! Which network says what a sound is: YAMNet unless a CED is in the store.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Place, install_tiny, models, read_json, shared_media};

/// A store with ONNX Runtime and nothing that is not in the binary.
fn store(place: &Place) -> Option<PathBuf> {
    let runtime = models().map(|m| m.join("onnxruntime")).filter(|m| m.is_dir())?;
    let store = place.path("models");
    std::fs::create_dir(&store).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(runtime, store.join("onnxruntime")).unwrap();
    Some(store)
}

fn analysed(place: &Place, store: &Path, file: &Path, stages: &str, more: &[&str]) -> Value {
    let fixed = ["--only", stages, "--no-annotate", "--out", "o"];
    let args = [&["analyze", file.to_str().unwrap()], &fixed[..], more].concat();
    let output = place.command(&args).env("TEMPOGRAPH_MODELS", store).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let analysis = place.json("o/analysis.json");
    assert_eq!(analysis["issues"], json!([]));
    analysis
}

fn tagger(analysis: &Value) -> Vec<&str> {
    let models = analysis["models"].as_array().unwrap().iter();
    models.filter(|m| m["task"] == "sounds").map(|m| m["name"].as_str().unwrap()).collect()
}

#[test]
fn a_ced_in_the_store_is_preferred_and_yamnet_can_be_named() {
    let Some(media) = shared_media() else { return };
    let place = Place::new();
    let Some(store) = store(&place) else { return };
    let file = media.join("sound/tp_rooster.ogg");
    let run = |more: &[&str]| analysed(&place, &store, &file, "sounds", more);

    let before = run(&[]);
    assert_eq!(tagger(&before), ["yamnet"]);
    assert!(!before["audio_events"].as_array().unwrap().is_empty());

    install_tiny(&store, "ced-tiny", "ced_tiny.onnx");
    let tiny = run(&[]);
    assert_eq!(tagger(&tiny), ["ced-tiny"]);
    let stage = tiny["run"]["stages"].as_array().unwrap().iter().find(|s| s["name"] == "sounds").unwrap();
    assert_eq!((&stage["status"], &stage["cached"]), (&json!("done"), &json!(false)));
    assert!(stage["items"].as_u64().unwrap() > 0, "{stage}");
    assert_ne!(tiny["audio_events"], before["audio_events"], "random weights name something else");
    for event in tiny["audio_events"].as_array().unwrap() {
        let (start, end) = (event["start_s"].as_f64().unwrap(), event["end_s"].as_f64().unwrap());
        assert!(0.0 <= start && start < end && end < 2.0, "{event}");
        assert!(event["label"].as_str().is_some_and(|l| !l.is_empty()), "{event}");
    }

    let named = run(&["--sound-model", "yamnet"]);
    assert_eq!(tagger(&named), ["yamnet"]);
    assert_eq!(named["audio_events"], before["audio_events"]);
    let wrong = place.run(&["analyze", file.to_str().unwrap(), "--sound-model", "seashell"]);
    assert!(wrong.code != 0 && wrong.err.contains("seashell"), "{}", wrong.err);
}

/// With the weights as they are published, where somebody has pulled them.
#[test]
fn ced_tiny_names_and_times_what_can_be_heard() {
    let Some(media) = shared_media() else { return };
    let Some(store) = models().filter(|m| m.join("ced-tiny/installed.json").is_file()) else {
        println!("skipped: `tempograph models pull ced-tiny` gives the weights");
        return;
    };
    let place = Place::new();
    let sounds = |name: &str| {
        let analysis = analysed(&place, &store, &media.join(name), "sounds,vad", &["--sound-model", "ced-tiny"]);
        let events = analysis["audio_events"].as_array().unwrap().clone();
        events.into_iter().filter(|e| e["type"] == "sound").collect::<Vec<_>>()
    };
    let named = |event: &Value, accepted: &[&str]| accepted.contains(&event["label"].as_str().unwrap());
    // `tp_glass.ogg` (taken for water) and `fd_bell.oga` (taken for a plop) are missed, as by YAMNet.
    let clips: [(&str, &[&str]); 6] = [
        ("sound/tp_dog.ogg", &["Dog", "Bark"]),
        ("sound/tp_rooster.ogg", &["Chicken, rooster", "Crowing, cock-a-doodle-doo"]),
        ("sound/tp_drumkit.ogg", &["Drum kit", "Drum", "Percussion", "Cymbal", "Hi-hat"]),
        ("sound/tp_vacuum_cleaner.ogg", &["Vacuum cleaner"]),
        ("sound/tp_lightningbolt.ogg", &["Thunder", "Thunderstorm"]),
        ("sound/tp_firetruck.ogg", &["Emergency vehicle", "Siren", "Fire engine, fire truck (siren)"]),
    ];
    for (name, accepted) in clips {
        let found = sounds(name);
        assert!(found.iter().any(|s| named(s, accepted)), "{name}: {found:#?}");
    }
    for name in ["speech/jfk.wav", "composite/public_c_dialog3.wav"] {
        assert_eq!(sounds(name), Vec::<Value>::new(), "{name}");
    }
    let truth = read_json(&media.join("truth/public_a_citymix.json"));
    let mix = sounds("composite/public_a_citymix.mp4");
    for event in truth["audio_events"].as_array().unwrap().iter().filter(|e| e["kind"] != "speech") {
        let near = |s: &Value| {
            let off = |a: &str, b: &str| (s[a].as_f64().unwrap() - event[b].as_f64().unwrap()).abs();
            // The alarm clock beeps six times with pauses of half a second, and is told so.
            off("start_s", "start") <= 0.5 && (off("end_s", "end") <= 0.5 || event["label"] == "Alarm clock")
        };
        assert!(mix.iter().any(near), "{event}: {mix:#?}");
    }
    let inside = |s: &&Value| (27.0..58.0).contains(&s["start_s"].as_f64().unwrap());
    assert_eq!(mix.iter().filter(inside).count(), mix.len(), "and nothing is heard where nothing is: {mix:#?}");
}
