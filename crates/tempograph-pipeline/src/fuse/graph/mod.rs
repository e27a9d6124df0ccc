//! The temporal graph of a timeline, and questions to it.

mod build;
mod query;

pub use build::graph;
pub use query::{Encounter, GraphIndex};
