//! Builds the graph: entities, events, scenes and speakers, joined by relations with intervals.
//!
//! | relation | from | to | holds |
//! | --- | --- | --- | --- |
//! | `takes_part` | entity | visual event | during the event |
//! | `speaks` | speaker | audio event | during the event |
//! | `voice_of` | speaker | entity | while both are known |
//! | `in_scene` | entity, event | scene | the common time |
//! | `near` | entity | entity | each time they are near |
//! | `in_front_of` | entity | entity | each time the first covers the second's place from nearer by; where depth is known |
//! | `correlates` | visual event | audio event | from the start of the first to the end of the last |
//! | Allen's | scene, event | the next ones | from the start of the first to the end of the last |
//!
//! Allen relations between all events would be quadratic. Each event is joined to those it
//! overlaps, up to [`OVERLAPS`], and to the next one that starts after it ends; whatever else is
//! before or after follows along these edges.

use std::collections::{BTreeMap, BTreeSet};

use tempograph_core::{Edge, Graph, Node, NodeKind, Span, Timeline, allen::Relation, timeline::AudioEventKind};

use super::super::Standing;

/// Overlapping events that an event is joined to.
const OVERLAPS: usize = 8;
/// Characters of speech in a label.
const LABEL: usize = 48;

/// The graph of `timeline`, with an edge for each of `standings`.
pub fn graph(timeline: &Timeline, standings: &[Standing]) -> Graph {
    let mut edges = Vec::new();
    let speakers = speakers(timeline);
    let mut nodes = nodes(timeline, &speakers);
    participation(timeline, &mut edges);
    places(timeline, &mut edges);
    voices(timeline, &speakers, &mut edges);
    edges.extend(standings.iter().map(|s| {
        let [a, b] = &s.entities;
        edge(a, b, s.place.as_str(), s.span, s.confidence)
    }));
    correlations(timeline, &mut edges);
    let scenes: Vec<_> = timeline.scenes.iter().map(|s| (s.span, s.id.as_str(), 1.0)).collect();
    order(scenes, &mut edges);
    order(events(timeline), &mut edges);

    nodes.sort_by(|a, b| (a.kind, a.span, &a.id).cmp(&(b.kind, b.span, &b.id)));
    let known: BTreeSet<&str> = nodes.iter().map(|n| n.id.as_str()).collect();
    edges.retain(|e| known.contains(e.source.as_str()) && known.contains(e.target.as_str()));
    edges.sort_by(|a, b| {
        let key = |e: &Edge| (e.span.start, e.source.clone(), e.target.clone(), e.relation.clone(), e.span.end);
        key(a).cmp(&key(b))
    });
    Graph { nodes, edges }
}

fn edge(source: &str, target: &str, relation: &str, span: Span, confidence: f32) -> Edge {
    Edge { source: source.to_owned(), target: target.to_owned(), relation: relation.to_owned(), span, confidence }
}

/// Every event as span, id and confidence. A silence is the lack of one.
fn events(timeline: &Timeline) -> Vec<(Span, &str, f32)> {
    let seen = timeline.visual_events.iter().map(|e| (e.span, e.id.as_str(), e.confidence));
    let heard = timeline.audio_events.iter().filter(|e| e.kind != AudioEventKind::Silence);
    seen.chain(heard.map(|e| (e.span, e.id.as_str(), e.confidence))).collect()
}

fn speakers(timeline: &Timeline) -> BTreeMap<&str, Span> {
    let mut speakers: BTreeMap<&str, Span> = BTreeMap::new();
    for event in &timeline.audio_events {
        if let Some(speaker) = &event.speaker {
            speakers.entry(speaker).and_modify(|s| *s = hull(*s, event.span)).or_insert(event.span);
        }
    }
    speakers
}

