//! A reply that says no, and what it means for whoever asked.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Retry},
};

use crate::Secret;

/// Longest pause that is believed.
const MAX_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Characters of a server's own words that are passed on.
const MAX_WORDS: usize = 300;

/// Signs, in a server's words, that question and answer are too long together.
const TOO_LONG: &[&str] = &[
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context size",
    "context window",
    "maximum number of tokens",
    "too many tokens",
    "prompt is too long",
    "request payload size exceeds",
];

/// Signs that no pause helps, because credit or the quota of a day is used up.
const USED_UP: &[&str] = &["insufficient_quota", "credit balance", "perday", "per day"];

/// Who refused.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) backend: &'static str,
    pub(crate) model: String,
}

impl Who {
    pub(crate) fn new(backend: &'static str, model: &str) -> Self {
        Self { backend, model: model.to_owned() }
    }
}

/// A reply that says no.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    who: Who,
    has_key: bool,
    pub(crate) status: u16,
    retry_after: Option<Duration>,
    /// The server's words, cleaned for display.
    pub(crate) words: String,
    /// Everything that was said, in lower case, to look for signs in.
    signs: String,
}

impl Refusal {
    pub(crate) fn new(who: Who, key: Option<&Secret>, status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = key.map_or_else(|| text.to_string(), |k| k.redact(&text));
        let json = serde_json::from_str::<Value>(&text).ok();
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| pause(v, SystemTime::now()))
            .or_else(|| json.as_ref().and_then(retry_info));
        let words = clean(&json.as_ref().and_then(words).unwrap_or_else(|| text.clone()));
        Self { who, has_key: key.is_some(), status, retry_after, words, signs: text.to_lowercase() }
    }

    /// An error object inside a stream that began well. `code` is its status where it has one.
    pub(crate) fn in_stream(who: Who, error: &Value) -> Self {
        let code = error["code"].as_u64().or_else(|| error["code"].as_str().and_then(|c| c.parse().ok()));
        let status = code.and_then(|c| u16::try_from(c).ok()).filter(|c| (400..600).contains(c)).unwrap_or(500);
        let text = error.to_string();
        let words = clean(&words(error).unwrap_or_else(|| text.clone()));
        let retry_after = retry_info(error);
        Self { who, has_key: true, status, retry_after, words, signs: text.to_lowercase() }
    }

    /// Whether the server said any of `signs` (lower case).
    pub(crate) fn says(&self, signs: &[&str]) -> bool {
        signs.iter().any(|s| self.signs.contains(s))
    }

    /// Whether it is about the length of the question.
    pub(crate) fn is_too_long(&self) -> bool {
        self.says(TOO_LONG)
    }

    /// What it means for whoever asked.
    pub(crate) fn error(&self) -> CallError {
        let Who { backend, model } = &self.who;
        let error = |kind, what: &str| {
            let end = if self.words.is_empty() { String::new() } else { format!(": {}", self.words) };
            Error::new(kind, format!("`{backend}` {what} (HTTP {}){end}", self.status))
        };
        let pause = self.retry_after.map_or(Retry::Backoff, Retry::After);
        match self.status {
            400 | 413 | 422 | 500 if self.is_too_long() => CallError::fatal(
                error(ErrorKind::OverBudget, "cannot take a question this long")
                    .with_hint("send fewer frames or shorter windows, or use a model with a longer context"),
            ),
            413 => CallError::fatal(
                error(ErrorKind::OverBudget, "cannot take a question this large")
                    .with_hint("send fewer or smaller frames, or a lower JPEG quality"),
            ),
            400 | 401 | 403 if self.status != 400 || self.says(&["api key not valid", "api_key_invalid"]) => {
                let hint = if self.has_key {
                    "check the key of this back end and what it may use"
                } else {
                    "this back end wants a key: set it in the configuration or the environment"
                };
                CallError::fatal(error(ErrorKind::BackendRefused, "refused the key").with_hint(hint))
            }
            402 => CallError::fatal(
                error(ErrorKind::BackendRefused, "wants to be paid first").with_hint("add credit to the account"),
            ),
            404 => CallError::fatal(
                error(ErrorKind::BackendRefused, &format!("does not have the model `{model}` at this address"))
                    .with_hint("check the name of the model and the address"),
            ),
            408 | 504 => CallError { error: error(ErrorKind::TimedOut, "took too long"), retry: pause },
            429 if self.says(USED_UP) => CallError::fatal(
                error(ErrorKind::RateLimited, "says that the quota is used up")
                    .with_hint("wait for the quota to be renewed, raise it, or use another back end"),
            ),
            429 => CallError { error: error(ErrorKind::RateLimited, "wants fewer calls"), retry: pause },
            409 | 425 | 500.. => {
                CallError { error: error(ErrorKind::BackendUnavailable, "is in trouble"), retry: pause }
            }
            300..400 => CallError::fatal(
                error(ErrorKind::BackendRefused, "sends elsewhere, which is not followed")
                    .with_hint("set the address that it sends to"),
            ),
            _ => CallError::fatal(error(ErrorKind::BackendRefused, "refused the request")),
        }
    }
}

