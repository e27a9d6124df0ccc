//! What a person sees while it works: bars on a terminal, plain lines in a pipe.

#![expect(clippy::print_stderr, reason = "this is the part that talks to people")]

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tempograph_core::{Error, MediaTime};
use tempograph_pipeline::run::Progress;

/// A plain line at most this often.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// Talks to the person at the terminal, on standard error.
pub(crate) struct Display {
    terminal: bool,
}

/// Prints `error` as every command does: code, message, hint.
pub(crate) fn print_error(error: &Error) {
    eprintln!("error[{}]: {error}", error.code());
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}

impl Display {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal() }
    }

    /// Says one line.
    pub(crate) fn note(&self, line: &str) {
        eprintln!("{line}");
    }

    /// Asks for a line.
    pub(crate) fn prompt(&self, text: &str) {
        eprint!("{text}");
    }

    /// Says which file of a batch comes next.
    pub(crate) fn file(&self, number: usize, of: usize, path: &Path) {
        eprintln!("[{number}/{of}] {}", path.display());
    }

    /// Says that a file of a batch failed.
    pub(crate) fn failed(&self, _path: &Path, error: &Error) {
        print_error(error);
    }

    /// Names the files that failed, at the end.
    pub(crate) fn batch_end(&self, done: usize, failed: &[(PathBuf, Error)]) {
        eprintln!("{done} done, {} failed:", failed.len());
        for (path, error) in failed {
            eprintln!("  {}: error[{}]: {error}", path.display(), error.code());
        }
    }

    /// Progress through media time.
    pub(crate) fn media(&self) -> Bar {
        Bar::new(self.terminal, "analysing")
    }

    /// Progress of writing the annotated video.
    pub(crate) fn rendering(&self) -> Bar {
        Bar::new(self.terminal, "annotating")
    }

    /// Progress of cutting clips.
    pub(crate) fn cutting(&self) -> Bar {
        Bar::new(self.terminal, "cutting")
    }

    /// Progress of a download.
    pub(crate) fn download(&self, name: &str) -> Bar {
        Bar::new(self.terminal, name)
    }
}

/// One piece of work that is under way.
pub(crate) struct Bar {
    what: String,
    bar: ProgressBar,
    terminal: bool,
    furthest: AtomicI64,
    said: Mutex<Instant>,
}

impl Bar {
    fn new(terminal: bool, what: &str) -> Self {
        let target = if terminal { ProgressDrawTarget::stderr_with_hz(8) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1000), target);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3}% {eta}") {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        Self { what: what.to_owned(), bar, terminal, furthest: AtomicI64::new(-1), said: Mutex::new(Instant::now()) }
    }

    /// Is at `share` of the whole, 0 to 1. Going back is not shown.
    pub(crate) fn at(&self, share: f64) {
        let permille = (share.clamp(0.0, 1.0) * 1000.0) as i64;
        if self.furthest.fetch_max(permille, Ordering::Relaxed) >= permille {
            return;
        }
        if self.terminal {
            self.bar.set_position(permille as u64);
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= PLAIN_INTERVAL {
            *said = Instant::now();
            eprintln!("{}: {}%", self.what, permille / 10);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn media(&self, done: MediaTime, of: MediaTime) {
        if of > MediaTime::ZERO {
            self.at(done.as_secs_f64() / of.as_secs_f64());
        }
    }

    fn asking(&self, done: usize, of: usize) {
        let text = format!("asking {done} of {of} windows");
        if self.terminal {
            self.bar.set_prefix(text);
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.elapsed() >= PLAIN_INTERVAL {
            *said = Instant::now();
            eprintln!("{text}");
        }
    }
}
