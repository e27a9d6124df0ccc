//! Every pycocotools case gives its numbers.

use serde_json::Value;
use tempograph_eval::ap;

#[test]
fn equals_pycocotools() {
    let cases: Value = serde_json::from_str(include_str!("data/pycocotools_ap_cases.json")).expect("cases");
    let cases = cases["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let truth = ap::truth(&case["gt"].to_string()).expect("annotations");
        let found = ap::found(&case["dets"].to_string()).expect("results");
        let scores = serde_json::to_value(ap::score(&truth, &found)).expect("numbers");
        for (name, expected) in case["stats"].as_object().expect("named numbers") {
            let (got, expected) = (scores[name].as_f64().expect("a number"), expected.as_f64().expect("a number"));
            assert!((got - expected).abs() < 1e-6, "seed {}: {name} {got} for {expected}", case["seed"]);
        }
    }
}
