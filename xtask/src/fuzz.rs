//! A mutation loop for parsers that need not have anything but a stable toolchain.
//!
//! A target is a function that must neither panic nor take long, whatever it is given. Inputs are mutated from a small
//! corpus beside the target. There is no coverage feedback: `fuzz/` has the same targets for cargo-fuzz.

mod mutate;
mod targets;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use mutate::Mutator;
pub use targets::{TARGETS, Target};

/// One input may take this long.
const SLOW: Duration = Duration::from_secs(5);

/// Runs one target, or each in turn.
/// # Errors
/// When an input makes a target panic or take long, or there is no such target.
pub fn run(target: Option<&str>, seconds: u64, seed: u64) -> anyhow::Result<()> {
    let chosen: Vec<_> = TARGETS.iter().filter(|t| target.is_none_or(|name| t.name == name)).collect();
    if chosen.is_empty() {
        let known: Vec<_> = TARGETS.iter().map(|t| t.name).collect();
        bail!("there is no such target; the targets are {}", known.join(", "));
    }
    for target in chosen {
        let begun = Instant::now();
        let mut mutator = Mutator::new(target.corpus, seed);
        let mut tried = 0_u64;
        while begun.elapsed() < Duration::from_secs(seconds) {
            let input = mutator.next();
            let start = Instant::now();
            let fine = catch_unwind(AssertUnwindSafe(|| target.run(&input))).is_ok();
            if !fine || start.elapsed() > SLOW {
                let what = if fine { "is slow" } else { "panics" };
                let file = crate::root()?.join("target").join(format!("fuzz-{}-{tried}", target.name));
                std::fs::write(&file, &input).context("cannot keep the input")?;
                bail!("`{}` {what} on input {tried} of seed {seed}, kept in {}", target.name, file.display());
            }
            tried += 1;
        }
        crate::say(&format!("{}: {tried} inputs in {seconds} s", target.name));
    }
    Ok(())
}
