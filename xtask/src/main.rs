//! Development tasks: `cargo run --release -p xtask -- TASK`.

mod codegen;
mod edges;

use clap::Parser;
use xtask::{fuzz, root, say};

#[derive(Debug, Parser)]
#[command(about = "Development tasks of TempoGraph")]
enum Task {
    /// Write the generated files
    Codegen {
        /// Change nothing; fail when a file is not what would be written
        #[arg(long)]
        check: bool,
    },
    /// Assert which crate must not reach which, each beside an edge that must exist
    Edges,
    /// Throw mutated inputs at a parser
    Fuzz {
        /// Which parser; none means every one in turn
        target: Option<String>,
        /// How long each runs
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// Start of the random numbers; the same seed tries the same inputs
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Give the parser this file once instead
        #[arg(long, requires = "target")]
        input: Option<std::path::PathBuf>,
    },
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Codegen { check } => codegen::run(check),
        Task::Edges => edges::run(),
        Task::Fuzz { target, input: Some(file), .. } => fuzz::replay(target.as_deref(), &file),
        Task::Fuzz { target, seconds, seed, .. } => fuzz::run(target.as_deref(), seconds, seed),
    }
}
