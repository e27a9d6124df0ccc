//! Chains of models, tries and known answers, through the binary.

use serde_json::{Value, json};

use crate::{
    asking::{analyze, clip, done, well},
    support::Place,
    teller::Teller,
};

fn calls(analysis: &Value) -> Vec<Value> {
    analysis["run"]["calls"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_chain_falls_back_tries_again_and_never_pays_twice() {
    let place = Place::new();
    if !clip(&place.path("a.mp4")) {
        return;
    }
    let teller = Teller::start(|n, body| match body["model"].as_str() {
        Some("gone") => Err(404),
        // The first question that reaches it fails in a way that passes.
        _ if n == 1 => Err(503),
        _ => well(n, body),
    });
    let chain = [
        ("TEMPOGRAPH_ASK_VISION", "openai:gone,openai:teller"),
        ("TEMPOGRAPH_ASK_STRUCTURED", "openai:teller"),
        ("TEMPOGRAPH_ASK_TRIES", "3"),
    ];
    done(analyze(&place, &teller, "o", &[], &chain));
    let first = place.json("o/analysis.json");
    let made = calls(&first);
    let of = |model: &str| made.iter().filter(|c| c["model"] == model).cloned().collect::<Vec<_>>();
    let (gone, told) = (of("gone"), of("teller"));
    assert!(gone.len() >= 3 && told.len() >= 4, "three windows and a summary at least: {made:?}");
    assert!(gone.iter().all(|c| c["error"] == "backend_refused" && c["cost_usd"] == json!(0.0)), "{gone:?}");
    assert!(told.iter().all(|c| c.get("error").is_none() && c["cache_hit"] == false), "{told:?}");
    let retries: Vec<_> = told.iter().filter_map(|c| c["retries"].as_u64()).collect();
    assert_eq!(retries.iter().sum::<u64>(), 1, "{retries:?}");
    assert_eq!(first["windows"][0]["origin"], "gone or teller", "who of them told it is in the calls");

    // Another plan puts the same questions: they are answered from what is known, whoever of the chain knew it.
    let asked = teller.asked().len();
    let mut again = chain.to_vec();
    again.push(("TEMPOGRAPH_ASK_MAX_WINDOWS", "100"));
    done(analyze(&place, &teller, "o", &[], &again));
    let second = place.json("o/analysis.json");
    assert_eq!(teller.asked().len(), asked, "nothing is sent");
    let hits = calls(&second);
    assert!(hits.len() >= 3 && hits.iter().all(|c| c["cache_hit"] == true), "{hits:?}");
    assert_eq!((&second["run"]["cost_usd"], &second["run"]["tokens_in"]), (&json!(0.0), &json!(0)));
    assert_eq!(second["windows"], first["windows"]);
}
