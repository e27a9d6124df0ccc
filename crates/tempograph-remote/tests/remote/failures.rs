//! What a failure of a model looks like: `docs/failures.md` is written by this test.

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tempograph_core::vlm::{Ask, Chunk, Finish, ModelCall, Vlm};
use tempograph_remote::{
    Net,
    conformance::next,
    gemini::{Gemini, GeminiOptions},
    meter::{Meter, SpendLimits},
    openai::{OpenAi, OpenAiOptions},
    prices,
    router::{
        Backoff, CallRecords, CallTimeouts, Dice, Member, MemberOptions, Router, Shared, SystemClock, Task, Timers,
    },
    runpod::{Runpod, RunpodOptions},
    testing::{FakeGemini, FakeOpenAi, FakeRunpod, Fault, assert_current},
};

use super::{about, structured};

/// Every failure with its name, in the order of the page.
const FAULTS: &[(&str, Option<Fault>)] = &[
    ("Nobody answers at the address", None),
    ("The key is wrong", Some(Fault::WrongKey)),
    ("There is no such model", Some(Fault::NoModel)),
    ("The question is too long", Some(Fault::TooLong)),
    ("Too many calls, with a time to wait", Some(Fault::RateLimited(Some(0)))),
    ("Too many calls, without a time to wait", Some(Fault::RateLimited(None))),
    ("The quota or the credit is used up", Some(Fault::QuotaUsedUp)),
    ("The server has an error", Some(Fault::ServerError)),
    ("The server has an error in the middle of the answer", Some(Fault::ErrorInStream)),
    ("The schema is not supported", Some(Fault::SchemaRefused)),
    ("The answer breaks off", Some(Fault::Truncated)),
    ("The answer is not of the documented form", Some(Fault::Malformed)),
    ("A filter of the provider ends the answer", Some(Fault::Filtered)),
    ("The server says nothing", Some(Fault::Hang)),
    ("The upload breaks off", Some(Fault::DroppedUpload)),
    ("The upload is slow", Some(Fault::SlowUpload)),
    ("The uploaded video has expired", Some(Fault::ExpiredFile)),
    ("The video cannot be processed", Some(Fault::UnusableFile)),
    ("No worker takes the job", Some(Fault::NoWorker)),
    ("The worker fails", Some(Fault::WorkerFailed)),
    ("The job takes longer than it may", Some(Fault::JobTimedOut)),
    ("The job has expired", Some(Fault::ExpiredJob)),
];

const GEMINI_ONLY: &[Fault] = &[Fault::DroppedUpload, Fault::SlowUpload, Fault::ExpiredFile, Fault::UnusableFile];
/// What ends a call before a job runs that would be paid.
const BEFORE_A_JOB: &[Fault] = &[
    Fault::WrongKey,
    Fault::NoModel,
    Fault::RateLimited(Some(0)),
    Fault::RateLimited(None),
    Fault::QuotaUsedUp,
    Fault::ServerError,
    Fault::Malformed,
    Fault::Hang,
];
const RUNPOD_ONLY: &[Fault] = &[Fault::NoWorker, Fault::WorkerFailed, Fault::JobTimedOut, Fault::ExpiredJob];

/// How long a silence is waited out where silence is what is shown; elsewhere a slow machine has all the time it needs.
const SILENCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn first_byte(fault: Option<Fault>) -> Duration {
    if fault == Some(Fault::Hang) { SILENCE } else { PATIENCE }
}

const INTRODUCTION: &str = "# When a model fails

What each failure of a remote back end looks like, written by a test that makes it happen: the provider's wire format
comes from a server made for the test, the router in front is the one of the command with its default number of tries.

*If it lasts* is what the user sees when every try fails; in a chain the next model is asked first. *Tries* counts the
calls that the router made. *If it passes* is what a failure that happens once comes to. *Cost* sums every try by
`prices.toml`, where nothing was said about tokens by the router's estimate; a refusal costs nothing. RunPod bills the
seconds of its workers, which no answer says.

An analysis never fails because of these: the asking stage leaves an issue with the code and the hint. After every row
no upload, no job and no connection is left at the provider. The back end `local` has failures of its own:
[failures-local.md](failures-local.md).
";

