use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;
use tempograph_core::{
    ErrorKind,
    vlm::{Chunk, ChunkStream, Vlm as _},
};
use tempograph_remote::{
    Net,
    conformance::{hear, next},
    gemini::{Gemini, GeminiOptions},
    testing::{FakeGemini, Fault},
};

use super::{about, failure, structured};

/// More than one piece of an upload.
const SIZE: usize = (9 << 20) + 12_345;

/// A file that no two pieces of are alike.
fn video() -> (TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    let bytes: Vec<u8> = (0..SIZE).map(|i| (i * 7 + i / 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    (folder, path, bytes)
}

fn keeping(server: &FakeGemini) -> GeminiOptions {
    GeminiOptions { keep_uploads: Duration::from_secs(600), ..server.options() }
}

/// Whether the answer is heard to its end.
fn answers(mut stream: ChunkStream) -> bool {
    loop {
        match next(&mut stream) {
            Some(Ok(Chunk::Done(_))) => return true,
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return false,
        }
    }
}

fn gone(server: &FakeGemini) -> bool {
    server.log().waits_for("deleted files/") && server.files() == 0
}

#[test]
fn a_video_is_uploaded_awaited_asked_about_and_deleted() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    hear(Gemini::new(server.options(), &net).unwrap().generate(about(&path)));
    assert!(gone(&server), "{:?}", server.log().events());
    let events = server.log().events();
    let at =
        |start: &str| events.iter().position(|e| e.starts_with(start)).unwrap_or_else(|| panic!("{start}: {events:?}"));
    assert!(at("POST /upload/") < at("uploaded files/f0") && at("uploaded") < at("GET /v1beta/files/f0"));
    assert!(at("GET /v1beta/files/f0") < at("POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"));
    assert!(at("POST /v1beta/models") < at("DELETE /v1beta/files/f0"));
    assert_eq!(server.log().count("POST /session/"), 2, "two pieces");
}

#[test]
fn a_broken_upload_goes_on_where_it_broke() {
    let ((_folder, path, bytes), net, server) = (video(), Net::new(), FakeGemini::start());
    server.script().fail(Fault::DroppedUpload);
    server.script().fail(Fault::DroppedUpload);
    let model = Gemini::new(keeping(&server), &net).unwrap();
    hear(model.generate(about(&path)));
    assert_eq!(server.log().count("dropped an upload"), 2);
    assert_eq!(server.log().count("POST /upload/"), 1, "it was not begun anew");
    assert!(server.bytes() == bytes, "what arrived is what was sent");
}

#[test]
fn an_upload_is_kept_for_the_next_question_and_deleted_with_the_back_end() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    let model = Gemini::new(keeping(&server), &net).unwrap();
    hear(model.generate(about(&path)));
    hear(model.generate(about(&path)));
    assert_eq!((server.log().count("uploaded"), server.files()), (1, 1));
    drop(model);
    assert!(gone(&server), "{:?}", server.log().events());
}

#[test]
fn closing_the_network_deletes_what_is_kept() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    let model = Gemini::new(keeping(&server), &net).unwrap();
    hear(model.generate(about(&path)));
    assert!(net.shutdown(Duration::from_secs(5)));
    assert_eq!(server.files(), 0);
}

#[test]
fn two_calls_at_once_share_one_upload() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    let model = Gemini::new(keeping(&server), &net).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hear(model.generate(about(&path))));
        }
    });
    assert_eq!(server.log().count("uploaded"), 1);
}

#[test]
fn a_video_that_could_not_be_made_ready_is_sent_anew_by_whoever_asks_next() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    // Nothing lies between the two questions: the second may come before the useless file is deleted.
    for _ in 0..5 {
        let model = Gemini::new(keeping(&server), &net).unwrap();
        server.script().fail(Fault::UnusableFile);
        let (_, error) = failure(model.generate(about(&path)));
        assert_eq!(error.error.kind(), ErrorKind::BackendRefused, "{error}");
        hear(model.generate(about(&path)));
    }
    assert!(net.shutdown(Duration::from_secs(5)));
    assert_eq!(server.files(), 0, "{:?}", server.log().events());
}

#[test]
fn who_waits_for_an_upload_that_is_of_no_use_sends_it_anew() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    let model = Gemini::new(keeping(&server), &net).unwrap();
    server.script().fail(Fault::UnusableFile);
    let answered = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..2).map(|_| scope.spawn(|| answers(model.generate(about(&path))))).collect();
        asked.into_iter().filter_map(|asking| asking.join().ok()).filter(|well| *well).count()
    });
    assert_eq!((answered, server.log().count("uploaded")), (1, 2), "{:?}", server.log().events());
    assert!(net.shutdown(Duration::from_secs(5)));
    assert_eq!(server.files(), 0, "{:?}", server.log().events());
}

#[test]
fn a_file_that_has_expired_is_uploaded_once_more() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    server.script().fail(Fault::ExpiredFile);
    let model = Gemini::new(server.options(), &net).unwrap();
    hear(model.generate(about(&path)));
    assert_eq!(server.log().count("uploaded"), 2);
    server.script().fail(Fault::ExpiredFile);
    server.script().fail(Fault::ExpiredFile);
    let (_, error) = failure(model.generate(about(&path)));
    assert_eq!(error.error.kind(), ErrorKind::BackendUnavailable, "twice is enough: {error}");
    drop(model);
    assert_eq!(server.files(), 0);
}

