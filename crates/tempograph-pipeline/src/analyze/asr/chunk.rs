//! Cuts audio into chunks of speech.

use std::collections::VecDeque;

use tempograph_core::{AudioBlock, Claim, MediaTime, Observation, SPEECH_SAMPLE_RATE, Span};
use tempograph_models::vad::{SegmentOptions, Segmenter, Stretch};

use super::super::{
    recording::{duration, samples},
    speech::SpeechChunk,
};

const RATE: u64 = SPEECH_SAMPLE_RATE as u64;
/// Longest chunk without its margins; with them it fits into Whisper's 30 s.
const LONGEST: u64 = 29 * RATE;
/// Longest silence inside a chunk.
const LONGEST_SILENCE: u64 = 2 * RATE;
/// Audio before and after the speech: voice activity is late for soft sounds.
const MARGIN: u64 = RATE * 3 / 10;
/// Widening of the spans that words are tied to, as in voice activity's own claims.
const PAD: u64 = RATE * 3 / 100;
/// Blocks kept at most: far more than a chunk needs, for when the claims stay away.
const MAX_BLOCKS: usize = 4096;

/// Cuts audio into [`SpeechChunk`]s of at most 30 s as soon as voice activity's claims allow it.
///
/// The chunks depend on the claims alone, not on how they and the audio were handed in; the claims may run ahead of
/// the audio or behind it. Audio that no chunk can need any more is let go.
#[derive(Default)]
pub struct Chunker {
    recording: Option<Recording>,
    planned: VecDeque<Plan>,
    blocks: VecDeque<AudioBlock>,
    finished: bool,
}

/// A chunk whose audio may still be missing.
struct Plan {
    span: Span,
    speech: Vec<Span>,
}

/// Audio without a gap.
struct Recording {
    origin: MediaTime,
    end: MediaTime,
    segmenter: Segmenter,
    /// Stretches of the chunk that grows now.
    current: Vec<Stretch>,
    /// End of the last stretch before it.
    before: u64,
}

impl Recording {
    fn new(origin: MediaTime) -> Self {
        let options = SegmentOptions { max_speech: Some(LONGEST), ..SegmentOptions::default() };
        Self { origin, end: origin, segmenter: Segmenter::new(options), current: Vec::new(), before: 0 }
    }

    /// Takes a finished stretch.
    fn add(&mut self, stretch: Stretch) -> Option<Plan> {
        let fits = |first: &Stretch, last: &Stretch| {
            stretch.end - first.start <= LONGEST && stretch.start.saturating_sub(last.end) <= LONGEST_SILENCE
        };
        let plan = match (self.current.first(), self.current.last()) {
            (Some(first), Some(last)) if !fits(first, last) => self.close(Some(stretch.start)),
            _ => None,
        };
        self.current.push(stretch);
        plan
    }

    /// Ends the growing chunk once nothing can join it any more. `now` is how far voice activity has listened.
    fn settle(&mut self, now: u64) -> Option<Plan> {
        let (first, last) = (self.current.first()?, self.current.last()?);
        match self.segmenter.open() {
            Some(next) if next - last.end > LONGEST_SILENCE || now - first.start > LONGEST => self.close(Some(next)),
            None if now - last.end > LONGEST_SILENCE + MARGIN => self.close(None),
            _ => None,
        }
    }

    fn close(&mut self, next: Option<u64>) -> Option<Plan> {
        let (first, last) = (self.current.first()?.start, self.current.last()?.end);
        let half = |a: u64, b: u64| b.saturating_sub(a) / 2;
        let at = |sample: u64| self.origin + duration(sample);
        let left = MARGIN.min(if self.before > 0 { half(self.before, first) } else { first });
        let right = next.map_or(MARGIN, |n| MARGIN.min(half(last, n)));
        let (from, to) = (first - left, last + right);
        let span = |s: &Stretch| Span::new(at(s.start.saturating_sub(PAD).max(from)), at((s.end + PAD).min(to)));
        let plan = Plan { span: Span::new(at(from), at(to)), speech: self.current.iter().map(span).collect() };
        self.before = last;
        self.current.clear();
        Some(plan)
    }

    /// The earliest sample a chunk still to come can need.
    fn needs(&self) -> MediaTime {
        let now = samples(self.end - self.origin);
        let first = self.current.first().map(|s| s.start).or(self.segmenter.open()).unwrap_or(now);
        self.origin + duration(first.saturating_sub(MARGIN))
    }
}

