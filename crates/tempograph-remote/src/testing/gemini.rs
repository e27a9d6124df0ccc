//! A server with Gemini's File API and `streamGenerateContent`.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tempograph_core::vlm::Finish;

use super::{
    Fault, KEY, Log, Mind, Parts, Script,
    http::{Connection, Request, Server},
};
use crate::{Secret, gemini::GeminiOptions};

/// How often a video is asked about before it is ready.
const POLLS: u32 = 2;

/// What happens while a file is sent or made ready, and so is not for the question.
const AT_UPLOAD: &[Fault] = &[Fault::SlowUpload, Fault::DroppedUpload, Fault::LatePiece, Fault::UnusableFile];

/// A server with Gemini's interface.
pub struct FakeGemini {
    server: Server,
    parts: Parts,
    files: Arc<Mutex<HashMap<String, Stored>>>,
}

/// A file, or one on its way.
#[derive(Clone, Debug, Default)]
struct Stored {
    bytes: Vec<u8>,
    /// A piece that is still on its way.
    late: Vec<u8>,
    size: usize,
    mime: String,
    complete: bool,
    polls: u32,
    unusable: bool,
}

struct Service {
    script: Arc<Script>,
    mind: Arc<Mind>,
    files: Arc<Mutex<HashMap<String, Stored>>>,
    count: AtomicU64,
}

impl FakeGemini {
    /// Starts it.
    pub fn start() -> Self {
        let parts = Parts::new();
        let files = Arc::default();
        let service = Service {
            script: Arc::clone(&parts.script),
            mind: Arc::clone(&parts.mind),
            files: Arc::clone(&files),
            count: AtomicU64::new(0),
        };
        let server = Server::start(move |request, connection| service.answer(request, connection));
        Self { server, parts, files }
    }