#[test]
fn whatever_goes_wrong_the_upload_is_deleted() {
    let (_folder, path, _) = video();
    for fault in [
        Fault::ServerError,
        Fault::Truncated,
        Fault::Malformed,
        Fault::RateLimited(Some(1)),
        Fault::WrongKey,
        Fault::UnusableFile,
        Fault::ErrorInStream,
    ] {
        let (net, server) = (Net::new(), FakeGemini::start());
        server.script().fail(fault);
        let (_, error) = failure(Gemini::new(keeping(&server), &net).unwrap().generate(about(&path)));
        assert!(gone(&server), "{fault:?} {error}: {:?}", server.log().events());
    }
}

#[test]
fn what_cannot_be_deleted_at_first_is_deleted_later() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    server.script().undoing_fails(2);
    hear(Gemini::new(server.options(), &net).unwrap().generate(about(&path)));
    assert!(gone(&server), "{:?}", server.log().events());
    assert_eq!(server.log().count("DELETE "), 3);

    // An upload that is given up is cancelled as stubbornly.
    server.script().fail(Fault::SlowUpload);
    server.script().undoing_fails(2);
    let mut stream = Gemini::new(server.options(), &net).unwrap().generate(about(&path));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(futures_core::Stream::poll_next(stream.as_mut(), &mut context).is_pending());
    assert!(server.log().waits_for("POST /session/files/f1"));
    drop(stream);
    drop(net);
    assert_eq!(server.files(), 0, "{:?}", server.log().events());
}

#[test]
fn a_piece_that_was_given_up_and_arrives_after_all_is_not_sent_twice() {
    let ((_folder, path, bytes), net, server) = (video(), Net::new(), FakeGemini::start());
    server.script().fail(Fault::LatePiece);
    let mut options = keeping(&server);
    options.timeouts.first_byte = Duration::from_secs(1);
    let model = Gemini::new(options, &net).unwrap();
    hear(model.generate(about(&path)));
    assert!(server.bytes() == bytes, "what arrived is what was sent");
    assert_eq!(server.log().count("POST /upload/"), 1, "it was not begun anew");
}

#[test]
fn dropping_the_stream_at_any_moment_leaves_nothing_behind() {
    let (_folder, path, _) = video();
    // While a piece is sent, while the service makes the video ready, while it answers.
    for (slow, after) in [(true, 0), (true, 100), (false, 0), (false, 5), (false, 20), (false, 60), (false, 200)] {
        let (net, server) = (Net::new(), FakeGemini::start());
        server.script().pace(Duration::from_millis(20));
        if slow {
            server.script().fail(Fault::SlowUpload);
        }
        let model = Gemini::new(keeping(&server), &net).unwrap();
        let mut stream = model.generate(about(&path));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(futures_core::Stream::poll_next(stream.as_mut(), &mut context).is_pending());
        std::thread::sleep(Duration::from_millis(after));
        drop(stream);
        drop(model);
        drop(net);
        let events = server.log().events();
        // The service forgets an upload of which no byte was sent and whose address was never heard.
        let begun = events.iter().any(|e| e.starts_with("POST /session/"));
        assert!(server.files() == 0 || !begun, "dropped after {after} ms: {events:?}");
    }
}

#[test]
fn a_stream_dropped_while_answering_closes_and_deletes() {
    let ((_folder, path, _), net, server) = (video(), Net::new(), FakeGemini::start());
    server.script().pace(Duration::from_millis(20));
    let model = Gemini::new(keeping(&server), &net).unwrap();
    let mut stream = model.generate(about(&path));
    assert!(matches!(next(&mut stream), Some(Ok(Chunk::Text(_)))));
    drop(stream);
    assert!(gone(&server) && server.log().waits_for("closed POST /v1beta/models/"), "{:?}", server.log().events());
}

#[test]
fn a_refused_schema_is_asked_for_in_words_and_that_is_remembered() {
    let (net, server) = (Net::new(), FakeGemini::start());
    let model = Gemini::new(server.options(), &net).unwrap();
    server.script().fail_always(Some(Fault::SchemaRefused));
    hear(model.generate(structured()));
    hear(model.generate(structured()));
    assert_eq!(server.log().count("POST /v1beta/models/"), 3);
    let last = server.log().requests().pop().unwrap().json();
    assert_eq!(last["generationConfig"]["responseMimeType"], "application/json");
    assert!(last["systemInstruction"]["parts"][0]["text"].as_str().unwrap().contains("JSON Schema"));
}

#[test]
fn a_file_that_is_not_there_is_an_error_of_its_own() {
    let (net, server) = (Net::new(), FakeGemini::start());
    let ask = about(std::path::Path::new("no-such-video.mp4"));
    let (_, error) = failure(Gemini::new(server.options(), &net).unwrap().generate(ask));
    assert_eq!(error.error.kind(), ErrorKind::NotFound);
    assert!(server.log().requests().is_empty());
}
