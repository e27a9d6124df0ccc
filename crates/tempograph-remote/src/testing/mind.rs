//! What the fake servers think.

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tempograph_core::vlm::Finish;

type Thinker = Box<dyn Fn(&Value) -> String + Send + Sync>;

/// Tokens of a question that is not too long, by the counting of the fake servers.
pub(super) const CONTEXT_TOKENS: u64 = 4096;

/// Gives answers to questions.
#[derive(Default)]
pub struct Mind(Mutex<Option<Thinker>>);

/// An answer on its way.
pub(super) struct Thought {
    pub(super) pieces: Vec<String>,
    pub(super) finish: Finish,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
}

impl Mind {
    /// Answers with what `thinker` makes of the body of a request.
    pub fn set(&self, thinker: impl Fn(&Value) -> String + Send + Sync + 'static) {
        *self.0.lock() = Some(Box::new(thinker));
    }

    /// Answers a question: a token is a word or eight characters of JSON. None when the question is too long.
    pub(super) fn think(&self, body: &Value, max_tokens: u64, schema: Option<&Value>) -> Option<Thought> {
        // A picture counts by its bytes, as one token in 64, so that a few fit.
        let question = body.to_string();
        let tokens_in = question.split_whitespace().map(|w| 1 + w.len() as u64 / 64).sum();
        if tokens_in > CONTEXT_TOKENS {
            return None;
        }
        let text = match (&*self.0.lock(), schema) {
            (Some(thinker), _) => thinker(body),
            (None, Some(schema)) => instance(schema, schema, 0).to_string(),
            (None, None) => (1..=24).map(|n| format!("word{n} ")).collect(),
        };
        let mut pieces: Vec<String> = if text.starts_with(['{', '[']) {
            text.chars().collect::<Vec<_>>().chunks(8).map(|c| c.iter().collect()).collect()
        } else {
            text.split_inclusive(' ').map(str::to_owned).collect()
        };
        let whole = pieces.len() as u64;
        pieces.truncate(usize::try_from(max_tokens).unwrap_or(usize::MAX));
        let tokens_out = pieces.len() as u64;
        let finish = if tokens_out < whole { Finish::Length } else { Finish::Stop };
        Some(Thought { pieces, finish, tokens_in, tokens_out })
    }
}

/// The smallest value that fits a schema, in JSON Schema's or OpenAPI's words.
fn instance(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > 16 {
        return Value::Null;
    }
    let below = |s: &Value| instance(s, root, depth + 1);
    if let Some(target) = schema["$ref"].as_str().and_then(|r| root.pointer(r.trim_start_matches('#'))) {
        return below(target);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    for list in ["enum", "anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[list].get(0) {
            return if list == "enum" { first.clone() } else { below(first) };
        }
    }
    let kind = schema["type"].as_str().or(schema["type"][0].as_str()).unwrap_or("object").to_lowercase();
    match kind.as_str() {
        "string" => json!("text"),
        "integer" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "number" => schema.get("minimum").cloned().unwrap_or(json!(0.5)),
        "boolean" => json!(true),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 8);
            (0..least).map(|_| below(&schema["items"])).collect()
        }
        "object" => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            Value::Object(properties.iter().map(|(k, v)| (k.clone(), below(v))).collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}
