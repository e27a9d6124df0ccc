//! Any server with OpenAI's `chat/completions`: OpenAI, Nebius, vLLM, Ollama, llama-server.
//!
//! What a server refuses is learned and left out of the next request ([`quirks`]): a schema becomes `json_object`,
//! then words in the prompt.

mod preset;
mod quirks;
mod reply;
mod request;

use std::sync::Arc;

use reqwest::Method;
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{Ask, CallError, ChunkStream, Finish, Limits, Structured, Vlm},
};

pub use self::preset::{PRESETS, Preset};
use self::quirks::Quirks;
use crate::{
    Net, Reply, Secret, Timeouts,
    net::{
        Call, answer,
        http::{Auth, Endpoint, EndpointOptions, Failed},
        refusal::Who,
    },
    prices, question,
};

/// How to reach a server and its model.
#[derive(Clone, Debug)]
pub struct OpenAiOptions {
    /// What kind of server it is.
    pub preset: &'static Preset,
    /// Its address, up to and including `/v1`.
    pub base_url: String,
    /// Its key, where it wants one.
    pub key: Option<Secret>,
    /// Whether the key may go to another machine without encryption.
    pub allow_plain_http: bool,
    /// What the model takes; `limits.model` is its name.
    pub limits: Limits,
    /// JPEG quality of the pictures sent, 1 to 100.
    pub jpeg_quality: u8,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl OpenAiOptions {
    /// What is known of a preset and, from the price list, of the model.
    pub fn new(preset: &'static Preset, model: &str) -> Self {
        let facts = prices::facts(preset.name, model);
        let limits = Limits {
            model: model.to_owned(),
            context_tokens: facts.and_then(|f| f.context_tokens).unwrap_or(preset.context_tokens),
            images: facts.and_then(|f| f.images).unwrap_or(preset.images),
            image_factor: 28,
            video: preset.video,
            structured: preset.structured,
            concurrency: preset.concurrency,
            remote: true,
        };
        Self {
            preset,
            base_url: preset.base_url.to_owned(),
            key: None,
            allow_plain_http: false,
            limits,
            jpeg_quality: question::JPEG_QUALITY,
            timeouts: Timeouts::default(),
        }
    }
}

/// A model behind OpenAI's interface.
pub struct OpenAi {
    net: Net,
    limits: Limits,
    jpeg_quality: u8,
    preset: &'static Preset,
    endpoint: Endpoint,
    quirks: Arc<Quirks>,
}

impl OpenAi {
    /// A model; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address that is none, a missing key, or one that would go in the clear.
    pub fn new(options: OpenAiOptions, net: &Net) -> Result<Self> {
        if options.limits.model.trim().is_empty() {
            return Err(Error::new(ErrorKind::Config, format!("`{}` needs the name of a model", options.preset.name)));
        }
        let endpoint = Endpoint::new(
            net,
            EndpointOptions {
                who: Who::new(options.preset.name, &options.limits.model),
                base_url: &options.base_url,
                key: options.key,
                auth: Auth::Bearer,
                allow_plain_http: options.allow_plain_http,
                timeouts: options.timeouts,
            },
        )?;
        if options.preset.needs_key {
            endpoint.demand_key()?;
        }
        Ok(Self {
            net: net.clone(),
            limits: options.limits,
            jpeg_quality: options.jpeg_quality,
            preset: options.preset,
            endpoint,
            quirks: Arc::new(Quirks::new(options.preset.max_completion_tokens)),
        })
    }

    /// Whether the server answers and takes the key, by asking for its list of models.
    pub fn probe(&self) -> Reply<()> {
        let endpoint = self.endpoint.clone();
        self.net.run(async move {
            endpoint.send(endpoint.request(Method::GET, "/models")).await?;
            Ok(())
        })
    }
}

impl Vlm for OpenAi {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn identity(&self) -> String {
        let address = self.endpoint.address();
        format!("{} {} {address} q{}", self.preset.name, self.limits.model, self.jpeg_quality)
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        let one = One {
            endpoint: self.endpoint.clone(),
            limits: self.limits.clone(),
            quirks: Arc::clone(&self.quirks),
            jpeg_quality: self.jpeg_quality,
        };
        answer(&self.net, self.endpoint.timeouts.total, move |call| one.run(ask, call))
    }
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenAi").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

/// What one call needs.
struct One {
    endpoint: Endpoint,
    limits: Limits,
    quirks: Arc<Quirks>,
    jpeg_quality: u8,
}

impl One {
    async fn run(self, ask: Ask, call: Call) -> Result<Finish, CallError> {
        question::check(&ask, &self.limits)?;
        let ask = Arc::new(ask);
        let best = self.limits.structured;
        loop {
            let form = self.quirks.form(ask.schema.as_ref().map(|s| s.name), best);
            let (asked, quality, model) = (Arc::clone(&ask), self.jpeg_quality, self.limits.model.clone());
            let body = tokio::task::spawn_blocking(move || request::body(&asked, &model, form, quality));
            let body = body.await.map_err(|_| Error::new(ErrorKind::Internal, "encoding a question panicked"))??;
            let request = self.endpoint.request(Method::POST, "/chat/completions");
            let request = request.header("accept", "text/event-stream").header("content-type", "application/json");
            match self.endpoint.send(request.body(body)).await {
                Ok(response) => return reply::read(&self.endpoint, response, &call).await,
                Err(Failed::Refused(refusal)) if self.quirks.learn(&form, ask.schema.as_ref(), &refusal) => {
                    tracing::debug!(backend = self.endpoint.who().backend, words = %refusal.words, "asks again without what was refused");
                }
                Err(failed) => return Err(failed.into()),
            }
        }
    }
}

/// The next weaker way to hold an answer to a schema.
fn weaker(structured: Structured) -> Option<Structured> {
    match structured {
        Structured::Schema => Some(Structured::Json),
        Structured::Json => Some(Structured::Prompt),
        Structured::Prompt => None,
    }
}
