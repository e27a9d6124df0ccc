//! Whom an analysis asks, and what asking would cost.

use std::{fmt::Write as _, path::Path};

use serde_json::json;
use tempograph_core::{Error, ErrorKind, MediaTime, Result, vlm::Usage};
use tempograph_pipeline::{
    ask::{ANSWER_TOKENS, Asking, ContextOptions, Estimate, Prompts, SummaryOptions, WindowOptions},
    run::Stages,
};
use tempograph_remote::{
    prices::{self, Price},
    router::{OR, Task},
};

use crate::{
    registry::Registry,
    settings::{BackendName, Settings},
};

/// Bytes of a prompt file at most.
const MAX_PROMPT: u64 = 100_000;

/// Whom to ask, as the settings say; a model that is named and cannot be used goes into `stages` as unavailable.
///
/// # Errors
/// When the folder of prompts cannot be read.
pub(crate) fn asking(settings: &Settings, registry: &Registry, stages: &mut Stages) -> Result<Option<Asking>> {
    let (ask, summarise) = (registry.wants("ask"), registry.wants("summary"));
    let prompts = prompts(settings.prompts_folder.as_ref().map(|f| f.0.as_path()))?;
    let mut model = |wanted: bool, task| match registry.model(task) {
        _ if !wanted => None,
        Ok(model) => model,
        // Nobody named it, so that it is not here is no news.
        Err(error) if error.kind() == ErrorKind::ModelMissing && task != Task::Vision => None,
        Err(error) => {
            stages.unavailable.push((if task == Task::Vision { "ask" } else { "summary" }, error));
            None
        }
    };
    let vision = model(ask, Task::Vision);
    let text = model(summarise, Task::Structured);
    if vision.is_none() && text.is_none() {
        return Ok(None);
    }
    Ok(Some(Asking {
        vision,
        text,
        ask,
        summarise,
        prompts,
        windows: WindowOptions {
            length: MediaTime::from_secs_f64(settings.ask_window_s.0),
            frames: settings.ask_frames.0,
            frame_tokens: settings.ask_frame_tokens.0 as u32,
            max_windows: settings.ask_max_windows.0,
        },
        whole_video: settings.gemini_video.is_on() && first(settings) == Some(BackendName::Gemini),
        context: ContextOptions::default(),
        summary: SummaryOptions::default(),
        answer_tokens: ANSWER_TOKENS,
    }))
}

/// The built-in prompts, or those of `folder` where it has them.
fn prompts(folder: Option<&Path>) -> Result<Prompts> {
    let mut prompts = Prompts::default();
    let Some(folder) = folder else { return Ok(prompts) };
    if !folder.is_dir() {
        return Err(Error::new(ErrorKind::NotFound, format!("there is no folder of prompts: {}", folder.display()))
            .with_hint("set `prompts.folder` to a folder with files like `window.md`, or leave it empty"));
    }
    for name in Prompts::NAMES {
        let path = folder.join(format!("{name}.md"));
        match std::fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io("read a prompt", &path, e)),
            Ok(found) if found.len() > MAX_PROMPT => {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!("this is too long for a prompt: {}", path.display()),
                ));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read a prompt", &path, e))?;
        prompts.set(name, &text)?;
    }
    Ok(prompts)
}

/// What asking would take, for people or as JSON.
pub(crate) fn shown(path: &Path, estimate: Option<&Estimate>, settings: &Settings, as_json: bool) -> String {
    let model = estimate.map(|e| e.model.as_str()).unwrap_or_default();
    // Of a chain, the first is planned with.
    let price = price(settings, model.split(OR).next().unwrap_or(model));
    let cost = estimate
        .zip(price)
        .map(|(e, price)| price.cost(&Usage { tokens_in: e.tokens_in, tokens_cached: 0, tokens_out: e.tokens_out }));
    if as_json {
        let value = json!({
            "source": path.display().to_string(), "model": model, "estimate": estimate, "cost_usd_at_most": cost,
        });
        return format!("{value:#}");
    }
    let mut s = format!("{}\n", path.display());
    let Some(e) = estimate else {
        return s + "  no model is asked: name one with `--backend`";
    };
    let basis = if e.measured { "what was measured" } else { "its length alone, as it was not analysed yet" };
    let _infallible = write!(
        s,
        "  model     {model}\n  windows   {}, of which {} would be asked about and {} are like others\n  \
         {}\n  calls     {} for windows, {} for summaries at most\n  \
         tokens    about {} in, at most {} out\n  cost      {}\n  rests on  {basis}; nothing was sent",
        e.windows,
        e.asked,
        e.saved,
        match e.video_s {
            0 => format!("frames    {} of {} tokens each", e.frames, e.frame_tokens),
            seconds => format!("video     the file itself, {seconds} s of it"),
        },
        e.asked,
        e.summaries,
        e.tokens_in,
        e.tokens_out,
        cost.map_or_else(|| "not known: no price is known for this model".to_owned(), |c| format!("at most ${c:.4}")),
    );
    s
}

/// The back end that is shown the video first.
fn first(settings: &Settings) -> Option<BackendName> {
    let named = settings.ask_vision.0.first().and_then(|link| link.split(':').next()?.trim().parse().ok());
    named.or(settings.ask_backend)
}

/// What the model that looks at frames costs, where that is known.
fn price(settings: &Settings, model: &str) -> Option<Price> {
    let (own, list) = match first(settings)? {
        BackendName::Off => return None,
        BackendName::Local => return Some(Price::flat(0.0, 0.0, 0.0)),
        BackendName::OpenAi => (settings.openai_price, settings.openai_preset.as_str()),
        BackendName::Gemini => (settings.gemini_price, "gemini"),
        BackendName::RunPod => (settings.runpod_price, "runpod"),
    };
    own.map(|p| Price::flat(p.input, p.input, p.output)).or_else(|| prices::price(list, model))
}
