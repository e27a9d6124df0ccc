//! Killing the process anywhere changes nothing but time.

use std::time::Duration;

use crate::support::{Place, clip, models, read_json, without_run};

/// A small generator, so that moments differ but a failure can be repeated.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn killed_runs_end_with_the_same_analysis() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 45) {
        return;
    }
    let stages = if models().is_some() {
        "scenes,thumbnails,detect,faces,vad,speech,speakers,prosody,sounds"
    } else {
        "scenes,thumbnails,detect"
    };
    let args = |data: &'static str, out: &'static str| {
        ["--data", data, "analyze", "a.mp4", "--only", stages, "--out", out, "--explain"].map(str::to_owned)
    };
    let whole: Vec<_> = args("whole", "o1").into();
    let began = std::time::Instant::now();
    let done = place.run(&whole.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(done.code, 0, "{}", done.err);
    let took = began.elapsed();
    let want = without_run(read_json(&place.path("o1/analysis.json")));

    let killed: Vec<_> = args("killed", "o2").into();
    let killed: Vec<_> = killed.iter().map(String::as_str).collect();
    let mut seed = 0x9E37_79B9_7F4A_7C15;
    let mut kills = 0;
    for attempt in 1..=6 {
        let mut child = place.command(&killed).stderr(std::process::Stdio::null()).spawn().unwrap();
        // From the first tenth up to the whole time a run takes, never twice the same moment.
        let share = next(&mut seed) % (attempt * 160);
        std::thread::sleep(Duration::from_micros(took.as_micros() as u64 * share / 1000));
        if child.try_wait().unwrap().is_none() {
            kills += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0, "the machine was too fast to be killed");
    let done = place.run(&killed);
    assert_eq!(done.code, 0, "{}", done.err);
    let got = read_json(&place.path("o2/analysis.json"));
    for stage in got["run"]["stages"].as_array().unwrap() {
        assert_ne!(stage["status"], "failed", "{stage}");
    }
    assert_eq!(without_run(got), want);
    assert!(place.path("o2/annotated.mp4").is_file());
    let left: Vec<_> = std::fs::read_dir(place.path("o2"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.starts_with("annotated") && n != "annotated.mp4")
        .collect();
    assert!(left.len() <= kills, "{left:?}");
}
