//! Settings in three steps: as typed, combined, resolved.
//!
//! Each source (defaults, file, environment, flags) becomes a [`Layer`] of texts; layers combine,
//! the later over the earlier, each value remembering its [`Origin`]; [`Settings`] holds what the
//! rest of the program uses. Nothing here reads the environment: the command hands it in.

mod value;

use std::{collections::BTreeMap, fmt, fs, path::Path};

use tempograph_core::{Error, ErrorKind, Result};
pub use value::{BackendName, Between, Count, Folder, Key, List, LogFormat, PriceText, Switch, TrackerName};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(String),
    Environment(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Texts by dotted key, each with its origin.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Layer(BTreeMap<&'static str, (String, Origin)>);

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(key, (text, origin))| (key, (shown(key, text), origin)))).finish()
    }
}

/// Stands for a secret wherever settings are shown.
const HIDDEN: &str = "(set)";

/// `text` as it may be shown.
fn shown<'a>(key: &str, text: &'a str) -> &'a str {
    if key.ends_with("api_key") && !text.is_empty() { HIDDEN } else { text }
}

impl Layer {
    /// Sets `key` when `value` is there.
    pub fn set(&mut self, key: &'static str, value: Option<impl fmt::Display>, origin: &Origin) {
        if let Some(value) = value {
            self.0.insert(key, (value.to_string(), origin.clone()));
        }
    }

    /// This layer over `below`.
    fn over(mut self, below: Self) -> Self {
        for (key, value) in below.0 {
            self.0.entry(key).or_insert(value);
        }
        self
    }
}

/// A setting as documentation shows it.
pub struct Described {
    pub key: &'static str,
    pub default: &'static str,
    pub doc: &'static str,
}

impl Described {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("TEMPOGRAPH_{}", self.key.replace('.', "_").to_uppercase())
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $key:literal, $default:literal;)*) => {
        /// Every setting, resolved.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings { $($(#[doc = $doc])+ pub $field: $type,)* }

        /// Every setting there is, for lookup and documentation. An empty default means unset.
        pub const SETTINGS: &[Described] = &[
            $(Described { key: $key, default: $default, doc: concat!($($doc,)+) },)*
        ];

        impl Settings {
            fn resolve(layer: &Layer) -> Result<Self> {
                Ok(Self { $($field: <$type as Resolve>::resolve(layer, $key)?,)* })
            }
        }
    };
}

