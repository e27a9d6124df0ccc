//! `report.html`: one page to watch, search and check an analysis.
//!
//! The page is one file without network: styles, script and data are inside, and a content
//! security policy names the only script and style that may run by their hashes. The video and the
//! thumbnails are read from beside it by relative path.

mod boxes;
mod path;

use std::io::Write;

use base64::Engine as _;
use serde::Serialize;
use sha2::Digest as _;
use tempograph_core::{Graph, Observation, Result, Timeline};

use self::boxes::Boxes;
pub use self::path::{file_address, relative};
use crate::{
    Export,
    cues::{self, Cue},
    json,
    text::one_line,
    write_failed,
};

const TEMPLATE: &str = include_str!("report/template.html");
const STYLE: &str = include_str!("report/report.css");
/// The script's parts in the order they run; one function encloses them.
const SCRIPT: &[&str] = &[
    include_str!("report/js/base.js"),
    include_str!("report/js/player.js"),
    include_str!("report/js/overlay.js"),
    include_str!("report/js/lanes.js"),
    include_str!("report/js/transcript.js"),
    include_str!("report/js/panels.js"),
    include_str!("report/js/graph.js"),
    include_str!("report/js/keys.js"),
    include_str!("report/js/main.js"),
];

/// How a page finds its video and how much it carries.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Address of the video relative to the page, percent-encoded; see [`relative`].
    pub video_src: Option<String>,
    /// Address of the annotated video, which every browser plays, relative to the page.
    pub annotated_src: Option<String>,
    /// Boxes the page carries at most; beyond it, frames are left out evenly.
    pub max_boxes: usize,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self { video_src: None, annotated_src: None, max_boxes: 150_000 }
    }
}

#[derive(Serialize)]
struct Data<'a> {
    timeline: &'a Timeline,
    graph: &'a Graph,
    boxes: boxes::Packed,
    /// Captions: milliseconds from the first frame, to, lines.
    cues: Vec<(i64, i64, String)>,
    video_src: Option<&'a str>,
    annotated_src: Option<&'a str>,
}

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let mut boxes = Boxes::new(export.timeline.video.start_s);
    for observation in export.observations()? {
        boxes.push(&observation?);
    }
    let default = ReportOptions::default();
    let page = page(export.timeline, export.graph, boxes, export.report.unwrap_or(&default))?;
    out.write_all(page.as_bytes()).map_err(write_failed)
}

/// The page of `timeline` and `graph`; boxes come from those `observations` that hold detections.
///
/// # Errors
/// [`tempograph_core::ErrorKind::Internal`] when the analysis cannot be expressed as JSON.
pub fn html<'a>(
    timeline: &Timeline,
    graph: &Graph,
    observations: impl IntoIterator<Item = &'a Observation>,
    options: &ReportOptions,
) -> Result<String> {
    let mut boxes = Boxes::new(timeline.video.start_s);
    for observation in observations {
        boxes.push(observation);
    }
    page(timeline, graph, boxes, options)
}

fn page(timeline: &Timeline, graph: &Graph, boxes: Boxes, options: &ReportOptions) -> Result<String> {
    let data = Data {
        timeline,
        graph,
        boxes: boxes.pack(options.max_boxes),
        cues: cues::layout(timeline).iter().map(caption).collect(),
        video_src: options.video_src.as_deref(),
        annotated_src: options.annotated_src.as_deref(),
    };
    let mut bytes = Vec::new();
    json::line(&data, &mut bytes)?;
    let data = json_in_html(&String::from_utf8_lossy(&bytes));
    let script = format!("(() => {{\n'use strict';\n{}}})();", SCRIPT.concat());
    let name = timeline.video.uri.rsplit(['/', '\\']).next().unwrap_or_default();
    let parts = [
        ("title", escape(&one_line(name))),
        ("csp", policy(&script)),
        ("style", STYLE.to_owned()),
        ("data", data),
        ("script", script),
    ];
    Ok(fill(TEMPLATE, &parts))
}

fn caption(cue: &Cue) -> (i64, i64, String) {
    let dash = if cue.is_dialogue() { "- " } else { "" };
    let lines: Vec<String> = cue.lines.iter().map(|l| format!("{dash}{}", l.text)).collect();
    (cue.start.nanos() / 1_000_000, cue.end.nanos() / 1_000_000, lines.join("\n"))
}

/// Nothing from elsewhere, and of the inline parts only these two.
fn policy(script: &str) -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src 'self' file: data:; \
         media-src 'self' file:; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(STYLE)
    )
}

/// `template` with each `{{name}}` replaced once, in one pass: what is put in is never looked at.
fn fill(template: &str, parts: &[(&str, String)]) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        if let Some((_, value)) = parts.iter().find(|(n, _)| *n == name) {
            page.push_str(value);
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

/// JSON that can stand in a script element: no character that could end it or open another.
fn json_in_html(json: &str) -> String {
    // These occur in JSON inside strings only, where the escape means the same.
    let mut safe = String::with_capacity(json.len() + json.len() / 50);
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => safe.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}

/// `text` for the content of an element or a quoted attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests;
