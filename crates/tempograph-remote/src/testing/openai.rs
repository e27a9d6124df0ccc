//! A server with `chat/completions`.

use std::sync::Arc;

use serde_json::{Value, json};
use tempograph_core::vlm::Finish;

use super::{
    Fault, KEY, Log, Mind, Parts, Script,
    http::{Connection, Request, Server},
};
use crate::{
    Secret,
    openai::{OpenAiOptions, Preset},
};

/// A server with OpenAI's interface.
pub struct FakeOpenAi {
    server: Server,
    parts: Parts,
}

impl FakeOpenAi {
    /// Starts it.
    pub fn start() -> Self {
        let parts = Parts::new();
        let (script, mind) = (Arc::clone(&parts.script), Arc::clone(&parts.mind));
        let server = Server::start(move |request, connection| answer(&script, &mind, request, connection));
        Self { server, parts }
    }

    /// How to reach it.
    pub fn options(&self) -> OpenAiOptions {
        let preset = Preset::named("openai").expect("there is such a preset");
        let mut options = OpenAiOptions::new(preset, "gpt-4o-mini");
        options.base_url = format!("{}/v1", self.server.url());
        options.key = Some(Secret::new(KEY));
        options.limits.context_tokens = super::mind::CONTEXT_TOKENS;
        options.limits.images = 4;
        options
    }

    /// What goes wrong.
    pub fn script(&self) -> &Script {
        &self.parts.script
    }

    /// What it answers.
    pub fn mind(&self) -> &Mind {
        &self.parts.mind
    }

    /// What it was asked.
    pub fn log(&self) -> &Log {
        &self.server.log
    }
}

fn answer(script: &Script, mind: &Mind, request: &Request, connection: &mut Connection<'_>) {
    let error = |code: &str, message: &str| json!({"error": {"message": message, "type": "error", "code": code}});
    if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
        return connection.json(401, &[], &error("invalid_api_key", "Incorrect API key provided"));
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/v1/models") => return connection.json(200, &[], &json!({"data": [{"id": "gpt-4o-mini"}]})),
        ("POST", "/v1/chat/completions") => {}
        _ => return connection.json(404, &[], &error("not_found", "no such path")),
    }
    let body = request.json();
    let fault = script.take();
    match fault {
        Some(Fault::WrongKey) => {
            return connection.json(401, &[], &error("invalid_api_key", &format!("Incorrect API key provided: {KEY}")));
        }
        Some(Fault::NoModel) => {
            return connection.json(404, &[], &error("model_not_found", "The model does not exist"));
        }
        Some(Fault::TooLong) => {
            let message = "This model's maximum context length is 128000 tokens. However, your messages are longer.";
            return connection.json(400, &[], &error("context_length_exceeded", message));
        }
        Some(Fault::RateLimited(seconds)) => {
            let pause = seconds.unwrap_or(0).to_string();
            let header = [("retry-after", pause.as_str())];
            let headers = if seconds.is_some() { &header[..] } else { &[] };
            return connection.json(429, headers, &error("rate_limit_exceeded", "Rate limit reached for requests"));
        }
        Some(Fault::QuotaUsedUp) => {
            return connection.json(429, &[], &error("insufficient_quota", "You exceeded your current quota"));
        }
        Some(Fault::ServerError) => {
            return connection.json(500, &[], &error("server_error", "The server had an error"));
        }
        Some(Fault::SchemaRefused) if body["response_format"]["type"] == "json_schema" => {
            return connection.json(
                400,
                &[],
                &error("invalid_request", "response_format json_schema is not supported"),
            );
        }
        Some(Fault::Hang) => return connection.hang(),
        _ => {}
    }
    let max_tokens = body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64()).unwrap_or(16);
    let schema = body["response_format"]["json_schema"].get("schema");
    let Some(thought) = mind.think(&body["messages"], max_tokens, schema) else {
        let message = "This model's maximum context length is 4096 tokens.";
        return connection.json(400, &[], &error("context_length_exceeded", message));
    };
    let piece = |delta: Value, finish: Value| {
        json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null,
        })
        .to_string()
    };
    connection.begin_events();
    connection.event(&piece(json!({"role": "assistant", "content": ""}), Value::Null));
    let half = thought.pieces.len() / 2;
    for (i, text) in thought.pieces.iter().enumerate() {
        if i == half {
            match fault {
                Some(Fault::Truncated) => return connection.break_off(),
                Some(Fault::Malformed) => {
                    connection.event("{\"choices\": [{\"delta\": {\"conte");
                    return connection.end_events();
                }
                Some(Fault::ErrorInStream) => {
                    connection.event(&error("overloaded", "The engine is overloaded").to_string());
                    return connection.end_events();
                }
                _ => {}
            }
        }
        if !connection.event(&piece(json!({"content": text}), Value::Null)) {
            return;
        }
        script.pause();
    }
    let finish = match (fault, thought.finish) {
        (Some(Fault::Filtered), _) | (_, Finish::Filtered) => "content_filter",
        (_, Finish::Length) => "length",
        (_, Finish::Stop) => "stop",
    };
    connection.event(&piece(json!({}), finish.into()));
    if body["stream_options"]["include_usage"] == true {
        let usage = json!({
            "prompt_tokens": thought.tokens_in, "completion_tokens": thought.tokens_out,
            "total_tokens": thought.tokens_in + thought.tokens_out, "prompt_tokens_details": {"cached_tokens": 0},
        });
        connection.event(&json!({"choices": [], "usage": usage}).to_string());
    }
    connection.event("[DONE]");
    connection.end_events();
}
