//! From everything that was measured to the timeline: cheap, pure, done anew each time.

use std::time::Instant;

use tempograph_core::{
    Claim, Detections, FrameVector, Graph, Issue, MediaTime, Observation, Result, Span, Timeline,
    timeline::{Scene, StageRun, Video},
};
use tempograph_models::vad::SegmentOptions;

use super::Analysis;
use crate::{
    analyze::{
        scenes::{Cut, Detector, Measures, Scores},
        track::{TrackOptions, Tracked, named, track},
        vad::voices,
    },
    ask::Shot,
    cache::{Objects, StageCache, StageIdentity, Unit},
    fuse::{self, FuseInput, FuseOptions, Heard},
};

/// How to decide.
#[derive(Clone, Debug)]
pub struct Options {
    /// Scene detectors; the first decides the scenes.
    pub scene_detectors: Vec<Detector>,
    /// How objects are followed.
    pub track: TrackOptions,
    /// Boxes of less confidence that no track took are left out of the result, 0 to 1.
    pub confidence: f32,
    /// When probabilities are speech.
    pub voice: SegmentOptions,
    /// When movement is an event, and so on.
    pub fuse: FuseOptions,
    /// What was listened for; set from the stages that ran to their end.
    pub heard: Heard,
}

impl Options {
    /// What the scene stage must measure for these detectors.
    ///
    /// # Errors
    /// When two detectors want one measurement with different settings.
    pub fn measures(&self) -> Result<Measures> {
        self.scene_detectors.iter().try_fold(Measures::default(), |all, d| all.union(d.measures()))
    }
}

/// What one scene detector found.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneCuts {
    /// Its name, e.g. `adaptive`.
    pub detector: &'static str,
    /// Where new scenes start.
    pub cuts: Vec<Cut>,
}

/// Claims by what is decided from them.
#[derive(Default)]
pub(crate) struct Gathered {
    scene_scores: Vec<Observation>,
    detections: Vec<Observation>,
    thumbnails: Vec<Shot>,
    voice: Vec<Observation>,
    frames: Vec<(Span, FrameVector)>,
    other: Vec<Observation>,
}

impl Gathered {
    /// Adds every claim that the cache holds of a stage.
    pub(crate) fn read(&mut self, cache: &dyn StageCache, identity: &StageIdentity) -> Result<()> {
        cache.read(identity, &mut |_, unit| {
            self.add(unit);
            Ok(())
        })
    }

    pub(crate) fn add(&mut self, unit: Unit) {
        for Observation { span, claim } in unit.observations {
            let list = match claim {
                Claim::Thumbnail { object, offset, len } => {
                    self.thumbnails.push(Shot { span, object, offset, len });
                    continue;
                }
                Claim::FrameVector(vector) => {
                    self.frames.push((span, vector));
                    continue;
                }
                Claim::SceneScores { .. } => &mut self.scene_scores,
                Claim::Detections { .. } => &mut self.detections,
                Claim::VoiceProbabilities { .. } => &mut self.voice,
                _ => &mut self.other,
            };
            list.push(Observation { span, claim });
        }
    }
}

/// What was decided before anybody is asked.
pub(crate) struct Decided {
    pub(crate) timeline: Timeline,
    /// Tracked detections behind every other claim.
    observations: Vec<Observation>,
    /// How many claims are no detections.
    others: usize,
    standings: Vec<fuse::Standing>,
    cuts: Vec<SceneCuts>,
    thumbnails: Vec<Shot>,
    frames: Vec<(Span, FrameVector)>,
}

impl Decided {
    /// Detections with track ids, in order of time.
    pub(crate) fn detections(&self) -> &[Observation] {
        self.observations.get(self.others..).unwrap_or_default()
    }

    /// Small pictures, in order of time.
    pub(crate) fn shots(&self) -> &[Shot] {
        &self.thumbnails
    }
}

