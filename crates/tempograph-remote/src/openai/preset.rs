//! Servers that speak OpenAI's interface, each with what is known of it.

use tempograph_core::vlm::Structured;

/// What is known of a kind of server. Everything can be set otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Name in the configuration, in call records and in the price list.
    pub name: &'static str,
    /// Where it is.
    pub base_url: &'static str,
    /// Whether it wants a key.
    pub needs_key: bool,
    /// How it keeps to a schema.
    pub structured: Structured,
    /// Most pictures in one question.
    pub images: u32,
    /// Whether it takes `video_url` parts.
    pub video: bool,
    /// Tokens of question and answer, where the price list does not know the model.
    pub context_tokens: u64,
    /// Calls at once.
    pub concurrency: u32,
    /// Whether the limit of tokens is called `max_completion_tokens` rather than `max_tokens`.
    pub max_completion_tokens: bool,
}

/// Every preset.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "openai",
        base_url: "https://api.openai.com/v1",
        needs_key: true,
        structured: Structured::Schema,
        images: 100,
        video: false,
        context_tokens: 128_000,
        concurrency: 4,
        max_completion_tokens: true,
    },
    Preset {
        name: "nebius",
        base_url: "https://api.tokenfactory.nebius.com/v1",
        needs_key: true,
        structured: Structured::Schema,
        images: 16,
        video: false,
        context_tokens: 32_768,
        concurrency: 4,
        max_completion_tokens: false,
    },
    Preset {
        name: "vllm",
        base_url: "http://127.0.0.1:8000/v1",
        needs_key: false,
        structured: Structured::Schema,
        images: 32,
        video: true,
        context_tokens: 32_768,
        concurrency: 8,
        max_completion_tokens: false,
    },
    // Its context is 4096 tokens unless the server is told otherwise.
    Preset {
        name: "ollama",
        base_url: "http://127.0.0.1:11434/v1",
        needs_key: false,
        structured: Structured::Schema,
        images: 8,
        video: false,
        context_tokens: 4096,
        concurrency: 1,
        max_completion_tokens: false,
    },
    Preset {
        name: "llama-server",
        base_url: "http://127.0.0.1:8080/v1",
        needs_key: false,
        structured: Structured::Schema,
        images: 16,
        video: false,
        context_tokens: 8192,
        concurrency: 1,
        max_completion_tokens: false,
    },
];

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|p| p.name == name)
    }
}
