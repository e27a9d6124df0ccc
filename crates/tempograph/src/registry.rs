//! The only file that names concrete back ends: which stages there are and what runs them.
//!
//! To add a stage: its name in [`STAGES`], a constructor below, and a line in [`Registry::stages`].

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;
use tempograph_core::{
    Cancel, Error, ErrorKind, MediaTime, Result, Runtime, Sampling, SessionOptions, timeline::ModelUse,
};
use tempograph_models::{
    depth::DepthEstimator,
    detect,
    embed::{self, TextEmbedder},
    faces::{BlazeFace, Emotions, FaceOptions, FaceSearch},
    ocr::Reader,
    sounds::Yamnet,
    speakers::{Segmentation, VoiceEmbedder},
    store::{Event, LocatedModel, Manifest, ModelStore, Status, StoreOptions},
    vad::{SegmentOptions, Silero},
    whisper::{Files, TranscribeOptions, Whisper},
};
use tempograph_pipeline::{
    analyze::{
        asr::Asr,
        depth::{self, DepthAnalyzer},
        detect::{DetectAnalyzer, DetectSettings, detector_options},
        faces::{self, FaceAnalyzer},
        gate::Gate,
        prosody::{self, Prosody},
        scenes::{self, Detector, SceneAnalyzer},
        sounds::Sounds,
        speakers::{self, Speakers},
        text::{self, TextAnalyzer},
        thumbnails::{self, Thumbnails},
        track::{TrackOptions, TrackerKind},
        vad::Vad,
    },
    fuse::{FuseOptions, Heard, HighlightOptions, Weights},
    run::{AudioStage, FrameStage, Options, SpeechStage, Stage, Stages},
};
use tempograph_runtime_onnx::OnnxRuntime;
use tempograph_store::{FileObjects, Library};

use crate::{progress::Display, settings::Settings};

/// Names of stages, as in `--only` and `--skip`.
const STAGES: &[&str] = &[
    "scenes",
    "thumbnails",
    "detect",
    "faces",
    "text",
    "depth",
    "vad",
    "speech",
    "speakers",
    "prosody",
    "sounds",
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
}

/// ONNX Runtime, opened once.
struct Lazy {
    store: ModelStore,
    library: Option<std::path::PathBuf>,
    opened: Mutex<Option<Arc<OnnxRuntime>>>,
}

