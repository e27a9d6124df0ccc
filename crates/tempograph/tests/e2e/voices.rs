//! Who speaks, and how.

use serde_json::Value;

use crate::support::{Place, models, read_json, shared_media, without_run};

/// Three recordings cut into one: as many speakers, each word with the one who says it.
#[test]
fn the_dialogue_has_its_three_speakers() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let audio = media.join("composite/public_c_dialog3.wav");
    let args = ["analyze", audio.to_str().unwrap(), "--only", "vad,speech,speakers,prosody", "--out", "o"];
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);
    let analysis = place.json("o/analysis.json");
    assert_eq!(analysis["issues"], serde_json::json!([]));

    let truth = media.join("truth/public_c_dialog3.rttm");
    let done = place.run(&["eval", "der", "--collar", "0.25", "--truth", truth.to_str().unwrap(), "o/analysis.json"]);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(scores["found_speakers"], 3, "{scores}");
    assert!(scores["der"].as_f64().unwrap() <= 0.15, "{scores}");

    // JFK is heard first, then a reader, then a third; the order of first speech numbers them.
    let turns = read_json(&media.join("truth/public_c_dialog3.json"));
    let turns = turns["turns"].as_array().unwrap();
    let names = [("JFK", "Speaker 1"), ("librivox", "Speaker 2"), ("Allison", "Speaker 3")];
    let (mut right, mut all) = (0, 0);
    for event in analysis["audio_events"].as_array().unwrap().iter().filter(|e| e["type"] == "speech") {
        assert!(event["prosody"]["energy_dbfs"].as_f64().is_some_and(|e| (-60.0..0.0).contains(&e)), "{event}");
        for word in event["words"].as_array().unwrap() {
            let at = (word["start_s"].as_f64().unwrap() + word["end_s"].as_f64().unwrap()) / 2.0;
            let said = |t: &&Value| t["start"].as_f64().unwrap() <= at && at < t["end"].as_f64().unwrap();
            let Some(turn) = turns.iter().find(said) else { continue };
            all += 1;
            right += usize::from(names.iter().any(|n| turn["speaker"] == n.0 && event["speaker"] == n.1));
        }
    }
    assert!(all > 50 && right as f64 >= 0.97 * all as f64, "{right} of {all} words");
    let heard: Vec<_> = analysis["entities"].as_array().unwrap().iter().map(|e| e["speakers"][0].clone()).collect();
    assert_eq!(heard, ["Speaker 1", "Speaker 2", "Speaker 3"]);
    let vtt = std::fs::read_to_string(place.path("o/transcript.vtt")).unwrap();
    assert!(vtt.contains("<v Speaker 1>") && vtt.contains("<v Speaker 3>"), "{vtt}");
    for form in ["srt", "txt"] {
        let text = std::fs::read_to_string(place.path(&format!("o/transcript.{form}"))).unwrap();
        assert!(text.contains("Speaker 2: "), "{text}");
    }

    let done = place.run(&[&args[..], &["--explain"]].concat());
    assert!(done.err.contains("speakers: cached") && done.err.contains("prosody: cached"), "{}", done.err);
    assert_eq!(without_run(place.json("o/analysis.json")), without_run(analysis));
}

/// Stopped and taken up again at any moment, speakers come out the same.
#[test]
fn killed_listening_goes_on_where_it_stopped() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let audio = media.join("composite/public_c_dialog3.wav");
    let args =
        |data, out| ["--data", data, "analyze", audio.to_str().unwrap(), "--only", "speakers,prosody", "--out", out];
    let began = std::time::Instant::now();
    assert_eq!(place.run(&args("whole", "o1")).code, 0);
    let took = began.elapsed();
    let mut kills = 0;
    for tenths in [4, 5, 6] {
        let mut child = place.command(&args("killed", "o2")).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(took * tenths / 10);
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(kills > 0, "the machine was too fast to be killed");
    let done = place.run(&args("killed", "o2"));
    assert_eq!(done.code, 0, "{}", done.err);
    let (whole, resumed) = (place.json("o1/analysis.json"), place.json("o2/analysis.json"));
    assert!(!whole["speakers"].as_array().unwrap().is_empty());
    assert_eq!(without_run(whole), without_run(resumed));
}
