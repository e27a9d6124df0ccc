//! Reads what people made elsewhere: boxes and tracks, subtitles, speaker turns.
//!
//! A file stands in for the stage that would have measured the same: boxes for `detect`, subtitles
//! for `speech`, turns for `speakers`. Nothing here knows the video: boxes stay in the pixels and
//! frame numbers of their file, times count from its first frame.

mod coco;
mod mot;
mod rttm;

use std::{collections::BTreeMap, fmt, str::FromStr};

use tempograph_core::{Detections, Error, ErrorKind, Result, Size, Span};

use crate::{
    cues::Cue,
    subtitles::{self, SubtitleFormat},
};

/// Longest file that is read.
pub const MOST_BYTES: usize = 256 << 20;

/// A form that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportFormat {
    /// MOTChallenge detections, results or ground truth.
    Mot,
    /// A COCO data set.
    Coco,
    /// Speaker turns.
    Rttm,
    /// Subtitles.
    Subtitles(SubtitleFormat),
}

impl ImportFormat {
    /// Every form with the name people type.
    pub const ALL: [(&'static str, Self); 6] = [
        ("mot", Self::Mot),
        ("coco", Self::Coco),
        ("rttm", Self::Rttm),
        ("srt", Self::Subtitles(SubtitleFormat::Srt)),
        ("vtt", Self::Subtitles(SubtitleFormat::Vtt)),
        ("sbv", Self::Subtitles(SubtitleFormat::Sbv)),
    ];

    /// The form a file name speaks for: `.srt`, `.vtt`, `.sbv`, `.rttm`, `.json` (COCO), `.txt`
    /// and `.csv` (MOTChallenge).
    pub fn from_file_name(name: &str) -> Option<Self> {
        if let Some(subtitles) = SubtitleFormat::from_file_name(name) {
            return Some(Self::Subtitles(subtitles));
        }
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "rttm" => Some(Self::Rttm),
            "json" => Some(Self::Coco),
            "txt" | "csv" => Some(Self::Mot),
            _ => None,
        }
    }

    /// The stage it stands in for.
    pub fn stage(self) -> &'static str {
        match self {
            Self::Mot | Self::Coco => "detect",
            Self::Rttm => "speakers",
            Self::Subtitles(_) => "speech",
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, format)| format == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for ImportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, format)| *format).ok_or_else(|| {
            let known = Self::ALL.map(|(name, _)| name).join(", ");
            let shown: String = text.chars().take(40).collect();
            Error::new(ErrorKind::Usage, format!("unknown import format: {shown:?}"))
                .with_hint(format!("known formats: {known}"))
        })
    }
}

/// What a file held.
#[derive(Clone, Debug, PartialEq)]
pub enum Imported {
    /// Boxes by frame number, from 0.
    Boxes(BTreeMap<u64, FrameBoxes>),
    /// Subtitles.
    Cues(Vec<Cue>),
    /// Who speaks when, in order of start.
    Turns(Vec<Turn>),
}

/// The boxes of one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameBoxes {
    /// Size of the picture they are in, where the file says; else that of the video.
    pub size: Option<Size>,
    /// The boxes, with track ids where the file has them.
    pub detections: Detections,
}

/// Somebody speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// From the first frame or sample.
    pub span: Span,
    /// The name as the file has it.
    pub speaker: String,
}

/// Reads `bytes` as `format`. Of a file with turns of several recordings those of `recording` are
/// taken: a file name without its ending.
///
/// # Errors
/// [`ErrorKind::InvalidData`] with the line when the bytes are not of this form;
/// [`ErrorKind::OverBudget`] beyond [`MOST_BYTES`].
pub fn read(bytes: &[u8], format: ImportFormat, recording: &str) -> Result<Imported> {
    if bytes.len() > MOST_BYTES {
        let message = format!("a file of {} bytes, {MOST_BYTES} at most", bytes.len());
        return Err(Error::new(ErrorKind::OverBudget, message));
    }
    match format {
        ImportFormat::Mot => mot::read(&text(bytes)?).map(Imported::Boxes),
        ImportFormat::Coco => coco::read(bytes).map(Imported::Boxes),
        ImportFormat::Rttm => rttm::read(&text(bytes)?, recording).map(Imported::Turns),
        ImportFormat::Subtitles(form) => subtitles::read(bytes, form).map(|read| Imported::Cues(read.cues)),
    }
}

/// The form of the three is ASCII; names may be UTF-8.
fn text(bytes: &[u8]) -> Result<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    String::from_utf8(bytes.to_vec())
        .map_err(|e| Error::new(ErrorKind::InvalidData, format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to())))
}

fn bad_line(line: usize, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("line {line}: {what}"))
}

/// Rows gathered for one frame before they are columns.
#[derive(Clone, Debug, Default)]
struct Rows {
    size: Option<Size>,
    rows: Vec<(tempograph_core::BoxXyxy, f32, String, Option<u32>)>,
}

impl Rows {
    /// The columns; the second row of a track in one frame is not that track.
    fn columns(self) -> Result<FrameBoxes> {
        let mut taken = std::collections::BTreeSet::new();
        let mut tracks = Vec::with_capacity(self.rows.len());
        let mut detections = Detections::default();
        for (bbox, score, label, track) in self.rows {
            detections.push(bbox, score, label);
            tracks.push(track.filter(|t| taken.insert(*t)));
        }
        let columns =
            Detections::new(detections.boxes().to_vec(), detections.scores().to_vec(), detections.labels().to_vec())?;
        let detections = if tracks.iter().any(Option::is_some) { columns.with_tracks(tracks)? } else { columns };
        Ok(FrameBoxes { size: self.size, detections })
    }
}

#[cfg(test)]
mod tests;
