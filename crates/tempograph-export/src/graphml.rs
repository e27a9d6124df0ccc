//! `graph.graphml`: the temporal graph for NetworkX, Gephi, yEd and Neo4j, with typed keys.

use std::io::{self, Write};

use tempograph_core::{NodeKind, Result};

use crate::{Export, text::xml as escape, write_failed};

/// Key id, what it belongs to, attribute name, type.
const KEYS: [(&str, &str, &str, &str); 8] = [
    ("n_kind", "node", "kind", "string"),
    ("n_label", "node", "label", "string"),
    ("n_start", "node", "start_s", "double"),
    ("n_end", "node", "end_s", "double"),
    ("e_relation", "edge", "relation", "string"),
    ("e_start", "edge", "start_s", "double"),
    ("e_end", "edge", "end_s", "double"),
    ("e_confidence", "edge", "confidence", "double"),
];

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    lines(export, out).map_err(write_failed)
}

fn lines(export: &Export<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    out.write_all(b"<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n")?;
    for (id, of, name, kind) in KEYS {
        writeln!(out, "  <key id=\"{id}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>")?;
    }
    out.write_all(b"  <graph id=\"tempograph\" edgedefault=\"directed\">\n")?;
    for node in &export.graph.nodes {
        let (start, end) = (node.span.start.as_secs_f64(), node.span.end.as_secs_f64());
        writeln!(out, "    <node id=\"{}\">", escape(&node.id))?;
        writeln!(out, "      <data key=\"n_kind\">{}</data>", kind_name(node.kind))?;
        writeln!(out, "      <data key=\"n_label\">{}</data>", escape(&node.label))?;
        writeln!(out, "      <data key=\"n_start\">{start}</data>\n      <data key=\"n_end\">{end}</data>")?;
        out.write_all(b"    </node>\n")?;
    }
    for (i, edge) in export.graph.edges.iter().enumerate() {
        let (start, end) = (edge.span.start.as_secs_f64(), edge.span.end.as_secs_f64());
        let (source, target) = (escape(&edge.source), escape(&edge.target));
        writeln!(out, "    <edge id=\"e{i}\" source=\"{source}\" target=\"{target}\">")?;
        writeln!(out, "      <data key=\"e_relation\">{}</data>", escape(&edge.relation))?;
        writeln!(out, "      <data key=\"e_start\">{start}</data>\n      <data key=\"e_end\">{end}</data>")?;
        writeln!(out, "      <data key=\"e_confidence\">{}</data>", edge.confidence)?;
        out.write_all(b"    </edge>\n")?;
    }
    out.write_all(b"  </graph>\n</graphml>\n")
}

/// The kind as in JSON.
pub(crate) fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Entity => "entity",
        NodeKind::Event => "event",
        NodeKind::Scene => "scene",
        NodeKind::Speaker => "speaker",
    }
}
