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

use std::{io::Write as _, path::Path};

use clap::CommandFactory as _;
use tempograph_core::{Error, Result};

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut crate::args::Cli::command(), "tempograph", &mut std::io::stdout());
}

/// Prints `text` to standard output; a reader that has gone is not a failure.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// How printing went; a reader that has gone is not a failure.
pub(crate) fn printed(done: std::io::Result<()>) -> Result<()> {
    match done {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write to standard output", Path::new("-"), e))
        }
        _ => Ok(()),
    }
}

/// Prints `value` as indented JSON.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}
