//! The models that are asked: named in chains, built when first wanted, behind the router.
//!
//! To add a back end: a variant of `BackendName`, its settings, and an arm in [`Registry::member`].

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tempograph_core::{
    Cancel, Error, ErrorKind, Issue, Result,
    timeline::Run,
    vlm::{AnswerCache, ModelCall, SpendLedger, Vlm},
};
use tempograph_pipeline::ask::listen;
use tempograph_remote::{
    Net, Secret, is_local,
    meter::{Meter, SpendLimits},
    prices::{self, Price},
    router::{Backoff, CallRecords, Dice, Member, MemberOptions, Router, Shared, SystemClock, Task, Timers, warm_up},
};
use tempograph_runtime_llm::LocalVlm;
use tempograph_store::ModelBooks;

use super::{Registry, local};
use crate::settings::{BackendName, Between, Count, Key, List, PriceText, Settings};

/// Bytes of a megabyte of the settings.
const MEGABYTE: f64 = 1_000_000.0;

/// What the models that are asked share.
pub(super) struct Asking {
    net: Net,
    records: Arc<CallRecords>,
    /// Opened when a model is first wanted: most runs ask none.
    shared: OnceLock<Shared>,
    /// One for each model, however many chains it is part of: limits and breakers are the model's.
    members: Mutex<BTreeMap<String, Arc<Member>>>,
}

impl Asking {
    pub(super) fn new() -> Self {
        Self { net: Net::new(), records: Arc::default(), shared: OnceLock::new(), members: Mutex::default() }
    }

    fn shared(&self, settings: &Settings, data: &Path) -> Result<Shared> {
        if let Some(shared) = self.shared.get() {
            return Ok(shared.clone());
        }
        let books = Arc::new(ModelBooks::open(data, (settings.ask_cache_mb.0 * MEGABYTE) as u64)?);
        let ledger: Arc<dyn SpendLedger> = Arc::clone(&books) as _;
        let cache: Option<Arc<dyn AnswerCache>> = settings.ask_cache.is_on().then_some(books as _);
        let limits = SpendLimits {
            video_usd: settings.cost_video_usd.map(|usd| usd.0),
            day_usd: settings.cost_day_usd.map(|usd| usd.0),
            alert_share: settings.cost_alert_share.0,
        };
        let clock = Arc::new(SystemClock);
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
        let shared = Shared {
            timers: Timers::of(&self.net)?,
            cache,
            meter: Meter::new(limits, Some(Arc::clone(&ledger)), Arc::clone(&clock) as _),
            ledger: Some(ledger),
            calls: Arc::clone(&self.records) as _,
            clock,
            dice: Arc::new(Dice::new(seed ^ u64::from(std::process::id()).rotate_left(32))),
        };
        Ok(self.shared.get_or_init(|| shared).clone())
    }
}

/// A link of a chain: `BACKEND` or `BACKEND:MODEL`.
#[derive(Clone, Debug, PartialEq)]
struct Link {
    backend: BackendName,
    model: Option<String>,
    /// Named by nobody: it stands in when it is here, and its absence is no news.
    spare: bool,
}

impl Link {
    fn parse(key: &str, text: &str) -> Result<Self> {
        let (backend, model) = text.split_once(':').map_or((text, None), |(b, m)| (b, Some(m)));
        let backend = backend.trim().parse::<BackendName>().map_err(|e| {
            Error::new(ErrorKind::Config, format!("setting `{key}`: {e}"))
                .with_hint("a link of a chain is `BACKEND` or `BACKEND:MODEL`, e.g. `openai:gpt-5-mini`")
        })?;
        let model = model.map(str::trim).filter(|m| !m.is_empty()).map(str::to_owned);
        Ok(Self { backend, model, spare: false })
    }

    fn of(backend: BackendName) -> Self {
        Self { backend, model: None, spare: false }
    }
}

