//! One pass over the media: the decoder feeds every stage that is not whole yet.

use std::thread::{self, ScopedJoinHandle};

use tempograph_core::{Cancel, Error, ErrorKind, Issue, Result, Sampling, timeline::StageRun};
use tempograph_media::{AudioWants, MediaInfo, Reader, Sample, SkipFrames, VideoWants, Wants};

use super::{
    Progress,
    audio::{AudioFeed, run_audio_stage},
    frames::{FrameFeed, Outcome, run_frame_stage},
    recorder::Recorder,
    speech::{self, run_speech_stage},
    stage::Stages,
};
use crate::cache::{StageCache, StageIdentity};

/// What a pass needs besides the stages.
pub(crate) struct Pass<'a> {
    pub(crate) path: &'a std::path::Path,
    pub(crate) info: &'a MediaInfo,
    /// Identity of the video.
    pub(crate) video: &'a str,
    pub(crate) audio_stream: Option<usize>,
    pub(crate) cache: &'a dyn StageCache,
    pub(crate) progress: &'a dyn Progress,
    pub(crate) cancel: &'a Cancel,
}

/// What a pass left behind. The claims are in the cache.
#[derive(Default)]
pub(crate) struct PassReport {
    pub(crate) stages: Vec<(StageIdentity, StageRun)>,
    pub(crate) issues: Vec<Issue>,
    /// What the reader complained about; `None` when nothing was read.
    pub(crate) damage: Option<Vec<Issue>>,
}

impl PassReport {
    fn add(&mut self, mut recorder: Recorder<'_>, outcome: Outcome) -> Result<()> {
        match &outcome {
            Ok(()) if recorder.found().complete => {}
            Ok(()) => recorder.complete()?,
            Err(error) => self.issues.push(Issue::from_error(&recorder.identity().stage, error)),
        }
        self.stages.push((recorder.identity().clone(), recorder.report(outcome.is_err())));
        Ok(())
    }
}

type Finished<'a> = (Recorder<'a>, Result<Outcome>);

