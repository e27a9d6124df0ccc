//! Runs one frame stage on a thread of its own.

use crossbeam_channel::{Receiver, Sender, bounded};
use tempograph_core::{Cancel, Error, ErrorKind, Frame, FrameAnalyzer, MediaTime, Result};

use super::{recorder::Recorder, sampler::Sampler, stage::FrameStage};
use crate::threads::{clock::Stopwatch, panics::caught};

/// Media time covered by one unit.
pub(crate) const UNIT: MediaTime = MediaTime::from_millis(10_000);

/// Frames that may wait for a stage. The slowest stage holds the decoder back.
const QUEUE: usize = 6;

pub(crate) enum Message {
    /// Seen before: sets the analyzer up, its claims are known already.
    Warm(Frame),
    /// New, in unit `.1`.
    New(Frame, u64),
}

/// How a stage's thread ended: the stage's own failure, which the run survives.
pub(crate) type Outcome = std::result::Result<(), Error>;

/// The dispatcher's end of a stage.
pub(crate) struct FrameFeed {
    sampler: Sampler,
    origin: MediaTime,
    resume_unit: u64,
    warm: Option<Frame>,
    sender: Option<Sender<Message>>,
}

impl FrameFeed {
    pub(crate) fn new(stage: &FrameStage, origin: MediaTime, resume_unit: u64) -> (Self, Receiver<Message>) {
        let (sender, receiver) = bounded(QUEUE);
        let sampler = Sampler::new(stage.sampling, origin);
        (Self { sampler, origin, resume_unit, warm: None, sender: Some(sender) }, receiver)
    }

    /// Whether the stage still listens.
    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Hands on what the stage wants, now that `frame` is known; waits while its queue is full.
    pub(crate) fn offer(&mut self, frame: &Frame) {
        if self.is_open() {
            self.sampler.picks(frame).into_iter().flatten().for_each(|frame| self.send(&frame));
        }
    }

    /// No frame follows.
    pub(crate) fn end(&mut self) {
        if let Some(frame) = self.sampler.end() {
            self.send(&frame);
        }
    }

    fn send(&mut self, frame: &Frame) {
        let Some(sender) = &self.sender else { return };
        let unit = unit_of(frame.time, self.origin);
        if unit < self.resume_unit {
            self.warm = Some(frame.clone());
            return;
        }
        let warm = self.warm.take().map(Message::Warm);
        let failed = warm.into_iter().chain([Message::New(frame.clone(), unit)]).any(|m| sender.send(m).is_err());
        if failed {
            // The stage gave up; its thread says why.
            self.sender = None;
        }
    }
}

/// The unit that `time` falls in.
pub(crate) fn unit_of(time: MediaTime, origin: MediaTime) -> u64 {
    ((time - origin).nanos().max(0) / UNIT.nanos()) as u64
}

/// Runs the stage until its queue is closed. The outer error stops the whole run (the store failed).
pub(crate) fn run_frame_stage(
    stage: FrameStage,
    receiver: &Receiver<Message>,
    recorder: &mut Recorder<'_>,
    cancel: &Cancel,
) -> Result<Outcome> {
    let name = stage.stage.name;
    let mut analyzer = match caught(name, stage.stage.make) {
        Ok(analyzer) => analyzer,
        Err(error) => return Ok(Err(error)),
    };
    let mut thrown_away = Vec::new();
    for message in receiver {
        if cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
        }
        let watch = Stopwatch::start();
        let step = match message {
            Message::Warm(frame) => caught(name, || {
                analyzer.push(&frame, &mut thrown_away)?;
                analyzer.checkpoint(&mut thrown_away)
            }),
            Message::New(frame, unit) => {
                if recorder.closes_before(unit) {
                    if let Err(error) = settle(name, analyzer.as_mut(), recorder) {
                        return Ok(Err(error));
                    }
                    recorder.close(Vec::new())?;
                }
                recorder.items += 1;
                let claims = recorder.claims(unit);
                caught(name, || analyzer.push(&frame, claims))
            }
        };
        watch.add_to(&mut recorder.cost);
        thrown_away.clear();
        if let Err(error) = step {
            return Ok(Err(error));
        }
    }
    if cancel.is_cancelled() {
        return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
    }
    let watch = Stopwatch::start();
    if let Err(error) = settle(name, analyzer.as_mut(), recorder) {
        return Ok(Err(error));
    }
    let last = recorder.last_claims();
    let end = caught(name, || analyzer.finish(last));
    watch.add_to(&mut recorder.cost);
    recorder.cost.cpu += analyzer.helpers_cpu();
    Ok(end)
}

/// Lets the analyzer settle at the end of the open unit.
fn settle(name: &'static str, analyzer: &mut dyn FrameAnalyzer, recorder: &mut Recorder<'_>) -> Outcome {
    if !recorder.closes_before(u64::MAX) {
        return Ok(());
    }
    let claims = recorder.last_claims();
    caught(name, || analyzer.checkpoint(claims))
}
