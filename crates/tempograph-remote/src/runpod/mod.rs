//! RunPod serverless: a question is a job at one of several endpoints, whose workers run the handlers of
//! `deploy/runpod`.
//!
//! ```text
//! POST run ─► IN_QUEUE (a worker starts) ─► IN_PROGRESS ─► stream: pieces… ─► COMPLETED
//!    dropped, failed or too long ─► POST cancel            else the next endpoint
//! ```

mod job;
mod payload;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{Ask, CallError, ChunkStream, Finish, Limits, Retry, Structured, Vlm},
};

use self::job::{Job, Patience};
use crate::{
    Net, Reply, Secret, Timeouts,
    net::{
        Call, answer,
        http::{Auth, Endpoint, EndpointOptions},
        refusal::Who,
    },
    question,
};

/// The public service.
pub const BASE_URL: &str = "https://api.runpod.ai/v2";

/// How long a job may wait for a worker. One that must load a model from the network takes minutes.
const QUEUE_PATIENCE: Duration = Duration::from_secs(300);

/// The first pause between two questions for what is new; later ones are longer while nothing is.
const POLL: Duration = Duration::from_millis(200);

/// An endpoint with its share of the jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunpodEndpoint {
    /// Its id, as in its address.
    pub id: String,
    /// Its share: one of weight 2 gets twice the jobs of one of weight 1. 0 is asked only when the others fail.
    pub weight: u32,
}

/// How to reach the endpoints and what runs there.
#[derive(Clone, Debug)]
pub struct RunpodOptions {
    /// Address of the service.
    pub base_url: String,
    /// Its key.
    pub key: Option<Secret>,
    /// Whether the key may go to another machine without encryption.
    pub allow_plain_http: bool,
    /// Where the model runs; at least one.
    pub endpoints: Vec<RunpodEndpoint>,
    /// What the model takes; `limits.model` is its name.
    pub limits: Limits,
    /// JPEG quality of the pictures sent, 1 to 100.
    pub jpeg_quality: u8,
    /// Whether to wait for short jobs in one request (`runsync`) instead of streaming. One that is dropped meanwhile
    /// can be cancelled only when the service names it within the time that clean-ups have.
    pub wait: bool,
    /// How long a job may wait for a worker before the next endpoint is tried.
    pub queue_patience: Duration,
    /// The first pause between two questions for what is new.
    pub poll: Duration,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl RunpodOptions {
    /// A model at endpoints of equal weight of the public service.
    pub fn new<T: Into<String>>(model: &str, endpoints: impl IntoIterator<Item = T>) -> Self {
        let limits = Limits {
            model: model.to_owned(),
            context_tokens: 32_768,
            images: 32,
            image_factor: 28,
            video: false,
            structured: Structured::Prompt,
            concurrency: 4,
            remote: true,
        };
        Self {
            base_url: BASE_URL.to_owned(),
            key: None,
            allow_plain_http: false,
            endpoints: endpoints.into_iter().map(|id| RunpodEndpoint { id: id.into(), weight: 1 }).collect(),
            limits,
            jpeg_quality: question::JPEG_QUALITY,
            wait: false,
            queue_patience: QUEUE_PATIENCE,
            poll: POLL,
            timeouts: Timeouts::default(),
        }
    }
}

/// Workers and jobs of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Id of the endpoint.
    pub endpoint: String,
    /// Workers that can take a job at once.
    pub ready: u64,
    /// Workers at work.
    pub running: u64,
    /// Workers that are being started.
    pub starting: u64,
    /// Jobs that wait.
    pub queued: u64,
}

/// A model behind RunPod endpoints.
pub struct Runpod {
    net: Net,
    one: One,
}

/// What one call needs.
#[derive(Clone)]
struct One {
    limits: Limits,
    jpeg_quality: u8,
    patience: Patience,
    wait: bool,
    endpoints: Arc<[(RunpodEndpoint, Endpoint)]>,
    turn: Arc<AtomicU64>,
}

