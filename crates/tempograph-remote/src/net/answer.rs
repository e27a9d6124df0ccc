//! The stream of one call: lazily begun, polled by anyone, stopped by dropping it.

use std::{
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::{Stream, future::BoxFuture};
use futures_util::{FutureExt as _, future::join_all};
use parking_lot::Mutex;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Chunk, ChunkStream, Finish, Usage},
};
use tokio::sync::mpsc;

use super::{CLEANUP_TIME, Net, Spawner};

/// Pieces waiting for the listener. When it is full the connection is read no further.
const QUEUE: usize = 64;

/// How a call ended, as its cleanups see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a complete answer.
    Done,
    /// With an error, or because nobody listens any more.
    Broken,
}

type Cleanup = Box<dyn FnOnce(Ended) -> BoxFuture<'static, ()> + Send>;
type Work = Box<dyn FnOnce(Call) -> BoxFuture<'static, Result<Finish, CallError>> + Send>;

/// A call from the inside: where its pieces go and what must be undone after it.
#[derive(Clone)]
pub(crate) struct Call {
    spawner: Spawner,
    pieces: mpsc::Sender<Result<Chunk, CallError>>,
    cleanups: Arc<Mutex<Vec<Cleanup>>>,
}

impl Call {
    /// Starts tasks that outlive the call.
    pub(crate) fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    /// The next piece of text; empty ones are not worth telling.
    pub(crate) async fn text(&self, text: String) -> Result<(), CallError> {
        if text.is_empty() { Ok(()) } else { self.send(Chunk::Text(text)).await }
    }

    /// What has been used so far.
    pub(crate) async fn usage(&self, usage: Usage) -> Result<(), CallError> {
        self.send(Chunk::Usage(usage)).await
    }

    async fn send(&self, chunk: Chunk) -> Result<(), CallError> {
        let gone = |_| CallError::fatal(Error::new(ErrorKind::Cancelled, "nobody listens any more"));
        self.pieces.send(Ok(chunk)).await.map_err(gone)
    }

    /// What is to be done when the call is over, however it ends.
    pub(crate) fn at_end<F: Future<Output = ()> + Send + 'static>(
        &self,
        cleanup: impl FnOnce(Ended) -> F + Send + 'static,
    ) {
        self.cleanups.lock().push(Box::new(|ended| cleanup(ended).boxed()));
    }
}

/// The stream of what `work` tells. `work` begins when the stream is first polled, on the network's threads; it is
/// dropped where it stands when the stream is, or after `total`, and then its cleanups run.
pub(crate) fn answer<F>(net: &Net, total: Duration, work: impl FnOnce(Call) -> F + Send + 'static) -> ChunkStream
where
    F: Future<Output = Result<Finish, CallError>> + Send + 'static,
{
    let work: Work = Box::new(|call| work(call).boxed());
    Box::pin(Answer { net: net.clone(), state: State::Idle(work, total) })
}

struct Answer {
    /// Keeps the threads running for as long as somebody listens.
    net: Net,
    state: State,
}

enum State {
    Idle(Work, Duration),
    Running(mpsc::Receiver<Result<Chunk, CallError>>),
    Over,
}

impl Stream for Answer {
    type Item = Result<Chunk, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Idle(work, total) => match self.net.spawner() {
                    Ok(spawner) => self.state = State::Running(begin(&spawner, total, work)),
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                },
                State::Running(mut pieces) => {
                    let next = pieces.poll_recv(context);
                    match &next {
                        Poll::Ready(None | Some(Err(_) | Ok(Chunk::Done(_)))) => {}
                        Poll::Pending | Poll::Ready(Some(Ok(_))) => self.state = State::Running(pieces),
                    }
                    return next;
                }
                State::Over => return Poll::Ready(None),
            }
        }
    }
}

fn begin(spawner: &Spawner, total: Duration, work: Work) -> mpsc::Receiver<Result<Chunk, CallError>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let closing = spawner.closing().clone();
    let inside = spawner.clone();
    spawner.spawn(async move {
        let cleanups = Arc::new(Mutex::new(Vec::new()));
        let call = Call { spawner: inside, pieces: sender.clone(), cleanups: Arc::clone(&cleanups) };
        let work = tokio::time::timeout(total, AssertUnwindSafe(async move { work(call).await }).catch_unwind());
        let result = tokio::select! {
            biased;
            () = sender.closed() => Err(cancelled()),
            () = closing.cancelled() => Err(cancelled()),
            result = work => match result {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err(CallError::fatal(Error::new(ErrorKind::Internal, "a call panicked"))),
                Err(_) => Err(CallError::passing(Error::new(
                    ErrorKind::TimedOut,
                    format!("the whole call took longer than {} s", total.as_secs()),
                ))),
            },
        };
        let ended = if result.is_ok() { Ended::Done } else { Ended::Broken };
        let tell = async {
            tokio::select! {
                biased;
                told = sender.send(result.map(Chunk::Done)) => drop(told),
                () = closing.cancelled() => {}
            }
        };
        let undone = std::mem::take(&mut *cleanups.lock());
        let undo = tokio::time::timeout(CLEANUP_TIME, join_all(undone.into_iter().map(|undo| undo(ended))));
        if tokio::join!(tell, undo).1.is_err() {
            tracing::warn!("what a call left at its back end may not have been removed in time");
        }
    });
    receiver
}

fn cancelled() -> CallError {
    CallError::fatal(Error::new(ErrorKind::Cancelled, "cancelled"))
}
