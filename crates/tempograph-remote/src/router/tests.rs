use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use tempograph_core::vlm::{Finish, KnownAnswer, Part, Retry, Spending, Structured, Usage};
use tokio::time::{Instant, sleep};

use super::*;
use crate::{meter::SpendLimits, prices::Price};

/// What a scripted model does next.
#[derive(Clone)]
enum Act {
    Say(&'static str),
    Wait(u64),
    Use(u64, u64),
    Done,
    Fail(ErrorKind, Retry),
    /// The stream ends.
    Break,
    Hang,
}

/// A model that does what the test says, call by call, and notes when it was called and dropped.
struct Fake {
    limits: Limits,
    calls: Mutex<VecDeque<Vec<Act>>>,
    started: Mutex<Vec<Duration>>,
    asked: Mutex<Vec<String>>,
    dropped: Arc<AtomicU64>,
    born: Instant,
}

impl Fake {
    fn new(model: &str, calls: impl IntoIterator<Item = Vec<Act>>) -> Arc<Self> {
        let limits = Limits {
            model: model.to_owned(),
            context_tokens: 4096,
            images: 4,
            image_factor: 28,
            video: false,
            structured: Structured::Schema,
            concurrency: 4,
            remote: true,
        };
        Arc::new(Self {
            limits,
            calls: Mutex::new(calls.into_iter().collect()),
            started: Mutex::default(),
            asked: Mutex::default(),
            dropped: Arc::default(),
            born: Instant::now(),
        })
    }

    fn calls(&self) -> usize {
        self.started.lock().len()
    }

