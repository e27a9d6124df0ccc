//! Repairs timestamps: what comes out never runs backwards.

use tempograph_core::MediaTime;

/// Jumps backwards beyond this are a new clock, not disorder.
const RESTART: i64 = 1_000_000_000;

/// Presentation times of one video stream, strictly increasing.
///
/// A missing stamp continues at the nominal frame rate. A stamp that repeats or steps back a
/// little is placed half a frame after the one before, so that the next good stamp still counts.
/// A stamp that steps back by more than a second starts a new clock (spliced recordings): it and
/// all that follow are moved to go on where the old one stopped.
#[derive(Debug)]
pub(crate) struct VideoClock {
    last: Option<i64>,
    nominal: i64,
    offset: i64,
    /// Stamps that had to be made up or moved.
    pub(crate) repaired: u64,
}

impl VideoClock {
    /// A clock for a stream of `fps` frames a second; 25 is assumed for an unknown rate.
    pub(crate) fn new(fps: f64) -> Self {
        let fps = if fps.is_finite() && (0.01..=1000.0).contains(&fps) { fps } else { 25.0 };
        Self { last: None, nominal: (1e9 / fps).round() as i64, offset: 0, repaired: 0 }
    }

    /// Time between frames at the nominal rate.
    pub(crate) fn nominal(&self) -> MediaTime {
        MediaTime::from_nanos(self.nominal)
    }

    /// The time of the next frame, given what the file says; `start` serves a first frame
    /// without one.
    pub(crate) fn next(&mut self, stamp: Option<MediaTime>, start: MediaTime) -> MediaTime {
        let stamp = stamp.map(|s| s.nanos().saturating_add(self.offset));
        let time = match (self.last, stamp) {
            (None, Some(t)) => t,
            (None, None) => {
                self.repaired += 1;
                start.nanos()
            }
            (Some(last), Some(t)) if t > last => t,
            (Some(last), Some(t)) if last.saturating_sub(t) > RESTART => {
                self.repaired += 1;
                let next = last.saturating_add(self.nominal);
                self.offset = self.offset.saturating_add(next.saturating_sub(t));
                next
            }
            (Some(last), Some(_)) => {
                self.repaired += 1;
                last.saturating_add((self.nominal / 2).max(1))
            }
            (Some(last), None) => {
                self.repaired += 1;
                last.saturating_add(self.nominal)
            }
        };
        self.last = Some(time);
        MediaTime::from_nanos(time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(fps: f64, stamps: &[Option<i64>]) -> Vec<i64> {
        let mut clock = VideoClock::new(fps);
        let stamp = |s: &Option<i64>| clock.next(s.map(MediaTime::from_millis), MediaTime::ZERO).nanos() / 1_000_000;
        stamps.iter().map(stamp).collect()
    }

    #[test]
    fn good_stamps_pass_and_bad_ones_are_repaired() {
        assert_eq!(run(25.0, &[Some(0), Some(40), Some(100)]), [0, 40, 100]);
        assert_eq!(run(25.0, &[Some(0), None, Some(80)]), [0, 40, 80]);
        assert_eq!(run(25.0, &[Some(40), Some(40), Some(80)]), [40, 60, 80]);
        assert_eq!(run(25.0, &[None, Some(40)]), [0, 40]);
    }

    #[test]
    fn a_restarted_clock_goes_on() {
        assert_eq!(run(25.0, &[Some(60_000), Some(60_040), Some(0), Some(40)]), [60_000, 60_040, 60_080, 60_120]);
    }

    proptest! {
        #[test]
        fn always_increases(stamps in prop::collection::vec(prop::option::of(-5_000i64..5_000), 1..60), fps in -1.0f64..2000.0) {
            let mut clock = VideoClock::new(fps);
            let times: Vec<_> = stamps.iter().map(|s| clock.next(s.map(MediaTime::from_millis), MediaTime::ZERO)).collect();
            prop_assert!(times.windows(2).all(|w| w[0] < w[1]));
        }
    }
}
