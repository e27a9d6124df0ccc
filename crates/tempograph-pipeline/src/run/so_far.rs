//! What an analysis that has not finished knows already.

use tempograph_core::{Graph, Result, Timeline, timeline::StageRun};

use super::{Request, decide, decide::Gathered, frames::UNIT, suited};
use crate::{cache::Unit, chat::Reached};

/// An unfinished analysis.
#[derive(Debug)]
pub struct SoFar {
    /// What was found, fused like a whole one.
    pub timeline: Timeline,
    /// Its graph.
    pub graph: Graph,
    /// How far it goes.
    pub reached: Reached,
}

/// Decides over the units that the cache holds of `request`'s stages; nothing is run, nothing is asked. `None` when
/// there are none yet. Whether somebody goes on with it is not known here.
///
/// # Errors
/// When the store fails.
pub fn so_far(mut request: Request<'_>) -> Result<Option<SoFar>> {
    let stages = suited(std::mem::take(&mut request.stages), request.info);
    let video = request.info.to_video(request.uri, request.id);
    let end = video.start_s + video.duration_s;
    let (mut gathered, mut runs) = (Gathered::default(), Vec::new());
    let mut reached = Reached { until: end, ..Reached::default() };
    for identity in stages.identities(request.id) {
        let record = request.cache.record(&identity)?;
        if record.units == 0 && !record.complete {
            reached.waiting.push(identity.stage);
            continue;
        }
        // A unit of speech is a chunk of it, not a stretch of time: what it is cut from says how far it is.
        if !record.complete && identity.stage != "speech" {
            let units = i64::try_from(record.units).unwrap_or(i64::MAX);
            let until = video.start_s + tempograph_core::MediaTime::from_nanos(UNIT.nanos().saturating_mul(units));
            reached.until = reached.until.min(until);
        }
        gathered.read(request.cache, &identity)?;
        let status = if record.complete { "done" } else { "running" };
        runs.push(StageRun {
            name: identity.stage,
            status: status.to_owned(),
            items: record.units,
            ..StageRun::default()
        });
    }
    if runs.is_empty() {
        return Ok(None);
    }
    for given in stages.given {
        gathered.add(Unit { observations: given.observations, snapshot: Vec::new() });
    }
    let decided = decide::decide(video, gathered, request.options, &mut Vec::new());
    let mut analysis = decide::conclude(decided, request.options, request.objects)?;
    analysis.timeline.run.stages = runs;
    Ok(Some(SoFar { timeline: analysis.timeline, graph: analysis.graph, reached }))
}
