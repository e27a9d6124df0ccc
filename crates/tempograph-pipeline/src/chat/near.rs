//! Who was near whom, out of the graph.

use std::collections::BTreeMap;

use tempograph_core::{Graph, Timeline};

use super::{
    compose::article,
    evidence::{Evidence, Kind},
    lookup::bears_out,
    understand::Term,
};

/// A piece for each time two were near each other.
pub(super) fn pieces(timeline: &Timeline, graph: &Graph) -> Vec<Evidence> {
    let kinds: BTreeMap<&str, &str> = timeline.entities.iter().map(|e| (e.id.as_str(), e.kind.as_str())).collect();
    let near = graph.edges.iter().filter(|e| e.relation == "near");
    near.filter_map(|edge| {
        let (a, b) = (kinds.get(edge.source.as_str())?, kinds.get(edge.target.as_str())?);
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        let other = if a == b { format!("another {b}") } else { article(b) };
        let mut piece = Evidence::new(Kind::Near, edge.span, format!("{} is near {other}", article(a)));
        piece.entities = vec![edge.source.clone(), edge.target.clone()];
        piece.confidence = edge.confidence;
        Some(piece)
    })
    .collect()
}

/// What answers who is near `terms`: what was `found` of them, or all that is near anything when nothing is named.
pub(super) fn about<'e>(all: &'e [Evidence], found: Vec<&'e Evidence>, terms: &[Term]) -> Vec<&'e Evidence> {
    if terms.is_empty() {
        return all.iter().collect();
    }
    if !found.is_empty() {
        return found;
    }
    all.iter().filter(|e| terms.iter().all(|t| bears_out(t, e))).collect()
}