settings! {
    /// Folder of the library: database, objects, models. Unset: the platform's data folder.
    data: Option<Folder> = "data", "";
    /// Folder of models. Unset: `models` in the library's folder.
    models: Option<Folder> = "models", "";
    /// Never reach for the network.
    offline: Switch = "offline", "false";
    /// Processor threads one stage may use. Unset: as many as there are cores.
    threads: Option<Count> = "threads", "";
    /// What to log, as a `tracing` filter.
    log_level: String = "log.level", "error";
    /// How log lines look: `text` or `json`.
    log_format: LogFormat = "log.format", "text";
    /// The ONNX Runtime library. Unset: looked for, then fetched.
    onnxruntime: Option<Folder> = "runtime.onnxruntime", "";
    /// Stages to run. Empty: all.
    only: List = "analyze.only", "";
    /// Stages to leave out.
    skip: List = "analyze.skip", "";
    /// Frames a second that the detector looks at.
    fps: Between<0, 240> = "analyze.fps", "5";
    /// Let the detector's last answer stand where nothing in the picture changed.
    gate: Switch = "analyze.gate", "true";
    /// Scene detectors to run, of `content`, `adaptive`, `threshold`, `hist` and `hash`; the first decides the scenes.
    scene_detectors: List = "analyze.scene_detectors", "adaptive";
    /// Detector model. Unset: the best one present.
    detector: Option<String> = "analyze.detector", "";
    /// Confidence a track needs to start, 0 to 1. Unset: 0.35, and 0.6 for boxes that are imported.
    confidence: Option<Between<0, 1>> = "analyze.confidence", "";
    /// How objects are followed: `bytetrack` or `sort`.
    tracker: TrackerName = "analyze.tracker", "bytetrack";
    /// Text reading model. Unset: the best one present.
    text_model: Option<String> = "analyze.text_model", "";
    /// Frames a second in which text is looked for, besides the last one of each shot.
    text_fps: Between<0, 240> = "analyze.text_fps", "1";
    /// Depth model. Unset: the best one present, if any.
    depth_model: Option<String> = "analyze.depth_model", "";
    /// Frames a second whose depth is estimated.
    depth_fps: Between<0, 240> = "analyze.depth_fps", "1";
    /// Sound tagging model. Unset: the best one present.
    sound_model: Option<String> = "analyze.sound_model", "";
    /// Speech model.
    speech_model: String = "analyze.speech_model", "whisper-base";
    /// Spoken language as a two-letter tag. Unset: detected.
    language: Option<String> = "analyze.language", "";
    /// Beam width of speech recognition.
    beam_size: Count = "analyze.beam_size", "5";
    /// Audio stream to listen to, from 0. Unset: the file's default.
    audio_stream: Option<Index> = "analyze.audio_stream", "";
    /// Model that turns texts into vectors for search.
    text_embedder: String = "search.text_embedder", "bge-small-en";
    /// Model that knows what frames look like and is asked in words. Unset: the best one present, if any.
    image_embedder: Option<String> = "search.image_embedder", "";
    /// Seconds of a video that a model is asked about at a time.
    ask_window_s: Between<0, 3600> = "ask.window_s", "30";
    /// Frames of them that it is shown at most, 100 at most. 0 sends none: it only reads what was measured.
    ask_frames: Index = "ask.frames", "8";
    /// Tokens that one frame may take.
    ask_frame_tokens: Count = "ask.frame_tokens", "256";
    /// Questions about one video at most: those of a long one are about more at a time.
    ask_max_windows: Count = "ask.max_windows", "240";
    /// Folder of prompts that are used instead of the built-in ones: `system.md`, `window.md`, `scene.md`, `summary.md`.
    prompts_folder: Option<Folder> = "prompts.folder", "";
    /// Write `annotated.mp4`.
    annotate: Switch = "analyze.annotate", "true";
    /// Files whose boxes, subtitles or speakers stand in for a stage: `FILE` or `FORMAT=FILE`.
    import: List = "analyze.import", "";
    /// Cut the highlights into `clips/`.
    clips: Switch = "analyze.clips", "false";
    /// Seconds between a seen and a heard event that still belong together.
    correlation_window_s: Between<0, 60> = "fuse.correlation_window_s", "2";
    /// Highlights at most.
    highlights_count: Count = "highlights.count", "5";
    /// Shortest highlight in seconds; a shorter video is one highlight.
    highlights_min_s: Between<0, 3600> = "highlights.min_s", "5";
    /// Longest highlight in seconds.
    highlights_max_s: Between<0, 3600> = "highlights.max_s", "20";
    /// Score below which nothing is a highlight, 0 to 1.
    highlights_min_score: Between<0, 1> = "highlights.min_score", "0.1";
    /// What feeling in faces and voices counts; weights are taken in proportion.
    highlights_emotion: Between<0, 1> = "highlights.emotion", "0.2";
    /// What words, their level and rate, laughter and applause count.
    highlights_speech: Between<0, 1> = "highlights.speech", "0.25";
    /// What fast movement counts.
    highlights_motion: Between<0, 1> = "highlights.motion", "0.2";
    /// What visual events, and being seen and heard together, count.
    highlights_events: Between<0, 1> = "highlights.events", "0.2";
    /// What is unlike the rest of the video counts.
    highlights_novelty: Between<0, 1> = "highlights.novelty", "0.15";
    /// What looks at frames: `none`, `local`, `openai`, `gemini` or `runpod`. Unset: `none`.
    ask_backend: Option<BackendName> = "ask.backend", "";
    /// Models that look at frames, best first, each `BACKEND` or `BACKEND:MODEL`. Unset: the one of `ask.backend`.
    ask_vision: List = "ask.vision", "";
    /// Models that answer questions, best first. Unset: the one of `ask.backend`, then the local text model.
    ask_chat: List = "ask.chat", "";
    /// Models that answer in a form from text, best first. Unset: as for `ask.chat`.
    ask_structured: List = "ask.structured", "";
    /// Language model of this machine for what needs no eyes.
    ask_text_model: String = "ask.text_model", "smollm2-135m";
    /// Tries of one model before the next is asked.
    ask_tries: Count = "ask.tries", "4";
    /// Seconds until the first token. Unset: 180 for remote models, 1800 for local ones.
    ask_first_token_s: Option<Between<1, 86400>> = "ask.first_token_s", "";
    /// Seconds between two tokens. Unset: 60 for remote models, 120 for local ones.
    ask_idle_s: Option<Between<1, 86400>> = "ask.idle_s", "";
    /// Seconds for one call with all its tries. Unset: 900 for remote models, 7200 for local ones.
    ask_total_s: Option<Between<1, 86400>> = "ask.total_s", "";
    /// Put the smallest question there is when an analysis starts, so that a cold back end is awake when it is needed.
    ask_warm_up: Switch = "ask.warm_up", "false";
    /// Keep answers, so that the same question costs nothing the next time.
    ask_cache: Switch = "ask.cache", "true";
    /// Megabytes of answers that are kept; those not used for longest go first.
    ask_cache_mb: Between<1, 100000> = "ask.cache_mb", "256";
    /// What kind of server `openai` is: `openai`, `nebius`, `vllm`, `ollama` or `llama-server`.
    openai_preset: String = "openai.preset", "openai";
    /// Address of the server, up to and including `/v1`. Unset: the preset's.
    openai_url: Option<String> = "openai.url", "";
    /// Key of the server.
    openai_api_key: Option<Key> = "openai.api_key", "";
    /// Model of the server.
    openai_model: Option<String> = "openai.model", "";
    /// US dollars for a million tokens sent and written, `IN/OUT`. Unset: the price list's.
    openai_price: Option<PriceText> = "openai.price", "";
    /// Calls a minute at most.
    openai_per_minute: Option<Between<1, 1000000>> = "openai.per_minute", "";
    /// Calls a day (UTC) at most.
    openai_per_day: Option<Between<1, 100000000>> = "openai.per_day", "";
    /// Calls at once at most. Unset: the preset's.
    openai_concurrency: Option<Count> = "openai.concurrency", "";
    /// Address of the Gemini API. Unset: Google's.
    gemini_url: Option<String> = "gemini.url", "";
    /// Key of the Gemini API.
    gemini_api_key: Option<Key> = "gemini.api_key", "";
    /// Gemini model.
    gemini_model: Option<String> = "gemini.model", "";
    /// Upload the file once and ask about stretches of it instead of sending frames. It is deleted when the command ends.
    gemini_video: Switch = "gemini.video", "false";
    /// US dollars for a million tokens sent and written, `IN/OUT`. Unset: the price list's.
    gemini_price: Option<PriceText> = "gemini.price", "";
    /// Calls a minute at most.
    gemini_per_minute: Option<Between<1, 1000000>> = "gemini.per_minute", "";
    /// Calls a day (UTC) at most.
    gemini_per_day: Option<Between<1, 100000000>> = "gemini.per_day", "";
    /// Calls at once at most.
    gemini_concurrency: Option<Count> = "gemini.concurrency", "";
    /// Address of the RunPod API. Unset: RunPod's.
    runpod_url: Option<String> = "runpod.url", "";
    /// Key of the RunPod API.
    runpod_api_key: Option<Key> = "runpod.api_key", "";
    /// Serverless endpoints that serve the model, each `ID` or `ID=WEIGHT`.
    runpod_endpoints: List = "runpod.endpoints", "";
    /// Model that the endpoints serve.
    runpod_model: Option<String> = "runpod.model", "";
    /// US dollars for a million tokens sent and written, `IN/OUT`. Unset: the price list's.
    runpod_price: Option<PriceText> = "runpod.price", "";
    /// Calls a minute at most.
    runpod_per_minute: Option<Between<1, 1000000>> = "runpod.per_minute", "";
    /// Calls a day (UTC) at most.
    runpod_per_day: Option<Between<1, 100000000>> = "runpod.per_day", "";
    /// Calls at once at most.
    runpod_concurrency: Option<Count> = "runpod.concurrency", "";
    /// Model of `local`: a name of `models list`, or a GGUF file. Unset: the best one present that sees.
    local_model: Option<String> = "local.model", "";
    /// GGUF file of the projector that belongs to a `local.model` that is a file.
    local_mmproj: Option<Folder> = "local.mmproj", "";
    /// Layers to keep on the GPU. Unset: all that a build with GPU support can.
    local_gpu_layers: Option<Index> = "local.gpu_layers", "";
    /// Tokens that a question to a local model and its answer may have together.
    local_context_tokens: Between<1, 1000000> = "local.context_tokens", "8192";
    /// Gigabytes of memory that a local model may take.
    local_budget_gb: Between<0, 1000000> = "local.budget_gb", "6";
    /// US dollars that models may cost for one video in one run. Unset: no limit.
    cost_video_usd: Option<Between<0, 1000000>> = "cost.video_usd", "";
    /// US dollars that models may cost in one day (UTC) over all runs. Unset: no limit.
    cost_day_usd: Option<Between<0, 1000000>> = "cost.day_usd", "";
    /// Share of a limit at which a warning is given.
    cost_alert_share: Between<0, 1> = "cost.alert_share", "0.8";
}

