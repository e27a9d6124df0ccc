//! The hash of a question: whole for the answer cache, and message by message for the queue.

use std::sync::Arc;

use blake3::Hasher;
use tempograph_core::{
    MediaTime, Rgb,
    vlm::{Ask, Message, Part, Role},
};

/// Raised when the same question would be answered otherwise by a newer program.
const VERSION: u32 = 1;

/// The hashes of one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    /// Of messages, schema and sampling.
    question: [u8; 32],
    /// Of the first message, of the first two, and so on.
    pub(super) prefixes: Arc<[u64]>,
}

impl Digest {
    pub(super) fn of(ask: &Ask) -> Self {
        let mut all = Hasher::new();
        all.update(&VERSION.to_le_bytes());
        let mut prefixes = Vec::with_capacity(ask.messages.len());
        for message in &ask.messages {
            add_message(&mut all, message);
            let hash = all.clone().finalize();
            prefixes.push(u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default()));
        }
        match &ask.schema {
            Some(schema) => {
                add(&mut all, b"schema");
                add(&mut all, schema.name.as_bytes());
                add(&mut all, schema.schema.to_string().as_bytes());
            }
            None => add(&mut all, b"free"),
        }
        let sampling = &ask.sampling;
        all.update(&sampling.temperature.to_bits().to_le_bytes());
        all.update(&sampling.top_p.to_bits().to_le_bytes());
        all.update(&sampling.max_tokens.to_le_bytes());
        all.update(&sampling.seed.to_le_bytes());
        Self { question: *all.finalize().as_bytes(), prefixes: prefixes.into() }
    }

    /// The key of this question put to the model `identity`.
    pub(super) fn key(&self, identity: &str) -> String {
        let mut hasher = Hasher::new();
        add(&mut hasher, identity.as_bytes());
        hasher.update(&self.question);
        hasher.finalize().to_hex().to_string()
    }
}

/// Adds `bytes` with their length, so that no two lists of texts look the same.
fn add(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn add_message(hasher: &mut Hasher, message: &Message) {
    let role: &[u8] = match message.role {
        Role::System => b"system",
        Role::User => b"user",
        Role::Assistant => b"assistant",
    };
    add(hasher, role);
    hasher.update(&(message.parts.len() as u64).to_le_bytes());
    for part in &message.parts {
        match part {
            Part::Text(text) => {
                add(hasher, b"text");
                add(hasher, text.as_bytes());
            }
            Part::Image(image) => {
                add(hasher, b"image");
                add_image(hasher, image);
            }
            Part::Frames(frames) => {
                add(hasher, b"frames");
                hasher.update(&(frames.len() as u64).to_le_bytes());
                for frame in frames {
                    add_time(hasher, frame.time);
                    add_image(hasher, &frame.image);
                }
            }
            Part::Video(video) => {
                // The bytes are what counts, not where they lie.
                add(hasher, b"video");
                add(hasher, video.digest.as_bytes());
                add_time(hasher, video.span.start);
                add_time(hasher, video.span.end);
            }
        }
    }
}

fn add_image(hasher: &mut Hasher, image: &Rgb) {
    hasher.update(&image.size.width.to_le_bytes());
    hasher.update(&image.size.height.to_le_bytes());
    add(hasher, &image.data);
}

fn add_time(hasher: &mut Hasher, time: MediaTime) {
    hasher.update(&time.nanos().to_le_bytes());
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::json;
    use tempograph_core::{
        Size, Span,
        vlm::{AnswerSchema, SamplingParams, TimedImage, VideoPart, VideoSource},
    };

    use super::*;

    fn image(fill: u8) -> Arc<Rgb> {
        Arc::new(Rgb { size: Size { width: 2, height: 1 }, data: vec![fill; 6] })
    }

    fn frames(time: i64, fill: u8) -> Part {
        Part::Frames(vec![TimedImage { time: MediaTime::from_millis(time), image: image(fill) }])
    }

    fn video(path: &str, digest: &str, end: i64) -> Part {
        Part::Video(VideoPart {
            source: VideoSource::File(PathBuf::from(path)),
            mime: "video/mp4".to_owned(),
            digest: digest.to_owned(),
            span: Span::new(MediaTime::ZERO, MediaTime::from_millis(end)),
        })
    }

    fn ask(parts: Vec<Part>) -> Ask {
        Ask { messages: vec![Message { role: Role::User, parts }], ..Ask::default() }
    }

    fn key(ask: &Ask) -> String {
        Digest::of(ask).key("m")
    }

    #[test]
    fn everything_an_answer_depends_on_is_in_the_key() {
        let schema = |name, v| Some(AnswerSchema { name, schema: Arc::new(v) });
        let base = ask(vec![Part::Text("a".to_owned())]);
        let sampled = |change: fn(&mut SamplingParams)| {
            let mut ask = base.clone();
            change(&mut ask.sampling);
            ask
        };
        let asks = [
            base.clone(),
            ask(vec![Part::Text("b".to_owned())]),
            ask(vec![Part::Text("a".to_owned()), Part::Text(String::new())]),
            ask(vec![Part::Image(image(1))]),
            ask(vec![Part::Image(image(2))]),
            ask(vec![frames(0, 1)]),
            ask(vec![frames(1, 1)]),
            ask(vec![video("x", "d", 1)]),
            ask(vec![video("x", "e", 1)]),
            ask(vec![video("x", "d", 2)]),
            Ask { messages: vec![Message::text(Role::System, "a")], ..Ask::default() },
            Ask { schema: schema("s", json!({})), ..base.clone() },
            Ask { schema: schema("t", json!({})), ..base.clone() },
            Ask { schema: schema("s", json!({"type": "null"})), ..base.clone() },
            sampled(|s| s.temperature = 0.5),
            sampled(|s| s.top_p = 0.5),
            sampled(|s| s.max_tokens = 2),
            sampled(|s| s.seed = 2),
        ];
        let mut keys: Vec<_> = asks.iter().map(key).collect();
        keys.push(Digest::of(&base).key("another model"));
        let count = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }

    #[test]
    fn what_it_does_not_depend_on_is_not() {
        let base = ask(vec![video("x", "d", 1)]);
        assert_eq!(key(&base), key(&ask(vec![video("y", "d", 1)])), "the same bytes elsewhere");
        assert_eq!(key(&base), key(&Ask { purpose: "chat", ..base.clone() }));
    }

    #[test]
    fn prefixes_agree_as_far_as_the_messages_do() {
        let messages = |texts: &[&str]| Ask {
            messages: texts.iter().map(|t| Message::text(Role::User, *t)).collect(),
            ..Ask::default()
        };
        let (a, b) = (Digest::of(&messages(&["s", "x", "1"])), Digest::of(&messages(&["s", "x", "2"])));
        assert_eq!(a.prefixes[..2], b.prefixes[..2]);
        assert_ne!(a.prefixes[2], b.prefixes[2]);
    }
}
