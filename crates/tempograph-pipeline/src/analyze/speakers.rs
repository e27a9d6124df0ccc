//! Speakers, measured: windows of ten seconds with up to three voices each, and what the voices are like.
//!
//! Windows overlap; each moment is embedded once, in the window it lies in the middle of. Who the voices are is decided
//! later, over the whole video (`fuse::speakers`).

use tempograph_core::{
    AudioAnalyzer, AudioBlock, Claim, Error, ErrorKind, Observation, Result, Span, SpeakerWindow, VoicePrint,
};
use tempograph_models::speakers::{
    FIRST_CENTRE, FRAMES, HOP, LOCAL_SPEAKERS, SEGMENT_WINDOW, Segmentation, VoiceEmbedder,
};

use super::recording::{Join, Recording, duration, quantized};

/// Raised when the stage's claims change.
pub const VERSION: u32 = 1;
/// Frames between windows (1.99 s): five windows see each moment. Every 4 s costs half as much and confuses speakers
/// half as often again.
pub const STEP: usize = 118;
/// Longest stretch that gets one embedding, in frames (2 s). In half of it vectors of one voice scatter too much, in
/// twice of it a change of speaker that the segmentation missed goes unseen.
const LONGEST_PRINT: usize = 119;
/// Shortest stretch that is embedded, in frames (0.5 s).
const SHORTEST_PRINT: usize = 30;
/// A pause of fewer frames does not end a stretch (0.3 s, NIST's pause within a turn).
const PAUSE: usize = 18;
/// A voice speaks in a frame with more than this probability.
const ACTIVE: f32 = 0.5;
/// A window whose samples stay below this is not worth a look (−80 dBFS); the network evens levels out and would hear
/// voices in the noise of the converter.
const SILENCE: i16 = 3;
/// First byte of a snapshot.
const SNAPSHOT: u8 = 1;

/// Measures who speaks.
pub struct Speakers {
    segmentation: Segmentation,
    embedder: VoiceEmbedder,
    recording: Recording,
    /// Window to look at next.
    next: u64,
    /// Samples from the start of that window.
    tail: Vec<i16>,
}

impl Speakers {
    /// Measures with these networks.
    pub fn new(segmentation: Segmentation, embedder: VoiceEmbedder) -> Self {
        Self { segmentation, embedder, recording: Recording::default(), next: 0, tail: Vec::new() }
    }

    fn hear(&mut self, samples: impl Iterator<Item = i16>, out: &mut Vec<Observation>) -> Result<()> {
        let before = self.tail.len();
        self.tail.extend(samples);
        self.recording.heard += (self.tail.len() - before) as u64;
        // One sample more than a window: then another follows, and this one is not the last.
        while self.tail.len() > SEGMENT_WINDOW {
            self.look(false, out)?;
            self.tail.drain(..STEP * HOP);
            self.next += 1;
        }
        Ok(())
    }

    /// Ends the recording.
    fn end(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        let looked = if self.tail.is_empty() { Ok(()) } else { self.look(true, out) };
        self.recording = Recording::default();
        self.next = 0;
        self.tail.clear();
        looked
    }

    /// Looks at the window at the start of the tail.
    fn look(&mut self, last: bool, out: &mut Vec<Observation>) -> Result<()> {
        let Some(origin) = self.recording.origin else { return Ok(()) };
        let window = &self.tail[..self.tail.len().min(SEGMENT_WINDOW)];
        let first = self.next * (STEP * HOP) as u64;
        let at = |sample: usize| origin + duration(first + sample as u64);
        let mut claim = SpeakerWindow::default();
        if window.iter().any(|s| s.unsigned_abs() >= SILENCE.unsigned_abs()) {
            let samples: Vec<f32> = window.iter().map(|&s| f32::from(s) / 32_768.0).collect();
            let voices = self.segmentation.run(&samples)?;
            claim.levels = (0..LOCAL_SPEAKERS).map(|j| levels(voices.iter().map(|v| v[j]))).collect();
            let side = (FRAMES - STEP) / 2;
            let from = if self.next == 0 { 0 } else { side };
            let until = if last { FRAMES } else { side + STEP };
            for (voice, start, end) in stretches(&voices, from, until) {
                let [start, end] = [start, end].map(|frame| (frame * HOP + FIRST_CENTRE - HOP / 2).min(samples.len()));
                if let Some(vector) = self.embedder.embed(&samples[start..end])? {
                    // Four places hold a cosine to a thousandth and take half the room in the journal.
                    let vector = vector.iter().map(|v| (v * 1e4).round() / 1e4).collect();
                    claim.prints.push(VoicePrint { span: Span::new(at(start), at(end)), voice, vector });
                }
            }
        }
        out.push(Observation { span: Span::new(at(0), at(window.len())), claim: Claim::Speakers(claim) });
        Ok(())
    }
}

