//! What a server turned out not to take.

use std::collections::HashMap;

use parking_lot::Mutex;
use tempograph_core::vlm::{AnswerSchema, Structured};

use super::weaker;
use crate::net::refusal::Refusal;

/// Signs that it was the form of the answer that was refused.
const ABOUT_SCHEMA: &[&str] =
    &["response_format", "json_schema", "json_object", "json schema", "schema", "grammar", "guided", "structured"];

/// How a request is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// How the answer is held to its schema.
    pub(super) structured: Structured,
    /// `max_completion_tokens` instead of `max_tokens`.
    pub(super) max_completion_tokens: bool,
    pub(super) temperature: bool,
    pub(super) top_p: bool,
    pub(super) seed: bool,
    pub(super) stream_options: bool,
}

/// What was learned, for every call of one handle.
#[derive(Debug)]
pub(super) struct Quirks(Mutex<Learned>);

#[derive(Debug)]
struct Learned {
    form: Form,
    /// Schemas that were refused: a server that takes one may choke on another.
    schemas: HashMap<&'static str, Structured>,
    switched_limit: bool,
}

impl Quirks {
    pub(super) fn new(max_completion_tokens: bool) -> Self {
        let form = Form {
            structured: Structured::Schema,
            max_completion_tokens,
            temperature: true,
            top_p: true,
            seed: true,
            stream_options: true,
        };
        Self(Mutex::new(Learned { form, schemas: HashMap::new(), switched_limit: false }))
    }

    /// How to put a request whose answer must fit the schema of that name; at most `best`.
    pub(super) fn form(&self, schema: Option<&'static str>, best: Structured) -> Form {
        let learned = self.0.lock();
        let structured = schema.and_then(|s| learned.schemas.get(s)).map_or(best, |s| (*s).min(best));
        Form { structured, ..learned.form }
    }

    /// Whether `refusal` is about something that can be left out, and was not before.
    pub(super) fn learn(&self, form: &Form, schema: Option<&AnswerSchema>, refusal: &Refusal) -> bool {
        if !matches!(refusal.status, 400 | 415 | 422 | 500 | 501) || refusal.is_too_long() {
            return false;
        }
        let mut learned = self.0.lock();
        let learned = &mut *learned;
        if let (Some(schema), true, Some(next)) = (schema, refusal.says(ABOUT_SCHEMA), weaker(form.structured)) {
            let known = learned.schemas.entry(schema.name).or_insert(next);
            *known = next.min(*known);
            return true;
        }
        if refusal.status >= 500 {
            return false;
        }
        let now = &mut learned.form;
        for (name, sent, kept) in [
            ("temperature", form.temperature, &mut now.temperature),
            ("top_p", form.top_p, &mut now.top_p),
            ("seed", form.seed, &mut now.seed),
            ("stream_options", form.stream_options, &mut now.stream_options),
        ] {
            if sent && refusal.says(&[name]) {
                *kept = false;
                return true;
            }
        }
        if refusal.says(&["max_tokens", "max_completion_tokens"]) {
            // Another call may have learned it in the meantime.
            if now.max_completion_tokens != form.max_completion_tokens {
                return true;
            }
            if !std::mem::replace(&mut learned.switched_limit, true) {
                now.max_completion_tokens = !now.max_completion_tokens;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use reqwest::header::HeaderMap;

    use super::*;
    use crate::net::refusal::Who;

    fn refused(status: u16, words: &str) -> Refusal {
        Refusal::new(Who::new("openai", "m"), None, status, &HeaderMap::new(), words.as_bytes())
    }

    #[test]
    fn a_refused_schema_steps_down_and_is_remembered_by_name() {
        let quirks = Quirks::new(false);
        let schema = AnswerSchema { name: "window", schema: Arc::new(serde_json::json!({})) };
        let no = refused(400, "response_format is not supported");
        for next in [Structured::Json, Structured::Prompt] {
            let form = quirks.form(Some("window"), Structured::Schema);
            assert!(quirks.learn(&form, Some(&schema), &no));
            assert_eq!(quirks.form(Some("window"), Structured::Schema).structured, next);
        }
        assert!(!quirks.learn(&quirks.form(Some("window"), Structured::Schema), Some(&schema), &no));
        assert_eq!(quirks.form(Some("other"), Structured::Schema).structured, Structured::Schema);
    }

    #[test]
    fn parameters_are_dropped_once() {
        let quirks = Quirks::new(false);
        for words in
            ["Unsupported value: 'temperature' does not support 0", "'max_tokens' is not supported with this model"]
        {
            let form = quirks.form(None, Structured::Schema);
            assert!(quirks.learn(&form, None, &refused(400, words)), "{words}");
            let form = quirks.form(None, Structured::Schema);
            assert!(!quirks.learn(&form, None, &refused(400, words)), "{words}");
        }
        let form = quirks.form(None, Structured::Schema);
        assert!(form.max_completion_tokens && !form.temperature && form.seed);
        assert!(!quirks.learn(&form, None, &refused(401, "seed")));
        assert!(!quirks.learn(&form, None, &refused(400, "max_tokens is too large: maximum context length is 4096")));
    }
}
