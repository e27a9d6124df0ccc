//! One analysis from file to timeline.
//!
//! ```text
//! probe ─► pass (measure, journaled unit by unit) ─► decide ─► fuse ─► ask ─► merge ─► Timeline
//! ```
//!
//! What is dear is *measured* and kept in the stage cache; what is cheap is *decided* anew each
//! time from what was measured. So changing a threshold reads no frame, and a killed run redoes at
//! most one unit of each stage.
//!
//! **Invariant:** the timeline, `run` aside, depends only on the bytes of the video, the options
//! and the models: not on when or how often the run was stopped, nor on the number of threads.

mod asking;
mod audio;
mod decide;
mod frames;
mod pass;
mod recorder;
mod sampler;
mod so_far;
mod speech;
mod stage;

use std::path::Path;

use serde_json::json;
use tempograph_core::{
    Cancel, Claim, DepthMap, FrameVector, Graph, Issue, MediaTime, Observation, Result, Span, Timeline,
    timeline::StageRun,
};
use tempograph_media::MediaInfo;

use self::{
    decide::Gathered,
    pass::{Pass, PassReport, run_pass},
};
pub use self::{
    decide::{Options, SceneCuts},
    so_far::{SoFar, so_far},
    stage::{AudioStage, FrameStage, Given, Make, SpeechStage, Stage, Stages},
};
use crate::{
    ask::{Asking, Estimate, Places},
    cache::{Objects, StageCache, StageIdentity, Unit},
};

/// Hears how far a run is.
pub trait Progress: Sync {
    /// The decoder is at `done` of `of`.
    fn media(&self, done: MediaTime, of: MediaTime);

    /// A model has been asked about `done` of `of` windows.
    fn asking(&self, _done: usize, _of: usize) {}
}

/// What to analyse and with what.
pub struct Request<'a> {
    /// The file.
    pub path: &'a Path,
    /// Where it was read from, as the result shall say.
    pub uri: &'a str,
    /// BLAKE3 of its bytes, hexadecimal.
    pub id: &'a str,
    /// What the container says.
    pub info: &'a MediaInfo,
    /// Audio stream to listen to; the file's default when absent.
    pub audio_stream: Option<usize>,
    /// What to run.
    pub stages: Stages,
    /// How to decide.
    pub options: &'a Options,
    /// Whom to ask about what was found, if anybody.
    pub asking: Option<Asking>,
    /// Where claims are kept.
    pub cache: &'a dyn StageCache,
    /// Where pictures are kept.
    pub objects: &'a dyn Objects,
    /// Who is told how far it is.
    pub progress: &'a dyn Progress,
    /// Raised to stop.
    pub cancel: &'a Cancel,
    /// Told why each stage runs or does not.
    pub explain: &'a dyn Fn(&str),
}

/// Everything a run gives.
pub struct Analysis {
    /// The fused view. `run` holds the stages; whole-process figures are the caller's to fill in.
    pub timeline: Timeline,
    /// Detections with track ids, frame by frame.
    pub detections: Vec<Observation>,
    /// Who is near whom and what comes before what.
    pub graph: Graph,
    /// What each scene detector found.
    pub cuts: Vec<SceneCuts>,
    /// A JPEG for each scene, in order, where there is one.
    pub thumbnails: Vec<Option<Vec<u8>>>,
    /// When depth was measured, in order of time, with where each map is kept.
    pub depths: Vec<(Span, DepthMap)>,
    /// What the video looks like from when to when, in order of time.
    pub frames: Vec<(Span, FrameVector)>,
}

