//! Damaged, odd and hostile files: the right answer or a clean error, soon.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Place, read_json, shared_media};

#[test]
fn every_file_of_the_pack_gives_what_it_should() {
    let Some(media) = shared_media() else { return };
    let place = Place::new();
    let truth = read_json(&media.join("truth/robust.json"));
    for (name, want) in truth.as_object().unwrap() {
        let path = media.join("composite/robust").join(name);
        let began = Instant::now();
        let done = place.run(&[
            "analyze",
            path.to_str().unwrap(),
            "--out",
            name,
            "--only",
            "scenes,thumbnails",
            "--no-annotate",
        ]);
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: took {:?}", began.elapsed());
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!done.err.contains(word), "{name}: {}", done.err);
        }
        if want.get("error").is_some() {
            assert_eq!(done.code, 1, "{name}: {}", done.err);
            assert!(done.err.starts_with("error["), "{name}: {}", done.err);
            assert!(done.err.contains("hint:"), "{name}: {}", done.err);
            assert!(!place.path(name).exists(), "{name} left a folder");
            continue;
        }
        assert_eq!(done.code, 0, "{name}: {}", done.err);
        check(name, want, &place.json(&format!("{name}/analysis.json")));
    }
}

fn check(name: &str, want: &Value, got: &Value) {
    let video = &got["video"];
    let close = |field: &str, want: &Value, tolerance: f64| {
        let (got, want) = (video[field].as_f64().unwrap(), want.as_f64().unwrap());
        assert!((got - want).abs() <= tolerance, "{name}: {field} is {got}, not {want}");
    };
    for (key, want) in want.as_object().unwrap() {
        match key.as_str() {
            "audio" => assert!(video["audio"].is_null(), "{name}"),
            "video" => assert!(video["video_codec"].is_null(), "{name}"),
            "display_width" | "width" => assert_eq!(video["width"], *want, "{name}"),
            "display_height" | "height" => assert_eq!(video["height"], *want, "{name}"),
            "codec" => assert_eq!(video["video_codec"], *want, "{name}"),
            "bit_depth" => assert_eq!(video["bit_depth"], *want, "{name}"),
            "audio_channels" => assert_eq!(video["audio"]["channels"], *want, "{name}"),
            "audio_streams" => assert_eq!(video["audio"]["streams"], *want, "{name}"),
            "start_time_about" => close("start_s", want, 0.2),
            "duration" => close("duration_s", want, 0.4),
            "frames" | "frames_about" => {
                let stages = got["run"]["stages"].as_array().unwrap();
                let frames = stages.iter().find(|s| s["name"] == "scenes").unwrap()["items"].as_f64().unwrap();
                assert!((frames - want.as_f64().unwrap()).abs() <= 2.0, "{name}: {frames} frames");
            }
            "cut_seconds" => {
                let cuts: Vec<f64> =
                    got["scenes"].as_array().unwrap().iter().skip(1).map(|s| s["start_s"].as_f64().unwrap()).collect();
                for want in want.as_array().unwrap() {
                    let want = want.as_f64().unwrap();
                    // The frames around a cut may be among those left out: the scene starts with
                    // its first frame that is there.
                    assert!(
                        cuts.iter().any(|c| (0.0..0.2).contains(&(c - want))),
                        "{name}: no cut at {want} among {cuts:?}"
                    );
                }
            }
            "note" => {}
            other => panic!("{name}: the truth says `{other}`, which is not checked"),
        }
    }
}