impl Lazy {
    fn get(&self) -> Result<Arc<OnnxRuntime>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*opened {
            return Ok(Arc::clone(runtime));
        }
        let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
        let library = self.store.onnxruntime(self.library.as_deref(), beside.as_deref())?;
        let runtime = Arc::new(OnnxRuntime::open(&library)?);
        *opened = Some(Arc::clone(&runtime));
        Ok(runtime)
    }
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
            .chain([&settings.speech_model, &settings.text_embedder])
        {
            store.manifest().get(name)?;
        }
        let runtime = Arc::new(Lazy {
            store: store.clone(),
            library: settings.onnxruntime.as_ref().map(|f| f.0.clone()),
            opened: Mutex::new(None),
        });
        let registry = Self { settings: settings.clone(), store, runtime };
        registry.options()?;
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
        if self.wants("vad") {
            needed.push("silero-vad");
        }
        if self.wants("speech") {
            needed.push(&s.speech_model);
        }
        if self.wants("embed") {
            needed.push(&s.text_embedder);
        }
        let with_models = ["detect", "faces", "text", "depth", "vad", "speakers", "sounds", "embed"];
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
        Ok(())
    }

    /// How to decide, from the settings.
    pub(crate) fn options(&self) -> Result<Options> {
        let s = &self.settings;
        let detectors: Vec<Detector> =
            s.scene_detectors.0.iter().map(|name| Detector::named(name)).collect::<Result<_>>()?;
        if detectors.is_empty() {
            return Err(Error::new(ErrorKind::Config, "setting `analyze.scene_detectors` names none")
                .with_hint("leave the stage out with `--skip scenes` instead"));
        }
        let confidence = s.confidence.0 as f32;
        let mut fuse = FuseOptions { scene_detector: Some(detectors[0].name().to_owned()), ..FuseOptions::default() };
        fuse.correlations.window = MediaTime::from_secs_f64(s.correlation_window_s.0);
        fuse.highlights = Self::highlights(s)?;
        Ok(Options {
            scene_detectors: detectors,
            track: TrackOptions {
                tracker: TrackerKind::from_name(&s.tracker.to_string())?,
                ..TrackOptions::trusting(confidence)
            },
            confidence,
            voice: SegmentOptions::default(),
            fuse,
            heard: Heard { voice: self.wants("vad"), words: self.wants("speech") },
        })
    }

    /// What is a highlight, from the settings.
    pub(crate) fn highlights(settings: &Settings) -> Result<HighlightOptions> {
        let s = settings;
        let (min, max) = (s.highlights_min_s.0, s.highlights_max_s.0);
        if min > max || max <= 0.0 {
            return Err(Error::new(
                ErrorKind::Config,
                format!("settings `highlights.min_s` and `highlights.max_s` leave no length: {min} to {max}"),
            ));
        }
        Ok(HighlightOptions {
            count: s.highlights_count.0,
            // No clip is shorter than what can be recognised as one.
            min: MediaTime::from_secs_f64(min.max(0.5).min(max)),
            max: MediaTime::from_secs_f64(max),
            min_score: s.highlights_min_score.0,
            weights: Weights {
                emotion: s.highlights_emotion.0,
                speech: s.highlights_speech.0,
                motion: s.highlights_motion.0,
                events: s.highlights_events.0,
                novelty: s.highlights_novelty.0,
            },
        })
    }

    /// A short name for everything asked for, so that runs of one plan replace each other.
    pub(crate) fn plan(&self) -> String {
        let s = &self.settings;
        let shaping = format!(
            "{:?}",
            (
                (&s.only, &s.skip, s.fps, &s.scene_detectors, &s.detector, s.confidence),
                (&s.text_model, s.text_fps, &s.depth_model, s.depth_fps),
                (s.tracker, &s.speech_model, &s.language, s.beam_size, s.audio_stream, s.correlation_window_s),
                &s.import,
            )
        );
        blake3::hash(shaping.as_bytes()).to_hex()[..16].to_owned()
    }

    fn threads(&self) -> usize {
        self.settings
            .threads
            .map_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get), |count| count.0)
    }

    /// Builds the wanted stages. What cannot be built is listed with its reason.
    pub(crate) fn stages(&self, library: &Library) -> Result<Stages> {
        let mut stages = Stages::default();
        let options = self.options()?;
        if self.wants("scenes") {
            stages.frames.push(scene_stage(&options)?);
        }
        if self.wants("thumbnails") {
            stages.frames.push(thumbnail_stage(Arc::clone(library.objects())));
        }
        if self.wants("detect") {
            match self.detect_stage() {
                Ok(stage) => stages.frames.push(stage),
                Err(error) => stages.unavailable.push(("detect", error)),
            }
        }
        if self.wants("text") {
            match self.text_stage() {
                Ok(stage) => stages.frames.push(stage),
                Err(error) => stages.unavailable.push(("text", error)),
            }
        }
        if self.wants("depth") {
            match self.depth_stage(Arc::clone(library.objects())) {
                Ok(stage) => stages.frames.push(stage),
                // No package carries its weights, so that they are not here is news only to who asked for them.
                Err(error) if error.kind() == ErrorKind::ModelMissing && !self.asked_for_depth() => {}
                Err(error) => stages.unavailable.push(("depth", error)),
            }
        }
        if self.wants("faces") {
            match self.face_stage() {
                Ok(stage) => stages.frames.push(stage),
                Err(error) => stages.unavailable.push(("faces", error)),
            }
        }
        if self.wants("sounds") {
            match self.sound_stage() {
                Ok(stage) => stages.audio.push(stage),
                Err(error) => stages.unavailable.push(("sounds", error)),
            }
        }
        if self.wants("vad") {
            match self.voice_stage() {
                Ok(stage) => stages.voice = Some(stage),
                Err(error) => stages.unavailable.push(("vad", error)),
            }
        }
        if self.wants("speakers") {
            match self.speakers_stage() {
                Ok(stage) => stages.audio.push(stage),
                Err(error) => stages.unavailable.push(("speakers", error)),
            }
        }
        if self.wants("prosody") {
            stages.audio.push(self.prosody_stage());
        }
        if self.wants("speech") {
            match self.speech_stage() {
                Ok(stage) => stages.speech = Some(stage),
                Err(error) => stages.unavailable.push(("speech", error)),
            }
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
        let session = self.runtime.get()?.load(&model.main(), &SessionOptions { threads: self.threads() })?;
        let path = model.path("tokenizer.json")?;
        let tokenizer = std::fs::read(&path).map_err(|e| Error::io("read the tokenizer", &path, e))?;
        embed::open_text(&model.family, session, &tokenizer)
    }

    fn detect_stage(&self) -> Result<FrameStage> {
        let model = match &self.settings.detector {
            Some(name) => self.store.locate(name)?,
            None => self.store.preferred("detect")?,
        };
        let fps = self.settings.fps.0;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let options = SessionOptions { threads: self.threads() };
        let (family, path) = (model.family.clone(), model.main());
        // Who has a model of appearance wants objects to be found again; nobody has to.
        let looks = self.store.preferred("reidentify").ok();
        let mut models = vec![used(&model)];
        models.extend(looks.as_ref().map(used));
        Ok(FrameStage {
            sampling: Sampling::Rate { fps },
            stage: Stage {
                name: "detect",
                version: 1,
                params: json!({"fps": fps, "gate": gated}),
                models,
                make: Box::new(move || {
                    let session = runtime.get()?.load(&path, &options)?;
                    let detector = detect::open(&family, session, &detector_options())?;
                    let settings = DetectSettings { fps, gate: gated.then(Gate::default) };
                    let mut analyzer = DetectAnalyzer::new(detector, settings);
                    if let Some(looks) = looks {
                        let session = runtime.get()?.load(&looks.main(), &options)?;
                        analyzer = analyzer.with_looks(embed::open_image(&looks.family, session)?);
                    }
                    Ok(Box::new(analyzer) as _)
                }),
            },
        })
    }

    fn text_stage(&self) -> Result<FrameStage> {
        let model = match &self.settings.text_model {
            Some(name) => self.store.locate(name)?,
            None => self.store.preferred("text").or_else(|_| self.store.locate(TEXT_MODEL))?,
        };
        let fps = self.settings.text_fps.0;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads() };
        let (family, detector, recognizer) = (model.family.clone(), model.main(), model.dir.join("rec.onnx"));
        Ok(FrameStage {
            sampling: Sampling::Rate { fps },
            stage: Stage {
                name: "text",
                version: 1,
                params: json!({"fps": fps, "gate": gated}),
                models: vec![used(&model)],
                make: Box::new(move || {
                    let runtime = runtime.get()?;
                    let (detector, recognizer) =
                        (runtime.load(&detector, &session)?, runtime.load(&recognizer, &session)?);
                    let reader = Reader::new(&family, detector, recognizer)?;
                    Ok(Box::new(TextAnalyzer::new(Box::new(reader), fps, gated.then(text::gate))) as _)
                }),
            },
        })
    }

    fn face_stage(&self) -> Result<FrameStage> {
        let model = self.store.preferred("faces")?;
        let emotion = self.store.preferred("face-emotion")?;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads() };
        let file = |model: &LocatedModel, n: usize| {
            model.files.get(n).map(|f| model.dir.join(&f.name)).ok_or_else(|| {
                Error::new(ErrorKind::ModelInvalid, format!("model `{}` has too few files in the manifest", model.name))
            })
        };
        let (far, near, expression) = (file(&model, 0)?, file(&model, 1)?, emotion.main());
        let options = FaceOptions::default();
        Ok(FrameStage {
            sampling: Sampling::Rate { fps: faces::RATE_FPS },
            stage: Stage {
                name: "faces",
                version: 2,
                params: json!({"fps": faces::RATE_FPS, "gate": gated, "propose": options.propose, "decide": options.decide}),
                models: vec![used(&model), used(&emotion)],
                make: Box::new(move || {
                    let runtime = runtime.get()?;
                    let (far, near) = (runtime.load(&far, &session)?, runtime.load(&near, &session)?);
                    let emotions = Emotions::new(runtime.load(&expression, &session)?)?;
                    let search = FaceSearch::new(BlazeFace::new(far)?, BlazeFace::new(near)?, Some(emotions), options);
                    Ok(Box::new(FaceAnalyzer::new(search, gated.then(Gate::default))) as _)
                }),
            },
        })
    }

    fn asked_for_depth(&self) -> bool {
        self.settings.depth_model.is_some() || self.settings.only.0.iter().any(|stage| stage == "depth")
    }

    fn depth_stage(&self, objects: Arc<FileObjects>) -> Result<FrameStage> {
        let model = match &self.settings.depth_model {
            Some(name) => self.store.locate(name)?,
            None => self.store.preferred("depth")?,
        };
        let fps = self.settings.depth_fps.0;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads() };
        let (family, path) = (model.family.clone(), model.main());
        Ok(FrameStage {
            sampling: Sampling::Rate { fps },
            stage: Stage {
                name: "depth",
                version: 1,
                params: json!({"fps": fps, "gate": gated}),
                models: vec![used(&model)],
                make: Box::new(move || {
                    let session = runtime.get()?.load(&path, &session)?;
                    let estimator = DepthEstimator::new(&family, session, None)?;
                    let gate = gated.then(depth::gate);
                    Ok(Box::new(DepthAnalyzer::new(Box::new(estimator), objects, fps, gate)) as _)
                }),
            },
        })
    }

    fn sound_stage(&self) -> Result<AudioStage> {
        let model = self.store.preferred("sounds")?;
        let runtime = Arc::clone(&self.runtime);
        let path = model.main();
        Ok(Stage {
            name: "sounds",
            version: 1,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: vec![used(&model)],
            make: Box::new(move || {
                // A second of sound takes milliseconds: a thread more would only wait.
                let session = runtime.get()?.load(&path, &SessionOptions { threads: 1 })?;
                Ok(Box::new(Sounds::new(Yamnet::new(session)?)) as _)
            }),
        })
    }

    fn voice_stage(&self) -> Result<AudioStage> {
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

    fn speakers_stage(&self) -> Result<AudioStage> {
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

    fn prosody_stage(&self) -> AudioStage {
        Stage {
            name: "prosody",
            version: prosody::VERSION,
            params: json!({"audio_stream": self.settings.audio_stream.map(|i| i.0)}),
            models: Vec::new(),
            make: Box::new(|| Ok(Box::new(Prosody::new()) as _)),
        }
    }

    fn speech_stage(&self) -> Result<SpeechStage> {
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

fn scene_stage(options: &Options) -> Result<FrameStage> {
    let measures = options.measures()?;
    Ok(FrameStage {
        sampling: Sampling::Every,
        stage: Stage {
            name: "scenes",
            version: scenes::VERSION,
            params: serde_json::to_value(measures)
                .map_err(|e| Error::new(ErrorKind::Internal, format!("measures are not JSON: {e}")))?,
            models: Vec::new(),
            make: Box::new(move || Ok(Box::new(SceneAnalyzer::new(measures)?) as _)),
        },
    })
}

fn thumbnail_stage(objects: Arc<FileObjects>) -> FrameStage {
    FrameStage {
        sampling: Sampling::Rate { fps: thumbnails::RATE_FPS },
        stage: Stage {
            name: "thumbnails",
            version: 1,
            params: json!({"fps": thumbnails::RATE_FPS}),
            models: Vec::new(),
            make: Box::new(move || Ok(Box::new(Thumbnails::new(objects)) as _)),
        },
    }
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
