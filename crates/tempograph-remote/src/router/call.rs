//! One call: down the chain, with its tries, until somebody answers.

use std::{sync::Arc, time::Duration};

use tempograph_core::{
    Error, ErrorKind,
    vlm::{Ask, CallError, Chunk, Finish, KnownAnswer, Retry, Usage},
};
use tokio::{
    sync::mpsc::Sender,
    time::{Instant, sleep},
};

use super::{
    Delivery, Inner,
    digest::Digest,
    member::{Leave, Member},
    next_before,
    record::Entry,
    secs,
};
use crate::meter::estimate_tokens_in;

/// The longest answer that is held, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// Bytes of a token written, where the back end does not count them.
const BYTES_A_TOKEN_OUT: u64 = 4;

type Chunks = Sender<Result<Chunk, CallError>>;

/// Why a member gave no answer.
enum Failed {
    /// The next one may.
    Next(CallError),
    /// The call is over: part of an answer was passed on already.
    Over(CallError),
}

/// Answers `ask` into `chunks`.
pub(super) async fn run(router: Arc<Inner>, ask: Ask, chunks: Chunks) {
    let digest = Digest::of(&ask);
    if answer_known(&router, &ask, &digest, &chunks).await {
        return;
    }
    let mut failures: Vec<(String, CallError)> = Vec::new();
    for member in &router.chain {
        if let Err(error) = member.takes(&ask) {
            failures.push((member.name(), error.into()));
            continue;
        }
        match Turn::new(&router, member, &ask, &digest, &chunks).run().await {
            Ok(()) => return,
            Err(Failed::Next(error)) => {
                tracing::debug!(member = member.name(), error = %error, "a model gave no answer");
                failures.push((member.name(), error));
            }
            Err(Failed::Over(error)) => {
                chunks.send(Err(error)).await.ok();
                return;
            }
        }
    }
    chunks.send(Err(all_failed(&router, failures))).await.ok();
}

/// Answers from what is known already; says whether it did.
async fn answer_known(router: &Inner, ask: &Ask, digest: &Digest, chunks: &Chunks) -> bool {
    let Some(cache) = &router.shared.cache else { return false };
    for member in &router.chain {
        let started = Instant::now();
        let known = match cache.answer(&digest.key(&member.vlm.identity())) {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(%error, "the answers known already cannot be read");
                return false;
            }
        };
        let Some(known) = known.filter(|k| k.finish == Finish::Stop) else { continue };
        let mut entry = entry(router, member, ask, started);
        entry.known();
        drop(entry);
        for chunk in [Chunk::Text(known.text), Chunk::Usage(Usage::default()), Chunk::Done(known.finish)] {
            if chunks.send(Ok(chunk)).await.is_err() {
                break;
            }
        }
        return true;
    }
    false
}

fn entry(router: &Inner, member: &Member, ask: &Ask, started: Instant) -> Entry {
    let calls = Arc::clone(&router.shared.calls);
    Entry::new(calls, ask.purpose, &member.options.backend, &member.limits().model, started)
}

/// What is said when nobody answers: the failure of the model that was wanted, with the others' beside it.
fn all_failed(router: &Inner, mut failures: Vec<(String, CallError)>) -> CallError {
    if failures.len() == 1 {
        return failures.remove(0).1;
    }
    let list: Vec<_> = failures.iter().map(|(name, e)| format!("{name}: {e}")).collect();
    let Some((_, first)) = failures.into_iter().next() else {
        return Error::new(ErrorKind::Internal, "a chain without models").into();
    };
    let message = format!("no model of `{}` answers: {}", router.task.name(), list.join("; "));
    let mut error = Error::new(first.error.kind(), message);
    if let Some(hint) = first.error.hint() {
        error = error.with_hint(hint.to_owned());
    }
    CallError { error: error.with_source(first.error), retry: first.retry }
}

/// One member's turn at a call.
struct Turn<'a> {
    router: &'a Inner,
    member: &'a Arc<Member>,
    ask: &'a Ask,
    digest: &'a Digest,
    chunks: &'a Chunks,
    entry: Entry,
}

/// What a try came to.
struct Attempt {
    text: String,
    finish: Finish,
}

impl<'a> Turn<'a> {
    fn new(router: &'a Inner, member: &'a Arc<Member>, ask: &'a Ask, digest: &'a Digest, chunks: &'a Chunks) -> Self {
        let entry = entry(router, member, ask, Instant::now());
        Self { router, member, ask, digest, chunks, entry }
    }

