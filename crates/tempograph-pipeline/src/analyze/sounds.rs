//! Sounds: what is heard besides words.
//!
//! [`Sounds`] measures, window by window, how much the audio sounds like each class of AudioSet, and how loud it is;
//! what is an event is decided from that in `fuse`.

use tempograph_core::{
    AudioAnalyzer, AudioBlock, Claim, Error, ErrorKind, MediaTime, Observation, Result, SoundScores, Span,
};
use tempograph_models::sounds::{Class, Tagger, Windows};

use super::recording::{Join, Recording, duration, quantized};

/// Scores below are not kept: no decision looks at them.
const LEAST_SCORE: f32 = 0.05;
/// Windows whose samples all stay within this (−72 dBFS) are silent and spare the network its work.
const SILENT: i16 = 8;
/// Samples of one measurement of loudness (40 ms): fine enough to find an edge by.
const LEVEL: usize = 640;
/// Loudness of digital silence, dBFS: below the rounding of 16-bit samples.
const FLOOR_DB: f32 = -100.0;

/// Measures what sounds there are.
pub struct Sounds {
    tagger: Box<dyn Tagger>,
    windows: Windows,
    recording: Recording,
    /// Windows of it scored so far.
    scored: u64,
    /// The samples from the next window's start on, as 16-bit numbers: exact to keep and half as long.
    pending: Vec<i16>,
    /// Loudness of the pieces that were not claimed yet.
    levels: Vec<f32>,
}

impl Sounds {
    /// Measures with `tagger`.
    pub fn new(tagger: Box<dyn Tagger>) -> Self {
        let windows = tagger.windows();
        let recording = Recording::default();
        Self { tagger, windows, recording, scored: 0, pending: Vec::new(), levels: Vec::new() }
    }

    /// What the first window looks at before the recording: its answer begins a hop early, so that every moment lies in
    /// two answers.
    fn lead(&self) -> usize {
        self.windows.hop + self.windows.margin()
    }

    fn hear(&mut self, new: impl Iterator<Item = i16>) {
        if self.recording.heard == 0 && self.scored == 0 && self.pending.is_empty() {
            self.pending.resize(self.lead(), 0);
        }
        let before = self.recording.heard;
        let old = self.pending.len();
        self.pending.extend(new);
        self.recording.heard += (self.pending.len() - old) as u64;
        // Whole pieces that ended just now; the first may have begun among the samples from before.
        let open = (before % LEVEL as u64) as usize;
        let unmeasured = &self.pending[old - open.min(old)..];
        self.levels.extend(unmeasured.chunks_exact(LEVEL).map(decibels));
    }

    /// Scores and claims `windows` windows.
    fn score(&mut self, windows: usize, out: &mut Vec<Observation>) -> Result<()> {
        let Some(origin) = self.recording.origin.filter(|_| windows > 0) else { return Ok(()) };
        let Windows { answer, hop, .. } = self.windows;
        let margin = self.windows.margin();
        let mut claim = SoundScores { window: duration(answer as u64), ..SoundScores::default() };
        let mut known: Vec<Class> = Vec::new();
        let quiet = |w: usize| {
            let heard = &self.pending[w * hop + margin..w * hop + margin + answer];
            heard.iter().all(|s| s.unsigned_abs() <= SILENT.unsigned_abs())
        };
        let silent: Vec<bool> = (0..windows).map(quiet).collect();
        let mut first = 0;
        for run in silent.chunk_by(|a, b| a == b) {
            let scores = if run[0] {
                vec![Vec::new(); run.len()]
            } else {
                let heard = &self.pending[first * hop..first * hop + self.windows.span(run.len())];
                let heard: Vec<f32> = heard.iter().map(|&s| f32::from(s) / 32_768.0).collect();
                self.tagger.score(&heard, run.len(), LEAST_SCORE)?
            };
            for window in scores {
                let named = window.into_iter().map(|(class, score)| {
                    let at = known.iter().position(|&k| k == class).unwrap_or_else(|| {
                        known.push(class);
                        known.len() - 1
                    });
                    (at as u16, score)
                });
                claim.windows.push(named.collect());
            }
            first += run.len();
        }
        claim.classes = known.iter().map(|c| c.name().to_owned()).collect();
        // Of answers, not of what they rest on.
        let at = |window: u64| origin + duration(window * hop as u64) - duration(hop as u64);
        let span = Span::new(at(self.scored), at(self.scored + windows as u64));
        out.push(Observation { span, claim: Claim::Sounds(claim) });
        self.scored += windows as u64;
        self.pending.drain(..windows * hop);
        Ok(())
    }

    /// Scores every window that is whole and claims the loudness so far.
    fn settle(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        let Windows { context, hop, .. } = self.windows;
        let whole = if self.pending.len() < context { 0 } else { (self.pending.len() - context) / hop + 1 };
        self.score(whole, out)?;
        let Some(origin) = self.recording.origin.filter(|_| !self.levels.is_empty()) else { return Ok(()) };
        let levels = std::mem::take(&mut self.levels);
        let end = self.recording.heard / LEVEL as u64 * LEVEL as u64;
        let start = end - (levels.len() * LEVEL) as u64;
        let span = Span::new(origin + duration(start), origin + duration(end));
        out.push(Observation { span, claim: Claim::AudioLevels { levels } });
        Ok(())
    }

