//! Stopping an analysis leaves nothing behind at the provider, and two providers answer through the binary.

#![cfg(unix)]

use std::{
    path::Path,
    process::{Command, Stdio},
};

use tempograph_remote::testing::{FakeGemini, FakeOpenAi, FakeRunpod, Fault, KEY};

use crate::support::{Place, ffmpeg, finished};

/// A test picture that moves; false where it cannot be made.
fn clip(path: &Path) -> bool {
    ffmpeg(&["-f", "lavfi", "-i", "testsrc2=s=320x180:r=10:d=6"], path)
}

fn analyze(place: &Place, backend: &str, set: &[(&str, &str)]) -> Command {
    let stages = "scenes,thumbnails,ask,summary";
    let mut command =
        place.command(&["analyze", "a.mp4", "--only", stages, "--no-annotate", "--backend", backend, "--out", "o"]);
    let name = backend.to_uppercase();
    command.env(format!("TEMPOGRAPH_{name}_API_KEY"), KEY).env("TEMPOGRAPH_ASK_TRIES", "1");
    for (key, value) in set {
        command.env(format!("TEMPOGRAPH_{name}_{key}"), value);
    }
    command
}

/// Starts an analysis, waits until the provider was asked, and stops it as Ctrl-C does.
fn stopped(mut command: Command, asked: impl Fn() -> bool) -> i32 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(asked(), "the provider was never asked");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    child.wait().unwrap().code().unwrap_or(-1)
}

#[test]
fn a_stopped_analysis_closes_its_connection() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let server = FakeOpenAi::start();
    server.script().fail_always(Some(Fault::Hang));
    let url = server.options().base_url;
    let code = stopped(analyze(&place, "openai", &[("URL", &url), ("MODEL", "gpt-4o-mini")]), || {
        server.log().waits_for("POST /v1/chat/completions")
    });
    assert_eq!(code, 130);
    assert!(server.log().waits_for("closed POST /v1/chat/completions"), "{:?}", server.log().events());
}

#[test]
fn a_stopped_analysis_cancels_its_job() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let server = FakeRunpod::start();
    server.script().fail_always(Some(Fault::NoWorker));
    let url = server.options().base_url;
    let set = [("URL", url.as_str()), ("MODEL", "qwen2.5-vl-7b"), ("ENDPOINTS", "one")];
    let code = stopped(analyze(&place, "runpod", &set), || server.log().waits_for("GET /v2/one/stream/job-0"));
    assert_eq!(code, 130);
    // Before the process ended, not some time after it.
    assert_eq!(server.log().count("cancelled job-0"), 1, "{:?}", server.log().events());
    assert_eq!(server.running(), 0);
}

#[test]
fn gemini_and_runpod_are_asked_through_the_binary() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let (gemini, runpod) = (FakeGemini::start(), FakeRunpod::start());
    let (gemini_url, runpod_url) = (gemini.options().base_url, runpod.options().base_url);
    for (backend, set) in [
        ("gemini", vec![("URL", gemini_url.as_str()), ("MODEL", "gemini-2.5-flash")]),
        ("runpod", vec![("URL", runpod_url.as_str()), ("MODEL", "qwen2.5-vl-7b"), ("ENDPOINTS", "one,two")]),
    ] {
        let done = finished(analyze(&place, backend, &set).output().unwrap());
        assert_eq!(done.code, 0, "{}", done.err);
        let analysis = place.json("o/analysis.json");
        let calls = analysis["run"]["calls"].as_array().unwrap();
        assert!(!calls.is_empty() && calls.iter().all(|c| c["backend"] == backend), "{calls:?}");
        assert!(calls.iter().all(|c| c["error"].is_null() && c["tokens_in"].as_u64() > Some(0)), "{calls:?}");
        let written = std::fs::read_to_string(place.path("o/analysis.json")).unwrap() + &done.err;
        assert!(!written.contains(KEY), "the key is nowhere to be seen");
    }
    assert!(gemini.log().count("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent") > 0);
    assert!(gemini.log().events().iter().all(|e| !e.contains(KEY)));
    assert!(runpod.log().count("POST /v2/one/run") > 0);
}

#[test]
fn gemini_is_sent_the_file_once_and_it_is_deleted() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let server = FakeGemini::start();
    let url = server.options().base_url;
    let set = [("URL", url.as_str()), ("MODEL", "gemini-2.5-flash"), ("VIDEO", "true")];
    let whole = |arguments: &[&str]| {
        let mut command = analyze(&place, "gemini", &set);
        command.env("TEMPOGRAPH_ASK_WINDOW_S", "2").args(arguments);
        finished(command.output().unwrap())
    };
    let plan = whole(&["--plan"]);
    assert!(plan.out.contains("the file itself, 6 s of it"), "{}{}", plan.out, plan.err);
    assert_eq!(server.log().requests().len(), 0, "a plan sends nothing");

    let done = whole(&[]);
    assert_eq!(done.code, 0, "{}", done.err);
    let log = server.log();
    assert_eq!(log.count("uploaded "), 1, "{:?}", log.events());
    assert_eq!((log.count("deleted "), server.files()), (1, 0), "{:?}", log.events());
    let asked: Vec<_> = log.requests().into_iter().filter(|r| r.path.contains("streamGenerateContent")).collect();
    let stretches: Vec<String> = asked
        .iter()
        .flat_map(|r| r.json()["contents"][0]["parts"].as_array().cloned().unwrap_or_default())
        .filter_map(|part| Some(part["videoMetadata"]["startOffset"].as_str()?.to_owned()))
        .collect();
    assert_eq!(stretches.len(), 3, "one for each window: {stretches:?}");
    assert!(["0.000s", "2.000s", "4.000s"].iter().all(|s| stretches.iter().any(|t| t == s)), "{stretches:?}");
    assert!(asked.iter().all(|r| !String::from_utf8_lossy(&r.body).contains("inlineData")), "no frame is sent besides");
    let windows = place.json("o/analysis.json")["windows"].as_array().cloned().unwrap_or_default();
    assert!(windows.len() == 3 && windows.iter().all(|w| !w["frames_s"].as_array().unwrap().is_empty()), "{windows:?}");
}
