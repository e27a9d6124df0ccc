//! Prosody, measured: level, sign changes and candidates for the pitch, every 20 ms.
//!
//! The pitch is decided later (`fuse::prosody`), along the frames of each speech event.

mod yin;

use tempograph_core::{
    AudioAnalyzer, AudioBlock, Claim, Error, ErrorKind, MediaTime, Observation, ProsodyFrames, Result, Span,
};

pub use self::yin::{HIGHEST_HZ, LOWEST_HZ, Yin};
use super::recording::{Join, Recording, duration, quantized};

/// Raised when the stage's claims change.
pub const VERSION: u32 = 1;
/// Samples of a frame (20 ms): several frames a syllable.
pub const FRAME: usize = 320;
/// Frames a claim holds at most (2 s).
const CLAIM: usize = 100;
/// Below this level no pitch is looked for: the noise floor of a quiet room through a distant microphone.
const QUIET_DBFS: i8 = -70;
/// Level of digital silence.
const LOWEST_DBFS: f32 = -127.0;
/// Candidates kept of a frame.
const CANDIDATES: usize = 3;
/// Less likely candidates are not kept.
const LEAST_PROBABILITY: f32 = 0.01;
/// First byte of a snapshot.
const SNAPSHOT: u8 = 1;

/// Measures how it sounds.
pub struct Prosody {
    yin: Yin,
    recording: Recording,
    /// Samples not measured yet.
    tail: Vec<i16>,
    /// Frames not claimed yet.
    frames: ProsodyFrames,
}

impl Default for Prosody {
    fn default() -> Self {
        Self::new()
    }
}

impl Prosody {
    /// Ready to listen.
    pub fn new() -> Self {
        Self { yin: Yin::new(), recording: Recording::default(), tail: Vec::new(), frames: ProsodyFrames::default() }
    }

    fn hear(&mut self, samples: impl Iterator<Item = i16>, out: &mut Vec<Observation>) {
        let before = self.tail.len();
        self.tail.extend(samples);
        self.recording.heard += (self.tail.len() - before) as u64;
        let mut at = 0;
        while self.tail.len() - at >= Yin::SPAN.max(FRAME) {
            self.frame(at, out);
            at += FRAME;
        }
        self.tail.drain(..at);
    }

    /// Measures the frame at `at` of the tail.
    fn frame(&mut self, at: usize, out: &mut Vec<Observation>) {
        let frame = &self.tail[at..at + FRAME];
        let power: f32 = frame.iter().map(|&s| (f32::from(s) / 32_768.0).powi(2)).sum::<f32>() / FRAME as f32;
        let level = (10.0 * power.max(1e-13).log10()).max(LOWEST_DBFS).round() as i8;
        let changes = frame.windows(2).filter(|p| (p[0] < 0) != (p[1] < 0)).count();
        let number = self.frames.level_dbfs.len() as u16;
        self.frames.level_dbfs.push(level);
        self.frames.crossings.push((changes * 100 / (FRAME - 1)) as u8);
        if let Some(span) = self.tail.get(at..at + Yin::SPAN)
            && level >= QUIET_DBFS
        {
            let mut found = self.yin.candidates(span);
            found.retain(|c| c.1 >= LEAST_PROBABILITY);
            found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.total_cmp(&b.0)));
            let rounded = |(hz, p): &(f32, f32)| (number, (hz * 10.0).round() / 10.0, (p * 1e3).round() / 1e3);
            self.frames.pitches.extend(found.iter().take(CANDIDATES).map(rounded));
        }
        if self.frames.level_dbfs.len() == CLAIM {
            let left = (self.tail.len() - at - FRAME) as u64;
            self.claim(left, out);
        }
    }

    /// Claims the frames measured; `left` samples were heard after them.
    fn claim(&mut self, left: u64, out: &mut Vec<Observation>) {
        let count = self.frames.level_dbfs.len();
        let Some(origin) = self.recording.origin.filter(|_| count > 0) else { return };
        let end = self.recording.heard - left;
        let span = Span::new(origin + duration(end - (count * FRAME) as u64), origin + duration(end));
        out.push(Observation { span, claim: Claim::Prosody(std::mem::take(&mut self.frames)) });
    }

    /// Ends the recording: the last frames have a level, but not enough behind them for a pitch.
    fn end(&mut self, out: &mut Vec<Observation>) {
        let mut at = 0;
        while self.tail.len() - at >= FRAME {
            self.frame(at, out);
            at += FRAME;
        }
        let left = (self.tail.len() - at) as u64;
        self.claim(left, out);
        self.recording = Recording::default();
        self.tail.clear();
    }
}

