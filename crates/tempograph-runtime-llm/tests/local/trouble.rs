//! What goes wrong, and what stays of it.

use std::{
    fs,
    time::{Duration, Instant},
};

use tempograph_core::{
    ErrorKind, Size,
    vlm::{Chunk, Part, Retry, Vlm as _},
};
use tempograph_runtime_llm::LocalVlm;

use crate::support::{answer, ask, child, children, fixture, nano, next, options, picture, text};

/// A model of random weights writes on until its tokens are used up.
fn endless(model: &LocalVlm) -> tempograph_core::vlm::ChunkStream {
    let mut stream = model.generate(ask(vec![text("Write on.")], 3000));
    loop {
        match next(&mut stream).expect("goes on").expect("answers") {
            Chunk::Text(_) => return stream,
            Chunk::Usage(_) => {}
            Chunk::Done(why) => panic!("ended before it was stopped: {why:?}"),
        }
    }
}

/// Longer than any of it takes on a slow machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

fn is_running(id: u32) -> bool {
    // A process that has ended and was not waited for is still listed, as a zombie.
    fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

fn until(what: &str, limit: Duration, mut happened: impl FnMut() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn dropping_a_stream_stops_the_answer_and_the_model_stays_ready() {
    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    let stream = endless(&model);
    let dropped = Instant::now();
    drop(stream);
    let said = answer(&model, ask(vec![text("And now?")], 4)).unwrap();
    assert_eq!(said.usage.tokens_out, 4);
    assert!(dropped.elapsed() < PATIENCE, "3000 tokens were written after all");
}

#[cfg(target_os = "linux")]
#[test]
fn a_child_that_is_killed_is_an_error_that_may_pass_and_the_next_call_starts_another() {
    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    // The tiny model may be done before the signal arrives: then again.
    let killed_midway = || {
        answer(&model, ask(vec![text("Hello.")], 2)).unwrap();
        let id = model.process_id().expect("is kept after a call");
        let mut stream = endless(&model);
        let killed = std::process::Command::new("kill").args(["-9", &id.to_string()]).status().unwrap();
        assert!(killed.success());
        loop {
            match next(&mut stream).expect("says how it ended") {
                // The signal is on its way and must not meet the next question.
                Ok(Chunk::Done(_)) => {
                    until("a killed child ends", PATIENCE, || !is_running(id));
                    return None;
                }
                Ok(_) => {}
                Err(e) => return Some((id, e, stream)),
            }
        }
    };
    let (id, error, mut stream) = (0..20).find_map(|_| killed_midway()).expect("a signal arrives in time");
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::Inference, Retry::Backoff), "{error}");
    assert!(next(&mut stream).is_none());
    assert!(!is_running(id));
    answer(&model, ask(vec![text("Hello again.")], 2)).unwrap();
    assert_ne!(model.process_id().unwrap(), id);
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_ends_when_idle_and_when_the_model_is_dropped() {
    let mut short = nano("qwen2.5-vl");
    short.idle = Duration::from_millis(200);
    let model = LocalVlm::new(short).unwrap();
    answer(&model, ask(vec![text("Hello.")], 2)).unwrap();
    until("an idle child ends", PATIENCE, || model.process_id().is_none());
    answer(&model, ask(vec![text("Hello.")], 2)).unwrap();

    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    answer(&model, ask(vec![text("Hello.")], 2)).unwrap();
    let id = model.process_id().unwrap();
    assert!(children().contains(&id) && is_running(id));
    drop(model);
    assert!(!is_running(id));
}

#[cfg(target_os = "linux")]
#[test]
fn the_child_ends_with_its_parent_even_while_it_answers() {
    use std::process::{Command, Stdio};
    // A parent whose death leaves nothing but closed pipes: the child alone, with its input closed.
    let mut lone = Command::new(child().program)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(lone.stdin.take());
    until("a child without parent ends", PATIENCE, || lone.try_wait().unwrap().is_some());
}

#[test]
fn over_budget_is_refused_before_anything_is_loaded() {
    let mut small = nano("qwen2.5-vl");
    small.budget_bytes = 10_000_000;
    let error = LocalVlm::new(small).err().expect("is over budget");
    assert_eq!(error.kind(), ErrorKind::OverBudget);
    assert!(error.hint().is_some_and(|h| h.contains("smaller quantisation")), "{error:?}");
}

#[test]
fn a_question_longer_than_the_context_is_refused_and_the_model_stays_ready() {
    let mut short = nano("qwen2.5-vl");
    short.context_tokens = 256;
    let model = LocalVlm::new(short).unwrap();
    let error = answer(&model, ask(vec![text(&"word ".repeat(500))], 8)).unwrap_err();
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::OverBudget, Retry::Never), "{error}");
    let said = answer(&model, ask(vec![text("Short.")], 1000)).unwrap();
    assert!(said.usage.tokens_in + said.usage.tokens_out <= 256, "{said:?}");
}

