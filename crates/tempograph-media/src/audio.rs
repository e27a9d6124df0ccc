//! Cuts decoded audio into blocks that start when they say.

use std::sync::Arc;

use tempograph_core::{AudioBlock, MediaTime, SPEECH_SAMPLE_RATE};

use crate::{
    av::{AvError, AvFrame},
    resample::{AudioFormat, Resampler},
};

/// Samples in a block: half a second.
const BLOCK: usize = SPEECH_SAMPLE_RATE as usize / 2;
/// Stamps that disagree by less than this with the count of samples are rounding.
const TOLERANCE: i64 = 50_000_000;
/// Steps back beyond this are a new clock.
const RESTART: i64 = 1_000_000_000;

/// Where samples lie on the presentation clock.
///
/// Within a run, time is counted in samples; a stamp more than 50 ms later than the count starts
/// a new run, which leaves a gap; samples that lie earlier than the count are dropped until the
/// clock has caught up.
#[derive(Debug)]
struct AudioClock {
    /// Start of the run and its input samples so far.
    run: Option<(i64, i64)>,
    rate: i64,
    offset: i64,
}

/// What to do with a frame.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// It continues the run.
    Follows,
    /// It starts a run at this time.
    Starts(i64),
    /// It repeats what was heard.
    Repeats,
}

impl AudioClock {
    fn end(&self) -> Option<i64> {
        self.run.map(|(start, count)| {
            start.saturating_add((i128::from(count) * 1_000_000_000 / i128::from(self.rate)) as i64)
        })
    }

    fn place(&mut self, stamp: Option<MediaTime>, samples: i64, rate: i64, start: MediaTime) -> Place {
        let stamp = stamp.map(|s| s.nanos().saturating_add(self.offset));
        let begin = |clock: &mut Self, at: i64| {
            clock.rate = rate;
            clock.run = Some((at, samples));
            Place::Starts(at)
        };
        let Some(end) = self.end() else { return begin(self, stamp.unwrap_or(start.nanos())) };
        let at = stamp.unwrap_or(end);
        let late = at.saturating_sub(end);
        if late > TOLERANCE {
            begin(self, at)
        } else if late < -RESTART {
            self.offset = self.offset.saturating_sub(late);
            if rate == self.rate { self.follow(samples) } else { begin(self, end) }
        } else if late < -TOLERANCE {
            Place::Repeats
        } else if rate == self.rate {
            self.follow(samples)
        } else {
            begin(self, end)
        }
    }

    fn follow(&mut self, samples: i64) -> Place {
        if let Some((_, count)) = &mut self.run {
            *count += samples;
        }
        Place::Follows
    }
}

/// Turns decoded audio frames into blocks.
pub(crate) struct Assembler {
    clock: AudioClock,
    resampler: Option<Resampler>,
    /// Start of the run on the output side and samples already sent of it.
    run_start: i64,
    sent: i64,
    waiting: Vec<f32>,
    /// Stretches the stream left out.
    pub(crate) gaps: u64,
    /// Frames that repeated earlier time and were dropped.
    pub(crate) repeats: u64,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        let clock = AudioClock { run: None, rate: i64::from(SPEECH_SAMPLE_RATE), offset: 0 };
        Self { clock, resampler: None, run_start: 0, sent: 0, waiting: Vec::new(), gaps: 0, repeats: 0 }
    }

    /// Takes a frame stamped `stamp`; full blocks are appended to `out`.
    pub(crate) fn push(
        &mut self,
        frame: &AvFrame,
        stamp: Option<MediaTime>,
        start: MediaTime,
        out: &mut Vec<AudioBlock>,
    ) -> Result<(), AvError> {
        let format = AudioFormat::of(frame.raw());
        if self.resampler.as_ref().is_none_or(|r| r.format != format) {
            let fresh = Resampler::new(format)?;
            self.drain(out)?;
            self.resampler = Some(fresh);
        }
        let samples = i64::from(frame.raw().nb_samples.max(0));
        match self.clock.place(stamp, samples, i64::from(format.rate), start) {
            Place::Repeats => {
                self.repeats += 1;
                return Ok(());
            }
            Place::Starts(at) => {
                self.gaps += u64::from(self.sent > 0 || !self.waiting.is_empty());
                self.drain(out)?;
                self.resampler = Some(Resampler::new(format)?);
                (self.run_start, self.sent) = (at, 0);
            }
            Place::Follows => {}
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.convert(Some(frame), &mut self.waiting)?;
        }
        self.emit(false, out);
        Ok(())
    }

    /// Sends what is left.
    pub(crate) fn drain(&mut self, out: &mut Vec<AudioBlock>) -> Result<(), AvError> {
        let flushed = match &mut self.resampler {
            Some(resampler) => resampler.convert(None, &mut self.waiting),
            None => Ok(()),
        };
        self.emit(true, out);
        flushed
    }

    fn emit(&mut self, all: bool, out: &mut Vec<AudioBlock>) {
        while self.waiting.len() >= BLOCK || (all && !self.waiting.is_empty()) {
            let n = self.waiting.len().min(BLOCK);
            let start =
                MediaTime::from_nanos(self.run_start) + MediaTime::from_ticks(self.sent, 1, SPEECH_SAMPLE_RATE as i32);
            let samples: Arc<[f32]> = self.waiting.drain(..n).map(|s| if s.is_finite() { s } else { 0.0 }).collect();
            self.sent += n as i64;
            out.push(AudioBlock { start, samples });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> AudioClock {
        AudioClock { run: None, rate: 1, offset: 0 }
    }

    fn ms(t: i64) -> Option<MediaTime> {
        Some(MediaTime::from_millis(t))
    }

    #[test]
    fn jitter_is_absorbed_and_gaps_are_kept() {
        let mut c = clock();
        assert_eq!(c.place(ms(100), 800, 8000, MediaTime::ZERO), Place::Starts(100_000_000));
        assert_eq!(c.place(ms(215), 800, 8000, MediaTime::ZERO), Place::Follows);
        assert_eq!(c.place(None, 800, 8000, MediaTime::ZERO), Place::Follows);
        assert_eq!(c.end(), Some(400_000_000));
        assert_eq!(c.place(ms(500), 800, 8000, MediaTime::ZERO), Place::Starts(500_000_000));
        assert_eq!(c.place(ms(510), 800, 8000, MediaTime::ZERO), Place::Repeats);
    }

    #[test]
    fn a_restarted_clock_goes_on() {
        let mut c = clock();
        c.place(ms(60_000), 800, 8000, MediaTime::ZERO);
        assert_eq!(c.place(ms(0), 800, 8000, MediaTime::ZERO), Place::Follows);
        assert_eq!(c.place(ms(100), 800, 8000, MediaTime::ZERO), Place::Follows);
        assert_eq!(c.end(), Some(60_300_000_000));
    }
}