impl Chunker {
    /// Takes voice activity's claims, in order; only [`Claim::VoiceProbabilities`] count.
    pub fn voice(&mut self, claims: &[Observation]) {
        for claim in claims {
            let Claim::VoiceProbabilities { probabilities } = &claim.claim else { continue };
            let continues = |r: &Recording| r.end.abs_diff(claim.span.start) <= MediaTime::from_millis(1);
            if !self.recording.as_ref().is_some_and(continues) {
                self.end_recording();
            }
            let recording = self.recording.get_or_insert_with(|| Recording::new(claim.span.start));
            let first = samples(recording.end - recording.origin);
            let window = tempograph_models::vad::WINDOW as u64;
            for (i, &probability) in probabilities.iter().enumerate() {
                let stretch = recording.segmenter.push(probability);
                self.planned.extend(stretch.and_then(|s| recording.add(s)));
                self.planned.extend(recording.settle(first + (i as u64 + 1) * window));
            }
            recording.end = claim.span.end;
        }
    }

    /// Takes a block of audio, in order.
    pub fn audio(&mut self, block: &AudioBlock) {
        self.blocks.push_back(block.clone());
        let recording = self.recording.as_ref().map(Recording::needs);
        let planned = self.planned.front().map(|p| p.span.start);
        // Before the first claim nothing is known, so everything is kept.
        if let Some(needed) = planned.into_iter().chain(recording).min() {
            while self.blocks.front().is_some_and(|b| b.end() <= needed) {
                self.blocks.pop_front();
            }
        }
        if self.blocks.len() > MAX_BLOCKS {
            self.blocks.pop_front();
        }
    }

    /// Ends the audio.
    pub fn finish(&mut self) {
        self.end_recording();
        self.finished = true;
    }

    /// The next chunk, once its audio is there.
    pub fn next_chunk(&mut self) -> Option<SpeechChunk> {
        let plan = self.planned.front()?;
        let there = self.blocks.back().is_some_and(|b| b.end() >= plan.span.end);
        if !there && !self.finished {
            return None;
        }
        let plan = self.planned.pop_front()?;
        Some(SpeechChunk { start: plan.span.start, samples: self.cut(plan.span), speech: plan.speech })
    }

    fn end_recording(&mut self) {
        let Some(mut recording) = self.recording.take() else { return };
        let total = samples(recording.end - recording.origin);
        let last = recording.segmenter.finish(total);
        self.planned.extend(last.and_then(|s| recording.add(s)));
        // Nothing was heard after the end, so there is no margin to take.
        let next = recording.current.last().map(|s| 2 * total.max(s.end) - s.end);
        self.planned.extend(recording.close(next));
    }

