//! The temporal graph: who and what, joined by relations that hold for an interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A person or thing.
    Entity,
    /// Something that happened, seen or heard.
    Event,
    /// A stretch between two cuts.
    Scene,
    /// A voice.
    Speaker,
}

/// A node of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// The id it has in the analysis, e.g. `E1`.
    pub id: String,
    /// What it stands for.
    pub kind: NodeKind,
    /// A short name for people.
    pub label: String,
    /// When it is there.
    #[serde(flatten)]
    pub span: Span,
}

/// A relation that holds for an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Edge {
    /// Id of the node it starts from.
    pub source: String,
    /// Id of the node it leads to.
    pub target: String,
    /// What holds, e.g. `near`, `takes_part`, `before`.
    pub relation: String,
    /// When it holds.
    #[serde(flatten)]
    pub span: Span,
    /// 0 to 1.
    pub confidence: f32,
}

/// Nodes and edges, in the node-link form that NetworkX and D3 read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    /// Nodes, ordered by kind, then start, then id.
    pub nodes: Vec<Node>,
    /// Edges, ordered by start, then source, target and relation.
    #[serde(rename = "links")]
    pub edges: Vec<Edge>,
}
