//! The child as the parent sees it: started, asked, ended.

use std::{
    io::{BufReader, BufWriter, Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use parking_lot::Mutex;
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{CallError, Chunk},
};

use crate::{
    local::ChildCommand,
    memory::Memory,
    stream::Speaker,
    wire::{self, FromChild, Load, Question, ToChild},
};

/// Frames that wait to be passed on.
const QUEUE: usize = 64;
/// How often a waiting call looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(20);
/// How long a child may take to stop an answer before it is ended: a step of a small model takes less, an image that
/// is being read cannot be stopped.
const GRACE: Duration = Duration::from_millis(300);
/// What is kept of the end of its standard error.
const STDERR_KEPT: usize = 4096;

/// A running child with its model loaded.
pub(crate) struct Process {
    child: Child,
    stdin: Option<BufWriter<ChildStdin>>,
    heard: Receiver<FromChild>,
    complaints: Arc<Mutex<Vec<u8>>>,
    /// Of the child, when it last said.
    pub(crate) memory: Memory,
}

/// A picture as the child takes it.
pub(crate) struct Shown {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: Vec<u8>,
    pub(crate) mergeable: bool,
}

/// How a call ended.
pub(crate) enum Ended {
    /// Everything was said; the child can be asked again.
    Ready,
    /// The child must be ended.
    Broken,
}

impl Process {
    /// Starts the child. It loads its model when [`Self::load`] is called.
    ///
    /// # Errors
    /// [`ErrorKind::RuntimeMissing`] when the command cannot be run.
    pub(crate) fn start(command: &ChildCommand) -> Result<Self> {
        let mut child = Command::new(&command.program)
            .args(&command.arguments)
            // A failed assertion of the library starts a debugger otherwise.
            .env("GGML_NO_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| {
                Error::new(
                    ErrorKind::RuntimeMissing,
                    format!("cannot start the process for local models: {e}: {}", command.program.display()),
                )
                .with_hint("the program starts itself again for this: it must still be where it was started from")
            })?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(mut stderr)) = pipes else {
            return Err(Error::new(ErrorKind::Internal, "a child without pipes"));
        };
        let (sender, heard) = crossbeam_channel::bounded(QUEUE);
        let hear = move || {
            let mut from = BufReader::new(stdout);
            while let Ok(Some((frame, _))) = wire::receive(&mut from) {
                if sender.send(frame).is_err() {
                    return;
                }
            }
        };
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&complaints);
        let overhear = move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                let mut kept = kept.lock();
                kept.extend_from_slice(&buffer[..count]);
                let excess = kept.len().saturating_sub(STDERR_KEPT);
                kept.drain(..excess);
            }
        };
        // From here on dropping ends the child.
        let process = Self { child, stdin: Some(BufWriter::new(stdin)), heard, complaints, memory: Memory::default() };
        for (name, work) in [
            ("llm-out", Box::new(hear) as Box<dyn FnOnce() + Send>),
            ("llm-err", Box::new(overhear) as Box<dyn FnOnce() + Send>),
        ] {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(|e| Error::new(ErrorKind::Internal, format!("no thread for a child: {e}")))?;
        }
        Ok(process)
    }

    /// Loads the model. `wanted` is asked now and then whether to go on.
    ///
    /// # Errors
    /// What the child says; when it ends; [`ErrorKind::Cancelled`].
    pub(crate) fn load(&mut self, load: &Load, speaker: &Speaker) -> Result<(), CallError> {
        self.send(&ToChild::Load(load.clone()), &[])?;
        loop {
            match self.heard.recv_timeout(LOOK) {
                Ok(FromChild::Loaded { memory }) => {
                    tracing::debug!(resident = memory.resident, peak = memory.peak, "local model loaded");
                    self.memory = memory;
                    return Ok(());
                }
                Ok(FromChild::Failed(failure)) => return Err(failure.into_error()),
                Ok(_) => return Err(self.confused()),
                Err(RecvTimeoutError::Timeout) if speaker.is_unheard() => {
                    return Err(Error::new(ErrorKind::Cancelled, "stopped").into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    /// Asks, and passes on what is answered.
    pub(crate) fn ask(&mut self, question: Question, pictures: &[Shown], speaker: &Speaker) -> Ended {
        match self.put(question, pictures, speaker) {
            Ok(ended) => ended,
            Err(e) => {
                speaker.say(Err(e));
                Ended::Broken
            }
        }
    }

    fn put(&mut self, question: Question, pictures: &[Shown], speaker: &Speaker) -> Result<Ended, CallError> {
        let call = question.call;
        for p in pictures {
            if speaker.is_unheard() {
                return Ok(Ended::Broken);
            }
            let header = ToChild::Picture { width: p.width, height: p.height, mergeable: p.mergeable };
            self.send(&header, &p.rgb)?;
        }
        let before = self.memory;
        self.send(&ToChild::Ask(Box::new(question)), &[])?;
        let mut stopping: Option<Instant> = None;
        loop {
            if stopping.is_none() && speaker.is_unheard() {
                self.send(&ToChild::Stop { call }, &[])?;
                stopping = Some(Instant::now());
            }
            if stopping.is_some_and(|since| since.elapsed() > GRACE) {
                return Ok(Ended::Broken);
            }
            match self.heard.recv_timeout(LOOK) {
                Ok(FromChild::Text(text)) => speaker.say(Ok(Chunk::Text(text))),
                Ok(FromChild::Usage(usage)) => speaker.say(Ok(Chunk::Usage(usage))),
                Ok(FromChild::Done { finish, usage, memory }) => {
                    tracing::debug!(
                        resident_before = before.resident,
                        resident = memory.resident,
                        peak = memory.peak,
                        tokens_in = usage.tokens_in,
                        tokens_cached = usage.tokens_cached,
                        tokens_out = usage.tokens_out,
                        "local model answered"
                    );
                    self.memory = memory;
                    speaker.say(Ok(Chunk::Usage(usage)));
                    speaker.say(Ok(Chunk::Done(finish)));
                    return Ok(Ended::Ready);
                }
                Ok(FromChild::Failed(failure)) => {
                    speaker.say(Err(failure.into_error()));
                    return Ok(Ended::Ready);
                }
                Ok(FromChild::Loaded { .. }) => return Err(self.confused()),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
            }
        }
    }

    fn send(&mut self, header: &ToChild, body: &[u8]) -> Result<(), CallError> {
        let sent = match &mut self.stdin {
            Some(stdin) => wire::send(stdin, header, body).is_ok(),
            None => false,
        };
        if sent { Ok(()) } else { Err(self.ended()) }
    }

    /// The child is gone: how, as far as can be seen. What it wrote last is for the log alone.
    fn ended(&mut self) -> CallError {
        self.stdin = None;
        // It has closed its pipes; a moment later it can be asked how it ended.
        let deadline = Instant::now() + GRACE;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if Instant::now() < deadline => thread::sleep(LOOK / 4),
                _ => break None,
            }
        };
        let said = String::from_utf8_lossy(&self.complaints.lock()).into_owned();
        tracing::debug!(?status, %said, "the process of a local model ended");
        let how = status.map_or_else(|| "without a status".to_owned(), |s| s.to_string());
        CallError::passing(
            Error::new(ErrorKind::Inference, format!("the process of the local model ended in the middle: {how}"))
                .with_hint("if it was ended for want of memory, take a smaller model or ask with fewer frames"),
        )
    }

    fn confused(&mut self) -> CallError {
        CallError::fatal(Error::new(ErrorKind::Internal, "the process of the local model said something unexpected"))
    }

    /// The same process, if it still runs.
    pub(crate) fn if_running(mut self) -> Option<Self> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // Whether it still hears that makes no difference: it is ended next.
            let _heard = stdin.flush();
        }
        let _was_running = self.child.kill();
        let _status = self.child.wait();
    }
}
