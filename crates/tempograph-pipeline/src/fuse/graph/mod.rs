//! The temporal graph of a timeline, and questions to it.

mod build;
mod query;
#[cfg(test)]
mod tests;

pub use build::graph;
pub use query::{Encounter, GraphIndex};
