//! Runs speech recognition behind voice activity, chunk by chunk.

use crossbeam_channel::{Receiver, Sender, bounded};
use tempograph_core::{AudioBlock, Cancel, Error, ErrorKind, Observation, Result};

use super::{frames::Outcome, recorder::Recorder, stage::SpeechStage};
use crate::{
    analyze::asr::Chunker,
    cache::{StageCache, StageIdentity},
    threads::{clock::Stopwatch, panics::caught},
};

/// Blocks that may wait: about a minute of audio (4 MB), so that recognising one long chunk does
/// not hold the decoder back.
const QUEUE: usize = 64;

pub(crate) struct Heard {
    /// `None` at the end.
    block: Option<AudioBlock>,
    voice: Vec<Observation>,
}

/// Voice activity's end of the queue.
pub(crate) struct SpeechSender(Sender<Heard>);

pub(crate) fn queue() -> (SpeechSender, Receiver<Heard>) {
    let (sender, receiver) = bounded(QUEUE);
    (SpeechSender(sender), receiver)
}

impl SpeechSender {
    /// Hands on a block (`None`: the end) and what voice activity claimed meanwhile. Speech
    /// recognition that has given up is no reason for voice activity to stop.
    pub(crate) fn hand_on(&self, block: Option<AudioBlock>, voice: &[Observation]) {
        let _gone = self.0.send(Heard { block, voice: voice.to_vec() });
    }
}

/// Voice activity's claims that are known before the pass.
pub(crate) fn known_voice(cache: &dyn StageCache, voice: &StageIdentity) -> Result<Vec<Observation>> {
    let mut known = Vec::new();
    cache.read(voice, &mut |_, unit| {
        known.extend(unit.observations);
        Ok(())
    })?;
    Ok(known)
}

/// Recognises chunk after chunk until the queue ends. Chunks that are in the cache are passed over.
pub(crate) fn run_speech_stage(
    stage: SpeechStage,
    known: Vec<Observation>,
    receiver: &Receiver<Heard>,
    recorder: &mut Recorder<'_>,
    abort: &Cancel,
) -> Result<Outcome> {
    let name = stage.name;
    let mut make = Some(stage.make);
    let mut transcriber = None;
    let mut chunker = Chunker::default();
    chunker.voice(&known);
    let done = recorder.found().units;
    let mut number = 0;
    let mut ended = false;
    while !ended {
        match receiver.recv() {
            Ok(heard) => {
                chunker.voice(&heard.voice);
                match heard.block {
                    Some(block) => chunker.audio(&block),
                    None => {
                        ended = true;
                        chunker.finish();
                    }
                }
            }
            Err(_) if abort.is_cancelled() => return Err(Error::new(ErrorKind::Cancelled, "cancelled")),
            Err(_) => {
                return Ok(Err(Error::new(ErrorKind::StageFailed, "voice activity failed, so nothing was recognised")));
            }
        }
        while let Some(chunk) = chunker.next_chunk() {
            if abort.is_cancelled() {
                return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
            }
            number += 1;
            if number <= done {
                continue;
            }
            let watch = Stopwatch::start();
            // Loaded at the first speech: a silent video needs no speech model.
            if let Some(make) = make.take() {
                match caught(name, make) {
                    Ok(made) => transcriber = Some(made),
                    Err(error) => return Ok(Err(error)),
                }
            }
            let Some(transcriber) = transcriber.as_mut() else { continue };
            let claims = match caught(name, || transcriber.transcribe(&chunk)) {
                Ok(claims) => claims,
                Err(error) => return Ok(Err(error)),
            };
            watch.add_to(&mut recorder.cost);
            recorder.items += 1;
            recorder.claims(number - 1).extend(claims);
            recorder.close(Vec::new())?;
        }
    }
    Ok(Ok(()))
}
