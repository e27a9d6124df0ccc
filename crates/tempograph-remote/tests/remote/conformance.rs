//! Every remote back end keeps what `Vlm` promises, against servers that replay each provider's wire format.

use std::{sync::Arc, time::Duration};

use tempograph_remote::{
    Net,
    conformance::{Subject, vlm_suite},
    gemini::Gemini,
    openai::OpenAi,
    runpod::Runpod,
    testing::{FakeGemini, FakeOpenAi, FakeRunpod, KEY},
};

/// Slow enough that a call which goes on after its stream was dropped would be seen.
const PACE: Duration = Duration::from_millis(5);

#[test]
fn openai() {
    let (net, server) = (Net::new(), Arc::new(FakeOpenAi::start()));
    server.script().pace(PACE);
    vlm_suite(&|| {
        let watched = Arc::clone(&server);
        Subject {
            model: Arc::new(OpenAi::new(server.options(), &net).unwrap()),
            secret: Some(KEY.to_owned()),
            busy: Box::new(move || watched.log().open() > 0),
        }
    });
}

#[test]
fn gemini() {
    let (net, server) = (Net::new(), Arc::new(FakeGemini::start()));
    server.script().pace(PACE);
    vlm_suite(&|| {
        let watched = Arc::clone(&server);
        Subject {
            model: Arc::new(Gemini::new(server.options(), &net).unwrap()),
            secret: Some(KEY.to_owned()),
            busy: Box::new(move || watched.log().open() > 0 || watched.files() > 0),
        }
    });
}

#[test]
fn runpod() {
    let (net, server) = (Net::new(), Arc::new(FakeRunpod::start()));
    server.script().pace(PACE);
    vlm_suite(&|| {
        let watched = Arc::clone(&server);
        Subject {
            model: Arc::new(Runpod::new(server.options(), &net).unwrap()),
            secret: Some(KEY.to_owned()),
            busy: Box::new(move || watched.log().open() > 0 || watched.running() > 0),
        }
    });
}
