use proptest::prelude::*;

use super::*;

fn load(toml: &str, env: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Combined> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.toml");
    fs::write(&path, toml).unwrap();
    let mut layer = Layer::default();
    for (key, value) in flags {
        layer.set(key, Some(value), &Origin::Flag);
    }
    let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Combined::load(Some(&path), env.into_iter(), layer)
}

#[test]
fn later_sources_win_and_are_named() {
    let toml = "[analyze]\nfps = 2\nskip = [\"speech\"]\n[log]\nlevel = \"info\"";
    let c = load(toml, &[("TEMPOGRAPH_ANALYZE_FPS", "3"), ("HOME", "/x")], &[("log.level", "debug")]).unwrap();
    assert_eq!(c.settings.fps, Between(3.0));
    assert_eq!(c.settings.log_level, "debug");
    assert_eq!(c.settings.skip, List(vec!["speech".into()]));
    let origin = |key: &str| c.show().find(|(k, ..)| *k == key).unwrap().2.to_string();
    assert_eq!(origin("analyze.fps"), "environment TEMPOGRAPH_ANALYZE_FPS");
    assert_eq!(origin("log.level"), "flag");
    assert_eq!(origin("offline"), "default");
    assert!(origin("analyze.skip").starts_with("file "));
}

#[test]
fn unknown_keys_suggest_the_nearest() {
    let err = load("[analyze]\nfsp = 2", &[], &[]).unwrap_err();
    assert_eq!(err.hint(), Some("did you mean `analyze.fps`?"));
    let err = load("", &[("TEMPOGRAPH_OFLINE", "true")], &[]).unwrap_err();
    assert_eq!(err.hint(), Some("did you mean `TEMPOGRAPH_OFFLINE`?"));
}

#[test]
fn values_outside_their_range_name_their_origin() {
    let err = load("[analyze]\nconfidence = 1.5", &[], &[]).unwrap_err();
    assert!(err.to_string().contains("`analyze.confidence` (file"), "{err}");
    assert!(load("", &[("TEMPOGRAPH_ANALYZE_FPS", "nan")], &[]).is_err());
    assert!(load("", &[("TEMPOGRAPH_THREADS", "0")], &[]).is_err());
}

#[test]
fn secrets_are_taken_and_never_shown() {
    let c = load("[gemini]\napi_key = \"AIza-123\"", &[("TEMPOGRAPH_OPENAI_API_KEY", "sk-456")], &[]).unwrap();
    assert_eq!(c.settings.openai_api_key.as_ref().map(Key::reveal), Some("sk-456"));
    assert_eq!(c.settings.gemini_api_key.as_ref().map(Key::reveal), Some("AIza-123"));
    let shown = format!("{c:?} {:?}", c.show().collect::<Vec<_>>());
    assert!(!shown.contains("AIza") && !shown.contains("sk-456"), "{shown}");
    assert!(c.show().any(|(key, value, _)| key == "openai.api_key" && value == "(set)"));
    assert!(c.show().any(|(key, value, _)| key == "runpod.api_key" && value.is_empty()));
    let err = load("", &[("TEMPOGRAPH_OPENAI_API_KEY", "sk\n456")], &[]).unwrap_err();
    assert!(!err.to_string().contains("456"), "{err}");
}

#[test]
fn prices_are_two_numbers() {
    let price = |text| load("", &[("TEMPOGRAPH_OPENAI_PRICE", text)], &[]).map(|c| c.settings.openai_price);
    assert_eq!(price("0.25/2").unwrap(), Some(PriceText { input: 0.25, output: 2.0 }));
    for wrong in ["1", "1/", "-1/2", "nan/1", "1/2/3"] {
        assert!(price(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_default_is_valid() {
    Combined::load(None, std::iter::empty(), Layer::default()).unwrap();
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        if let Err(error) = from_toml(&text, "x") {
            prop_assert_eq!(error.kind(), ErrorKind::Config);
        }
    }
}
