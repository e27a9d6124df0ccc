//! Asking a model about a video, through the binary, against a server of the test's own.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    support::{Done, Place, ffmpeg, finished, read_json, without_run},
    teller::{Answer, Teller, text, window},
};

/// Four pictures of ten seconds each, the last two alike.
pub(crate) fn clip(path: &Path) -> bool {
    let graph = "testsrc2=s=320x180:r=10:d=10[a];mandelbrot=s=320x180:r=10,trim=duration=10[b];\
                 color=gray:s=320x180:r=10:d=20[c];[a][b][c]concat=n=3:v=1[v]";
    ffmpeg(&["-filter_complex", graph, "-map", "[v]", "-g", "20"], path)
}

fn told(n: usize) -> String {
    json!({
        "summary": format!("Window told {n}."),
        "scenes": [],
        "entities": [{"id": "N1", "label": "dog", "description": format!("brown, number {n}"), "position": "left"}],
        "events": [
            {"type": "idle", "entities": ["N1"], "start": 0, "end": "00:40", "description": "It waits.", "confidence": 0.8},
            {"type": "idle", "entities": ["T77"], "start": 0, "end": 4, "description": "A ghost.", "confidence": 0.8},
        ],
    })
    .to_string()
}

/// Windows are told by number; summaries say what they are.
pub(crate) fn well(n: usize, body: &Value) -> Answer {
    if window(body).is_some() {
        return Ok(told(n));
    }
    Ok(json!({"title": "A dog", "text": "A dog waits.", "chapters": [{"start": 0, "title": "Dog", "text": "It waits."}]})
        .to_string())
}

pub(crate) fn analyze(place: &Place, teller: &Teller, out: &str, more: &[&str], set: &[(&str, &str)]) -> Command {
    let stages = "scenes,thumbnails,ask,summary";
    let mut args = vec!["analyze", "a.mp4", "--only", stages, "--no-annotate", "--backend", "openai", "--out", out];
    args.extend(more);
    let mut command = place.command(&args);
    command
        .env("TEMPOGRAPH_OPENAI_PRESET", "vllm")
        .env("TEMPOGRAPH_OPENAI_URL", teller.url())
        .env("TEMPOGRAPH_OPENAI_MODEL", "teller")
        .env("TEMPOGRAPH_OPENAI_PRICE", "1/2")
        .env("TEMPOGRAPH_OPENAI_CONCURRENCY", "1")
        .env("TEMPOGRAPH_ASK_TRIES", "1")
        .env("TEMPOGRAPH_ASK_WINDOW_S", "10");
    set.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    command
}

pub(crate) fn done(mut command: Command) -> Done {
    let done = finished(command.output().unwrap());
    assert_eq!(done.code, 0, "{}", done.err);
    done
}

fn stage<'a>(analysis: &'a Value, name: &str) -> &'a Value {
    analysis["run"]["stages"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn a_model_is_asked_once_and_believed_as_far_as_it_has_evidence() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let teller = Teller::start(well);

    let plan = done(analyze(&place, &teller, "o", &["--plan"], &[]));
    assert!(teller.asked().is_empty() && plan.out.contains("nothing was sent"), "{}", plan.out);

    done(analyze(&place, &teller, "o", &[], &[]));
    let first = place.json("o/analysis.json");
    assert_eq!(first["issues"].as_array().unwrap().len(), 1, "{}", first["issues"]);
    assert!(first["issues"][0]["message"].as_str().unwrap().contains("T77 (W1)"), "{}", first["issues"]);
    // Four windows of ten seconds, the last like the third.
    let windows = first["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 4, "{windows:?}");
    assert_eq!((&windows[3]["same_as"], &first["run"]["calls_saved"]), (&json!("W3"), &json!(1)));
    let asked = teller.asked();
    let pictures: Vec<usize> = asked.iter().filter_map(window).collect();
    assert_eq!(pictures.len(), 3, "each of the others once");
    assert!(pictures.iter().all(|n| (2..=8).contains(n)) && pictures[2] == 2, "a still window takes two: {pictures:?}");
    assert_eq!(asked.len(), 4, "and one summary");
    let dogs: Vec<&Value> = first["entities"].as_array().unwrap().iter().filter(|e| e["type"] == "dog").collect();
    assert_eq!((dogs.len(), &dogs[0]["origin"]), (1, &json!("vlm")), "{dogs:?}");
    let events = first["visual_events"].as_array().unwrap();
    assert!(!events.is_empty() && events.iter().all(|e| e["origin"] == "teller" && e["type"] == "idle"), "{events:?}");
    assert!(events.iter().all(|e| e["entities"] == json!([dogs[0]["id"]]) && e["evidence"]["frames_s"][0].is_number()));
    assert_eq!((&first["summary"]["text"], &first["summary"]["backend"]), (&json!("A dog waits."), &json!("teller")));
    let run = &first["run"];
    assert_eq!((&run["tokens_in"], &run["tokens_out"]), (&json!(4000), &json!(400)));
    assert!((run["cost_usd"].as_f64().unwrap() - 0.0048).abs() < 1e-9, "{}", run["cost_usd"]);
    assert_eq!(run["calls"].as_array().unwrap().len(), 4);
    let graph = std::fs::read_to_string(place.path("o/graph.json")).unwrap();
    assert!(graph.contains("dog"), "the graph holds what was told");

    done(analyze(&place, &teller, "o", &[], &[]));
    let again = place.json("o/analysis.json");
    assert_eq!(teller.asked().len(), 4, "nothing is asked twice");
    assert_eq!((&again["run"]["cost_usd"], stage(&again, "ask")["status"].as_str()), (&json!(0.0), Some("cached")));
    assert_eq!(without_run(again), without_run(first));

    let found = place.run(&["search", "", "--kind", "memory", "--json"]);
    assert!(found.out.contains("Window told 0."), "{}{}", found.out, found.err);
}

#[test]
fn another_prompt_asks_again_and_reads_no_stage_anew() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let teller = Teller::start(well);
    done(analyze(&place, &teller, "o", &[], &[]));
    let before = teller.asked().len();
    std::fs::create_dir(place.path("prompts")).unwrap();
    std::fs::write(place.path("prompts/summary.md"), "Sum it up in a word.").unwrap();
    let folder = place.path("prompts").display().to_string();
    let set = [("TEMPOGRAPH_PROMPTS_FOLDER", folder.as_str())];
    let said = done(analyze(&place, &teller, "o", &["--explain"], &set));
    assert_eq!(teller.asked().len(), before + 1, "only the summary");
    assert!(said.err.contains("summary: runs, because `prompts` changed"), "{}", said.err);
    for line in ["scenes: cached", "thumbnails: cached", "ask: cached"] {
        assert!(said.err.contains(line), "{}", said.err);
    }
    std::fs::write(place.path("prompts/window.md"), "Describe the window in a word.").unwrap();
    let said = done(analyze(&place, &teller, "o", &["--explain"], &set));
    assert!(said.err.contains("ask: runs, because `prompts` changed"), "{}", said.err);
    assert!(said.err.contains("scenes: cached"), "{}", said.err);
    let again = teller.asked();
    assert!(again[before + 1..].iter().any(|b| text(b).contains("in a word.\n") || text(b).contains("in a word.")));
}

