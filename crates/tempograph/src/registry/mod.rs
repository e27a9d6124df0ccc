//! The only module that names concrete back ends: which stages there are and what runs them.
//!
//! To add a stage: its name in [`STAGES`], a constructor in `sight.rs` or `hearing.rs`, and a line in [`Registry::stages`].

mod asking;
mod choices;
mod hearing;
pub(crate) mod local;
mod runtime;
mod sight;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tempograph_core::{Cancel, Error, ErrorKind, Result, Runtime as _, SessionOptions, timeline::ModelUse};
use tempograph_models::{
    embed::{self, TextEmbedder},
    store::{Event, LocatedModel, Manifest, ModelStore, Status, StoreOptions},
};
use tempograph_pipeline::run::Stages;
use tempograph_store::Library;

use self::{
    asking::Asking,
    runtime::Lazy,
    sight::{scene_stage, thumbnail_stage},
};
use crate::{progress::Display, settings::Settings};

/// Names of stages, as in `--only` and `--skip`.
const STAGES: &[&str] = &[
    "scenes",
    "thumbnails",
    "detect",
    "faces",
    "text",
    "depth",
    "frames",
    "vad",
    "speech",
    "speakers",
    "prosody",
    "sounds",
    "ask",
    "summary",
    "embed",
];

/// What reads text unless another model is present or named.
const TEXT_MODEL: &str = "ppocr-v6-tiny";

/// Knows the models on this machine and builds stages from the settings.
pub(crate) struct Registry {
    settings: Settings,
    store: ModelStore,
    /// Opened when the first model is loaded: a cached run needs none.
    runtime: Arc<Lazy>,
    asking: Asking,
    /// The library's folder.
    data: PathBuf,
}

/// The store of models that the settings name.
pub(crate) fn model_store(settings: &Settings, data: &Path) -> Result<ModelStore> {
    let root = settings.models.as_ref().map_or_else(|| data.join("models"), |f| f.0.clone());
    let options = StoreOptions { offline: settings.offline.is_on(), ..StoreOptions::default() };
    Ok(ModelStore::new(root, Manifest::builtin()?, options))
}

impl Registry {
    /// Checks the settings that name stages and models.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that does not exist.
    pub(crate) fn open(settings: &Settings, data: &Path) -> Result<Self> {
        for (key, list) in [("analyze.only", &settings.only), ("analyze.skip", &settings.skip)] {
            for name in &list.0 {
                if !STAGES.contains(&name.as_str()) {
                    return Err(Error::new(ErrorKind::Config, format!("setting `{key}`: there is no stage `{name}`"))
                        .with_hint(format!("the stages are {}", STAGES.join(", "))));
                }
            }
        }
        let store = model_store(settings, data)?;
        for name in settings
            .detector
            .iter()
            .chain(&settings.text_model)
            .chain(&settings.depth_model)
            .chain(&settings.image_embedder)
            .chain(&settings.sound_model)
            .chain([&settings.speech_model, &settings.text_embedder])
        {
            store.manifest().get(name)?;
        }
        let runtime = Arc::new(Lazy::new(store.clone(), settings.onnxruntime.as_ref().map(|f| f.0.clone())));
        let asking = Asking::new();
        let registry = Self { settings: settings.clone(), store, runtime, asking, data: data.to_owned() };
        registry.options()?;
        asking::check(settings)?;
        Ok(registry)
    }

    pub(crate) fn wants(&self, stage: &str) -> bool {
        let has = |list: &crate::settings::List, name: &str| list.0.iter().any(|s| s == name);
        let only = &self.settings.only;
        // Speech recognition hears only what voice activity lets through.
        let named = only.0.is_empty() || has(only, stage) || stage == "vad" && has(only, "speech");
        named && !has(&self.settings.skip, stage)
    }

