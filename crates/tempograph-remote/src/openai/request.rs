//! The body of a question.

use serde_json::{Map, Value, json};
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{AnswerSchema, Ask, Message, Part, Role, Structured, VideoPart, VideoSource},
};

use super::quirks::Form;
use crate::question;

/// Largest video that is sent inside a question; servers refuse bodies much larger.
const MAX_INLINE_VIDEO: u64 = 20 << 20;

/// The question as JSON.
///
/// # Errors
/// When a picture or a video cannot be read or is too large.
pub(super) fn body(ask: &Ask, model: &str, form: Form, jpeg_quality: u8) -> Result<String> {
    let mut messages = ask.messages.iter().map(|m| message(m, jpeg_quality)).collect::<Result<Vec<_>>>()?;
    if let Some(schema) = ask.schema.as_ref().filter(|_| form.structured < Structured::Schema) {
        messages.push(json!({"role": "system", "content": question::instruction(schema)}));
    }
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), join_system(messages).into());
    body.insert("stream".to_owned(), true.into());
    if form.stream_options {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    let limit = if form.max_completion_tokens { "max_completion_tokens" } else { "max_tokens" };
    body.insert(limit.to_owned(), ask.sampling.max_tokens.into());
    if form.temperature {
        body.insert("temperature".to_owned(), question::decimal(ask.sampling.temperature));
    }
    if form.top_p && ask.sampling.top_p < 1.0 {
        body.insert("top_p".to_owned(), question::decimal(ask.sampling.top_p));
    }
    // OpenAI documents a signed 64-bit integer; some servers read 32 bits.
    if form.seed {
        body.insert("seed".to_owned(), (ask.sampling.seed & 0x7fff_ffff).into());
    }
    if let Some(schema) = &ask.schema {
        match form.structured {
            Structured::Schema => {
                body.insert("response_format".to_owned(), response_format(schema));
            }
            Structured::Json => {
                body.insert("response_format".to_owned(), json!({"type": "json_object"}));
            }
            Structured::Prompt => {}
        }
    }
    Ok(Value::Object(body).to_string())
}

/// Chat templates take one system turn, and that first.
fn join_system(messages: Vec<Value>) -> Vec<Value> {
    let is_system = |m: &Value| m["role"] == "system" && m["content"].is_string();
    let (system, mut rest): (Vec<_>, Vec<_>) = messages.into_iter().partition(is_system);
    let text: Vec<_> = system.iter().filter_map(|m| m["content"].as_str()).collect();
    if !text.is_empty() {
        rest.insert(0, json!({"role": "system", "content": text.join("\n\n")}));
    }
    rest
}

fn message(message: &Message, jpeg_quality: u8) -> Result<Value> {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let mut parts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Text(text) => parts.push(text_part(text)),
            Part::Image(rgb) => parts.push(image_part(&question::jpeg(rgb, jpeg_quality)?)),
            Part::Frames(frames) => {
                for frame in frames {
                    parts.push(text_part(&question::label(frame.time)));
                    parts.push(image_part(&question::jpeg(&frame.image, jpeg_quality)?));
                }
            }
            Part::Video(video) => {
                parts.push(json!({"type": "video_url", "video_url": {"url": video_url(video)?}}));
                parts.push(text_part(&question::stretch(video)));
            }
        }
    }
    // Plain text is what every server takes.
    if parts.iter().all(|p| p["type"] == "text") {
        let text: Vec<_> = parts.iter().filter_map(|p| p["text"].as_str()).collect();
        return Ok(json!({"role": role, "content": text.join("\n")}));
    }
    Ok(json!({"role": role, "content": parts}))
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn image_part(jpeg: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": format!("data:image/jpeg;base64,{jpeg}")}})
}

fn video_url(video: &VideoPart) -> Result<String> {
    match &video.source {
        VideoSource::Url(url) => Ok(url.clone()),
        VideoSource::File(path) => {
            let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
            if size > MAX_INLINE_VIDEO {
                return Err(Error::new(
                    ErrorKind::OverBudget,
                    format!("a video of {} MB cannot be sent inside a question", size >> 20),
                )
                .with_hint("send frames instead, or give its web address"));
            }
            let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
            Ok(format!("data:{};base64,{}", video.mime, question::base64(&bytes)))
        }
    }
}

