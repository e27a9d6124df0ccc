//! The suite that every back end passes: what [`Vlm`] promises, checked from a thread without an async runtime.
//!
//! ```
//! use std::sync::Arc;
//! use tempograph_remote::conformance::{Subject, vlm_suite};
//!
//! fn my_back_end_passes(model: fn() -> Arc<dyn tempograph_core::vlm::Vlm>) {
//!     vlm_suite(&|| Subject { model: model(), secret: None, busy: Box::new(|| false) });
//! }
//! ```

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant},
};

use futures_core::Stream as _;
use serde_json::{Value, json};
use tempograph_core::{
    ErrorKind, Rgb, Size,
    vlm::{
        AnswerSchema, Ask, CallError, Chunk, ChunkStream, Finish, Message, Part, Retry, Role, SamplingParams,
        Structured, Usage, Vlm,
    },
};

/// Longest wait for a piece, and for everything to be free after a stream was dropped.
const PATIENCE: Duration = Duration::from_secs(120);

/// Calls at once that are tried, where a back end allows more.
const MAX_AT_ONCE: u32 = 4;

/// A back end under test.
pub struct Subject {
    /// The model. It answers any question with more than four tokens, given time.
    pub model: Arc<dyn Vlm>,
    /// What must not show up in anything it says about itself.
    pub secret: Option<String>,
    /// Whether anything still works on an answer, or is kept for one: a connection, a job, a child process.
    pub busy: Box<dyn Fn() -> bool>,
}

/// Checks everything that a back end promises. `make` gives a new handle on the same model each time.
///
/// # Panics
/// With what is not kept.
pub fn vlm_suite(make: &dyn Fn() -> Subject) {
    says_who_it_is(make);
    begins_when_polled(make);
    tells_pieces_then_its_end(make);
    keeps_to_the_limit_of_tokens(make);
    keeps_to_a_schema(make);
    refuses_what_cannot_be_answered(make);
    stops_when_dropped(make);
    answers_several_at_once(make);
}

/// The same model says the same of itself, without its secret.
pub fn says_who_it_is(make: &dyn Fn() -> Subject) {
    let (one, two) = (make(), make());
    let identity = one.model.identity();
    assert_eq!(identity, two.model.identity(), "two handles on one model have one identity");
    assert!(!identity.trim().is_empty());
    let limits = one.model.limits();
    assert_eq!(limits, two.model.limits());
    assert!(!limits.model.is_empty() && limits.context_tokens > 0 && limits.concurrency > 0);
    if let Some(secret) = &one.secret {
        for text in [identity, format!("{limits:?}")] {
            assert!(!text.contains(secret.as_str()), "the secret shows: {text}");
        }
    }
}

/// An answer that is never polled costs nothing.
pub fn begins_when_polled(make: &dyn Fn() -> Subject) {
    let subject = make();
    let stream = subject.model.generate(question("Say something."));
    thread::sleep(Duration::from_millis(50));
    assert!(!(subject.busy)(), "work began before the stream was polled");
    drop(stream);
}

/// Text comes in pieces, usage is told, the end comes once and last.
pub fn tells_pieces_then_its_end(make: &dyn Fn() -> Subject) {
    let heard = hear(make().model.generate(question("Tell a story about a dog.")));
    let texts: Vec<_> = heard.iter().filter_map(|c| if let Chunk::Text(t) = c { Some(t) } else { None }).collect();
    assert!(texts.len() > 1, "the answer came in {} piece(s)", texts.len());
    assert!(texts.iter().all(|t| !t.is_empty()), "a piece is empty");
    let usage = usage(&heard).expect("usage is told");
    assert!(usage.tokens_in > 0 && usage.tokens_out > 0 && usage.tokens_cached <= usage.tokens_in, "{usage:?}");
    let ends = heard.iter().filter(|c| matches!(c, Chunk::Done(_))).count();
    assert_eq!(ends, 1, "the end is told once");
    assert!(matches!(heard.last(), Some(Chunk::Done(_))), "nothing follows the end");
}

/// The limit of tokens ends an answer, and says so.
pub fn keeps_to_the_limit_of_tokens(make: &dyn Fn() -> Subject) {
    let mut ask = question("Count from one to a hundred in words.");
    ask.sampling.max_tokens = 4;
    let heard = hear(make().model.generate(ask));
    assert_eq!(heard.last(), Some(&Chunk::Done(Finish::Length)));
    let usage = usage(&heard).expect("usage is told");
    assert!(usage.tokens_out <= 5, "{usage:?}: an end of turn may be counted, no more");
}

/// A back end that promises a schema keeps to it.
pub fn keeps_to_a_schema(make: &dyn Fn() -> Subject) {
    let subject = make();
    if subject.model.limits().structured != Structured::Schema {
        return;
    }
    let schema = json!({
        "type": "object",
        "properties": {
            "animal": {"type": "string", "enum": ["cat", "dog"]},
            "count": {"type": "integer", "minimum": 0, "maximum": 9}
        },
        "required": ["animal", "count"],
        "additionalProperties": false
    });
    let mut ask = question("Three dogs run over a field. Which animal, and how many?");
    ask.schema = Some(AnswerSchema { name: "animals", schema: Arc::new(schema) });
    ask.sampling.max_tokens = 256;
    let heard = hear(subject.model.generate(ask));
    assert_eq!(heard.last(), Some(&Chunk::Done(Finish::Stop)), "a small object fits into 256 tokens");
    let text = text(&heard);
    let value: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON ({e}): {text}"));
    let fits =
        matches!(value["animal"].as_str(), Some("cat" | "dog")) && value["count"].as_u64().is_some_and(|c| c < 10);
    assert!(fits && value.as_object().is_some_and(|o| o.len() == 2), "not of the schema: {text}");
}

