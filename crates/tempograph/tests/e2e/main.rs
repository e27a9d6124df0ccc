//! End to end: the real binary on real files.

mod analyze;
mod cli;
mod kill;
mod robust;
mod support;
