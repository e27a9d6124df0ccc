//! The remote back ends against servers that replay each provider's wire format.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests, outside test functions")]

mod conformance;
mod failures;
mod gemini;
mod openai;
mod router;
mod runpod;
mod server;

use std::sync::Arc;

use tempograph_core::{
    MediaTime, Span,
    vlm::{
        AnswerSchema, Ask, CallError, Chunk, ChunkStream, Message, Part, Role, SamplingParams, VideoPart, VideoSource,
    },
};
use tempograph_remote::conformance::next;

/// A question in words.
fn question(text: &str) -> Ask {
    Ask {
        purpose: "test",
        messages: vec![Message::text(Role::User, text)],
        schema: None,
        sampling: SamplingParams { max_tokens: 64, ..SamplingParams::default() },
    }
}

/// A question whose answer must fit a schema.
fn structured() -> Ask {
    let schema = serde_json::json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let mut ask = question("Which?");
    ask.schema = Some(AnswerSchema { name: "window", schema: Arc::new(schema) });
    ask
}

/// A question about a video file.
fn about(path: &std::path::Path) -> Ask {
    let video = VideoPart {
        source: VideoSource::File(path.to_owned()),
        mime: "video/mp4".to_owned(),
        digest: "d1".to_owned(),
        span: Span::new(MediaTime::ZERO, MediaTime::from_millis(5000)),
    };
    let mut ask = question("What happens?");
    ask.messages[0].parts.insert(0, Part::Video(video));
    ask
}

/// What a call that fails said before, and how it failed.
fn failure(mut stream: ChunkStream) -> (Vec<Chunk>, CallError) {
    let mut heard = Vec::new();
    loop {
        match next(&mut stream).expect("it does not end without an end") {
            Ok(Chunk::Done(finish)) => panic!("it did not fail but ended: {finish:?}"),
            Ok(chunk) => heard.push(chunk),
            Err(error) => return (heard, error),
        }
    }
}
