//! What a stage is before it runs: a name, what it depends on, and how to build it.

use serde_json::Value;
use tempograph_core::{AudioAnalyzer, FrameAnalyzer, Observation, Result, Sampling, timeline::ModelUse};

use crate::{analyze::speech::Transcriber, cache::StageIdentity};

/// Builds an analyzer. Called only when the cache does not hold the whole stage, so a model is
/// loaded only when it is needed.
pub type Make<T> = Box<dyn FnOnce() -> Result<Box<T>> + Send>;

/// A stage and what its claims depend on.
pub struct Stage<T: ?Sized> {
    /// Name, as in `--only` and `run.stages`.
    pub name: &'static str,
    /// Raised whenever the code gives other claims than before.
    pub version: u32,
    /// Parameters that shape its claims.
    pub params: Value,
    /// Models it runs.
    pub models: Vec<ModelUse>,
    /// How to build it.
    pub make: Make<T>,
}

impl<T: ?Sized> Stage<T> {
    pub(crate) fn identity(&self, video: &str, inputs: Vec<String>) -> StageIdentity {
        StageIdentity {
            video: video.to_owned(),
            stage: self.name.to_owned(),
            version: self.version,
            params: self.params.clone(),
            models: self.models.iter().map(|m| m.sha256.clone()).collect(),
            inputs,
        }
    }
}

/// A stage that looks at frames.
pub struct FrameStage {
    /// Which frames it wants; known before it is built.
    pub sampling: Sampling,
    /// The stage.
    pub stage: Stage<dyn FrameAnalyzer>,
}

/// A stage that listens.
pub type AudioStage = Stage<dyn AudioAnalyzer>;

/// The stage that turns chunks of speech into words.
pub type SpeechStage = Stage<dyn Transcriber>;

/// Claims that were made elsewhere and stand in for a stage.
pub struct Given {
    /// The stage's name.
    pub name: &'static str,
    /// What they come from; its checksum says which claims they are.
    pub source: ModelUse,
    /// The claims.
    pub observations: Vec<Observation>,
}

/// Everything a run may do.
#[derive(Default)]
pub struct Stages {
    /// Stages that look at frames.
    pub frames: Vec<FrameStage>,
    /// Stages that listen on their own.
    pub audio: Vec<AudioStage>,
    /// Voice activity.
    pub voice: Option<AudioStage>,
    /// Speech recognition; hears only what voice activity lets through.
    pub speech: Option<SpeechStage>,
    /// Stages whose claims are known from the start.
    pub given: Vec<Given>,
    /// Stages that could not be set up, with the reason.
    pub unavailable: Vec<(&'static str, tempograph_core::Error)>,
}

impl Stages {
    /// Every model that takes part, once a task.
    pub(crate) fn models(&self) -> Vec<ModelUse> {
        let mut models: Vec<ModelUse> = self.frames.iter().flat_map(|s| s.stage.models.iter()).cloned().collect();
        models.extend(self.audio.iter().chain(&self.voice).flat_map(|s| s.models.iter()).cloned());
        models.extend(self.speech.iter().flat_map(|s| s.models.iter()).cloned());
        models.extend(self.given.iter().map(|g| g.source.clone()));
        models
    }

    /// What each stage's claims depend on, in the order stages are reported.
    pub(crate) fn identities(&self, video: &str) -> Vec<StageIdentity> {
        let mut all: Vec<_> = self.frames.iter().map(|s| s.stage.identity(video, Vec::new())).collect();
        all.extend(self.audio.iter().map(|s| s.identity(video, Vec::new())));
        if let Some(voice) = &self.voice {
            let voice = voice.identity(video, Vec::new());
            let inputs = vec![voice.key()];
            all.push(voice);
            all.extend(self.speech.iter().map(|s| s.identity(video, inputs.clone())));
        }
        all
    }
}
