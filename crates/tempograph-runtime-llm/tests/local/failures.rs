//! What a failure of a local model looks like: `docs/failures-local.md` is written by this test.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tempograph_core::vlm::{Ask, Chunk, Finish, ModelCall, Vlm};
use tempograph_remote::{
    Net,
    meter::{Meter, SpendLimits},
    router::{
        Backoff, CallRecords, CallTimeouts, Dice, Member, MemberOptions, Router, Shared, SystemClock, Task, Timers,
    },
    testing::assert_current,
};
use tempograph_runtime_llm::{ChildCommand, LocalOptions, LocalVlm};

use crate::support::{ask, child, children, fixture, nano, next, options, picture, text};

const INTRODUCTION: &str = "# When a local model fails

The counterpart of [failures.md](failures.md) for the back end `local`, whose models run in a child process of the
command. Written by a test that makes each failure happen with a tiny model of random weights, through the router of the
command with its default number of tries.

*If it lasts* is what the user sees when every try fails; in a chain the next model is asked first. *Tries* counts the
calls that the router made; `—` is a model or a question that is refused before anything is asked. *If it passes* is what a failure
that happens once comes to. A local model costs nothing. After every row no child is left.

An analysis never fails because of these: the asking stage leaves an issue with the code and the hint.

| failure | if it lasts | tries | cost | if it passes |
| --- | --- | --- | --- | --- |
";

/// What the child does instead of answering.
#[derive(Clone, Copy)]
enum Trouble {
    /// Ends at once.
    Ends,
    /// Is killed in the middle of its answer, as by a system that wants memory.
    Killed,
    /// Says nothing.
    Silent,
    /// Says what is no message.
    Babbles,
}

impl Trouble {
    /// As a script whose `$0` is the real child.
    const fn script(self) -> &'static str {
        match self {
            Self::Ends => "exit 3",
            // It says that it has loaded and begins to answer, and then its output ends.
            Self::Killed => "\"$0\" | dd bs=1 count=400 2>/dev/null; kill -9 $$",
            Self::Silent => "exec sleep 600",
            Self::Babbles => "echo 'this is not a message of ours, but it is long enough'; exec cat >/dev/null",
        }
    }
}

/// A child in trouble: every time, or only the first.
fn troubled(trouble: Trouble, lasting: bool, folder: &Path) -> ChildCommand {
    let first = folder.join("once");
    let script = if lasting {
        trouble.script().to_owned()
    } else {
        let first = first.display();
        format!("if mkdir '{first}' 2>/dev/null; then {}; else exec \"$0\"; fi", trouble.script())
    };
    let real = child().program.display().to_string();
    ChildCommand { program: "/bin/sh".into(), arguments: vec!["-c".into(), script.into(), real.into()] }
}

/// Asks through the router. Gives what the user sees and the record; none where the router refuses by itself.
fn heard(
    options: LocalOptions,
    question: Ask,
    patience: Option<Duration>,
) -> (String, Option<String>, Option<ModelCall>) {
    let (net, clock, calls) = (Net::new(), Arc::new(SystemClock), Arc::new(CallRecords::default()));
    let shared = Shared {
        timers: Timers::of(&net).expect("starts"),
        cache: None,
        ledger: None,
        meter: Meter::new(SpendLimits::default(), None, Arc::clone(&clock) as _),
        calls: Arc::clone(&calls) as _,
        clock,
        dice: Arc::new(Dice::new(1)),
    };
    let model = Arc::new(LocalVlm::new(options).expect("its headers are read"));
    let mut member = MemberOptions::new("local", false);
    member.backoff = Backoff { base: Duration::from_millis(5), cap: Duration::from_millis(5), ..Backoff::default() };
    if let Some(patience) = patience {
        member.timeouts = CallTimeouts { first_token: patience, idle: patience, ..CallTimeouts::LOCAL };
    }
    let router = Router::new(Task::Vision, vec![Member::new(model, member)], shared).expect("has a member");
    let mut stream = router.generate(question);
    let (seen, hint) = loop {
        match next(&mut stream).expect("an answer or an error") {
            Ok(Chunk::Done(Finish::Stop | Finish::Length)) => break ("answered".to_owned(), None),
            Ok(Chunk::Done(finish)) => break (format!("answer ended by `{finish:?}`").to_lowercase(), None),
            Ok(_) => {}
            Err(call) => break said(&call.error),
        }
    };
    drop(stream);
    drop(router);
    let mut records = calls.take();
    assert!(records.len() <= 1 && records.iter().all(|r| r.cost_usd == 0.0), "{records:?}");
    (seen, hint, records.pop())
}

