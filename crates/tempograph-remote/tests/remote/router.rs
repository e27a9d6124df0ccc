//! The router in front of real back ends: it keeps what `Vlm` promises, and turns their failures into answers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempograph_core::{
    ErrorKind,
    vlm::{Ask, CallError, Chunk, Message, ModelCall, Role, SamplingParams, Vlm},
};
use tempograph_remote::{
    Net,
    conformance::{Subject, next, vlm_suite},
    meter::{Meter, SpendLimits},
    openai::OpenAi,
    prices::Price,
    router::{
        Backoff, CallRecords, CallTimeouts, Delivery, Dice, Member, MemberOptions, Router, Shared, SystemClock, Task,
        Timers,
    },
    testing::{FakeOpenAi, Fault, KEY},
};

fn shared(net: &Net, records: &Arc<CallRecords>) -> Shared {
    let clock = Arc::new(SystemClock);
    Shared {
        timers: Timers::of(net).expect("starts"),
        cache: None,
        ledger: None,
        meter: Meter::new(SpendLimits::default(), None, Arc::clone(&clock) as _),
        calls: Arc::clone(records) as _,
        clock,
        dice: Arc::new(Dice::new(1)),
    }
}

fn quick() -> MemberOptions {
    let short = Duration::from_millis(10);
    MemberOptions {
        price: Some(Price::flat(1.0, 0.5, 10.0)),
        backoff: Backoff { base: short, cap: short, ..Backoff::default() },
        timeouts: CallTimeouts { first_token: Duration::from_secs(4), ..CallTimeouts::REMOTE },
        ..MemberOptions::new("openai", true)
    }
}

fn member(server: &FakeOpenAi, net: &Net, options: MemberOptions) -> Arc<Member> {
    Member::new(Arc::new(OpenAi::new(server.options(), net).expect("is a model")), options)
}

#[test]
fn keeps_what_a_model_promises() {
    let (net, server) = (Net::new(), Arc::new(FakeOpenAi::start()));
    server.script().pace(Duration::from_millis(5));
    let records = Arc::new(CallRecords::default());
    vlm_suite(&|| {
        let watched = Arc::clone(&server);
        let options = MemberOptions { timeouts: CallTimeouts::REMOTE, ..quick() };
        let router = Router::new(Task::Chat, vec![member(&server, &net, options)], shared(&net, &records))
            .expect("has a member");
        Subject {
            model: Arc::new(router),
            secret: Some(KEY.to_owned()),
            busy: Box::new(move || watched.log().open() > 0),
        }
    });
    let calls = records.take();
    assert!(calls.iter().any(|c| c.error.is_none() && c.usage.tokens_out > 0 && c.cost_usd > 0.0));
    assert_eq!(calls.iter().filter(|c| c.error.as_deref() == Some("cancelled")).count(), 2, "those that were dropped");
}

/// Asks once; the answer or the failure, and its record.
fn ask(fault: Fault, times: usize, delivery: Delivery) -> (Result<String, CallError>, ModelCall, Duration) {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    for _ in 0..times {
        server.script().fail(fault);
    }
    let records = Arc::new(CallRecords::default());
    let chain = vec![member(&server, &net, quick())];
    let router = Router::new(Task::Vision, chain, shared(&net, &records)).expect("has a member").delivering(delivery);
    let begun = Instant::now();
    let mut stream = router.generate(Ask {
        purpose: "test",
        messages: vec![Message::text(Role::User, "What is seen?")],
        schema: None,
        sampling: SamplingParams { max_tokens: 48, ..SamplingParams::default() },
    });
    let mut text = String::new();
    let outcome = loop {
        match next(&mut stream) {
            Some(Ok(Chunk::Text(piece))) => text.push_str(&piece),
            Some(Ok(Chunk::Usage(_))) => {}
            Some(Ok(Chunk::Done(_))) => break Ok(text),
            Some(Err(error)) => break Err(error),
            None => panic!("{fault:?}: a stream without an end"),
        }
    };
    let mut calls = records.take();
    assert_eq!(calls.len(), 1, "{fault:?}: one member, one record");
    (outcome, calls.remove(0), begun.elapsed())
}

#[test]
fn what_passes_is_not_seen() {
    for fault in [
        Fault::RateLimited(None),
        Fault::RateLimited(Some(1)),
        Fault::ServerError,
        Fault::Truncated,
        Fault::Malformed,
        Fault::ErrorInStream,
        Fault::Hang,
    ] {
        let (outcome, call, took) = ask(fault, 1, Delivery::Whole);
        let text = outcome.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
        assert!(!text.is_empty(), "{fault:?}");
        assert_eq!((call.retries, call.error.as_deref()), (1, None), "{fault:?}");
        if fault == Fault::RateLimited(Some(1)) {
            assert!(took >= Duration::from_secs(1), "what was asked for is waited out: {took:?}");
        }
        println!("{fault:?}: answered after {} further try, {:.6} USD", call.retries, call.cost_usd);
    }
}

#[test]
fn what_does_not_pass_ends_the_call() {
    for (fault, kind) in [
        (Fault::WrongKey, ErrorKind::BackendRefused),
        (Fault::NoModel, ErrorKind::BackendRefused),
        (Fault::TooLong, ErrorKind::OverBudget),
        (Fault::QuotaUsedUp, ErrorKind::RateLimited),
    ] {
        let (outcome, call, _) = ask(fault, 4, Delivery::Whole);
        let error = outcome.expect_err("fails").error;
        assert_eq!((error.kind(), call.retries), (kind, 0), "{fault:?}: {error}");
        assert_eq!(call.error.as_deref(), Some(kind.code().as_str()), "{fault:?}");
        assert!(!error.to_string().contains(KEY), "{error}");
        println!("{fault:?}: {error}");
    }
    let (outcome, call, _) = ask(Fault::ServerError, 9, Delivery::Whole);
    assert_eq!((outcome.expect_err("fails").error.kind(), call.retries), (ErrorKind::BackendUnavailable, 3));
}

#[test]
fn what_was_shown_is_not_taken_back() {
    for fault in [Fault::Truncated, Fault::ErrorInStream] {
        let (outcome, call, _) = ask(fault, 1, Delivery::Streaming);
        assert!(outcome.is_err() && call.retries == 0, "{fault:?}: {call:?}");
        assert!(call.cost_usd > 0.0, "{fault:?}: what was written is paid");
    }
    let (outcome, call, _) = ask(Fault::ServerError, 1, Delivery::Streaming);
    assert!(outcome.is_ok() && call.retries == 1, "nothing was shown yet");
}
