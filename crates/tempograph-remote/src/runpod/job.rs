//! One job at one endpoint, from its start to its last piece.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Finish, Retry, Usage},
};
use tokio::sync::{oneshot, watch};

use super::plainly;
use crate::net::{
    Call,
    http::{Endpoint, Failed},
    refusal::clean,
};

/// Longest pause between two questions for what is new.
const MAX_POLL: Duration = Duration::from_secs(2);

/// Failures in a row, of asking for what is new, that are overlooked: the job goes on meanwhile.
const OVERLOOKED: u32 = 3;

/// How long one waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a worker.
    pub(super) queue: Duration,
    /// Between two questions for what is new, at first.
    pub(super) poll: Duration,
}

/// What is known of a job that was asked for.
#[derive(Clone, Debug)]
enum Begun {
    /// Nothing yet.
    Unknown,
    /// There is none.
    No,
    /// Its id.
    Job(String),
}

type Known = watch::Receiver<Begun>;

/// The id of a job and what was said when it was begun.
type Reply = Result<(String, Value), CallError>;

/// A job.
pub(super) struct Job {
    endpoint: Endpoint,
    patience: Patience,
    call: Call,
    /// Number of the next piece.
    next: u64,
    /// Whether a piece was lost on the way: the whole output is read at the end.
    gap: bool,
    spoken: bool,
    finish: Option<Finish>,
}

impl Job {
    pub(super) fn new(endpoint: Endpoint, patience: Patience, call: Call) -> Self {
        Self { endpoint, patience, call, next: 0, gap: false, spoken: false, finish: None }
    }

    /// Whether any of the answer was told.
    pub(super) fn has_spoken(&self) -> bool {
        self.spoken
    }

    /// Runs the job to its end. It is cancelled at the service unless it ended there.
    pub(super) async fn run(&mut self, body: Arc<str>, wait: bool) -> Result<Finish, CallError> {
        let path = if wait { "/runsync" } else { "/run" };
        let request = self.endpoint.request(Method::POST, path).header("content-type", "application/json");
        let (begun, id) = self.begin(request.body(body.to_string()));
        let over = Arc::new(AtomicBool::new(false));
        let (endpoint, known, ended) = (self.endpoint.clone(), id, Arc::clone(&over));
        let undo = move || cancel(endpoint, known, ended);
        // Once for a call that is dropped, once for a job that is given up while the call goes on elsewhere.
        let undo_now = undo.clone();
        self.call.at_end(move |_| undo());
        let gone = |_| CallError::fatal(Error::new(ErrorKind::Cancelled, "cancelled"));
        let (id, begun) = begun.await.map_err(gone)??;
        let id = id.as_str();
        let result = self.follow(id, begun, &over).await;
        if result.is_err() {
            undo_now().await;
        }
        result
    }

    /// Sends the question in a task of its own: once the service may have begun the job its id must be heard, even if
    /// nobody waits for the answer any more. Gives what the service says, and the id as soon as it is known.
    fn begin(&self, request: RequestBuilder) -> (oneshot::Receiver<Reply>, Known) {
        let (sender, receiver) = oneshot::channel();
        let (tell, known) = watch::channel(Begun::Unknown);
        let endpoint = self.endpoint.clone();
        self.call.spawner().spawn(async move {
            let reply = async {
                let json = endpoint.json(endpoint.send(request).await?).await?;
                let id = json["id"].as_str().filter(|id| is_id(id)).map(str::to_owned);
                Ok((id.ok_or_else(|| endpoint.invalid("did not name the job"))?, json))
            };
            let reply: Reply = reply.await;
            tell.send_replace(reply.as_ref().map_or(Begun::No, |(id, _)| Begun::Job(id.clone())));
            if sender.send(reply).is_err() {
                tracing::debug!("a job was begun that nobody waits for");
            }
        });
        (receiver, known)
    }

