//! Voice activity: when somebody speaks.
//!
//! [`Vad`] measures (one probability for each 32 ms, the dear part); [`voices`] decides from what was measured.

use tempograph_core::{AudioAnalyzer, AudioBlock, Claim, Error, ErrorKind, MediaTime, Observation, Result, Span};
use tempograph_models::vad::{SegmentOptions, Segmenter, Silero, Stretch, WINDOW, pad};

use super::recording::{self, Join, duration, samples};

/// Measures speech probabilities with Silero VAD.
pub struct Vad {
    silero: Silero,
    /// Presentation time of the first sample of this recording.
    origin: Option<MediaTime>,
    /// Samples judged since then.
    judged: u64,
}

impl Vad {
    /// Measures with `silero`.
    pub fn new(silero: Silero) -> Self {
        Self { silero, origin: None, judged: 0 }
    }

    fn claim(&mut self, probabilities: Vec<f32>, len: u64, out: &mut Vec<Observation>) {
        let Some(origin) = self.origin.filter(|_| !probabilities.is_empty()) else { return };
        let start = origin + duration(self.judged);
        self.judged += len;
        let span = Span::new(start, origin + duration(self.judged));
        out.push(Observation { span, claim: Claim::VoiceProbabilities { probabilities } });
    }

    fn hear(&mut self, samples: &[f32], out: &mut Vec<Observation>) -> Result<()> {
        let mut probabilities = Vec::new();
        let heard = self.silero.push(samples, &mut probabilities);
        let len = (probabilities.len() * WINDOW) as u64;
        self.claim(probabilities, len, out);
        heard
    }

    fn settle(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        let mut probabilities = Vec::new();
        self.silero.settle(&mut probabilities)?;
        let len = (probabilities.len() * WINDOW) as u64;
        self.claim(probabilities, len, out);
        Ok(())
    }

    /// Ends the recording. The last window may be shorter than the others and is claimed apart.
    fn end(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.settle(out)?;
        let rest = self.silero.pending() as u64;
        let mut probabilities = Vec::new();
        self.silero.finish(&mut probabilities)?;
        self.claim(probabilities, rest, out);
        (self.origin, self.judged) = (None, 0);
        Ok(())
    }
}

impl AudioAnalyzer for Vad {
    fn name(&self) -> &'static str {
        "vad"
    }

    fn push(&mut self, block: &AudioBlock, out: &mut Vec<Observation>) -> Result<()> {
        let mut rest: &[f32] = &block.samples;
        let heard = self.judged + self.silero.pending() as u64;
        match (recording::Recording { origin: self.origin, heard }).join(block) {
            Join::Anew => self.end(out)?,
            Join::After(silence) => self.hear(&vec![0.0; silence], out)?,
            Join::Overlap(heard) => rest = rest.get(heard..).unwrap_or_default(),
        }
        self.origin.get_or_insert(block.start);
        self.hear(rest, out)
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.settle(out)
    }

    fn snapshot(&self) -> Vec<u8> {
        let Some(origin) = self.origin else { return Vec::new() };
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&origin.nanos().to_le_bytes());
        bytes.extend_from_slice(&self.judged.to_le_bytes());
        bytes.extend(self.silero.snapshot().iter().flat_map(|v| v.to_le_bytes()));
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        if snapshot.is_empty() {
            self.silero.reset();
            (self.origin, self.judged) = (None, 0);
            return Ok(());
        }
        let wrong = || Error::new(ErrorKind::InvalidData, "the kept voice state is not of this version");
        let (&version, rest) = snapshot.split_first().ok_or_else(wrong)?;
        let (origin, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (judged, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        if version != VERSION || rest.len() % 4 != 0 {
            return Err(wrong());
        }
        let values: Vec<f32> = rest.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        self.silero.restore(&values)?;
        self.origin = Some(MediaTime::from_nanos(i64::from_le_bytes(*origin)));
        self.judged = u64::from_le_bytes(*judged);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.end(out)
    }
}

/// First byte of a snapshot.
const VERSION: u8 = 1;

/// When somebody speaks: [`Claim::Voice`] spans decided from [`Claim::VoiceProbabilities`], which come in order of time.
/// Other claims are passed over.
pub fn voices(measured: &[Observation], options: &SegmentOptions) -> Vec<Observation> {
    let mut found = Vec::new();
    let mut recording = Recording::default();
    for observation in measured {
        let Claim::VoiceProbabilities { probabilities } = &observation.claim else { continue };
        if !recording.continues_at(observation.span.start) {
            recording.decide(options, &mut found);
            recording = Recording { span: Some(observation.span), probabilities: Vec::new() };
        }
        recording.span = recording.span.map(|s| Span::new(s.start, observation.span.end));
        recording.probabilities.extend_from_slice(probabilities);
    }
    recording.decide(options, &mut found);
    found
}

