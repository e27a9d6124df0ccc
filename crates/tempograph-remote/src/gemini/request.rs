//! The body of a question.

use std::fmt;

use serde_json::{Map, Value, json};
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{AnswerSchema, Ask, Part, Role, VideoPart, VideoSource},
};

use super::schema;
use crate::question;

/// Largest body that is taken; what is larger goes through the File API.
const MAX_BODY: usize = 20 << 20;

/// How questions are put, for all of a model's calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) jpeg_quality: u8,
    pub(super) thinking_budget: Option<u32>,
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}", self.jpeg_quality)?;
        self.thinking_budget.map_or(Ok(()), |t| write!(f, " t{t}"))
    }
}

/// The question as JSON. `uris` are those of the uploaded videos, in order; `schema` is what the answer is held to.
/// A schema that cannot be said in the service's terms, or that was refused, becomes words.
///
/// # Errors
/// When a picture cannot be encoded or the question is too large.
pub(super) fn body(ask: &Ask, schema: Option<&AnswerSchema>, uris: &[String], style: Style) -> Result<String> {
    let mut uris = uris.iter();
    let (mut system, mut contents) = (Vec::new(), Vec::<Value>::new());
    for message in &ask.messages {
        let mut parts = Vec::new();
        for part in &message.parts {
            part_json(part, &mut uris, style, &mut parts)?;
        }
        match message.role {
            Role::System => system.append(&mut parts),
            Role::User => contents.push(json!({"role": "user", "parts": parts})),
            Role::Assistant => contents.push(json!({"role": "model", "parts": parts})),
        }
    }
    let constrained = schema.and_then(|s| schema::convert(&s.schema));
    if let Some(schema) = ask.schema.as_ref().filter(|_| constrained.is_none()) {
        system.push(json!({"text": question::instruction(schema)}));
    }
    // A question must have a turn of the user.
    if contents.is_empty() {
        contents.push(json!({"role": "user", "parts": std::mem::take(&mut system)}));
    }
    let mut body = Map::new();
    if !system.is_empty() {
        body.insert("systemInstruction".to_owned(), json!({"parts": system}));
    }
    body.insert("contents".to_owned(), contents.into());
    body.insert("generationConfig".to_owned(), config(ask, constrained, style));
    let body = Value::Object(body).to_string();
    if body.len() > MAX_BODY {
        return Err(Error::new(
            ErrorKind::OverBudget,
            format!("a question of {} MB is more than `gemini` takes at once", body.len() >> 20),
        )
        .with_hint("send fewer or smaller frames, or the video as a file"));
    }
    Ok(body)
}

fn config(ask: &Ask, constrained: Option<Value>, style: Style) -> Value {
    let mut config = json!({
        "temperature": question::decimal(ask.sampling.temperature),
        "topP": question::decimal(ask.sampling.top_p),
        "maxOutputTokens": ask.sampling.max_tokens,
        "seed": ask.sampling.seed & 0x7fff_ffff,
    });
    if let Some(budget) = style.thinking_budget {
        config["thinkingConfig"] = json!({"thinkingBudget": budget});
        config["maxOutputTokens"] = ask.sampling.max_tokens.saturating_add(budget).into();
    }
    if ask.schema.is_some() {
        config["responseMimeType"] = "application/json".into();
    }
    if let Some(schema) = constrained {
        config["responseSchema"] = schema;
    }
    config
}

fn part_json<'a>(
    part: &Part,
    uris: &mut impl Iterator<Item = &'a String>,
    style: Style,
    out: &mut Vec<Value>,
) -> Result<()> {
    let picture = |rgb| -> Result<Value> {
        Ok(json!({"inlineData": {"mimeType": "image/jpeg", "data": question::jpeg(rgb, style.jpeg_quality)?}}))
    };
    match part {
        Part::Text(text) => out.push(json!({"text": text})),
        Part::Image(rgb) => out.push(picture(rgb)?),
        Part::Frames(frames) => {
            for frame in frames {
                out.push(json!({"text": question::label(frame.time)}));
                out.push(picture(&frame.image)?);
            }
        }
        Part::Video(video) => {
            let uri = match &video.source {
                VideoSource::Url(url) => url,
                VideoSource::File(_) => uris
                    .next()
                    .ok_or_else(|| Error::new(ErrorKind::Internal, "a video of the question was not uploaded"))?,
            };
            out.push(json!({
                "fileData": {"fileUri": uri, "mimeType": video.mime},
                "videoMetadata": stretch(video),
            }));
        }
    }
    Ok(())
}

/// The part of a video that is looked at, as durations of protocol buffers.
fn stretch(video: &VideoPart) -> Value {
    let seconds = |t: tempograph_core::MediaTime| format!("{:.3}s", t.as_secs_f64().max(0.0));
    json!({"startOffset": seconds(video.span.start), "endOffset": seconds(video.span.end)})
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempograph_core::{MediaTime, Span, vlm::Message};

    use super::*;

    #[test]
    fn the_documented_form() {
        let video = VideoPart {
            source: VideoSource::File("v.mp4".into()),
            mime: "video/mp4".to_owned(),
            digest: "d".to_owned(),
            span: Span::new(MediaTime::from_millis(1500), MediaTime::from_millis(4000)),
        };
        let schema = AnswerSchema { name: "w", schema: Arc::new(json!({"type": "object", "properties": {}})) };
        let ask = Ask {
            messages: vec![
                Message::text(Role::System, "You watch."),
                Message { role: Role::User, parts: vec![Part::Video(video), Part::Text("What?".to_owned())] },
                Message::text(Role::Assistant, "A dog."),
                Message::text(Role::User, "Sure?"),
            ],
            schema: Some(schema.clone()),
            ..Ask::default()
        };
        let style = Style { jpeg_quality: 80, thinking_budget: Some(128) };
        let text = body(&ask, Some(&schema), &["https://x/files/a".to_owned()], style).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["systemInstruction"]["parts"][0]["text"], "You watch.");
        let file = &body["contents"][0]["parts"][0];
        assert_eq!(file["fileData"], json!({"fileUri": "https://x/files/a", "mimeType": "video/mp4"}));
        assert_eq!(file["videoMetadata"], json!({"startOffset": "1.500s", "endOffset": "4.000s"}));
        assert_eq!(body["contents"][1]["role"], "model");
        let config = &body["generationConfig"];
        assert_eq!(config["responseMimeType"], "application/json");
        assert_eq!(config["responseSchema"]["type"], "OBJECT");
        assert_eq!(
            (&config["maxOutputTokens"], &config["thinkingConfig"]["thinkingBudget"]),
            (&json!(1152), &json!(128))
        );
    }

    #[test]
    fn a_question_of_the_system_alone_has_a_turn() {
        let ask = Ask { messages: vec![Message::text(Role::System, "Say yes.")], ..Ask::default() };
        let text = body(&ask, None, &[], Style { jpeg_quality: 80, thinking_budget: None }).unwrap();
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["contents"][0]["parts"][0]["text"], "Say yes.");
        assert!(body.get("systemInstruction").is_none());
    }
}