/// A hexadecimal digit a frame; nothing when all are 0.
fn levels(probabilities: impl Iterator<Item = f32>) -> String {
    let digits: String = probabilities.filter_map(|p| char::from_digit((p * 15.0).round() as u32, 16)).collect();
    if digits.bytes().all(|d| d == b'0') { String::new() } else { digits }
}

/// Voice, first frame and frame after the last of stretches in which one voice alone speaks.
fn stretches(voices: &[[f32; LOCAL_SPEAKERS]], from: usize, until: usize) -> Vec<(u8, usize, usize)> {
    let alone = |frame: usize| {
        let mut speaking = (0..LOCAL_SPEAKERS).filter(|&j| voices[frame][j] > ACTIVE);
        (speaking.next(), speaking.next().is_some())
    };
    let mut found = Vec::new();
    let mut frame = from;
    while frame < until {
        let (Some(voice), false) = alone(frame) else {
            frame += 1;
            continue;
        };
        let (start, mut end) = (frame, frame + 1);
        frame += 1;
        while frame < until {
            match alone(frame) {
                (Some(other), false) if other == voice => end = frame + 1,
                (None, _) if frame + 1 - end < PAUSE => {}
                _ => break,
            }
            frame += 1;
        }
        let len = end - start;
        if len < SHORTEST_PRINT {
            continue;
        }
        let parts = len.div_ceil(LONGEST_PRINT);
        found.extend((0..parts).map(|i| (voice as u8, start + len * i / parts, start + len * (i + 1) / parts)));
    }
    found
}

