//! At most so many calls a minute.

use std::time::Duration;

/// Share of a minute's calls that may go out at once.
const BURST: u32 = 10;
/// What the limit is about.
const MINUTE_S: f64 = 60.0;

/// A bucket of tokens, one a call. Size and rate are such that no minute, wherever it begins, sees more than the limit:
/// a full bucket and what flows into it in a minute are the limit together.
#[derive(Clone, Debug)]
pub struct Bucket {
    size: f64,
    rate_per_s: f64,
    tokens: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket for `per_minute` calls, at least one.
    pub fn new(per_minute: u32) -> Self {
        let per_minute = per_minute.max(1);
        let burst = per_minute / BURST;
        let size = f64::from(1 + burst);
        Self { size, rate_per_s: f64::from(per_minute - burst) / MINUTE_S, tokens: size, at: Duration::ZERO }
    }

    /// Takes a token at `now`, a time since any fixed moment; else how long until there is one.
    ///
    /// # Errors
    /// The pause.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        /// What rounding may eat of a token.
        const SLACK: f64 = 1e-9;
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate_per_s).min(self.size);
        if self.tokens >= 1.0 - SLACK {
            self.tokens = (self.tokens - 1.0).max(0.0);
            return Ok(());
        }
        // Rounded up: who waits exactly so long must find one.
        Err(Duration::from_secs_f64((1.0 - self.tokens) / self.rate_per_s) + Duration::from_nanos(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_minute_sees_more_than_the_limit(limit in 1u32..300, gaps in prop::collection::vec(0u64..5_000, 1..600)) {
            let mut bucket = Bucket::new(limit);
            let (mut now, mut taken) = (Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                if bucket.take(now).is_ok() {
                    taken.push(now);
                }
            }
            for (i, from) in taken.iter().enumerate() {
                let within = taken[i..].iter().take_while(|t| **t < *from + Duration::from_secs(60)).count();
                prop_assert!(within <= limit as usize, "{within} of {limit}");
            }
        }

        #[test]
        fn who_waits_as_told_gets_a_token(limit in 1u32..1000, calls in 1usize..200) {
            let mut bucket = Bucket::new(limit);
            let mut now = Duration::ZERO;
            for _ in 0..calls {
                if let Err(pause) = bucket.take(now) {
                    prop_assert!(pause <= Duration::from_millis(60_001));
                    now += pause;
                    prop_assert!(bucket.take(now).is_ok());
                }
            }
        }

        #[test]
        fn the_limit_is_used(limit in 1u32..500) {
            // Who always wants to call gets all but the burst's rounding.
            let mut bucket = Bucket::new(limit);
            let (mut now, mut taken) = (Duration::ZERO, 0);
            while now < Duration::from_secs(600) {
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    Err(pause) => now += pause,
                }
            }
            prop_assert!(taken >= u64::from(limit) * 9, "{taken} of {limit} a minute in ten minutes");
        }
    }
}
