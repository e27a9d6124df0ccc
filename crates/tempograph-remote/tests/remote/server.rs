//! Against a real llama.cpp server, where `make test` has prepared one.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use tempograph_core::{
    ErrorKind, MediaTime, Rgb, Size,
    vlm::{Chunk, Part, TimedImage, Vlm as _},
};
use tempograph_remote::{
    Net,
    conformance::{Subject, hear, vlm_suite},
    openai::OpenAi,
    testing::LlamaServer,
};

use super::{failure, question};

#[expect(clippy::disallowed_methods, reason = "what the tests prepare is named in the environment")]
fn server(models: &[&Path]) -> Option<LlamaServer> {
    let Ok(script) = std::env::var("TEMPOGRAPH_TEST_LLM_SERVER") else {
        println!("skipped: no llama.cpp server (scripts/test.sh prepares one)");
        return None;
    };
    Some(LlamaServer::start(Path::new(&script), models).unwrap())
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
    let Some(server) = server(&[]) else { return };
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

#[test]
fn frames_reach_a_real_server_as_pictures() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tempograph-runtime-llm/fixtures");
    let [text, sight] = ["nano-qwen3-vl.gguf", "nano-qwen3-vl-mmproj.gguf"].map(|name| folder.join(name));
    if !sight.is_file() {
        println!("skipped: no tiny vision model");
        return;
    }
    let Some(server) = server(&[&text, &sight]) else { return };
    let mut options = server.options();
    options.limits.images = 4;
    let net = Net::new();
    let model = OpenAi::new(options, &net).unwrap();
    let tokens_in = |frames: usize| {
        let mut ask = question("What?");
        ask.sampling.max_tokens = 4;
        let image = Arc::new(Rgb { size: Size { width: 224, height: 160 }, data: vec![90; 224 * 160 * 3] });
        let frames =
            (0..frames).map(|n| TimedImage { time: MediaTime::from_millis(500 * n as i64), image: Arc::clone(&image) });
        ask.messages[0].parts.insert(0, Part::Frames(frames.collect()));
        let heard = hear(model.generate(ask));
        heard.iter().find_map(|c| if let Chunk::Usage(u) = c { Some(u.tokens_in) } else { None }).unwrap()
    };
    let [none, one, two] = [0, 1, 2].map(tokens_in);
    // A token for each square of 32 pixels, besides the time before each frame.
    let picture = 224 / 32 * (160 / 32);
    assert!(one - none >= picture && two - one >= picture, "{none}, {one}, {two} tokens");
}
