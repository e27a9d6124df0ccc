//! How long to pause before the next try.

use std::time::Duration;

use parking_lot::Mutex;

/// Exponential back-off with full jitter: `random(0, min(cap, base · 2^try))`, after "Exponential Backoff And Jitter"
/// (AWS Architecture Blog, 2015). Clients that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Longest pause before the second try.
    pub base: Duration,
    /// Longest pause of all.
    pub cap: Duration,
    /// Tries of one model, the first included.
    pub tries: u32,
    /// The longest that a back end may ask to wait; beyond it the next model is asked.
    pub max_asked: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            tries: 4,
            // Limits by the minute are over by then.
            max_asked: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The pause after the try number `done`, from 0; `random` is in `[0, 1)`.
    pub fn pause(&self, done: u32, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(done).unwrap_or(u32::MAX);
        let longest = self.base.saturating_mul(factor).min(self.cap);
        longest.mul_f64(random.clamp(0.0, 1.0))
    }

    /// The pause where the back end said how long: not less, and a little more, at most a tenth, so that those who
    /// were told the same do not come back together.
    pub fn asked(&self, asked: Duration, random: f64) -> Duration {
        asked + (asked / 10).min(self.cap).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// Random numbers that spread pauses and name what is booked: `SplitMix64` (Steele, Lea, Flood 2014).
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    /// The numbers that begin with `seed`; it should be another one in each process.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `[0, 1)`.
    pub fn share(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A name that none before had.
    pub fn name(&self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pauses_stay_below_their_bound(done in 0u32..200, random in 0.0f64..1.0) {
            let backoff = Backoff::default();
            let pause = backoff.pause(done, random);
            prop_assert!(pause <= backoff.cap);
            prop_assert!(pause <= backoff.base.saturating_mul(1_u32.checked_shl(done).unwrap_or(u32::MAX)));
        }

        #[test]
        fn what_was_asked_for_is_waited_out(secs in 0u64..10_000, random in 0.0f64..1.0) {
            let asked = Duration::from_secs(secs);
            let pause = Backoff::default().asked(asked, random);
            prop_assert!(asked <= pause && pause <= asked + asked / 10);
        }
    }

    #[test]
    fn jitter_is_full() {
        let random = Dice::new(7);
        let backoff = Backoff::default();
        let mut pauses: Vec<_> = (0..1000).map(|_| backoff.pause(2, random.share()).as_secs_f64()).collect();
        pauses.sort_by(f64::total_cmp);
        assert!(pauses[0] < 0.1 && pauses[999] > 3.9 && pauses[999] < 4.0);
        let mean = pauses.iter().sum::<f64>() / 1000.0;
        assert!((mean - 2.0).abs() < 0.1, "{mean}");
    }
}