#[test]
fn broken_files_and_pictures_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.gguf");
    let whole = fs::read(fixture("nano-qwen2.5-vl.gguf")).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let model = LocalVlm::new(options(cut, None)).unwrap();
    let error = answer(&model, ask(vec![text("Hello?")], 2)).unwrap_err();
    assert_eq!((error.error.kind(), error.retry), (ErrorKind::ModelInvalid, Retry::Never), "{error}");

    let missing = LocalVlm::new(options(folder.path().join("none.gguf"), None)).err().unwrap();
    assert_eq!(missing.kind(), ErrorKind::ModelMissing);
    let text_as_projector = options(fixture("nano-qwen2.5-vl.gguf"), Some(fixture("nano-qwen2.5-vl.gguf")));
    assert_eq!(LocalVlm::new(text_as_projector).err().unwrap().kind(), ErrorKind::ModelInvalid);
    let other = options(fixture("nano-qwen2.5-vl.gguf"), Some(fixture("nano-qwen3-vl-mmproj.gguf")));
    let error = answer(&LocalVlm::new(other).unwrap(), ask(vec![text("Hello?")], 2)).unwrap_err();
    assert!(matches!(error.error.kind(), ErrorKind::ModelInvalid | ErrorKind::Inference), "{error}");

    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    let mut broken = (*picture(30, 20, 1)).clone();
    broken.size = Size { width: 3000, height: 20 };
    let error = answer(&model, ask(vec![Part::Image(broken.into()), text("?")], 2)).unwrap_err();
    assert_eq!(error.error.kind(), ErrorKind::InvalidData);
    let reader = LocalVlm::new(options(fixture("nano-qwen2.5-vl.gguf"), None)).unwrap();
    let error = answer(&reader, ask(vec![Part::Image(picture(64, 64, 1)), text("?")], 2)).unwrap_err();
    assert_eq!(error.error.kind(), ErrorKind::OverBudget);

    let mut nothing = nano("qwen2.5-vl");
    nothing.command.program = folder.path().join("none");
    let error = answer(&LocalVlm::new(nothing).unwrap(), ask(vec![text("?")], 2)).unwrap_err();
    assert_eq!(error.error.kind(), ErrorKind::RuntimeMissing);
    let mut silent = nano("qwen2.5-vl");
    silent.command.program = "/bin/true".into();
    let error = answer(&LocalVlm::new(silent).unwrap(), ask(vec![text("?")], 2)).unwrap_err();
    assert_eq!(error.retry, Retry::Backoff, "{error}");
}

/// Built for the processor of the builder, the library ends with an illegal instruction on another.
#[test]
fn the_library_is_not_built_for_this_processor_alone() {
    let beside = std::path::Path::new(env!("CARGO_BIN_EXE_llm-child")).parent().unwrap().join("build");
    let caches: Vec<_> = fs::read_dir(&beside)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with("llama-cpp-sys-2-"))
        .filter_map(|e| fs::read_to_string(e.path().join("out/build/CMakeCache.txt")).ok())
        .collect();
    assert!(!caches.is_empty(), "no build of the library beside {}", beside.display());
    for cache in caches {
        let native = cache.lines().find(|l| l.starts_with("GGML_NATIVE:")).expect("the library has this choice");
        assert!(native.ends_with("=OFF"), "{native}: build without `-C target-cpu=native`");
    }
}