impl Runpod {
    /// A model; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an address or an id that is none, no endpoint, or a missing key.
    pub fn new(options: RunpodOptions, net: &Net) -> Result<Self> {
        if options.endpoints.is_empty() {
            return Err(Error::new(ErrorKind::Config, "`runpod` needs an endpoint")
                .with_hint("deploy one of the handlers and set its id"));
        }
        let base_url = options.base_url.trim().trim_end_matches('/');
        let mut endpoints = Vec::new();
        for one in options.endpoints {
            if one.id.is_empty() || !one.id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                let message = format!("`runpod` cannot have an endpoint of that id: {}", one.id);
                return Err(Error::new(ErrorKind::Config, message));
            }
            let endpoint = Endpoint::new(
                net,
                EndpointOptions {
                    who: Who::new("runpod", &options.limits.model),
                    base_url: &format!("{base_url}/{}", one.id),
                    key: options.key.clone(),
                    auth: Auth::Bearer,
                    allow_plain_http: options.allow_plain_http,
                    timeouts: options.timeouts,
                },
            )?;
            endpoint.demand_key()?;
            endpoints.push((one, endpoint));
        }
        let one = One {
            limits: options.limits,
            jpeg_quality: options.jpeg_quality,
            patience: Patience { queue: options.queue_patience, poll: options.poll },
            wait: options.wait,
            endpoints: endpoints.into(),
            turn: Arc::default(),
        };
        Ok(Self { net: net.clone(), one })
    }

    /// Workers and jobs of every endpoint that answers.
    pub fn health(&self) -> Reply<Vec<Health>> {
        let endpoints = Arc::clone(&self.one.endpoints);
        self.net.run(async move {
            let (mut all, mut failure) = (Vec::new(), None);
            for (name, endpoint) in endpoints.iter() {
                match health(&name.id, endpoint).await {
                    Ok(health) => all.push(health),
                    Err(error) => failure = Some(error),
                }
            }
            failure.filter(|_| all.is_empty()).map_or(Ok(all), Err)
        })
    }

    /// Whether any endpoint answers and takes the key.
    pub fn probe(&self) -> Reply<()> {
        let health = self.health();
        Box::pin(async move { health.await.map(drop) })
    }

    /// Starts a worker where none is ready, by a job that does nothing.
    pub fn warm_up(&self) -> Reply<()> {
        let endpoints = Arc::clone(&self.one.endpoints);
        self.net.run(async move {
            for (name, endpoint) in endpoints.iter().filter(|(e, _)| e.weight > 0) {
                let health = health(&name.id, endpoint).await?;
                if health.ready + health.running + health.starting == 0 {
                    let body = json!({"input": {"version": payload::VERSION, "task": "warm_up"}});
                    endpoint.send(endpoint.request(Method::POST, "/run").json(&body)).await?;
                }
            }
            Ok(())
        })
    }
}

async fn health(id: &str, endpoint: &Endpoint) -> Result<Health, CallError> {
    let json = endpoint.json(endpoint.send(endpoint.request(Method::GET, "/health")).await?).await?;
    let workers = |name: &str| json["workers"][name].as_u64().unwrap_or(0);
    Ok(Health {
        endpoint: id.to_owned(),
        ready: workers("idle").max(workers("ready")),
        running: workers("running"),
        starting: workers("initializing"),
        queued: json["jobs"]["inQueue"].as_u64().unwrap_or(0),
    })
}

impl Vlm for Runpod {
    fn limits(&self) -> &Limits {
        &self.one.limits
    }

    fn identity(&self) -> String {
        let mut ids: Vec<_> = self.one.endpoints.iter().map(|(e, _)| e.id.as_str()).collect();
        ids.sort_unstable();
        format!("runpod {} {} q{}", self.one.limits.model, ids.join(","), self.one.jpeg_quality)
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        let one = self.one.clone();
        answer(&self.net, self.one.endpoints[0].1.timeouts.total, move |call| one.run(ask, call))
    }
}

impl std::fmt::Debug for Runpod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runpod").field("identity", &self.identity()).finish_non_exhaustive()
    }
}

impl One {
    async fn run(self, ask: Ask, call: Call) -> Result<Finish, CallError> {
        question::check(&ask, &self.limits)?;
        let (model, quality, wait) = (self.limits.model.clone(), self.jpeg_quality, self.wait);
        let body = tokio::task::spawn_blocking(move || payload::body(&ask, &model, quality, wait));
        let body: Arc<str> =
            body.await.map_err(|_| Error::new(ErrorKind::Internal, "encoding a question panicked"))??;
        let mut failure = None;
        for endpoint in self.order() {
            let mut job = Job::new(endpoint.clone(), self.patience, call.clone());
            match job.run(Arc::clone(&body), wait).await {
                Ok(finish) => return Ok(finish),
                // What was said cannot be taken back, and what was refused here is refused elsewhere.
                Err(error) if job.has_spoken() || error.retry == Retry::Never => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "tries the next endpoint");
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| Error::new(ErrorKind::Config, "`runpod` needs an endpoint").into()))
    }

    /// The endpoints in the order this call tries them: first the one whose turn it is by weight, then the others,
    /// heaviest first.
    fn order(&self) -> Vec<&Endpoint> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let total: u64 = self.endpoints.iter().map(|(e, _)| u64::from(e.weight)).sum();
        let mut ticket = turn.checked_rem(total).unwrap_or(0);
        let first = self.endpoints.iter().position(|(e, _)| {
            let weight = u64::from(e.weight);
            if ticket < weight {
                return true;
            }
            ticket -= weight;
            false
        });
        let mut order: Vec<usize> = (0..self.endpoints.len()).collect();
        order.sort_by_key(|i| (Some(*i) != first, std::cmp::Reverse(self.endpoints[*i].0.weight)));
        order.into_iter().map(|i| &self.endpoints[i].1).collect()
    }
}

/// A status in lower case, for messages.
fn plainly(status: &Value) -> String {
    crate::net::refusal::clean(&status.as_str().unwrap_or("without a status").to_lowercase())
}
