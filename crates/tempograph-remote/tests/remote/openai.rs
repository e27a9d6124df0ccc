use std::{io::Write as _, net::TcpListener, sync::Arc, time::Duration};

use tempograph_core::{
    ErrorKind, MediaTime, Rgb, Size,
    vlm::{Chunk, Finish, Part, Retry, TimedImage, Vlm as _},
};
use tempograph_remote::{
    Net,
    conformance::{hear, next},
    openai::OpenAi,
    testing::{FakeOpenAi, Fault, KEY, Request},
};

use super::{failure, question, structured};

const PATH: &str = "POST /v1/chat/completions";

fn model(server: &FakeOpenAi, net: &Net) -> OpenAi {
    OpenAi::new(server.options(), net).unwrap()
}

#[test]
fn a_refused_schema_is_asked_for_in_words_and_that_is_remembered() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    let model = model(&server, &net);
    server.script().fail_always(Some(Fault::SchemaRefused));
    hear(model.generate(structured()));
    assert_eq!(server.log().count(PATH), 2);
    hear(model.generate(structured()));
    assert_eq!(server.log().count(PATH), 3, "it is not tried again");
    let last = server.log().requests().pop().unwrap().json();
    assert_eq!(last["response_format"]["type"], "json_object");
    assert!(last["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
}

#[test]
fn frames_go_as_pictures_after_their_times() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    let image = Arc::new(Rgb { size: Size { width: 32, height: 16 }, data: vec![90; 32 * 16 * 3] });
    let mut ask = question("What?");
    ask.messages[0].parts.insert(0, Part::Frames(vec![TimedImage { time: MediaTime::from_millis(12_400), image }]));
    hear(model(&server, &net).generate(ask));
    let sent = server.log().requests().pop().unwrap().json();
    let parts = &sent["messages"][0]["content"];
    assert_eq!(parts[0]["text"], "[12.400 s]");
    assert!(parts[1]["image_url"]["url"].as_str().unwrap().starts_with("data:image/jpeg;base64,"));
}

#[test]
fn dropping_the_stream_closes_the_connection() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    server.script().pace(Duration::from_millis(20));
    let mut stream = model(&server, &net).generate(question("Go on."));
    assert!(matches!(next(&mut stream), Some(Ok(Chunk::Text(_)))));
    drop(stream);
    assert!(server.log().waits_for("closed POST /v1/chat/completions"), "{:?}", server.log().events());
}

/// As llama.cpp's server does it: each answer has a connection of its own, and nothing in it says so.
#[test]
fn a_server_that_closes_its_connections_without_a_word_is_asked_on_new_ones() {
    const BODY: &str =
        "data: {\"choices\":[{\"delta\":{\"content\":\"Yes.\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            Request::read(&stream).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            // At once, so that the connection looks free to the client before it is closed.
            write!(stream, "{head}{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len()).unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(200));
                drop(stream);
            });
        }
    });
    let net = Net::new();
    let mut options = FakeOpenAi::start().options();
    options.base_url = format!("http://{address}/v1");
    let model = OpenAi::new(options, &net).unwrap();
    for _ in 0..3 {
        hear(model.generate(question("Is it?")));
        // Until the connection is put aside, not until it is closed.
        std::thread::sleep(Duration::from_millis(20));
    }
    serving.join().unwrap();
}

#[test]
fn a_key_that_the_server_quotes_is_not_shown() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    server.script().fail(Fault::WrongKey);
    let model = model(&server, &net);
    let (_, error) = failure(model.generate(question("Hello?")));
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::BackendRefused, Retry::Never));
    for text in [format!("{error:?}"), error.to_string(), format!("{model:?}"), format!("{:?}", server.options())] {
        assert!(!text.contains(KEY), "{text}");
    }
}

#[test]
fn a_server_that_says_nothing_or_is_not_there_is_given_up() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    let mut options = server.options();
    options.timeouts.first_byte = Duration::from_millis(100);
    server.script().fail(Fault::Hang);
    let (_, error) = failure(OpenAi::new(options, &net).unwrap().generate(question("Hello?")));
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::TimedOut, Retry::Backoff));
    assert!(server.log().waits_for("closed"), "the connection is closed");

    let mut options = server.options();
    drop(server);
    options.base_url = "http://127.0.0.1:9/v1".to_owned();
    let (_, error) = failure(OpenAi::new(options, &net).unwrap().generate(question("Hello?")));
    assert_eq!(error.error.kind(), ErrorKind::BackendUnavailable);
    assert!(error.to_string().contains("refused") && error.error.hint().is_some(), "{error}");
}

#[test]
fn what_a_filter_ends_says_so_and_a_pause_is_taken_over() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    let model = model(&server, &net);
    server.script().fail(Fault::Filtered);
    assert_eq!(hear(model.generate(question("?!"))).last(), Some(&Chunk::Done(Finish::Filtered)));
    server.script().fail(Fault::RateLimited(Some(7)));
    let (_, error) = failure(model.generate(question("Hello?")));
    assert_eq!(error.retry, Retry::After(Duration::from_secs(7)));
}

#[test]
fn a_probe_says_whether_the_server_answers() {
    let (net, server) = (Net::new(), FakeOpenAi::start());
    let probe = |options| {
        let model = OpenAi::new(options, &net).unwrap();
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        // Any executor will do; here it is none.
        let reply = model.probe();
        std::thread::spawn(move || sender.send(block_on(reply).is_ok()).unwrap());
        receiver.recv().unwrap()
    };
    assert!(probe(server.options()));
    let mut wrong = server.options();
    wrong.key = None;
    assert!(!probe(wrong));
}

pub(crate) fn block_on<T>(mut reply: tempograph_remote::Reply<T>) -> Result<T, tempograph_core::vlm::CallError> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        match reply.as_mut().poll(&mut context) {
            std::task::Poll::Ready(result) => return result,
            std::task::Poll::Pending => std::thread::sleep(Duration::from_millis(2)),
        }
    }
}
