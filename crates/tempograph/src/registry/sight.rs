//! The stages that look.

use std::sync::Arc;

use serde_json::json;
use tempograph_core::{Error, ErrorKind, Result, Runtime as _, Sampling, SessionOptions};
use tempograph_models::{
    depth::DepthEstimator,
    detect, embed,
    faces::{BlazeFace, Emotions, FaceOptions, FaceSearch},
    ocr::Reader,
    store::LocatedModel,
};
use tempograph_pipeline::{
    analyze::{
        depth::{self, DepthAnalyzer},
        detect::{DetectAnalyzer, DetectSettings, detector_options},
        faces::{self, FaceAnalyzer},
        frames::{self, FramesAnalyzer},
        gate::Gate,
        scenes::{self, SceneAnalyzer},
        text::{self, TextAnalyzer},
        thumbnails::{self, Thumbnails},
    },
    run::{FrameStage, Options, Stage},
};
use tempograph_store::FileObjects;

use super::{Registry, TEXT_MODEL, used};

impl Registry {
    /// The model that a setting names, else the best that is here for `task`.
    pub(super) fn named_or_preferred(&self, named: Option<&String>, task: &str) -> Result<LocatedModel> {
        named.map_or_else(|| self.store.preferred(task), |name| self.store.locate(name))
    }

    pub(super) fn detect_stage(&self) -> Result<FrameStage> {
        let model = self.named_or_preferred(self.settings.detector.as_ref(), "detect")?;
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

    pub(super) fn text_stage(&self) -> Result<FrameStage> {
        let model = match &self.settings.text_model {
            Some(name) => self.store.locate(name)?,
            None => self.store.preferred("text").or_else(|_| self.store.locate(TEXT_MODEL))?,
        };
        let fps = self.settings.text_fps.0;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads_beside() };
        let (family, detector, recognizer) = (model.family.clone(), model.main(), model.dir.join("rec.onnx"));
        Ok(FrameStage {
            sampling: Sampling::Shots { fps },
            stage: Stage {
                name: "text",
                version: 2,
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

    pub(super) fn face_stage(&self) -> Result<FrameStage> {
        let model = self.store.preferred("faces")?;
        let emotion = self.store.preferred("face-emotion")?;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads_beside() };
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

    pub(super) fn asked_for_frames(&self) -> bool {
        self.settings.image_embedder.is_some() || self.settings.only.0.iter().any(|stage| stage == "frames")
    }

    pub(super) fn frames_stage(&self) -> Result<FrameStage> {
        let model = self.image_model()?;
        let gated = self.settings.gate.is_on();
        let runtime = Arc::clone(&self.runtime);
        let session = SessionOptions { threads: self.threads_beside() };
        let (family, path) = (model.family.clone(), model.main());
        Ok(FrameStage {
            sampling: Sampling::Rate { fps: frames::RATE_FPS },
            stage: Stage {
                name: "frames",
                version: 1,
                params: json!({"fps": frames::RATE_FPS, "gate": gated}),
                models: vec![used(&model)],
                make: Box::new(move || {
                    let embedder = embed::open_image(&family, runtime.get()?.load(&path, &session)?)?;
                    Ok(Box::new(FramesAnalyzer::new(embedder, gated)) as _)
                }),
            },
        })
    }

    pub(super) fn asked_for_depth(&self) -> bool {
        self.settings.depth_model.is_some() || self.settings.only.0.iter().any(|stage| stage == "depth")
    }

    pub(super) fn depth_stage(&self, objects: Arc<FileObjects>) -> Result<FrameStage> {
        let model = self.named_or_preferred(self.settings.depth_model.as_ref(), "depth")?;
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
}

pub(super) fn scene_stage(options: &Options) -> Result<FrameStage> {
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

pub(super) fn thumbnail_stage(objects: Arc<FileObjects>) -> FrameStage {
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
