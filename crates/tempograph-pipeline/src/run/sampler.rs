//! Which frames a stage sees.

use tempograph_core::{Frame, MediaTime, Sampling};

/// Decides frame by frame from nothing but the frame and the one before, so a resumed run picks
/// the same frames as one that was never stopped.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    origin: MediaTime,
    last_slot: Option<i128>,
}

impl Sampler {
    /// `origin` is the first presentation time of the video.
    pub(crate) fn new(sampling: Sampling, origin: MediaTime) -> Self {
        Self { sampling, origin, last_slot: None }
    }

    /// Whether the stage wants `frame`. Every frame must be asked about, in order.
    pub(crate) fn wants(&mut self, frame: &Frame) -> bool {
        match self.sampling {
            Sampling::Every => true,
            Sampling::Key => frame.key,
            Sampling::Rate { fps } => {
                // Half a millisecond of grace: 25 frames a second at 5 a second must give every
                // fifth frame although their times are rounded.
                let since = (frame.time - self.origin).nanos() + 500_000;
                let slot = (since as f64 * fps / 1e9).floor() as i128;
                let wanted = self.last_slot.is_none_or(|last| slot > last);
                self.last_slot = Some(self.last_slot.map_or(slot, |last| last.max(slot)));
                wanted
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tempograph_core::{Picture, Result, Rgb, RgbRequest, Size};

    use super::*;

    struct Nothing;
    impl Picture for Nothing {
        fn size(&self) -> Size {
            Size::default()
        }
        fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
            Ok(Arc::new(Rgb { size: request.size, data: Vec::new() }))
        }
    }

    fn frame(index: u64, nanos: i64) -> Frame {
        Frame {
            index,
            time: MediaTime::from_nanos(nanos),
            duration: MediaTime::ZERO,
            key: index == 0,
            picture: Arc::new(Nothing),
        }
    }

    #[test]
    fn five_a_second_of_thirty_is_every_sixth() {
        let mut sampler = Sampler::new(Sampling::Rate { fps: 5.0 }, MediaTime::ZERO);
        let picked: Vec<u64> = (0..30).filter(|&i| sampler.wants(&frame(i, i as i64 * 1_000_000_000 / 30))).collect();
        assert_eq!(picked, [0, 6, 12, 18, 24]);
    }

    proptest! {
        #[test]
        fn picks_do_not_depend_on_where_the_run_began(gaps in prop::collection::vec(1_000_000i64..300_000_000, 2..60), cut in 1usize..59, fps in 0.5f64..30.0) {
            let mut t = 0;
            let frames: Vec<Frame> = gaps.iter().enumerate().map(|(i, g)| { t += g; frame(i as u64, t) }).collect();
            let cut = cut.min(frames.len() - 1);
            let mut whole = Sampler::new(Sampling::Rate { fps }, MediaTime::ZERO);
            let all: Vec<bool> = frames.iter().map(|f| whole.wants(f)).collect();
            let mut resumed = Sampler::new(Sampling::Rate { fps }, MediaTime::ZERO);
            resumed.wants(&frames[cut - 1]);
            let rest: Vec<bool> = frames[cut..].iter().map(|f| resumed.wants(f)).collect();
            prop_assert_eq!(&all[cut..], &rest[..]);
        }
    }
}
