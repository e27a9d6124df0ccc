//! The questions to the analysis as tools, for models that can call them: a name, a schema of what they take, a result
//! that is evidence with its times.

use serde::Deserialize;
use serde_json::{Value, json};
use tempograph_core::{Error, ErrorKind, MediaTime, Result, Span};

use super::{
    evidence::{Evidence, Kind, evidence},
    lookup,
    material::Material,
    near,
    understand::{Channel, Side, understand},
};

/// A question that a model may put to the analysis.
#[derive(Debug)]
pub struct Tool {
    /// Name, `snake_case`.
    pub name: &'static str,
    /// What it answers, for the model.
    pub description: &'static str,
    channel: Option<Channel>,
    ask: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// What bears the words out, or all of that sense without words.
    Find,
    /// Who was near whom.
    Near,
    /// What comes before or after a time.
    Beside,
    /// Scenes.
    Scenes,
}

/// Pieces that a tool gives.
const RESULTS: usize = 20;

/// Every tool.
pub const TOOLS: &[Tool] = &[
    Tool {
        name: "find_speech",
        description: "What is said, by words; who says it and when.",
        channel: Some(Channel::Said),
        ask: How::Find,
    },
    Tool {
        name: "find_text",
        description: "What is written in the picture.",
        channel: Some(Channel::Read),
        ask: How::Find,
    },
    Tool {
        name: "find_sounds",
        description: "Sounds that are not speech.",
        channel: Some(Channel::Heard),
        ask: How::Find,
    },
    Tool {
        name: "find_seen",
        description: "People, things and events that are seen.",
        channel: Some(Channel::Seen),
        ask: How::Find,
    },
    Tool { name: "find_emotions", description: "What faces show.", channel: Some(Channel::Felt), ask: How::Find },
    Tool { name: "find", description: "Anything, by words, in every sense.", channel: None, ask: How::Find },
    Tool {
        name: "who_is_near",
        description: "Who was near or in front of whom, and when.",
        channel: None,
        ask: How::Near,
    },
    Tool {
        name: "what_is_beside",
        description: "What comes right before or after a time.",
        channel: None,
        ask: How::Beside,
    },
    Tool { name: "list_scenes", description: "The scenes with their times.", channel: None, ask: How::Scenes },
];

/// What a tool takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    words: String,
    from_s: Option<MediaTime>,
    to_s: Option<MediaTime>,
    side: Option<String>,
}

impl Tool {
    /// JSON Schema of what it takes.
    pub fn schema(&self) -> Value {
        let time = |what: &str| json!({"type": "number", "description": what});
        let mut properties = json!({
            "from_s": time("seconds: nothing that ends before"),
            "to_s": time("seconds: nothing that starts after"),
        });
        match self.ask {
            How::Find | How::Near => {
                properties["words"] = json!({"type": "string", "description": "what to look for; empty for all"});
            }
            How::Beside => properties["side"] = json!({"type": "string", "enum": ["before", "after"]}),
            How::Scenes => {}
        }
        json!({"type": "object", "properties": properties, "additionalProperties": false})
    }

    /// Asks the analysis.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when `input` is not of the form of [`Tool::schema`].
    pub fn run(&self, material: Material<'_>, input: &Value) -> Result<Vec<Evidence>> {
        let input: Input = serde_json::from_value(input.clone()).map_err(|e| {
            Error::new(ErrorKind::Usage, format!("the input of the tool `{}` is not of its form: {e}", self.name))
        })?;
        let video = &material.timeline.video;
        let end = video.start_s + video.duration_s;
        let window = Span::new(input.from_s.unwrap_or(video.start_s), input.to_s.unwrap_or(end));
        let terms = understand(&input.words, video).terms;
        let all = match self.ask {
            How::Near => near::pieces(material.timeline, material.graph),
            _ => evidence(material.timeline),
        };
        let mut pieces: Vec<&Evidence> = match self.ask {
            How::Find | How::Near if !terms.is_empty() => lookup::find(&all, &terms, self.channel).pieces,
            How::Find => all.iter().filter(|e| self.channel.is_none_or(|c| c.kinds().contains(&e.kind))).collect(),
            How::Near => all.iter().collect(),
            How::Scenes => all.iter().filter(|e| e.kind == Kind::Scene).collect(),
            How::Beside => {
                let side = if input.side.as_deref() == Some("before") { Side::Before } else { Side::After };
                let beside = |e: &&Evidence| match side {
                    Side::Before => e.span.end <= window.start,
                    _ => e.span.start >= window.end,
                };
                let mut pieces: Vec<&Evidence> = all.iter().filter(beside).collect();
                pieces.sort_by_key(|e| (e.span.gap(window), e.span));
                pieces.truncate(RESULTS);
                return Ok(pieces.into_iter().cloned().collect());
            }
        };
        pieces = lookup::inside(pieces, window);
        pieces.sort_by_key(|e| e.span);
        pieces.truncate(RESULTS);
        Ok(pieces.into_iter().cloned().collect())
    }
}