fn response_format(schema: &AnswerSchema) -> Value {
    json!({
        "type": "json_schema",
        "json_schema": {"name": schema.name, "strict": is_strict(&schema.schema), "schema": *schema.schema},
    })
}

/// Whether every object says all of its properties and no others: what OpenAI asks of a schema it is strict about.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let closed = match map.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let required = map.get("required").and_then(Value::as_array).map_or(0, Vec::len);
                    map.get("additionalProperties") == Some(&Value::Bool(false)) && required == properties.len()
                }
                None => map.get("type").is_none_or(|t| t != "object"),
            };
            closed && map.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempograph_core::{
        MediaTime, Rgb, Size,
        vlm::{SamplingParams, TimedImage},
    };

    use super::*;

    const FORM: Form = Form {
        structured: Structured::Schema,
        max_completion_tokens: false,
        temperature: true,
        top_p: true,
        seed: true,
        stream_options: true,
    };

    fn ask() -> Ask {
        let image = Arc::new(Rgb { size: Size { width: 8, height: 8 }, data: vec![200; 192] });
        let frames = [0, 500].map(|ms| TimedImage { time: MediaTime::from_millis(ms), image: Arc::clone(&image) });
        Ask {
            purpose: "window",
            messages: vec![
                Message::text(Role::System, "You watch videos."),
                Message {
                    role: Role::User,
                    parts: vec![Part::Frames(frames.to_vec()), Part::Text("What happens?".to_owned())],
                },
            ],
            schema: Some(AnswerSchema {
                name: "window",
                schema: Arc::new(json!({"type": "object", "properties": {"a": {"type": "string"}}})),
            }),
            sampling: SamplingParams { temperature: 0.2, top_p: 0.9, max_tokens: 64, seed: u64::MAX },
        }
    }

    #[test]
    fn the_documented_form() {
        let body: Value = serde_json::from_str(&body(&ask(), "m", FORM, 80).unwrap()).unwrap();
        assert_eq!(body["messages"][0], json!({"role": "system", "content": "You watch videos."}));
        let parts = body["messages"][1]["content"].as_array().unwrap();
        let kinds: Vec<_> = parts.iter().map(|p| p["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["text", "image_url", "text", "image_url", "text"]);
        assert_eq!(parts[2]["text"], "[0.500 s]");
        assert!(parts[1]["image_url"]["url"].as_str().unwrap().starts_with("data:image/jpeg;base64,/9j/"));
        assert_eq!(body["temperature"], json!(0.2));
        assert_eq!((&body["max_tokens"], &body["seed"]), (&json!(64), &json!(0x7fff_ffff)));
        assert_eq!(body["stream_options"], json!({"include_usage": true}));
        assert_eq!(body["response_format"]["json_schema"]["name"], "window");
        assert_eq!(body["response_format"]["json_schema"]["strict"], false);
    }

    #[test]
    fn what_was_refused_is_left_out_and_said_in_words() {
        let form = Form {
            structured: Structured::Prompt,
            max_completion_tokens: true,
            temperature: false,
            top_p: false,
            seed: false,
            stream_options: false,
        };
        let body: Value = serde_json::from_str(&body(&ask(), "m", form, 80).unwrap()).unwrap();
        for absent in ["temperature", "top_p", "seed", "stream_options", "response_format", "max_tokens"] {
            assert!(body.get(absent).is_none(), "{absent}");
        }
        assert_eq!(body["max_completion_tokens"], 64);
        let messages = body["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 2, "one system turn");
        assert!(messages[0]["content"].as_str().unwrap().contains("JSON Schema"));
    }

    #[test]
    fn only_closed_schemas_are_strict() {
        assert!(is_strict(
            &json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
        ));
        assert!(!is_strict(
            &json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false})
        ));
        assert!(!is_strict(&json!({"type": "object"})));
        assert!(is_strict(&json!({"type": "array", "items": {"type": "number"}})));
    }
}
