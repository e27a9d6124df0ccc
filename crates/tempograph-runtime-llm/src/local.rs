//! A local model as the rest of the program sees it.

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tempograph_core::{
    Error, ErrorKind, Result, Rgb,
    vlm::{Ask, CallError, ChunkStream, Limits, Message, Part, Structured, TimedImage, Vlm},
};

use crate::{
    align,
    budget::{Advice, Prediction},
    child::{MAX_PICTURE_BYTES, MAX_PICTURES},
    gguf::Header,
    memory::Memory,
    process::{Ended, Process, Shown},
    stream::{Chunks, Speaker},
    threads, wire,
};

/// Tokens of one picture at most: at 28 pixels a side some 900 x 900, more than any prompt here shows.
pub(crate) const PICTURE_TOKENS: u32 = 1024;
/// Bytes of text of one question at most: JSON may take six for one, and a frame holds them all.
const MAX_TEXT: usize = 2 << 20;
/// Context that every question is promised when the budget is checked beforehand.
const LEAST_CONTEXT: u32 = 2048;

/// The command that runs [`crate::serve`].
#[derive(Clone, Debug)]
pub struct ChildCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// How numbers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// A cache of 16-bit floats; flash attention for pictures where the library has it.
    #[default]
    Fast,
    /// 32 bits and plain attention, for comparison with a reference.
    Exact,
}

/// What model, and how it may run.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// What to start.
    pub command: ChildCommand,
    /// Name of the model, for people and records.
    pub name: String,
    /// Digest of its files: answers of other weights are other answers.
    pub digest: String,
    /// GGUF file of the language model.
    pub model: PathBuf,
    /// GGUF file of its projector, for a model that sees.
    pub mmproj: Option<PathBuf>,
    /// Tokens that question and answer may have together; the model's own limit holds besides.
    pub context_tokens: u32,
    /// Processor threads at most. Unset: every core. Cores that others use are left to them.
    pub threads: Option<u32>,
    /// Layers that an accelerator computes; 0 for the processor alone.
    pub gpu_layers: u32,
    /// Bytes that the child may come to.
    pub budget_bytes: u64,
    /// How long the child is kept after a call.
    pub idle: Duration,
    /// How numbers are kept.
    pub precision: Precision,
}

/// A GGUF model in a child process.
///
/// The child is started by the first call and kept for those that follow; it ends when it has been idle, when the
/// model is dropped, and when this process ends. One call runs at a time, others wait.
pub struct LocalVlm {
    shared: Arc<Shared>,
}