    async fn follow(&mut self, id: &str, mut news: Value, over: &AtomicBool) -> Result<Finish, CallError> {
        let (begun, mut pause, mut failures) = (Instant::now(), self.patience.poll, 0);
        let mut by_stream = false;
        loop {
            let status = news["status"].as_str().unwrap_or_default().to_owned();
            let before = self.next;
            if by_stream {
                for piece in news["stream"].as_array().into_iter().flatten() {
                    self.piece(piece.get("output").unwrap_or(piece)).await?;
                }
            }
            match status.as_str() {
                "COMPLETED" => {
                    over.store(true, Ordering::SeqCst);
                    return self.complete(id, news).await;
                }
                "FAILED" | "CANCELLED" | "TIMED_OUT" => {
                    over.store(true, Ordering::SeqCst);
                    return Err(self.failed(id, news).await);
                }
                "IN_QUEUE" if begun.elapsed() > self.patience.queue => {
                    let seconds = self.patience.queue.as_secs_f32().ceil();
                    return Err(CallError::passing(
                        Error::new(ErrorKind::TimedOut, format!("`runpod` found no worker in {seconds} s"))
                            .with_hint("raise the number of workers, or wait longer for one"),
                    ));
                }
                "IN_QUEUE" | "IN_PROGRESS" => {}
                _ => {
                    return Err(self
                        .endpoint
                        .invalid(&format!("gave a job a state that is not documented: {}", plainly(&news["status"]))));
                }
            }
            pause = if self.next > before { self.patience.poll } else { (pause * 13 / 10).min(MAX_POLL) };
            tokio::time::sleep(pause).await;
            by_stream = true;
            match self.ask(&format!("/stream/{id}")).await {
                Ok(json) => (news, failures) = (json, 0),
                Err(Failed::Refused(r)) if r.status == 404 => {
                    over.store(true, Ordering::SeqCst);
                    let message = "`runpod` no longer knows the job: it has expired";
                    return Err(CallError::passing(Error::new(ErrorKind::BackendUnavailable, message)));
                }
                Err(failed) => {
                    let error = CallError::from(failed);
                    failures += 1;
                    if error.retry == Retry::Never || failures > OVERLOOKED {
                        return Err(error);
                    }
                    if let Retry::After(wait) = error.retry {
                        tokio::time::sleep(wait.min(MAX_POLL)).await;
                    }
                    // What the lost reply held is not sent again.
                    news["stream"] = Value::Null;
                }
            }
        }
    }

    async fn ask(&self, path: &str) -> Result<Value, Failed> {
        let response = self.endpoint.send(self.endpoint.request(Method::GET, path)).await?;
        Ok(self.endpoint.json(response).await?)
    }

    /// The job is done: tells what the stream did not.
    async fn complete(&mut self, id: &str, news: Value) -> Result<Finish, CallError> {
        if let (Some(finish), false) = (self.finish, self.gap) {
            return Ok(finish);
        }
        let output = match news.get("output").filter(|o| !o.is_null()) {
            Some(output) => output.clone(),
            None => self.ask(&format!("/status/{id}")).await?["output"].take(),
        };
        self.gap = false;
        match &output {
            Value::Array(pieces) => {
                for piece in pieces {
                    self.piece(piece).await?;
                }
            }
            Value::Null => {}
            whole => {
                self.piece(whole).await?;
                self.finish.get_or_insert(Finish::Stop);
            }
        }
        match self.finish {
            Some(finish) if !self.gap => Ok(finish),
            _ => Err(self.endpoint.truncated()),
        }
    }

