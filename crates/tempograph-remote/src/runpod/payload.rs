//! What the handlers of `deploy/runpod` are sent. Their README documents it; the two change together.

use std::sync::Arc;

use serde_json::{Value, json};
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{Ask, Part, VideoPart, VideoSource},
};

use crate::question;

/// Version of the payload; handlers refuse one they do not know.
pub(super) const VERSION: u32 = 1;

/// Largest bodies that the service takes, for `run` and `runsync`.
const MAX_RUN: usize = 10 << 20;
const MAX_RUNSYNC: usize = 20 << 20;

/// The question as the body of a job.
///
/// # Errors
/// When a picture cannot be encoded, a video is not at an address, or all of it is too large.
pub(super) fn body(ask: &Ask, model: &str, jpeg_quality: u8, wait: bool) -> Result<Arc<str>> {
    let mut messages = Vec::new();
    for message in &ask.messages {
        let mut content = Vec::new();
        for part in &message.parts {
            part_json(part, jpeg_quality, &mut content)?;
        }
        messages.push(json!({"role": message.role, "content": content}));
    }
    let schema = ask.schema.as_ref().map(|s| json!({"name": s.name, "schema": *s.schema}));
    let body = json!({
        "input": {
            "version": VERSION,
            "task": "generate",
            "model": model,
            "messages": messages,
            "schema": schema,
            "sampling": {
                "temperature": question::decimal(ask.sampling.temperature),
                "top_p": question::decimal(ask.sampling.top_p),
                "max_tokens": ask.sampling.max_tokens,
                "seed": ask.sampling.seed & 0x7fff_ffff,
            },
        },
    })
    .to_string();
    let limit = if wait { MAX_RUNSYNC } else { MAX_RUN };
    if body.len() > limit {
        return Err(Error::new(
            ErrorKind::OverBudget,
            format!("a question of {} MB is more than `runpod` takes at once", body.len() >> 20),
        )
        .with_hint("send fewer or smaller frames, or a lower JPEG quality"));
    }
    Ok(body.into())
}

fn part_json(part: &Part, jpeg_quality: u8, out: &mut Vec<Value>) -> Result<()> {
    match part {
        Part::Text(text) => out.push(json!({"type": "text", "text": text})),
        Part::Image(rgb) => out.push(json!({"type": "image", "jpeg": question::jpeg(rgb, jpeg_quality)?})),
        Part::Frames(frames) => {
            for frame in frames {
                let jpeg = question::jpeg(&frame.image, jpeg_quality)?;
                out.push(json!({"type": "frame", "time_s": frame.time.as_secs_f64(), "jpeg": jpeg}));
            }
        }
        Part::Video(VideoPart { source: VideoSource::Url(url), span, .. }) => out.push(json!({
            "type": "video",
            "url": url,
            "start_s": span.start.as_secs_f64(),
            "end_s": span.end.as_secs_f64(),
        })),
        Part::Video(_) => {
            return Err(Error::new(ErrorKind::Unsupported, "`runpod` takes videos by web address alone")
                .with_hint("send frames instead"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempograph_core::{
        MediaTime, Rgb, Size,
        vlm::{AnswerSchema, Message, Role, SamplingParams, TimedImage},
    };

    use super::*;

    /// The tests of the handlers read the same file: a change of one side alone fails on the other.
    #[test]
    fn the_job_that_the_handlers_are_tested_with_is_current() {
        let image = Arc::new(Rgb { size: Size { width: 8, height: 8 }, data: vec![9; 192] });
        let frame = TimedImage { time: MediaTime::from_millis(12_400), image: Arc::clone(&image) };
        let parts = vec![Part::Frames(vec![frame]), Part::Image(image), Part::Text("What happens?".to_owned())];
        let ask = Ask {
            purpose: "window",
            messages: vec![Message::text(Role::System, "You watch."), Message { role: Role::User, parts }],
            schema: Some(AnswerSchema { name: "window", schema: Arc::new(json!({"type": "object"})) }),
            sampling: SamplingParams { temperature: 0.2, top_p: 0.9, max_tokens: 64, seed: 7 },
        };
        let mut job: Value = serde_json::from_str(&body(&ask, "m", 85, false).unwrap()).unwrap();
        for part in job["input"]["messages"][1]["content"].as_array_mut().unwrap() {
            if part.get("jpeg").is_some() {
                // What the encoder makes of the pixels is its own affair.
                part["jpeg"] = "anBlZw==".into();
            }
        }
        let text = serde_json::to_string_pretty(&job).unwrap() + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/runpod/tests/job.json");
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            std::fs::write(&path, &text).unwrap();
            panic!("deploy/runpod/tests/job.json was not current and has been written anew: commit it");
        }
    }

    #[test]
    fn what_is_too_large_or_cannot_be_reached_is_refused() {
        let wide = Rgb {
            size: Size { width: 4000, height: 3000 },
            data: (0..36_000_000_u32).map(|i| ((i * 31) >> 3) as u8).collect(),
        };
        let parts = vec![Part::Image(Arc::new(wide)); 4];
        let ask = Ask { messages: vec![Message { role: Role::User, parts }], ..Ask::default() };
        assert_eq!(body(&ask, "m", 95, false).unwrap_err().kind(), ErrorKind::OverBudget);
    }
}
