//! The reply to a question: a stream of pieces, or the whole of it at once from servers that do not stream.

use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;
use tempograph_core::vlm::{CallError, Finish, Usage};

use crate::net::{Call, http::Endpoint, refusal::Refusal};

/// Tells `call` what a good reply says.
///
/// # Errors
/// An error inside the stream, a piece that is no JSON, a stream that ends without an end.
pub(super) async fn read(endpoint: &Endpoint, response: Response, call: &Call) -> Result<Finish, CallError> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        let whole = endpoint.json(response).await?;
        return match piece(endpoint, &whole, &mut false, call).await? {
            Some(finish) => Ok(finish),
            None => Err(endpoint.truncated()),
        };
    }
    let mut events = endpoint.events(response);
    let (mut finish, mut refused) = (None, false);
    loop {
        let event = match events.next().await {
            Ok(event) => event,
            // The text was complete already: only the farewell is missing.
            Err(error) => return finish.ok_or(error),
        };
        match event.as_deref().map(str::trim) {
            Some("") => {}
            Some("[DONE]") => return Ok(finish.unwrap_or(Finish::Stop)),
            Some(data) => match serde_json::from_str(data) {
                Ok(json) => finish = piece(endpoint, &json, &mut refused, call).await?.or(finish),
                Err(_) => return Err(endpoint.invalid("sent a piece that is not JSON")),
            },
            None => return finish.ok_or_else(|| endpoint.truncated()),
        }
    }
}

/// One piece; says how the answer ended if this piece does. `refused` remembers that the model declined to answer.
async fn piece(
    endpoint: &Endpoint,
    json: &Value,
    refused: &mut bool,
    call: &Call,
) -> Result<Option<Finish>, CallError> {
    if let Some(error) = json.get("error").filter(|e| !e.is_null()) {
        return Err(Refusal::in_stream(endpoint.who().clone(), error).error());
    }
    let choice = &json["choices"][0];
    let said = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
    call.text(text(&said["content"])).await?;
    let refusal = text(&said["refusal"]);
    *refused |= !refusal.is_empty();
    call.text(refusal).await?;
    if let Some(usage) = usage(&json["usage"]) {
        call.usage(usage).await?;
    }
    Ok(match choice["finish_reason"].as_str() {
        Some("length" | "max_tokens") => Some(Finish::Length),
        Some("content_filter") => Some(Finish::Filtered),
        Some(_) if *refused => Some(Finish::Filtered),
        Some(_) => Some(Finish::Stop),
        None => None,
    })
}

/// Text as a string, or as parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|p| p["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn usage(json: &Value) -> Option<Usage> {
    Some(Usage {
        tokens_in: json["prompt_tokens"].as_u64()?,
        tokens_cached: json["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0),
        tokens_out: json["completion_tokens"].as_u64().unwrap_or(0),
    })
}
