//! What every command promises: help, errors, exit codes, settings.

use crate::support::Place;

#[test]
fn help_and_version_exit_with_zero() {
    let place = Place::new();
    for args in [&["--help"][..], &["--version"], &["analyze", "--help"], &["models", "list", "--help"]] {
        let done = place.run(args);
        assert_eq!(done.code, 0, "{args:?}: {}", done.err);
        assert!(!done.out.is_empty());
    }
}

#[test]
fn usage_errors_exit_with_two_and_touch_nothing() {
    let place = Place::new();
    for args in [&["nonsense"][..], &["analyze"], &["analyze", "--bogus", "x"]] {
        assert_eq!(place.run(args).code, 2, "{args:?}");
    }
    assert!(!place.path("data").exists());
}

#[test]
fn an_unknown_setting_is_named_with_a_suggestion() {
    let place = Place::new();
    std::fs::write(place.path("c.toml"), "[analyze]\nfsp = 3\n").unwrap();
    let done = place.run(&["--config", "c.toml", "config", "show"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("error[config_invalid]: unknown setting `analyze.fsp`"), "{}", done.err);
    assert!(done.err.contains("hint: did you mean `analyze.fps`?"), "{}", done.err);
}

#[test]
fn config_show_names_each_origin() {
    let place = Place::new();
    std::fs::write(place.path("c.toml"), "[analyze]\nfps = 3\n").unwrap();
    let done = place.run(&["--config", "c.toml", "--threads", "1", "config", "show", "--json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let shown: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(shown["analyze.fps"]["value"], "3");
    assert_eq!(shown["analyze.fps"]["origin"], "file c.toml");
    assert_eq!(shown["threads"]["origin"], "flag");
    assert_eq!(shown["offline"]["origin"], "environment TEMPOGRAPH_OFFLINE");
    assert_eq!(shown["log.level"]["origin"], "default");
}

#[test]
fn keys_are_never_shown_and_back_ends_are_checked_before_anything_runs() {
    let place = Place::new();
    let mut command = place.command(&["config", "show", "--json"]);
    command.env("TEMPOGRAPH_OPENAI_API_KEY", "sk-of-the-tests").env("TEMPOGRAPH_ASK_BACKEND", "openai");
    let done = crate::support::finished(command.output().unwrap());
    assert_eq!(done.code, 0, "{}", done.err);
    let shown: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(shown["openai.api_key"]["value"], "(set)");
    assert_eq!(shown["ask.backend"]["value"], "openai");
    assert!(!done.out.contains("sk-of-the-tests"));
    for args in [&["analyze", "--backend", "nobody", "a.mp4"][..], &["--config", "c.toml", "analyze", "a.mp4"]] {
        std::fs::write(place.path("c.toml"), "[ask]\nvision = [\"opnai:x\"]\n").unwrap();
        std::fs::write(place.path("a.mp4"), "").unwrap();
        let done = place.run(args);
        assert_eq!(done.code, 2, "{args:?}: {}", done.err);
        assert!(done.err.contains("is none of none, local, openai, gemini, runpod"), "{}", done.err);
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let done = place.run(&["completions", shell]);
        assert_eq!(done.code, 0);
        assert!(done.out.contains("tempograph"), "{shell}");
    }
}

#[test]
fn eval_prints_json_and_refuses_unknown_kinds() {
    let place = Place::new();
    std::fs::write(place.path("truth.txt"), "the cat sat on the mat").unwrap();
    std::fs::write(place.path("said.txt"), "the cat sat on a mat").unwrap();
    let done = place.run(&["eval", "wer", "--truth", "truth.txt", "said.txt"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let scores: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert!((scores["wer"].as_f64().unwrap() - 1.0 / 6.0).abs() < 1e-9);
    assert_eq!(place.run(&["eval", "taste", "--truth", "truth.txt", "said.txt"]).code, 2);
    assert_eq!(place.run(&["eval", "wer", "--truth", "none.txt", "said.txt"]).code, 1);
}

#[test]
fn models_list_shows_licences() {
    let place = Place::new();
    let done = place.run(&["models", "list", "--json"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let models: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let models = models.as_array().unwrap();
    assert!(models.iter().any(|m| m["name"] == "whisper-base"));
    assert!(models.iter().all(|m| m["licence"].as_str().is_some_and(|l| !l.is_empty())));
    let done = place.run(&["models", "pull", "no-such-model"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("hint:"), "{}", done.err);
}

#[test]
fn the_configuration_reference_is_current() {
    let done = Place::new().run(&["config", "reference"]);
    let committed = include_str!("../../../../docs/configuration.md");
    assert!(done.out == committed, "run `tempograph config reference > docs/configuration.md`");
}
