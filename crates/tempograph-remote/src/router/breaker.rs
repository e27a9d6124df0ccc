//! Leaving a back end alone that keeps failing.

use std::time::Duration;

/// When a breaker opens and how long it stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open at first; doubled each time its probe fails.
    pub rest: Duration,
    /// The longest it stays open.
    pub max_rest: Duration,
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self { failures: 5, rest: Duration::from_secs(30), max_rest: Duration::from_secs(600) }
    }
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// None do.
    Open,
    /// One does, to see.
    HalfOpen,
}

/// A circuit breaker: closed → open after failures in a row → half open after a rest, for one probe → closed or open.
#[derive(Clone, Debug)]
pub struct Breaker {
    options: BreakerOptions,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, rest: Duration },
    HalfOpen { rest: Duration, probing: bool },
}

/// Leave to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As usual.
    Call,
    /// The one call that shows whether it works again.
    Probe,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(options: BreakerOptions) -> Self {
        Self { options, state: State::Closed { failures: 0 } }
    }

    /// Where it stands at `now`, a time since any fixed moment.
    pub fn state(&self, now: Duration) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { until, .. } if now < until => BreakerState::Open,
            State::Open { .. } | State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Leave to call at `now`. Whoever gets it must report: [`Self::passed`], [`Self::failed`] or [`Self::gave_up`].
    ///
    /// # Errors
    /// How long it rests at least; zero while a probe is under way.
    pub fn admit(&mut self, now: Duration) -> Result<Admission, Duration> {
        match self.state {
            State::Closed { .. } => Ok(Admission::Call),
            State::Open { until, .. } if now < until => Err(until - now),
            State::HalfOpen { probing: true, .. } => Err(Duration::ZERO),
            State::Open { rest, .. } | State::HalfOpen { rest, .. } => {
                self.state = State::HalfOpen { rest, probing: true };
                Ok(Admission::Probe)
            }
        }
    }

    /// A call was answered.
    pub fn passed(&mut self, admission: Admission) {
        match (self.state, admission) {
            (State::Closed { .. }, _) | (_, Admission::Probe) => self.state = State::Closed { failures: 0 },
            // A call from before it opened says nothing of now.
            _ => {}
        }
    }

    /// A call failed, through no fault of the caller's.
    pub fn failed(&mut self, admission: Admission, now: Duration) {
        match (self.state, admission) {
            (State::Closed { failures }, _) if failures + 1 < self.options.failures => {
                self.state = State::Closed { failures: failures + 1 };
            }
            (State::Closed { .. }, _) => {
                let rest = self.options.rest;
                self.state = State::Open { until: now + rest, rest };
            }
            (State::HalfOpen { rest, .. }, Admission::Probe) => {
                let rest = (rest * 2).min(self.options.max_rest);
                self.state = State::Open { until: now + rest, rest };
            }
            _ => {}
        }
    }

    /// A call ended without showing anything: cancelled, or refused for what it asked.
    pub fn gave_up(&mut self, admission: Admission) {
        if let (State::HalfOpen { rest, .. }, Admission::Probe) = (self.state, admission) {
            self.state = State::HalfOpen { rest, probing: false };
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerOptions::default());
        for _ in 0..5 {
            let admission = breaker.admit(S(0)).expect("is closed");
            breaker.failed(admission, S(0));
        }
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_success_counts_anew() {
        let mut breaker = Breaker::new(BreakerOptions::default());
        for _ in 0..4 {
            breaker.failed(Admission::Call, S(0));
        }
        breaker.passed(Admission::Call);
        for _ in 0..4 {
            breaker.failed(Admission::Call, S(0));
        }
        assert_eq!(breaker.state(S(0)), BreakerState::Closed);
        breaker.failed(Admission::Call, S(0));
        assert_eq!((breaker.state(S(0)), breaker.admit(S(1))), (BreakerState::Open, Err(S(29))));
    }

    #[test]
    fn one_probe_decides() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(S(30)), Ok(Admission::Probe));
        assert_eq!(breaker.admit(S(30)), Err(S(0)), "one at a time");
        breaker.failed(Admission::Probe, S(31));
        assert_eq!(breaker.admit(S(60)), Err(S(31)), "twice as long");
        assert_eq!(breaker.admit(S(91)), Ok(Admission::Probe));
        breaker.passed(Admission::Probe);
        assert_eq!(breaker.admit(S(91)), Ok(Admission::Call));
    }

    #[test]
    fn a_probe_that_was_cancelled_leaves_room_for_another() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(S(30)), Ok(Admission::Probe));
        breaker.gave_up(Admission::Probe);
        assert_eq!(breaker.admit(S(30)), Ok(Admission::Probe));
    }

    #[test]
    fn calls_from_before_do_not_close_it() {
        let mut breaker = opened();
        breaker.passed(Admission::Call);
        breaker.failed(Admission::Call, S(5));
        assert_eq!(breaker.admit(S(10)), Err(S(20)));
    }

    proptest! {
        #[test]
        fn it_never_locks_up_and_never_probes_twice(steps in prop::collection::vec((0u8..4, 0u64..40), 0..200)) {
            let mut breaker = Breaker::new(BreakerOptions::default());
            let (mut now, mut out): (_, Vec<Admission>) = (S(0), Vec::new());
            for (what, pause) in steps {
                now += S(pause);
                match what {
                    0 => out.extend(breaker.admit(now).ok()),
                    _ => match (what, out.pop()) {
                        (1, Some(admission)) => breaker.passed(admission),
                        (2, Some(admission)) => breaker.failed(admission, now),
                        (3, Some(admission)) => breaker.gave_up(admission),
                        _ => {}
                    },
                }
                prop_assert!(out.iter().filter(|a| **a == Admission::Probe).count() <= 1);
            }
            for admission in out {
                breaker.gave_up(admission);
            }
            // However it went, the longest rest later it lets somebody through.
            prop_assert!(breaker.admit(now + BreakerOptions::default().max_rest).is_ok());
        }
    }
}
