use std::time::Duration;

use tempograph_core::{
    ErrorKind,
    vlm::{Chunk, Retry, Vlm as _},
};
use tempograph_remote::{
    Net,
    conformance::{hear, next},
    runpod::{Runpod, RunpodEndpoint, RunpodOptions},
    testing::{FakeRunpod, Fault},
};

use super::{failure, openai::block_on, question};

fn two(server: &FakeRunpod, weights: [u32; 2]) -> RunpodOptions {
    let ids = ["one", "two"];
    let endpoints = ids.iter().zip(weights).map(|(id, weight)| RunpodEndpoint { id: (*id).to_owned(), weight });
    RunpodOptions { endpoints: endpoints.collect(), ..server.options() }
}

#[test]
fn another_endpoint_takes_over() {
    for fault in
        [Fault::ServerError, Fault::RateLimited(Some(9)), Fault::WorkerFailed, Fault::ExpiredJob, Fault::Malformed]
    {
        let (net, server) = (Net::new(), FakeRunpod::start());
        server.script().fail(fault);
        hear(Runpod::new(two(&server, [1, 1]), &net).unwrap().generate(question("Hello?")));
        let log = server.log();
        assert_eq!((log.count("POST /v2/one/run"), log.count("POST /v2/two/run")), (1, 1), "{fault:?}");
    }
}

#[test]
fn a_refusal_is_not_carried_elsewhere() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    server.script().fail(Fault::TooLong);
    let (_, error) = failure(Runpod::new(two(&server, [1, 1]), &net).unwrap().generate(question("Hello?")));
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::OverBudget, Retry::Never));
    assert_eq!(server.log().count("POST /v2/two/run"), 0);
}

#[test]
fn weights_share_the_jobs() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    let model = Runpod::new(two(&server, [2, 1]), &net).unwrap();
    for _ in 0..6 {
        hear(model.generate(question("Hello?")));
    }
    assert_eq!((server.log().count("POST /v2/one/run"), server.log().count("POST /v2/two/run")), (4, 2));
    let spare = Runpod::new(two(&server, [0, 1]), &net).unwrap();
    hear(spare.generate(question("Hello?")));
    assert_eq!(server.log().count("POST /v2/two/run"), 3, "weight 0 is asked last");
}

#[test]
fn a_dropped_stream_cancels_its_job() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    server.script().pace(Duration::from_millis(20));
    let mut stream = Runpod::new(server.options(), &net).unwrap().generate(question("Hello?"));
    assert!(matches!(next(&mut stream), Some(Ok(Chunk::Text(_)))));
    drop(stream);
    assert!(server.log().waits_for("cancelled job-0"), "{:?}", server.log().events());
    assert_eq!(server.running(), 0);
}

#[test]
fn a_job_that_cannot_be_cancelled_at_first_is_cancelled_later() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    server.script().pace(Duration::from_millis(20));
    server.script().undoing_fails(3);
    let mut stream = Runpod::new(server.options(), &net).unwrap().generate(question("Hello?"));
    assert!(matches!(next(&mut stream), Some(Ok(Chunk::Text(_)))));
    drop(stream);
    drop(net);
    assert_eq!((server.running(), server.log().count("POST /v2/one/cancel/")), (0, 4), "{:?}", server.log().events());
}

#[test]
fn a_job_that_is_done_is_not_cancelled() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    hear(Runpod::new(server.options(), &net).unwrap().generate(question("Hello?")));
    drop(net);
    assert_eq!(server.log().count("POST /v2/one/cancel"), 0);
}

#[test]
fn a_job_without_a_worker_is_given_up_and_cancelled() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    server.script().fail(Fault::NoWorker);
    let options = RunpodOptions { queue_patience: Duration::from_secs(1), ..two(&server, [1, 1]) };
    hear(Runpod::new(options, &net).unwrap().generate(question("Hello?")));
    assert_eq!(server.log().count("cancelled job-0"), 1, "before the next endpoint is asked");
    assert_eq!(server.log().count("POST /v2/two/run"), 1);
}

#[test]
fn what_a_worker_raises_is_told() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    let model = Runpod::new(server.options(), &net).unwrap();
    server.script().fail(Fault::WorkerFailed);
    let (_, error) = failure(model.generate(question("Hello?")));
    assert!(error.to_string().contains("no kernel image"), "{error}");
    server.script().fail(Fault::ErrorInStream);
    let (heard, error) = failure(model.generate(question("Hello?")));
    assert!(!heard.is_empty() && error.to_string().contains("CUDA out of memory"), "{error}");
    server.script().fail(Fault::Truncated);
    let (_, error) = failure(model.generate(question("Hello?")));
    assert_eq!(error.error.kind(), ErrorKind::AnswerInvalid);
}

#[test]
fn short_jobs_can_be_waited_for() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    let model = Runpod::new(RunpodOptions { wait: true, ..server.options() }, &net).unwrap();
    hear(model.generate(question("Hello?")));
    let log = server.log();
    assert_eq!((log.count("POST /v2/one/runsync"), log.requests().len()), (1, 1));
}

#[test]
fn a_cold_endpoint_is_warmed_up() {
    let (net, server) = (Net::new(), FakeRunpod::start());
    let model = Runpod::new(server.options(), &net).unwrap();
    assert_eq!(block_on(model.health()).unwrap()[0].ready, 0);
    block_on(model.warm_up()).unwrap();
    assert_eq!(server.log().count("POST /v2/one/run"), 1);
}

#[test]
fn a_job_dropped_while_it_is_begun_is_cancelled() {
    for after_ms in [0, 1, 2, 3, 5, 8] {
        let (net, server) = (Net::new(), FakeRunpod::start());
        server.script().fail_always(Some(Fault::NoWorker));
        let mut stream = Runpod::new(server.options(), &net).unwrap().generate(question("Hello?"));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(futures_core::Stream::poll_next(stream.as_mut(), &mut context).is_pending());
        std::thread::sleep(Duration::from_millis(after_ms));
        drop(stream);
        drop(net);
        assert_eq!(server.running(), 0, "dropped after {after_ms} ms: {:?}", server.log().events());
    }
}
