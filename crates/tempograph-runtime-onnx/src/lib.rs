//! Runs ONNX graphs with ONNX Runtime, loaded at run time.
//!
//! [`OnnxRuntime`] is the [`Runtime`](tempograph_core::Runtime): it opens the shared library once a process and
//! loads model files into sessions. `conformance` holds what any runtime has to do the same way.
//!
//! **Invariant:** knows tensors and files, no model family.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod runtime;
mod session;
mod tally;
#[cfg(test)]
mod testing;

pub use runtime::{Device, OnnxRuntime};