const HEAD: &str = "| back end | if it lasts | tries | cost | if it passes |\n| --- | --- | --- | --- | --- |\n";

struct Setting {
    net: Net,
    model: Arc<dyn Vlm>,
    backend: &'static str,
    fail: Box<dyn Fn(Option<Fault>, bool) + Send>,
    /// Whether nothing is left at the provider.
    clean: Box<dyn Fn() -> bool + Send>,
    ask: Ask,
}

fn openai(fault: Option<Fault>) -> Option<Setting> {
    if fault.is_some_and(|f| GEMINI_ONLY.contains(&f) || RUNPOD_ONLY.contains(&f)) {
        return None;
    }
    let (net, server) = (Net::new(), Arc::new(FakeOpenAi::start()));
    let watched = Arc::clone(&server);
    let clean = Box::new(move || watched.log().open() == 0);
    let mut options: OpenAiOptions = server.options();
    options.timeouts.first_byte = first_byte(fault);
    if fault.is_none() {
        options.base_url = nowhere();
    }
    let model = Arc::new(OpenAi::new(options, &net).unwrap());
    let fail = move |fault, lasting: bool| set(server.script(), fault, lasting);
    Some(Setting { net, model, backend: "openai", fail: Box::new(fail), clean, ask: structured() })
}

fn gemini(fault: Option<Fault>, video: &Path) -> Option<Setting> {
    if fault.is_some_and(|f| RUNPOD_ONLY.contains(&f)) {
        return None;
    }
    let (net, server) = (Net::new(), Arc::new(FakeGemini::start()));
    let watched = Arc::clone(&server);
    let clean = Box::new(move || watched.log().open() == 0 && watched.files() == 0);
    let mut options: GeminiOptions = server.options();
    options.timeouts.first_byte = first_byte(fault);
    if fault.is_none() {
        options.base_url = nowhere();
    }
    let model = Arc::new(Gemini::new(options, &net).unwrap());
    let fail = move |fault, lasting: bool| set(server.script(), fault, lasting);
    let ask = if fault.is_some_and(|f| GEMINI_ONLY.contains(&f)) { about(video) } else { structured() };
    Some(Setting { net, model, backend: "gemini", fail: Box::new(fail), clean, ask })
}

fn runpod(fault: Option<Fault>) -> Option<Setting> {
    if fault.is_some_and(|f| GEMINI_ONLY.contains(&f) || f == Fault::SchemaRefused) {
        return None;
    }
    let (net, server) = (Net::new(), Arc::new(FakeRunpod::start()));
    let watched = Arc::clone(&server);
    let clean = Box::new(move || watched.log().open() == 0 && watched.running() == 0);
    let mut options: RunpodOptions = server.options();
    options.timeouts.first_byte = first_byte(fault);
    options.queue_patience = if fault == Some(Fault::NoWorker) { SILENCE } else { PATIENCE };
    if fault.is_none() {
        options.base_url = nowhere();
    }
    let model = Arc::new(Runpod::new(options, &net).unwrap());
    let fail = move |fault, lasting: bool| set(server.script(), fault, lasting);
    Some(Setting { net, model, backend: "runpod", fail: Box::new(fail), clean, ask: structured() })
}

/// An address of this machine where nobody listens: the port of the discard service.
fn nowhere() -> String {
    "http://127.0.0.1:9/v1".to_owned()
}

fn set(script: &tempograph_remote::testing::Script, fault: Option<Fault>, lasting: bool) {
    match fault {
        Some(fault) if !lasting => {
            script.fail_always(None);
            script.fail(fault);
        }
        fault => script.fail_always(fault),
    }
}

