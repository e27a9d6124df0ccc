//! The router: one [`Vlm`] in front of a chain of models.
//!
//! ```text
//! Ask ─► known? ─► first member ─► … ─► last member ─► error
//!                    │ breaker · turn in the queue · limits · money · call ─► time-outs, tries
//!                    └ a record each
//! ```
//!
//! A member is tried again after failures that may pass ([`Backoff`]), and given up for the next one when it refuses,
//! keeps failing, may not be asked now, or would cost too much. A back end's `Retry-After` is kept, up to a bound.
//!
//! **What was streamed stays true.** With [`Delivery::Streaming`] text is passed on as it comes, so a failure after the
//! first text is the caller's: it cannot be taken back. With [`Delivery::Whole`], for callers that use an answer only
//! when it is complete, text is held back until the model is done, and a failure in the middle is tried again unseen.
//!
//! Everything happens while the stream is polled; dropping it stops the call, gives its slot back and leaves a record.

mod backoff;
mod breaker;
mod bucket;
mod call;
mod digest;
mod gate;
mod member;
mod record;
#[cfg(test)]
mod tests;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_core::Stream;
use futures_util::StreamExt as _;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{AnswerCache, Ask, CallError, Chunk, ChunkStream, Limits, Message, Role, SamplingParams, SpendLedger, Vlm},
};
use tokio::{runtime::Handle, sync::mpsc};

pub use self::{
    backoff::{Backoff, Dice},
    breaker::{Admission, Breaker, BreakerOptions, BreakerState},
    bucket::Bucket,
    member::{CallTimeouts, Member, MemberHealth, MemberOptions},
    record::{CallRecords, CallSink},
};
use crate::{Net, meter::Meter};

/// What time it is for limits by the day.
pub trait WallClock: Send + Sync {
    /// Seconds since 1970-01-01, UTC.
    fn unix_s(&self) -> u64;

    /// Days since then.
    fn day(&self) -> u32 {
        u32::try_from(self.unix_s() / 86_400).unwrap_or(u32::MAX)
    }
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl WallClock for SystemClock {
    fn unix_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }
}

/// What a model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Answers in words, streamed.
    Chat,
    /// Looks at frames.
    Vision,
    /// Answers in a form, from text.
    Structured,
}

impl Task {
    /// Its name in settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Vision => "vision",
            Self::Structured => "structured",
        }
    }

    /// How its answers are passed on.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Chat => Delivery::Streaming,
            Self::Vision | Self::Structured => Delivery::Whole,
        }
    }
}

/// When text is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As it comes.
    Streaming,
    /// When the answer is complete.
    Whole,
}

/// The threads that wake a call when a pause is over.
#[derive(Clone, Debug)]
pub struct Timers {
    handle: Handle,
    /// Kept, so that they do not stop before the call does.
    _net: Option<Net>,
}

impl Timers {
    /// Those of `net`, which is started.
    ///
    /// # Errors
    /// When its threads cannot be started, or it was shut down.
    pub fn of(net: &Net) -> Result<Self, Error> {
        Ok(Self { handle: net.handle()?, _net: Some(net.clone()) })
    }

    /// Those of the runtime that this is called in.
    #[cfg(test)]
    pub(crate) fn current() -> Self {
        Self { handle: Handle::current(), _net: None }
    }
}

/// What routers share.
#[derive(Clone)]
pub struct Shared {
    /// Where pauses and time-outs are counted.
    pub timers: Timers,
    /// Answers known already.
    pub cache: Option<Arc<dyn AnswerCache>>,
    /// Calls of earlier runs of the day.
    pub ledger: Option<Arc<dyn SpendLedger>>,
    /// What is spent and may be.
    pub meter: Arc<Meter>,
    /// Who is told of every call.
    pub calls: Arc<dyn CallSink>,
    /// What day it is.
    pub clock: Arc<dyn WallClock>,
    /// Decides pauses, and names what is booked.
    pub dice: Arc<Dice>,
}

/// Between the names of a chain's models in [`Limits::model`].
pub const OR: &str = " or ";

/// A chain of models that answers as one.
pub struct Router {
    inner: Arc<Inner>,
    limits: Limits,
}

pub(crate) struct Inner {
    task: Task,
    delivery: Delivery,
    chain: Vec<Arc<Member>>,
    shared: Shared,
}

impl Router {
    /// The chain `members` for `task`, best first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an empty chain.
    pub fn new(task: Task, members: Vec<Arc<Member>>, shared: Shared) -> Result<Self, Error> {
        let Some(first) = members.first() else {
            return Err(Error::new(ErrorKind::Config, format!("no model is named for `{}`", task.name())));
        };
        let mut limits = first.limits().clone();
        limits.concurrency = first.slots();
        // Nobody knows beforehand who answers: what is said of the answer's origin must hold for all.
        let mut names: Vec<_> = members.iter().map(|m| m.limits().model.as_str()).collect();
        names.dedup();
        limits.model = names.join(OR);
        for member in &members {
            // The first decides what is asked; what is promised of the answer must hold for all.
            limits.structured = limits.structured.min(member.limits().structured);
            limits.remote |= member.limits().remote;
        }
        Ok(Self { inner: Arc::new(Inner { task, delivery: task.delivery(), chain: members, shared }), limits })
    }

    /// The same chain with text passed on otherwise.
    #[must_use]
    pub fn delivering(self, delivery: Delivery) -> Self {
        let Inner { task, chain, shared, .. } = &*self.inner;
        let inner = Inner { task: *task, delivery, chain: chain.clone(), shared: shared.clone() };
        Self { inner: Arc::new(inner), limits: self.limits }
    }

    /// How each member fares, in order.
    pub fn health(&self) -> Vec<MemberHealth> {
        self.inner.chain.iter().map(|m| m.health()).collect()
    }
}

/// The smallest question there is, so that a cold back end starts.
pub fn warm_up() -> Ask {
    Ask {
        purpose: "warm_up",
        messages: vec![Message::text(Role::User, "Say ok.")],
        schema: None,
        sampling: SamplingParams { max_tokens: 1, ..SamplingParams::default() },
    }
}

impl Vlm for Router {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn identity(&self) -> String {
        let members: Vec<_> = self.inner.chain.iter().map(|m| m.vlm.identity()).collect();
        members.join(" | ")
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        // Filled and emptied in one poll, so its size only bounds how much is handed over at once.
        let (chunks, receiver) = mpsc::channel(16);
        let work = call::run(Arc::clone(&self.inner), ask, chunks);
        Box::pin(Driven { timers: self.inner.shared.timers.handle.clone(), work: Some(Box::pin(work)), receiver })
    }
}

/// A future together with the chunks it hands over: nothing runs but while this is polled.
struct Driven {
    timers: Handle,
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    receiver: mpsc::Receiver<Result<Chunk, CallError>>,
}

impl Stream for Driven {
    type Item = Result<Chunk, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(chunk) = self.receiver.poll_recv(context) {
            return Poll::Ready(chunk);
        }
        if let Some(mut work) = self.work.take() {
            // Timers find their clock through this, whoever polls.
            let entered = self.timers.enter();
            let done = work.as_mut().poll(context).is_ready();
            drop(entered);
            if !done {
                self.work = Some(work);
            }
        }
        self.receiver.poll_recv(context)
    }
}

/// The next chunk, unless `until` comes first.
async fn next_before(
    stream: &mut ChunkStream,
    until: tokio::time::Instant,
) -> Option<Option<Result<Chunk, CallError>>> {
    tokio::time::timeout_at(until, stream.next()).await.ok()
}

fn secs(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