impl AudioAnalyzer for Prosody {
    fn name(&self) -> &'static str {
        "prosody"
    }

    fn push(&mut self, block: &AudioBlock, out: &mut Vec<Observation>) -> Result<()> {
        let mut rest: &[f32] = &block.samples;
        match self.recording.join(block) {
            Join::Anew => self.end(out),
            Join::After(silence) => self.hear(std::iter::repeat_n(0, silence), out),
            Join::Overlap(heard) => rest = rest.get(heard..).unwrap_or_default(),
        }
        self.recording.origin.get_or_insert(block.start);
        self.hear(rest.iter().copied().map(quantized), out);
        Ok(())
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        let left = self.tail.len() as u64;
        self.claim(left, out);
        Ok(())
    }

    fn snapshot(&self) -> Vec<u8> {
        let Some(origin) = self.recording.origin else { return Vec::new() };
        let mut bytes = vec![SNAPSHOT];
        bytes.extend_from_slice(&origin.nanos().to_le_bytes());
        bytes.extend_from_slice(&self.recording.heard.to_le_bytes());
        bytes.extend(self.tail.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let wrong = || Error::new(ErrorKind::InvalidData, "the kept prosody state is not of this version");
        (self.recording, self.tail, self.frames) = (Recording::default(), Vec::new(), ProsodyFrames::default());
        if snapshot.is_empty() {
            return Ok(());
        }
        let (&version, rest) = snapshot.split_first().ok_or_else(wrong)?;
        let (origin, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (heard, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let heard = u64::from_le_bytes(*heard);
        if version != SNAPSHOT || rest.len() % 2 != 0 || rest.len() / 2 > Yin::SPAN || (rest.len() / 2) as u64 > heard {
            return Err(wrong());
        }
        self.recording = Recording { origin: Some(MediaTime::from_nanos(i64::from_le_bytes(*origin))), heard };
        self.tail = rest.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.end(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice of 150 Hz that pauses in every other half second.
    fn block(start_ms: i64, len_ms: usize) -> AudioBlock {
        let first = start_ms as usize * 16;
        let value = |i: usize| {
            let t = i as f64 / 16_000.0;
            let voice: f64 =
                (1..6).map(|h| (2.0 * std::f64::consts::PI * 150.0 * f64::from(h) * t).sin() / f64::from(h)).sum();
            if i % 16_000 < 8000 { (0.1 * voice) as f32 } else { 0.0 }
        };
        AudioBlock {
            start: MediaTime::from_millis(start_ms),
            samples: (first..first + len_ms * 16).map(value).collect(),
        }
    }

    #[test]
    fn levels_and_pitches_are_there_for_every_frame() {
        let (mut prosody, mut out) = (Prosody::new(), Vec::new());
        for i in 0..30 {
            prosody.push(&block(i * 100, 100), &mut out).unwrap();
        }
        prosody.finish(&mut out).unwrap();
        let frames: Vec<&ProsodyFrames> = out
            .iter()
            .map(|o| match &o.claim {
                Claim::Prosody(frames) => frames,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(frames.iter().map(|f| f.level_dbfs.len()).sum::<usize>(), 150);
        assert!(out.windows(2).all(|p| p[0].span.end == p[1].span.start));
        assert!((-22..=-18).contains(&frames[0].level_dbfs[3]) && frames[0].level_dbfs[40] == -127);
        let best: Vec<_> = frames[0].pitches.iter().filter(|p| p.0 == 5).collect();
        assert!((best[0].1 - 150.0).abs() < 1.0 && best[0].2 > 0.8, "{best:?}");
        assert!(frames[0].pitches.iter().all(|p| p.0 % 50 < 25));
    }

    #[test]
    fn a_resumed_run_measures_the_same() {
        let blocks: Vec<_> = (0..40).map(|i| block(i * 77, 77)).collect();
        let (mut whole, mut a) = (Prosody::new(), Vec::new());
        let (mut first, mut b) = (Prosody::new(), Vec::new());
        for (i, block) in blocks.iter().enumerate() {
            if i % 13 == 12 {
                whole.checkpoint(&mut a).unwrap();
                first.checkpoint(&mut b).unwrap();
                let kept = first.snapshot();
                first = Prosody::new();
                first.restore(&kept).unwrap();
            }
            whole.push(block, &mut a).unwrap();
            first.push(block, &mut b).unwrap();
        }
        whole.finish(&mut a).unwrap();
        first.finish(&mut b).unwrap();
        assert_eq!(a, b);
        assert_eq!(first.restore(&[9, 9]).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