/// Runs every stage that is not cached, decides, fuses and asks.
///
/// # Errors
/// When the file cannot be read at all, the store fails, or `cancel` was raised. What goes wrong
/// in one stage is an [`Issue`] of the timeline instead.
pub fn analyze(mut request: Request<'_>) -> Result<Analysis> {
    let (info, cache, id) = (request.info, request.cache, request.id);
    let mut stages = suited(std::mem::take(&mut request.stages), info);
    let mut issues: Vec<Issue> =
        stages.unavailable.drain(..).map(|(stage, error)| Issue::from_error(stage, &error)).collect();
    let mut models = stages.models();
    models.sort_by(|a, b| (&a.task, &a.name).cmp(&(&b.task, &b.name)));
    let given = std::mem::take(&mut stages.given);
    for given in &given {
        (request.explain)(&format!("{}: imported, {} claims", given.name, given.observations.len()));
    }
    for identity in stages.identities(id) {
        (request.explain)(&explain(cache, &identity)?);
    }

    let pass = Pass {
        path: request.path,
        info,
        video: id,
        audio_stream: request.audio_stream,
        cache,
        progress: request.progress,
        cancel: request.cancel,
    };
    let report = run_pass(&pass, stages)?;
    issues.extend(damage(cache, id, &report)?);
    issues.extend(report.issues.iter().cloned());

    let mut gathered = Gathered::default();
    for (identity, _) in &report.stages {
        gathered.read(cache, identity)?;
    }
    let mut stage_runs: Vec<_> = report.stages.into_iter().map(|(_, run)| run).collect();
    for Given { name, observations, .. } in given {
        let items = observations.len() as u64;
        stage_runs.push(StageRun {
            name: name.to_owned(),
            status: "imported".to_owned(),
            items,
            ..StageRun::default()
        });
        gathered.add(Unit { observations, snapshot: Vec::new() });
    }
    let video = info.to_video(request.uri, id);
    let mut decided = decide::decide(video, gathered, request.options, &mut issues);
    if let Some(asking) = request.asking.take() {
        let places = Places::new(decided.detections(), &decided.timeline);
        issues.extend(asking::ask(&request, &asking, &mut decided, &places)?);
    }
    let mut analysis = decide::conclude(decided, request.options, request.objects)?;
    stage_runs.append(&mut analysis.timeline.run.stages);
    analysis.timeline.run.stages = stage_runs;
    analysis.timeline.models = models;
    issues.sort_by(|a, b| (&a.stage, &a.code, &a.message).cmp(&(&b.stage, &b.code, &b.message)));
    issues.dedup();
    analysis.timeline.issues = issues;
    Ok(analysis)
}

/// What asking about a video would take; nothing is run and nothing is sent. It rests on the stages that the cache
/// holds whole; without them on the length of the video.
///
/// # Errors
/// When the store fails, or the frames of the video cannot be shown.
pub fn estimate(mut request: Request<'_>) -> Result<Option<Estimate>> {
    let Some((asking, model)) = request.asking.take().and_then(|a| Some((a.clone(), a.vision?))) else {
        return Ok(None);
    };
    let stages = suited(std::mem::take(&mut request.stages), request.info);
    let (mut gathered, mut measured) = (Gathered::default(), true);
    for identity in stages.identities(request.id) {
        if request.cache.record(&identity)?.complete {
            gathered.read(request.cache, &identity)?;
        } else {
            measured = false;
        }
    }
    for given in stages.given {
        gathered.add(Unit { observations: given.observations, snapshot: Vec::new() });
    }
    let video = request.info.to_video(request.uri, request.id);
    let decided = decide::decide(video, gathered, request.options, &mut Vec::new());
    let places = Places::new(decided.detections(), &decided.timeline);
    let plan = asking::planned(&request, &asking, model.as_ref(), &decided, &places)?;
    Ok(Some(plan.estimate(model.as_ref(), &asking, measured)))
}

/// `stages` without those that this file has nothing for.
fn suited(mut stages: Stages, info: &MediaInfo) -> Stages {
    if info.video.is_none() {
        stages.frames.clear();
    }
    if info.audio.is_empty() {
        stages.audio.clear();
        stages.voice = None;
    }
    if stages.voice.is_none() {
        stages.speech = None;
    }
    stages
}

/// Why the stage will run or will not, in one line.
fn explain(cache: &dyn StageCache, identity: &StageIdentity) -> Result<String> {
    let record = cache.record(identity)?;
    let stage = &identity.stage;
    Ok(if record.complete {
        format!("{stage}: cached, {} units", record.units)
    } else if record.units > 0 {
        format!("{stage}: resumes after {} units", record.units)
    } else if let Some(earlier) = cache.previous(identity)? {
        format!("{stage}: runs, because {}", identity.difference(&earlier))
    } else {
        format!("{stage}: runs, because this video has not been through it")
    })
}

/// What the reader complained about, in this pass or an earlier one: a cached result must not look
/// healthier than the run that made it.
fn damage(cache: &dyn StageCache, video: &str, report: &PassReport) -> Result<Vec<Issue>> {
    let identity = StageIdentity {
        video: video.to_owned(),
        stage: "read".to_owned(),
        version: 1,
        params: json!({}),
        models: Vec::new(),
        inputs: Vec::new(),
    };
    let mut known = Vec::new();
    cache.read(&identity, &mut |_, unit| {
        known.extend(unit.observations.into_iter().filter_map(|o| match o.claim {
            Claim::Issue(issue) => Some(issue),
            _ => None,
        }));
        Ok(())
    })?;
    let Some(new) = &report.damage else { return Ok(known) };
    let before = known.len();
    for issue in new {
        if !known.contains(issue) {
            known.push(issue.clone());
        }
    }
    if known.len() > before {
        let observations =
            known.iter().cloned().map(|i| Observation { span: Span::default(), claim: Claim::Issue(i) }).collect();
        cache.append(&identity, 0, &Unit { observations, snapshot: Vec::new() })?;
        cache.complete(&identity)?;
    }
    Ok(known)
}
