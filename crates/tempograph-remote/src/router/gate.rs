//! Who may call next: bounded, and in an order that lets the back end use what it has already read again.
//!
//! A back end keeps the beginning of the last prompts. Of those who wait, the one that shares the longest beginning with
//! the call that started last goes first; but nobody is passed over more than [`MAX_PASSED`] times.

use std::sync::Arc;

use parking_lot::Mutex;
use tempograph_core::{Error, ErrorKind, vlm::CallError};
use tokio::sync::oneshot;

/// How often a call may be passed over.
const MAX_PASSED: u32 = 4;
/// Calls that may wait for one model: more are refused rather than kept.
const MAX_WAITING: usize = 1024;

/// Bounded concurrency of one model.
#[derive(Debug)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug)]
struct State {
    free: u32,
    last: Arc<[u64]>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    prefix: Arc<[u64]>,
    passed: u32,
    enter: oneshot::Sender<Permit>,
}

/// Leave to call; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Option<Arc<Gate>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.0.take() {
            gate.pass_on();
        }
    }
}

impl Gate {
    pub(super) fn new(slots: u32) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: slots.max(1), last: Arc::default(), waiting: Vec::new() })))
    }

    /// Waits for a slot. `prefix` holds the hash of the first message, of the first two, and so on.
    pub(super) async fn enter(self: &Arc<Self>, prefix: &Arc<[u64]>) -> Result<Permit, CallError> {
        let turn = {
            let mut state = self.0.lock();
            if state.free > 0 {
                state.free -= 1;
                state.last = Arc::clone(prefix);
                return Ok(Permit(Some(Arc::clone(self))));
            }
            // Those who gave up waiting leave their place.
            state.waiting.retain(|w| !w.enter.is_closed());
            if state.waiting.len() >= MAX_WAITING {
                return Err(Error::new(ErrorKind::RateLimited, format!("{MAX_WAITING} calls wait already")).into());
            }
            let (enter, turn) = oneshot::channel();
            state.waiting.push(Waiting { prefix: Arc::clone(prefix), passed: 0, enter });
            turn
        };
        turn.await.map_err(|_| Error::new(ErrorKind::Internal, "a waiting call was forgotten").into())
    }

    /// Calls under way and calls that wait, given `slots` in all.
    pub(super) fn load(&self, slots: u32) -> (u32, usize) {
        let state = self.0.lock();
        (slots.max(1) - state.free.min(slots.max(1)), state.waiting.iter().filter(|w| !w.enter.is_closed()).count())
    }

    fn pass_on(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.0.lock();
                match state.next() {
                    Some(next) => next,
                    None => {
                        state.free += 1;
                        return;
                    }
                }
            };
            // Who gave up meanwhile hands the permit back; it must not come here again by its drop.
            match next.send(Permit(Some(Arc::clone(&self)))) {
                Ok(()) => return,
                Err(mut permit) => permit.0 = None,
            }
        }
    }
}

impl State {
    /// Takes out who is next.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        let patient = self.waiting.iter().position(|w| w.passed >= MAX_PASSED);
        let chosen = patient.or_else(|| {
            // The first of those that share most: the queue keeps the order of arrival.
            let shared = |w: &Waiting| w.prefix.iter().zip(self.last.iter()).take_while(|(a, b)| a == b).count();
            let most = self.waiting.iter().map(shared).max()?;
            self.waiting.iter().position(|w| shared(w) == most)
        })?;
        for earlier in &mut self.waiting[..chosen] {
            earlier.passed += 1;
        }
        let next = self.waiting.remove(chosen);
        self.last = next.prefix;
        Some(next.enter)
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use futures_util::FutureExt as _;

    use super::*;

    fn prefix(hashes: &[u64]) -> Arc<[u64]> {
        hashes.into()
    }

    #[test]
    fn who_shares_the_beginning_goes_first_but_nobody_waits_for_ever() {
        let gate = Gate::new(1);
        let mut context = Context::from_waker(Waker::noop());
        let held = gate.enter(&prefix(&[1, 2])).now_or_never().expect("is free").expect("is let in");
        let kinds = [[9, 9], [1, 3], [1, 2], [1, 2], [1, 2], [1, 2]];
        let prefixes: Vec<_> = kinds.iter().map(|k| prefix(k)).collect();
        let mut turns: Vec<_> = prefixes.iter().map(|p| Some(Box::pin(gate.enter(p)))).collect();
        for turn in turns.iter_mut().flatten() {
            assert!(turn.as_mut().poll(&mut context).is_pending());
        }
        let (mut held, mut order) = (Some(held), Vec::new());
        for _ in 0..kinds.len() {
            drop(held.take());
            for (i, turn) in turns.iter_mut().enumerate() {
                let Some(waiting) = turn else { continue };
                if let Poll::Ready(permit) = waiting.as_mut().poll(&mut context) {
                    held = Some(permit.expect("is let in"));
                    order.push(i);
                    *turn = None;
                    break;
                }
            }
        }
        // 2 and 3, 4, 5 share most; the first has then been passed over four times, and 1 as often.
        assert_eq!(order, [2, 3, 4, 5, 0, 1]);
    }

    #[test]
    fn who_gives_up_holds_no_place() {
        let gate = Gate::new(1);
        let mut context = Context::from_waker(Waker::noop());
        let held = gate.enter(&prefix(&[])).now_or_never().expect("is free").expect("is let in");
        let (a, b) = (prefix(&[1]), prefix(&[2]));
        let mut gone = Box::pin(gate.enter(&a));
        let mut stays = Box::pin(gate.enter(&b));
        assert!(gone.as_mut().poll(&mut context).is_pending() && stays.as_mut().poll(&mut context).is_pending());
        assert_eq!(gate.load(1), (1, 2));
        drop(held);
        // It has its turn and leaves before it takes it.
        drop(gone);
        assert!(stays.as_mut().poll(&mut context).is_ready());
        drop(stays);
        assert_eq!(gate.load(1), (0, 0));
    }
}
