//! The record that every call leaves.

use std::sync::Arc;

use parking_lot::Mutex;
use tempograph_core::{
    ErrorKind,
    vlm::{ModelCall, Usage},
};
use tokio::time::Instant;

/// Who is told of every call.
pub trait CallSink: Send + Sync {
    /// A call ended: answered, failed, cancelled or known already.
    fn record(&self, call: ModelCall);
}

/// Records kept in memory until they are taken.
#[derive(Debug, Default)]
pub struct CallRecords(Mutex<Vec<ModelCall>>);

impl CallRecords {
    /// Takes what was recorded, oldest first.
    pub fn take(&self) -> Vec<ModelCall> {
        std::mem::take(&mut self.0.lock())
    }
}

impl CallSink for CallRecords {
    fn record(&self, call: ModelCall) {
        self.0.lock().push(call);
    }
}

/// The record of a call under way. It is told when dropped: a call nobody waits for any more was cancelled.
pub(super) struct Entry {
    sink: Arc<dyn CallSink>,
    call: ModelCall,
    started: Instant,
}

impl Entry {
    pub(super) fn new(sink: Arc<dyn CallSink>, purpose: &str, backend: &str, model: &str, started: Instant) -> Self {
        let call = ModelCall {
            purpose: purpose.to_owned(),
            backend: backend.to_owned(),
            model: model.to_owned(),
            error: Some(ErrorKind::Cancelled.code().to_string()),
            ..ModelCall::default()
        };
        Self { sink, call, started }
    }

    pub(super) fn first_token(&mut self) {
        let ms = millis(self.started);
        self.call.first_token_ms.get_or_insert(ms);
    }

    pub(super) fn retried(&mut self) {
        self.call.retries += 1;
    }

    pub(super) fn spent(&mut self, usage: Usage, cost_usd: f64) {
        self.call.usage.tokens_in += usage.tokens_in;
        self.call.usage.tokens_cached += usage.tokens_cached;
        self.call.usage.tokens_out += usage.tokens_out;
        self.call.cost_usd += cost_usd;
    }

    pub(super) fn usage(&self) -> Usage {
        self.call.usage
    }

    pub(super) fn known(&mut self) {
        self.call.cache_hit = true;
        self.answered();
    }

    pub(super) fn answered(&mut self) {
        self.call.error = None;
    }

    pub(super) fn failed(&mut self, kind: ErrorKind) {
        self.call.error = Some(kind.code().to_string());
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.call.wall_ms = millis(self.started);
        self.sink.record(std::mem::take(&mut self.call));
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
