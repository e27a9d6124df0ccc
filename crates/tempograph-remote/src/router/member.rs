//! One model as the router sees it: what it may cost, how often it may be asked, and how it fares.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tempograph_core::{
    Error, ErrorKind,
    vlm::{Ask, CallError, Limits, Part, Retry, Usage, Vlm},
};
use tokio::time::Instant;

use super::{
    backoff::Backoff,
    breaker::{Admission, Breaker, BreakerOptions, BreakerState},
    bucket::Bucket,
    gate::Gate,
};
use crate::{meter::estimate_tokens_in, prices::Price};

/// How long a call may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallTimeouts {
    /// Until the first token: a cold start and reading the question are part of it.
    pub first_token: Duration,
    /// Between two tokens.
    pub idle: Duration,
    /// In all, tries and pauses included, once it is the call's turn.
    pub total: Duration,
}

impl CallTimeouts {
    /// For models behind a network.
    pub const REMOTE: Self =
        Self { first_token: Duration::from_secs(180), idle: Duration::from_secs(60), total: Duration::from_secs(900) };

    /// For models on this machine's processor, which may read pictures for minutes.
    pub const LOCAL: Self = Self {
        first_token: Duration::from_secs(1800),
        idle: Duration::from_secs(120),
        total: Duration::from_secs(7200),
    };
}

/// What a member is allowed and costs.
#[derive(Clone, Debug)]
pub struct MemberOptions {
    /// Back end, e.g. `openai`: how records name it.
    pub backend: String,
    /// What its tokens cost; `None` when nobody knows.
    pub price: Option<Price>,
    /// Tokens it may think on top of those it may write; they are paid as written.
    pub thinking_tokens: u32,
    /// Calls a minute at most.
    pub per_minute: Option<u32>,
    /// Calls a day (UTC) at most.
    pub per_day: Option<u64>,
    /// Calls at once, besides what the model itself allows.
    pub concurrency: Option<u32>,
    /// How long a call may be silent.
    pub timeouts: CallTimeouts,
    /// How it is tried again.
    pub backoff: Backoff,
    /// When it is left alone.
    pub breaker: BreakerOptions,
}

impl MemberOptions {
    /// No limits, with the time-outs and the price of where the model runs.
    pub fn new(backend: impl Into<String>, remote: bool) -> Self {
        Self {
            backend: backend.into(),
            price: (!remote).then(|| Price::flat(0.0, 0.0, 0.0)),
            thinking_tokens: 0,
            per_minute: None,
            per_day: None,
            concurrency: None,
            timeouts: if remote { CallTimeouts::REMOTE } else { CallTimeouts::LOCAL },
            backoff: Backoff::default(),
            breaker: BreakerOptions::default(),
        }
    }
}

/// A model with its limits; shared by every chain it is part of.
pub struct Member {
    pub(super) vlm: Arc<dyn Vlm>,
    pub(super) options: MemberOptions,
    pub(super) gate: Arc<Gate>,
    born: Instant,
    slots: u32,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    bucket: Option<Bucket>,
    /// It asked not to be called before.
    quiet_until: Option<Instant>,
    last_error: Option<String>,
}

/// How a member fares.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberHealth {
    /// Back end and model, e.g. `openai:gpt-5-mini`.
    pub name: String,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Calls under way.
    pub calls: u32,
    /// Calls that wait.
    pub waiting: usize,
    /// Code of its last failure since it last answered.
    pub last_error: Option<String>,
}

impl Member {
    /// A member that nobody has asked yet.
    pub fn new(vlm: Arc<dyn Vlm>, options: MemberOptions) -> Arc<Self> {
        let own = vlm.limits().concurrency.max(1);
        let slots = options.concurrency.map_or(own, |set| set.clamp(1, own));
        Arc::new(Self {
            gate: Gate::new(slots),
            slots,
            born: Instant::now(),
            state: Mutex::new(State {
                breaker: Breaker::new(options.breaker),
                bucket: options.per_minute.map(Bucket::new),
                quiet_until: None,
                last_error: None,
            }),
            vlm,
            options,
        })
    }

