//! End to end: the real binary on real files.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "helpers of tests, outside test functions"
)]

mod analyze;
mod asking;
mod cli;
mod frames;
mod keeping;
mod kill;
mod leaving;
mod local;
mod picture;
mod questions;
mod robust;
mod routing;
mod search;
mod senses;
mod support;
mod tagging;
mod teller;
mod voices;