fn nodes(timeline: &Timeline, speakers: &BTreeMap<&str, Span>) -> Vec<Node> {
    let node = |id: &str, kind, label: String, span| Node { id: id.to_owned(), kind, label, span };
    let entities = timeline.entities.iter().map(|e| {
        let span = Span::new(e.first_seen_s, e.last_seen_s);
        node(&e.id, NodeKind::Entity, format!("{} {}", e.kind, e.id), span)
    });
    let seen = timeline.visual_events.iter().map(|e| node(&e.id, NodeKind::Event, e.kind.as_str().to_owned(), e.span));
    let heard = timeline.audio_events.iter().filter(|e| e.kind != AudioEventKind::Silence).map(|e| {
        let label = match e.text.as_deref().or(e.label.as_deref()) {
            Some(text) => text.chars().take(LABEL).collect(),
            None => "speech".to_owned(),
        };
        node(&e.id, NodeKind::Event, label, e.span)
    });
    let scenes = timeline
        .scenes
        .iter()
        .map(|s| node(&s.id, NodeKind::Scene, format!("scene {}", s.id.trim_start_matches('S')), s.span));
    let voices = speakers.iter().map(|(id, span)| node(id, NodeKind::Speaker, (*id).to_owned(), *span));
    entities.chain(seen).chain(heard).chain(scenes).chain(voices).collect()
}

fn participation(timeline: &Timeline, edges: &mut Vec<Edge>) {
    for event in &timeline.visual_events {
        edges.extend(event.entities.iter().map(|e| edge(e, &event.id, "takes_part", event.span, event.confidence)));
    }
}

fn places(timeline: &Timeline, edges: &mut Vec<Edge>) {
    let scenes = &timeline.scenes;
    let mut place = |id: &str, span: Span, confidence: f32| {
        let first = scenes.partition_point(|s| s.span.end <= span.start);
        for scene in scenes[first..].iter().take_while(|s| s.span.start < span.end || s.span.contains(span.start)) {
            let common = span.intersect(scene.span).unwrap_or(span);
            edges.push(edge(id, &scene.id, "in_scene", common, confidence));
        }
    };
    for (span, id, confidence) in events(timeline) {
        place(id, span, confidence);
    }
    let mut seen: BTreeSet<(String, usize)> = BTreeSet::new();
    for track in &timeline.tracks {
        let Some(entity) = &track.entity else { continue };
        // An entity with several tracks in one scene is in it once, from the first to the last.
        let first = scenes.partition_point(|s| s.span.end <= track.span.start);
        if seen.insert((entity.clone(), first)) {
            let tracks = timeline.tracks.iter().filter(|t| t.entity.as_ref() == Some(entity));
            let within = tracks.filter(|t| scenes.partition_point(|s| s.span.end <= t.span.start) == first);
            let (whole, score) = within.fold((track.span, track.score), |(s, c), t| (hull(s, t.span), c.max(t.score)));
            place(entity, whole, score);
        }
    }
}

fn voices(timeline: &Timeline, speakers: &BTreeMap<&str, Span>, edges: &mut Vec<Edge>) {
    for event in &timeline.audio_events {
        if let Some(speaker) = &event.speaker {
            edges.push(edge(speaker, &event.id, "speaks", event.span, event.confidence));
        }
    }
    for entity in &timeline.entities {
        let span = Span::new(entity.first_seen_s, entity.last_seen_s);
        for speaker in &entity.speakers {
            let heard = speakers.get(speaker.as_str()).copied().unwrap_or(span);
            edges.push(edge(speaker, &entity.id, "voice_of", hull(heard, span), 1.0));
        }
    }
}

fn correlations(timeline: &Timeline, edges: &mut Vec<Edge>) {
    let spans: BTreeMap<&str, Span> = events(timeline).into_iter().map(|(span, id, _)| (id, span)).collect();
    edges.extend(timeline.correlations.iter().filter_map(|c| {
        let (seen, heard) = (*spans.get(c.visual.as_str())?, *spans.get(c.audio.as_str())?);
        Some(edge(&c.visual, &c.audio, "correlates", hull(seen, heard), c.confidence))
    }));
}

/// Allen relations between neighbours.
fn order(mut items: Vec<(Span, &str, f32)>, edges: &mut Vec<Edge>) {
    items.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    for (i, (span, id, confidence)) in items.iter().enumerate() {
        let relate = |(other, to, sure): &(Span, &str, f32)| {
            let relation = Relation::between(*span, *other);
            edge(id, to, relation.as_str(), hull(*span, *other), confidence.min(*sure))
        };
        let overlapping = items[i + 1..].iter().take(OVERLAPS).take_while(|n| n.0.start < span.end);
        edges.extend(overlapping.map(relate));
        let next = items.partition_point(|n| n.0.start < span.end).max(i + 1);
        edges.extend(items.get(next).map(relate));
    }
}

fn hull(a: Span, b: Span) -> Span {
    Span::new(a.start.min(b.start), a.end.max(b.end))
}
