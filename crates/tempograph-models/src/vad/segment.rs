//! From speech probabilities to stretches of speech, by the rules of Silero's `get_speech_timestamps`.

use super::WINDOW;

/// Samples from the first inside to the first after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First sample inside.
    pub start: u64,
    /// First sample after.
    pub end: u64,
}

/// When speech begins and ends. All lengths are samples at 16 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentOptions {
    /// Speech begins at this probability.
    pub enter: f32,
    /// Speech may end below this probability.
    pub leave: f32,
    /// Shorter stretches are dropped.
    pub min_speech: u64,
    /// Shorter silences do not end a stretch.
    pub min_silence: u64,
    /// Added on both sides.
    pub pad: u64,
    /// Longer stretches are cut at their longest silence, else where they get too long.
    pub max_speech: Option<u64>,
}

impl Default for SegmentOptions {
    /// Silero's own defaults: 0.5 and 0.35, 250 ms, 100 ms, 30 ms, no longest stretch.
    fn default() -> Self {
        Self { enter: 0.5, leave: 0.35, min_speech: 4000, min_silence: 1600, pad: 480, max_speech: None }
    }
}

/// A silence is a place to cut a stretch that gets too long when it lasts longer than this (98 ms).
const CUT_SILENCE: u64 = 1568;

/// Finds stretches one probability at a time; they come out without padding (see [`pad`]).
#[derive(Clone, Debug)]
pub struct Segmenter {
    options: SegmentOptions,
    position: u64,
    start: Option<u64>,
    silence: Option<u64>,
    cuts: Vec<Stretch>,
}

impl Segmenter {
    /// A segmenter at the start of a recording.
    pub fn new(options: SegmentOptions) -> Self {
        Self { options, position: 0, start: None, silence: None, cuts: Vec::new() }
    }

    /// Start of the stretch that goes on now.
    pub fn open(&self) -> Option<u64> {
        self.start
    }

    /// Takes the probability of the next window; gives the stretch that is now known to be over.
    pub fn push(&mut self, probability: f32) -> Option<Stretch> {
        let now = self.position;
        self.position += WINDOW as u64;
        if probability >= self.options.enter {
            if let Some(silence) = self.silence.take()
                && now - silence > CUT_SILENCE
                && self.options.max_speech.is_some()
            {
                self.cuts.push(Stretch { start: silence, end: now });
            }
            if self.start.is_none() {
                self.start = Some(now);
                return None;
            }
        }
        let start = self.start?;
        let too_long = self
            .options
            .max_speech
            .is_some_and(|max| now - start > max.saturating_sub(WINDOW as u64 + 2 * self.options.pad));
        let mut done = None;
        if too_long {
            // The first of the longest: `max_by_key` would give the last.
            let cut = self.cuts.iter().rev().max_by_key(|c| c.end - c.start).copied();
            self.cuts.clear();
            self.silence = None;
            let Some(cut) = cut else {
                self.start = None;
                return Some(Stretch { start, end: now });
            };
            self.start = Some(cut.end);
            done = Some(Stretch { start, end: cut.start });
        }
        if probability < self.options.leave {
            let silence = *self.silence.get_or_insert(now);
            if now - silence >= self.options.min_silence {
                (self.start, self.silence) = (None, None);
                self.cuts.clear();
                done = Some(Stretch { start, end: silence }).filter(|s| s.end - s.start > self.options.min_speech);
            }
        }
        done
    }

    /// Ends the recording at `total` samples; gives the stretch that went on until then.
    pub fn finish(&mut self, total: u64) -> Option<Stretch> {
        let start = self.start.take()?;
        (self.silence, self.position) = (None, 0);
        self.cuts.clear();
        Some(Stretch { start, end: total }).filter(|s| s.end.saturating_sub(s.start) > self.options.min_speech)
    }
}

/// Widens every stretch by `pad` samples on both sides without leaving `0..total`; neighbours share a short silence.
pub fn pad(stretches: &mut [Stretch], pad: u64, total: u64) {
    if let Some(first) = stretches.first_mut() {
        first.start = first.start.saturating_sub(pad);
    }
    for i in 0..stretches.len() {
        let Some(next) = stretches.get(i + 1).copied() else {
            stretches[i].end = total.min(stretches[i].end + pad);
            continue;
        };
        let silence = next.start.saturating_sub(stretches[i].end);
        if silence < 2 * pad {
            stretches[i].end += silence / 2;
            stretches[i + 1].start -= silence / 2;
        } else {
            stretches[i].end = total.min(stretches[i].end + pad);
            stretches[i + 1].start -= pad;
        }
    }
}

/// The padded stretches of a whole recording of `total` samples, one probability a window.
pub fn stretches(probabilities: &[f32], total: u64, options: &SegmentOptions) -> Vec<Stretch> {
    let mut segmenter = Segmenter::new(options.clone());
    let mut found: Vec<_> = probabilities.iter().filter_map(|&p| segmenter.push(p)).collect();
    found.extend(segmenter.finish(total));
    pad(&mut found, options.pad, total);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(pattern: &[(f32, usize)], options: &SegmentOptions) -> Vec<Stretch> {
        let probabilities: Vec<f32> = pattern.iter().flat_map(|&(p, n)| std::iter::repeat_n(p, n)).collect();
        stretches(&probabilities, (probabilities.len() * WINDOW) as u64, options)
    }

    #[test]
    fn a_short_pause_does_not_split_and_a_short_burst_does_not_count() {
        let options = SegmentOptions::default();
        let found = run(&[(0.1, 10), (0.9, 10), (0.2, 3), (0.9, 10), (0.1, 20), (0.9, 5), (0.1, 10)], &options);
        assert_eq!(found, [Stretch { start: 10 * 512 - 480, end: 33 * 512 + 480 }]);
    }

    #[test]
    fn between_the_thresholds_speech_goes_on_and_does_not_begin() {
        let options = SegmentOptions::default();
        assert_eq!(run(&[(0.4, 50)], &options), []);
        assert_eq!(run(&[(0.9, 1), (0.4, 50)], &options), [Stretch { start: 0, end: 51 * 512 }]);
    }

    #[test]
    fn a_long_stretch_is_cut_at_its_longest_silence() {
        let options =
            SegmentOptions { max_speech: Some(100 * 512), min_silence: 16_000, pad: 0, ..SegmentOptions::default() };
        let found = run(&[(0.9, 40), (0.1, 8), (0.9, 20), (0.1, 5), (0.9, 60)], &options);
        assert_eq!(found[0], Stretch { start: 0, end: 40 * 512 });
        assert_eq!(found[1].start, 48 * 512);
    }

    #[test]
    fn a_long_stretch_without_silence_is_cut_where_it_gets_too_long() {
        let options = SegmentOptions { max_speech: Some(100 * 512), pad: 0, ..SegmentOptions::default() };
        let found = run(&[(0.9, 250)], &options);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|s| s.end - s.start <= 100 * 512), "{found:?}");
    }

    proptest! {
        #[test]
        fn stretches_are_ordered_apart_and_inside(
            probabilities in proptest::collection::vec(0f32..1.0, 0..400),
            max in proptest::option::of(20u64..200),
            pad in 0u64..2000,
        ) {
            let options = SegmentOptions { max_speech: max.map(|m| m * 512), pad, ..SegmentOptions::default() };
            let total = (probabilities.len() * WINDOW) as u64;
            let found = stretches(&probabilities, total, &options);
            prop_assert!(found.iter().all(|s| s.start < s.end && s.end <= total));
            prop_assert!(found.windows(2).all(|w| w[0].end <= w[1].start));
        }
    }
}