/// The words meant for people, in any of the forms that servers use.
fn words(json: &Value) -> Option<String> {
    let json = json.get(0).unwrap_or(json);
    let text = |v: &Value| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    text(&json["error"]["message"])
        .or_else(|| text(&json["error"]))
        .or_else(|| text(&json["message"]))
        .or_else(|| text(&json["detail"]))
        .or_else(|| json.get("detail").map(Value::to_string))
}

/// Google's own way to say `retry-after`: a detail `RetryInfo` with `retryDelay: "37s"`.
fn retry_info(json: &Value) -> Option<Duration> {
    let error = json.get(0).unwrap_or(json);
    let details = error.get("error").unwrap_or(error).get("details")?.as_array()?;
    let delay = details.iter().find_map(|d| d["retryDelay"].as_str())?;
    pause(delay.strip_suffix('s')?, SystemTime::now())
}

/// A pause in seconds or until a date (RFC 9110 §10.2.3).
fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let pause = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(MAX_PAUSE))
}

/// One line without control characters, cut where it grows long.
pub(crate) fn clean(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty());
    let line = words.take(MAX_WORDS).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(MAX_WORDS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> CallError {
        Refusal::new(Who::new("openai", "m"), Some(&Secret::new("sk-1")), status, &HeaderMap::new(), body.as_bytes())
            .error()
    }

    #[test]
    fn statuses_have_their_meaning() {
        let kinds = [
            (401, ErrorKind::BackendRefused, Retry::Never),
            (403, ErrorKind::BackendRefused, Retry::Never),
            (404, ErrorKind::BackendRefused, Retry::Never),
            (400, ErrorKind::BackendRefused, Retry::Never),
            (413, ErrorKind::OverBudget, Retry::Never),
            (429, ErrorKind::RateLimited, Retry::Backoff),
            (500, ErrorKind::BackendUnavailable, Retry::Backoff),
            (503, ErrorKind::BackendUnavailable, Retry::Backoff),
            (504, ErrorKind::TimedOut, Retry::Backoff),
            (302, ErrorKind::BackendRefused, Retry::Never),
        ];
        for (status, kind, retry) in kinds {
            let call = refusal(status, "");
            assert_eq!((call.error.kind(), call.retry), (kind, retry), "{status}");
        }
    }

    #[test]
    fn words_say_more_than_the_status() {
        let long = refusal(400, r#"{"error":{"message":"This model's maximum context length is 4096 tokens."}}"#);
        assert_eq!(long.error.kind(), ErrorKind::OverBudget);
        let empty = refusal(429, r#"{"error":{"message":"You exceeded your quota","code":"insufficient_quota"}}"#);
        assert_eq!((empty.error.kind(), empty.retry), (ErrorKind::RateLimited, Retry::Never));
        let pause = r#"{"error":{"code":429,"message":"x","details":[{"@type":"a"},{"@type":"…RetryInfo","retryDelay":"37s"}]}}"#;
        assert_eq!(refusal(429, pause).retry, Retry::After(Duration::from_secs(37)));
        assert_eq!(refusal(429, &format!("[{pause}]")).retry, Retry::After(Duration::from_secs(37)));
        let key = refusal(400, r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}"#);
        assert!(key.error.to_string().contains("refused the key"), "{key}");
    }

    #[test]
    fn a_quoted_key_does_not_reach_the_user() {
        let call = refusal(401, r#"{"error":{"message":"Incorrect API key provided: sk-1"}}"#);
        assert!(!call.error.to_string().contains("sk-1"), "{call}");
    }

    #[test]
    fn pauses_are_seconds_or_dates_and_bounded() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(pause("7", now), Some(Duration::from_secs(7)));
        assert_eq!(pause(" 0.5 ", now), Some(Duration::from_millis(500)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:50:07 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:07 GMT", now), Some(Duration::ZERO), "past dates mean now");
        assert_eq!(pause("1e300", now), None);
        assert_eq!(pause("99999999999", now), Some(MAX_PAUSE));
        for wrong in ["", "-1", "soon", "NaN", "inf"] {
            assert_eq!(pause(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_of_html_becomes_a_line() {
        let call = refusal(502, &"<html>\r\n<b>Bad\u{1b}[31m gateway</b> ".repeat(1000));
        let text = call.error.to_string();
        assert!(text.chars().count() < 400 && !text.contains(['\n', '\u{1b}']), "{text}");
    }
}