    /// Ends the recording: what is left is heard as if silence followed.
    fn end(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.settle(out)?;
        let Windows { context, hop, .. } = self.windows;
        // The last answer is about at least half a hop: less is judged by the answers before, of which there are two.
        let more = |s: &Self| s.pending.len() >= s.windows.margin() + hop / 2 || s.scored < 2;
        while self.recording.origin.is_some() && more(self) {
            let rest = self.pending.len();
            // Of the last window only what begins in it is left after it.
            self.pending.resize(rest.max(context), 0);
            self.score(1, out)?;
            self.pending.truncate(rest.saturating_sub(hop));
        }
        (self.recording, self.scored) = (Recording::default(), 0);
        self.pending.clear();
        self.levels.clear();
        Ok(())
    }
}

/// Root mean square of `samples`, dBFS to a tenth.
fn decibels(samples: &[i16]) -> f32 {
    let sum: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
    let rms = (sum / samples.len().max(1) as f64).sqrt() / 32_768.0;
    ((20.0 * rms.log10() * 10.0).round() as f32 / 10.0).max(FLOOR_DB)
}

impl AudioAnalyzer for Sounds {
    fn name(&self) -> &'static str {
        "sounds"
    }

    fn push(&mut self, block: &AudioBlock, out: &mut Vec<Observation>) -> Result<()> {
        let mut rest: &[f32] = &block.samples;
        match self.recording.join(block) {
            Join::Anew => self.end(out)?,
            Join::After(silence) => self.hear(std::iter::repeat_n(0, silence)),
            Join::Overlap(heard) => rest = rest.get(heard..).unwrap_or_default(),
        }
        self.recording.origin.get_or_insert(block.start);
        self.hear(rest.iter().map(|&s| quantized(s)));
        Ok(())
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.settle(out)
    }

    fn snapshot(&self) -> Vec<u8> {
        let Some(origin) = self.recording.origin else { return Vec::new() };
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&origin.nanos().to_le_bytes());
        bytes.extend_from_slice(&self.recording.heard.to_le_bytes());
        bytes.extend_from_slice(&self.scored.to_le_bytes());
        bytes.extend(self.pending.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        (self.recording, self.scored) = (Recording::default(), 0);
        self.pending.clear();
        self.levels.clear();
        if snapshot.is_empty() {
            return Ok(());
        }
        let wrong = || Error::new(ErrorKind::InvalidData, "the kept sounds are not of this version");
        let (&version, rest) = snapshot.split_first().ok_or_else(wrong)?;
        let (origin, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (heard, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (scored, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        if version != VERSION || rest.len() % 2 != 0 || rest.len() > 2 * self.windows.context {
            return Err(wrong());
        }
        let origin = Some(MediaTime::from_nanos(i64::from_le_bytes(*origin)));
        self.recording = Recording { origin, heard: u64::from_le_bytes(*heard) };
        self.scored = u64::from_le_bytes(*scored);
        self.pending = rest.as_chunks::<2>().0.iter().map(|&b| i16::from_le_bytes(b)).collect();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.end(out)
    }
}

/// First byte of a snapshot.
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::Tensor;
    use tempograph_models::sounds::open;

    use super::{super::testing::network, *};

    const FAMILIES: [&str; 2] = ["yamnet", "ced"];

    /// With a network to which a window sounds like its first class by the mean of its picture, and like another by the
    /// first frame alone.
    fn stage(family: &str) -> Sounds {
        // YAMNet hears logarithms and gives logits, CED decibels and probabilities.
        let logits = family == "yamnet";
        let shape: &[_] = if logits { &[None, Some(1), Some(96), Some(64)] } else { &[None, None, Some(64)] };
        let session = network(&[("picture", shape)], move |inputs| {
            let (input, n) = (inputs[0].as_f32()?, inputs[0].shape()[0]);
            let classes = if logits { 521 } else { 527 };
            let heard = |v: &[f32], scale: f32| {
                let mean = v.iter().sum::<f32>() / v.len() as f32;
                if logits { mean / scale } else { (mean + 120.0) / 200.0 }
            };
            let mut scores = vec![if logits { -20f32 } else { 0.0 }; n * classes];
            for (row, picture) in scores.chunks_exact_mut(classes).zip(input.chunks_exact(input.len() / n)) {
                row[0] = heard(picture, 4.0);
                row[69] = heard(&picture[..64], 1.0);
            }
            Ok(vec![Tensor::new([n, classes], scores)?])
        });
        Sounds::new(open(family, session).unwrap())
    }

    /// A hum that swells and ebbs, silent in every fifth second.
    fn block(start_ms: i64, len_ms: usize) -> AudioBlock {
        let level = |i: usize| {
            let t = i as f32 / 16_000.0;
            if i / 16_000 % 5 == 4 { 0.0 } else { (t * 2.0).sin() * (t * 900.0 * std::f32::consts::TAU).sin() * 0.5 }
        };
        let first = start_ms as usize * 16;
        AudioBlock {
            start: MediaTime::from_millis(start_ms),
            samples: (first..first + len_ms * 16).map(level).collect(),
        }
    }

    /// When a window begins and what it sounds like.
    type Heard = (MediaTime, Vec<(String, f32)>);

    /// Windows with their starts, and levels, however they were divided into claims.
    fn gathered(claims: &[Observation]) -> (Vec<Heard>, Vec<f32>) {
        let (mut windows, mut loudness) = (Vec::new(), Vec::new());
        for claim in claims {
            match &claim.claim {
                Claim::Sounds(s) => {
                    let count = s.windows.len() as i64;
                    for (i, window) in s.windows.iter().enumerate() {
                        let at = claim.span.start.nanos() + claim.span.duration().nanos() * i as i64 / count;
                        let named = window.iter().map(|&(c, p)| (s.classes[usize::from(c)].clone(), p)).collect();
                        windows.push((MediaTime::from_nanos(at), named));
                    }
                }
                Claim::AudioLevels { levels } => loudness.extend_from_slice(levels),
                other => panic!("{other:?}"),
            }
        }
        (windows, loudness)
    }

    fn run(family: &str, blocks: &[AudioBlock]) -> Vec<Observation> {
        let (mut stage, mut out) = (stage(family), Vec::new());
        for block in blocks {
            stage.push(block, &mut out).unwrap();
        }
        stage.finish(&mut out).unwrap();
        out
    }

    #[test]
    fn every_moment_lies_in_two_windows_and_silence_costs_nothing() {
        for family in FAMILIES {
            let (windows, levels) = gathered(&run(family, &[block(0, 10_000)]));
            let starts: Vec<i64> = windows.iter().map(|w| w.0.nanos() / 1_000_000).collect();
            assert_eq!(starts[..3], [-480, 0, 480], "{family}");
            assert!((9040..=9760).contains(starts.last().unwrap()), "{family}: {starts:?}");
            assert_eq!(levels.len(), 250);
            assert!(levels[110] == FLOOR_DB && levels[20] > -20.0, "{} {}", levels[110], levels[20]);
            // A window wholly within the silent second has no scores: the network was not asked.
            let silent = windows.iter().find(|w| w.0.nanos() > 4_000_000_000 && w.0.nanos() < 4_020_000_000);
            assert!(silent.is_none_or(|w| w.1.is_empty()), "{family}");
            let quiet = gathered(&run(family, &[block(4100, 800)])).0;
            assert_eq!(quiet.iter().filter(|w| !w.1.is_empty()).count(), 0, "{family}");
        }
    }

    #[test]
    fn a_clip_shorter_than_a_window_is_heard() {
        for family in FAMILIES {
            let (windows, levels) = gathered(&run(family, &[block(0, 140)]));
            assert_eq!((windows.len(), levels.len()), (2, 3), "{family}: two answers, however short it is");
            assert!(run(family, &[]).is_empty());
        }
    }

    #[test]
    fn a_long_gap_starts_again_and_a_short_one_is_silence() {
        for family in FAMILIES {
            let (windows, _) = gathered(&run(family, &[block(0, 2000), block(2500, 1500), block(60_000, 1500)]));
            let starts: Vec<i64> = windows.iter().map(|w| w.0.nanos() / 1_000_000).collect();
            assert!(starts.contains(&59_520) && starts.contains(&60_000), "{family}: {starts:?}");
            let before = starts.iter().filter(|&&s| s < 4000).count();
            assert_eq!(before, (4000 - 240) / 480 + 2, "{family}: {starts:?}");
        }
    }

    #[test]
    fn what_was_kept_by_another_version_is_refused() {
        for family in FAMILIES {
            assert_eq!(stage(family).restore(&[9, 9]).unwrap_err().kind(), ErrorKind::InvalidData);
            assert_eq!(stage(family).restore(&[VERSION; 100_000]).unwrap_err().kind(), ErrorKind::InvalidData);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_resumed_run_measures_the_same(
            family in prop::sample::select(FAMILIES.to_vec()),
            lengths in prop::collection::vec(1usize..900, 4..20), cut in 0usize..20,
        ) {
            let mut at = 0;
            let blocks: Vec<AudioBlock> = lengths.iter().map(|&len| { at += len as i64; block(at - len as i64, len) }).collect();
            let cut = cut.min(blocks.len());
            let (mut first, mut out) = (stage(family), Vec::new());
            for block in &blocks[..cut] {
                first.push(block, &mut out).unwrap();
            }
            first.checkpoint(&mut out).unwrap();
            let mut second = stage(family);
            second.restore(&first.snapshot()).unwrap();
            for block in &blocks[cut..] {
                second.push(block, &mut out).unwrap();
            }
            second.finish(&mut out).unwrap();
            prop_assert_eq!(gathered(&out), gathered(&run(family, &blocks)));
        }
    }
}
