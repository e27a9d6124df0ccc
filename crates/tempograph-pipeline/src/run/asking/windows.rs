//! The stage `ask`: windows, their journal, and what became of each.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use serde_json::json;
use tempograph_core::{
    Claim, Error, Issue, Observation, Result, Span, Timeline, ToldEntity, WindowTold, timeline::StageRun, vlm::Vlm,
};

use super::round::{Failures, Round};
use crate::{
    ask::{Asking, Edges, Need, Plan},
    cache::{StageIdentity, Unit},
    run::{Request, explain},
};

/// Raised whenever other questions are put, or other claims made of the answers, than before.
const VERSION: u32 = 2;
/// Issues about single windows before the rest are only counted.
const TOLD: usize = 5;

/// What asking gave.
#[derive(Default)]
pub(super) struct Asked {
    /// Answers with their windows, in order.
    pub(super) told: Vec<(Span, WindowTold)>,
    pub(super) issues: Vec<Issue>,
    pub(super) stage: Option<StageRun>,
    /// Windows that took another's answer.
    pub(super) saved: u64,
}

/// Asks `model` about the windows of `plan`.
pub(super) fn ask(
    request: &Request<'_>,
    asking: &Asking,
    model: &Arc<dyn Vlm>,
    plan: &Plan,
    timeline: &Timeline,
) -> Result<Asked> {
    let started = Instant::now();
    let limits = model.limits();
    let identity = StageIdentity {
        video: request.id.to_owned(),
        stage: "ask".to_owned(),
        version: VERSION,
        params: json!({
            "window_s": asking.windows.length.as_secs_f64(),
            "frames": asking.windows.frames,
            "frame_tokens": asking.windows.frame_tokens,
            "max_windows": asking.windows.max_windows,
            "answer_tokens": asking.answer_tokens,
            "prompts": asking.prompts.window_digest(),
        }),
        models: vec![model.identity()],
        inputs: vec![plan.digest()],
    };
    (request.explain)(&explain(request.cache, &identity)?);
    let record = request.cache.record(&identity)?;
    let mut asked = Asked { saved: plan.saved(), ..Asked::default() };
    let mut known: BTreeMap<usize, Vec<Observation>> = BTreeMap::new();
    request.cache.read(&identity, &mut |number, unit| {
        known.insert(number as usize, unit.observations);
        Ok(())
    })?;
    let open: Vec<usize> =
        (0..plan.windows.len()).filter(|i| plan.windows[*i].need == Need::Ask && !known.contains_key(i)).collect();
    let resumed = !known.is_empty();
    if asked.saved > 0 {
        let (saved, of) = (asked.saved, plan.windows.len());
        (request.explain)(&format!("ask: {saved} of {of} windows look and sound like others and take their answers"));
    }
    let calls = open.len() as u64;
    let mut failures = Failures::default();
    if !record.complete {
        let edges = Edges::of(timeline);
        let mut keep = |number: usize, observations: Vec<Observation>| -> Result<()> {
            let unit = Unit { observations, snapshot: Vec::new() };
            request.cache.append(&identity, number as u64, &unit)?;
            known.insert(number, unit.observations);
            Ok(())
        };
        let round = Round::new(request, asking, model.as_ref(), plan, &open, &edges);
        failures = round.run(request.progress, &mut keep)?;
        if !failures.any() {
            request.cache.complete(&identity)?;
        }
    }
    let failed = failures.any();
    asked.issues = failures.into_issues();
    asked.gather(plan, known);
    let status = match () {
        () if failed => "failed",
        () if record.complete => "cached",
        () if resumed => "resumed",
        () => "done",
    };
    asked.stage = Some(StageRun {
        name: "ask".to_owned(),
        status: status.to_owned(),
        cached: record.complete,
        wall_s: started.elapsed().as_secs_f64(),
        items: if record.complete { 0 } else { calls },
        ..StageRun::default()
    });
    tracing::info!(model = %limits.model, windows = plan.windows.len(), calls, saved = asked.saved, "asked");
    Ok(asked)
}

impl Asked {
    /// Nothing, because of `error`.
    pub(super) fn failed(error: &Error) -> Self {
        Self { issues: vec![Issue::from_error("ask", error)], ..Self::default() }
    }

    /// The answers in order, each window like another with the other's.
    fn gather(&mut self, plan: &Plan, mut known: BTreeMap<usize, Vec<Observation>>) {
        let mut issues = Vec::new();
        let mut told: BTreeMap<usize, WindowTold> = BTreeMap::new();
        for (i, planned) in plan.windows.iter().enumerate() {
            let own = match planned.need {
                Need::Nothing => None,
                Need::SameAs(other) => told.get(&other).map(|t| WindowTold {
                    window: planned.window.number,
                    same_as: Some(t.window),
                    events: Vec::new(),
                    entities: t
                        .entities
                        .iter()
                        .cloned()
                        .map(|e| ToldEntity { span: planned.window.span, ..e })
                        .collect(),
                    ..t.clone()
                }),
                Need::Ask => known.remove(&i).and_then(|claims| {
                    let mut answer = None;
                    for claim in claims {
                        match claim.claim {
                            Claim::Window(t) => answer = Some(*t),
                            Claim::Issue(issue) => issues.push(issue),
                            _ => {}
                        }
                    }
                    answer
                }),
            };
            if let Some(own) = own {
                self.told.push((planned.window.span, own.clone()));
                told.insert(i, own);
            }
        }
        let more = issues.len().saturating_sub(TOLD);
        issues.truncate(TOLD);
        if let (true, Some(last)) = (more > 0, issues.last_mut()) {
            last.message = format!("{} (and {more} more windows)", last.message);
        }
        self.issues.extend(issues);
    }
}
