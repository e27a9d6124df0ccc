//! Every pyannote.metrics case gives its numbers.

use std::collections::HashMap;

use serde::Deserialize;
use tempograph_eval::der::{DerOptions, Turn, score};

type Rows = Vec<(f64, f64, String)>;

#[derive(Deserialize)]
struct Case {
    uri: String,
    mode: String,
    collar: f64,
    skip_overlap: bool,
    uem: (f64, f64),
    hyp: Rows,
    der: f64,
    miss: f64,
    fa: f64,
    conf: f64,
    total: f64,
    jer: Option<f64>,
    detection_error_rate: Option<f64>,
}

#[derive(Deserialize)]
struct Cases {
    references: HashMap<String, Rows>,
    cases: Vec<Case>,
}

fn turns(rows: &Rows) -> Vec<Turn> {
    rows.iter().map(|(start, end, who)| Turn { start: *start, end: *end, speaker: who.clone() }).collect()
}

#[test]
fn equals_pyannote() {
    let cases: Cases = serde_json::from_str(include_str!("data/pyannote_der_cases.json")).expect("cases");
    assert_eq!(cases.cases.len(), 270);
    for c in cases.cases {
        let options = DerOptions { collar: c.collar, skip_overlap: c.skip_overlap, uem: Some(vec![c.uem]) };
        let s = score(&turns(&cases.references[&c.uri]), &turns(&c.hyp), &options).expect("few speakers");
        let mut pairs = vec![
            (s.der, c.der),
            (s.missed_s, c.miss),
            (s.false_alarm_s, c.fa),
            (s.confusion_s, c.conf),
            (s.total_s, c.total),
        ];
        pairs.extend(c.jer.map(|jer| (s.jer, jer)));
        pairs.extend(c.detection_error_rate.map(|rate| (s.detection_error_rate, rate)));
        assert!(
            pairs.iter().all(|(a, b)| (a - b).abs() < 1e-6),
            "{} {} {} {}: {pairs:?}",
            c.uri,
            c.mode,
            c.collar,
            c.skip_overlap
        );
    }
}
