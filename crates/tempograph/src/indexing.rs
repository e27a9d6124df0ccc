//! Vectors for search: what the texts of analyses mean, worked out once a text, and what their frames look like.

use std::{collections::BTreeMap, time::Instant};

use tempograph_core::{
    Cancel, ErrorKind, FrameVector, Issue, Result, Span, Timeline,
    timeline::{ModelUse, StageRun},
};
use tempograph_models::embed::{Role, TextEmbedder};
use tempograph_store::{
    Library,
    search::{self, FrameQuestion, QueryVector, Space},
};

use crate::registry::Registry;

/// Texts that are kept in one step, which is what a killed run loses.
const STEP: usize = 256;
/// Texts that a search catches up with at most: about ten seconds of one core. The others wait for the next one.
const CATCH_UP: usize = 1024;

/// Embeds what of `timeline` can be found and has no vector yet: the stage `embed`.
///
/// # Errors
/// When `cancel` was raised or the disk is full. Any other failure is an issue of the result, and words alone are
/// searched.
pub(crate) fn embed(timeline: &mut Timeline, library: &Library, registry: &Registry, cancel: &Cancel) -> Result<()> {
    if !registry.wants("embed") {
        return Ok(());
    }
    let started = Instant::now();
    let moments = search::moments(timeline);
    let texts: Vec<&str> = moments.iter().map(|m| m.text.as_str()).collect();
    let (status, items) = match work(&texts, library, registry, cancel) {
        Ok((model, 0)) => {
            timeline.models.push(model);
            ("cached", 0)
        }
        Ok((model, items)) => {
            timeline.models.push(model);
            ("done", items)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::DiskFull) => return Err(error),
        Err(error) => {
            timeline.issues.push(Issue::from_error("embed", &error));
            ("failed", 0)
        }
    };
    timeline.models.sort_by(|a, b| (&a.task, &a.name).cmp(&(&b.task, &b.name)));
    timeline.run.stages.push(StageRun {
        name: "embed".to_owned(),
        status: status.to_owned(),
        cached: status == "cached",
        wall_s: started.elapsed().as_secs_f64(),
        items: items as u64,
        ..StageRun::default()
    });
    Ok(())
}

fn work(texts: &[&str], library: &Library, registry: &Registry, cancel: &Cancel) -> Result<(ModelUse, usize)> {
    let model = registry.text_model()?;
    let missing: Vec<&str> =
        library.without_vector(&model.sha256, texts)?.into_iter().filter_map(|i| texts.get(i).copied()).collect();
    if !missing.is_empty() {
        keep(&missing, library, registry.text_embedder()?.as_mut(), &model, cancel)?;
    }
    Ok((model, missing.len()))
}

fn keep(
    texts: &[&str],
    library: &Library,
    embedder: &mut dyn TextEmbedder,
    model: &ModelUse,
    cancel: &Cancel,
) -> Result<()> {
    let space = Space { model: model.sha256.clone(), dims: embedder.dims() };
    for step in texts.chunks(STEP) {
        cancel.check()?;
        let vectors = embedder.embed(step, Role::Document)?;
        let vectors: BTreeMap<&str, Vec<f32>> = step.iter().copied().zip(vectors).collect();
        library.put_vectors(&space, &vectors)?;
    }
    Ok(())
}

/// Brings the index up to date as far as that is quick, then turns the question into a vector.
///
/// # Errors
/// When there is no model, it fails, or `cancel` was raised.
pub(crate) fn question(
    text: &str,
    library: &Library,
    registry: &Registry,
    cancel: &Cancel,
    note: &dyn Fn(&str),
) -> Result<QueryVector> {
    let model = registry.text_model()?;
    let mut embedder = registry.text_embedder()?;
    let (texts, count) = library.pending_texts(&model.sha256, CATCH_UP)?;
    if count > 0 {
        note(&format!("working out what {} of {count} texts mean, which is kept", texts.len()));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        keep(&texts, library, embedder.as_mut(), &model, cancel)?;
    }
    let vector = embedder.embed(&[text], Role::Query)?.pop().unwrap_or_default();
    Ok(QueryVector { space: Space { model: model.sha256, dims: embedder.dims() }, vector })
}

/// Keeps what the stage `frames` saw of the video `video`, if it saw anything.
///
/// # Errors
/// When the library cannot be written.
pub(crate) fn keep_frames(
    video: &str,
    frames: &[(Span, FrameVector)],
    library: &Library,
    registry: &Registry,
) -> Result<()> {
    let Some((_, first)) = frames.first() else { return Ok(()) };
    let space = Space { model: registry.image_model()?.sha256, dims: first.vector.len() };
    library.put_frames(video, &space, frames)
}

/// The question as it is put to frames. `None` when no frame was seen by the model that is here, or there is none:
/// nothing is loaded then.
///
/// # Errors
/// When the model does not load or fails, or the library cannot be read.
pub(crate) fn frame_question(text: &str, library: &Library, registry: &Registry) -> Result<Option<FrameQuestion>> {
    let model = match registry.image_model() {
        Ok(model) => model,
        Err(error) if error.kind() == ErrorKind::ModelMissing => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(dims) = library.frame_dims(&model.sha256)? else { return Ok(None) };
    let vector = registry.frame_reader(&model)?.embed(&[text], Role::Query)?.pop().unwrap_or_default();
    let min_cosine = model.min_cosine.unwrap_or_default();
    Ok(Some(FrameQuestion { space: Space { model: model.sha256, dims }, vector, min_cosine }))
}
