//! The reply to a question: a stream of events, each a whole response with the next piece of text.

use reqwest::Response;
use serde_json::Value;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Finish, Usage},
};

use crate::net::{
    Call,
    http::Endpoint,
    refusal::{Refusal, clean},
};

/// Ends that a filter of the service made.
const FILTERED: &[&str] =
    &["SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"];

/// Tells `call` what a good reply says.
///
/// # Errors
/// An error inside the stream, a piece that is no JSON, an end without a reason or one that is no answer.
pub(super) async fn read(endpoint: &Endpoint, response: Response, call: &Call) -> Result<Finish, CallError> {
    let mut events = endpoint.events(response);
    let mut finish = None;
    loop {
        let event = match events.next().await {
            Ok(event) => event,
            // The text was complete already.
            Err(error) => return finish.ok_or(error),
        };
        let Some(event) = event else { return finish.ok_or_else(|| endpoint.truncated()) };
        if event.trim().is_empty() {
            continue;
        }
        let Ok(json) = serde_json::from_str::<Value>(&event) else {
            return Err(endpoint.invalid("sent a piece that is not JSON"));
        };
        if let Some(error) = json.get("error").filter(|e| !e.is_null()) {
            return Err(Refusal::in_stream(endpoint.who().clone(), error).error());
        }
        let candidate = &json["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            if part["thought"] != true {
                call.text(part["text"].as_str().unwrap_or_default().to_owned()).await?;
            }
        }
        if let Some(usage) = usage(&json["usageMetadata"]) {
            call.usage(usage).await?;
        }
        if json["promptFeedback"]["blockReason"].is_string() {
            finish = Some(Finish::Filtered);
        }
        match candidate["finishReason"].as_str() {
            None | Some("FINISH_REASON_UNSPECIFIED") => {}
            Some("STOP") => finish = Some(Finish::Stop),
            Some("MAX_TOKENS") => finish = Some(Finish::Length),
            Some(reason) if FILTERED.contains(&reason) => finish = Some(Finish::Filtered),
            Some(reason) => {
                let message = format!("`gemini` stopped without an answer: {}", clean(reason));
                return Err(CallError::passing(Error::new(ErrorKind::AnswerInvalid, message)));
            }
        }
    }
}

fn usage(json: &Value) -> Option<Usage> {
    let count = |name: &str| json[name].as_u64().unwrap_or(0);
    Some(Usage {
        tokens_in: json["promptTokenCount"].as_u64()?,
        tokens_cached: count("cachedContentTokenCount"),
        tokens_out: count("candidatesTokenCount") + count("thoughtsTokenCount"),
    })
}
