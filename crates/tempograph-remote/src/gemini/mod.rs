//! Google's Gemini: videos go up whole once through its File API, frames inside the question.
//!
//! ```text
//! video ─► upload (resumable) ─► PROCESSING… ACTIVE ─► streamGenerateContent ─► deleted afterwards
//! ```

mod files;
mod reply;
mod request;
mod schema;
mod upload;

use std::{collections::HashSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use reqwest::Method;
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{Ask, CallError, ChunkStream, Finish, Limits, Part, Structured, VideoPart, VideoSource, Vlm},
};

use self::files::{Files, Lease};
use crate::{
    Net, Reply, Secret, Timeouts,
    net::{
        Call, answer,
        http::{Auth, Endpoint, EndpointOptions, Failed},
        refusal::Who,
    },
    prices, question,
};

/// The public service.
pub const BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// How long an upload is kept for the next question about the same video. The service itself keeps it for 48 hours.
const KEEP: Duration = Duration::from_secs(60);

/// The first pause between two questions whether a video is ready; each later one is longer.
const POLL: Duration = Duration::from_secs(1);

/// How to reach Gemini and which model.
#[derive(Clone, Debug)]
pub struct GeminiOptions {
    /// Address, up to and including the version.
    pub base_url: String,
    /// Its key.
    pub key: Option<Secret>,
    /// Whether the key may go to another machine without encryption.
    pub allow_plain_http: bool,
    /// What the model takes; `limits.model` is its name, with or without `models/`.
    pub limits: Limits,
    /// Tokens to think before writing, on top of those to write; none leaves it to the model.
    pub thinking_budget: Option<u32>,
    /// JPEG quality of the frames sent, 1 to 100.
    pub jpeg_quality: u8,
    /// How long an upload is kept after a good answer for the next question about the same video. It is deleted at
    /// once after a failure, when the answer is dropped, and when the back end is.
    pub keep_uploads: Duration,
    /// The first pause between two questions whether a video is ready.
    pub poll: Duration,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl GeminiOptions {
    /// What the price list knows of a model, at the public service.
    pub fn new(model: &str) -> Self {
        let facts = prices::facts("gemini", model).copied().unwrap_or_default();
        let limits = Limits {
            model: model.to_owned(),
            context_tokens: facts.context_tokens.unwrap_or(1 << 20),
            images: facts.images.unwrap_or(900),
            // Pictures are cut into tiles that cost the same, whatever they show: any size will do.
            image_factor: 1,
            video: true,
            structured: Structured::Schema,
            concurrency: 4,
            remote: true,
        };
        Self {
            base_url: BASE_URL.to_owned(),
            key: None,
            allow_plain_http: false,
            limits,
            thinking_budget: facts.thinking_budget,
            jpeg_quality: question::JPEG_QUALITY,
            keep_uploads: KEEP,
            poll: POLL,
            timeouts: Timeouts::default(),
        }
    }
}

/// A model of Gemini.
pub struct Gemini {
    net: Net,
    one: One,
}

/// What one call needs.
#[derive(Clone)]
struct One {
    endpoint: Endpoint,
    limits: Limits,
    /// `models/NAME`.
    model: String,
    style: request::Style,
    files: Arc<Files>,
    /// Schemas that were refused.
    refused: Arc<Mutex<HashSet<&'static str>>>,
}

impl Gemini {
    /// A model; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address that is none, a missing key, or a name that cannot be one of a model.
    pub fn new(options: GeminiOptions, net: &Net) -> Result<Self> {
        let name = options.limits.model.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
        if name.is_empty() || !name.chars().all(plain) || name.contains("..") {
            return Err(Error::new(ErrorKind::Config, format!("`gemini` cannot have a model of that name: {name}")));
        }
        let model = if name.contains('/') { name.to_owned() } else { format!("models/{name}") };
        let endpoint = Endpoint::new(
            net,
            EndpointOptions {
                who: Who::new("gemini", name),
                base_url: &options.base_url,
                key: options.key,
                auth: Auth::Header("x-goog-api-key"),
                allow_plain_http: options.allow_plain_http,
                timeouts: options.timeouts,
            },
        )?;
        endpoint.demand_key()?;
        let files = Arc::new(Files::new(endpoint.clone(), options.keep_uploads, options.poll));
        let style = request::Style { jpeg_quality: options.jpeg_quality, thinking_budget: options.thinking_budget };
        let one = One { endpoint, limits: options.limits, model, style, files, refused: Arc::default() };
        Ok(Self { net: net.clone(), one })
    }

