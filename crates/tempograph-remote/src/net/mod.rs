//! The network's own threads: what a back end does in the background, and how it is stopped.
//!
//! ```text
//! Vlm::generate ─► Answer (polled by anyone) ◄── queue ◄── task on Net's runtime ──► HTTP
//!                    └ dropped ──────────────────────────► task stops, then its cleanups run
//! ```
//!
//! A task holds no [`Net`], so the last handle is always dropped outside the runtime and can wait for the cleanups.

mod answer;
pub(crate) mod http;
pub(crate) mod refusal;
pub(crate) mod sse;

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use parking_lot::{Condvar, Mutex};
use tempograph_core::{Error, ErrorKind, Result, vlm::CallError};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::answer::{Call, Ended, answer};
pub use self::http::Timeouts;

/// Threads of the runtime. The work is waiting, and encoding pictures: one must not hold up the other.
const WORKERS: usize = 2;

/// How long the last handle waits for uploads to be deleted and jobs to be cancelled.
const CLEANUP_TIME: Duration = Duration::from_secs(5);

/// The network: one small runtime, started when it is first needed and shared by every remote back end.
///
/// Cheap to clone. Dropping the last handle stops every task and waits up to 5 s for their cleanups.
#[derive(Clone, Default)]
pub struct Net(Arc<Inner>);

/// A future that any executor can poll.
pub type Reply<T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send>>;

#[derive(Default)]
struct Inner {
    runtime: Mutex<Option<Runtime>>,
    shared: Arc<Shared>,
    clients: http::Clients,
}

#[derive(Default)]
struct Shared {
    closing: CancellationToken,
    tasks: Mutex<usize>,
    changed: Condvar,
}

impl Net {
    /// A network that has not started anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops every task and waits up to `timeout` for their cleanups. Says whether all of them ended in time.
    /// Afterwards every call fails as cancelled. Must not be called from a future polled by an async runtime's only
    /// thread: it blocks.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.0.close(timeout)
    }

    /// Runs `work` on the network's threads; the reply can be awaited anywhere. Dropping it does not stop the work.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Reply<T> {
        let (sender, receiver) = oneshot::channel();
        let spawned = self.spawner().map(|spawner| {
            spawner.spawn(async move {
                if sender.send(work.await).is_err() {
                    tracing::debug!("nobody waits for a reply any more");
                }
            });
        });
        Box::pin(async move {
            spawned?;
            receiver.await.unwrap_or_else(|_| Err(closed().into()))
        })
    }

    pub(crate) fn spawner(&self) -> Result<Spawner> {
        let shared = Arc::clone(&self.0.shared);
        if shared.closing.is_cancelled() {
            return Err(closed());
        }
        let mut runtime = self.0.runtime.lock();
        let handle = match &*runtime {
            Some(runtime) => runtime.handle().clone(),
            None => {
                let started = Builder::new_multi_thread()
                    .worker_threads(WORKERS)
                    .thread_name("net")
                    .enable_all()
                    .build()
                    .map_err(|e| {
                        Error::new(ErrorKind::Internal, format!("cannot start the threads of the network: {e}"))
                    })?;
                runtime.insert(started).handle().clone()
            }
        };
        Ok(Spawner { handle, shared })
    }

    /// What timers need that are polled outside of the network's threads; they stop with the network.
    pub(crate) fn handle(&self) -> Result<Handle> {
        Ok(self.spawner()?.handle)
    }

    pub(crate) fn clients(&self) -> &http::Clients {
        &self.0.clients
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("tasks", &*self.0.shared.tasks.lock()).finish_non_exhaustive()
    }
}

impl Inner {
    fn close(&self, timeout: Duration) -> bool {
        self.shared.closing.cancel();
        let Some(runtime) = self.runtime.lock().take() else { return true };
        let deadline = Instant::now() + timeout;
        let mut tasks = self.shared.tasks.lock();
        while *tasks > 0 && !self.shared.changed.wait_until(&mut tasks, deadline).timed_out() {}
        let left = *tasks;
        drop(tasks);
        if left > 0 {
            tracing::warn!(left, "some uploads or jobs at remote back ends may not have been removed in time");
        }
        runtime.shutdown_background();
        left == 0
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close(CLEANUP_TIME);
    }
}

/// Starts tasks without keeping the network alive.
#[derive(Clone)]
pub(crate) struct Spawner {
    handle: Handle,
    shared: Arc<Shared>,
}

impl Spawner {
    /// Starts a task that the network waits for when it is closed.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        *self.shared.tasks.lock() += 1;
        let counted = Counted(Arc::clone(&self.shared));
        self.handle.spawn(async move {
            let _counted = counted;
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!("a task of the network panicked");
            }
        });
    }

    /// Raised once the network is being closed.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.shared.closing
    }
}

/// One running task.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.tasks.lock() -= 1;
        self.0.changed.notify_all();
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Cancelled, "the network has been closed")
}

#[cfg(test)]
mod tests;