fn tries(call: Option<&ModelCall>) -> String {
    call.map_or_else(|| "—".to_owned(), |call| (call.retries + 1).to_string())
}

fn said(error: &tempograph_core::Error) -> (String, Option<String>) {
    (format!("`{}`: {error}", error.code()), error.hint().map(str::to_owned))
}

fn with_hint((seen, hint): (String, Option<String>)) -> String {
    hint.map_or(seen.clone(), |hint| format!("{seen}<br>hint: {hint}"))
}

struct Page {
    text: String,
    folder: tempfile::TempDir,
}

impl Page {
    fn row(&mut self, name: &str, lasting: &str, tries: &str, passing: &str) {
        let shown = lasting
            .replace(&self.folder.path().display().to_string(), "FOLDER")
            .replace(&fixture("").display().to_string(), "FOLDER/")
            .replace('|', "\\|");
        writeln!(self.text, "| {name} | {shown} | {tries} | 0 | {passing} |").expect("memory");
    }

    /// A model that is refused before it is asked.
    fn refused(&mut self, name: &str, options: LocalOptions) {
        let error = LocalVlm::new(options).err().expect("is refused");
        self.row(name, &with_hint(said(&error)), "—", "—");
    }

    /// A failure of the question or of the files, which stays.
    fn lasting(&mut self, name: &str, options: LocalOptions, question: Ask) {
        let (seen, hint, call) = heard(options, question, None);
        assert_ne!(seen, "answered", "{name}");
        self.row(name, &with_hint((seen, hint)), &tries(call.as_ref()), "the same");
        self.nothing_is_left(name);
    }

    /// A failure of the process, which may pass.
    fn passing(&mut self, name: &str, trouble: Trouble) {
        let in_trouble = |lasting| {
            let mut options = nano("qwen2.5-vl");
            options.command = troubled(trouble, lasting, self.folder.path());
            // Short, so that the page is written in seconds; a real model may take its time.
            let patience = matches!(trouble, Trouble::Silent).then_some(Duration::from_secs(4));
            heard(options, ask(vec![text("Write on.")], 512), patience)
        };
        let (seen, hint, call) = in_trouble(true);
        assert_ne!(seen, "answered", "{name}");
        let (later, _, second) = in_trouble(false);
        fs::remove_dir(self.folder.path().join("once")).expect("the trouble happened");
        let passing = match later.as_str() {
            "answered" => format!("answered at try {}", tries(second.as_ref())),
            _ => "the same".to_owned(),
        };
        self.row(name, &with_hint((seen, hint)), &tries(call.as_ref()), &passing);
        self.nothing_is_left(name);
    }

    fn nothing_is_left(&self, name: &str) {
        let begun = Instant::now();
        while !children().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name}: a child is left");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_table_of_local_models_is_current() {
    let mut page = Page { text: INTRODUCTION.to_owned(), folder: tempfile::tempdir().unwrap() };
    let folder = page.folder.path().to_owned();
    let hello = || ask(vec![text("Hello?")], 8);

    page.refused("The weights are not there", options(folder.join("none.gguf"), None));
    let (noise, cut) = (folder.join("noise.gguf"), folder.join("cut.gguf"));
    fs::write(&noise, "this is no model").unwrap();
    page.refused("The file is no model", options(noise, None));
    let whole = fs::read(fixture("nano-qwen2.5-vl.gguf")).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    page.lasting("The file of the weights is cut off", options(cut, None), hello());
    let weights = || fixture("nano-qwen2.5-vl.gguf");
    page.refused("The projector is none", options(weights(), Some(weights())));
    page.lasting(
        "The projector belongs to another model",
        options(weights(), Some(fixture("nano-qwen3-vl-mmproj.gguf"))),
        hello(),
    );
    let mut small = nano("qwen2.5-vl");
    small.budget_bytes = 10_000_000;
    page.refused("The model needs more memory than the budget", small);
    let mut short = nano("qwen2.5-vl");
    short.context_tokens = 256;
    page.lasting("The question is too long", short, ask(vec![text(&"word ".repeat(500))], 8));
    let seeing = || ask(vec![tempograph_core::vlm::Part::Image(picture(64, 64, 1)), text("?")], 8);
    page.lasting("The model takes no pictures", options(weights(), None), seeing());
    let mut nobody = nano("qwen2.5-vl");
    nobody.command.program = folder.join("none");
    page.lasting("The process cannot be started", nobody, hello());
    page.passing("The process ends before the model is loaded", Trouble::Ends);
    page.passing("The process is killed in the middle of the answer", Trouble::Killed);
    page.passing("The process says nothing", Trouble::Silent);
    page.passing("The process says what is no message", Trouble::Babbles);

    assert_current(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/failures-local.md"), &page.text);
}
