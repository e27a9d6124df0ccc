//! The stage `summary`: what was told of windows, or measured, told as one.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use serde_json::json;
use tempograph_core::{
    Claim, ErrorKind, Issue, Observation, PartTold, Result, Span, Timeline,
    timeline::{StageRun, Summary},
    vlm::Vlm,
};

use crate::{
    ask::{self, Asking, Kept, Piece, Task},
    cache::{StageCache, StageIdentity, Unit},
    run::{Request, explain},
    threads::panics::caught,
};

/// Raised whenever other questions are put than before.
const VERSION: u32 = 1;

/// Where parts of a summary are kept.
struct Journal<'a> {
    cache: &'a dyn StageCache,
    identity: &'a StageIdentity,
    known: BTreeMap<u64, PartTold>,
}

impl Kept for Journal<'_> {
    fn known(&self, number: u64) -> Option<PartTold> {
        self.known.get(&number).cloned()
    }

    fn keep(&mut self, number: u64, span: Span, part: &PartTold) -> Result<()> {
        let observations = vec![Observation { span, claim: Claim::Part(Box::new(part.clone())) }];
        self.cache.append(self.identity, number, &Unit { observations, snapshot: Vec::new() })
    }
}

/// Writes the summary of `pieces` into `timeline`, as `backend`. `measured`: nobody was asked about windows, so that
/// one short call will do.
pub(super) fn write(
    request: &Request<'_>,
    asking: &Asking,
    model: &Arc<dyn Vlm>,
    pieces: Vec<Piece>,
    backend: &str,
    measured: bool,
    timeline: &mut Timeline,
) -> Result<(StageRun, Vec<Issue>)> {
    let started = Instant::now();
    let texts: Vec<String> =
        pieces.iter().map(|p| format!("{} {} {}", p.span.start.nanos(), p.span.end.nanos(), p.text)).collect();
    let identity = StageIdentity {
        video: request.id.to_owned(),
        stage: "summary".to_owned(),
        version: VERSION,
        params: json!({
            "tokens": asking.summary.tokens,
            "answer_tokens": asking.summary.answer_tokens,
            "prompts": asking.prompts.summary_digest(),
            "brief": measured,
        }),
        models: vec![model.identity()],
        inputs: vec![ask::digest(&texts)],
    };
    (request.explain)(&explain(request.cache, &identity)?);
    let record = request.cache.record(&identity)?;
    let mut known = BTreeMap::new();
    request.cache.read(&identity, &mut |number, unit| {
        known.extend(unit.observations.into_iter().filter_map(|o| match o.claim {
            Claim::Part(part) => Some((number, *part)),
            _ => None,
        }));
        Ok(())
    })?;
    let video = &timeline.video;
    let task = Task {
        whole: Span::new(video.start_s, video.start_s + video.duration_s),
        pieces,
        scenes: timeline.scenes.iter().map(|s| s.span).collect(),
        model: model.as_ref(),
        prompts: &asking.prompts,
        options: &asking.summary,
        cancel: request.cancel,
    };
    let mut journal = Journal { cache: request.cache, identity: &identity, known };
    let written = caught("summary", || {
        Ok(if measured { ask::brief(&task, &mut journal) } else { ask::summarise(&task, &mut journal) })
    });
    let written = written.unwrap_or_else(|panic| Err(panic.into()));
    let (mut issues, mut calls, mut status) = (Vec::new(), 0, "failed");
    match written {
        Ok(written) => {
            if !record.complete {
                request.cache.complete(&identity)?;
            }
            (calls, issues) = (written.calls, written.issues);
            status = match () {
                () if record.complete => "cached",
                () if written.kept > 0 => "resumed",
                () => "done",
            };
            if measured && !written.summary.text.is_empty() {
                timeline.summary.text = written.summary.text;
                backend.clone_into(&mut timeline.summary.backend);
            } else if !written.summary.text.is_empty() {
                timeline.summary = Summary { backend: backend.to_owned(), ..written.summary };
            }
            for (span, text) in written.scenes {
                if let Some(scene) = timeline.scenes.iter_mut().find(|s| s.span == span) {
                    scene.summary = Some(text);
                }
            }
        }
        Err(failed) if failed.error.kind() == ErrorKind::Cancelled => return Err(*failed.error),
        Err(failed) => {
            issues.push(failed.issue("summary"));
        }
    }
    let stage = StageRun {
        name: "summary".to_owned(),
        status: status.to_owned(),
        cached: status == "cached",
        wall_s: started.elapsed().as_secs_f64(),
        items: calls,
        ..StageRun::default()
    };
    Ok((stage, issues))
}