/// The chain of `task`, as the settings name it.
fn chain(settings: &Settings, task: Task) -> Result<Vec<Link>> {
    let named = |key: &str, list: &List| list.0.iter().map(|text| Link::parse(key, text)).collect::<Result<Vec<_>>>();
    let set = match task {
        Task::Vision => named("ask.vision", &settings.ask_vision)?,
        Task::Chat => named("ask.chat", &settings.ask_chat)?,
        Task::Structured if settings.ask_structured.0.is_empty() => named("ask.chat", &settings.ask_chat)?,
        Task::Structured => named("ask.structured", &settings.ask_structured)?,
    };
    let mut links = set;
    if links.is_empty() {
        links.extend(settings.ask_backend.map(Link::of));
        if task != Task::Vision {
            let model = Some(settings.ask_text_model.clone());
            links.push(Link { backend: BackendName::Local, model, spare: true });
        }
    }
    links.retain(|link| link.backend != BackendName::Off);
    Ok(links)
}

/// Checks the settings that name models.
///
/// # Errors
/// [`ErrorKind::Config`] for a link of a chain that is none.
pub(super) fn check(settings: &Settings) -> Result<()> {
    [Task::Vision, Task::Chat, Task::Structured].into_iter().try_for_each(|task| chain(settings, task).map(|_| ()))
}

impl Registry {
    /// The model for `task`, as the settings name it: a chain behind the router. `None` when none is named and none
    /// is here.
    ///
    /// # Errors
    /// When no model that is named can be used.
    pub(crate) fn model(&self, task: Task) -> Result<Option<Arc<dyn Vlm>>> {
        let (mut members, mut refused) = (Vec::new(), None);
        for link in chain(&self.settings, task)? {
            match self.member(&link, task) {
                Ok(member) => members.push(member),
                Err(error) if link.spare => tracing::debug!(task = task.name(), %error, "no model stands in"),
                Err(error) => {
                    tracing::warn!(task = task.name(), %error, "a model is left out");
                    refused.get_or_insert(error);
                }
            }
        }
        match (members.is_empty(), refused) {
            (true, Some(error)) => Err(error),
            (true, None) => Ok(None),
            (false, _) => {
                let shared = self.asking.shared(&self.settings, &self.data)?;
                Ok(Some(Arc::new(Router::new(task, members, shared)?)))
            }
        }
    }

    /// Wakes what looks at frames, where that is wanted, without waiting for it. That it fails is found out, and said,
    /// when it is needed.
    pub(crate) fn warm_up(&self, cancel: &Cancel) {
        if !self.settings.ask_warm_up.is_on() {
            return;
        }
        if let Ok(Some(model)) = self.model(Task::Vision) {
            let cancel = cancel.clone();
            std::thread::spawn(move || {
                if let Err(error) = listen(model.generate(warm_up()), &cancel, &mut |_| {}) {
                    tracing::debug!(%error, "a model could not be warmed up");
                }
            });
        }
    }

    /// From here on calls are counted for another video.
    pub(crate) fn begin_video(&self) {
        if let Some(shared) = self.asking.shared.get() {
            shared.meter.begin_video();
        }
    }

    /// What models were asked since this was last called, and what came near its limit.
    pub(crate) fn calls(&self) -> (Vec<ModelCall>, Vec<Issue>) {
        let alerts = self.asking.shared.get().map(|shared| shared.meter.take_alerts());
        (self.asking.records.take(), alerts.unwrap_or_default())
    }

    /// Writes what models were asked into the account of a run.
    pub(crate) fn account(&self, run: &mut Run, issues: &mut Vec<Issue>) {
        let (calls, alerts) = self.calls();
        for call in &calls {
            run.tokens_in += call.usage.tokens_in;
            run.tokens_out += call.usage.tokens_out;
            run.cost_usd += call.cost_usd;
        }
        run.calls.extend(calls);
        issues.extend(alerts);
    }

    /// The member that `link` names, built once.
    fn member(&self, link: &Link, task: Task) -> Result<Arc<Member>> {
        let s = &self.settings;
        match link.backend {
            BackendName::Off => Err(Error::new(ErrorKind::Internal, "a link without a model")),
            BackendName::Local => self.local_member(link, task),
            BackendName::OpenAi => self.openai_member(link.model.as_ref().or(s.openai_model.as_ref())),
            BackendName::Gemini => self.gemini_member(link.model.as_ref().or(s.gemini_model.as_ref())),
            BackendName::RunPod => self.runpod_member(link.model.as_ref().or(s.runpod_model.as_ref())),
        }
    }

