//! What development tasks share with the fuzz targets of `fuzz/`.

pub mod fuzz;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The repository's root.
///
/// # Errors
/// Never, unless the crate was moved out of it.
pub fn root() -> anyhow::Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask lies in the repository")?.to_owned())
}

/// Tells the person who runs the task.
#[expect(clippy::print_stdout, reason = "a task talks to the person who runs it")]
pub fn say(text: &str) {
    println!("{text}");
}