    async fn run(mut self) -> Result<(), Failed> {
        let outcome = self.tries().await;
        match &outcome {
            Ok(()) => self.entry.answered(),
            Err(Failed::Next(error) | Failed::Over(error)) => self.entry.failed(error.error.kind()),
        }
        outcome
    }

    async fn tries(&mut self) -> Result<(), Failed> {
        let backoff = self.member.options.backoff;
        let mut deadline = None;
        for done in 0..backoff.tries.max(1) {
            if done > 0 {
                self.entry.retried();
            }
            self.member.not_resting().map_err(Failed::Next)?;
            let permit = self.member.gate.enter(&self.digest.prefixes).await.map_err(Failed::Next)?;
            // Time counts from when it is the call's turn: waiting behind others is not the back end's fault.
            let deadline = *deadline.get_or_insert(Instant::now() + self.member.options.timeouts.total);
            self.wait_for_turn(deadline).await?;
            // It may have broken while others were ahead.
            let leave = self.member.admit().map_err(Failed::Next)?;
            let error = match self.attempt(leave, deadline).await {
                Ok(attempt) => return self.answer(attempt).await,
                Err(Failed::Over(error)) => return Err(Failed::Over(error)),
                Err(Failed::Next(error)) => error,
            };
            drop(permit);
            let share = self.router.shared.dice.share();
            let pause = match error.retry {
                Retry::Never => return Err(Failed::Next(error)),
                Retry::Backoff => backoff.pause(done, share),
                Retry::After(asked) if asked <= backoff.max_asked => {
                    self.member.quiet(asked);
                    backoff.asked(asked, share)
                }
                // What it asks for is longer than anybody waits.
                Retry::After(_) => return Err(Failed::Next(error)),
            };
            if done + 1 >= backoff.tries.max(1) || Instant::now() + pause >= deadline {
                return Err(Failed::Next(error));
            }
            tracing::debug!(member = self.member.name(), pause_s = pause.as_secs_f64(), error = %error, "tries again");
            sleep(pause).await;
        }
        Err(Failed::Next(Error::new(ErrorKind::Internal, "a call without a try").into()))
    }

    /// Waits until limits by the minute and what the back end asked for let a call out.
    async fn wait_for_turn(&self, deadline: Instant) -> Result<(), Failed> {
        if let Some(most) = self.member.options.per_day
            && let Some(ledger) = &self.router.shared.ledger
        {
            let name = self.member.name();
            let made = ledger.calls(self.router.shared.clock.day(), &name).map_err(|e| Failed::Next(e.into()))?;
            if made >= most {
                let message = format!("the {most} calls a day of `{name}` are used up");
                let error = Error::new(ErrorKind::RateLimited, message)
                    .with_hint("they begin anew at 00:00 UTC; another model can be named after it in the chain");
                return Err(Failed::Next(error.into()));
            }
        }
        while let Err(pause) = self.member.turn() {
            if Instant::now() + pause >= deadline {
                let message = format!("`{}` may not be asked for {} s more", self.member.name(), secs(pause));
                let error = Error::new(ErrorKind::RateLimited, message);
                return Err(Failed::Next(CallError { error, retry: Retry::After(pause) }));
            }
            sleep(pause.max(Duration::from_millis(1))).await;
        }
        Ok(())
    }

    /// Puts the question once.
    async fn attempt(&mut self, leave: Leave, deadline: Instant) -> Result<Attempt, Failed> {
        let shared = &self.router.shared;
        let most = match self.member.most_usd(self.ask) {
            Some(usd) => usd,
            None if shared.meter.is_limited() => {
                let message = format!("nobody knows what `{}` costs, and spending is limited", self.member.name());
                let error = Error::new(ErrorKind::CostLimit, message)
                    .with_hint("set its price, e.g. `openai.price`, to `0/0` for a server of your own");
                return Err(Failed::Next(error.into()));
            }
            None => 0.0,
        };
        let reservation = shared.meter.reserve(most).map_err(|e| Failed::Next(e.into()))?;
        let mut bill =
            Bill { turn: self, reservation: Some(reservation), usage: Usage::default(), text: String::new() };
        let heard = bill.hear(deadline).await;
        let text = std::mem::take(&mut bill.text);
        bill.settle(text.len());
        drop(bill);
        match heard {
            Ok(finish) => {
                leave.passed();
                Ok(Attempt { text, finish })
            }
            Err(error) => {
                leave.failed(&error);
                let passed_on = self.router.delivery == Delivery::Streaming && !text.is_empty();
                Err(if passed_on { Failed::Over(error) } else { Failed::Next(error) })
            }
        }
    }