/// A whole number from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Index(pub usize);

impl std::str::FromStr for Index {
    type Err = String;
    fn from_str(s: &str) -> std::result::Result<Self, String> {
        s.parse().map(Self).map_err(|_| format!("`{s}` is not a whole number"))
    }
}

trait Resolve: Sized {
    fn resolve(layer: &Layer, key: &'static str) -> Result<Self>;
}

fn parse<T: std::str::FromStr<Err: fmt::Display>>(layer: &Layer, key: &'static str) -> Result<Option<T>> {
    let Some((text, origin)) = layer.0.get(key).filter(|(text, _)| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|e| {
        Error::new(ErrorKind::Config, format!("setting `{key}` ({origin}): {e}"))
            .with_hint("`tempograph config show` lists every setting with its origin")
    })
}

macro_rules! resolve {
    ($($type:ty),*) => {$(
        impl Resolve for Option<$type> {
            fn resolve(layer: &Layer, key: &'static str) -> Result<Self> {
                parse(layer, key)
            }
        }
        impl Resolve for $type {
            fn resolve(layer: &Layer, key: &'static str) -> Result<Self> {
                parse(layer, key)?.ok_or_else(|| {
                    Error::new(ErrorKind::Config, format!("setting `{key}` is empty"))
                })
            }
        }
    )*};
}
resolve!(
    Folder,
    Switch,
    Count,
    LogFormat,
    TrackerName,
    BackendName,
    Key,
    PriceText,
    Between<0, 240>,
    Between<0, 1>,
    Between<0, 60>,
    Between<0, 3600>,
    Between<0, 1000000>,
    Between<1, 86400>,
    Between<1, 100000>,
    Between<1, 1000000>,
    Between<1, 100000000>,
    String,
    Index
);

impl Resolve for List {
    fn resolve(layer: &Layer, key: &'static str) -> Result<Self> {
        Ok(parse(layer, key)?.unwrap_or_default())
    }
}

fn defaults() -> Layer {
    let mut layer = Layer::default();
    for s in SETTINGS {
        layer.set(s.key, Some(s.default), &Origin::Default);
    }
    layer
}

fn known(key: &str) -> Option<&'static str> {
    SETTINGS.iter().map(|s| s.key).find(|k| *k == key)
}

