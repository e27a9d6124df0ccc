//! Text frame by frame: the reader at its rate and at the end of each shot, spared where nothing changed.

use tempograph_core::{Claim, Frame, FrameAnalyzer, MediaTime, Observation, Result, Sampling, TextLine};
use tempograph_models::ocr::Reader;

use super::gate::{Gate, Watch};

/// Frames a second the reader sees by default. A caption stays for at least one second (BBC subtitle guidelines), so
/// each is seen.
pub const DEFAULT_FPS: f64 = 1.0;
/// Lines below are dropped. What is shown is decided later; this only keeps noise out of the store.
pub const CONFIDENCE: f32 = 0.4;
/// The reader looks again after this long, even when nothing changed: once a unit.
const REFRESH: MediaTime = MediaTime::from_millis(10_000);

/// When the reader is spared: text that stays needs no second look.
pub fn gate() -> Gate {
    Gate { refresh: REFRESH, ..Gate::default() }
}

/// Reads one frame; what a [`Reader`] does.
pub trait ReadText: Send {
    /// The lines of `frame`, in displayed pixels.
    ///
    /// # Errors
    /// When pixels cannot be converted or a model fails.
    fn read(&mut self, frame: &Frame) -> Result<Vec<TextLine>>;
}

impl ReadText for Reader {
    fn read(&mut self, frame: &Frame) -> Result<Vec<TextLine>> {
        Self::read(self, frame)
    }
}

/// The stage `text`.
pub struct TextAnalyzer {
    reader: Box<dyn ReadText>,
    fps: f64,
    watch: Watch,
    last: Vec<TextLine>,
}

impl TextAnalyzer {
    /// Looks `fps` times a second and at the end of each shot; `gate` of `None` runs the models each time.
    pub fn new(reader: Box<dyn ReadText>, fps: f64, gate: Option<Gate>) -> Self {
        Self { reader, fps, watch: Watch::new(gate), last: Vec::new() }
    }
}

impl FrameAnalyzer for TextAnalyzer {
    fn name(&self) -> &'static str {
        "text"
    }

    fn needs(&self) -> Sampling {
        Sampling::Shots { fps: self.fps }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let unchanged = self.watch.unchanged(frame)?;
        if !unchanged {
            self.last = self.reader.read(frame)?;
            self.last.retain(|line| line.confidence >= CONFIDENCE);
        }
        let span = frame.span();
        out.push(Observation { span, claim: Claim::Texts { frame: frame.index, lines: self.last.clone() } });
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        self.watch.forget();
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::{BoxXyxy, Size};

    use super::{super::testing::grey, *};

    /// Reads how often it was asked.
    struct Counter(u32);
    impl ReadText for Counter {
        fn read(&mut self, _: &Frame) -> Result<Vec<TextLine>> {
            self.0 += 1;
            let line = |text: String, confidence| TextLine { text, confidence, bbox: BoxXyxy::default() };
            Ok(vec![line(self.0.to_string(), 0.9), line("noise".to_owned(), 0.1)])
        }
    }

    #[test]
    fn a_still_picture_is_read_once_a_unit_and_noise_is_dropped() {
        let mut stage = TextAnalyzer::new(Box::new(Counter(0)), 1.0, Some(gate()));
        let mut out = Vec::new();
        for (i, level) in [Some(9), Some(9), Some(90), None, Some(90)].into_iter().enumerate() {
            let Some(level) = level else {
                stage.checkpoint(&mut out).expect("it settles");
                continue;
            };
            let time = MediaTime::from_millis(1000 * i as i64);
            let duration = MediaTime::from_millis(40);
            let frame = Frame { index: i as u64, time, duration, key: false, picture: grey(level, Size::new(64, 36)) };
            stage.push(&frame, &mut out).expect("it reads");
        }
        let read: Vec<_> = out
            .iter()
            .map(|o| match &o.claim {
                Claim::Texts { lines, .. } => lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(read, [["1"], ["1"], ["2"], ["3"]]);
    }
}
