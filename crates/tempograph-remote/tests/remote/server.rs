//! Against a real llama.cpp server, where `make test` has prepared one.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use tempograph_core::{ErrorKind, vlm::Vlm as _};
use tempograph_remote::{
    Net,
    conformance::{Subject, vlm_suite},
    openai::OpenAi,
    testing::LlamaServer,
};

use super::{failure, question};

#[expect(clippy::disallowed_methods, reason = "what the tests prepare is named in the environment")]
fn server() -> Option<LlamaServer> {
    let Ok(script) = std::env::var("TEMPOGRAPH_TEST_LLM_SERVER") else {
        println!("skipped: no llama.cpp server (scripts/test.sh prepares one)");
        return None;
    };
    Some(LlamaServer::start(Path::new(&script), &[]).unwrap())
}

/// Whether the server works on anything, by its own account.
fn is_busy(address: &str) -> bool {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    stream.write_all(b"GET /slots HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("\"is_processing\""), "{text}");
    text.contains("\"is_processing\":true")
}

#[test]
fn a_real_server_passes_the_suite() {
    let Some(server) = server() else { return };
    let (net, server) = (Net::new(), Arc::new(server));
    vlm_suite(&|| {
        let watched = Arc::clone(&server);
        Subject {
            model: Arc::new(OpenAi::new(server.options(), &net).unwrap()),
            secret: None,
            busy: Box::new(move || is_busy(watched.address())),
        }
    });

    // What the server itself refuses, past our own estimate.
    let mut options = server.options();
    options.limits.context_tokens = 1 << 20;
    let (_, error) = failure(OpenAi::new(options, &net).unwrap().generate(question(&"hi ".repeat(5000))));
    assert_eq!(error.error.kind(), ErrorKind::OverBudget, "{error}");
}
