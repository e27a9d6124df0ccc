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
        detect::{DetectAnalyzer, DetectSettings, Looker, detector_options},
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
        // Who has a model of appearance wants objects to be found again; nobody has to.
        let looks = self.store.preferred("reidentify").ok();
        let weights =
            [Some(&model), looks.as_ref()].into_iter().flatten().flat_map(|m| &m.files).map(|f| f.bytes).sum();
        let (lanes, options) = lanes(self.threads(), weights);
        let (family, path) = (model.family.clone(), model.main());
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
                    let runtime = runtime.get()?;
                    let looker = || {
                        let detector = detect::open(&family, runtime.load(&path, &options)?, &detector_options())?;
                        let looks = looks
                            .as_ref()
                            .map(|looks| embed::open_image(&looks.family, runtime.load(&looks.main(), &options)?));
                        Ok(Looker { detector, looks: looks.transpose()? })
                    };
                    let lookers = (0..lanes).map(|_| looker()).collect::<Result<_>>()?;
                    let settings = DetectSettings { fps, gate: gated.then(Gate::default) };
                    Ok(Box::new(DetectAnalyzer::new(lookers, settings)?) as _)
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

/// Frames that are looked at beside each other at most.
const MOST_LANES: usize = 4;
/// What the weights of all lanes may take together, bytes: each lane holds its own.
const LANES_WEIGHTS: u64 = 64 << 20;

/// How many frames the detector looks at beside each other, and the threads that each of them gets. Small networks run
/// faster beside each other than on several threads; large ones take much memory and use several threads well.
fn lanes(threads: usize, weights: u64) -> (usize, SessionOptions) {
    let fit = usize::try_from(LANES_WEIGHTS / weights.max(1)).unwrap_or(usize::MAX);
    let lanes = threads.min(MOST_LANES).min(fit).max(1);
    (lanes, SessionOptions { threads: threads.div_ceil(lanes).max(1) })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_detectors_look_at_several_frames_and_large_ones_use_their_threads() {
        let told = |threads, megabytes: u64| {
            let (lanes, options) = lanes(threads, megabytes << 20);
            (lanes, options.threads)
        };
        assert_eq!(told(1, 8), (1, 1));
        assert_eq!(told(2, 8), (2, 1));
        assert_eq!(told(3, 8), (3, 1));
        assert_eq!(told(6, 8), (4, 2), "no core is left out");
        assert_eq!(told(16, 8), (4, 4));
        assert_eq!(told(16, 40), (1, 16));
        assert_eq!(told(8, 130), (1, 8));
        assert_eq!(told(0, 0), (1, 1));
    }
}