#[test]
fn a_server_that_dies_leaves_issues_and_what_was_measured() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let ill = Arc::new(AtomicBool::new(true));
    let dead = Arc::clone(&ill);
    let teller =
        Teller::start(move |n, body| if n >= 1 && dead.load(Ordering::Relaxed) { Err(503) } else { well(n, body) });
    done(analyze(&place, &teller, "o", &[], &[]));
    let half = place.json("o/analysis.json");
    assert!(half["scenes"].as_array().unwrap().len() >= 3);
    assert_eq!(half["windows"].as_array().unwrap().len(), 1, "what was told before stands");
    assert_eq!(stage(&half, "ask")["status"], "failed");
    let issues: Vec<&str> = half["issues"].as_array().unwrap().iter().filter_map(|i| i["stage"].as_str()).collect();
    let of_asking = issues.iter().filter(|s| **s == "ask").count();
    assert_eq!(of_asking, 2, "one for the windows, one for the ghost: {}", half["issues"]);

    ill.store(false, Ordering::Relaxed);
    let before = teller.asked().len();
    done(analyze(&place, &teller, "o", &[], &[]));
    let whole = place.json("o/analysis.json");
    assert_eq!(teller.asked()[before..].iter().filter_map(window).count(), 2, "only what has no answer yet");
    assert_eq!((whole["windows"].as_array().unwrap().len(), &stage(&whole, "ask")["status"]), (4, &json!("resumed")));
}

#[test]
fn a_limit_on_cost_ends_asking_with_one_issue() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let teller = Teller::start(well);
    done(analyze(&place, &teller, "o", &[], &[("TEMPOGRAPH_COST_VIDEO_USD", "0.0000001")]));
    let analysis = place.json("o/analysis.json");
    assert!(teller.asked().is_empty(), "stops before it is passed");
    let issues: Vec<&Value> =
        analysis["issues"].as_array().unwrap().iter().filter(|i| i["code"] == "cost_limit").collect();
    assert!(!issues.is_empty() && issues.len() <= 2, "{}", analysis["issues"]);
    assert_eq!(analysis["summary"]["backend"], "template");
    assert!(analysis["scenes"].as_array().unwrap().len() >= 3);
}

#[test]
fn killed_while_asking_it_goes_on_where_it_was() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    // The second window is not answered before the command is dead.
    let killed = Arc::new(AtomicBool::new(false));
    let dead = Arc::clone(&killed);
    let teller = Arc::new(Teller::start(move |n, body| {
        while n > 0 && !dead.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(20));
        }
        well(n, body)
    }));
    let mut child = analyze(&place, &teller, "o", &[], &[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    while teller.asked().len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    killed.store(true, Ordering::SeqCst);
    done(analyze(&place, &teller, "o", &[], &[]));
    let asked = teller.asked();
    let windows = asked.iter().filter_map(window).count();
    assert!((3..=4).contains(&windows), "three windows, at most one twice: {windows}");
    let analysis = read_json(&place.path("o/analysis.json"));
    assert_eq!(stage(&analysis, "ask")["status"], "resumed");
    assert_eq!(analysis["windows"].as_array().unwrap().len(), 4);
}
