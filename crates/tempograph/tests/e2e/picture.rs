//! What is read in pictures, and how deep they are.

use serde_json::{Value, json};

use crate::support::{Place, install_tiny, models, read_json, shared_media};

/// The texts of an analysis, each with its span.
fn texts(analysis: &Value) -> Vec<(String, f64, f64)> {
    let number = |v: &Value| v.as_f64().unwrap();
    let of = |t: &Value| (t["text"].as_str().unwrap().to_owned(), number(&t["start_s"]), number(&t["end_s"]));
    analysis["texts"].as_array().unwrap().iter().map(of).collect()
}

/// Whether this machine has the weights of `name`.
fn has(name: &str) -> bool {
    let here = models().is_some_and(|m| m.join(name).join("installed.json").is_file());
    if !here {
        println!("skipped: `tempograph models pull {name}` gives the weights");
    }
    here
}

#[test]
fn what_stands_in_the_picture_is_read_with_its_time() {
    let Some(media) = shared_media().filter(|_| has("ppocr-v6-tiny")) else { return };
    let place = Place::new();
    let read = |name: &str| {
        let video = media.join(name);
        let only = ["--only", "scenes,text", "--no-annotate", "--out", "o"];
        let done = place.run(&[&["analyze", video.to_str().unwrap()], &only[..]].concat());
        assert_eq!(done.code, 0, "{}", done.err);
        let analysis = place.json("o/analysis.json");
        let models = analysis["models"].as_array().unwrap();
        assert!(models.iter().any(|m| m["task"] == "text" && m["name"] == "ppocr-v6-tiny"), "{models:?}");
        (texts(&analysis), analysis)
    };

    // The board of the composite, as long as its shot lasts.
    let truth = read_json(&media.join("truth/public_a_citymix.json"));
    let (found, analysis) = read("composite/public_a_citymix.mp4");
    let mut boards = 0;
    for scene in truth["scenes"].as_array().unwrap().iter().filter(|s| s["source"].is_array()) {
        for want in scene["truth"]["text"].as_array().unwrap() {
            let (start, end) = (scene["start"].as_f64().unwrap(), scene["end"].as_f64().unwrap());
            let same = |t: &&(String, f64, f64)| t.0 == want.as_str().unwrap();
            let text = found.iter().find(same).unwrap_or_else(|| panic!("no {want} in {found:?}"));
            assert!((text.1 - start).abs() < 0.1 && (text.2 - end).abs() < 0.1, "{text:?} for {start} to {end}");
            boards += 1;
        }
    }
    assert_eq!(boards, 2);
    assert!(found.iter().any(|t| t.0.starts_with("Hello world") && t.1 > 46.0 && t.2 < 53.0), "{found:?}");
    // Readable in the last two frames of its shot, which ends at 9.68 s.
    let taxi = found.iter().find(|t| t.0 == "TAXI").unwrap_or_else(|| panic!("{found:?}"));
    assert!(taxi.1 > 9.5 && (taxi.2 - 9.68).abs() < 0.01, "{taxi:?}");
    let before = found.iter().filter(|t| t.1 < 42.0 && t.0 != "TAXI").collect::<Vec<_>>();
    assert!(before.is_empty(), "nothing else is written before the board: {before:?}");
    assert!(analysis["summary"]["text"].as_str().unwrap().contains("GATE 42"), "{}", analysis["summary"]["text"]);

    let (found, _) = read("video/bikes.mp4");
    assert!(found.iter().any(|t| t.0 == "TAXI"), "{found:?}");
    let (found, _) = read("video/no_face.mp4");
    assert!(found.iter().any(|t| t.0.eq_ignore_ascii_case("caminandes")), "{found:?}");
}

#[test]
fn depth_is_written_as_numbers_and_pictures_and_told_of_entities() {
    let Some(media) = shared_media() else { return };
    let Some(runtime) = models().map(|m| m.join("onnxruntime")).filter(|m| m.is_dir()) else { return };
    let place = Place::new();
    let store = place.path("models");
    std::fs::create_dir(&store).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(runtime, store.join("onnxruntime")).unwrap();
    let video = media.join("composite/public_e_mot.mp4");
    let run = |more: &[&str]| {
        let fixed = ["--only", "scenes,detect,depth", "--no-annotate", "--out", "o"];
        let args = [&["analyze", video.to_str().unwrap()], &fixed[..], more].concat();
        let output = place.command(&args).env("TEMPOGRAPH_MODELS", &store).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (place.json("o/analysis.json"), String::from_utf8_lossy(&output.stderr).into_owned())
    };

    // Who names the stage hears that its model is missing.
    let (without, _) = run(&[]);
    assert!(without["issues"].as_array().unwrap().iter().any(|i| i["stage"] == "depth"), "{}", without["issues"]);
    assert!(without.get("depths").is_none() && !place.path("o/depth").exists());

    install_tiny(&store, "depth-anything-v2-small", "depth_tiny.onnx");
    let (analysis, _) = run(&["--depth-fps", "0.5"]);
    assert_eq!(analysis["issues"], json!([]));
    let mut files: Vec<_> = std::fs::read_dir(place.path("o/depth"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| !n.starts_with('.'))
        .collect();
    files.sort();
    let frames = (0..10).map(|i| format!("{:06}", i * 50));
    let want: Vec<String> = frames.flat_map(|f| [format!("{f}.npy"), format!("{f}.png")]).collect();
    assert_eq!(files, want, "every second of twenty");
    let npy = std::fs::read(place.path("o/depth/000050.npy")).unwrap();
    assert_eq!(npy.len(), 128 + 4 * 1280 * 720);
    assert!(String::from_utf8_lossy(&npy[..128]).contains("'shape': (720, 1280)"));

    let depths = analysis["depths"].as_array().unwrap();
    let ids: Vec<_> = analysis["entities"].as_array().unwrap().iter().map(|e| &e["id"]).collect();
    assert!(!depths.is_empty());
    for depth in depths {
        assert!(ids.contains(&&depth["entity"]));
        for sample in depth["samples"].as_array().unwrap() {
            assert!((0.0..=1.0).contains(&sample["nearness"].as_f64().unwrap()), "{sample}");
        }
    }

    // What is there is not made again; what another rate leaves behind is removed.
    let made = std::fs::metadata(place.path("o/depth/000050.npy")).unwrap().modified().unwrap();
    let (again, err) = run(&["--depth-fps", "0.5", "--explain"]);
    assert!(err.contains("depth: cached"), "{err}");
    assert_eq!(again["depths"], analysis["depths"]);
    assert_eq!(std::fs::metadata(place.path("o/depth/000050.npy")).unwrap().modified().unwrap(), made);
    run(&["--depth-fps", "0.25"]);
    assert!(!place.path("o/depth/000050.npy").exists() && place.path("o/depth/000100.png").exists());
}

#[test]
fn depth_is_scored_against_disparity() {
    let Some(media) = shared_media() else { return };
    let place = Place::new();
    let truth = media.join("depth/motorcycle_disp.npz");
    let truth = truth.to_str().unwrap();
    let args = ["eval", "depth", "--truth", truth, truth, "--depth-truth", "disparity"];
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);
    let scores: Value = serde_json::from_str(&done.out).unwrap();
    assert!(scores["abs_rel"].as_f64().unwrap() < 1e-6 && scores["delta1"] == 1.0, "{scores}");
    let done = place.run(&[&args[..], &["--align", "shear"]].concat());
    assert_eq!(done.code, 2, "{}", done.err);
    assert!(done.err.contains("`scale-shift`"), "{}", done.err);
}
