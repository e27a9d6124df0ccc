//! What a model is to answer of a window, and what of it becomes a claim.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use tempograph_core::{MediaTime, Third, ToldEntity, ToldEvent, ToldScene, WindowTold, timeline::VisualEventKind};

use super::{context::plain, loops::prose, put::Edges, structured::TimeText, windows::Window};

/// Characters of one text of an answer.
const MAX_TEXT: usize = 1_200;
/// Characters of a label or id.
const MAX_NAME: usize = 40;
/// Entities, events or scenes of one answer: three times what the prompt asks for.
const MAX_ITEMS: usize = 36;
/// How sure an event is whose model does not say.
const UNSAID: f32 = 0.5;

/// What a model says of a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct WindowAnswer {
    /// What happens, in two or three sentences.
    pub(crate) summary: String,
    /// One sentence for each scene, where there are several.
    #[serde(default)]
    pub(crate) scenes: Vec<SceneAnswer>,
    /// Who and what is there.
    #[serde(default)]
    pub(crate) entities: Vec<EntityAnswer>,
    /// What they do.
    #[serde(default)]
    pub(crate) events: Vec<EventAnswer>,
}

/// What a model says of a scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SceneAnswer {
    /// Id of the scene, e.g. `S2`.
    pub(crate) id: String,
    /// What happens in it, in one sentence.
    pub(crate) summary: String,
}

/// Who or what a model says is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EntityAnswer {
    /// `T7` for track 7 of the evidence, else `N1`, `N2`, …
    pub(crate) id: String,
    /// One common noun.
    pub(crate) label: String,
    /// What tells it from others of its kind.
    #[serde(default)]
    pub(crate) description: String,
    /// `left`, `centre` or `right`.
    #[serde(default)]
    #[schemars(schema_with = "asked_or_accepted::<Option<Third>, Option<String>>")]
    pub(crate) position: Option<String>,
}

/// What a model says happens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct EventAnswer {
    /// `approach`, `depart`, `interact`, `follow`, `idle`, `group`, `avoid`, `chase` or `observe`.
    #[serde(rename = "type")]
    #[schemars(schema_with = "asked_or_accepted::<VisualEventKind, String>")]
    pub(crate) kind: String,
    /// Ids of entities, the one who acts first.
    pub(crate) entities: Vec<String>,
    /// When it starts, in seconds.
    pub(crate) start: TimeText,
    /// When it ends, in seconds.
    pub(crate) end: TimeText,
    /// What happens, in a few words.
    #[serde(default)]
    pub(crate) description: String,
    /// 0 to 1.
    #[serde(default)]
    pub(crate) confidence: Option<f32>,
}

/// Names that a constrained decoder is held to, where any word is accepted from a model that is not: `walks away` is
/// understood as well as `depart`.
fn asked_or_accepted<Asked: JsonSchema, Accepted: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    if generator.contract().is_serialize() {
        generator.subschema_for::<Asked>()
    } else {
        generator.subschema_for::<Accepted>()
    }
}

impl WindowAnswer {
    /// The claim that this answer is: bounded, its times on the clock and brought to `edges` that are near.
    pub(crate) fn told(self, window: &Window, frames_s: Vec<MediaTime>, model: &str, edges: &Edges) -> WindowTold {
        let text = |text: &str| prose(text, MAX_TEXT);
        let name = |text: &str| plain(text, MAX_NAME);
        let entities = self.entities.into_iter().take(MAX_ITEMS).map(|e| ToldEntity {
            id: name(&e.id),
            label: name(&e.label).to_lowercase(),
            description: text(&e.description),
            span: window.span,
            position: e.position.as_deref().and_then(third),
        });
        let events = self.events.into_iter().take(MAX_ITEMS).map(|e| {
            let settled = edges.span(e.start, e.end, window.span);
            ToldEvent {
                kind: name(&e.kind).to_lowercase(),
                entities: e.entities.iter().take(MAX_ITEMS).map(|id| name(id)).collect(),
                span: settled.span,
                shift_s: settled.start.shift().abs_diff(MediaTime::ZERO)
                    + settled.end.shift().abs_diff(MediaTime::ZERO),
                description: text(&e.description),
                confidence: sure(e.confidence),
            }
        });
        WindowTold {
            window: window.number,
            frames_s,
            model: model.to_owned(),
            same_as: None,
            summary: text(&self.summary),
            scenes: self
                .scenes
                .into_iter()
                .take(MAX_ITEMS)
                .map(|s| ToldScene { scene: name(&s.id), summary: text(&s.summary) })
                .collect(),
            entities: entities.collect(),
            events: events.collect(),
        }
    }
}

fn third(text: &str) -> Option<Third> {
    let text = text.to_lowercase();
    match text.trim() {
        t if t.contains("left") => Some(Third::Left),
        t if t.contains("right") => Some(Third::Right),
        t if t.contains("cent") || t.contains("middle") => Some(Third::Centre),
        _ => None,
    }
}

/// A share of one; per cent are understood.
fn sure(confidence: Option<f32>) -> f32 {
    match confidence {
        Some(c) if c > 1.0 && c <= 100.0 => c / 100.0,
        Some(c) if c.is_finite() => c.clamp(0.0, 1.0),
        _ => UNSAID,
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::Span;

    use super::*;
    use crate::ask::structured::Structured;

    #[test]
    fn names_are_asked_for_and_words_accepted() {
        let form = Structured::<WindowAnswer>::new("window").unwrap();
        let asked = &form.schema().schema;
        let names = |of: &str, property: &str| {
            let property = &asked["properties"][of]["items"]["properties"][property];
            property.get("anyOf").map_or(property, |either| &either[0])["enum"].as_array().map_or(0, Vec::len)
        };
        assert_eq!((names("events", "type"), names("entities", "position")), (9, 3), "{asked}");
        let read = form.read(
            r#"{"summary": "", "entities": [{"id": "N1", "label": "dog", "position": "far left"}],
                "events": [{"type": "walks away", "entities": ["N1"], "start": 1, "end": 2}]}"#,
        );
        assert_eq!(read.expect("other words are accepted").value.events[0].kind, "walks away");
    }

    #[test]
    fn answers_become_bounded_claims() {
        let answer: WindowAnswer = serde_json::from_str(
            r#"{"summary": "A man\nwalks.", "entities": [{"id": "T7", "label": "Person", "position": "center left"}],
                "events": [{"type": "Idle", "entities": ["T7"], "start": 40, "end": "00:33", "confidence": 85}]}"#,
        )
        .unwrap();
        let window =
            Window { number: 1, span: Span::new(MediaTime::from_millis(30_000), MediaTime::from_millis(60_000)) };
        let told = answer.told(&window, vec![MediaTime::from_millis(31_000)], "m", &Edges::default());
        assert_eq!((told.window, told.model.as_str(), told.entities[0].label.as_str()), (1, "m", "person"));
        assert_eq!(told.entities[0].position, Some(Third::Left));
        let event = &told.events[0];
        assert_eq!((event.kind.as_str(), event.confidence), ("idle", 0.85));
        let want = Span::new(MediaTime::from_millis(33_000), MediaTime::from_millis(40_000));
        assert_eq!(event.span, want, "the earlier time is the start");
    }
}
