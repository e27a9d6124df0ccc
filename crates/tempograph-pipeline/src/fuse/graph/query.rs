//! Questions to the graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tempograph_core::{Edge, Graph, Node, NodeKind, Span};

/// Two that were near each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Encounter {
    /// Id of the other entity.
    pub with: String,
    /// When.
    pub span: Span,
    /// 0 to 1.
    pub confidence: f32,
}

/// A graph with what is needed to ask it something. Ids that it does not hold have empty answers.
#[derive(Debug)]
pub struct GraphIndex<'a> {
    graph: &'a Graph,
    nodes: BTreeMap<&'a str, &'a Node>,
    /// Edges at each node, in either direction, in the graph's order.
    edges: BTreeMap<&'a str, Vec<&'a Edge>>,
}

impl<'a> GraphIndex<'a> {
    /// Indexes `graph`.
    pub fn new(graph: &'a Graph) -> Self {
        let mut edges: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
        for edge in &graph.edges {
            edges.entry(&edge.source).or_default().push(edge);
            if edge.source != edge.target {
                edges.entry(&edge.target).or_default().push(edge);
            }
        }
        Self { graph, nodes: graph.nodes.iter().map(|n| (n.id.as_str(), n)).collect(), edges }
    }

    /// Whom `entity` was near, and when, in order of time.
    pub fn near(&self, entity: &str) -> Vec<Encounter> {
        self.at(entity)
            .filter(|e| e.relation == "near")
            .map(|e| Encounter { with: other(e, entity).to_owned(), span: e.span, confidence: e.confidence })
            .collect()
    }

    /// When `a` and `b` were near each other, in order of time.
    pub fn near_each_other(&self, a: &str, b: &str) -> Vec<Span> {
        self.near(a).into_iter().filter(|n| n.with == b).map(|n| n.span).collect()
    }

    /// Events over before `node` starts, the latest first.
    pub fn before(&self, node: &str) -> Vec<&'a Node> {
        let Some(of) = self.nodes.get(node) else { return Vec::new() };
        let mut found: Vec<_> = self.events().filter(|e| e.id != of.id && e.span.end <= of.span.start).collect();
        found.sort_by(|a, b| b.span.end.cmp(&a.span.end).then(a.id.cmp(&b.id)));
        found
    }

    /// Events that start when `node` is over, the earliest first.
    pub fn after(&self, node: &str) -> Vec<&'a Node> {
        let Some(of) = self.nodes.get(node) else { return Vec::new() };
        let mut found: Vec<_> = self.events().filter(|e| e.id != of.id && e.span.start >= of.span.end).collect();
        found.sort_by(|a, b| a.span.start.cmp(&b.span.start).then(a.id.cmp(&b.id)));
        found
    }

    /// Entities that are there at some time in `window`: seen in a scene, or taking part in something.
    pub fn entities_in(&self, window: Span) -> Vec<&'a Node> {
        let there = |e: &&Edge| matches!(e.relation.as_str(), "in_scene" | "takes_part" | "near");
        let touches = |s: Span| s.intersect(window).is_some() || window.contains(s.start);
        let ids: BTreeSet<&str> = self
            .graph
            .edges
            .iter()
            .filter(there)
            .filter(|e| touches(e.span))
            .flat_map(|e| [e.source.as_str(), e.target.as_str()])
            .collect();
        self.graph.nodes.iter().filter(|n| n.kind == NodeKind::Entity && ids.contains(n.id.as_str())).collect()
    }

    /// Events that `entity` takes part in, in order of time.
    pub fn events_of(&self, entity: &str) -> Vec<&'a Node> {
        let mut found: Vec<&Node> = self
            .at(entity)
            .filter(|e| e.relation == "takes_part" || e.relation == "speaks")
            .filter_map(|e| self.nodes.get(other(e, entity)).copied())
            .collect();
        found.sort_by(|a, b| (a.span, &a.id).cmp(&(b.span, &b.id)));
        found
    }

    /// The fewest edges that lead from `from` to `to`, in either direction; `None` when none do.
    ///
    /// Scenes join everything that shows at the same place, so paths through them are left out
    /// unless a scene is asked for.
    pub fn path(&self, from: &str, to: &str) -> Option<Vec<&'a Edge>> {
        let (&start, &goal) = (self.nodes.get(from)?, self.nodes.get(to)?);
        let mut came: BTreeMap<&str, &Edge> = BTreeMap::new();
        let mut queue = VecDeque::from([start.id.as_str()]);
        while let Some(here) = queue.pop_front() {
            if here == goal.id {
                break;
            }
            for edge in self.at(here) {
                let next = other(edge, here);
                let scene = self.nodes.get(next).is_some_and(|n| n.kind == NodeKind::Scene);
                if next != from && !came.contains_key(next) && (!scene || next == to) {
                    came.insert(next, edge);
                    queue.push_back(next);
                }
            }
        }
        let mut path = Vec::new();
        let mut here = goal.id.as_str();
        while here != start.id {
            let edge = came.get(here)?;
            path.push(*edge);
            here = other(edge, here);
        }
        path.reverse();
        Some(path)
    }

    fn at(&self, node: &str) -> impl Iterator<Item = &'a Edge> {
        self.edges.get(node).into_iter().flatten().copied()
    }

    fn events(&self) -> impl Iterator<Item = &'a Node> {
        self.graph.nodes.iter().filter(|n| n.kind == NodeKind::Event)
    }
}

/// The end of `edge` that is not `node`.
fn other<'e>(edge: &'e Edge, node: &str) -> &'e str {
    if edge.source == node { &edge.target } else { &edge.source }
}