/// Audio without a gap.
#[derive(Default)]
struct Recording {
    span: Option<Span>,
    probabilities: Vec<f32>,
}

impl Recording {
    fn continues_at(&self, time: MediaTime) -> bool {
        self.span.is_some_and(|s| s.end.abs_diff(time) <= MediaTime::from_millis(1))
    }

    fn decide(&self, options: &SegmentOptions, out: &mut Vec<Observation>) {
        let Some(span) = self.span else { return };
        let total = samples(span.duration());
        let mut segmenter = Segmenter::new(options.clone());
        let mut bare: Vec<Stretch> = self.probabilities.iter().filter_map(|&p| segmenter.push(p)).collect();
        bare.extend(segmenter.finish(total));
        let mut padded = bare.clone();
        pad(&mut padded, options.pad, total);
        out.extend(bare.iter().zip(&padded).map(|(bare, padded)| {
            let windows = bare.start as usize / WINDOW..(bare.end as usize).div_ceil(WINDOW);
            let inside = self.probabilities.get(windows).unwrap_or_default();
            let confidence = inside.iter().sum::<f32>() / inside.len().max(1) as f32;
            let at = |sample| span.start + duration(sample);
            Observation { span: Span::new(at(padded.start), at(padded.end)), claim: Claim::Voice { confidence } }
        }));
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::Tensor;

    use super::{super::testing::network, *};

    /// With a network to which a window speaks when its middle is loud.
    fn vad() -> Vad {
        let session = network(&["input", "h", "c"].map(|name| (name, &[][..])), |inputs| {
            let probabilities: Vec<f32> = inputs[0].as_f32()?.chunks_exact(576).map(|f| f[320].abs()).collect();
            Ok(vec![
                Tensor::new([probabilities.len()], probabilities)?,
                Tensor::new([1, 1, 128], vec![0f32; 128])?,
                Tensor::new([1, 1, 128], vec![0f32; 128])?,
            ])
        });
        Vad::new(Silero::new(session).unwrap())
    }

    /// Audio that speaks in the second half of every second.
    fn block(start_ms: i64, len_ms: usize) -> AudioBlock {
        let first = start_ms as usize * 16;
        let level = |i: usize| if i % 16_000 >= 8000 { 0.9 } else { 0.0 };
        AudioBlock {
            start: MediaTime::from_millis(start_ms),
            samples: (first..first + len_ms * 16).map(level).collect(),
        }
    }

    fn run(blocks: &[AudioBlock]) -> Vec<Observation> {
        let (mut vad, mut out) = (vad(), Vec::new());
        for block in blocks {
            vad.push(block, &mut out).unwrap();
        }
        vad.finish(&mut out).unwrap();
        out
    }

    fn spans(measured: &[Observation]) -> Vec<Span> {
        voices(measured, &SegmentOptions::default()).iter().map(|o| o.span).collect()
    }

    #[test]
    fn spans_are_on_the_presentation_clock() {
        let blocks: Vec<_> = (0..50).map(|i| block(10_000 + i * 100, 100)).collect();
        let found = voices(&run(&blocks), &SegmentOptions::default());
        assert_eq!(found.len(), 5);
        assert!((found[0].span.start.as_secs_f64() - 10.5).abs() < 0.05, "{found:?}");
        assert!((found[4].span.end.as_secs_f64() - 15.0).abs() < 0.05);
        assert!(matches!(found[0].claim, Claim::Voice { confidence } if (confidence - 0.9).abs() < 0.1));
    }

    #[test]
    fn a_long_gap_starts_again_and_a_short_one_is_silence() {
        let found = spans(&run(&[block(0, 2000), block(2500, 1500), block(60_500, 1500)]));
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(found[4].start > MediaTime::from_millis(60_400));
    }

    #[test]
    fn the_last_probability_spans_what_was_heard() {
        let out = run(&[block(0, 1010)]);
        assert_eq!(out.last().unwrap().span.end, MediaTime::from_millis(1010));
        let lengths: Vec<_> = out.iter().map(|o| samples(o.span.duration())).collect();
        assert_eq!(lengths, [31 * 512, 1010 * 16 - 31 * 512]);
    }

    #[test]
    fn a_resumed_run_measures_the_same() {
        let blocks: Vec<_> = (0..40).map(|i| block(i * 77, 77)).collect();
        let (mut whole, mut a) = (vad(), Vec::new());
        let mut first = vad();
        let mut b = Vec::new();
        for (i, block) in blocks.iter().enumerate() {
            if i == 17 {
                whole.checkpoint(&mut a).unwrap();
                first.checkpoint(&mut b).unwrap();
                let kept = first.snapshot();
                first = vad();
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
