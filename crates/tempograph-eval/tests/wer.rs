//! Every jiwer case gives jiwer's numbers.

use serde::Deserialize;
use tempograph_eval::wer::score;

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "ref")]
    truth: String,
    hyp: String,
    wer: f64,
    mer: f64,
    wil: f64,
    wip: f64,
    cer: f64,
    hits: u64,
    sub: u64,
    ins: u64,
    dele: u64,
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[test]
fn equals_jiwer() {
    let cases: Cases = serde_json::from_str(include_str!("data/jiwer_cases.json")).expect("cases");
    assert_eq!(cases.cases.len(), 69);
    for c in cases.cases {
        let s = score(&c.truth, &c.hyp).expect("short");
        let rates = [(s.wer, c.wer), (s.mer, c.mer), (s.wil, c.wil), (s.wip, c.wip), (s.cer, c.cer)];
        assert!(rates.iter().all(|(a, b)| (a - b).abs() < 1e-6), "{rates:?}: {:?} / {:?}", c.truth, c.hyp);
        assert_eq!(
            (s.hits, s.substitutions, s.insertions, s.deletions),
            (c.hits, c.sub, c.ins, c.dele),
            "{:?} / {:?}",
            c.truth,
            c.hyp
        );
    }
}