    /// Fetches what the wanted stages need and is not here. What cannot be fetched is said and
    /// becomes an issue of each result.
    ///
    /// # Errors
    /// Only when `cancel` was raised.
    pub(crate) fn prepare(&self, display: &Display, cancel: &Cancel) -> Result<()> {
        let s = &self.settings;
        let mut needed: Vec<&str> = Vec::new();
        if self.wants("detect") {
            needed.extend(s.detector.as_deref());
        }
        if self.wants("text") {
            needed.push(s.text_model.as_deref().unwrap_or(TEXT_MODEL));
        }
        if self.wants("depth") {
            needed.extend(s.depth_model.as_deref());
        }
        if self.wants("frames") {
            needed.extend(s.image_embedder.as_deref());
        }
        if self.wants("sounds") {
            needed.extend(s.sound_model.as_deref());
        }
        if self.wants("vad") {
            needed.push("silero-vad");
        }
        if self.wants("speech") {
            needed.push(&s.speech_model);
        }
        if self.wants("embed") {
            needed.push(&s.text_embedder);
        }
        let with_models = ["detect", "faces", "text", "depth", "frames", "vad", "speakers", "sounds", "embed"];
        let models = with_models.iter().any(|stage| self.wants(stage));
        if models && s.onnxruntime.is_none() && self.store.onnxruntime(None, None).is_err() {
            needed.push("onnxruntime");
        }
        for name in needed {
            match self.store.locate(name) {
                Err(error) if is_absence(error.kind()) && !s.offline.is_on() => {
                    match pull(&self.store, name, display, cancel) {
                        Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                        Err(error) => display.note(&format!("{name}: cannot be fetched: {error}")),
                        Ok(_) => {}
                    }
                }
                _ => {}
            }
        }
        self.warm_up(cancel);
        Ok(())
    }

    /// A short name for everything asked for, so that runs of one plan replace each other.
    pub(crate) fn plan(&self) -> String {
        let s = &self.settings;
        let shaping = format!(
            "{:?}",
            (
                (&s.only, &s.skip, s.fps, &s.scene_detectors, &s.detector, s.confidence),
                (&s.text_model, s.text_fps, &s.depth_model, s.depth_fps, &s.image_embedder, &s.sound_model),
                (s.tracker, &s.speech_model, &s.language, s.beam_size, s.audio_stream, s.correlation_window_s),
                &s.import,
                (s.ask_backend, &s.ask_vision, &s.ask_chat, &s.ask_structured, &s.ask_text_model),
                (&s.openai_model, &s.gemini_model, s.gemini_video, &s.runpod_model, &s.local_model),
                (s.ask_window_s, s.ask_frames, s.ask_frame_tokens, s.ask_max_windows, &s.prompts_folder),
            )
        );
        blake3::hash(shaping.as_bytes()).to_hex()[..16].to_owned()
    }

