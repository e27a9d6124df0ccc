//! What models cost and take: the rows of `data/prices.toml`.

use std::sync::LazyLock;

use serde::Deserialize;
use tempograph_core::vlm::Usage;

/// Price of a model in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Tokens sent that were not cached.
    pub input_per_mtok: f64,
    /// Tokens sent that the back end had cached.
    pub cached_per_mtok: f64,
    /// Tokens written, thoughts included.
    pub output_per_mtok: f64,
    /// Another price for long questions.
    pub long: Option<LongPrice>,
}

/// The price of a question with more than so many tokens; it holds for all of its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrice {
    /// Tokens sent above which it holds.
    pub above_tokens: u64,
    /// As [`Price::input_per_mtok`].
    #[serde(rename = "input")]
    pub input_per_mtok: f64,
    /// As [`Price::cached_per_mtok`].
    #[serde(rename = "cached")]
    pub cached_per_mtok: f64,
    /// As [`Price::output_per_mtok`].
    #[serde(rename = "output")]
    pub output_per_mtok: f64,
}

impl Price {
    /// A price without tiers.
    pub fn flat(input_per_mtok: f64, cached_per_mtok: f64, output_per_mtok: f64) -> Self {
        Self { input_per_mtok, cached_per_mtok, output_per_mtok, long: None }
    }

    /// What one call costs, in US dollars.
    pub fn cost(&self, usage: &Usage) -> f64 {
        let (input, cached, output) = match self.long.filter(|l| usage.tokens_in > l.above_tokens) {
            Some(long) => (long.input_per_mtok, long.cached_per_mtok, long.output_per_mtok),
            None => (self.input_per_mtok, self.cached_per_mtok, self.output_per_mtok),
        };
        let known = usage.tokens_cached.min(usage.tokens_in);
        let sum = (usage.tokens_in - known) as f64 * input + known as f64 * cached + usage.tokens_out as f64 * output;
        sum / 1e6
    }
}

/// What is known of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Its price.
    pub price: Option<Price>,
    /// Tokens that question and answer may have together.
    pub context_tokens: Option<u64>,
    /// Most tokens of an answer.
    pub max_output_tokens: Option<u32>,
    /// Most pictures in one question.
    pub images: Option<u32>,
    /// Whether it takes videos whole.
    pub video: bool,
    /// Tokens that the model may think before it writes; they count as written. None leaves it to the model.
    pub thinking_budget: Option<u32>,
    /// Quota of calls in a minute, of the first tier that is paid for.
    pub requests_per_minute: Option<u32>,
    /// Quota of calls in a day.
    pub requests_per_day: Option<u32>,
}

/// The date of the prices, `YYYY-MM-DD`.
pub fn as_of() -> &'static str {
    &LIST.as_of
}

/// What is known of `model` at `backend` (`gemini`, or the name of a preset of [`openai`](crate::openai)).
///
/// Dated and preview versions (`gpt-4o-2024-08-06`, `gemini-2.5-flash-preview-09-2025`) are the model they begin with.
pub fn facts(backend: &str, model: &str) -> Option<&'static Facts> {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let rows = LIST.rows.iter().filter(|r| r.backend == backend);
    rows.filter(|r| r.model == "*" || is_version(model, &r.model)).max_by_key(|r| r.model.len()).map(|r| &r.facts)
}

/// The price of `model` at `backend`, where it is known.
pub fn price(backend: &str, model: &str) -> Option<Price> {
    facts(backend, model)?.price
}

fn is_version(model: &str, name: &str) -> bool {
    match model.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('-').is_some_and(|v| {
            v.starts_with(|c: char| c.is_ascii_digit()) || v.starts_with("preview") || v == "latest" || v == "exp"
        }),
        None => false,
    }
}

struct List {
    as_of: String,
    rows: Vec<Row>,
}

struct Row {
    backend: String,
    model: String,
    facts: Facts,
}

static LIST: LazyLock<List> =
    LazyLock::new(|| read(include_str!("../data/prices.toml")).expect("the list is tested to be well formed"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedList {
    as_of: String,
    model: Vec<TypedRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedRow {
    backend: String,
    model: String,
    input: Option<f64>,
    cached: Option<f64>,
    output: Option<f64>,
    long: Option<LongPrice>,
    context_tokens: Option<u64>,
    max_output_tokens: Option<u32>,
    images: Option<u32>,
    #[serde(default)]
    video: bool,
    thinking_budget: Option<u32>,
    requests_per_minute: Option<u32>,
    requests_per_day: Option<u32>,
}

fn read(text: &str) -> Result<List, toml::de::Error> {
    let typed: TypedList = toml::from_str(text)?;
    let row = |r: TypedRow| {
        let price = r.input.zip(r.output).map(|(input, output)| Price {
            input_per_mtok: input,
            cached_per_mtok: r.cached.unwrap_or(input),
            output_per_mtok: output,
            long: r.long,
        });
        let facts = Facts {
            price,
            context_tokens: r.context_tokens,
            max_output_tokens: r.max_output_tokens,
            images: r.images,
            video: r.video,
            thinking_budget: r.thinking_budget,
            requests_per_minute: r.requests_per_minute,
            requests_per_day: r.requests_per_day,
        };
        Row { backend: r.backend, model: r.model, facts }
    };
    Ok(List { as_of: typed.as_of, rows: typed.model.into_iter().map(row).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_well_formed() {
        let list = read(include_str!("../data/prices.toml")).unwrap();
        assert!(list.as_of.len() == 10 && list.rows.len() > 10);
        for row in &list.rows {
            let price = row.facts.price.expect("has a price");
            let (input, cached, output) = (price.input_per_mtok, price.cached_per_mtok, price.output_per_mtok);
            assert!(cached >= 0.0 && cached <= input && input <= output, "{}", row.model);
            if let Some(long) = price.long {
                assert!(long.input_per_mtok > input && long.output_per_mtok > output, "{}", row.model);
            }
            let twins = list.rows.iter().filter(|r| (&r.backend, &r.model) == (&row.backend, &row.model)).count();
            assert_eq!(twins, 1, "{}", row.model);
        }
    }

    #[test]
    fn versions_cost_what_their_model_costs_and_siblings_do_not() {
        let input = |model| price("openai", model).map(|p| p.input_per_mtok);
        assert_eq!(input("gpt-4o-2024-08-06"), Some(2.5));
        assert_eq!(input("gpt-4o-mini"), Some(0.15));
        assert_eq!(input("gpt-4o-audio"), None);
        assert_eq!(price("gemini", "models/gemini-2.5-flash-preview-09-2025").unwrap().input_per_mtok, 0.3);
        assert_eq!(price("gemini", "gemini-2.5-flash-lite").unwrap().input_per_mtok, 0.1);
        assert_eq!(price("ollama", "anything").unwrap().output_per_mtok, 0.0);
        assert_eq!(price("runpod", "anything"), None);
    }

    #[test]
    fn long_questions_and_cached_tokens_have_their_own_price() {
        let price = price("gemini", "gemini-2.5-pro").unwrap();
        let usage = |tokens_in, tokens_cached, tokens_out| Usage { tokens_in, tokens_cached, tokens_out };
        assert!((price.cost(&usage(100_000, 0, 1000)) - 0.135).abs() < 1e-12);
        assert!((price.cost(&usage(100_000, 100_000, 0)) - 0.0125).abs() < 1e-12);
        assert!((price.cost(&usage(1_000_000, 0, 0)) - 2.5).abs() < 1e-12);
        assert!(price.cost(&usage(1, 5, 0)) >= 0.0, "a server that counts wrongly earns nothing");
    }
}
