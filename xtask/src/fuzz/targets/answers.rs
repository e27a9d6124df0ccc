//! Answers of language models, read as a form.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempograph_pipeline::ask::{
    TimeText,
    structured::{Structured, read_json},
};

/// Answers as models write them, right and wrong.
pub(super) const SEEDS: &[&[u8]] = &[
    br#"{"events": [{"label": "goal", "start": 12.5, "end": "0:14", "confidence": 0.9}]}"#,
    b"```json\n{\"events\": [{\"label\": \"a \\\"b\\\" c\", \"start\": \"00:01:02.5\", \"end\": 63}]}\n```",
    b"<think>[1]</think>[{'label': 'it's', 'start': 1, 'end': 2,}, ...]",
    b"Here: {events: [{label: two words, start: 1s, end: 2 s, confidence: 95%}]} Enjoy!",
    b"{\"events\": [{\"label\": \xe2\x80\x9cx\xe2\x80\x9d, \"start\": 1 \"end\": 2}, {\"label\": \"y\", \"start\": 3",
    b"{\"label\": \"a\", \"start\": NaN, \"end\": None}\n{\"label\": \"b\", \"start\": 1, \"end\": 2}",
    b"{\"events\": {\"label\": \"\\x\\ud83d\\ude00\", \"start\": 1, \"end\": 2}} // done",
    b"[[[[{\"a\":[(1, 2), {\"b\": `c`}]}]]]]",
];

#[derive(Serialize, Deserialize, JsonSchema)]
struct Events {
    events: Vec<Event>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Event {
    label: String,
    start: TimeText,
    end: TimeText,
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    confidence: f64,
}

pub(super) fn run(bytes: &[u8]) {
    static FORM: OnceLock<Option<Structured<Events>>> = OnceLock::new();
    let text = super::text(bytes);
    read_json(&text);
    if let Some(Ok(fitting)) = FORM.get_or_init(|| Structured::new("events").ok()).as_ref().map(|form| form.read(&text))
    {
        serde_json::to_vec(&fitting.value).ok();
    }
}