/// What cannot be answered is an error that is not worth another try, and nothing comes after it.
pub fn refuses_what_cannot_be_answered(make: &dyn Fn() -> Subject) {
    let subject = make();
    let limits = subject.model.limits().clone();
    let refused = |ask: Ask, what: &str| -> CallError {
        let mut stream = subject.model.generate(ask);
        loop {
            match next(&mut stream) {
                Some(Ok(Chunk::Usage(_))) => {}
                Some(Ok(other)) => panic!("{what} was answered: {other:?}"),
                Some(Err(error)) => {
                    assert!(next(&mut stream).is_none(), "{what}: something follows the error");
                    assert_eq!(error.retry, Retry::Never, "{what}: {error}");
                    assert_ne!(error.error.kind(), ErrorKind::Internal, "{what}: {error}");
                    return error;
                }
                None => panic!("{what} ended without an end"),
            }
        }
    };
    refused(Ask::default(), "a question without turns");
    refused(question(" \n"), "a blank question");
    let long = "a b c d ".repeat(usize::try_from(limits.context_tokens.min(1 << 22)).unwrap_or(1 << 22));
    let error = refused(question(&long), "a question longer than the context");
    assert_eq!(error.error.kind(), ErrorKind::OverBudget, "{error}");
    let picture = Arc::new(Rgb { size: Size { width: 28, height: 28 }, data: vec![128; 28 * 28 * 3] });
    let mut ask = question("What is this?");
    ask.messages[0].parts.extend((0..=limits.images).map(|_| Part::Image(Arc::clone(&picture))));
    let error = refused(ask, "a question with too many pictures");
    assert_eq!(error.error.kind(), ErrorKind::OverBudget, "{error}");
}

/// Dropping the stream frees everything behind it, whether a piece was heard or not.
pub fn stops_when_dropped(make: &dyn Fn() -> Subject) {
    for pieces in [0, 1] {
        let subject = make();
        let mut ask = question("Tell a very long story about a dog.");
        ask.sampling.max_tokens = 512;
        let mut stream = subject.model.generate(ask);
        if pieces == 0 {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            let begun = pin!(&mut stream).poll_next(&mut Context::from_waker(&waker));
            assert!(!matches!(begun, Poll::Ready(None | Some(Err(_)))), "{begun:?}");
        }
        for _ in 0..pieces {
            let piece = next(&mut stream);
            assert!(matches!(piece, Some(Ok(Chunk::Text(_) | Chunk::Usage(_)))), "{piece:?}");
        }
        drop(stream);
        let begun = Instant::now();
        while (subject.busy)() {
            assert!(
                begun.elapsed() < PATIENCE,
                "still busy long after the stream was dropped ({pieces} piece(s) heard)"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// As many calls at once as the back end says it takes.
pub fn answers_several_at_once(make: &dyn Fn() -> Subject) {
    let subject = make();
    let calls = subject.model.limits().concurrency.min(MAX_AT_ONCE);
    thread::scope(|scope| {
        for call in 0..calls {
            let model = Arc::clone(&subject.model);
            scope.spawn(move || {
                let heard = hear(model.generate(question(&format!("Say the number {call}."))));
                assert!(matches!(heard.last(), Some(Chunk::Done(_))));
            });
        }
    });
}

fn question(text: &str) -> Ask {
    Ask {
        purpose: "test",
        messages: vec![Message::text(Role::User, text)],
        schema: None,
        sampling: SamplingParams { max_tokens: 48, ..SamplingParams::default() },
    }
}

fn text(heard: &[Chunk]) -> String {
    heard.iter().filter_map(|c| if let Chunk::Text(t) = c { Some(t.as_str()) } else { None }).collect()
}

fn usage(heard: &[Chunk]) -> Option<Usage> {
    heard.iter().rev().find_map(|c| if let Chunk::Usage(u) = c { Some(*u) } else { None })
}

/// Everything a stream says, to its end.
///
/// # Panics
/// When it fails or takes too long.
pub fn hear(mut stream: ChunkStream) -> Vec<Chunk> {
    let mut heard = Vec::new();
    while let Some(chunk) = next(&mut stream) {
        heard.push(chunk.unwrap_or_else(|e| panic!("the call failed: {e}")));
    }
    assert!(next(&mut stream).is_none(), "it stays at its end");
    heard
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next chunk, waited for on this thread, which has no async runtime.
///
/// # Panics
/// When it takes too long.
pub fn next(stream: &mut ChunkStream) -> Option<Result<Chunk, CallError>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = Instant::now();
    loop {
        match pin!(&mut *stream).poll_next(&mut context) {
            Poll::Ready(chunk) => return chunk,
            Poll::Pending => thread::park_timeout(PATIENCE.saturating_sub(begun.elapsed())),
        }
        assert!(begun.elapsed() < PATIENCE, "nothing was heard for {} s", PATIENCE.as_secs());
    }
}
