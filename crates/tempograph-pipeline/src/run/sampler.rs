//! Which frames a stage sees.

use tempograph_core::{Frame, MediaTime, Sampling};

use crate::analyze::gate::Look;

/// Frames that differ by this much from afar belong to two shots. On the public videos hard cuts have 28 and more, motion 20
/// and less. A flash costs one look.
const CUT: f32 = 20.0;

/// Decides frame by frame from nothing but the frames up to this one, so a resumed run picks the same frames as one that
/// was never stopped.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    origin: MediaTime,
    last_slot: Option<i128>,
    /// When the frame that was picked last began.
    picked: Option<MediaTime>,
    before: Option<Before>,
}

/// The frame before, where it may be picked if its shot ended with it.
#[derive(Debug)]
struct Before {
    look: Look,
    frame: Frame,
}

impl Sampler {
    /// `origin` is the first presentation time of the video.
    pub(crate) fn new(sampling: Sampling, origin: MediaTime) -> Self {
        Self { sampling, origin, last_slot: None, picked: None, before: None }
    }

    /// What the stage gets now: the frame before `frame`, if that turns out to have been the last of its shot, and
    /// `frame` itself. Every frame must be asked about, in order.
    pub(crate) fn picks(&mut self, frame: &Frame) -> [Option<Frame>; 2] {
        let wanted = self.wants(frame);
        let last = self.watch_for_cut(frame, wanted);
        let now = wanted.then(|| frame.clone());
        if let Some(frame) = now.as_ref().or(last.as_ref()) {
            self.picked = Some(frame.time);
        }
        [last, now]
    }

    /// What the stage gets when no frame follows.
    pub(crate) fn end(&mut self) -> Option<Frame> {
        let last = self.before.take()?.frame;
        self.is_apart(&last).then_some(last)
    }