    /// Whether the service answers, takes the key and has the model.
    pub fn probe(&self) -> Reply<()> {
        let (endpoint, model) = (self.one.endpoint.clone(), self.one.model.clone());
        self.net.run(async move {
            endpoint.send(endpoint.request(Method::GET, &format!("/{model}"))).await?;
            Ok(())
        })
    }
}

impl Vlm for Gemini {
    fn limits(&self) -> &Limits {
        &self.one.limits
    }

    fn identity(&self) -> String {
        let One { endpoint, model, style, .. } = &self.one;
        format!("gemini {model} {} {style}", endpoint.address())
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        let one = self.one.clone();
        answer(&self.net, self.one.endpoint.timeouts.total, move |call| one.run(ask, call))
    }
}

impl Drop for Gemini {
    fn drop(&mut self) {
        self.one.files.close();
    }
}

impl std::fmt::Debug for Gemini {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gemini").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

impl One {
    async fn run(self, ask: Ask, call: Call) -> Result<Finish, CallError> {
        question::check(&ask, &self.limits)?;
        let ask = Arc::new(ask);
        let mut uploaded_again = false;
        let mut leases = self.upload(&ask, &call).await?;
        loop {
            let schema = ask.schema.as_ref().filter(|s| !self.refused.lock().contains(s.name)).cloned();
            let constrained = schema.is_some();
            let uris = leases.iter().map(Lease::uri).collect::<Vec<_>>();
            let (asked, style) = (Arc::clone(&ask), self.style);
            let body = tokio::task::spawn_blocking(move || request::body(&asked, schema.as_ref(), &uris, style));
            let body = body.await.map_err(|_| Error::new(ErrorKind::Internal, "encoding a question panicked"))??;
            let path = format!("/{}:streamGenerateContent?alt=sse", self.model);
            let request = self.endpoint.request(Method::POST, &path).header("content-type", "application/json");
            let refusal = match self.endpoint.send(request.body(body)).await {
                Ok(response) => return reply::read(&self.endpoint, response, &call).await,
                Err(Failed::Refused(refusal)) => refusal,
                Err(failed) => return Err(failed.into()),
            };
            let file_is_gone = matches!(refusal.status, 403 | 404) && refusal.says(&["file"]);
            if file_is_gone && !leases.is_empty() && !uploaded_again {
                uploaded_again = true;
                leases.iter().for_each(|lease| self.files.forget(lease));
                leases = self.upload(&ask, &call).await?;
                continue;
            }
            if file_is_gone && !leases.is_empty() {
                return Err(CallError::passing(
                    Error::new(
                        ErrorKind::BackendUnavailable,
                        format!("`gemini` does not find the video it was sent: {}", refusal.words),
                    )
                    .with_hint("run it again later, or ask about frames instead"),
                ));
            }
            match &ask.schema {
                Some(schema)
                    if constrained && refusal.status == 400 && refusal.says(&["schema"]) && !refusal.is_too_long() =>
                {
                    tracing::debug!(words = %refusal.words, "asks again without the schema that was refused");
                    self.refused.lock().insert(schema.name);
                }
                _ => return Err(refusal.error()),
            }
        }
    }

    /// The videos of a question at the service, in order; those that are there already are used again.
    async fn upload(&self, ask: &Ask, call: &Call) -> Result<Vec<Lease>, CallError> {
        let mut leases = Vec::new();
        for part in ask.messages.iter().flat_map(|m| &m.parts) {
            if let Part::Video(VideoPart { source: VideoSource::File(path), mime, digest, .. }) = part {
                leases.push(self.files.lease(path, mime, digest, call).await?);
            }
        }
        Ok(leases)
    }
}