    fn built(&self, name: String, build: impl FnOnce() -> Result<Arc<Member>>) -> Result<Arc<Member>> {
        let mut members = self.asking.members.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = members.get(&name) {
            return Ok(Arc::clone(known));
        }
        let member = build()?;
        members.insert(name, Arc::clone(&member));
        Ok(member)
    }

    fn local_member(&self, link: &Link, task: Task) -> Result<Arc<Member>> {
        let own = self.settings.local_model.as_ref().filter(|_| task == Task::Vision);
        let files = local::find(&self.settings, &self.store, link.model.as_ref().or(own).map(String::as_str), task)?;
        self.built(format!("local:{}", files.model.display()), || {
            let model = LocalVlm::new(local::options(&self.settings, files)?)?;
            Ok(Member::new(Arc::new(model), self.tried(MemberOptions::new("local", false))))
        })
    }

    fn openai_member(&self, model: Option<&String>) -> Result<Arc<Member>> {
        use tempograph_remote::openai::{OpenAi, OpenAiOptions, PRESETS, Preset};
        let s = &self.settings;
        let preset = Preset::named(&s.openai_preset).ok_or_else(|| {
            let names: Vec<_> = PRESETS.iter().map(|p| p.name).collect();
            Error::new(ErrorKind::Config, format!("setting `openai.preset`: there is no preset `{}`", s.openai_preset))
                .with_hint(format!("the presets are {}", names.join(", ")))
        })?;
        let model = model.ok_or_else(|| unset("openai.model", "the server lists its models under `/models`"))?;
        self.built(format!("openai:{model}"), || {
            let mut options = OpenAiOptions::new(preset, model);
            if let Some(url) = &s.openai_url {
                options.base_url.clone_from(url);
            }
            self.reachable(preset.name, &options.base_url)?;
            options.key = secret(s.openai_api_key.as_ref());
            if options.key.is_none() && preset.needs_key && s.openai_url.is_none() {
                return Err(no_key("openai"));
            }
            let own = Own {
                price: s.openai_price,
                per_minute: s.openai_per_minute.map(|n| n.0),
                per_day: s.openai_per_day.map(|n| n.0),
                concurrency: s.openai_concurrency,
            };
            own.raise(&mut options.limits.concurrency);
            let member = self.remote_options(preset.name, model, &own);
            Ok(Member::new(Arc::new(OpenAi::new(options, &self.asking.net)?), member))
        })
    }

    fn gemini_member(&self, model: Option<&String>) -> Result<Arc<Member>> {
        use tempograph_remote::gemini::{Gemini, GeminiOptions};
        let s = &self.settings;
        let model = model.ok_or_else(|| unset("gemini.model", "e.g. `gemini-2.5-flash`"))?;
        self.built(format!("gemini:{model}"), || {
            let mut options = GeminiOptions::new(model);
            if let Some(url) = &s.gemini_url {
                options.base_url.clone_from(url);
            }
            self.reachable("gemini", &options.base_url)?;
            options.key = secret(s.gemini_api_key.as_ref());
            if options.key.is_none() && s.gemini_url.is_none() {
                return Err(no_key("gemini"));
            }
            let own = Own {
                price: s.gemini_price,
                per_minute: s.gemini_per_minute.map(|n| n.0),
                per_day: s.gemini_per_day.map(|n| n.0),
                concurrency: s.gemini_concurrency,
            };
            own.raise(&mut options.limits.concurrency);
            let mut member = self.remote_options("gemini", model, &own);
            member.thinking_tokens = options.thinking_budget.unwrap_or_default();
            Ok(Member::new(Arc::new(Gemini::new(options, &self.asking.net)?), member))
        })
    }

