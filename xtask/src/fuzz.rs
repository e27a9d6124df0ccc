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

/// Whether the parser needs long, again and again: once may be the machine's doing.
fn takes_long(target: &Target, input: &[u8]) -> bool {
    (0..3).all(|_| {
        let start = Instant::now();
        target.run(input);
        start.elapsed() > SLOW
    })
}

/// Gives what an earlier run kept to its target again.
///
/// # Errors
/// When there is no such target or file.
pub fn replay(target: Option<&str>, input: &std::path::Path) -> anyhow::Result<()> {
    let target = TARGETS.iter().find(|t| Some(t.name) == target).context("there is no such target")?;
    let bytes = std::fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let start = Instant::now();
    target.run(&bytes);
    crate::say(&format!("{}: {} bytes in {:.3} s", target.name, bytes.len(), start.elapsed().as_secs_f64()));
    Ok(())
}

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
            let fine = catch_unwind(AssertUnwindSafe(|| takes_long(target, &input)));
            let (fine, slow) = (fine.is_ok(), fine.unwrap_or(false));
            if !fine || slow {
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
