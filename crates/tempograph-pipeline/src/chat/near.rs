//! Who was near whom, out of the graph.

use std::collections::BTreeMap;

use tempograph_core::{Edge, Graph, Timeline};

use super::{
    compose::article,
    evidence::{Evidence, Kind},
    lookup::bears_out,
    understand::Term,
};

/// A piece for each time two were near each other, or one in front of the other.
pub(super) fn pieces(timeline: &Timeline, graph: &Graph) -> Vec<Evidence> {
    let kinds: BTreeMap<&str, &str> = timeline.entities.iter().map(|e| (e.id.as_str(), e.kind.as_str())).collect();
    let how = |edge: &Edge| match edge.relation.as_str() {
        "near" => Some(("near", true)),
        "in_front_of" => Some(("in front of", false)),
        _ => None,
    };
    graph
        .edges
        .iter()
        .filter_map(|edge| {
            let (place, mutual) = how(edge)?;
            let (a, b) = (kinds.get(edge.source.as_str())?, kinds.get(edge.target.as_str())?);
            let (a, b) = if mutual && a > b { (b, a) } else { (a, b) };
            let other = if a == b { format!("another {b}") } else { article(b) };
            let mut piece = Evidence::new(Kind::Near, edge.span, format!("{} is {place} {other}", article(a)));
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