    async fn answer(&mut self, attempt: Attempt) -> Result<(), Failed> {
        let Attempt { text, finish } = attempt;
        if let Some(cache) = self.router.shared.cache.as_ref().filter(|_| finish == Finish::Stop) {
            let known = KnownAnswer { text: text.clone(), finish, usage: self.entry.usage() };
            if let Err(error) = cache.remember(&self.digest.key(&self.member.vlm.identity()), &known) {
                tracing::warn!(%error, "an answer could not be kept");
            }
        }
        self.entry.answered();
        if self.router.delivery == Delivery::Whole && !text.is_empty() {
            self.chunks.send(Ok(Chunk::Text(text))).await.ok();
        }
        self.chunks.send(Ok(Chunk::Usage(self.entry.usage()))).await.ok();
        self.chunks.send(Ok(Chunk::Done(finish))).await.ok();
        Ok(())
    }
}

/// What a try has used so far. It is booked when the try ends, however it ends.
struct Bill<'t, 'a> {
    turn: &'t mut Turn<'a>,
    reservation: Option<crate::meter::Reservation>,
    usage: Usage,
    text: String,
}

impl Bill<'_, '_> {
    /// Hears the answer to its end.
    async fn hear(&mut self, deadline: Instant) -> Result<Finish, CallError> {
        let timeouts = self.turn.member.options.timeouts;
        let streaming = self.turn.router.delivery == Delivery::Streaming;
        let mut stream = self.turn.member.vlm.generate(self.turn.ask.clone());
        let mut last = Instant::now();
        loop {
            let patience = if self.text.is_empty() { timeouts.first_token } else { timeouts.idle };
            let until = deadline.min(last + patience);
            let Some(chunk) = next_before(&mut stream, until).await else {
                return Err(self.too_late(until == deadline, patience));
            };
            match chunk {
                Some(Ok(Chunk::Text(piece))) if piece.is_empty() => {}
                Some(Ok(Chunk::Text(piece))) => {
                    last = Instant::now();
                    self.turn.entry.first_token();
                    if self.text.len() + piece.len() > MAX_ANSWER {
                        let message = format!("`{}` writes more than {MAX_ANSWER} bytes", self.turn.member.name());
                        return Err(Error::new(ErrorKind::AnswerInvalid, message).into());
                    }
                    self.text.push_str(&piece);
                    if streaming {
                        self.turn.chunks.send(Ok(Chunk::Text(piece))).await.ok();
                    }
                }
                Some(Ok(Chunk::Usage(usage))) => self.usage = usage,
                Some(Ok(Chunk::Done(finish))) => return Ok(finish),
                Some(Err(error)) => return Err(error),
                None => {
                    let message = format!("the answer of `{}` broke off before its end", self.turn.member.name());
                    return Err(CallError::passing(Error::new(ErrorKind::AnswerInvalid, message)));
                }
            }
        }
    }

    fn too_late(&self, in_all: bool, patience: Duration) -> CallError {
        let name = self.turn.member.name();
        let timeouts = self.turn.member.options.timeouts;
        if in_all {
            let message = format!("`{name}` took longer than {} s", secs(timeouts.total));
            let hint = "raise `ask.total_s`, or ask for less at once";
            return CallError::fatal(Error::new(ErrorKind::TimedOut, message).with_hint(hint));
        }
        let (what, hint) = if self.text.is_empty() {
            ("did not begin to answer", "raise `ask.first_token_s` for a back end that starts cold")
        } else {
            ("fell silent in the middle of its answer", "raise `ask.idle_s` for a slow model")
        };
        let message = format!("`{name}` {what} for {} s", secs(patience));
        CallError::passing(Error::new(ErrorKind::TimedOut, message).with_hint(hint))
    }

    /// Books what the try used. Where the back end did not say, and began to answer, it is estimated.
    fn settle(&mut self, written: usize) {
        let Some(reservation) = self.reservation.take() else { return };
        let member = self.turn.member;
        let mut usage = self.usage;
        if member.limits().remote && written > 0 {
            if usage.tokens_in == 0 {
                usage.tokens_in = estimate_tokens_in(self.turn.ask, member.limits());
            }
            if usage.tokens_out == 0 {
                usage.tokens_out = (written as u64).div_ceil(BYTES_A_TOKEN_OUT);
            }
        }
        let cost = member.options.price.map_or(0.0, |price| price.cost(&usage));
        self.turn.entry.spent(usage, cost);
        // What costs nothing and is not counted needs no place in the books.
        if cost > 0.0 || member.options.per_day.is_some() {
            reservation.settle(self.turn.router.shared.dice.name(), member.name(), usage, cost);
        }
    }
}

impl Drop for Bill<'_, '_> {
    fn drop(&mut self) {
        self.settle(self.text.len());
    }
}