struct Shared {
    options: LocalOptions,
    load: wire::Load,
    limits: Limits,
    prediction: Prediction,
    /// Whether pictures are stretched to the sizes of the model, and pairs of frames read as one.
    dynamic: bool,
    video: bool,
    calls: AtomicU64,
    process: Mutex<Kept>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Kept {
    process: Option<Process>,
    used: Option<Instant>,
    /// Whether a thread waits for it to be idle: one is enough, however often the child is started.
    watched: bool,
}

impl LocalVlm {
    /// A model that is loaded by its first call. Its headers are read now.
    ///
    /// # Errors
    /// [`ErrorKind::ModelMissing`], [`ErrorKind::ModelInvalid`]; [`ErrorKind::OverBudget`] when it cannot be loaded
    /// within the budget.
    pub fn new(options: LocalOptions) -> Result<Self> {
        let model = Header::read(&options.model)?;
        let projector = options.mmproj.as_ref().map(|path| Header::read(path)).transpose()?;
        if let (Some(header), Some(path)) = (&projector, &options.mmproj)
            && header.projector().is_none()
        {
            return Err(Error::new(ErrorKind::ModelInvalid, format!("not a projector: {}", path.display()))
                .with_hint("its GGUF file is called `mmproj` where the model comes from"));
        }
        let own = model.model_number("context_length").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let context_tokens = options.context_tokens.min(own.unwrap_or(options.context_tokens)).max(1);
        let prediction = Prediction::of(&model, projector.as_ref(), LEAST_CONTEXT.min(context_tokens), PICTURE_TOKENS);
        prediction.check(
            options.budget_bytes,
            Advice { pictures: projector.is_some(), tokens: LEAST_CONTEXT.min(context_tokens) },
        )?;
        let limits = Limits {
            model: options.name.clone(),
            context_tokens: u64::from(context_tokens),
            images: if projector.is_some() { MAX_PICTURES as u32 } else { 0 },
            image_factor: projector.as_ref().map_or(1, align::factor),
            video: false,
            structured: Structured::Schema,
            concurrency: 1,
            remote: false,
        };
        let load = wire::Load {
            model: options.model.clone(),
            mmproj: options.mmproj.clone(),
            context_tokens,
            picture_tokens: PICTURE_TOKENS,
            threads: options.threads.unwrap_or_else(threads::cores).max(1),
            gpu_layers: options.gpu_layers,
            budget_bytes: options.budget_bytes,
            exact: options.precision == Precision::Exact,
        };
        let shared = Shared {
            dynamic: projector.as_ref().is_some_and(align::is_dynamic),
            video: projector.as_ref().is_some_and(align::is_video),
            calls: AtomicU64::new(0),
            process: Mutex::default(),
            memory: Mutex::default(),
            options,
            load,
            limits,
            prediction,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What the model is predicted to need with a short context.
    pub fn prediction(&self) -> Prediction {
        self.shared.prediction
    }

    /// Memory of the child when it last said: after loading and after each answer.
    pub fn memory(&self) -> Memory {
        *self.shared.memory.lock()
    }

    /// The number of the child's process, if there is one; waits for a call that is being answered.
    pub fn process_id(&self) -> Option<u32> {
        self.shared.process.lock().process.as_ref().map(Process::id)
    }

    /// Ends the child; the next call starts another.
    pub fn unload(&self) {
        self.shared.process.lock().process = None;
    }
}

impl Vlm for LocalVlm {
    fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    fn identity(&self) -> String {
        let o = &self.shared.options;
        let exact = if o.precision == Precision::Exact { " exact" } else { "" };
        format!("local {} {}{exact}", o.name, o.digest)
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        let shared = Arc::clone(&self.shared);
        Box::pin(Chunks::new(move |speaker: Speaker| {
            let own = speaker.clone();
            let work = move || shared.answer(&ask, &own);
            if let Err(e) = thread::Builder::new().name("llm-call".to_owned()).spawn(work) {
                let what = format!("no thread for a call: {e}");
                speaker.say(Err(CallError::passing(Error::new(ErrorKind::Internal, what))));
            }
        }))
    }
}

impl Shared {
    fn answer(self: &Arc<Self>, ask: &Ask, speaker: &Speaker) {
        if let Err(e) = self.try_answer(ask, speaker) {
            speaker.say(Err(e));
        }
    }

    fn try_answer(self: &Arc<Self>, ask: &Ask, speaker: &Speaker) -> Result<(), CallError> {
        let (turns, pictures) = self.turns(&ask.messages)?;
        let mut kept = self.process.lock();
        if speaker.is_unheard() {
            return Ok(());
        }
        // One that was ended while nobody asked is replaced without a word.
        let ready = kept.process.take().and_then(Process::if_running);
        let mut process = match ready {
            Some(process) => process,
            None => {
                let mut process = Process::start(&self.options.command)?;
                process.load(&self.load, speaker)?;
                process
            }
        };
        *self.memory.lock() = process.memory;
        let question = wire::Question {
            call: self.calls.fetch_add(1, Ordering::Relaxed) + 1,
            turns,
            schema: ask.schema.as_ref().map(|s| (*s.schema).clone()),
            sampling: ask.sampling,
        };
        let ended = process.ask(question, &pictures, speaker);
        *self.memory.lock() = process.memory;
        if matches!(ended, Ended::Ready) {
            kept.process = Some(process);
            kept.used = Some(Instant::now());
            if !std::mem::replace(&mut kept.watched, true) {
                keep(Arc::downgrade(self), self.options.idle);
            }
        }
        Ok(())
    }

    /// The conversation in the child's terms, with its pictures in order.
    fn turns(&self, messages: &[Message]) -> Result<(Vec<wire::Turn>, Vec<Shown>)> {
        let mut pictures = Vec::new();
        let mut turns = Vec::with_capacity(messages.len());
        for message in messages {
            let mut parts = Vec::with_capacity(message.parts.len());
            for part in &message.parts {
                match part {
                    Part::Text(text) => parts.push(wire::Part::Text(text.clone())),
                    Part::Image(_) | Part::Frames(_) if pictures.len() > MAX_PICTURES => {}
                    Part::Image(image) => {
                        pictures.push(self.shown(image, false)?);
                        parts.push(wire::Part::Picture);
                    }
                    Part::Frames(frames) => self.frames(frames, &mut parts, &mut pictures)?,
                    Part::Video(_) => {
                        return Err(Error::new(ErrorKind::Unsupported, "local models take frames, not video files"));
                    }
                }
            }
            turns.push(wire::Turn { role: message.role, parts });
        }
        let texts = messages.iter().flat_map(|m| &m.parts).filter_map(|p| match p {
            Part::Text(text) => Some(text),
            _ => None,
        });
        if pictures.is_empty() && texts.clone().all(|t| t.trim().is_empty()) {
            return Err(Error::new(ErrorKind::InvalidData, "the question is empty"));
        }
        let length: usize = texts.map(String::len).sum();
        if length > MAX_TEXT {
            return Err(Error::new(ErrorKind::OverBudget, format!("a question of {length} bytes of text"))
                .with_hint("ask with fewer words"));
        }
        let bytes: usize = pictures.iter().map(|p| p.rgb.len()).sum();
        if pictures.len() > MAX_PICTURES || bytes > MAX_PICTURE_BYTES {
            return Err(Error::new(ErrorKind::OverBudget, format!("{} pictures in one question", pictures.len()))
                .with_hint("ask with fewer or smaller frames"));
        }
        Ok((turns, pictures))
    }

    /// Frames after their times: in pairs where the model reads video so, at the mean of their times, as Qwen3-VL was
    /// trained; otherwise each for itself.
    fn frames(&self, frames: &[TimedImage], parts: &mut Vec<wire::Part>, pictures: &mut Vec<Shown>) -> Result<()> {
        for group in frames.chunks(if self.video { 2 } else { 1 }) {
            let sum: f64 = group.iter().map(|f| f.time.as_secs_f64()).sum();
            parts.push(wire::Part::Text(format!("<{:.1} seconds>", sum / group.len() as f64)));
            for frame in group {
                pictures.push(self.shown(&frame.image, self.video)?);
                parts.push(wire::Part::Picture);
            }
        }
        Ok(())
    }

    fn shown(&self, image: &Rgb, mergeable: bool) -> Result<Shown> {
        if self.limits.images == 0 {
            return Err(Error::new(ErrorKind::OverBudget, format!("`{}` takes no pictures", self.limits.model))
                .with_hint("take a model with a projector"));
        }
        let pixels = (image.size.width as usize).checked_mul(image.size.height as usize);
        if pixels.and_then(|n| n.checked_mul(3)) != Some(image.data.len()) || image.data.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "a picture whose pixels do not fit its size"));
        }
        let size = if self.dynamic {
            align::aligned(image.size, self.limits.image_factor, PICTURE_TOKENS)?
        } else {
            image.size
        };
        let rgb = if size == image.size { image.data.clone() } else { align::stretched(image, size)? };
        if rgb.len() > wire::MAX_BODY as usize {
            return Err(Error::new(ErrorKind::OverBudget, "a picture larger than a question may show")
                .with_hint("show it smaller"));
        }
        Ok(Shown { width: size.width, height: size.height, rgb, mergeable })
    }
}

/// Ends the child once it has been idle for `idle`.
fn keep(shared: Weak<Shared>, idle: Duration) {
    let watch = move || {
        let mut pause = idle;
        loop {
            thread::sleep(pause.max(Duration::from_millis(10)));
            let Some(shared) = shared.upgrade() else { return };
            // While it answers it is not idle.
            let Some(mut kept) = shared.process.try_lock() else {
                pause = idle;
                continue;
            };
            if kept.process.is_none() {
                kept.watched = false;
                return;
            }
            let unused = kept.used.map_or(idle, |used| used.elapsed());
            if unused >= idle {
                tracing::debug!("the process of an idle local model is ended");
                kept.process = None;
                kept.watched = false;
                return;
            }
            pause = idle - unused;
        }
    };
    // Without a watcher the child ends with the model.
    let _watching = thread::Builder::new().name("llm-idle".to_owned()).spawn(watch);
}
