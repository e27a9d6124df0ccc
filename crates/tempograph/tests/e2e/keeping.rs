//! Keeping: highlights, clips, what people bring, and every export in its reference reader.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Done, Place, ffmpeg, finished, shared_media};

/// Ten seconds that never stand still, with a tone, at `rate` frames a second, a key frame each second.
fn film(path: &Path, rate: &str) -> bool {
    let picture = format!("testsrc2=s=320x180:r={rate}:d=10");
    let inputs = ["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", "sine=f=440:d=10"];
    ffmpeg(&[&inputs[..], &["-g", "25", "-c:a", "aac", "-shortest"]].concat(), path)
}

/// Grey pixels of frame `n` of a video.
fn frame(path: &Path, n: u64) -> Vec<u8> {
    let done = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(path)
        .args(["-vf", &format!("select=eq(n\\,{n})"), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.stdout.len(), 320 * 180, "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Mean difference of two pictures, in grey levels.
fn apart(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / a.len() as f64
}

/// Boxes of two things on every fifth frame of ten seconds; the second runs from frame 150 to 200.
fn boxes() -> String {
    let mut text = String::new();
    for i in (1..=246).step_by(5) {
        let x = if i < 150 { 20 } else { 20 + (i.min(200) - 150) * 4 };
        text.push_str(&format!("{i},1,201,11,40,80,0.9,-1,-1,-1\n{i},2,{x},61,30,40,0.8,-1,-1,-1\n"));
    }
    text
}

const SUBTITLES: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Ann>What is <b>this</b>? It is =a,\"film\".\n\n\
    00:06.500 --> 00:08.000\n<v Bob>Look how it runs.\n";

/// A film with boxes and subtitles that were brought.
fn told(rate: &str) -> Option<Place> {
    let place = Place::new();
    if !film(&place.path("a.mp4"), rate) {
        return None;
    }
    std::fs::write(place.path("boxes.txt"), boxes()).unwrap();
    std::fs::write(place.path("said.vtt"), SUBTITLES).unwrap();
    let done = analyze(&place, &["--import", "boxes.txt", "--import", "said.vtt"]);
    assert_eq!(done.code, 0, "{}", done.err);
    Some(place)
}

fn analyze(place: &Place, more: &[&str]) -> Done {
    place.run(&[&["analyze", "a.mp4", "--only", "scenes", "--no-annotate", "--explain"], more].concat())
}

fn secs(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn clips_begin_within_a_frame_of_the_highlight() {
    let Some(place) = told("25") else { return };
    let args = ["highlights", "a.mp4", "--count", "2", "--min-s", "1.5", "--max-s", "4", "--json"];
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);
    let found: Value = serde_json::from_str(&done.out).unwrap();
    let found = found.as_array().unwrap();
    assert!(!found.is_empty(), "a run and words stand out");
    for h in found {
        let (start, end) = (secs(&h["start_s"]), secs(&h["end_s"]));
        assert!(end - start >= 1.1 && end - start <= 4.0, "{h}");
        assert!(!h["reasons"].as_array().unwrap().is_empty());
        let clip = place.path("tempograph-out/a").join(h["clip"].as_str().unwrap());
        let shown = frame(&clip, 0);
        let first = (start * 25.0 - 1e-6).ceil() as u64;
        let off: Vec<f64> =
            (first.saturating_sub(2)..=first + 2).map(|n| apart(&shown, &frame(&place.path("a.mp4"), n))).collect();
        let own = off[(first - first.saturating_sub(2)) as usize];
        let other = off.iter().copied().filter(|d| *d != own).fold(f64::MAX, f64::min);
        assert!(own < 3.0 && own < other, "the clip shows frame {first} first: {off:?}");
    }
    let analysis = place.json("tempograph-out/a/analysis.json");
    assert_eq!(analysis["highlights"][0]["clip"], found[0]["clip"], "the result on disk knows the clips");
    let page = std::fs::read_to_string(place.path("tempograph-out/a/report.html")).unwrap();
    assert!(page.contains(found[0]["clip"].as_str().unwrap()));

    let fast = place.run(&[&args[..], &["--fast", "--out", "fast"]].concat());
    assert_eq!(fast.code, 0, "{}", fast.err);
    let fast: Value = serde_json::from_str(&fast.out).unwrap();
    for (h, slow) in fast.as_array().unwrap().iter().zip(found) {
        assert_eq!(h["start_s"], slow["start_s"], "the same moment");
        let (start, real) = (secs(&h["start_s"]), secs(&h["clip_start_s"]));
        assert!(real <= start && start - real < 1.001, "from the key frame before: {h}");
        let clip = place.path("fast").join(h["clip"].as_str().unwrap());
        let n = (real * 25.0).round() as u64;
        assert!(apart(&frame(&clip, 0), &frame(&place.path("a.mp4"), n)) < 0.01, "the very picture");
    }
}

#[test]
fn highlights_of_a_new_file_are_found_after_analysing_it() {
    let place = Place::new();
    if !film(&place.path("a.mp4"), "25") {
        return;
    }
    let mut command = place.command(&["highlights", "a.mp4", "--no-clips"]);
    let output = command.env("TEMPOGRAPH_ANALYZE_ONLY", "scenes").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert_eq!(out, "nothing stands out\n", "of pictures alone nothing is known");
    assert!(place.path("tempograph-out/a/analysis.json").is_file());
    assert_eq!(place.run(&["highlights", "none.mp4"]).code, 1);
    assert_eq!(place.run(&["highlights", "a.mp4", "--min-s", "9", "--max-s", "3"]).code, 2);
}

#[test]
fn the_summary_tells_the_best_moment_of_the_latest_choice() {
    let Some(place) = told("25") else { return };
    let told = || place.json("tempograph-out/a/analysis.json")["summary"]["text"].as_str().unwrap().to_owned();
    let before = told();
    let done = place.run(&["highlights", "a.mp4", "--no-clips", "--count", "1", "--min-s", "1.5", "--max-s", "2"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let after = told();
    assert_ne!(before, after, "another moment is the best of short ones");
    assert_eq!((before.matches("Best moment").count(), after.matches("Best moment").count()), (1, 1), "{after}");
}

#[test]
fn a_video_is_found_from_anywhere_and_another_one_in_its_place_is_not_cut() {
    let Some(place) = told("25") else { return };
    let id = place.json("tempograph-out/a/analysis.json")["video"]["id"].as_str().unwrap().to_owned();
    let elsewhere = place.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let cut = || {
        let mut command = place.command(&["highlights", &id, "--count", "1"]);
        finished(command.current_dir(&elsewhere).output().unwrap())
    };
    let done = cut();
    assert_eq!(done.code, 0, "{}", done.err);
    let clip = elsewhere.join("tempograph-out/a/clips/highlight-1.mp4");
    let first = std::fs::read(&clip).unwrap();

    assert!(film(&place.path("a.mp4"), "30"));
    let done = cut();
    assert_eq!(done.code, 1, "{}", done.out);
    assert!(done.err.contains("another video now") && done.err.contains("--no-clips"), "{}", done.err);
    assert_eq!(std::fs::read(&clip).unwrap(), first, "what was cut before stays");
}

#[test]
fn clips_that_cannot_all_be_made_leave_the_earlier_ones() {
    let Some(place) = told("25") else { return };
    assert_eq!(place.run(&["highlights", "a.mp4", "--count", "2", "--min-s", "1.5", "--max-s", "2"]).code, 0);
    let folder = place.path("tempograph-out/a/clips");
    let clips = || -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(&folder).unwrap().map(Result::unwrap);
        entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
    };
    let before = clips();
    assert_eq!(before.keys().collect::<Vec<_>>(), ["highlight-1.mp4", "highlight-2.mp4"], "and nothing unfinished");
    // What cannot be removed stands where unfinished clips go.
    std::fs::write(folder.join(".unfinished"), "in the way").unwrap();
    let done = place.run(&["highlights", "a.mp4", "--count", "2", "--min-s", "1", "--max-s", "4"]);
    assert_eq!(done.code, 1, "{}", done.out);
    std::fs::remove_file(folder.join(".unfinished")).unwrap();
    assert_eq!(clips(), before);
    // Left by a killed call.
    std::fs::create_dir(folder.join(".unfinished")).unwrap();
    std::fs::write(folder.join(".unfinished/highlight-1.mp4"), "half a clip").unwrap();
    assert_eq!(place.run(&["highlights", "a.mp4", "--count", "2", "--min-s", "1", "--max-s", "4"]).code, 0);
    let after = clips();
    assert!(after.len() <= 2 && after["highlight-1.mp4"] != before["highlight-1.mp4"], "{:?}", after.keys());
}

/// On Linux `/dev/full` takes nothing.
#[test]
#[cfg(target_os = "linux")]
fn an_export_that_cannot_be_written_to_standard_output_fails() {
    let Some(place) = told("25") else { return };
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = place.command(&["export", "a.mp4", "--format", "srt"]);
    let done = finished(command.stdout(full).output().unwrap());
    assert_ne!(done.code, 0, "a few lines fit a buffer but are lost");
    assert!(done.err.contains("standard output"), "{}", done.err);
}

#[test]
#[cfg(unix)]
fn an_export_to_a_reader_that_goes_is_no_failure() {
    let Some(place) = told("25") else { return };
    let mut command = place.command(&["export", "a.mp4", "--format", "json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = finished(command.stdout(writer).output().unwrap());
    assert_eq!((done.code, done.err.as_str()), (0, ""));
}

#[test]
fn analyze_cuts_clips_when_asked() {
    let Some(place) = told("25") else { return };
    assert!(!place.path("tempograph-out/a/clips").exists(), "not unless asked");
    let done = analyze(&place, &["--import", "boxes.txt", "--import", "said.vtt", "--clips"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("detect: cached"), "{}", done.err);
    let analysis = place.json("tempograph-out/a/analysis.json");
    let clip = analysis["highlights"][0]["clip"].as_str().unwrap().to_owned();
    assert!(place.path("tempograph-out/a").join(clip).is_file());
}

#[test]
fn boxes_that_people_bring_are_tracks_and_come_back() {
    let Some(place) = told("25") else { return };
    let analysis = place.json("tempograph-out/a/analysis.json");
    let tracks: Vec<_> =
        analysis["tracks"].as_array().unwrap().iter().map(|t| (t["id"].clone(), t["frames"].clone())).collect();
    assert_eq!(tracks, [(1.into(), 50.into()), (2.into(), 50.into())], "as they were followed");
    let source = analysis["models"].as_array().unwrap().iter().find(|m| m["task"] == "detect").unwrap();
    assert_eq!((&source["name"], &source["runtime"]), (&"boxes.txt".into(), &"import mot".into()), "whose they are");

    let said = |analysis: &Value| -> Vec<(Value, Value)> {
        let events = analysis["audio_events"].as_array().unwrap().iter().filter(|e| e["type"] == "speech");
        events.map(|e| (e["speaker"].clone(), e["text"].clone())).collect()
    };
    let want = [("Ann", "What is this? It is =a,\"film\"."), ("Bob", "Look how it runs.")];
    assert_eq!(said(&analysis), want.map(|(a, b)| (a.into(), b.into())));

    assert_eq!(place.run(&["export", "a.mp4", "--format", "mot", "--out", "back.txt"]).code, 0);
    let back = std::fs::read_to_string(place.path("back.txt")).unwrap();
    assert_eq!(back, boxes(), "what came in goes out");

    // The same boxes by way of COCO, in a picture of half the size.
    assert_eq!(place.run(&["export", "a.mp4", "--format", "coco", "--out", "c.json"]).code, 0);
    let mut coco = place.json("c.json");
    for image in coco["images"].as_array_mut().unwrap() {
        image["width"] = 160.into();
        image["height"] = 90.into();
    }
    for a in coco["annotations"].as_array_mut().unwrap() {
        a["bbox"] = a["bbox"].as_array().unwrap().iter().map(|v| secs(v) / 2.0).collect();
    }
    std::fs::write(place.path("half.json"), coco.to_string()).unwrap();
    let done = analyze(&place, &["--import", "coco=half.json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("detect: runs, because"), "another file, another stage: {}", done.err);
    assert_eq!(place.run(&["export", "a.mp4", "--format", "mot", "--out", "again.txt"]).code, 0);
    assert_eq!(std::fs::read_to_string(place.path("again.txt")).unwrap(), boxes());
}

/// Boxes of a benchmark go on beyond the picture's edge. They come back as they were brought, are tracked so, and score
/// as the same boxes do.
#[test]
fn boxes_beyond_the_edge_are_kept() {
    let Some(place) = told("25") else { return };
    let line = |i: usize| format!("{i},-1,{},61,60,40,0.9,dog\n", 2 * i as i64 - 59);
    std::fs::write(place.path("out.txt"), (1..=100).map(line).collect::<String>()).unwrap();
    let truth = |i: usize| format!("{i},7,{},61,60,40,1,dog\n", 2 * i as i64 - 59);
    std::fs::write(place.path("truth.txt"), (1..=100).map(truth).collect::<String>()).unwrap();
    assert_eq!(analyze(&place, &["--import", "mot=out.txt"]).code, 0);
    let done = place.run(&["eval", "mot", "--truth", "truth.txt", "tempograph-out/a/detections.jsonl"]);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    // Of the first box nothing is in the picture.
    assert_eq!((&scores["num_switches"], &scores["num_false_positives"]), (&0.into(), &0.into()), "{scores}");
    assert!(scores["idf1"].as_f64().unwrap() > 0.97, "{scores}");
}

/// How sure boxes of an unknown detector must be is ByteTrack's default, and can be said.
#[test]
fn unsure_boxes_of_others_start_no_track_unless_asked_to() {
    let Some(place) = told("25") else { return };
    let line = |i: usize| format!("{i},-1,{},61,60,40,0.5,dog\n", 2 * i);
    std::fs::write(place.path("unsure.txt"), (1..=100).map(line).collect::<String>()).unwrap();
    let tracks = |extra: &[&str]| {
        let done = analyze(&place, &[&["--import", "mot=unsure.txt"], extra].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        place.json("tempograph-out/a/analysis.json")["tracks"].as_array().unwrap().len()
    };
    assert_eq!((tracks(&[]), tracks(&["--confidence", "0.3"])), (0, 1));
}

#[test]
fn turns_name_the_speech_of_subtitles() {
    let Some(place) = told("25") else { return };
    let srt = "1\n00:00:01,000 --> 00:00:02,000\nHello.\n\n2\n00:00:05,000 --> 00:00:06,000\nYes?\n";
    std::fs::write(place.path("a.srt"), srt).unwrap();
    let rttm = "SPEAKER a 1 0.5 2.0 <NA> <NA> ann <NA> <NA>\nSPEAKER a 1 4.9 1.0 <NA> <NA> bob <NA> <NA>\n\
                SPEAKER a 1 8.0 1.0 <NA> <NA> cy <NA> <NA>\n";
    std::fs::write(place.path("a.rttm"), rttm).unwrap();
    assert_eq!(analyze(&place, &["--import", "a.srt,a.rttm"]).code, 0);
    let analysis = place.json("tempograph-out/a/analysis.json");
    let stages = analysis["run"]["stages"].as_array().unwrap();
    assert_eq!(stages.iter().filter(|s| s["status"] == "imported").count(), 2);
    assert_eq!(place.run(&["export", "a.mp4", "--format", "srt", "--out", "b.srt"]).code, 0);
    let back = std::fs::read_to_string(place.path("b.srt")).unwrap();
    assert!(back.starts_with("1\n00:00:01,000 -->") && back.contains("Hello.") && back.contains("Yes?"), "{back}");
    let done = place.run(&["export", "a.mp4", "--format", "rttm"]);
    let turns: Vec<_> = done.out.lines().map(|l| l.split(' ').nth(7).unwrap()).collect();
    assert_eq!(turns, ["ann", "bob", "cy"], "{}", done.out);
}

#[test]
fn what_cannot_be_imported_is_named() {
    let Some(place) = told("25") else { return };
    std::fs::write(place.path("bad.txt"), "1,1,1,1,1,1\n2,1,what,1,1,1\n").unwrap();
    let done = analyze(&place, &["--import", "bad.txt"]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("error[invalid_data]: cannot import mot: line 2: field 3 is not a number"),
        "{}",
        done.err
    );
    for (args, what) in [
        (&["--import", "boxes.txt", "--import", "mot=said.vtt"][..], "two files stand in for `detect`"),
        (&["--import", "a.mp4"], "which format is it?"),
        (&["--import", "what=a.srt"], "unknown import format"),
    ] {
        let done = analyze(&place, args);
        assert_eq!(done.code, 2, "{}", done.err);
        assert!(done.err.contains(what), "{}", done.err);
    }
    assert_eq!(analyze(&place, &["--import", "gone.txt"]).code, 1);
    std::fs::copy(place.path("a.mp4"), place.path("b.mp4")).unwrap();
    assert_eq!(analyze(&place, &["b.mp4", "--import", "boxes.txt"]).code, 2, "one video only");
}

/// The Python with the reference readers, when `make test` has made it.
fn readers() -> Option<PathBuf> {
    let named = std::env::var_os("TEMPOGRAPH_TEST_READERS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".cache"));
    let python = named.or(cache.or(home).map(|c| c.join("tempograph-ci/readers/bin/python")));
    let found = python.filter(|p| p.is_file());
    if found.is_none() {
        println!("skipped: no reference readers; `scripts/test.sh` installs them");
    }
    found
}

const EXPORTS: [(&str, &str); 17] = [
    ("json", "analysis.json"),
    ("detections", "detections.jsonl"),
    ("srt", "transcript.srt"),
    ("vtt", "transcript.vtt"),
    ("csv", "events.csv"),
    ("detections-csv", "detections.csv"),
    ("transcript-csv", "transcript.csv"),
    ("parquet", "detections.parquet"),
    ("events-parquet", "events.parquet"),
    ("coco", "detections.coco.json"),
    ("mot", "tracks.mot.txt"),
    ("yolo", "yolo.zip"),
    ("rttm", "speakers.rttm"),
    ("otio", "timeline.otio"),
    ("edl", "scenes.edl"),
    ("edl-highlights", "highlights.edl"),
    ("fcpxml", "timeline.fcpxml"),
];

/// Writes every format of `video` and has the reference readers compare them with the analysis.
fn check(place: &Place, video: &str, python: Option<&Path>) {
    for (format, name) in EXPORTS {
        let done = place.run(&["export", video, "--format", format, "--out", &format!("exports/{name}")]);
        assert_eq!(done.code, 0, "{format}: {}", done.err);
    }
    let Some(python) = python else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_exports.py");
    let done = Command::new(python).arg(script).arg(place.path("exports")).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    assert_eq!(said.lines().filter(|l| l.starts_with("ok ")).count(), EXPORTS.len() - 2, "{said}");
}

#[test]
fn every_export_opens_in_its_reference_reader() {
    let python = readers();
    // Drop-frame timecode and fractions of a second are where editing formats go wrong.
    for rate in ["25", "30000/1001"] {
        let Some(place) = told(rate) else { return };
        let found = place.run(&["highlights", "a.mp4", "--min-s", "1", "--max-s", "3", "--no-clips", "--json"]);
        assert!(found.out.contains("clip_worthy_score"), "{}", found.err);
        check(&place, "a.mp4", python.as_deref());
        let done = place.run(&["export", "a.mp4", "--format", "yolo", "--out", "set"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let labels = std::fs::read_dir(place.path("set/labels")).unwrap().count();
        assert_eq!(labels, 50, "a file for each frame that was looked at");
        let done = place.run(&["export", "a.mp4", "--format", "html", "--out", "exports/page.html"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let page = std::fs::read_to_string(place.path("exports/page.html")).unwrap();
        assert!(page.contains(r#""video_src":"../a.mp4""#), "the page finds the video from where it lies");
    }
}

/// Real boxes, real turns: the truth files of the public set, imported and exported.
#[test]
fn truth_that_is_imported_comes_back() {
    let Some(media) = shared_media() else { return };
    let python = readers();
    let place = Place::new();
    let (video, truth) = (media.join("composite/public_e_mot.mp4"), media.join("truth/public_e_mot.gt.txt"));
    let (video, import) = (video.to_str().unwrap(), format!("mot={}", truth.display()));
    let done = place.run(&["analyze", video, "--only", "scenes", "--no-annotate", "--import", &import, "--out", "o"]);
    assert_eq!(done.code, 0, "{}", done.err);
    check(&place, video, python.as_deref());
    let truth = truth.to_str().unwrap();
    let done = place.run(&["eval", "mot", "--truth", truth, "exports/tracks.mot.txt"]);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    // Boxes that reach out of the picture are clipped to it, which costs some of their overlap.
    assert!(secs(&scores["idf1"]) > 0.9, "{scores}");

    let place = Place::new();
    let (sound, turns) = (media.join("composite/public_c_dialog3.wav"), media.join("truth/public_c_dialog3.rttm"));
    let (sound, import) = (sound.to_str().unwrap(), turns.to_str().unwrap());
    let done = place.run(&["analyze", sound, "--only", "scenes", "--import", import, "--out", "o"]);
    assert_eq!(done.code, 0, "{}", done.err);
    check(&place, sound, python.as_deref());
    let done = place.run(&["eval", "der", "--truth", import, "exports/speakers.rttm"]);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    assert!(secs(&scores["der"]) < 1e-6, "{scores}");
}
