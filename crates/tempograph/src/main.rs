//! The `tempograph` command.
//!
//! `args` is what was typed, `settings` what it means together with file and environment,
//! `registry` the only place that names concrete back ends, `commands` one file per command.

mod args;
mod asking;
mod clips;
mod commands;
mod depth;
mod imports;
mod indexing;
mod logging;
mod output;
mod progress;
mod registry;
mod results;
mod sources;
mod summary;
mod sys;

use std::{path::PathBuf, process::ExitCode};

use clap::Parser as _;
use tempograph_core::{Cancel, Error, ErrorKind, Result};
use tempograph_settings as settings;

use crate::{
    args::{Cli, Command},
    settings::Combined,
};

fn main() -> ExitCode {
    sys::share_heaps();
    let cli = Cli::parse();
    // Before anything reads settings, logs or writes: its standard output belongs to its parent.
    if matches!(cli.command, Command::LlmChild) {
        return if tempograph_runtime_llm::serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    match run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            progress::print_error(&error);
            ExitCode::from(error.code().exit_code())
        }
    }
}

fn run(cli: &Cli) -> Result<u8> {
    let file = config_file(cli)?;
    let combined = Combined::load(file.as_deref(), std::env::vars(), cli.layer())?;
    let settings = &combined.settings;
    logging::start(settings)?;
    let cancel = cancel_on_signal()?;
    let data = || data_folder(settings);
    match &cli.command {
        Command::Analyze(args) => commands::analyze::run(args, settings, &data()?, &cancel),
        Command::Highlights(args) => commands::highlights::run(args, settings, &data()?, &cancel),
        Command::Search(args) => commands::search::run(args, settings, &data()?, &cancel),
        Command::Chat(args) => commands::chat::run(args, settings, &data()?, &cancel),
        Command::Export(args) => commands::export::run(args, &data()?),
        Command::Eval(args) => commands::eval::run(args),
        Command::Models { command } => commands::models::run(command, settings, &data()?, &cancel),
        Command::Config { command } => commands::config::run(command, &combined, file.as_deref()),
        Command::Doctor { json, budget } => commands::doctor::run(*json, *budget, settings, &data()?),
        Command::Completions { shell } => {
            commands::completions(*shell)?;
            Ok(0)
        }
        Command::LlmChild => Ok(0),
    }
}

/// The configuration file: named by flag or `TEMPOGRAPH_CONFIG`, else the platform's, if it is there.
fn config_file(cli: &Cli) -> Result<Option<PathBuf>> {
    #[expect(clippy::disallowed_methods, reason = "the binary reads the environment")]
    let named = cli.common.config.clone().or_else(|| std::env::var_os("TEMPOGRAPH_CONFIG").map(PathBuf::from));
    if let Some(path) = named {
        if path.is_file() {
            return Ok(Some(path));
        }
        return Err(Error::new(ErrorKind::NotFound, format!("there is no configuration file: {}", path.display())));
    }
    Ok(directories::ProjectDirs::from("", "", "tempograph")
        .map(|dirs| dirs.config_dir().join("config.toml"))
        .filter(|path| path.is_file()))
}

fn data_folder(settings: &settings::Settings) -> Result<PathBuf> {
    if let Some(folder) = &settings.data {
        return Ok(folder.0.clone());
    }
    directories::ProjectDirs::from("", "", "tempograph").map(|dirs| dirs.data_dir().to_owned()).ok_or_else(|| {
        Error::new(ErrorKind::Config, "this user has no home folder to keep the library in")
            .with_hint("name a folder with `--data`")
    })
}

/// The first interrupt asks work to stop and keep what is finished; the second ends the process.
fn cancel_on_signal() -> Result<Cancel> {
    let cancel = Cancel::new();
    #[cfg(unix)]
    {
        use signal_hook::{
            consts::{SIGINT, SIGTERM},
            iterator::Signals,
        };
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|e| Error::new(ErrorKind::Internal, format!("cannot listen for signals: {e}")))?;
        let raised = cancel.clone();
        std::thread::spawn(move || {
            for _ in signals.forever() {
                if raised.is_cancelled() {
                    std::process::exit(i32::from(ErrorKind::Cancelled.code().exit_code()));
                }
                raised.cancel();
            }
        });
    }
    Ok(cancel)
}
