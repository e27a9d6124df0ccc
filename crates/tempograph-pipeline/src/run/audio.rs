//! Runs one listening stage on a thread of its own.

use crossbeam_channel::{Receiver, Sender, bounded};
use tempograph_core::{AudioBlock, Cancel, Error, ErrorKind, MediaTime, Observation, Result};

use super::{
    frames::{Outcome, unit_of},
    recorder::Recorder,
    stage::AudioStage,
};
use crate::threads::{clock::Stopwatch, panics::caught};

/// Blocks of about half a second to a second that may wait for a stage.
const QUEUE: usize = 8;

/// The dispatcher's end of a listening stage.
pub(crate) struct AudioFeed {
    sender: Option<Sender<AudioBlock>>,
}

impl AudioFeed {
    pub(crate) fn new() -> (Self, Receiver<AudioBlock>) {
        let (sender, receiver) = bounded(QUEUE);
        (Self { sender: Some(sender) }, receiver)
    }

    /// Whether the stage still listens.
    pub(crate) fn is_open(&self) -> bool {
        self.sender.is_some()
    }

    /// Hands `block` on; waits while the queue is full.
    pub(crate) fn offer(&mut self, block: &AudioBlock) {
        if let Some(sender) = &self.sender
            && sender.send(block.clone()).is_err()
        {
            self.sender = None;
        }
    }
}

/// Runs the stage until its queue is closed, telling `heard` about each block and the claims it
/// gave, and at the end about the last claims without a block. The outer error stops the whole run (the store failed).
pub(crate) fn run_audio_stage(
    stage: AudioStage,
    receiver: &Receiver<AudioBlock>,
    origin: MediaTime,
    recorder: &mut Recorder<'_>,
    abort: &Cancel,
    heard: &mut dyn FnMut(Option<AudioBlock>, &[Observation]),
) -> Result<Outcome> {
    let name = stage.name;
    let resume_unit = recorder.found().units;
    let snapshot = recorder.found().snapshot.clone();
    let complete = recorder.found().complete;
    let cancelled = || Err(Error::new(ErrorKind::Cancelled, "cancelled"));
    if complete {
        // All claims are known: the blocks only pass through to whoever listens behind.
        for block in receiver {
            if abort.is_cancelled() {
                return cancelled();
            }
            heard(Some(block), &[]);
        }
        if abort.is_cancelled() {
            return cancelled();
        }
        heard(None, &[]);
        return Ok(Ok(()));
    }
    let mut analyzer = match caught(name, stage.make) {
        Ok(analyzer) => analyzer,
        Err(error) => return Ok(Err(error)),
    };
    if resume_unit > 0
        && let Err(error) = caught(name, || analyzer.restore(&snapshot))
    {
        return Ok(Err(error));
    }
    for block in receiver {
        if abort.is_cancelled() {
            return cancelled();
        }
        let unit = unit_of(block.start, origin);
        if unit < resume_unit {
            heard(Some(block), &[]);
            continue;
        }
        let watch = Stopwatch::start();
        let mut given = Vec::new();
        if recorder.closes_before(unit) {
            if let Err(error) = caught(name, || analyzer.checkpoint(&mut given)) {
                return Ok(Err(error));
            }
            recorder.last_claims().extend(given.iter().cloned());
            recorder.close(analyzer.snapshot())?;
        }
        recorder.items += 1;
        let settled = given.len();
        recorder.claims(unit);
        if let Err(error) = caught(name, || analyzer.push(&block, &mut given)) {
            return Ok(Err(error));
        }
        recorder.claims(unit).extend(given[settled..].iter().cloned());
        watch.add_to(&mut recorder.cost);
        heard(Some(block), &given);
    }
    if abort.is_cancelled() {
        return cancelled();
    }
    let watch = Stopwatch::start();
    let mut given = Vec::new();
    let end = caught(name, || analyzer.finish(&mut given));
    recorder.last_claims().extend(given.iter().cloned());
    watch.add_to(&mut recorder.cost);
    if end.is_ok() {
        heard(None, &given);
    }
    Ok(end)
}
