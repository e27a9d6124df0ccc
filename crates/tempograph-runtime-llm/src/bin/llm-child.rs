//! The child process alone, for the tests of this crate; the command has it as a hidden subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    if tempograph_runtime_llm::serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
