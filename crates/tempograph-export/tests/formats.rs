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
    let (timeline, graph) = (hostile(), graph());
    let open = || seen();
    let export = Export::new(&timeline, &graph).with_observations(&open);
    for format in Format::ALL.iter().filter(|f| **f != Format::Detections) {
        let error = format.write(&export, &mut Full).expect_err("no space");
        assert_eq!(error.kind(), ErrorKind::DiskFull, "{format}");
    }
}

/// Names from a video that means harm: ends of lines, quotes, markup, separators, formulas.
const HOSTILE: &str = "=a,b\"c\n<d>&'e'\u{1}\u{2028};\\";

/// Three tracked frames, one of them empty, of a label that means harm.
fn seen<'a>() -> tempograph_core::Result<Observations<'a>> {
    let frame = |frame: u64, rows: &[(f32, &str, Option<u32>)]| {
        let mut detections = Detections::default();
        for (x, label, _) in rows {
            detections.push(BoxXyxy::new(*x, 2.0, x + 30.126, 20.5), 0.912_345, *label);
        }
        let detections = detections.with_tracks(rows.iter().map(|r| r.2).collect()).expect("an id a row");
        let time = MediaTime::from_ticks(frame as i64 * 1001, 1, 30_000) + MediaTime::from_millis(1400);
        Ok(Observation { span: Span::new(time, time), claim: Claim::Detections { frame, detections } })
    };
    let all = [
        frame(0, &[(10.0, HOSTILE, Some(1)), (-5.0, "person", None)]),
        frame(6, &[]),
        frame(12, &[(12.5, HOSTILE, Some(1)), (40.0, "person", Some(2))]),
    ];
    Ok(Box::new(all.into_iter()))
}

/// A minute at 29.97 frames a second with everything that editing formats show.
fn hostile() -> Timeline {
    let mut timeline = serde_json::to_value(Timeline::empty(Video {
        id: "ab".into(),
        uri: format!("cards/{HOSTILE}.mp4"),
        fps: 29.970_03,
        width: 64,
        height: 36,
        pixel_aspect: Some(16.0 / 11.0),
        start_s: MediaTime::from_millis(1400),
        duration_s: MediaTime::from_secs_f64(70.07),
        ..Video::default()
    }))
    .expect("a value");
    timeline["video"]["audio"] =
        serde_json::json!({"codec": "aac", "channels": 2, "sample_rate_hz": 48000, "streams": 1, "stream": 0});
    timeline["scenes"] = serde_json::json!([
        {"id": "S1", "start_s": 1.4, "end_s": 61.46, "start_frame": 0, "thumbnail": null, "summary": HOSTILE},
        {"id": "S2", "start_s": 61.46, "end_s": 71.47, "start_frame": 1800, "thumbnail": null, "summary": null},
    ]);
    timeline["audio_events"] = serde_json::json!([
        {"id": "A1", "type": "speech", "start_s": 2.0, "end_s": 4.25, "text": HOSTILE, "speaker": "Speaker 1",
         "language": "en", "confidence": 0.5},
        {"id": "A2", "type": "speech", "start_s": 5.0, "end_s": 6.0, "text": "yes", "speaker": HOSTILE, "confidence": 1.0},
    ]);
    timeline["highlights"] = serde_json::json!([
        {"rank": 1, "start_s": 61.46, "end_s": 66.0, "clip_worthy_score": 0.8, "reasons": [HOSTILE], "clip": null},
        {"rank": 2, "start_s": 11.4, "end_s": 16.4, "clip_worthy_score": 0.4, "reasons": ["laughter"], "clip": null},
    ]);
    serde_json::from_value(timeline).expect("a timeline")
}

fn write_hostile(format: Format) -> Vec<u8> {
    let (timeline, graph) = (hostile(), Graph::default());
    let open = || seen();
    let export = Export::new(&timeline, &graph).with_observations(&open).with_media("file:///cards/a%20b.mp4");
    let mut out = Vec::new();
    format.write(&export, &mut out).expect("memory takes everything");
    out
}

