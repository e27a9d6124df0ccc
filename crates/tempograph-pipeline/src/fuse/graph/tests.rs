//! A small made timeline, its graph and the answers it gives.

use proptest::prelude::*;
use tempograph_core::{
    MediaTime, NodeKind, Span, Timeline,
    allen::Relation,
    timeline::{
        AudioEvent, AudioEventKind, Correlation, Entity, Evidence, Scene, Track, Video, VisualEvent, VisualEventKind,
    },
};

use super::{GraphIndex, graph};
use crate::fuse::{Place, Standing};

fn span(from: i64, to: i64) -> Span {
    Span::new(MediaTime::from_millis(from), MediaTime::from_millis(to))
}

fn scene(id: &str, span: Span) -> Scene {
    Scene { id: id.into(), span, start_frame: 0, thumbnail: None, summary: None }
}

fn entity(n: u32, span: Span) -> (Entity, Track) {
    let id = format!("E{n}");
    let track = Track { id: n, label: "person".into(), score: 0.9, span, frames: 9, entity: Some(id.clone()) };
    let entity = Entity {
        id,
        kind: "person".into(),
        description: String::new(),
        first_seen_s: span.start,
        last_seen_s: span.end,
        tracks: vec![n],
        speakers: Vec::new(),
        origin: "tracks".into(),
        told: Vec::new(),
    };
    (entity, track)
}

fn seen(id: &str, kind: VisualEventKind, entities: &[&str], span: Span) -> VisualEvent {
    VisualEvent {
        id: id.into(),
        kind,
        entities: entities.iter().map(|&e| e.into()).collect(),
        span,
        description: String::new(),
        confidence: 0.8,
        origin: "geometry".into(),
        evidence: Evidence::default(),
    }
}

fn heard(id: &str, kind: AudioEventKind, text: Option<&str>, speaker: Option<&str>, span: Span) -> AudioEvent {
    AudioEvent {
        id: id.into(),
        kind,
        span,
        text: text.map(str::to_owned),
        speaker: speaker.map(str::to_owned),
        language: None,
        words: None,
        label: None,
        confidence: 0.7,
        alternatives: Vec::new(),
        prosody: None,
        emotion: None,
        emotion_basis: None,
    }
}

fn near(a: &str, b: &str, span: Span) -> Standing {
    Standing { place: Place::Near, entities: [a.into(), b.into()], span, confidence: 0.9 }
}

/// Two scenes; E1 and E2 meet in the first, E2 and E3 too, E4 is alone in the second.
fn made() -> (Timeline, Vec<Standing>) {
    let mut timeline = Timeline::empty(Video::default());
    timeline.scenes = vec![scene("S1", span(0, 10_000)), scene("S2", span(10_000, 20_000))];
    let spans = [span(0, 9000), span(1000, 9500), span(2000, 9900), span(11_000, 19_000)];
    for (i, s) in spans.into_iter().enumerate() {
        let (entity, track) = entity(i as u32 + 1, s);
        timeline.entities.push(entity);
        timeline.tracks.push(track);
    }
    timeline.visual_events = vec![
        seen("V1", VisualEventKind::Approach, &["E1", "E2"], span(1000, 4000)),
        seen("V2", VisualEventKind::Interact, &["E1", "E2"], span(4000, 7000)),
        seen("V3", VisualEventKind::Idle, &["E4"], span(12_000, 18_000)),
    ];
    timeline.audio_events = vec![
        heard("A1", AudioEventKind::Speech, Some("good morning"), Some("SPK1"), span(5000, 6000)),
        heard("A2", AudioEventKind::Silence, None, None, span(6000, 20_000)),
    ];
    let correlation = Correlation {
        visual: "V2".into(),
        audio: "A1".into(),
        relation: "simultaneous".into(),
        gap_s: MediaTime::ZERO,
        confidence: 0.7,
    };
    timeline.correlations = vec![correlation];
    (
        timeline,
        vec![
            near("E1", "E2", span(3500, 7500)),
            near("E2", "E3", span(8000, 9000)),
            near("E1", "E2", span(8000, 8500)),
        ],
    )
}

fn ids(nodes: Vec<&tempograph_core::Node>) -> Vec<&str> {
    nodes.into_iter().map(|n| n.id.as_str()).collect()
}

