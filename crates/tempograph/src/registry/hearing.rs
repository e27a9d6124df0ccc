//! The stages that listen.

use std::sync::Arc;

use serde_json::json;
use tempograph_core::{Result, Runtime as _, SessionOptions};
use tempograph_models::{
    sounds,
    speakers::{Segmentation, VoiceEmbedder},
    store::LocatedModel,
    vad::Silero,
    whisper::{Files, TranscribeOptions, Whisper},
};
use tempograph_pipeline::{
    analyze::{
        asr::Asr,
        prosody::{self, Prosody},
        sounds::Sounds,
        speakers::{self, Speakers},
        vad::Vad,
    },
    run::{AudioStage, SpeechStage, Stage},
};

use super::{Registry, used};

impl Registry {
    pub(super) fn voice_stage(&self) -> Result<AudioStage> {
        let model = self.store.locate("silero-vad")?;
        let runtime = Arc::clone(&self.runtime);
        let path = model.main();
        Ok(Stage {
            name: "vad",
            version: 1,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: vec![used(&model)],
            make: Box::new(move || {
                let session = runtime.get()?.load(&path, &SessionOptions { threads: 1 })?;
                Ok(Box::new(Vad::new(Silero::new(session)?)) as _)
            }),
        })
    }

    /// The network that says what a sound is.
    pub(super) fn sound_model(&self) -> Result<LocatedModel> {
        self.named_or_preferred(self.settings.sound_model.as_ref(), "sounds")
    }

    pub(super) fn sound_stage(&self) -> Result<AudioStage> {
        let model = self.sound_model()?;
        let runtime = Arc::clone(&self.runtime);
        let (family, path) = (model.family.clone(), model.main());
        Ok(Stage {
            name: "sounds",
            version: 2,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: vec![used(&model)],
            make: Box::new(move || {
                // A second of sound takes milliseconds (CED: 2.1 windows of 12 ms): a thread more would only wait.
                let session = runtime.get()?.load(&path, &SessionOptions { threads: 1 })?;
                Ok(Box::new(Sounds::new(sounds::open(&family, session)?)) as _)
            }),
        })
    }

    pub(super) fn speakers_stage(&self) -> Result<AudioStage> {
        let segmentation = self.store.preferred("speaker-segmentation")?;
        let embedding = self.store.preferred("speaker-embedding")?;
        let runtime = Arc::clone(&self.runtime);
        let paths = [segmentation.main(), embedding.main()];
        Ok(Stage {
            name: "speakers",
            version: speakers::VERSION,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: vec![used(&segmentation), used(&embedding)],
            make: Box::new(move || {
                let runtime = runtime.get()?;
                let [segmentation, embedding] = paths.map(|path| runtime.load(&path, &SessionOptions { threads: 1 }));
                Ok(Box::new(Speakers::new(Segmentation::new(segmentation?)?, VoiceEmbedder::new(embedding?)?)) as _)
            }),
        })
    }

    pub(super) fn prosody_stage(&self) -> AudioStage {
        Stage {
            name: "prosody",
            version: prosody::VERSION,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: Vec::new(),
            make: Box::new(|| Ok(Box::new(Prosody::new()) as _)),
        }
    }

    pub(super) fn speech_stage(&self) -> Result<SpeechStage> {
        let model = self.store.locate(&self.settings.speech_model)?;
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads() };
        let options = TranscribeOptions {
            language: self.settings.language.clone(),
            beams: self.settings.beam_size.0,
            ..TranscribeOptions::default()
        };
        let files = Files::of(&model.dir);
        Ok(Stage {
            name: "speech",
            version: 1,
            params: json!({"language": options.language, "beam_size": options.beams}),
            models: vec![used(&model)],
            make: Box::new(move || {
                let whisper = Whisper::open(runtime.get()?.as_ref(), &files, &session)?;
                Ok(Box::new(Asr::new(whisper, options)) as _)
            }),
        })
    }
}
