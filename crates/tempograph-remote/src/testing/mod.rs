//! Servers that speak each provider's wire format and fail on demand.
//!
//! Each logs what it was asked, so that a test can say that an upload was deleted, a job cancelled, a connection
//! closed. They answer from a [`Mind`]: words that count, an instance of the schema, or what a test sets.

mod gemini;
mod http;
mod llama;
mod mind;
mod openai;
mod runpod;

use std::{collections::VecDeque, fs, path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;

pub use self::{
    gemini::FakeGemini,
    http::{Log, Request},
    llama::LlamaServer,
    mind::Mind,
    openai::FakeOpenAi,
    runpod::FakeRunpod,
};

/// The key that every fake server wants.
pub const KEY: &str = "key-of-the-tests-31415";

/// Holds a page of the docs to what a test has found, and writes it anew where it differs.
///
/// # Panics
/// When the page was not current; the message has the lines that are new.
pub fn assert_current(page: &Path, text: &str) {
    let before = fs::read_to_string(page).unwrap_or_default();
    if before != text {
        fs::write(page, text).expect("a page of the docs can be written");
        let new: Vec<_> = text.lines().filter(|line| !before.lines().any(|b| b == *line)).collect();
        panic!("{} was not current and has been written anew, commit it:\n{}", page.display(), new.join("\n"));
    }
}

/// A way to fail. What a provider cannot do is a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 401.
    WrongKey,
    /// 404.
    NoModel,
    /// 400: question and answer are too long.
    TooLong,
    /// 429 with `retry-after` in seconds, or without.
    RateLimited(Option<u32>),
    /// 429: credit or the quota of the day is used up.
    QuotaUsedUp,
    /// 500.
    ServerError,
    /// 400: the form of the answer is not supported.
    SchemaRefused,
    /// The stream ends in the middle of the answer.
    Truncated,
    /// A piece that is not JSON.
    Malformed,
    /// A filter of the provider ends the answer.
    Filtered,
    /// An error inside a stream that began well.
    ErrorInStream,
    /// No byte, until the client goes.
    Hang,
    /// An upload that takes its time.
    SlowUpload,
    /// A connection that breaks in the middle of an upload.
    DroppedUpload,
    /// A piece of an upload that nobody answers, and that arrives once the upload was asked about.
    LatePiece,
    /// A file that is gone when it is used.
    ExpiredFile,
    /// A video that cannot be processed.
    UnusableFile,
    /// A worker that raises an error.
    WorkerFailed,
    /// No worker takes the job.
    NoWorker,
    /// A job that is forgotten before it is done.
    ExpiredJob,
    /// A job that takes longer than it may.
    JobTimedOut,
}

/// What goes wrong next, and how fast the rest goes.
#[derive(Default)]
pub struct Script {
    next: Mutex<VecDeque<Fault>>,
    always: Mutex<Option<Fault>>,
    pace: Mutex<Duration>,
    undoing_fails: Mutex<usize>,
}

impl Script {
    /// The next call fails like this, once.
    pub fn fail(&self, fault: Fault) {
        self.next.lock().push_back(fault);
    }

    /// Every call fails like this; none heals.
    pub fn fail_always(&self, fault: Option<Fault>) {
        *self.always.lock() = fault;
    }

    /// The pause between two pieces of an answer.
    pub fn pace(&self, pause: Duration) {
        *self.pace.lock() = pause;
    }

    /// The next `times` requests to delete or cancel something fail with 500.
    pub fn undoing_fails(&self, times: usize) {
        *self.undoing_fails.lock() = times;
    }

    fn take_undoing_fails(&self) -> bool {
        let mut left = self.undoing_fails.lock();
        let fails = *left > 0;
        *left = left.saturating_sub(1);
        fails
    }

    fn take(&self) -> Option<Fault> {
        self.next.lock().pop_front().or(*self.always.lock())
    }

    /// Takes the next fault if it is one of these; the others are for another moment.
    fn take_if(&self, wanted: &[Fault]) -> Option<Fault> {
        let mut next = self.next.lock();
        match next.front() {
            Some(fault) if wanted.contains(fault) => next.pop_front(),
            Some(_) => None,
            None => self.always.lock().filter(|f| wanted.contains(f)),
        }
    }

    /// Takes the next fault unless it is one of these.
    fn take_unless(&self, others: &[Fault]) -> Option<Fault> {
        let is_other = |f: &Fault| others.contains(f);
        let mut next = self.next.lock();
        match next.front() {
            Some(fault) if is_other(fault) => None,
            Some(_) => next.pop_front(),
            None => self.always.lock().filter(|f| !is_other(f)),
        }
    }

    fn pause(&self) {
        let pace = *self.pace.lock();
        if !pace.is_zero() {
            std::thread::sleep(pace);
        }
    }
}

/// What every fake server is made of.
struct Parts {
    script: Arc<Script>,
    mind: Arc<Mind>,
}

impl Parts {
    fn new() -> Self {
        Self { script: Arc::default(), mind: Arc::default() }
    }
}