    fn threads(&self) -> usize {
        self.settings
            .threads
            .map_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get), |count| count.0)
    }

    /// Threads of a network that runs beside the detector: threads of several networks that want the same cores cost more
    /// in waiting for each other than they save: on two cores a whole analysis is 5 % faster so.
    fn threads_beside(&self) -> usize {
        let beside = ["detect", "text", "faces", "speech"].iter().filter(|stage| self.wants(stage)).count();
        (self.threads() / beside.max(1)).max(1)
    }

    /// Builds the wanted stages. What cannot be built is listed with its reason.
    pub(crate) fn stages(&self, library: &Library) -> Result<Stages> {
        let mut stages = Stages::default();
        let options = self.options()?;
        let unavailable = &mut stages.unavailable;
        if self.wants("scenes") {
            stages.frames.push(scene_stage(&options)?);
        }
        if self.wants("thumbnails") {
            stages.frames.push(thumbnail_stage(Arc::clone(library.objects())));
        }
        if self.wants("detect") {
            stages.frames.extend(made("detect", self.detect_stage(), unavailable));
        }
        if self.wants("text") {
            stages.frames.extend(made("text", self.text_stage(), unavailable));
        }
        if self.wants("depth") {
            match self.depth_stage(Arc::clone(library.objects())) {
                // No package carries its weights, so that they are not here is news only to who asked for them.
                Err(error) if error.kind() == ErrorKind::ModelMissing && !self.asked_for_depth() => {}
                stage => stages.frames.extend(made("depth", stage, unavailable)),
            }
        }
        if self.wants("frames") {
            match self.frames_stage() {
                Err(error) if error.kind() == ErrorKind::ModelMissing && !self.asked_for_frames() => {}
                stage => stages.frames.extend(made("frames", stage, unavailable)),
            }
        }
        if self.wants("faces") {
            stages.frames.extend(made("faces", self.face_stage(), unavailable));
        }
        if self.wants("sounds") {
            stages.audio.extend(made("sounds", self.sound_stage(), unavailable));
        }
        if self.wants("vad") {
            stages.voice = made("vad", self.voice_stage(), unavailable);
        }
        if self.wants("speakers") {
            stages.audio.extend(made("speakers", self.speakers_stage(), unavailable));
        }
        if self.wants("prosody") {
            stages.audio.push(self.prosody_stage());
        }
        if self.wants("speech") {
            stages.speech = made("speech", self.speech_stage(), unavailable);
        }
        Ok(stages)
    }

    /// The model that turns texts into vectors; nothing is loaded.
    ///
    /// # Errors
    /// When its weights are not here.
    pub(crate) fn text_model(&self) -> Result<ModelUse> {
        Ok(used(&self.store.locate(&self.settings.text_embedder)?))
    }

    /// What turns texts into vectors, loaded.
    ///
    /// # Errors
    /// When its weights or the runtime are not here or do not load.
    pub(crate) fn text_embedder(&self) -> Result<Box<dyn TextEmbedder>> {
        let model = self.store.locate(&self.settings.text_embedder)?;
        self.reader(&model, &model.main())
    }

    /// The model that knows what frames look like; nothing is loaded.
    ///
    /// # Errors
    /// When its weights are not here.
    pub(crate) fn image_model(&self) -> Result<LocatedModel> {
        self.named_or_preferred(self.settings.image_embedder.as_ref(), "embed-image")
    }

    /// What puts a text among the frames that the image embedder `model` saw, loaded.
    ///
    /// # Errors
    /// When the runtime or a file is not here, or the model does not load.
    pub(crate) fn frame_reader(&self, model: &LocatedModel) -> Result<Box<dyn TextEmbedder>> {
        self.reader(model, &model.path("text_model.onnx")?)
    }

    fn reader(&self, model: &LocatedModel, weights: &Path) -> Result<Box<dyn TextEmbedder>> {
        let session = self.runtime.get()?.load(weights, &SessionOptions { threads: self.threads() })?;
        let path = model.path("tokenizer.json")?;
        let tokenizer = std::fs::read(&path).map_err(|e| Error::io("read the tokenizer", &path, e))?;
        embed::open_text(&model.family, session, &tokenizer)
    }
}

/// The stage, or why there is none.
fn made<T>(name: &'static str, stage: Result<T>, unavailable: &mut Vec<(&'static str, Error)>) -> Option<T> {
    stage.map_err(|error| unavailable.push((name, error))).ok()
}

fn used(model: &LocatedModel) -> ModelUse {
    ModelUse {
        task: model.task.clone(),
        name: model.name.clone(),
        sha256: model.sha256.clone(),
        licence: model.licence.clone(),
        runtime: "onnxruntime".to_owned(),
        device: "cpu".to_owned(),
    }
}

/// Whether something is only not here yet.
fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ModelMissing | ErrorKind::RuntimeMissing)
}

/// Fetches one model with a progress bar.
pub(crate) fn pull(store: &ModelStore, name: &str, display: &Display, cancel: &Cancel) -> Result<LocatedModel> {
    let bar = display.download(name);
    store.pull(name, cancel, &mut |event| match event {
        Event::Waiting => display.note(&format!("{name}: another process is fetching it")),
        Event::Received { done, bytes, .. } if bytes > 0 => bar.at(done as f64 / bytes as f64),
        Event::Refused { source, .. } => {
            display.note(&format!("{name}: not to be had from the {source}, trying the next source"))
        }
        Event::Converting { .. } => display.note(&format!("{name}: converting")),
        _ => {}
    })
}

/// Whether everything of the default set is here.
pub(crate) fn missing_defaults(store: &ModelStore) -> Vec<String> {
    store
        .list()
        .into_iter()
        .filter(|l| l.entry.default && matches!(l.status, Status::Absent | Status::Damaged))
        .map(|l| l.entry.name.clone())
        .collect()
}
