//! Every format of one realistic analysis, and of a hostile one.

use tempograph_core::{
    BoxXyxy, Claim, Detections, Edge, ErrorKind, Graph, MediaTime, Node, NodeKind, Observation, Span, Timeline,
    timeline::Video,
};
use tempograph_export::{Export, Format, Observations, schema_json};

fn citymix() -> Timeline {
    serde_json::from_str(include_str!("data/citymix.analysis.json")).expect("the committed analysis")
}

fn span(start_ms: i64, end_ms: i64) -> Span {
    Span::new(MediaTime::from_millis(start_ms), MediaTime::from_millis(end_ms))
}

fn node(id: &str, kind: NodeKind, label: &str) -> Node {
    Node { id: id.into(), kind, label: label.into(), span: span(0, 1500) }
}

fn graph() -> Graph {
    let edge = |relation: &str, confidence| Edge {
        source: "E1".into(),
        target: "V1".into(),
        relation: relation.into(),
        span: span(250, 1500),
        confidence,
    };
    Graph {
        nodes: vec![
            node("E1", NodeKind::Entity, "a \"quoted\" <person> & co\u{1}\\"),
            node("V1", NodeKind::Event, "approach\nin two lines"),
            node("S1", NodeKind::Scene, "S1"),
        ],
        edges: vec![edge("takes_part", 0.5), edge("near", 0.25)],
    }
}

fn write(format: Format, timeline: &Timeline, graph: &Graph) -> String {
    let mut out = Vec::new();
    format.write(&Export::new(timeline, graph), &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("formats are text")
}

#[test]
fn transcripts() {
    let timeline = citymix();
    for format in [Format::Srt, Format::Vtt, Format::Txt, Format::Csv] {
        insta::assert_snapshot!(format.name(), write(format, &timeline, &Graph::default()));
    }
}

#[test]
fn graphs() {
    let timeline = Timeline::empty(Video { id: "ab".into(), ..Video::default() });
    for format in [Format::GraphJson, Format::GraphMl, Format::Dot] {
        insta::assert_snapshot!(format.name(), write(format, &timeline, &graph()));
    }
}

#[test]
fn json_is_stable_and_reads_back() {
    let timeline = citymix();
    let json = write(Format::Json, &timeline, &Graph::default());
    assert_eq!(json, write(Format::Json, &timeline, &Graph::default()));
    assert_eq!(serde_json::from_str::<Timeline>(&json).unwrap(), timeline);
}

#[test]
fn graph_json_reads_back_as_the_graph() {
    let json = write(Format::GraphJson, &citymix(), &graph());
    assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph());
}

#[test]
fn an_empty_and_a_rich_timeline_keep_the_schema() {
    let validator = jsonschema::validator_for(&schema_json()).unwrap();
    for timeline in [Timeline::empty(Video::default()), citymix()] {
        let value = serde_json::to_value(&timeline).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut wrong = serde_json::to_value(citymix()).unwrap();
    wrong["schema"] = "tempograph.analysis/2".into();
    assert!(!validator.is_valid(&wrong));
    wrong = serde_json::to_value(citymix()).unwrap();
    wrong["visual_events"][0]["type"] = "dance".into();
    assert!(!validator.is_valid(&wrong));
}

#[test]
fn observations_are_read_from_the_start_by_each_format() {
    let mut detections = Detections::default();
    detections.push(BoxXyxy::new(1.0, 2.0, 3.0, 4.0), 0.5, "cat");
    let seen = Observation { span: span(40, 40), claim: Claim::Detections { frame: 1, detections } };
    let cut = Observation { span: span(80, 80), claim: Claim::Cut { frame: 2, detector: "content".into() } };
    let open = || Ok(Box::new([Ok(seen.clone()), Ok(cut.clone())].into_iter()) as Observations<'_>);
    let (timeline, graph) = (citymix(), Graph::default());
    let export = Export::new(&timeline, &graph).with_observations(&open);
    for _ in 0..2 {
        let mut out = Vec::new();
        Format::Detections.write(&export, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"t_s\":0.04,\"frame\":1,\"boxes\":[{\"track\":null,\"label\":\"cat\",\"score\":0.5,\"xyxy\":[1.0,2.0,3.0,4.0]}]}\n"
        );
    }
}

#[test]
fn a_full_disk_is_said_to_be_one() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (timeline, graph) = (citymix(), graph());
    for format in Format::ALL.iter().filter(|f| **f != Format::Detections) {
        let error = format.write(&Export::new(&timeline, &graph), &mut Full).expect_err("no space");
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{format}");
    }
}
