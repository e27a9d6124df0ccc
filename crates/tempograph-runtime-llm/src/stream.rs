//! A stream of chunks that a thread fills: any executor can poll it, and dropping it says so to the thread.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use parking_lot::Mutex;
use tempograph_core::vlm::{CallError, Chunk};

type Item = Result<Chunk, CallError>;

/// What both ends share. It holds at most one answer, which is bounded by the tokens that were asked for.
#[derive(Default)]
struct Shared {
    items: VecDeque<Item>,
    waker: Option<Waker>,
    /// The thread has said everything.
    complete: bool,
    /// Nobody listens.
    dropped: bool,
}

/// The end that speaks.
#[derive(Clone)]
pub(crate) struct Speaker(Arc<Mutex<Shared>>);

impl Speaker {
    /// Says the next piece.
    pub(crate) fn say(&self, item: Item) {
        let mut shared = self.0.lock();
        if !shared.dropped && !shared.complete {
            shared.complete = matches!(item, Err(_) | Ok(Chunk::Done(_)));
            shared.items.push_back(item);
        }
        if let Some(waker) = shared.waker.take() {
            drop(shared);
            waker.wake();
        }
    }

    /// Whether nobody listens any more.
    pub(crate) fn is_unheard(&self) -> bool {
        self.0.lock().dropped
    }
}

/// The end that listens; begins the work when it is first polled.
pub(crate) struct Chunks<F: FnOnce(Speaker)> {
    shared: Arc<Mutex<Shared>>,
    begin: Option<F>,
}

impl<F: FnOnce(Speaker) + Unpin> Chunks<F> {
    /// A stream whose work is `begin`: it must not block, and hand the speaker to whoever answers.
    pub(crate) fn new(begin: F) -> Self {
        Self { shared: Arc::default(), begin: Some(begin) }
    }
}

impl<F: FnOnce(Speaker) + Unpin> Stream for Chunks<F> {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        if let Some(begin) = self.begin.take() {
            begin(Speaker(Arc::clone(&self.shared)));
        }
        let mut shared = self.shared.lock();
        match shared.items.pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None if shared.complete => Poll::Ready(None),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<F: FnOnce(Speaker)> Drop for Chunks<F> {
    fn drop(&mut self) {
        let mut shared = self.shared.lock();
        shared.dropped = true;
        shared.items.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use tempograph_core::vlm::Finish;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn what_is_said_is_heard_in_order_and_wakes() {
        let speaker = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&speaker);
        let mut stream = Box::pin(Chunks::new(move |s| *kept.lock() = Some(s)));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut context = Context::from_waker(&waker);
        assert!(speaker.lock().is_none(), "nothing begins before it is polled");
        assert!(stream.as_mut().poll_next(&mut context).is_pending());
        let speaker = speaker.lock().clone().unwrap();
        speaker.say(Ok(Chunk::Text("a".to_owned())));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        speaker.say(Ok(Chunk::Done(Finish::Stop)));
        speaker.say(Ok(Chunk::Text("too late".to_owned())));
        let mut heard = Vec::new();
        while let Poll::Ready(Some(Ok(chunk))) = stream.as_mut().poll_next(&mut context) {
            heard.push(chunk);
        }
        assert_eq!(heard, [Chunk::Text("a".to_owned()), Chunk::Done(Finish::Stop)]);
        assert!(!speaker.is_unheard());
        drop(stream);
        assert!(speaker.is_unheard());
    }
}
