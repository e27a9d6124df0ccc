//! `analyze` from file to folder.

use serde_json::Value;

use crate::support::{Place, clip, models, read_json, shared_media, without_run};

fn stage<'a>(analysis: &'a Value, name: &str) -> &'a Value {
    analysis["run"]["stages"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap()
}

#[test]
fn a_clip_gives_every_file_and_a_second_run_redoes_nothing() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 6) {
        return;
    }
    let done = place.run(&["analyze", "a.mp4", "--only", "scenes,thumbnails,detect", "--explain"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("report: "), "{}", done.out);
    let out = place.path("tempograph-out/a");
    for name in ["analysis.json", "report.html", "annotated.mp4", "scenes.json", "detections.jsonl", "graph.json"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    let first = read_json(&out.join("analysis.json"));
    let starts: Vec<_> = first["scenes"].as_array().unwrap().iter().map(|s| s["start_frame"].clone()).collect();
    assert_eq!(starts, [0, 50]);
    assert!(out.join(first["scenes"][1]["thumbnail"].as_str().unwrap()).is_file());

    let done = place.run(&["analyze", "a.mp4", "--only", "scenes,thumbnails,detect", "--explain"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let again = read_json(&out.join("analysis.json"));
    assert_eq!(without_run(first), without_run(again.clone()));
    for name in ["scenes", "thumbnails", "annotate"] {
        assert_eq!(stage(&again, name)["cached"], true, "{name}");
    }
    assert!(done.err.contains("scenes: cached"), "{}", done.err);
}

#[test]
fn a_changed_parameter_reruns_only_its_stage_and_says_why() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 4) {
        return;
    }
    let only = ["analyze", "a.mp4", "--only", "scenes,detect", "--no-annotate", "--explain"];
    assert_eq!(place.run(&only).code, 0);
    let done = place.run(&[&only[..], &["--fps", "2"]].concat());
    assert!(done.err.contains("scenes: cached"), "{}", done.err);
    assert!(done.err.contains("detect: runs, because `fps` changed from 5"), "{}", done.err);
}

#[test]
fn json_prints_the_analysis_and_nothing_else() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 3) {
        return;
    }
    let done = place.run(&["analyze", "a.mp4", "--only", "scenes", "--no-annotate", "--json"]);
    let printed: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(printed, place.json("tempograph-out/a/analysis.json"));
    let schema = include_str!("../../../../schema/analysis.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(&printed).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn a_broken_file_in_a_folder_does_not_stop_the_others() {
    let place = Place::new();
    std::fs::create_dir(place.path("in")).unwrap();
    if !clip(&place.path("in/a.mp4"), 3) || !clip(&place.path("in/c.mp4"), 4) {
        return;
    }
    std::fs::write(place.path("in/b.mp4"), b"this is not a video").unwrap();
    let args = ["analyze", "in", "--only", "scenes", "--no-annotate", "--out", "o", "--explain"];
    let done = place.run(&args);
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(done.err.contains("2 done, 1 failed"), "{}", done.err);
    assert!(done.err.contains("b.mp4: error[not_media]"), "{}", done.err);
    assert!(place.path("o/a/analysis.json").is_file() && place.path("o/c/analysis.json").is_file());
    assert!(!place.path("o/b").exists());
    let done = place.run(&args);
    assert_eq!(done.code, 3);
    assert_eq!(done.err.matches("scenes: cached").count(), 2, "{}", done.err);
}

#[test]
fn export_writes_any_format_of_an_analysed_video() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 3) {
        return;
    }
    let done = place.run(&["export", "a.mp4", "--format", "srt"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("hint: run `tempograph analyze`"), "{}", done.err);
    assert_eq!(place.run(&["analyze", "a.mp4", "--only", "scenes", "--no-annotate"]).code, 0);
    let done = place.run(&["export", "a.mp4", "--format", "json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(serde_json::from_str::<Value>(&done.out).unwrap(), place.json("tempograph-out/a/analysis.json"));
    assert_eq!(place.run(&["export", "a.mp4", "--format", "graphml", "--out", "g.graphml"]).code, 0);
    assert!(std::fs::read_to_string(place.path("g.graphml")).unwrap().contains("<graphml"));
    assert_eq!(place.run(&["export", "a.mp4", "--format", "srtt"]).code, 2);
}

/// Without speech weights the rest of the analysis stands and says what is missing.
#[test]
fn a_missing_model_is_an_issue_with_a_way_out() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 3) {
        return;
    }
    let output = place
        .command(&["analyze", "a.mp4", "--only", "scenes,vad,speech", "--no-annotate"])
        .env("TEMPOGRAPH_MODELS", place.path("none"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let analysis = place.json("tempograph-out/a/analysis.json");
    assert_eq!(analysis["scenes"].as_array().unwrap().len(), 2);
    let issues = analysis["issues"].as_array().unwrap();
    assert!(!issues.is_empty());
    assert!(issues.iter().all(|i| i["hint"].as_str().is_some_and(|h| h.contains("models pull"))), "{issues:#?}");
}

/// The public composite, whole: the figures of the first issue.
#[test]
fn the_city_mix_gives_what_its_truth_says() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let video = media.join("composite/public_a_citymix.mp4");
    let done = place.run(&["analyze", video.to_str().unwrap(), "--out", "o"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let analysis = place.json("o/analysis.json");
    assert_eq!(analysis["issues"], serde_json::json!([]));
    let truth = read_json(&media.join("truth/public_a_citymix.json"));

    let cuts: Vec<_> =
        analysis["scenes"].as_array().unwrap().iter().skip(1).map(|s| s["start_frame"].clone()).collect();
    assert_eq!(cuts, *truth["cut_frames"].as_array().unwrap());

    let people = analysis["tracks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["label"] == "person" && t["start_s"].as_f64().unwrap() < 8.0)
        .count();
    assert!(people >= 3, "{people} persons in the first scene");

    let spoken: Vec<(f64, f64)> = truth["audio_events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "speech")
        .map(|e| (e["start"].as_f64().unwrap(), e["end"].as_f64().unwrap()))
        .collect();
    let heard: Vec<&Value> =
        analysis["audio_events"].as_array().unwrap().iter().filter(|e| e["type"] == "speech").collect();
    for event in &heard {
        let (start, end) = (event["start_s"].as_f64().unwrap(), event["end_s"].as_f64().unwrap());
        assert!(
            spoken.iter().any(|(s, e)| start >= s - 0.3 && end <= e + 0.3),
            "speech at {start}..{end} where there is none"
        );
    }

    let said: Vec<_> = truth["audio_events"].as_array().unwrap().iter().filter_map(|e| e["text"].as_str()).collect();
    std::fs::write(place.path("truth.txt"), said.join(" ")).unwrap();
    let done = place.run(&["eval", "wer", "--normalize", "--truth", "truth.txt", "o/analysis.json"]);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    assert!(scores["wer"].as_f64().unwrap() <= 0.10, "{scores}");

    let speech: Vec<_> = heard.iter().map(|e| e["id"].clone()).collect();
    let together = analysis["correlations"].as_array().unwrap().iter().filter(|c| speech.contains(&c["audio"])).count();
    assert!(together > 0, "no correlation of speech and sight");
}