fn unknown(key: &str, origin: &Origin, candidates: impl Iterator<Item = String>) -> Error {
    let error = Error::new(ErrorKind::Config, format!("unknown setting `{key}` ({origin})"));
    let best = candidates
        .map(|c| (strsim::damerau_levenshtein(&c, key), c))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, c)| *distance <= c.len().max(4) / 2);
    match best {
        Some((_, c)) => error.with_hint(format!("did you mean `{c}`?")),
        None => error.with_hint("`tempograph config show` lists every setting"),
    }
}

/// The layer that the TOML text of a configuration file holds.
///
/// # Errors
/// [`ErrorKind::Config`] for what is not TOML, not a known key or not a plain value.
pub fn from_toml(text: &str, path: &str) -> Result<Layer> {
    let origin = Origin::File(path.to_owned());
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        Error::new(ErrorKind::Config, format!("the configuration is not valid TOML: {}: {path}", e.message()))
    })?;
    let mut layer = Layer::default();
    add_table(&mut layer, "", &table, &origin)?;
    Ok(layer)
}

fn add_table(layer: &mut Layer, prefix: &str, table: &toml::Table, origin: &Origin) -> Result<()> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if let Some(known) = known(&key) {
            let text = value::toml_text(value).ok_or_else(|| {
                Error::new(ErrorKind::Config, format!("setting `{key}` ({origin}): not a plain value"))
            })?;
            layer.set(known, Some(text), origin);
        } else if let toml::Value::Table(inner) = value
            && prefix.is_empty()
        {
            add_table(layer, &key, inner, origin)?;
        } else {
            return Err(unknown(&key, origin, SETTINGS.iter().map(|s| s.key.to_owned())));
        }
    }
    Ok(())
}