#[test]
fn nodes_and_edges_of_every_kind() {
    let (timeline, near) = made();
    let graph = graph(&timeline, &near);
    let of = |kind| graph.nodes.iter().filter(|n| n.kind == kind).map(|n| n.id.as_str()).collect::<Vec<_>>();
    assert_eq!(of(NodeKind::Entity), ["E1", "E2", "E3", "E4"]);
    assert_eq!(of(NodeKind::Event), ["V1", "V2", "A1", "V3"], "a silence is no node");
    assert_eq!(of(NodeKind::Scene), ["S1", "S2"]);
    assert_eq!(of(NodeKind::Speaker), ["SPK1"]);
    let has = |source: &str, relation: &str, target: &str| {
        graph
            .edges
            .iter()
            .any(|e| (e.source.as_str(), e.relation.as_str(), e.target.as_str()) == (source, relation, target))
    };
    for (source, relation, target) in [
        ("E1", "takes_part", "V1"),
        ("SPK1", "speaks", "A1"),
        ("E4", "in_scene", "S2"),
        ("V2", "in_scene", "S1"),
        ("E1", "near", "E2"),
        ("V2", "correlates", "A1"),
        ("V1", "meets", "V2"),
        ("V2", "contains", "A1"),
        ("A1", "before", "V3"),
        ("S1", "meets", "S2"),
    ] {
        assert!(has(source, relation, target), "{source} {relation} {target} in {:#?}", graph.edges);
    }
    assert!(!has("E4", "in_scene", "S1"));
}

#[test]
fn who_was_near_whom_and_when() {
    let (timeline, near) = made();
    let graph = graph(&timeline, &near);
    let index = GraphIndex::new(&graph);
    let with: Vec<_> = index.near("E2").into_iter().map(|n| (n.with, n.span)).collect();
    let want = [("E1", span(3500, 7500)), ("E1", span(8000, 8500)), ("E3", span(8000, 9000))];
    assert_eq!(with, want.map(|(id, s)| (id.to_owned(), s)));
    assert_eq!(index.near_each_other("E2", "E1"), [span(3500, 7500), span(8000, 8500)]);
    assert!(index.near("E4").is_empty() && index.near("nobody").is_empty());
}

#[test]
fn what_was_before_and_after() {
    let (timeline, near) = made();
    let graph = graph(&timeline, &near);
    let index = GraphIndex::new(&graph);
    assert_eq!(ids(index.before("V3")), ["V2", "A1", "V1"]);
    assert_eq!(ids(index.after("V1")), ["V2", "A1", "V3"]);
    assert_eq!(ids(index.before("V2")), ["V1"]);
    assert!(index.after("V3").is_empty() && index.before("nothing").is_empty());
}

#[test]
fn who_is_there_and_does_what() {
    let (timeline, near) = made();
    let graph = graph(&timeline, &near);
    let index = GraphIndex::new(&graph);
    assert_eq!(ids(index.entities_in(span(0, 1500))), ["E1", "E2"]);
    assert_eq!(ids(index.entities_in(span(9950, 10_500))), [""; 0]);
    assert_eq!(ids(index.entities_in(span(15_000, 15_001))), ["E4"]);
    assert_eq!(ids(index.events_of("E1")), ["V1", "V2"]);
    assert_eq!(ids(index.events_of("SPK1")), ["A1"]);
}

#[test]
fn how_two_hang_together() {
    let (timeline, near) = made();
    let graph = graph(&timeline, &near);
    let index = GraphIndex::new(&graph);
    let path = |a, b| index.path(a, b).map(|p| p.iter().map(|e| e.relation.as_str()).collect::<Vec<_>>());
    assert_eq!(path("E1", "E3"), Some(vec!["near", "near"]));
    assert_eq!(path("E4", "S2"), Some(vec!["in_scene"]));
    assert_eq!(path("E1", "E1"), Some(vec![]));
    assert_eq!(path("E1", "nobody"), None);
}

#[test]
fn the_graph_of_nothing_is_empty() {
    let graph = graph(&Timeline::empty(Video::default()), &[]);
    assert!(graph.nodes.is_empty() && graph.edges.is_empty());
}

proptest! {
    #[test]
    fn order_edges_are_true_and_few(spans in prop::collection::vec((0i64..50_000, 1i64..9000), 0..120)) {
        let mut timeline = Timeline::empty(Video::default());
        timeline.visual_events = spans
            .iter()
            .enumerate()
            .map(|(i, &(from, length))| seen(&format!("V{i}"), VisualEventKind::Idle, &[], span(from, from + length)))
            .collect();
        let graph = graph(&timeline, &[]);
        let at = |id: &str| graph.nodes.iter().find(|n| n.id == id).expect("a node").span;
        for edge in &graph.edges {
            let relation = Relation::between(at(&edge.source), at(&edge.target));
            prop_assert_eq!(relation.as_str(), edge.relation.as_str());
        }
        prop_assert!(graph.edges.len() <= 9 * spans.len());
        // Every event but the last to start leads on to a later one.
        let index = GraphIndex::new(&graph);
        for node in &graph.nodes {
            let next = index.after(&node.id);
            prop_assert!(next.is_empty() || graph.edges.iter().any(|e| e.source == node.id));
        }
    }
}