    /// Seconds between calls, rounded.
    fn gaps(&self) -> Vec<f64> {
        self.started.lock().windows(2).map(|w| (w[1] - w[0]).as_secs_f64()).collect()
    }
}

struct Counted(Arc<AtomicU64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Vlm for Fake {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn identity(&self) -> String {
        format!("fake {}", self.limits.model)
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        self.started.lock().push(self.born.elapsed());
        let text = ask.messages.iter().flat_map(|m| &m.parts).find_map(|p| match p {
            Part::Text(text) => Some(text.clone()),
            _ => None,
        });
        self.asked.lock().push(text.unwrap_or_default());
        let acts = self.calls.lock().pop_front().unwrap_or_else(|| good("ok"));
        let state = (VecDeque::from(acts), Counted(Arc::clone(&self.dropped)));
        Box::pin(futures_util::stream::unfold(state, |(mut acts, counted)| async move {
            loop {
                let chunk = match acts.pop_front()? {
                    Act::Say(text) => Ok(Chunk::Text(text.to_owned())),
                    Act::Use(tokens_in, tokens_out) => {
                        Ok(Chunk::Usage(Usage { tokens_in, tokens_cached: 0, tokens_out }))
                    }
                    Act::Done => Ok(Chunk::Done(Finish::Stop)),
                    Act::Fail(kind, retry) => Err(CallError { error: Error::new(kind, "scripted"), retry }),
                    Act::Break => return None,
                    Act::Wait(secs) => {
                        sleep(Duration::from_secs(secs)).await;
                        continue;
                    }
                    Act::Hang => std::future::pending().await,
                };
                return Some((chunk, (acts, counted)));
            }
        }))
    }
}

fn good(text: &'static str) -> Vec<Act> {
    vec![Act::Say(text), Act::Use(100, 10), Act::Done]
}

fn down() -> Vec<Act> {
    vec![Act::Fail(ErrorKind::BackendUnavailable, Retry::Backoff)]
}

struct Day(AtomicU64);

impl WallClock for Day {
    fn unix_s(&self) -> u64 {
        self.0.load(Ordering::SeqCst) * 86_400
    }
}

#[derive(Default)]
struct Memory {
    answers: Mutex<BTreeMap<String, KnownAnswer>>,
    booked: Mutex<BTreeMap<String, Spending>>,
}

impl AnswerCache for Memory {
    fn answer(&self, key: &str) -> tempograph_core::Result<Option<KnownAnswer>> {
        Ok(self.answers.lock().get(key).cloned())
    }
    fn remember(&self, key: &str, answer: &KnownAnswer) -> tempograph_core::Result<()> {
        self.answers.lock().insert(key.to_owned(), answer.clone());
        Ok(())
    }
}

impl SpendLedger for Memory {
    fn spent_usd(&self, day: u32) -> tempograph_core::Result<f64> {
        Ok(self.booked.lock().values().filter(|s| s.day == day).map(|s| s.cost_usd).sum())
    }
    fn calls(&self, day: u32, model: &str) -> tempograph_core::Result<u64> {
        Ok(self.booked.lock().values().filter(|s| s.day == day && s.model == model).count() as u64)
    }
    fn book(&self, spending: &Spending) -> tempograph_core::Result<()> {
        self.booked.lock().insert(spending.id.clone(), spending.clone());
        Ok(())
    }
}

struct Bench {
    memory: Arc<Memory>,
    records: Arc<CallRecords>,
    clock: Arc<Day>,
    shared: Shared,
}

impl Bench {
    fn new(limits: SpendLimits) -> Self {
        let (memory, records) = (Arc::new(Memory::default()), Arc::new(CallRecords::default()));
        let clock = Arc::new(Day(AtomicU64::new(20_000)));
        let meter = Meter::new(limits, Some(Arc::clone(&memory) as _), Arc::clone(&clock) as _);
        let shared = Shared {
            timers: Timers::current(),
            cache: None,
            ledger: Some(Arc::clone(&memory) as _),
            meter,
            calls: Arc::clone(&records) as _,
            clock: Arc::clone(&clock) as _,
            dice: Arc::new(Dice::new(1)),
        };
        Self { memory, records, clock, shared }
    }

    fn router(&self, task: Task, members: impl IntoIterator<Item = Arc<Member>>) -> Router {
        Router::new(task, members.into_iter().collect(), self.shared.clone()).expect("has members")
    }
}

fn member(fake: &Arc<Fake>) -> Arc<Member> {
    Member::new(Arc::clone(fake) as _, options())
}

fn options() -> MemberOptions {
    let price = Price::flat(1.0, 0.5, 10.0);
    MemberOptions { price: Some(price), ..MemberOptions::new("fake", true) }
}

fn question(text: &str) -> Ask {
    Ask { purpose: "window", messages: vec![Message::text(Role::User, text)], ..Ask::default() }
}

/// The text of the answer, and how many pieces it came in.
async fn hear(router: &Router, ask: Ask) -> Result<(String, usize), CallError> {
    let (mut stream, mut text, mut pieces) = (router.generate(ask), String::new(), 0);
    loop {
        match stream.next().await {
            Some(Ok(Chunk::Text(piece))) => {
                text.push_str(&piece);
                pieces += 1;
            }
            Some(Ok(Chunk::Usage(_))) => {}
            Some(Ok(Chunk::Done(_))) => {
                assert!(stream.next().await.is_none(), "nothing follows the end");
                return Ok((text, pieces));
            }
            Some(Err(error)) => return Err(error),
            None => panic!("a stream without an end"),
        }
    }
}

fn kind(result: Result<(String, usize), CallError>) -> ErrorKind {
    result.expect_err("fails").error.kind()
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_passes_is_tried_again_after_growing_pauses() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [down(), down(), good("yes")]);
    let router = bench.router(Task::Vision, [member(&fake)]);
    assert_eq!(hear(&router, question("?")).await.expect("answers").0, "yes");
    let gaps = fake.gaps();
    assert!(gaps[0] <= 1.0 && gaps[1] <= 2.0, "{gaps:?}");
    let calls = bench.records.take();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].retries, calls[0].error.clone(), calls[0].usage.tokens_in), (2, None, 100));
    assert!((calls[0].cost_usd - (100.0 + 100.0) / 1e6).abs() < 1e-12);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_goes_down_the_chain_and_each_leaves_a_record() {
    let bench = Bench::new(SpendLimits::default());
    let a = Fake::new("a", [vec![Act::Fail(ErrorKind::BackendRefused, Retry::Never)]]);
    let b = Fake::new("b", [good("from b")]);
    let router = bench.router(Task::Chat, [member(&a), member(&b)]);
    assert_eq!(hear(&router, question("?")).await.expect("answers").0, "from b");
    let calls = bench.records.take();
    let told: Vec<_> = calls.iter().map(|c| (c.model.as_str(), c.error.as_deref(), c.retries)).collect();
    assert_eq!(told, [("a", Some("backend_refused"), 0), ("b", None, 0)]);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_answers_every_failure_is_named() {
    let bench = Bench::new(SpendLimits::default());
    let a = Fake::new("a", (0..4).map(|_| down()));
    let b = Fake::new("b", [vec![Act::Fail(ErrorKind::BackendRefused, Retry::Never)]]);
    let router = bench.router(Task::Vision, [member(&a), member(&b)]);
    let error = hear(&router, question("?")).await.expect_err("fails").error;
    assert_eq!(error.kind(), ErrorKind::BackendUnavailable);
    assert!(error.to_string().contains("fake:a: ") && error.to_string().contains("fake:b: "), "{error}");
    assert_eq!((a.calls(), b.calls()), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_back_end_asks_for_is_waited_out_by_every_call() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [vec![Act::Fail(ErrorKind::RateLimited, Retry::After(Duration::from_secs(20)))]]);
    let router = bench.router(Task::Vision, [member(&fake)]);
    let second = async {
        sleep(Duration::from_secs(1)).await;
        hear(&router, question("second")).await
    };
    let (first, second) = tokio::join!(hear(&router, question("first")), second);
    assert!(first.is_ok() && second.is_ok());
    let started = fake.started.lock().clone();
    assert!(started[1..].iter().all(|t| *t >= Duration::from_secs(20)), "{started:?}");
    assert!(started[2] <= Duration::from_secs(22), "{started:?}");
}

#[tokio::test(start_paused = true)]
async fn what_it_asks_for_beyond_the_bound_is_not_waited_for() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [vec![Act::Fail(ErrorKind::RateLimited, Retry::After(Duration::from_secs(3600)))]]);
    let router = bench.router(Task::Vision, [member(&fake)]);
    let error = hear(&router, question("?")).await.expect_err("fails");
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::RateLimited, Retry::After(Duration::from_secs(3600))));
    assert_eq!(fake.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_token_the_pauses_and_the_whole_have_their_time() {
    let bench = Bench::new(SpendLimits::default());
    let timeouts = CallTimeouts {
        first_token: Duration::from_secs(10),
        idle: Duration::from_secs(5),
        total: Duration::from_secs(40),
    };
    let run = async |acts: Vec<Act>| {
        let fake = Fake::new("a", [acts]);
        let backoff = Backoff { tries: 1, ..Backoff::default() };
        let member = Member::new(Arc::clone(&fake) as _, MemberOptions { timeouts, backoff, ..options() });
        let started = Instant::now();
        let outcome = hear(&bench.router(Task::Vision, [member]), question("?")).await;
        assert_eq!(fake.dropped.load(Ordering::SeqCst), 1, "the call is let go");
        (outcome.map_err(|e| e.error.to_string()), started.elapsed().as_secs())
    };
    let (slow, secs) = run(vec![Act::Hang]).await;
    assert!(slow.expect_err("fails").contains("did not begin"));
    assert_eq!(secs, 10);
    let (silent, secs) = run(vec![Act::Wait(8), Act::Say("a"), Act::Hang]).await;
    assert!(silent.expect_err("fails").contains("fell silent"));
    assert_eq!(secs, 13);
    let dripping: Vec<_> = (0..20).flat_map(|_| [Act::Wait(4), Act::Say("a")]).collect();
    let (long, secs) = run(dripping).await;
    assert!(long.expect_err("fails").contains("took longer than 40"));
    assert_eq!(secs, 40);
    assert!(run(vec![Act::Wait(9), Act::Say("a"), Act::Wait(4), Act::Done]).await.0.is_ok());
    let codes: Vec<_> = bench.records.take().into_iter().map(|c| c.error).collect();
    let late = Some("timed_out".to_owned());
    assert_eq!(codes, [late.clone(), late.clone(), late, None]);
}

#[tokio::test(start_paused = true)]
async fn whole_answers_are_tried_again_unseen_and_streamed_ones_are_not() {
    let broken = || vec![Act::Say("half "), Act::Use(100, 1), Act::Break];
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [broken(), good("whole")]);
    let router = bench.router(Task::Vision, [member(&fake)]);
    assert_eq!(hear(&router, question("?")).await.expect("answers"), ("whole".to_owned(), 1));
    let call = bench.records.take().remove(0);
    assert_eq!((call.retries, call.usage.tokens_in, call.usage.tokens_out), (1, 200, 11), "both tries are paid");

    let (a, b) = (Fake::new("a", [broken()]), Fake::new("b", []));
    let router = bench.router(Task::Chat, [member(&a), member(&b)]);
    assert_eq!(kind(hear(&router, question("?")).await), ErrorKind::AnswerInvalid);
    assert_eq!((a.calls(), b.calls()), (1, 0));

    // Before the first text nothing was passed on, so that streamed answers fall back too.
    let (a, b) = (Fake::new("a", (0..4).map(|_| vec![Act::Wait(1), Act::Break])), Fake::new("b", [good("b")]));
    let router = bench.router(Task::Chat, [member(&a), member(&b)]);
    assert_eq!(hear(&router, question("?")).await.expect("answers").0, "b");
}

