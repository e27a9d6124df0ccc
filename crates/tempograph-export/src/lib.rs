//! Writes a timeline in the formats people use, and reads the subtitles, boxes and speakers people have.
//!
//! One file per format and one row per format in [`Format`]: to add a format, write
//! `src/<name>.rs` with a `write(&Export, &mut dyn Write)` and add its row in `format.rs`.
//! Writers are pure: the same [`Export`] gives the same bytes.
//!
//! **Invariant:** no file is opened here. Callers hand over a [`std::io::Write`].

mod coco;
mod csv;
pub mod cues;
pub mod detections;
mod dot;
mod edit;
mod edl;
mod fcpxml;
mod format;
mod graph_json;
mod graphml;
pub mod import;
mod json;
mod mot;
mod otio;
mod parquet;
mod rate;
pub mod report;
mod rttm;
pub mod schema;
mod srt;
pub mod subtitles;
mod table;
mod text;
mod txt;
mod vtt;
mod yolo;

use std::{collections::BTreeSet, io};

pub use format::Format;
pub use schema::schema_json;
pub use srt::srt;
use tempograph_core::{Claim, Detections, Error, ErrorKind, Graph, MediaTime, Observation, Result, Timeline};
pub use txt::txt;
pub use vtt::vtt;
pub use yolo::files as yolo_files;

/// Observations of one run, read again by every format that needs them.
pub type Observations<'a> = Box<dyn Iterator<Item = Result<Observation>> + 'a>;

/// What one export is made from.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// The fused view.
    pub timeline: &'a Timeline,
    /// Its temporal graph.
    pub graph: &'a Graph,
    /// How the page finds the video; only `html` asks.
    pub report: Option<&'a report::ReportOptions>,
    /// Where editing programs find the video, as an address (`file:///…`); its `uri` when absent.
    pub media: Option<&'a str>,
    observations: Option<&'a dyn Fn() -> Result<Observations<'a>>>,
}

impl<'a> Export<'a> {
    /// An export of `timeline` and `graph`; formats that list boxes stay empty.
    pub fn new(timeline: &'a Timeline, graph: &'a Graph) -> Self {
        Self { timeline, graph, report: None, media: None, observations: None }
    }

    /// The same with observations: `open` starts reading them from the beginning, in order of time.
    #[must_use]
    pub fn with_observations(mut self, open: &'a dyn Fn() -> Result<Observations<'a>>) -> Self {
        self.observations = Some(open);
        self
    }

    /// The same with what the page needs to know.
    #[must_use]
    pub fn with_report(mut self, options: &'a report::ReportOptions) -> Self {
        self.report = Some(options);
        self
    }

    /// The same with the address of the video.
    #[must_use]
    pub fn with_media(mut self, address: &'a str) -> Self {
        self.media = Some(address);
        self
    }

    /// What was seen in each analysed frame, from the beginning: time, frame number, boxes.
    pub(crate) fn frames(&self) -> Result<impl Iterator<Item = Result<(MediaTime, u64, Detections)>> + 'a> {
        Ok(self.observations()?.filter_map(|observation| match observation {
            Ok(Observation { span, claim: Claim::Detections { frame, detections } }) => {
                Some(Ok((span.start, frame, detections)))
            }
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// The labels of all boxes, each once, in alphabetical order.
    pub(crate) fn labels(&self) -> Result<Vec<String>> {
        let mut labels = BTreeSet::new();
        for seen in self.frames()? {
            for label in seen?.2.labels() {
                if !labels.contains(label) {
                    labels.insert(label.clone());
                }
            }
        }
        Ok(labels.into_iter().collect())
    }

    /// The observations from the beginning.
    ///
    /// # Errors
    /// What opening them gives.
    pub fn observations(&self) -> Result<Observations<'a>> {
        self.observations.map_or_else(|| Ok(Box::new(std::iter::empty()) as Observations<'a>), |open| open())
    }
}

/// The error for a writer that refused bytes.
pub(crate) fn write_failed(source: io::Error) -> Error {
    let kind = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("cannot write the export: {source}")).with_source(source)
}