    /// The samples of `span`; what was not sent is silence.
    fn cut(&self, span: Span) -> Vec<f32> {
        let mut out = vec![0.0; samples(span.duration()) as usize];
        for block in &self.blocks {
            let (skip, at) = match block.start <= span.start {
                true => (samples(span.start - block.start) as usize, 0),
                false => (0, samples(block.start - span.start) as usize),
            };
            if let (Some(from), Some(to)) = (block.samples.get(skip..), out.get_mut(at..)) {
                let len = from.len().min(to.len());
                to[..len].copy_from_slice(&from[..len]);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: u64 = 512;

    fn claims(probabilities: &[f32], piece: usize, origin: MediaTime) -> Vec<Observation> {
        let claim = |(i, p): (usize, &[f32])| {
            let at = |n: usize| origin + duration(n as u64 * WINDOW);
            let span = Span::new(at(i * piece), at(i * piece + p.len()));
            Observation { span, claim: Claim::VoiceProbabilities { probabilities: p.to_vec() } }
        };
        probabilities.chunks(piece).enumerate().map(claim).collect()
    }

    /// Sample n has the value n, so that a cut shows where it was made.
    fn blocks(windows: usize, len: usize, origin: MediaTime) -> Vec<AudioBlock> {
        let all: Vec<f32> = (0..windows * WINDOW as usize).map(|i| i as f32).collect();
        let block =
            |(i, s): (usize, &[f32])| AudioBlock { start: origin + duration((i * len) as u64), samples: s.into() };
        all.chunks(len).enumerate().map(block).collect()
    }

    fn pattern(parts: &[(f32, f64)]) -> Vec<f32> {
        parts.iter().flat_map(|&(p, s)| std::iter::repeat_n(p, (s * 31.25) as usize)).collect()
    }

    /// Feeds claims and audio interleaved, claims `ahead` pieces before (or behind) the audio.
    fn run(probabilities: &[f32], piece: usize, block: usize, ahead: i64, origin: MediaTime) -> Vec<SpeechChunk> {
        let (claims, blocks) = (claims(probabilities, piece, origin), blocks(probabilities.len(), block, origin));
        let mut chunker = Chunker::default();
        let mut out = Vec::new();
        let mut given = 0;
        for block in &blocks {
            while given < claims.len()
                && claims[given].span.start.nanos() <= block.end().nanos() + ahead * 1_000_000_000
            {
                chunker.voice(&claims[given..=given]);
                given += 1;
            }
            chunker.audio(block);
            out.extend(std::iter::from_fn(|| chunker.next_chunk()));
        }
        chunker.voice(&claims[given..]);
        chunker.finish();
        out.extend(std::iter::from_fn(|| chunker.next_chunk()));
        out
    }

    #[test]
    fn chunks_gather_near_speech_and_leave_out_silence() {
        let speech = pattern(&[(0.1, 5.0), (0.9, 3.0), (0.1, 1.0), (0.9, 2.0), (0.1, 10.0), (0.9, 1.0), (0.1, 1.0)]);
        let origin = MediaTime::from_millis(7000);
        let found = run(&speech, 31, 16_000, 0, origin);
        assert_eq!(found.iter().map(|c| c.speech.len()).collect::<Vec<_>>(), [2, 1]);
        assert!((found[0].start.as_secs_f64() - (7.0 + 5.0 - 0.3)).abs() < 0.05);
        assert_eq!(found[0].samples[0], samples(found[0].start - origin) as f32);
        assert!(found[0].samples.len() < 7 * 16_000);
    }

    #[test]
    fn endless_speech_is_cut_and_nothing_is_lost() {
        let found = run(&pattern(&[(0.9, 100.0)]), 31, 4000, 0, MediaTime::ZERO);
        let heard: usize = found.iter().map(|c| c.samples.len()).sum();
        assert_eq!(heard, (100.0f64 * 31.25) as usize * 512);
        assert!(found.iter().all(|c| c.samples.len() <= 30 * 16_000));
        assert!(found.windows(2).all(|w| w[0].samples.last().unwrap() + 1.0 == w[1].samples[0]));
    }

    #[test]
    fn audio_is_not_kept_for_ever() {
        let mut chunker = Chunker::default();
        let speech = pattern(&[(0.9, 20.0), (0.1, 300.0)]);
        let (claims, blocks) = (claims(&speech, 31, MediaTime::ZERO), blocks(speech.len(), 15_872, MediaTime::ZERO));
        let mut most = 0;
        for (claim, block) in claims.iter().zip(&blocks) {
            chunker.voice(std::slice::from_ref(claim));
            chunker.audio(block);
            while chunker.next_chunk().is_some() {}
            most = most.max(chunker.blocks.len());
        }
        assert!((20..=26).contains(&most), "{most}");
        assert!(chunker.blocks.len() <= 3);
    }

    #[test]
    fn a_gap_ends_a_chunk() {
        let mut chunker = Chunker::default();
        let first = pattern(&[(0.9, 2.0)]);
        chunker.voice(&claims(&first, 31, MediaTime::ZERO));
        chunker.voice(&claims(&first, 31, MediaTime::from_millis(60_000)));
        for block in blocks(62, 8000, MediaTime::ZERO) {
            chunker.audio(&block);
        }
        assert_eq!(chunker.next_chunk().unwrap().samples.len(), 62 * 512);
        assert!(chunker.next_chunk().is_none());
    }

    proptest! {
        #[test]
        fn chunks_do_not_depend_on_how_the_audio_came(
            parts in proptest::collection::vec((prop_oneof![Just(0.05f32), Just(0.42), Just(0.95)], 0.05f64..12.0), 1..20),
            piece in 1usize..80, block in 500usize..40_000, ahead in -3i64..40,
        ) {
            let probabilities = pattern(&parts);
            let usual = run(&probabilities, 31, 16_000, 0, MediaTime::ZERO);
            let other = run(&probabilities, piece, block, ahead, MediaTime::ZERO);
            prop_assert_eq!(&usual, &other);
            for chunk in &usual {
                prop_assert!(chunk.samples.len() <= 30 * 16_000);
                prop_assert!(chunk.speech.windows(2).all(|w| w[0].end <= w[1].start));
                let end = chunk.start + duration(chunk.samples.len() as u64);
                let rounding = MediaTime::from_nanos(100_000);
                prop_assert!(chunk.speech.iter().all(|s| s.start >= chunk.start && s.end <= end + rounding));
            }
        }
    }
}
