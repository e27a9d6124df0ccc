//! What models told, held against what was measured.
//!
//! Pure: the same timeline and the same claims give the same result. A model adds words to what is tracked; it adds an
//! entity of its own only where it was shown frames, and an event only about entities that exist. What it made up
//! becomes an issue. Nothing that was measured is removed or renamed.

mod entities;
mod events;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tempograph_core::{Error, ErrorKind, Issue, Span, Timeline, WindowTold, timeline};

use self::entities::Cast;
use super::{context::Places, windows};

/// Names given in an issue before the rest is only counted.
const NAMED: usize = 5;

/// What could not be believed, gathered over all windows.
#[derive(Debug, Default)]
struct Refused {
    ids: Vec<String>,
    kinds: Vec<String>,
    absent: Vec<String>,
    crowd: Vec<String>,
}

/// Takes what was told of windows into `timeline`: windows, scenes, entities and events.
pub(crate) fn merge(timeline: &mut Timeline, told: &[(Span, WindowTold)], places: &Places) -> Vec<Issue> {
    let mut told: Vec<&(Span, WindowTold)> = told.iter().collect();
    told.sort_by_key(|(span, t)| (t.window, *span));
    told.dedup_by_key(|(_, t)| t.window);
    let mut refused = Refused::default();
    let mut cast = Cast::default();
    let mut found = Vec::new();
    for (span, told) in told.iter().copied() {
        let names = cast.take(timeline, *span, told, places, &mut refused);
        // The same picture shows who is there, not that the same happened once more.
        if told.same_as.is_none() {
            found.extend(events::of(timeline, *span, told, &names, &mut refused));
        }
    }
    events::add(timeline, found);
    scenes(timeline, &told);
    timeline.windows = told
        .iter()
        .map(|(span, t)| timeline::Window {
            id: windows::id(t.window),
            span: *span,
            summary: t.summary.clone(),
            origin: t.model.clone(),
            frames_s: t.frames_s.clone(),
            same_as: t.same_as.map(windows::id),
        })
        .collect();
    refused.issues()
}

/// The words for scenes that lie in one window.
fn scenes(timeline: &mut Timeline, told: &[&(Span, WindowTold)]) {
    let spans: Vec<Span> = timeline.scenes.iter().map(|s| s.span).collect();
    let within = |window: Span| spans.iter().filter(|s| s.intersect(window).is_some()).count();
    let mut summaries: BTreeMap<usize, String> = BTreeMap::new();
    for (window, told) in told {
        let alone = within(*window) == 1;
        for (i, scene) in timeline.scenes.iter().enumerate() {
            if scene.span.start < window.start || scene.span.end > window.end {
                continue;
            }
            let own = told.same_as.is_none().then(|| told.scenes.iter().find(|t| t.scene == scene.id)).flatten();
            let text = own.map(|t| t.summary.as_str()).or(alone.then_some(told.summary.as_str()));
            if let Some(text) = text.filter(|t| !t.is_empty()) {
                summaries.insert(i, text.to_owned());
            }
        }
    }
    for (i, text) in summaries {
        timeline.scenes[i].summary = Some(text);
    }
}

impl Refused {
    fn issues(self) -> Vec<Issue> {
        let mut issues = Vec::new();
        let mut say = |what: &str, names: &[String]| {
            if names.is_empty() {
                return;
            }
            let more = names.len().saturating_sub(NAMED);
            let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
            let named: Vec<_> = names.iter().take(NAMED).map(String::as_str).collect();
            let message = format!("{what}: {}{rest}", named.join(", "));
            issues.push(Issue::from_error("ask", &Error::new(ErrorKind::AnswerInvalid, message)));
        };
        say("the model named what is neither tracked nor shown, which was left out", &self.ids);
        say("the model told of events of kinds that are not known, which were left out", &self.kinds);
        say("the model told of events of who is not seen at the time, which were left out", &self.absent);
        say("the model told of more entities than are kept", &self.crowd);
        issues
    }
}