    /// One piece of the answer. Those that were told are passed over; after one that is missing nothing is told.
    async fn piece(&mut self, piece: &Value) -> Result<(), CallError> {
        if let Some(error) = piece.get("error").filter(|e| !e.is_null()) {
            return Err(worker_error(error));
        }
        match piece["n"].as_u64() {
            Some(n) if n < self.next => return Ok(()),
            Some(n) if n > self.next || self.gap => {
                self.gap = true;
                return Ok(());
            }
            _ => self.next += 1,
        }
        let text = piece["text"].as_str().or(piece.as_str()).unwrap_or_default();
        self.spoken |= !text.is_empty();
        self.call.text(text.to_owned()).await?;
        if let Ok(usage) = serde_json::from_value::<Used>(piece["usage"].clone()) {
            self.call.usage(usage.into()).await?;
        }
        match piece["finish"].as_str() {
            Some("length") => self.finish = Some(Finish::Length),
            Some("filtered") => self.finish = Some(Finish::Filtered),
            Some(_) => self.finish = Some(Finish::Stop),
            None => {}
        }
        Ok(())
    }

    /// Why a job ended without an answer.
    async fn failed(&self, id: &str, mut news: Value) -> CallError {
        if news.get("error").is_none() && news["status"] == "FAILED" {
            // The stream says that it failed, the status says why.
            news = self.ask(&format!("/status/{id}")).await.unwrap_or(news);
        }
        match news["status"].as_str() {
            Some("TIMED_OUT") => {
                let error = Error::new(ErrorKind::TimedOut, "the job took longer at `runpod` than the endpoint allows");
                CallError::passing(error.with_hint("raise the execution time of the endpoint, or ask for less"))
            }
            Some("CANCELLED") => {
                CallError::passing(Error::new(ErrorKind::BackendUnavailable, "the job was cancelled at `runpod`"))
            }
            _ => worker_error(news.get("error").or_else(|| news["output"].get("error")).unwrap_or(&Value::Null)),
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Cancels a job, once its id is known, unless it is `over`. It is only over once the service has said so: a request
/// that is dropped on its way, with the call it belongs to, is made again by the call's clean-up.
async fn cancel(endpoint: Endpoint, mut known: Known, over: Arc<AtomicBool>) {
    let id = match known.wait_for(|k| !matches!(k, Begun::Unknown)).await.map(|k| k.clone()) {
        Ok(Begun::Job(id)) => id,
        Ok(Begun::Unknown | Begun::No) | Err(_) => return,
    };
    if over.load(Ordering::SeqCst) {
        return;
    }
    match endpoint.undo(|| endpoint.request(Method::POST, &format!("/cancel/{id}"))).await {
        Ok(_) => over.store(true, Ordering::SeqCst),
        Err(failed) => tracing::warn!(error = %CallError::from(failed), "a job could not be cancelled"),
    }
}

/// An error of a handler: ours say what kind it is, others only say something.
fn worker_error(error: &Value) -> CallError {
    // RunPod wraps what a handler raised in JSON of its own.
    let parsed = error.as_str().and_then(|t| serde_json::from_str::<Value>(t).ok()).filter(Value::is_object);
    let error = parsed.as_ref().unwrap_or(error);
    let words = error["message"].as_str().or(error["error_message"].as_str()).or(error.as_str());
    let words = clean(words.unwrap_or("no reason given"));
    match error["code"].as_str() {
        Some("over_budget") => CallError::fatal(
            Error::new(ErrorKind::OverBudget, format!("a worker of `runpod` cannot take the question: {words}"))
                .with_hint("send fewer frames or shorter windows"),
        ),
        Some("invalid") => {
            let message = format!("a worker of `runpod` refused the question: {words}");
            CallError::fatal(
                Error::new(ErrorKind::BackendRefused, message)
                    .with_hint("deploy the handler that belongs to this version"),
            )
        }
        _ => {
            let message = format!("a worker of `runpod` failed: {words}");
            CallError::passing(Error::new(ErrorKind::BackendUnavailable, message))
        }
    }
}

#[derive(serde::Deserialize)]
struct Used {
    tokens_in: u64,
    #[serde(default)]
    tokens_cached: u64,
    tokens_out: u64,
}

impl From<Used> for Usage {
    fn from(used: Used) -> Self {
        Self { tokens_in: used.tokens_in, tokens_cached: used.tokens_cached, tokens_out: used.tokens_out }
    }
}
