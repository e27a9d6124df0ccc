//! A server with RunPod's queue of jobs.

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
use crate::{Secret, runpod::RunpodOptions};

/// How often a job is asked about before a worker takes it.
const POLLS: u32 = 2;

/// Pieces given for one question for what is new.
const AT_ONCE: usize = 3;

/// A server with RunPod's interface and the endpoints `one` and `two`.
pub struct FakeRunpod {
    server: Server,
    parts: Parts,
    jobs: Arc<Mutex<HashMap<String, Work>>>,
}

/// A job.
struct Work {
    pieces: Vec<Value>,
    given: usize,
    polls: u32,
    fault: Option<Fault>,
    status: &'static str,
}

struct Service {
    script: Arc<Script>,
    mind: Arc<Mind>,
    jobs: Arc<Mutex<HashMap<String, Work>>>,
    count: AtomicU64,
}

impl FakeRunpod {
    /// Starts it.
    pub fn start() -> Self {
        let parts = Parts::new();
        let jobs = Arc::default();
        let service = Service {
            script: Arc::clone(&parts.script),
            mind: Arc::clone(&parts.mind),
            jobs: Arc::clone(&jobs),
            count: AtomicU64::new(0),
        };
        let server = Server::start(move |request, connection| service.answer(request, connection));
        Self { server, parts, jobs }
    }

    /// How to reach it.
    pub fn options(&self) -> RunpodOptions {
        let mut options = RunpodOptions::new("qwen2.5-vl-7b", ["one"]);
        options.base_url = format!("{}/v2", self.server.url());
        options.key = Some(Secret::new(KEY));
        options.limits.context_tokens = super::mind::CONTEXT_TOKENS;
        options.limits.images = 4;
        options.limits.structured = tempograph_core::vlm::Structured::Schema;
        options.poll = Duration::from_millis(5);
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

    /// What it was asked. Besides the requests: `cancelled ID`.
    pub fn log(&self) -> &Log {
        &self.server.log
    }

    /// Jobs that wait or run.
    pub fn running(&self) -> usize {
        self.jobs.lock().values().filter(|j| matches!(j.status, "IN_QUEUE" | "IN_PROGRESS")).count()
    }
}

impl Service {
    fn answer(&self, request: &Request, connection: &mut Connection<'_>) {
        if request.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return connection.text(401, &[], "text/plain", "Unauthorized");
        }
        let path: Vec<_> = request.path.trim_start_matches('/').split('/').collect();
        match (request.method.as_str(), &path[..]) {
            ("GET", ["v2", "one" | "two", "health"]) => {
                let health = json!({
                    "jobs": {"completed": 1, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0},
                    "workers": {"idle": 0, "initializing": 0, "ready": 0, "running": 0, "throttled": 0},
                });
                connection.json(200, &[], &health);
            }
            ("POST", ["v2", "one" | "two", "run"]) => self.run(request, connection, false),
            ("POST", ["v2", "one" | "two", "runsync"]) => self.run(request, connection, true),
            ("GET", ["v2", _, "stream", id]) => self.stream(id, connection),
            ("GET", ["v2", _, "status", id]) => self.status(id, connection),
            ("POST", ["v2", _, "cancel", _]) if self.script.take_undoing_fails() => {
                connection.text(500, &[], "text/plain", "internal server error");
            }
            ("POST", ["v2", _, "cancel", id]) => {
                let mut jobs = self.jobs.lock();
                let Some(job) = jobs.get_mut(*id) else {
                    return connection.json(404, &[], &json!({"error": "no job"}));
                };
                job.status = "CANCELLED";
                connection.note(&format!("cancelled {id}"));
                connection.json(200, &[], &json!({"id": id, "status": "CANCELLED"}));
            }
            _ => connection.json(404, &[], &json!({"error": "endpoint not found"})),
        }
    }