#[tokio::test(start_paused = true)]
async fn streamed_text_comes_piece_by_piece() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [vec![Act::Say("one "), Act::Wait(3), Act::Say("two"), Act::Done]]);
    let router = bench.router(Task::Chat, [member(&fake)]);
    let mut stream = router.generate(question("?"));
    let started = Instant::now();
    assert!(matches!(stream.next().await, Some(Ok(Chunk::Text(t))) if t == "one "));
    assert_eq!(started.elapsed().as_secs(), 0);
    assert!(matches!(stream.next().await, Some(Ok(Chunk::Text(t))) if t == "two"));
    assert_eq!(started.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_frees_everything_and_is_recorded() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [vec![Act::Say("one"), Act::Hang]]);
    let member = member(&fake);
    let router = bench.router(Task::Chat, [Arc::clone(&member)]);
    let mut stream = router.generate(question("?"));
    assert_eq!(fake.calls(), 0, "nothing happens before it is polled");
    assert!(stream.next().await.is_some());
    assert_eq!(member.health().calls, 1);
    drop(stream);
    assert_eq!((member.health().calls, fake.dropped.load(Ordering::SeqCst)), (0, 1));
    let call = bench.records.take().remove(0);
    assert_eq!(call.error.as_deref(), Some("cancelled"));
    assert!(call.usage.tokens_in > 0 && call.cost_usd > 0.0, "what was begun is paid, as far as can be told");
    assert!((bench.shared.meter.video_usd() - call.cost_usd).abs() < 1e-12);
    assert!(bench.shared.meter.reserve(0.0).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_skips_and_probes() {
    let bench = Bench::new(SpendLimits::default());
    let a = Fake::new("a", (0..5).map(|_| down()));
    let b = Fake::new("b", []);
    let options = MemberOptions { backoff: Backoff { tries: 1, ..Backoff::default() }, ..options() };
    let first = Member::new(Arc::clone(&a) as _, options);
    let router = bench.router(Task::Vision, [Arc::clone(&first), member(&b)]);
    for _ in 0..7 {
        hear(&router, question("?")).await.expect("the second answers");
    }
    assert_eq!((a.calls(), b.calls()), (5, 7));
    assert_eq!(router.health()[0].breaker, BreakerState::Open);
    assert_eq!(router.health()[0].last_error.as_deref(), Some("backend_unavailable"));
    sleep(Duration::from_secs(30)).await;
    hear(&router, question("?")).await.expect("the first answers");
    assert_eq!((a.calls(), b.calls()), (6, 7));
    assert_eq!(first.health().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_minutes_and_days_are_limited() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", (0..9).map(|_| vec![Act::Wait(1), Act::Say("ok"), Act::Done]));
    let limited = MemberOptions { concurrency: Some(1), per_minute: Some(6), per_day: Some(4), ..options() };
    let member = Member::new(Arc::clone(&fake) as _, limited);
    let router = bench.router(Task::Vision, [Arc::clone(&member)]);
    let (a, b, c, d) =
        tokio::join!(hear(&router, question("1")), hear(&router, question("2")), hear(&router, question("3")), async {
            sleep(Duration::from_millis(500)).await;
            (member.health().calls, member.health().waiting)
        });
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(d, (1, 2));
    assert_eq!(fake.gaps().iter().map(|g| g.round()).collect::<Vec<_>>(), [10.0, 10.0], "six a minute");
    hear(&router, question("4")).await.expect("the fourth of the day");
    assert_eq!(kind(hear(&router, question("5")).await), ErrorKind::RateLimited);
    bench.clock.0.fetch_add(1, Ordering::SeqCst);
    hear(&router, question("5")).await.expect("another day");
}

#[tokio::test(start_paused = true)]
async fn what_waits_goes_in_the_order_of_what_is_shared() {
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", (0..4).map(|_| vec![Act::Wait(1), Act::Say("ok"), Act::Done]));
    let member = Member::new(Arc::clone(&fake) as _, MemberOptions { concurrency: Some(1), ..options() });
    let router = bench.router(Task::Vision, [member]);
    let ask = |system: &'static str, text: &'static str| Ask {
        messages: vec![Message::text(Role::System, system), Message::text(Role::User, text)],
        ..Ask::default()
    };
    let all = [ask("x", "1"), ask("y", "2"), ask("x", "3"), ask("y", "4")].map(|ask| hear(&router, ask));
    futures_util::future::join_all(all).await;
    assert_eq!(*fake.asked.lock(), ["x", "x", "y", "y"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_known_costs_nothing() {
    let mut bench = Bench::new(SpendLimits { video_usd: Some(0.02), ..SpendLimits::default() });
    bench.shared.cache = Some(Arc::clone(&bench.memory) as _);
    let fake = Fake::new("a", [good("first"), vec![Act::Say("cut"), Act::Done], good("other")]);
    let router = bench.router(Task::Vision, [member(&fake)]);
    for _ in 0..3 {
        assert_eq!(hear(&router, question("same")).await.expect("answers").0, "first");
    }
    assert_eq!(fake.calls(), 1);
    let calls = bench.records.take();
    let told: Vec<_> = calls.iter().map(|c| (c.cache_hit, c.usage.tokens_in, c.cost_usd > 0.0)).collect();
    assert_eq!(told, [(false, 100, true), (true, 0, false), (true, 0, false)]);
    hear(&router, question("another")).await.expect("answers");
    assert_eq!(fake.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_cut_is_not_kept() {
    let mut bench = Bench::new(SpendLimits::default());
    bench.shared.cache = Some(Arc::clone(&bench.memory) as _);
    bench.memory.answers.lock().clear();
    struct Cut(Arc<Fake>);
    impl Vlm for Cut {
        fn limits(&self) -> &Limits {
            self.0.limits()
        }
        fn identity(&self) -> String {
            self.0.identity()
        }
        fn generate(&self, ask: Ask) -> ChunkStream {
            Box::pin(self.0.generate(ask).map(|chunk| match chunk {
                Ok(Chunk::Done(_)) => Ok(Chunk::Done(Finish::Length)),
                other => other,
            }))
        }
    }
    let fake = Fake::new("a", []);
    let router = bench.router(Task::Vision, [Member::new(Arc::new(Cut(Arc::clone(&fake))), options())]);
    hear(&router, question("?")).await.expect("answers");
    hear(&router, question("?")).await.expect("answers");
    assert_eq!((fake.calls(), bench.memory.answers.lock().len()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_could_pass_a_limit_is_not_made() {
    // 1024 tokens at 10 USD a million and a few sent: a bit more than 0.01024 at most, 0.0002 in fact.
    let bench = Bench::new(SpendLimits { video_usd: Some(0.0107), ..SpendLimits::default() });
    let fake = Fake::new("a", []);
    let free = Fake::new("free", []);
    let router = bench.router(Task::Vision, [member(&fake)]);
    for _ in 0..2 {
        hear(&router, question("?")).await.expect("is within the limit");
    }
    let error = loop {
        match hear(&router, question("?")).await {
            Ok(_) => assert!(bench.shared.meter.video_usd() <= 0.0107),
            Err(error) => break error.error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::CostLimit);
    assert!(error.hint().is_some_and(|h| h.contains("cost.video_usd")));
    assert_eq!(bench.records.take().last().expect("is recorded").error.as_deref(), Some("cost_limit"));
    // What costs nothing stands in.
    let free_member = Member::new(Arc::clone(&free) as _, MemberOptions::new("local", false));
    let router = bench.router(Task::Vision, [member(&fake), free_member]);
    hear(&router, question("?")).await.expect("the free one answers");
    assert_eq!(free.calls(), 1);
    bench.shared.meter.begin_video();
    hear(&bench.router(Task::Vision, [member(&fake)]), question("?")).await.expect("another video");
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_cannot_pass_a_limit_together() {
    let bench = Bench::new(SpendLimits { day_usd: Some(0.025), ..SpendLimits::default() });
    let fake = Fake::new("a", (0..8).map(|_| vec![Act::Wait(1), Act::Say("ok"), Act::Use(100, 1024), Act::Done]));
    let router = bench.router(Task::Vision, [member(&fake)]);
    let asked = ["1", "2", "3", "4"].map(|text| hear(&router, question(text)));
    let answered = futures_util::future::join_all(asked).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(answered, 2, "two of at most 0.0103 each");
    let spent = bench.memory.spent_usd(20_000).expect("is known");
    assert!(spent <= 0.025, "{spent}");
    let alerts = bench.shared.meter.take_alerts();
    assert_eq!(alerts.len(), 1, "four fifths were passed once");
    assert_eq!(alerts[0].code, "cost_limit");
}

#[tokio::test(start_paused = true)]
async fn a_price_nobody_knows_is_refused_only_where_spending_is_limited() {
    let unknown = MemberOptions { price: None, ..options() };
    for (limits, fits) in
        [(SpendLimits::default(), true), (SpendLimits { day_usd: Some(1000.0), ..SpendLimits::default() }, false)]
    {
        let bench = Bench::new(limits);
        let fake = Fake::new("a", []);
        let router = bench.router(Task::Vision, [Member::new(fake as _, unknown.clone())]);
        assert_eq!(hear(&router, question("?")).await.is_ok(), fits);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_model_cannot_take_goes_to_one_that_can() {
    let bench = Bench::new(SpendLimits::default());
    let (blind, sees) = (Fake::new("blind", []), Fake::new("sees", []));
    let image =
        Arc::new(tempograph_core::Rgb { size: tempograph_core::Size { width: 1, height: 1 }, data: vec![0; 3] });
    let parts = (0..5).map(|_| Part::Image(Arc::clone(&image))).collect();
    let ask = Ask { messages: vec![Message { role: Role::User, parts }], ..Ask::default() };
    let router = bench.router(Task::Vision, [member(&blind)]);
    assert_eq!(kind(hear(&router, ask.clone()).await), ErrorKind::OverBudget);
    struct Wide(Arc<Fake>, Limits);
    impl Vlm for Wide {
        fn limits(&self) -> &Limits {
            &self.1
        }
        fn identity(&self) -> String {
            self.0.identity()
        }
        fn generate(&self, ask: Ask) -> ChunkStream {
            self.0.generate(ask)
        }
    }
    let limits = Limits { images: 100, ..sees.limits.clone() };
    let wide = Member::new(Arc::new(Wide(Arc::clone(&sees), limits)), options());
    hear(&bench.router(Task::Vision, [member(&blind), wide]), ask).await.expect("the second sees");
    assert_eq!((blind.calls(), sees.calls()), (0, 1));
}

#[test]
fn any_thread_may_listen() {
    // As the engine does: timers on a runtime of the router's, the stream polled by a thread without one.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("starts");
    let entered = runtime.enter();
    let bench = Bench::new(SpendLimits::default());
    let fake = Fake::new("a", [down(), good("yes")]);
    let backoff = Backoff { base: Duration::from_millis(10), ..Backoff::default() };
    let member = Member::new(Arc::clone(&fake) as _, MemberOptions { backoff, ..options() });
    let router = bench.router(Task::Vision, [member]);
    drop(entered);
    let answer = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let mut text = String::new();
                let mut stream = router.generate(question("?"));
                while let Some(chunk) = block_on(stream.next()) {
                    if let Chunk::Text(piece) = chunk.expect("answers") {
                        text.push_str(&piece);
                    }
                }
                text
            })
            .join()
            .expect("joins")
    });
    assert_eq!(answer, "yes");
}

/// Waits for `future` on a thread of no runtime.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}
