//! One file per command.

pub(crate) mod analyze;
pub(crate) mod chat;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod export;
pub(crate) mod highlights;
pub(crate) mod models;
pub(crate) mod search;

use std::{
    io::{self, Write},
    path::Path,
};

use clap::CommandFactory as _;
use tempograph_core::{Error, Result};

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::args::Cli::command(), "tempograph", &mut script);
    print_with(|out| out.write_all(&script).map_err(unwritten))
}

/// Standard output. That its reader has gone, as `head` does, is not a failure: the rest is dropped.
struct Stdout(io::StdoutLock<'static>);

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            done => done,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().or_else(|e| if e.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(e) })
    }
}

/// Has `write` print to standard output.
pub(crate) fn print_with(write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut out = io::BufWriter::new(Stdout(io::stdout().lock()));
    write(&mut out)?;
    out.flush().map_err(unwritten)
}

/// Prints `text` to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    print_with(|out| out.write_all(text.as_bytes()).map_err(unwritten))
}

fn unwritten(error: io::Error) -> Error {
    Error::io("write to standard output", Path::new("-"), error)
}

/// Prints `value` as indented JSON.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}
