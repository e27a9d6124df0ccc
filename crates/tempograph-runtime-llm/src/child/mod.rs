//! The child process: reads questions from its parent, and ends with it.

mod engine;
mod grammar;
#[cfg(test)]
mod parity;
mod prompt;

use std::{
    io::{self, BufReader, BufWriter, Read, Write},
    sync::Arc,
    thread,
};

use crossbeam_channel::Receiver;
use tempograph_core::{Error, ErrorKind, Result};

use self::engine::Engine;
use crate::{
    cpu,
    memory::Memory,
    native::{self, Picture, Stop},
    wire::{self, Failure, FromChild, Load, Question, ToChild},
};

/// Frames that wait for the model.
const QUEUE: usize = 4;
/// Most pictures of one question.
pub(crate) const MAX_PICTURES: usize = 512;
/// Most bytes of the pictures of one question.
pub(crate) const MAX_PICTURE_BYTES: usize = 1 << 30;

/// Serves the parent over standard input and output until it closes them. Nothing else may have been written to
/// standard output. Returns when the parent is gone between two questions; while a question is being answered the
/// process ends at once.
///
/// # Errors
/// When standard output cannot be kept, or the parent cannot be understood.
pub fn serve() -> Result<()> {
    let out = native::take_stdout()?;
    serve_over(io::stdin(), out)
}

fn serve_over(from: impl Read + Send + 'static, to: impl Write) -> Result<()> {
    let mut to = BufWriter::new(to);
    if let Err(e) = cpu::check() {
        return say(&mut to, &FromChild::Failed(Failure::from(&e)));
    }
    let stop = Arc::new(Stop::default());
    let heard = listen(from, Arc::clone(&stop))?;
    let mut engine = None;
    let mut pictures = Pictures::default();
    while let Ok((header, body)) = heard.recv() {
        match header {
            ToChild::Load(load) => {
                drop(engine.take());
                let answer = match begin(load, &stop) {
                    Ok(loaded) => {
                        engine = Some(loaded);
                        FromChild::Loaded { memory: Memory::now() }
                    }
                    Err(e) => FromChild::Failed(Failure::from(&e)),
                };
                say(&mut to, &answer)?;
            }
            ToChild::Picture { width, height, mergeable } => pictures.add(width, height, &body, mergeable)?,
            ToChild::Ask(question) => {
                let shown = std::mem::take(&mut pictures);
                stop.begin(question.call);
                let last = match &mut engine {
                    Some(engine) => answer(engine, &question, &shown.list, &mut to),
                    None => Err(Error::new(ErrorKind::Internal, "asked before the model was loaded")),
                };
                let last = last.unwrap_or_else(|e| FromChild::Failed(Failure::from(&e)));
                say(&mut to, &last)?;
            }
            ToChild::Stop { .. } => {}
        }
    }
    Ok(())
}

fn begin(load: Load, stop: &Arc<Stop>) -> Result<Engine> {
    native::start();
    Engine::load(load, stop)
}

fn answer(engine: &mut Engine, question: &Question, pictures: &[Picture], to: &mut impl Write) -> Result<FromChild> {
    let to = std::cell::RefCell::new(to);
    let (finish, usage) = engine.answer(
        question,
        pictures,
        &mut |usage| say(&mut *to.borrow_mut(), &FromChild::Usage(usage)),
        &mut |text| say(&mut *to.borrow_mut(), &FromChild::Text(text.to_owned())),
    )?;
    Ok(FromChild::Done { finish, usage, memory: Memory::now() })
}

fn say(to: &mut impl Write, what: &FromChild) -> Result<()> {
    wire::send(to, what, &[]).map_err(|e| Error::new(ErrorKind::Io, format!("the parent does not listen: {e}")))
}

/// Hears the parent on a thread of its own, so that a stop is heard while the model computes, and so that the process
/// ends when the parent does, whatever it is doing.
fn listen(from: impl Read + Send + 'static, stop: Arc<Stop>) -> Result<Receiver<(ToChild, Vec<u8>)>> {
    let (sender, receiver) = crossbeam_channel::bounded(QUEUE);
    let hear = move || {
        let mut from = BufReader::new(from);
        while let Ok(Some((header, body))) = wire::receive(&mut from) {
            if let ToChild::Stop { call } = header {
                stop.stop(call);
            } else if sender.send((header, body)).is_err() {
                return;
            }
        }
        native::exit_now();
    };
    thread::Builder::new()
        .name("parent".to_owned())
        .spawn(hear)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("no thread to listen on: {e}")))?;
    Ok(receiver)
}

/// The pictures of the question that comes next.
#[derive(Default)]
struct Pictures {
    list: Vec<Picture>,
    bytes: usize,
}

impl Pictures {
    fn add(&mut self, width: u32, height: u32, rgb: &[u8], mergeable: bool) -> Result<()> {
        self.bytes = self.bytes.saturating_add(rgb.len());
        if self.list.len() >= MAX_PICTURES || self.bytes > MAX_PICTURE_BYTES {
            return Err(Error::new(ErrorKind::OverBudget, "more pictures than a question may have"));
        }
        self.list.push(Picture::new(width, height, rgb, mergeable)?);
        Ok(())
    }
}
