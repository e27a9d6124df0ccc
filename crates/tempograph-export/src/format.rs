//! The closed set of export formats: one row each.

use std::{fmt, io::Write, str::FromStr};

use tempograph_core::{Error, ErrorKind, Result};

use crate::{
    Export, coco, csv, detections, dot, edl, fcpxml, graph_json, graphml, json, mot, otio, parquet, report, rttm, srt,
    txt, vtt, yolo,
};

macro_rules! formats {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $file:literal, $media_type:literal, $write:path;)*) => {
        /// A format a timeline can be written in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Format { $($(#[$doc])* $variant,)* }

        impl Format {
            /// Every format, in the order they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name people type, e.g. `graph-json`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The name of the file in an output folder, e.g. `graph.json`.
            pub fn file_name(self) -> &'static str {
                match self { $(Self::$variant => $file,)* }
            }

            /// The media type a server answers with.
            pub fn media_type(self) -> &'static str {
                match self { $(Self::$variant => $media_type,)* }
            }

            /// Writes `export` to `out` in this format. Buffer `out`: some formats write often.
            ///
            /// # Errors
            /// [`ErrorKind::Io`] or [`ErrorKind::DiskFull`] when `out` refuses; whatever reading
            /// the observations gives.
            pub fn write(self, export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
                match self { $(Self::$variant => $write(export, out),)* }
            }
        }
    };
}

formats! {
    /// The whole analysis.
    Json, "json", "analysis.json", "application/json", json::write;
    /// Subtitles in SubRip form.
    Srt, "srt", "transcript.srt", "application/x-subrip", srt::write;
    /// Subtitles in WebVTT form, with speakers.
    Vtt, "vtt", "transcript.vtt", "text/vtt", vtt::write;
    /// The transcript as plain text.
    Txt, "txt", "transcript.txt", "text/plain; charset=utf-8", txt::write;
    /// Boxes, one line per analysed frame.
    Detections, "detections", "detections.jsonl", "application/jsonl", detections::write;
    /// The temporal graph in node-link form.
    GraphJson, "graph-json", "graph.json", "application/json", graph_json::write;
    /// The temporal graph for graph tools.
    GraphMl, "graphml", "graph.graphml", "application/graphml+xml", graphml::write;
    /// The temporal graph for Graphviz.
    Dot, "dot", "graph.dot", "text/vnd.graphviz", dot::write;
    /// All events as a table.
    Csv, "csv", "events.csv", "text/csv; charset=utf-8", csv::write;
    /// Boxes as a table.
    DetectionsCsv, "detections-csv", "detections.csv", "text/csv; charset=utf-8", csv::detections;
    /// The transcript as a table.
    TranscriptCsv, "transcript-csv", "transcript.csv", "text/csv; charset=utf-8", csv::transcript;
    /// Boxes as a columnar table.
    Parquet, "parquet", "detections.parquet", "application/vnd.apache.parquet", parquet::detections;
    /// All events as a columnar table.
    EventsParquet, "events-parquet", "events.parquet", "application/vnd.apache.parquet", parquet::events;
    /// Boxes in the form of COCO, with track ids.
    Coco, "coco", "detections.coco.json", "application/json", coco::write;
    /// Tracks in the form of MOTChallenge results.
    Mot, "mot", "tracks.mot.txt", "text/plain; charset=utf-8", mot::write;
    /// Boxes in the form YOLO trains on, as an archive.
    Yolo, "yolo", "yolo.zip", "application/zip", yolo::write;
    /// Who speaks when.
    Rttm, "rttm", "speakers.rttm", "text/plain; charset=utf-8", rttm::write;
    /// Scenes and highlights for OpenTimelineIO.
    Otio, "otio", "timeline.otio", "application/json", otio::write;
    /// Scenes as a CMX 3600 edit decision list, highlights as locators.
    Edl, "edl", "scenes.edl", "text/plain; charset=utf-8", edl::scenes;
    /// Highlights one after the other as a CMX 3600 edit decision list.
    EdlHighlights, "edl-highlights", "highlights.edl", "text/plain; charset=utf-8", edl::highlights;
    /// Scenes and highlights for Final Cut Pro.
    Fcpxml, "fcpxml", "timeline.fcpxml", "application/xml", fcpxml::write;
    /// The page: player, lanes, transcript, graph.
    Html, "html", "report.html", "text/html; charset=utf-8", report::write;
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Accepts a name or a file name, in any case.
impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        if let Some(format) = Self::ALL.iter().find(|f| f.name() == wanted || f.file_name() == wanted) {
            return Ok(*format);
        }
        let nearest = Self::ALL
            .iter()
            .map(|f| (strsim::jaro_winkler(f.name(), &wanted), f.name()))
            .filter(|(likeness, _)| *likeness > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = match nearest {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => format!("known formats: {}", Self::ALL.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ")),
        };
        // What was typed may be long or hold control characters: show its beginning, escaped.
        let shown: String = text.chars().take(40).collect();
        Err(Error::new(ErrorKind::Usage, format!("unknown export format: {shown:?}")).with_hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_are_unique_and_parse_back() {
        for format in Format::ALL {
            assert_eq!(format.name().parse::<Format>().unwrap(), *format);
            assert_eq!(format.file_name().to_uppercase().parse::<Format>().unwrap(), *format);
        }
        let mut files: Vec<_> = Format::ALL.iter().map(|f| f.file_name()).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), Format::ALL.len());
    }

    #[test]
    fn a_near_miss_is_suggested() {
        let error = "grapml".parse::<Format>().expect_err("no such format");
        assert_eq!(error.hint(), Some("did you mean `graphml`?"));
        let error = "zzz".parse::<Format>().expect_err("no such format");
        assert!(error.hint().unwrap().contains("srt"));
    }
}
