//! Writes the page of an analysis: `report ANALYSIS.json GRAPH.json DETECTIONS.jsonl VIDEO_SRC OUT.html`.
//!
//! For working on the page: it takes the files of an output folder and needs no models.

use std::{error::Error, fs};

use tempograph_core::{BoxXyxy, Claim, Detections, Graph, MediaTime, Observation, Span, Timeline};
use tempograph_export::report::{self, ReportOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [timeline, graph, boxes, video, out] = args.as_slice() else {
        return Err("usage: report ANALYSIS.json GRAPH.json DETECTIONS.jsonl VIDEO_SRC OUT.html".into());
    };
    let timeline: Timeline = serde_json::from_slice(&fs::read(timeline)?)?;
    let graph: Graph = serde_json::from_slice(&fs::read(graph)?)?;
    let text = fs::read_to_string(boxes)?;
    let observations = text.lines().map(observation).collect::<Result<Vec<_>, _>>()?;
    let options = ReportOptions {
        video_src: Some(video.clone()).filter(|v| !v.is_empty()),
        annotated_src: Some("annotated.mp4".to_owned()),
        ..ReportOptions::default()
    };
    fs::write(out, report::html(&timeline, &graph, &observations, &options)?)?;
    Ok(())
}

#[derive(serde::Deserialize)]
struct Line {
    t_s: MediaTime,
    frame: u64,
    boxes: Vec<Row>,
}

#[derive(serde::Deserialize)]
struct Row {
    track: Option<u32>,
    label: String,
    score: f32,
    xyxy: [f32; 4],
}

fn observation(line: &str) -> Result<Observation, Box<dyn Error>> {
    let line: Line = serde_json::from_str(line)?;
    let mut detections = Detections::default();
    for row in &line.boxes {
        detections.push(BoxXyxy::from(row.xyxy), row.score, row.label.as_str());
    }
    let detections = detections.with_tracks(line.boxes.iter().map(|r| r.track).collect())?;
    let claim = Claim::Detections { frame: line.frame, detections };
    Ok(Observation { span: Span::new(line.t_s, line.t_s), claim })
}