    fn wants(&mut self, frame: &Frame) -> bool {
        match self.sampling {
            Sampling::Every => true,
            Sampling::Key => frame.key,
            Sampling::Rate { fps } | Sampling::Shots { fps } => {
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

    /// The frame before, if a shot ended with it.
    fn watch_for_cut(&mut self, frame: &Frame, wanted: bool) -> Option<Frame> {
        if !matches!(self.sampling, Sampling::Shots { .. }) {
            return None;
        }
        let may_end = !wanted && self.is_apart(frame);
        if !may_end && self.before.is_none() {
            return None;
        }
        // A picture that cannot be converted is the stage's to complain about, when it gets there; what was before it
        // is not the frame before the next.
        let now = Look::at(frame.picture.as_ref()).ok();
        let cut = |before: &Before| now.as_ref().is_some_and(|now| now.distance(&before.look) >= CUT);
        let last = self.before.take().filter(cut).map(|before| before.frame).filter(|last| self.is_apart(last));
        self.before = now.filter(|_| may_end).map(|look| Before { look, frame: frame.clone() });
        last
    }

    /// Whether `frame` is far enough from what was picked last to be worth a look of its own.
    fn is_apart(&self, frame: &Frame) -> bool {
        let Sampling::Shots { fps } = self.sampling else { return false };
        self.picked.is_none_or(|picked| (frame.time - picked).as_secs_f64() >= 0.5 / fps)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use tempograph_core::{Error, ErrorKind, Picture, Result, Rgb, RgbRequest, Size};

    use super::*;

    /// One grey level; none can be seen of `BROKEN`.
    struct Plain(u8);
    const BROKEN: u8 = 255;
    impl Picture for Plain {
        fn size(&self) -> Size {
            Size::new(64, 36)
        }
        fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
            if self.0 == BROKEN {
                return Err(Error::new(ErrorKind::InvalidData, "broken"));
            }
            let data = vec![self.0; 3 * request.size.area() as usize];
            Ok(Arc::new(Rgb { size: request.size, data }))
        }
    }

    fn frame(index: u64, nanos: i64, level: u8) -> Frame {
        Frame {
            index,
            time: MediaTime::from_nanos(nanos),
            duration: MediaTime::ZERO,
            key: index == 0,
            picture: Arc::new(Plain(level)),
        }
    }

    /// The numbers of what is picked of `frames`, ended by their end.
    fn picked(sampling: Sampling, frames: &[Frame]) -> Vec<u64> {
        let mut sampler = Sampler::new(sampling, MediaTime::ZERO);
        let mut picked: Vec<Frame> = frames.iter().flat_map(|frame| sampler.picks(frame)).flatten().collect();
        picked.extend(sampler.end());
        picked.iter().map(|frame| frame.index).collect()
    }

    /// Ten frames a second whose level is that of `level`.
    fn tenths(count: u64, level: impl Fn(u64) -> u8) -> Vec<Frame> {
        (0..count).map(|i| frame(i, i as i64 * 100_000_000, level(i))).collect()
    }

    #[test]
    fn five_a_second_of_thirty_is_every_sixth() {
        let frames: Vec<Frame> = (0..30).map(|i| frame(i, i as i64 * 1_000_000_000 / 30, 0)).collect();
        assert_eq!(picked(Sampling::Rate { fps: 5.0 }, &frames), [0, 6, 12, 18, 24]);
    }

    #[test]
    fn the_last_frame_of_a_shot_is_picked_unless_one_was_just_before() {
        let shots = Sampling::Shots { fps: 1.0 };
        assert_eq!(picked(shots, &tenths(20, |_| 9)), [0, 10, 19], "nothing but the end");
        assert_eq!(picked(shots, &tenths(20, |i| if i < 7 { 9 } else { 90 })), [0, 6, 10, 19]);
        assert_eq!(picked(shots, &tenths(20, |i| if i < 4 { 9 } else { 90 })), [0, 10, 19], "seen 0.3 s before");
        assert_eq!(picked(shots, &tenths(14, |i| if i < 11 { 9 } else { 90 })), [0, 10], "picked already");
        assert_eq!(picked(shots, &tenths(14, |i| (i * 10) as u8)), [0, 10], "motion is no cut");
    }

    #[test]
    fn a_picture_that_cannot_be_seen_ends_no_shot_and_brings_none_back() {
        let level = |i| {
            if i == 10 {
                BROKEN
            } else if i < 10 {
                9
            } else {
                90
            }
        };
        assert_eq!(picked(Sampling::Shots { fps: 1.0 }, &tenths(14, level)), [0, 10]);
    }

    proptest! {
        #[test]
        fn picks_at_a_rate_do_not_depend_on_where_the_run_began(gaps in prop::collection::vec(1_000_000i64..300_000_000, 2..60), cut in 1usize..59, fps in 0.5f64..30.0) {
            let mut t = 0;
            let frames: Vec<Frame> = gaps.iter().enumerate().map(|(i, g)| { t += g; frame(i as u64, t, 0) }).collect();
            let cut = cut.min(frames.len() - 1);
            let mut whole = Sampler::new(Sampling::Rate { fps }, MediaTime::ZERO);
            let all: Vec<bool> = frames.iter().map(|f| whole.picks(f)[1].is_some()).collect();
            let mut resumed = Sampler::new(Sampling::Rate { fps }, MediaTime::ZERO);
            resumed.picks(&frames[cut - 1]);
            let rest: Vec<bool> = frames[cut..].iter().map(|f| resumed.picks(f)[1].is_some()).collect();
            prop_assert_eq!(&all[cut..], &rest[..]);
        }

        #[test]
        fn ends_of_shots_are_added_to_the_rate_and_lie_apart(
            seen in prop::collection::vec((1_000_000i64..300_000_000, any::<u8>()), 2..60), fps in 0.5f64..30.0,
        ) {
            let mut t = 0;
            let frames: Vec<Frame> =
                seen.iter().enumerate().map(|(i, (gap, level))| { t += gap; frame(i as u64, t, *level) }).collect();
            let rate = picked(Sampling::Rate { fps }, &frames);
            let shots = picked(Sampling::Shots { fps }, &frames);
            prop_assert!(shots.is_sorted_by(|a, b| a < b));
            prop_assert!(rate.iter().all(|i| shots.contains(i)));
            for pair in shots.windows(2).filter(|pair| !rate.contains(&pair[1])) {
                let apart = (frames[pair[1] as usize].time - frames[pair[0] as usize].time).as_secs_f64();
                prop_assert!(apart >= 0.5 / fps, "{apart}");
            }
        }
    }
}