    fn runpod_member(&self, model: Option<&String>) -> Result<Arc<Member>> {
        use tempograph_remote::runpod::{Runpod, RunpodEndpoint, RunpodOptions};
        let s = &self.settings;
        let model = model.ok_or_else(|| unset("runpod.model", "the model that the endpoints serve"))?;
        self.built(format!("runpod:{model}"), || {
            let mut options = RunpodOptions::new(model, Vec::<String>::new());
            for text in &s.runpod_endpoints.0 {
                let (id, weight) = text.split_once('=').unwrap_or((text, "1"));
                let weight = weight.trim().parse().map_err(|_| {
                    Error::new(
                        ErrorKind::Config,
                        format!("setting `runpod.endpoints`: `{text}` is not `ID` or `ID=WEIGHT`"),
                    )
                })?;
                options.endpoints.push(RunpodEndpoint { id: id.trim().to_owned(), weight });
            }
            if options.endpoints.is_empty() {
                return Err(unset("runpod.endpoints", "the ids of the endpoints that serve the model"));
            }
            if let Some(url) = &s.runpod_url {
                options.base_url.clone_from(url);
            }
            self.reachable("runpod", &options.base_url)?;
            options.key = secret(s.runpod_api_key.as_ref());
            if options.key.is_none() && s.runpod_url.is_none() {
                return Err(no_key("runpod"));
            }
            let own = Own {
                price: s.runpod_price,
                per_minute: s.runpod_per_minute.map(|n| n.0),
                per_day: s.runpod_per_day.map(|n| n.0),
                concurrency: s.runpod_concurrency,
            };
            own.raise(&mut options.limits.concurrency);
            let member = self.remote_options("runpod", model, &own);
            Ok(Member::new(Arc::new(Runpod::new(options, &self.asking.net)?), member))
        })
    }

    /// What a member behind a network is allowed and costs.
    fn remote_options(&self, backend: &str, model: &str, own: &Own) -> MemberOptions {
        let price = own.price.map(|p| Price::flat(p.input, p.input, p.output));
        let mut options = self.tried(MemberOptions::new(backend, true));
        options.price = price.or_else(|| prices::price(backend, model));
        options.per_minute = own.per_minute.map(|n| n as u32);
        options.per_day = own.per_day.map(|n| n as u64);
        options.concurrency = own.concurrency.map(|n| n.0 as u32);
        options
    }

    /// How often and how long calls are tried, from the settings.
    fn tried(&self, mut options: MemberOptions) -> MemberOptions {
        let s = &self.settings;
        let time =
            |set: Option<Between<1, 86400>>, unset: Duration| set.map_or(unset, |s| Duration::from_secs_f64(s.0));
        options.backoff = Backoff { tries: s.ask_tries.0 as u32, ..options.backoff };
        options.timeouts.first_token = time(s.ask_first_token_s, options.timeouts.first_token);
        options.timeouts.idle = time(s.ask_idle_s, options.timeouts.idle);
        options.timeouts.total = time(s.ask_total_s, options.timeouts.total);
        options
    }

    /// Refuses an address beyond this machine where the network is not to be used.
    fn reachable(&self, backend: &str, url: &str) -> Result<()> {
        if self.settings.offline.is_on() && !is_local(url) {
            return Err(Error::new(
                ErrorKind::BackendUnavailable,
                format!("`{backend}` is not on this machine, and `offline` is set"),
            )
            .with_hint("unset `offline`, or name a model of this machine"));
        }
        Ok(())
    }
}

/// What one back end's settings say of every model of it.
struct Own {
    price: Option<PriceText>,
    per_minute: Option<f64>,
    per_day: Option<f64>,
    concurrency: Option<Count>,
}

impl Own {
    /// A number of calls that was set stands, also above what is usual.
    fn raise(&self, concurrency: &mut u32) {
        if let Some(set) = self.concurrency {
            *concurrency = set.0 as u32;
        }
    }
}

fn secret(key: Option<&Key>) -> Option<Secret> {
    key.map(|key| Secret::new(key.reveal())).filter(|secret| !secret.is_empty())
}

fn unset(key: &str, hint: &'static str) -> Error {
    Error::new(ErrorKind::Config, format!("setting `{key}` is unset")).with_hint(hint)
}