    fn run(&self, request: &Request, connection: &mut Connection<'_>, wait: bool) {
        let input = request.json()["input"].take();
        if input["task"] == "warm_up" {
            return connection.json(200, &[], &json!({"id": "warm-1", "status": "IN_QUEUE"}));
        }
        let fault = self.script.take();
        match fault {
            Some(Fault::WrongKey) => return connection.text(401, &[], "text/plain", "Unauthorized"),
            Some(Fault::NoModel) => return connection.json(404, &[], &json!({"error": "endpoint not found"})),
            Some(Fault::RateLimited(seconds)) => {
                let pause = seconds.unwrap_or(0).to_string();
                let header = [("retry-after", pause.as_str())];
                let headers = if seconds.is_some() { &header[..] } else { &[] };
                return connection.json(429, headers, &json!({"error": "too many requests"}));
            }
            Some(Fault::QuotaUsedUp) => {
                return connection.json(402, &[], &json!({"error": "insufficient balance"}));
            }
            Some(Fault::ServerError) => return connection.text(500, &[], "text/plain", "internal server error"),
            Some(Fault::Malformed) => return connection.text(200, &[], "application/json", "{\"id\": \"jo"),
            Some(Fault::Hang) => return connection.hang(),
            _ => {}
        }
        let schema = input["schema"].get("schema");
        let thought =
            self.mind.think(&input["messages"], input["sampling"]["max_tokens"].as_u64().unwrap_or(16), schema);
        let too_long =
            json!({"error": {"code": "over_budget", "message": "the question has more tokens than the context"}});
        let mut pieces: Vec<Value> = match &thought {
            Some(thought) if fault != Some(Fault::TooLong) => {
                thought.pieces.iter().enumerate().map(|(n, text)| json!({"n": n, "text": text})).collect()
            }
            _ => vec![too_long],
        };
        if let Some(thought) = thought.filter(|_| fault != Some(Fault::TooLong)) {
            let finish = match (fault, thought.finish) {
                (Some(Fault::Filtered), _) | (_, Finish::Filtered) => "filtered",
                (_, Finish::Length) => "length",
                (_, Finish::Stop) => "stop",
            };
            let usage = json!({"tokens_in": thought.tokens_in, "tokens_out": thought.tokens_out});
            pieces.push(json!({"n": pieces.len(), "usage": usage, "finish": finish}));
        }
        if fault == Some(Fault::Truncated) {
            pieces.truncate(pieces.len() / 2);
        }
        if fault == Some(Fault::ErrorInStream) {
            let half = pieces.len() / 2;
            pieces.truncate(half);
            pieces.push(json!({"error": {"code": "failed", "message": "CUDA out of memory"}}));
        }
        let id = format!("job-{}", self.count.fetch_add(1, Ordering::SeqCst));
        let mut job = Work { pieces, given: 0, polls: POLLS, fault, status: "IN_QUEUE" };
        if wait && fault.is_none() {
            job.status = "COMPLETED";
        }
        let mut reply = json!({"id": id, "status": job.status});
        if job.status == "COMPLETED" {
            reply["output"] = job.pieces.clone().into();
        }
        self.jobs.lock().insert(id, job);
        connection.json(200, &[], &reply);
    }

    fn stream(&self, id: &str, connection: &mut Connection<'_>) {
        self.script.pause();
        let mut jobs = self.jobs.lock();
        let Some(job) = jobs.get_mut(id) else {
            return connection.json(404, &[], &json!({"error": "job not found"}));
        };
        if job.status == "CANCELLED" || job.fault == Some(Fault::NoWorker) {
            return connection.json(200, &[], &json!({"status": job.status, "stream": []}));
        }
        if job.polls > 0 {
            job.polls -= 1;
            return connection.json(200, &[], &json!({"status": "IN_QUEUE", "stream": []}));
        }
        match job.fault {
            Some(Fault::ExpiredJob) => {
                jobs.remove(id);
                return connection.json(404, &[], &json!({"error": "job not found"}));
            }
            Some(Fault::JobTimedOut) => {
                job.status = "TIMED_OUT";
                return connection.json(200, &[], &json!({"status": "TIMED_OUT", "stream": []}));
            }
            Some(Fault::WorkerFailed) => {
                job.status = "FAILED";
                return connection.json(200, &[], &json!({"status": "FAILED", "stream": []}));
            }
            _ => {}
        }
        let end = (job.given + AT_ONCE).min(job.pieces.len());
        let pieces: Vec<_> = job.pieces[job.given..end].iter().map(|p| json!({"output": p})).collect();
        job.given = end;
        job.status = if end == job.pieces.len() { "COMPLETED" } else { "IN_PROGRESS" };
        connection.json(200, &[], &json!({"status": job.status, "stream": pieces}));
    }

    fn status(&self, id: &str, connection: &mut Connection<'_>) {
        let jobs = self.jobs.lock();
        let Some(job) = jobs.get(id) else { return connection.json(404, &[], &json!({"error": "job not found"})) };
        let mut reply = json!({"id": id, "status": job.status, "delayTime": 31, "executionTime": 1437});
        match job.status {
            "COMPLETED" => reply["output"] = job.pieces.clone().into(),
            "FAILED" => {
                reply["error"] = json!({"error_type": "<class 'RuntimeError'>", "error_message": "no kernel image"})
                    .to_string()
                    .into();
            }
            _ => {}
        }
        connection.json(200, &[], &reply);
    }
}