    /// Back end and model, e.g. `openai:gpt-5-mini`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.options.backend, self.vlm.limits().model)
    }

    /// What the model takes.
    pub fn limits(&self) -> &Limits {
        self.vlm.limits()
    }

    /// Calls that may run at once.
    pub fn slots(&self) -> u32 {
        self.slots
    }

    /// How it fares.
    pub fn health(&self) -> MemberHealth {
        let now = self.now();
        let (calls, waiting) = self.gate.load(self.slots);
        let state = self.state.lock();
        MemberHealth {
            name: self.name(),
            breaker: state.breaker.state(now),
            calls,
            waiting,
            last_error: state.last_error.clone(),
        }
    }

    fn now(&self) -> Duration {
        self.born.elapsed()
    }

    /// Whether the question can be put to this model at all.
    pub(super) fn takes(&self, ask: &Ask) -> Result<(), Error> {
        let limits = self.vlm.limits();
        let (mut images, mut videos) = (0_usize, 0_usize);
        for part in ask.messages.iter().flat_map(|m| &m.parts) {
            match part {
                Part::Text(_) => {}
                Part::Image(_) => images += 1,
                Part::Frames(frames) => images += frames.len(),
                Part::Video(_) => videos += 1,
            }
        }
        if videos > 0 && !limits.video {
            return Err(Error::new(ErrorKind::Unsupported, format!("`{}` takes no video files", self.name())));
        }
        if images > limits.images as usize {
            let message = format!("`{}` takes {} pictures in one question, not {images}", self.name(), limits.images);
            return Err(Error::new(ErrorKind::OverBudget, message).with_hint("send fewer frames"));
        }
        Ok(())
    }

    /// The most a try can cost; `None` when nobody knows.
    pub(super) fn most_usd(&self, ask: &Ask) -> Option<f64> {
        let price = self.options.price?;
        let tokens_in = estimate_tokens_in(ask, self.vlm.limits());
        let tokens_out = u64::from(ask.sampling.max_tokens) + u64::from(self.options.thinking_tokens);
        Some(price.cost(&Usage { tokens_in, tokens_cached: 0, tokens_out }))
    }

    /// Refuses while the breaker is open, so that nobody waits in vain.
    pub(super) fn not_resting(&self) -> Result<(), CallError> {
        let now = self.now();
        let state = self.state.lock().breaker.state(now);
        if state == BreakerState::Open { Err(self.resting(None)) } else { Ok(()) }
    }

    pub(super) fn admit(self: &Arc<Self>) -> Result<Leave, CallError> {
        let admitted = self.state.lock().breaker.admit(self.now());
        match admitted {
            Ok(admission) => Ok(Leave { member: Arc::clone(self), admission: Some(admission) }),
            Err(rest) => Err(self.resting(Some(rest))),
        }
    }

    fn resting(&self, rest: Option<Duration>) -> CallError {
        let message = match rest {
            Some(Duration::ZERO) => format!("`{}` is being tried after several failures", self.name()),
            _ => format!("`{}` is left alone for a while after several failures", self.name()),
        };
        let error = Error::new(ErrorKind::BackendUnavailable, message)
            .with_hint("check that the back end runs; another model can stand in through `ask.vision` and its like");
        CallError { error, retry: Retry::After(rest.unwrap_or_default()) }
    }

    /// How long until the next call may go out, and takes its token when that is now.
    pub(super) fn turn(&self) -> Result<(), Duration> {
        let now = Instant::now();
        let since = self.now();
        let mut state = self.state.lock();
        if let Some(until) = state.quiet_until.filter(|until| *until > now) {
            return Err(until - now);
        }
        state.bucket.as_mut().map_or(Ok(()), |bucket| bucket.take(since))
    }

    /// Nobody calls before `pause` has passed.
    pub(super) fn quiet(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state.lock();
        state.quiet_until = Some(state.quiet_until.map_or(until, |known| known.max(until)));
    }
}

/// Leave to call a member once; what became of it moves its breaker.
pub(super) struct Leave {
    member: Arc<Member>,
    admission: Option<Admission>,
}

impl Leave {
    pub(super) fn passed(mut self) {
        if let Some(admission) = self.admission.take() {
            let mut state = self.member.state.lock();
            state.breaker.passed(admission);
            state.last_error = None;
        }
    }

    pub(super) fn failed(mut self, error: &CallError) {
        let Some(admission) = self.admission.take() else { return };
        let now = self.member.now();
        let mut state = self.member.state.lock();
        state.last_error = Some(error.error.code().to_string());
        // What was asked wrongly, or too often, does not show that the back end is down.
        if matches!(error.error.kind(), ErrorKind::BackendUnavailable | ErrorKind::TimedOut | ErrorKind::Inference) {
            state.breaker.failed(admission, now);
        } else {
            state.breaker.gave_up(admission);
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            self.member.state.lock().breaker.gave_up(admission);
        }
    }
}