fn no_key(backend: &str) -> Error {
    let variable = format!("TEMPOGRAPH_{}_API_KEY", backend.to_uppercase());
    Error::new(ErrorKind::Config, format!("`{backend}` needs a key, and `{backend}.api_key` is unset"))
        .with_hint(format!("set the environment variable `{variable}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Combined, Layer, Origin};

    fn settings(pairs: &[(&'static str, &str)]) -> Settings {
        let mut layer = Layer::default();
        for (key, value) in pairs {
            layer.set(key, Some(value), &Origin::Flag);
        }
        Combined::load(None, std::iter::empty(), layer).unwrap().settings
    }

    fn links(pairs: &[(&'static str, &str)], task: Task) -> Vec<String> {
        let chain = chain(&settings(pairs), task).unwrap();
        chain.iter().map(|l| format!("{}:{}", l.backend, l.model.as_deref().unwrap_or("-"))).collect()
    }

    fn registry(pairs: &[(&'static str, &str)]) -> (Registry, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        (Registry::open(&settings(pairs), dir.path()).unwrap(), dir)
    }

    #[test]
    fn nothing_looks_and_nothing_is_sent_before_somebody_says_so() {
        assert!(links(&[], Task::Vision).is_empty());
        assert_eq!(links(&[], Task::Chat), ["local:smollm2-135m"]);
        assert_eq!(links(&[("ask.backend", "none")], Task::Chat), ["local:smollm2-135m"]);
        let (registry, _dir) = registry(&[]);
        assert!(registry.model(Task::Vision).unwrap().is_none());
    }

    #[test]
    fn chains_are_read_in_order() {
        let set = [("ask.vision", "openai:qwen2.5-vl-7b, local"), ("ask.backend", "gemini")];
        assert_eq!(links(&set, Task::Vision), ["openai:qwen2.5-vl-7b", "local:-"]);
        assert_eq!(links(&set, Task::Structured), ["gemini:-", "local:smollm2-135m"]);
        // A name of Ollama has a colon of its own.
        assert_eq!(links(&[("ask.chat", "openai:qwen2.5vl:7b")], Task::Structured), ["openai:qwen2.5vl:7b"]);
        let error = chain(&settings(&[("ask.chat", "opnai:x")]), Task::Chat).unwrap_err();
        assert!(error.to_string().contains("ask.chat") && error.hint().is_some());
    }

    #[test]
    fn a_chain_is_built_with_the_limits_that_are_set() {
        let (registry, _dir) = registry(&[
            ("ask.vision", "openai:a,openai:b"),
            ("openai.preset", "vllm"),
            ("openai.concurrency", "3"),
            ("offline", "true"),
        ]);
        let model = registry.model(Task::Vision).unwrap().unwrap();
        assert_eq!((model.limits().model.as_str(), model.limits().concurrency), ("a or b", 3));
        let again = registry.model(Task::Chat).unwrap();
        assert!(again.is_none(), "the text model is not here");
        assert_eq!(registry.asking.members.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (set, said) in [
            (&[("ask.backend", "openai")][..], "openai.model"),
            (&[("ask.backend", "openai"), ("openai.model", "gpt-5-mini")], "openai.api_key"),
            (&[("ask.backend", "openai"), ("openai.preset", "nobody")], "nobody"),
            (&[("ask.vision", "gemini:gemini-2.5-flash")], "gemini.api_key"),
            (&[("ask.vision", "gemini:gemini-2.5-flash"), ("gemini.api_key", "k"), ("offline", "true")], "offline"),
            (&[("ask.vision", "runpod:m"), ("runpod.api_key", "k")], "runpod.endpoints"),
            (&[("ask.vision", "runpod:m"), ("runpod.endpoints", "a=x")], "ID=WEIGHT"),
        ] {
            let (registry, _dir) = registry(set);
            let error = registry.model(Task::Vision).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(said), "{set:?}: {error}");
            assert!(error.hint().is_some() || said == "ID=WEIGHT", "{error}");
        }
    }
}
