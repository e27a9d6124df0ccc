//! How much memory a local model will need, from the headers of its files alone.

use tempograph_core::{Error, ErrorKind, Result};

use crate::{align, gguf::Header, local::PICTURE_TOKENS, native::BATCH};

/// What the process holds before any model: the program itself, its libraries, and what the allocator keeps.
const BASE: u64 = 48 << 20;
/// Bytes of a cached value: 16-bit floats.
const CACHE_BYTES: u64 = 2;
/// Copies of a layer's activations that are alive at once, counted in widths of the model and of its inner layer.
/// An estimate on the safe side, from how llama.cpp's graphs reuse their buffers; peaks are logged after each run.
const LIVE_WIDTHS: u64 = 8;
const LIVE_INNER: u64 = 3;

/// What a model will need, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// Weights of the language model.
    pub weights: u64,
    /// Weights of the projector.
    pub projector: u64,
    /// What the context remembers of each token.
    pub cache: u64,
    /// Activations of the language model, or of the projector where those are more.
    pub compute: u64,
}

/// What a question asked for, to say what to ask for instead.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advice {
    pub(crate) pictures: bool,
    pub(crate) tokens: u32,
}

impl Prediction {
    /// For a language model and its projector, and a context of `tokens` or as many as the model knows.
    pub fn for_context(model: &Header, projector: Option<&Header>, tokens: u32) -> Self {
        let own = model.model_number("context_length").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        Self::of(model, projector, own.map_or(tokens, |own| own.min(tokens)), PICTURE_TOKENS)
    }

    /// For a context of `tokens`, and pictures of at most `picture_tokens`.
    pub(crate) fn of(model: &Header, projector: Option<&Header>, tokens: u32, picture_tokens: u32) -> Self {
        Self {
            weights: model.bytes,
            projector: projector.map_or(0, |p| p.bytes),
            cache: cache(model, u64::from(tokens)),
            compute: text_compute(model).max(projector.map_or(0, |p| picture_compute(p, picture_tokens))),
        }
    }

    /// Everything together, with what the process itself needs.
    pub fn total(&self) -> u64 {
        [self.weights, self.projector, self.cache, self.compute].into_iter().fold(BASE, u64::saturating_add)
    }

    /// # Errors
    /// [`ErrorKind::OverBudget`] when it is more than `budget` bytes, with what would be less.
    pub(crate) fn check(&self, budget: u64, advice: Advice) -> Result<()> {
        let total = self.total();
        if total <= budget {
            return Ok(());
        }
        let mut ways = vec!["take a smaller quantisation or model"];
        if self.cache > total / 8 {
            ways.push(if advice.pictures { "ask with fewer frames" } else { "ask with fewer words" });
        }
        ways.push("leave layers to the processor if it is an accelerator's memory that is short");
        ways.push("or raise `local.budget_gb`");
        Err(Error::new(
            ErrorKind::OverBudget,
            format!(
                "the model would need {:.1} GB for {} tokens, the budget is {:.1} GB",
                gigabytes(total),
                advice.tokens,
                gigabytes(budget)
            ),
        )
        .with_hint(ways.join(", ")))
    }
}

fn gigabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e9
}

/// Keys and values of every layer for every token.
fn cache(model: &Header, tokens: u64) -> u64 {
    let layers = model.model_number("block_count").unwrap_or(0);
    let heads = model.model_number("attention.head_count").unwrap_or(1).max(1);
    let width = model.model_number("embedding_length").unwrap_or(0);
    let key = model.model_number("attention.key_length").unwrap_or(width / heads);
    let value = model.model_number("attention.value_length").unwrap_or(width / heads);
    let name = format!("{}.attention.head_count_kv", model.architecture());
    let kv_heads: u64 = match model.per_layer(&name, layers) {
        Some(per_layer) => per_layer.iter().fold(0, |sum, n| sum.saturating_add(*n)),
        None => layers.saturating_mul(heads),
    };
    [key.saturating_add(value), CACHE_BYTES, tokens].into_iter().fold(kv_heads, u64::saturating_mul)
}