pub(crate) fn decide(video: Video, gathered: Gathered, options: &Options, issues: &mut Vec<Issue>) -> Decided {
    let mut stages = Vec::new();
    let cuts = timed("cuts", &mut stages, || find_cuts(&gathered.scene_scores, &video, options, issues));
    let primary: Vec<Cut> = cuts.first().map(|c| c.cuts.clone()).unwrap_or_default();
    drop(gathered.scene_scores);

    let times: Vec<MediaTime> = primary.iter().map(|c| c.time).collect();
    let Tracked { observations: mut detections, tracks } =
        timed("track", &mut stages, || match named(&gathered.detections) {
            Some(tracked) => tracked,
            None => track(&gathered.detections, &times, &options.track),
        });
    drop(gathered.detections);
    for observation in &mut detections {
        if let Claim::Detections { detections, .. } = &mut observation.claim {
            *detections = shown(detections, options.confidence);
        }
    }

    let mut observations = gathered.other;
    observations.extend(voices(&gathered.voice, &options.voice));
    if let Some(first) = cuts.first() {
        observations.extend(first.cuts.iter().map(|c| c.observation(first.detector)));
    }
    let mut timeline = Timeline::empty(video);
    // Detections are moved in and out again: an hour of them is not worth a copy.
    let others = observations.len();
    observations.append(&mut detections);
    let standings = timed("fuse", &mut stages, || {
        let depths = fuse::track_depths(&observations, &timeline.video);
        let input = FuseInput {
            video: &timeline.video,
            observations: &observations,
            tracks: &tracks,
            depths: &depths,
            heard: options.heard,
        };
        let mut fused = fuse::fuse(&input, &options.fuse);
        let standings = std::mem::take(&mut fused.standings);
        fused.fill(&mut timeline);
        standings
    });
    issues.append(&mut timeline.issues);
    timeline.run.stages = stages;
    let mut thumbnails = gathered.thumbnails;
    thumbnails.sort_by_key(|t| t.span.start);
    let frames = fuse::frame_spans(gathered.frames, timeline.video.start_s + timeline.video.duration_s);
    Decided { timeline, observations, others, standings, cuts, thumbnails, frames }
}

/// What follows from everything, what models told included.
pub(crate) fn conclude(decided: Decided, options: &Options, objects: &dyn Objects) -> Result<Analysis> {
    let Decided { mut timeline, mut observations, others, standings, cuts, thumbnails, frames } = decided;
    let mut stages = std::mem::take(&mut timeline.run.stages);
    let graph: Graph = timed("graph", &mut stages, || fuse::graph::graph(&timeline, &standings));
    // Last of all: it weighs everything that the timeline holds by now.
    timed("highlights", &mut stages, || {
        fuse::highlights::fill(&mut timeline, &observations, &options.fuse.highlights);
    });
    let detections = observations.split_off(others);
    timeline.run.stages = stages;

    let thumbnails =
        timeline.scenes.iter().map(|scene| thumbnail(scene, &thumbnails, objects)).collect::<Result<_>>()?;
    let depths = observations
        .into_iter()
        .filter_map(|o| match o.claim {
            Claim::Depth(map) => Some((o.span, map)),
            _ => None,
        })
        .collect();
    Ok(Analysis { timeline, detections, graph, cuts, thumbnails, depths, frames })
}

fn timed<T>(name: &str, stages: &mut Vec<StageRun>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    stages.push(StageRun {
        name: name.to_owned(),
        status: "done".to_owned(),
        wall_s: started.elapsed().as_secs_f64(),
        ..StageRun::default()
    });
    result
}

fn find_cuts(scores: &[Observation], video: &Video, options: &Options, issues: &mut Vec<Issue>) -> Vec<SceneCuts> {
    if scores.is_empty() {
        return Vec::new();
    }
    let found = options.measures().and_then(|m| Scores::new(&m, scores)).and_then(|scores| {
        options
            .scene_detectors
            .iter()
            .map(|d| Ok(SceneCuts { detector: d.name(), cuts: d.cuts(&scores, video.fps)? }))
            .collect::<Result<Vec<_>>>()
    });
    found.unwrap_or_else(|error| {
        issues.push(Issue::from_error("scenes", &error));
        Vec::new()
    })
}

/// The rows that people are shown: what a track took, and what is sure enough on its own.
fn shown(detections: &Detections, confidence: f32) -> Detections {
    let keep: Vec<usize> = (0..detections.len())
        .filter(|&i| {
            let row = detections.get(i);
            row.track.is_some() || row.score >= confidence
        })
        .collect();
    detections.select(&keep)
}

/// The picture nearest to the middle of `scene`, taken inside it.
fn thumbnail(scene: &Scene, all: &[Shot], objects: &dyn Objects) -> Result<Option<Vec<u8>>> {
    let middle = MediaTime::from_nanos((scene.span.start.nanos() + scene.span.end.nanos()) / 2);
    let nearest = all
        .iter()
        .filter(|shot| scene.span.contains(shot.span.start))
        .min_by_key(|shot| shot.span.start.abs_diff(middle));
    let Some(Shot { object, offset, len, .. }) = nearest else { return Ok(None) };
    let bytes = objects.get(object)?;
    let (start, end) = (*offset as usize, (offset + len) as usize);
    Ok(bytes.get(start..end).map(<[u8]>::to_vec))
}
