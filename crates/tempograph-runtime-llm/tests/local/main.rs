//! A local model through its child process, from the caller's side.
//!
//! The tiny vision models of `fixtures/` are always there. The default text model is used where it has been pulled.

mod answers;
mod failures;
mod support;
mod trouble;