/// Activations of one step of tokens, and the values of one row of the vocabulary.
fn text_compute(model: &Header) -> u64 {
    let width = model.model_number("embedding_length").unwrap_or(0);
    let inner = model
        .per_layer(&format!("{}.feed_forward_length", model.architecture()), 1)
        .and_then(|n| n.into_iter().max())
        .unwrap_or(0);
    let vocabulary = model.model_number("vocab_size").or_else(|| model.length("tokenizer.ggml.tokens")).unwrap_or(0);
    live(u64::from(BATCH), width, inner).saturating_add(vocabulary.saturating_mul(4 * 4))
}

/// Activations of the largest picture.
fn picture_compute(projector: &Header, picture_tokens: u32) -> u64 {
    let number = |key: &str| projector.number(&format!("clip.vision.{key}")).unwrap_or(0);
    let patch = number("patch_size").max(1);
    let merge = number("spatial_merge_size").clamp(2, 16);
    let fixed = (number("image_size") / patch).saturating_pow(2);
    let patches =
        if align::is_dynamic(projector) { u64::from(picture_tokens).saturating_mul(merge * merge) } else { fixed };
    live(patches, number("embedding_length"), number("feed_forward_length"))
}

/// 32-bit activations of so many rows.
fn live(rows: u64, width: u64, inner: u64) -> u64 {
    let columns = width.saturating_mul(LIVE_WIDTHS).saturating_add(inner.saturating_mul(LIVE_INNER));
    rows.saturating_mul(columns).saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::tests::{file, number, text};

    /// The figures of Qwen2.5-VL-3B: 36 layers, 2 heads of 128 that keys share, 2048 wide.
    fn qwen() -> Header {
        let bytes = file(&[
            ("general.architecture", text("qwen2vl")),
            ("qwen2vl.block_count", number(36)),
            ("qwen2vl.attention.head_count", number(16)),
            ("qwen2vl.attention.head_count_kv", number(2)),
            ("qwen2vl.embedding_length", number(2048)),
            ("qwen2vl.feed_forward_length", number(11008)),
        ]);
        Header::parse(bytes.as_slice(), 1_930_000_000).unwrap()
    }

    #[test]
    fn the_cache_is_counted_as_it_is_laid_out() {
        // 36 layers * 2 heads * (128 + 128) * 2 bytes = 36,864 bytes a token.
        assert_eq!(cache(&qwen(), 1), 36_864);
        assert_eq!(cache(&qwen(), 8192), 8192 * 36_864);
    }

    #[test]
    fn over_budget_says_how_much_and_what_to_do() {
        let small = Prediction::of(&qwen(), None, 2048, 0);
        assert!(small.check(6_000_000_000, Advice { pictures: true, tokens: 2048 }).is_ok());
        let large = Prediction::of(&qwen(), None, 131_072, 0);
        let error = large.check(6_000_000_000, Advice { pictures: true, tokens: 131_072 }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OverBudget);
        assert!(error.to_string().contains("6.0 GB"), "{error}");
        assert!(error.hint().unwrap().contains("fewer frames"));
        assert!(error.hint().unwrap().contains("smaller quantisation"));
    }

    #[test]
    fn hostile_numbers_do_not_overflow() {
        let bytes = file(&[
            ("general.architecture", text("x")),
            ("x.block_count", number(u32::MAX)),
            ("x.attention.head_count", number(u32::MAX)),
            ("x.embedding_length", number(u32::MAX)),
            ("x.feed_forward_length", number(u32::MAX)),
            ("x.attention.key_length", number(u32::MAX)),
        ]);
        let header = Header::parse(bytes.as_slice(), u64::MAX).unwrap();
        let prediction = Prediction::of(&header, Some(&header), u32::MAX, u32::MAX);
        assert!(prediction.check(u64::MAX - 1, Advice { pictures: false, tokens: 1 }).is_err());
    }
}
