//! `graph.json`: the temporal graph in node-link form.
//!
//! D3 reads it as it is; NetworkX with `node_link_graph(data, edges="links")`. Relations have a
//! direction and may repeat between two nodes, which the two flags say.

use std::io::Write;

use serde::Serialize;
use tempograph_core::{Edge, Node, Result};

use crate::{Export, json};

#[derive(Serialize)]
struct NodeLink<'a> {
    directed: bool,
    multigraph: bool,
    graph: About<'a>,
    nodes: &'a [Node],
    links: &'a [Edge],
}

#[derive(Serialize)]
struct About<'a> {
    video: &'a str,
}

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let document = NodeLink {
        directed: true,
        multigraph: true,
        graph: About { video: &export.timeline.video.id },
        nodes: &export.graph.nodes,
        links: &export.graph.edges,
    };
    json::pretty(&document, out)
}
