//! `graph.dot`: the temporal graph for Graphviz, shapes and colours by kind.

use std::io::{self, Write};

use tempograph_core::{NodeKind, Result};

use crate::{Export, text::one_line, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    lines(export, out).map_err(write_failed)
}

fn lines(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"digraph tempograph {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", style=filled];\n  edge [fontname=\"sans-serif\", fontsize=10];\n")?;
    for node in &export.graph.nodes {
        let (shape, colour) = look(node.kind);
        let label = format!("{}\\n{} – {}", quote(&node.label), node.span.start, node.span.end);
        let id = quote(&node.id);
        writeln!(out, "  \"{id}\" [label=\"{label}\", shape={shape}, fillcolor=\"{colour}\"];")?;
    }
    for edge in &export.graph.edges {
        let (source, target) = (quote(&edge.source), quote(&edge.target));
        let label = format!("{}\\n{} – {}", quote(&edge.relation), edge.span.start, edge.span.end);
        writeln!(out, "  \"{source}\" -> \"{target}\" [label=\"{label}\"];")?;
    }
    out.write_all(b"}\n")
}

fn look(kind: NodeKind) -> (&'static str, &'static str) {
    match kind {
        NodeKind::Entity => ("ellipse", "#cfe3ff"),
        NodeKind::Event => ("box", "#ffe3bf"),
        NodeKind::Scene => ("folder", "#e4e4e4"),
        NodeKind::Speaker => ("hexagon", "#d6f0d2"),
    }
}

/// `text` for the inside of a quoted string.
fn quote(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('"', "\\\"")
}
