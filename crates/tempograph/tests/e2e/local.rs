//! A model of this machine that dies, or is stopped, in the middle of its answer. Its weights are random.

#![cfg(target_os = "linux")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Place, clip};

/// Longest wait for something that happens in well under a second.
const PATIENCE: Duration = Duration::from_secs(60);

fn analyze(place: &Place) -> Child {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tempograph-runtime-llm/fixtures");
    let stages = "scenes,thumbnails,ask,summary";
    place
        .command(&["analyze", "a.mp4", "--only", stages, "--no-annotate", "--backend", "local", "--out", "o"])
        .env("TEMPOGRAPH_LOCAL_MODEL", fixtures.join("nano-qwen3-vl.gguf"))
        .env("TEMPOGRAPH_LOCAL_MMPROJ", fixtures.join("nano-qwen3-vl-mmproj.gguf"))
        .env("TEMPOGRAPH_ASK_WINDOW_S", "1")
        .env("TEMPOGRAPH_ASK_TRIES", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The processes of models that `parent` has started and that run.
fn models_of(parent: u32) -> Vec<String> {
    let runs = |id: &String| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let own = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(&parent.to_string());
        own && fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains("llm-child"))
    };
    let ids = fs::read_dir("/proc").unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    ids.filter(|id| id.bytes().all(|b| b.is_ascii_digit())).filter(runs).collect()
}

fn signal(name: &str, id: &str) {
    // It may have ended by itself meanwhile.
    Command::new("kill").args([name, id]).stderr(Stdio::null()).status().unwrap();
}

#[test]
fn a_model_that_is_killed_leaves_issues_and_what_was_measured() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 6) {
        return;
    }
    let mut run = analyze(&place);
    let (begun, mut killed) = (Instant::now(), 0);
    let status = loop {
        if let Some(status) = run.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it goes on without its model");
        for id in models_of(run.id()) {
            signal("-9", &id);
            killed += 1;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(status.success(), "{status}");
    assert!(killed >= 1, "no model was started");
    let analysis = place.json("o/analysis.json");
    assert_eq!(analysis["scenes"].as_array().unwrap().len(), 2, "what was measured stands");
    let issues = analysis["issues"].as_array().unwrap();
    let of_asking: Vec<_> = issues.iter().filter(|i| i["stage"] == "ask").collect();
    assert!(of_asking.iter().any(|i| i["code"] == "inference_failed"), "{issues:?}");
    assert_eq!(analysis["summary"]["backend"], "template");
}

#[test]
fn a_stopped_analysis_ends_its_model() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 6) {
        return;
    }
    let mut run = analyze(&place);
    let begun = Instant::now();
    let model = loop {
        if let Some(id) = models_of(run.id()).pop() {
            break id;
        }
        assert!(begun.elapsed() < PATIENCE && run.try_wait().unwrap().is_none(), "no model was started");
        thread::sleep(Duration::from_millis(2));
    };
    signal("-INT", &run.id().to_string());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    // It notices that nobody listens any more; whoever inherits it may not have waited for it yet.
    let ended = Instant::now();
    let runs = || fs::read_to_string(format!("/proc/{model}/stat")).is_ok_and(|s| !s.contains(") Z "));
    while runs() {
        assert!(ended.elapsed() < PATIENCE, "its model runs on");
        thread::sleep(Duration::from_millis(5));
    }
}