/// The layer that environment variables set.
///
/// # Errors
/// [`ErrorKind::Config`] for a `TEMPOGRAPH_…` variable that names no setting.
pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Result<Layer> {
    let mut layer = Layer::default();
    for (name, value) in variables {
        // TEMPOGRAPH_CONFIG names the file itself; it is read before any layer is there.
        if !name.starts_with("TEMPOGRAPH_") || name == "TEMPOGRAPH_CONFIG" {
            continue;
        }
        let origin = Origin::Environment(name.clone());
        match SETTINGS.iter().find(|s| s.variable() == name) {
            Some(s) => layer.set(s.key, Some(value), &origin),
            None => return Err(unknown(&name, &origin, SETTINGS.iter().map(Described::variable))),
        }
    }
    Ok(layer)
}

/// Settings together with where each came from.
#[derive(Clone, Debug)]
pub struct Combined {
    layer: Layer,
    pub settings: Settings,
}

impl Combined {
    /// Combines the sources: defaults < file < environment < flags.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unknown key or a value outside its range.
    pub fn load(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
        flags: Layer,
    ) -> Result<Self> {
        let from_file = match file {
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|e| Error::io("read the configuration", path, e))?;
                from_toml(&text, &path.display().to_string())?
            }
            None => Layer::default(),
        };
        let layer = flags.over(from_environment(environment)?).over(from_file).over(defaults());
        Ok(Self { settings: Settings::resolve(&layer)?, layer })
    }

    /// Each setting's key, value and origin, in the order they are documented. Of a secret only whether it is set.
    pub fn show(&self) -> impl Iterator<Item = (&'static str, &str, &Origin)> {
        SETTINGS
            .iter()
            .filter_map(|s| self.layer.0.get(s.key).map(|(text, origin)| (s.key, shown(s.key, text), origin)))
    }
}

#[cfg(test)]
mod tests;