    /// How to reach it.
    pub fn options(&self) -> GeminiOptions {
        let mut options = GeminiOptions::new("gemini-2.5-flash");
        options.base_url = format!("{}/v1beta", self.server.url());
        options.key = Some(Secret::new(KEY));
        options.limits.context_tokens = super::mind::CONTEXT_TOKENS;
        options.limits.images = 4;
        options.poll = Duration::from_millis(5);
        options.keep_uploads = Duration::ZERO;
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

    /// What it was asked. Besides the requests: `uploaded NAME BYTES` and `deleted NAME`.
    pub fn log(&self) -> &Log {
        &self.server.log
    }

    /// Files that were uploaded, whole or in part, and not deleted.
    pub fn files(&self) -> usize {
        self.files.lock().len()
    }

    /// The bytes of the only file.
    pub fn bytes(&self) -> Vec<u8> {
        self.files.lock().values().next().map(|f| f.bytes.clone()).unwrap_or_default()
    }
}

fn refusal(code: u16, status: &str, message: &str) -> Value {
    json!({"error": {"code": code, "message": message, "status": status}})
}

impl Service {
    fn answer(&self, request: &Request, connection: &mut Connection<'_>) {
        let path = request.path.split('?').next().unwrap_or_default();
        // Uploads are addressed by a secret of their own; nothing else goes without the key, and they go without it.
        let with_key = request.header("x-goog-api-key") == Some(KEY);
        if let Some(name) = path.strip_prefix("/session/") {
            assert!(request.header("x-goog-api-key").is_none(), "an upload carries no key");
            return self.upload(name, request, connection);
        }
        if !with_key {
            return connection.json(
                400,
                &[],
                &refusal(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
            );
        }
        match (request.method.as_str(), path) {
            ("POST", "/upload/v1beta/files") => self.start_upload(request, connection),
            ("POST", _) if path.ends_with(":streamGenerateContent") => self.generate(request, connection),
            ("GET", _) if path.starts_with("/v1beta/files/") => self.state(&path[8..], connection),
            ("DELETE", _) if path.starts_with("/v1beta/files/") && self.script.take_undoing_fails() => {
                connection.json(500, &[], &refusal(500, "INTERNAL", "An internal error has occurred"));
            }
            ("DELETE", _) if path.starts_with("/v1beta/files/") => {
                let gone = self.files.lock().remove(&path[8..]).is_some();
                let status = if gone { 200 } else { 404 };
                connection.note(&format!("deleted {}", &path[8..]));
                connection.json(status, &[], &json!({}));
            }
            ("GET", _) if path.starts_with("/v1beta/models/") => connection.json(200, &[], &json!({"name": path})),
            _ => connection.json(404, &[], &refusal(404, "NOT_FOUND", "no such path")),
        }
    }

    fn start_upload(&self, request: &Request, connection: &mut Connection<'_>) {
        assert_eq!(request.header("x-goog-upload-command"), Some("start"));
        let name = format!("files/f{}", self.count.fetch_add(1, Ordering::SeqCst));
        let size = request.header("x-goog-upload-header-content-length").and_then(|s| s.parse().ok()).unwrap_or(0);
        let mime = request.header("x-goog-upload-header-content-type").unwrap_or_default().to_owned();
        let unusable = self.script.take_if(&[Fault::UnusableFile]).is_some();
        self.files.lock().insert(name.clone(), Stored { size, mime, polls: POLLS, unusable, ..Stored::default() });
        let host = request.header("host").unwrap_or_default();
        let url = format!("http://{host}/session/{name}");
        let headers = [
            ("x-goog-upload-url", url.as_str()),
            ("x-goog-upload-status", "active"),
            ("x-goog-upload-chunk-granularity", "262144"),
        ];
        connection.json(200, &headers, &json!({}));
    }

    fn upload(&self, name: &str, request: &Request, connection: &mut Connection<'_>) {
        let mut files = self.files.lock();
        let Some(file) = files.get_mut(name) else {
            return connection.json(404, &[], &refusal(404, "NOT_FOUND", "no such upload"));
        };
        let command = request.header("x-goog-upload-command").unwrap_or_default();
        match command {
            "query" => {
                let received = file.bytes.len().to_string();
                let late = std::mem::take(&mut file.late);
                let status = if file.complete { "final" } else { "active" };
                let headers = [("x-goog-upload-status", status), ("x-goog-upload-size-received", received.as_str())];
                let body = if file.complete { json!({"file": describe(name, file)}) } else { json!({}) };
                file.bytes.extend(late);
                return connection.json(200, &headers, &body);
            }
            "cancel" if self.script.take_undoing_fails() => {
                return connection.json(500, &[], &refusal(500, "INTERNAL", "An internal error has occurred"));
            }
            "cancel" => {
                files.remove(name);
                connection.note(&format!("deleted {name}"));
                return connection.json(200, &[("x-goog-upload-status", "cancelled")], &json!({}));
            }
            _ => {}
        }
        let offset = request.header("x-goog-upload-offset").and_then(|o| o.parse().ok());
        let fits = |file: &Stored| offset == Some(file.bytes.len()) && !file.complete;
        let misfit = refusal(400, "INVALID_ARGUMENT", "the offset is not where the upload is");
        if !fits(file) {
            return connection.json(400, &[], &misfit);
        }
        match self.script.take_if(&[Fault::DroppedUpload, Fault::SlowUpload, Fault::LatePiece]) {
            Some(Fault::LatePiece) => {
                file.late.clone_from(&request.body);
                drop(files);
                return connection.hang();
            }
            Some(Fault::DroppedUpload) => {
                file.bytes.extend_from_slice(&request.body[..request.body.len() / 2]);
                connection.note("dropped an upload");
                return connection.break_off();
            }
            Some(_) => {
                drop(files);
                std::thread::sleep(Duration::from_millis(300));
                files = self.files.lock();
            }
            None => {}
        }
        let Some(file) = files.get_mut(name) else { return connection.break_off() };
        if !fits(file) {
            return connection.json(400, &[], &misfit);
        }
        file.bytes.extend_from_slice(&request.body);
        if !command.contains("finalize") {
            return connection.json(200, &[("x-goog-upload-status", "active")], &json!({}));
        }
        if file.bytes.len() != file.size {
            return connection.json(400, &[], &refusal(400, "INVALID_ARGUMENT", "the upload is not whole"));
        }
        file.complete = true;
        connection.note(&format!("uploaded {name} {}", file.size));
        let body = json!({"file": describe(name, file)});
        connection.json(200, &[("x-goog-upload-status", "final")], &body);
    }

    fn state(&self, name: &str, connection: &mut Connection<'_>) {
        let mut files = self.files.lock();
        match files.get_mut(name) {
            Some(file) => {
                file.polls = file.polls.saturating_sub(1);
                connection.json(200, &[], &describe(name, file));
            }
            None => connection.json(404, &[], &refusal(404, "NOT_FOUND", "no such file")),
        }
    }

    fn generate(&self, request: &Request, connection: &mut Connection<'_>) {
        let body = request.json();
        let uris: Vec<_> = body["contents"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|c| c["parts"].as_array().into_iter().flatten())
            .filter_map(|p| p["fileData"]["fileUri"].as_str())
            .filter_map(|u| u.split_once("/v1beta/").map(|(_, name)| name.to_owned()))
            .collect();
        let fault = self.script.take_unless(AT_UPLOAD);
        let gone = "You do not have permission to access the File or it may not exist.";
        match fault {
            Some(Fault::WrongKey) => {
                return connection.json(
                    403,
                    &[],
                    &refusal(403, "PERMISSION_DENIED", "The caller does not have permission"),
                );
            }
            Some(Fault::NoModel) => {
                return connection.json(
                    404,
                    &[],
                    &refusal(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
                );
            }
            Some(Fault::TooLong) => {
                let message = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).";
                return connection.json(400, &[], &refusal(400, "INVALID_ARGUMENT", message));
            }
            Some(Fault::RateLimited(seconds)) => {
                let mut error = refusal(
                    429,
                    "RESOURCE_EXHAUSTED",
                    "You exceeded your current quota, please check your plan and billing details.",
                );
                if let Some(seconds) = seconds {
                    error["error"]["details"] = json!([
                        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
                        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s")},
                    ]);
                }
                return connection.json(429, &[], &error);
            }
            Some(Fault::QuotaUsedUp) => {
                let mut error = refusal(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.");
                error["error"]["details"] = json!([
                    {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]},
                ]);
                return connection.json(429, &[], &error);
            }
            Some(Fault::ServerError) => {
                return connection.json(500, &[], &refusal(500, "INTERNAL", "An internal error has occurred."));
            }
            Some(Fault::SchemaRefused) if body["generationConfig"].get("responseSchema").is_some() => {
                let message = "The specified schema produces a constraint that has too many states for serving.";
                return connection.json(400, &[], &refusal(400, "INVALID_ARGUMENT", message));
            }
            Some(Fault::ExpiredFile) if !uris.is_empty() => {
                uris.iter().for_each(|name| drop(self.files.lock().remove(name)));
                return connection.json(403, &[], &refusal(403, "PERMISSION_DENIED", gone));
            }
            Some(Fault::Hang) => return connection.hang(),
            _ => {}
        }
        if uris.iter().any(|name| self.files.lock().get(name).is_none_or(|f| f.polls > 0 || f.unusable)) {
            return connection.json(
                400,
                &[],
                &refusal(400, "FAILED_PRECONDITION", "The File is not in an ACTIVE state."),
            );
        }
        let max_tokens = body["generationConfig"]["maxOutputTokens"].as_u64().unwrap_or(u64::MAX);
        let schema = body["generationConfig"].get("responseSchema");
        let Some(thought) = self.mind.think(&body["contents"], max_tokens, schema) else {
            let message = "The input token count exceeds the maximum number of tokens allowed (4096).";
            return connection.json(400, &[], &refusal(400, "INVALID_ARGUMENT", message));
        };
        connection.begin_events();
        if fault == Some(Fault::Filtered) {
            let feedback = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": thought.tokens_in}});
            connection.event(&feedback.to_string());
            return connection.end_events();
        }
        let half = thought.pieces.len() / 2;
        let last = thought.pieces.len() - 1;
        for (i, text) in thought.pieces.iter().enumerate() {
            if i == half {
                match fault {
                    Some(Fault::Truncated) => return connection.break_off(),
                    Some(Fault::Malformed) => {
                        connection.event("{\"candidates\": [{\"content\": ");
                        return connection.end_events();
                    }
                    Some(Fault::ErrorInStream) => {
                        connection.event(&refusal(503, "UNAVAILABLE", "The model is overloaded.").to_string());
                        return connection.end_events();
                    }
                    _ => {}
                }
            }
            let mut piece = json!({
                "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
                "usageMetadata": {"promptTokenCount": thought.tokens_in, "candidatesTokenCount": i + 1},
                "modelVersion": "gemini-2.5-flash",
            });
            if i == last {
                let reason = if thought.finish == Finish::Length { "MAX_TOKENS" } else { "STOP" };
                piece["candidates"][0]["finishReason"] = reason.into();
            }
            if !connection.event(&piece.to_string()) {
                return;
            }
            self.script.pause();
        }
        connection.end_events();
    }
}

fn describe(name: &str, file: &Stored) -> Value {
    let state = match (file.polls, file.unusable) {
        (0, true) => "FAILED",
        (0, false) => "ACTIVE",
        _ => "PROCESSING",
    };
    let mut file = json!({
        "name": name, "mimeType": file.mime, "sizeBytes": file.size.to_string(), "state": state,
        "uri": format!("https://generativelanguage.googleapis.com/v1beta/{name}"),
    });
    if state == "FAILED" {
        file["error"] = json!({"code": 3, "message": "The video could not be decoded."});
    }
    file
}