/// Runs every stage that the cache does not hold whole.
pub(crate) fn run_pass(pass: &Pass<'_>, stages: Stages) -> Result<PassReport> {
    let origin = pass.info.start;
    let mut report = PassReport::default();
    // Raised when the pass cannot reach the end: no stage may then call itself whole.
    let abort = Cancel::new();

    thread::scope(|scope| -> Result<()> {
        let mut frame_feeds = Vec::new();
        let mut audio_feeds = Vec::new();
        let mut running: Vec<ScopedJoinHandle<'_, Finished<'_>>> = Vec::new();
        let mut only_key_frames = true;

        for stage in stages.frames {
            let mut recorder = Recorder::new(pass.cache, stage.stage.identity(pass.video, Vec::new()))?;
            if recorder.found().complete {
                report.add(recorder, Ok(()))?;
                continue;
            }
            only_key_frames &= stage.sampling == Sampling::Key;
            let (feed, receiver) = FrameFeed::new(&stage, origin, recorder.found().units);
            frame_feeds.push(feed);
            let abort = abort.clone();
            running.push(scope.spawn(move || {
                let outcome = run_frame_stage(stage, &receiver, &mut recorder, &abort);
                (recorder, outcome)
            }));
        }
        for stage in stages.audio {
            let mut recorder = Recorder::new(pass.cache, stage.identity(pass.video, Vec::new()))?;
            if recorder.found().complete {
                report.add(recorder, Ok(()))?;
                continue;
            }
            let (feed, receiver) = AudioFeed::new();
            audio_feeds.push(feed);
            let abort = abort.clone();
            running.push(scope.spawn(move || {
                let outcome = run_audio_stage(stage, &receiver, origin, &mut recorder, &abort, &mut |_, _| ());
                (recorder, outcome)
            }));
        }
        if let Some(voice) = stages.voice {
            let mut voice_recorder = Recorder::new(pass.cache, voice.identity(pass.video, Vec::new()))?;
            let voice_identity = voice_recorder.identity().clone();
            let mut to_speech = None;
            if let Some(stage) = stages.speech {
                let mut recorder = Recorder::new(pass.cache, stage.identity(pass.video, vec![voice_identity.key()]))?;
                if recorder.found().complete {
                    report.add(recorder, Ok(()))?;
                } else {
                    let known = speech::known_voice(pass.cache, &voice_identity)?;
                    let (sender, receiver) = speech::queue();
                    to_speech = Some(sender);
                    let abort = abort.clone();
                    running.push(scope.spawn(move || {
                        let outcome = run_speech_stage(stage, known, &receiver, &mut recorder, &abort);
                        (recorder, outcome)
                    }));
                }
            }
            if voice_recorder.found().complete && to_speech.is_none() {
                report.add(voice_recorder, Ok(()))?;
            } else {
                let (feed, receiver) = AudioFeed::new();
                audio_feeds.push(feed);
                let abort = abort.clone();
                running.push(scope.spawn(move || {
                    let outcome =
                        run_audio_stage(voice, &receiver, origin, &mut voice_recorder, &abort, &mut |block, claims| {
                            if let Some(speech) = &to_speech {
                                speech.hand_on(block, claims);
                            }
                        });
                    (voice_recorder, outcome)
                }));
            }
        }

        let read = if frame_feeds.is_empty() && audio_feeds.is_empty() {
            Ok(None)
        } else {
            let wants = Wants {
                video: (!frame_feeds.is_empty()).then_some(VideoWants {
                    skip: if only_key_frames { SkipFrames::NonKey } else { SkipFrames::None },
                }),
                audio: (!audio_feeds.is_empty()).then_some(AudioWants { stream: pass.audio_stream }),
            };
            read(pass, &wants, &mut frame_feeds, &mut audio_feeds).map(Some)
        };
        if read.is_err() {
            abort.cancel();
        }
        drop((frame_feeds, audio_feeds));
        let mut fatal = None;
        for thread in running {
            let (recorder, outcome) = thread.join().map_err(|_| {
                Error::new(ErrorKind::Internal, "a stage's thread ended unexpectedly")
                    .with_hint("run the same command again: finished work is kept")
            })?;
            match outcome {
                Ok(outcome) => report.add(recorder, outcome)?,
                Err(error) => fatal = fatal.or(Some(error)),
            }
        }
        // The reader's own failure says more than the cancelled stages behind it.
        report.damage = read?;
        fatal.map_or(Ok(()), Err)
    })?;
    Ok(report)
}

fn read(
    pass: &Pass<'_>,
    wants: &Wants,
    frame_feeds: &mut [FrameFeed],
    audio_feeds: &mut [AudioFeed],
) -> Result<Vec<Issue>> {
    let mut reader = Reader::open(pass.path)?;
    let report = reader.read(wants, pass.cancel, &mut |sample| {
        let now = match &sample {
            Sample::Frame(frame) => {
                for feed in frame_feeds.iter_mut() {
                    feed.offer(frame);
                }
                frame.time
            }
            Sample::Audio(block) => {
                for feed in audio_feeds.iter_mut() {
                    feed.offer(block);
                }
                block.start
            }
        };
        if !frame_feeds.iter().any(FrameFeed::is_open) && !audio_feeds.iter().any(AudioFeed::is_open) {
            // Every stage has given up: their own errors say why.
            return Err(Error::new(ErrorKind::StageFailed, "no stage is left that wants to go on"));
        }
        pass.progress.media(now - pass.info.start, pass.info.duration);
        Ok(())
    });
    match report {
        Ok(report) => {
            frame_feeds.iter_mut().for_each(FrameFeed::end);
            Ok(report.issues)
        }
        Err(error) if error.kind() == ErrorKind::StageFailed => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
