//! Models to ask, and hearing what they say.

use std::{
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use futures_util::Stream as _;
use tempograph_core::{
    MediaTime, Rgb, Size,
    vlm::{Ask, CallError, Chunk, ChunkStream, Finish, Message, Part, Role, SamplingParams, TimedImage, Usage},
};
use tempograph_runtime_llm::{ChildCommand, LocalOptions, LocalVlm, Precision};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

pub(crate) fn child() -> ChildCommand {
    ChildCommand { program: env!("CARGO_BIN_EXE_llm-child").into(), arguments: Vec::new() }
}

pub(crate) fn options(model: PathBuf, mmproj: Option<PathBuf>) -> LocalOptions {
    LocalOptions {
        command: child(),
        name: "test".to_owned(),
        digest: "0".to_owned(),
        model,
        mmproj,
        context_tokens: 4096,
        threads: Some(2),
        gpu_layers: 0,
        budget_bytes: 2_000_000_000,
        idle: Duration::from_secs(60),
        precision: Precision::Fast,
    }
}

/// The tiny vision model of a shape: `qwen2.5-vl` or `qwen3-vl`.
pub(crate) fn nano(shape: &str) -> LocalOptions {
    options(fixture(&format!("nano-{shape}.gguf")), Some(fixture(&format!("nano-{shape}-mmproj.gguf"))))
}

/// The default text model, where it has been pulled.
#[expect(clippy::print_stderr, reason = "says why a test did nothing")]
pub(crate) fn smollm2() -> Option<LocalOptions> {
    const FILE: &str = "smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf";
    #[expect(clippy::disallowed_methods, reason = "tests find their models by it")]
    let named = std::env::var_os("TEMPOGRAPH_TEST_MODELS").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = named.into_iter().chain([root.join(".cache/models"), root.join("target/test-models")]);
    let model = folders.map(|f| f.join(FILE)).find(|p| p.is_file());
    if model.is_none() {
        eprintln!("skipped: smollm2-135m has not been pulled");
    }
    model.map(|m| options(m, None))
}

pub(crate) fn picture(width: u32, height: u32, seed: u32) -> Arc<Rgb> {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            data.push(((5 * x + 2 * y + 29 * seed) % 256) as u8);
            data.push(((x * y / 32 + y + 13 * seed) % 256) as u8);
            data.push(((x / 24 + y / 16) % 2 * 160 + (3 * x + 7 * seed) % 90) as u8);
        }
    }
    Arc::new(Rgb { size: Size { width, height }, data })
}

pub(crate) fn frames(count: u32) -> Part {
    let frame = |i| TimedImage { time: MediaTime::from_millis(i64::from(i) * 500), image: picture(320, 180, i) };
    Part::Frames((0..count).map(frame).collect())
}

pub(crate) fn ask(parts: Vec<Part>, max_tokens: u32) -> Ask {
    Ask {
        purpose: "test",
        messages: vec![Message { role: Role::User, parts }],
        schema: None,
        sampling: SamplingParams { max_tokens, ..SamplingParams::default() },
    }
}

pub(crate) fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    pub(crate) finish: Finish,
}

struct Unpark(Thread);
impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The next thing a stream says.
pub(crate) fn next(stream: &mut ChunkStream) -> Option<Result<Chunk, CallError>> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match Pin::new(&mut *stream).poll_next(&mut context) {
            Poll::Ready(item) => return item,
            Poll::Pending => thread::park_timeout(Duration::from_secs(1)),
        }
    }
}

pub(crate) fn hear(mut stream: ChunkStream) -> Result<Answer, CallError> {
    let (mut text, mut usage) = (String::new(), Usage::default());
    loop {
        match next(&mut stream).expect("a stream says how it ends")? {
            Chunk::Text(piece) => text += &piece,
            Chunk::Usage(used) => usage = used,
            Chunk::Done(finish) => return Ok(Answer { text, usage, finish }),
        }
    }
}

pub(crate) fn answer(model: &LocalVlm, ask: Ask) -> Result<Answer, CallError> {
    use tempograph_core::vlm::Vlm as _;
    hear(model.generate(ask))
}

/// The processes that this one has started and that still are.
pub(crate) fn children() -> Vec<u32> {
    let own = std::process::id().to_string();
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter(|id: &u32| {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(own.as_str())
        })
        .collect()
}