impl AudioAnalyzer for Speakers {
    fn name(&self) -> &'static str {
        "speakers"
    }

    fn push(&mut self, block: &AudioBlock, out: &mut Vec<Observation>) -> Result<()> {
        let mut rest: &[f32] = &block.samples;
        match self.recording.join(block) {
            Join::Anew => self.end(out)?,
            Join::After(silence) => self.hear(std::iter::repeat_n(0, silence), out)?,
            Join::Overlap(heard) => rest = rest.get(heard..).unwrap_or_default(),
        }
        self.recording.origin.get_or_insert(block.start);
        self.hear(rest.iter().copied().map(quantized), out)
    }

    fn snapshot(&self) -> Vec<u8> {
        let Some(origin) = self.recording.origin else { return Vec::new() };
        let mut bytes = vec![SNAPSHOT];
        bytes.extend_from_slice(&origin.nanos().to_le_bytes());
        bytes.extend_from_slice(&self.recording.heard.to_le_bytes());
        bytes.extend_from_slice(&self.next.to_le_bytes());
        bytes.extend(self.tail.iter().flat_map(|s| s.to_le_bytes()));
        bytes
    }

    fn restore(&mut self, snapshot: &[u8]) -> Result<()> {
        let wrong = || Error::new(ErrorKind::InvalidData, "the kept speaker state is not of this version");
        (self.recording, self.next, self.tail) = (Recording::default(), 0, Vec::new());
        if snapshot.is_empty() {
            return Ok(());
        }
        let (&version, rest) = snapshot.split_first().ok_or_else(wrong)?;
        let (origin, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (heard, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let (next, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        if version != SNAPSHOT || rest.len() % 2 != 0 || rest.len() / 2 > SEGMENT_WINDOW {
            return Err(wrong());
        }
        let origin = tempograph_core::MediaTime::from_nanos(i64::from_le_bytes(*origin));
        self.recording = Recording { origin: Some(origin), heard: u64::from_le_bytes(*heard) };
        self.next = u64::from_le_bytes(*next);
        self.tail = rest.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.end(out)
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::{MediaTime, Session, Tensor};

    use super::{super::testing::network, *};

    /// Stands for both networks: a loud frame has the first voice; a voice's vector tells of its features.
    fn fake() -> Box<dyn Session> {
        network(&[("in", &[])], |inputs| {
            let values = inputs[0].as_f32()?;
            if inputs[0].shape().last() == Some(&SEGMENT_WINDOW) {
                let classes = (0..FRAMES).flat_map(|f| {
                    let loud = values[f * HOP + FIRST_CENTRE].abs() > 0.1;
                    (0..7).map(move |c| if c == usize::from(loud) { 0.0 } else { -20.0 })
                });
                return Ok(vec![Tensor::new([1, FRAMES, 7], classes.collect::<Vec<f32>>())?]);
            }
            let mut vector = vec![0.01; 192];
            values.iter().enumerate().for_each(|(i, v)| vector[i % 192] += v * v);
            Ok(vec![Tensor::new([1, 192], vector)?])
        })
    }

    fn speakers() -> Speakers {
        Speakers::new(Segmentation::new(fake()).unwrap(), VoiceEmbedder::new(fake()).unwrap())
    }

    /// Noise that is loud in the second half of every six seconds.
    fn block(start_ms: i64, len_ms: usize) -> AudioBlock {
        let first = start_ms as usize * 16;
        let value = |i: usize| {
            let level = if i % 96_000 >= 48_000 { 0.9 } else { 0.01 };
            if i.wrapping_mul(2_654_435_761) % 7 < 3 { -level } else { level }
        };
        let samples = (first..first + len_ms * 16).map(value).collect();
        AudioBlock { start: MediaTime::from_millis(start_ms), samples }
    }

    fn run(blocks: &[AudioBlock]) -> Vec<(Span, SpeakerWindow)> {
        let (mut stage, mut out) = (speakers(), Vec::new());
        for block in blocks {
            stage.push(block, &mut out).unwrap();
        }
        stage.finish(&mut out).unwrap();
        let window = |o: Observation| match o.claim {
            Claim::Speakers(window) => (o.span, window),
            other => panic!("{other:?}"),
        };
        out.into_iter().map(window).collect()
    }

    #[test]
    fn windows_cover_the_sound_and_each_moment_is_embedded_once() {
        let windows = run(&(0..30).map(|i| block(5000 + i * 1000, 1000)).collect::<Vec<_>>());
        assert_eq!(windows[0].0, Span::new(MediaTime::from_millis(5000), MediaTime::from_millis(15_000)));
        assert_eq!(windows.last().unwrap().0.end, MediaTime::from_millis(35_000));
        assert!(windows.windows(2).all(|p| p[1].0.start - p[0].0.start == duration((STEP * HOP) as u64)));
        let mut prints: Vec<Span> = windows.iter().flat_map(|w| &w.1.prints).map(|p| p.span).collect();
        prints.sort();
        assert!(prints.windows(2).all(|p| p[0].end <= p[1].start), "{prints:?}");
        // Five stretches of three seconds, less what falls to pieces under half a second at the windows' edges.
        let total: f64 = prints.iter().map(|p| p.duration().as_secs_f64()).sum();
        assert!((13.0..15.2).contains(&total), "{total}");
        assert!(windows.iter().all(|w| w.1.levels[0].len() == FRAMES && w.1.levels[1].is_empty()));
    }

    #[test]
    fn short_sound_has_one_window_and_silence_is_not_looked_at() {
        let windows = run(&[block(3000, 1500)]);
        assert_eq!((windows.len(), windows[0].1.prints.len()), (1, 1));
        let silence = AudioBlock { start: MediaTime::ZERO, samples: vec![0.0; 200_000].into() };
        assert!(run(&[silence]).iter().all(|w| w.1 == SpeakerWindow::default()));
        assert!(run(&[]).is_empty());
    }

    #[test]
    fn a_long_gap_starts_a_recording_of_its_own() {
        let windows = run(&[block(3000, 2000), block(60_000, 2000)]);
        assert_eq!(windows.len(), 2);
        assert_eq!(windows[1].0.start, MediaTime::from_millis(60_000));
    }

    #[test]
    fn a_resumed_run_measures_the_same() {
        let blocks: Vec<_> = (0..60).map(|i| block(i * 487, 487)).collect();
        let (mut whole, mut a) = (speakers(), Vec::new());
        let (mut parts, mut b) = (speakers(), Vec::new());
        for (i, block) in blocks.iter().enumerate() {
            if i % 17 == 16 {
                let kept = parts.snapshot();
                parts = speakers();
                parts.restore(&kept).unwrap();
            }
            whole.push(block, &mut a).unwrap();
            parts.push(block, &mut b).unwrap();
        }
        whole.finish(&mut a).unwrap();
        parts.finish(&mut b).unwrap();
        assert!(!a.is_empty());
        assert_eq!(a, b);
        assert_eq!(parts.restore(&[9, 9]).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