#[test]
fn boxes_speakers_and_cuts_in_the_forms_of_other_tools() {
    for format in [
        Format::DetectionsCsv,
        Format::TranscriptCsv,
        Format::Coco,
        Format::Mot,
        Format::Rttm,
        Format::Otio,
        Format::Edl,
        Format::EdlHighlights,
        Format::Fcpxml,
    ] {
        let text = String::from_utf8(write_hostile(format)).expect("text");
        insta::assert_snapshot!(format!("hostile-{}", format.name()), text);
    }
}

#[test]
fn yolo_is_a_folder_of_labels() {
    let (timeline, graph) = (hostile(), Graph::default());
    let open = || seen();
    let export = Export::new(&timeline, &graph).with_observations(&open);
    let mut all = String::new();
    tempograph_export::yolo_files(&export, &mut |name, bytes| {
        all.push_str(&format!("== {name}\n{}", String::from_utf8_lossy(bytes)));
        Ok(())
    })
    .expect("memory takes everything");
    insta::assert_snapshot!("hostile-yolo", all);
    let archive = write_hostile(Format::Yolo);
    assert_eq!(archive, write_hostile(Format::Yolo), "the same bytes each time");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("an archive");
    assert_eq!(archive.len(), 5);
    let mut first = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("labels/frame_000001.txt").expect("it is there"), &mut first)
        .expect("text");
    assert!(all.contains(&first) && !first.is_empty());
}

/// Read with the crate's own row reader; other readers are asked by the readers' script.
#[test]
fn parquet_holds_the_rows_of_the_csv() {
    use parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::RowAccessor as _,
    };
    let rows = |format| -> Vec<parquet::record::Row> {
        let reader = SerializedFileReader::new(bytes::Bytes::from(write_hostile(format))).expect("it opens");
        reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect()
    };
    let boxes = rows(Format::Parquet);
    assert_eq!(boxes.len(), 4);
    assert_eq!(boxes[0].get_string(3).expect("a label"), HOSTILE);
    assert_eq!((boxes[3].get_long(1).expect("frame"), boxes[3].get_int(2).expect("track")), (12, 2));
    assert!(boxes[1].get_int(2).is_err(), "no track");
    let events = rows(Format::EventsParquet);
    assert_eq!(events.len(), 6);
    assert!(events[0].get_float(7).is_err() && events[4].get_float(7).expect("a score") == 0.8);
}

/// What was written as MOT, COCO, RTTM and SRT is read as it was.
#[test]
fn what_can_be_imported_comes_back() {
    use tempograph_export::import::{ImportFormat, Imported, read};
    let import = |format: Format, from: ImportFormat| read(&write_hostile(format), from, "x").expect("it is read");
    let Imported::Boxes(coco) = import(Format::Coco, ImportFormat::Coco) else { panic!("boxes") };
    assert_eq!(coco.keys().copied().collect::<Vec<_>>(), [0, 6, 12]);
    assert_eq!(coco[&12].detections.get(1).track, Some(2));
    assert_eq!(coco[&12].detections.boxes()[0], BoxXyxy::from_xywh(12.5, 2.0, 30.13, 18.5));
    let Imported::Boxes(mot) = import(Format::Mot, ImportFormat::Mot) else { panic!("boxes") };
    assert_eq!(mot.keys().copied().collect::<Vec<_>>(), [0, 12]);
    assert_eq!(mot[&12].detections.boxes(), coco[&12].detections.boxes());
    let Imported::Turns(turns) = import(Format::Rttm, ImportFormat::Rttm) else { panic!("turns") };
    assert_eq!(turns[0].speaker, "Speaker_1");
    assert_eq!(turns[0].span, span(600, 2850), "from the first frame");
}
