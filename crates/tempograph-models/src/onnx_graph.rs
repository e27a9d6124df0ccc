//! Writes ONNX graphs: the nodes here, the weights in a file beside the graph.
//!
//! A model converter describes its network with [`Graph`] and streams tensors into a [`WeightsFile`]; only one tensor is
//! in memory at a time, and the same weights always give the same bytes.

mod graph;
mod proto;
mod weights;

pub use graph::{Attribute, Dim, ElementType, Graph};
pub use weights::{Stored, WeightsFile};