/// Asks through the router. Gives what the user sees and the record.
fn ask(setting: &Setting) -> (String, Option<String>, ModelCall) {
    let clock = Arc::new(SystemClock);
    let calls = Arc::new(CallRecords::default());
    let shared = Shared {
        timers: Timers::of(&setting.net).unwrap(),
        cache: None,
        ledger: None,
        meter: Meter::new(SpendLimits::default(), None, clock.clone()),
        calls: calls.clone(),
        clock,
        dice: Arc::new(Dice::new(1)),
    };
    let mut options = MemberOptions::new(setting.backend, true);
    options.price = prices::price(setting.backend, &setting.model.limits().model);
    options.backoff = Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(5), ..Backoff::default() };
    options.timeouts = CallTimeouts { idle: PATIENCE, ..CallTimeouts::REMOTE };
    let router = Router::new(Task::Vision, vec![Member::new(Arc::clone(&setting.model), options)], shared).unwrap();
    let mut stream = router.generate(setting.ask.clone());
    let (seen, hint) = loop {
        match next(&mut stream).expect("an answer or an error") {
            Ok(Chunk::Done(Finish::Stop)) => break ("answered".to_owned(), None),
            Ok(Chunk::Done(finish)) => break (format!("answer ended by `{finish:?}`").to_lowercase(), None),
            Ok(_) => {}
            Err(call) => {
                let seen = format!("`{}`: {}", call.error.code(), call.error);
                break (seen, call.error.hint().map(str::to_owned));
            }
        }
    };
    drop(stream);
    let mut records = calls.take();
    assert_eq!(records.len(), 1, "a call leaves one record");
    (seen, hint, records.remove(0))
}

fn cost(setting: &Setting, fault: Option<Fault>, call: &ModelCall) -> String {
    if setting.backend == "runpod" && fault.is_some_and(|f| !BEFORE_A_JOB.contains(&f)) {
        return "by the second".to_owned();
    }
    match call.usage.tokens_in + call.usage.tokens_out {
        0 => "0".to_owned(),
        tokens => format!("tokens: {tokens}, US$ {:.7}", call.cost_usd),
    }
}

/// One row: a failure at a back end.
fn row(setting: &Setting, fault: Option<Fault>) -> String {
    (setting.fail)(fault, true);
    let (seen, hint, record) = ask(setting);
    let tries = record.retries + 1;
    let lasting = match hint {
        Some(hint) => format!("{seen}<br>hint: {hint}"),
        None => seen.clone(),
    };
    // A handle of its own would remember what was learned of the server; this one does, like the command's.
    (setting.fail)(fault, false);
    let passing = match fault {
        None => "—".to_owned(),
        Some(_) => match ask(setting) {
            (seen, _, call) if seen == "answered" && call.retries == 0 => "answered".to_owned(),
            (seen, _, call) if seen == "answered" => format!("answered at try {}", call.retries + 1),
            _ => "the same".to_owned(),
        },
    };
    let begun = Instant::now();
    while !(setting.clean)() {
        assert!(begun.elapsed() < PATIENCE, "{fault:?} leaves something at `{}`", setting.backend);
        thread::sleep(Duration::from_millis(5));
    }
    let cost = cost(setting, fault, &record);
    format!("| `{}` | {} | {tries} | {cost} | {passing} |\n", setting.backend, everywhere(&lasting))
}

/// The same on every machine: without ports and numbers of the operating system's errors.
fn everywhere(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    for (start, end) in [(" (os error ", ")"), ("127.0.0.1:", "/")] {
        while let Some((before, after)) = rest.split_once(start) {
            out += before;
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            if start.starts_with('1') {
                out += "127.0.0.1:PORT";
            }
            rest = if start.starts_with('1') { after } else { after.strip_prefix(end).unwrap_or(after) };
        }
    }
    (out + rest).replace('|', "\\|")
}

#[test]
fn the_table_for_operators_is_current() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("v.mp4");
    std::fs::write(&video, vec![7; 1000]).unwrap();
    let mut page = INTRODUCTION.to_owned();
    thread::scope(|scope| {
        let row = |setting: Option<Setting>, fault| setting.map(|s| scope.spawn(move || row(&s, fault)));
        let rows: Vec<_> = FAULTS
            .iter()
            .map(|&(_, fault)| [openai(fault), gemini(fault, &video), runpod(fault)].map(|s| row(s, fault)))
            .collect();
        for ((name, _), rows) in FAULTS.iter().zip(rows) {
            write!(page, "\n## {name}\n\n{HEAD}").unwrap();
            page.extend(rows.into_iter().flatten().map(|row| row.join().unwrap()));
        }
    });
    assert_current(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/failures.md"), &page);
}
