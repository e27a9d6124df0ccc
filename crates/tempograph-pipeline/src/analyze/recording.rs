//! The running clock of what a listening stage has heard: where blocks join, overlap or leave a gap.

use tempograph_core::{AudioBlock, MediaTime, SPEECH_SAMPLE_RATE};

/// A longer gap in the audio starts a recording of its own; a shorter one is heard as silence.
const LONGEST_FILLED_GAP: MediaTime = MediaTime::from_millis(1000);
/// Blocks may be this far off the running clock, which containers with coarse time stamps are.
const JITTER: MediaTime = MediaTime::from_millis(40);

/// The length of `samples`.
pub(super) fn duration(samples: u64) -> MediaTime {
    MediaTime::from_ticks(i64::try_from(samples).unwrap_or(i64::MAX), 1, SPEECH_SAMPLE_RATE as i32)
}

/// The samples that fit into `time`, rounded.
pub(super) fn samples(time: MediaTime) -> u64 {
    let ticks = i128::from(time.nanos()) * i128::from(SPEECH_SAMPLE_RATE);
    u64::try_from((ticks + 500_000_000).div_euclid(1_000_000_000)).unwrap_or(0)
}

/// Audio without a long gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Recording {
    /// Presentation time of its first sample; none before the first block.
    pub(super) origin: Option<MediaTime>,
    /// Samples heard so far.
    pub(super) heard: u64,
}

/// How a block goes on from what was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Join {
    /// It begins a recording of its own.
    Anew,
    /// So many samples of silence come before it.
    After(usize),
    /// So many of its samples were heard already.
    Overlap(usize),
}

impl Recording {
    pub(super) fn join(&self, block: &AudioBlock) -> Join {
        let Some(origin) = self.origin else { return Join::Anew };
        let expected = origin + duration(self.heard);
        if block.start > expected + LONGEST_FILLED_GAP {
            Join::Anew
        } else if block.start > expected + JITTER {
            Join::After(samples(block.start - expected) as usize)
        } else if block.start + JITTER < expected {
            Join::Overlap(samples(expected - block.start) as usize)
        } else {
            Join::After(0)
        }
    }
}

/// A float sample as 16 bits: what is kept between runs is what is analysed.
pub(super) fn quantized(sample: f32) -> i16 {
    // Not-a-number becomes 0.
    (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16
}
