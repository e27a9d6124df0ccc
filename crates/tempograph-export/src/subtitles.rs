//! Reads subtitles as people have them: SubRip, WebVTT and SubViewer (SBV).
//!
//! Files from the world break their rules, so readers take what they can: a cue whose times cannot
//! be read is left out and named in [`Subtitles::skipped`] with its line. What cannot be a
//! subtitle file at all is an error: a WebVTT file without its `WEBVTT` line, or text in which not
//! one cue is found. An end before its start is moved to it, so nothing said is lost.
//!
//! Markup is taken off: tags, styles, positions, comments and regions. WebVTT voices become
//! speakers. Text is at most [`MOST_BYTES`] long, in UTF-8, UTF-16 or UTF-32 with their marks, or,
//! when it is none of them, in Windows-1252.

mod decode;
mod markup;
mod sbv;
mod srt;
mod time;
mod vtt;

use tempograph_core::{Error, ErrorKind, Result};

use crate::cues::Cue;

/// Longest file that is read.
pub const MOST_BYTES: usize = 64 << 20;

/// A form of subtitles that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubtitleFormat {
    /// SubRip, `.srt`.
    Srt,
    /// WebVTT, `.vtt`.
    Vtt,
    /// SubViewer as video sites give it, `.sbv`.
    Sbv,
}

impl SubtitleFormat {
    /// The form a file name ends in.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "srt" => Some(Self::Srt),
            "vtt" => Some(Self::Vtt),
            "sbv" => Some(Self::Sbv),
            _ => None,
        }
    }
}

/// What a file held.
#[derive(Clone, Debug, PartialEq)]
pub struct Subtitles {
    /// Cues in the order of the file; their lines are as many and as long as the file has them.
    pub cues: Vec<Cue>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// A part of a file that was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Line it begins at, from 1.
    pub line: usize,
    /// Why.
    pub why: &'static str,
}

/// Reads `bytes` as `format`.
///
/// # Errors
/// [`ErrorKind::InvalidData`] with the line when the bytes are not of this form;
/// [`ErrorKind::OverBudget`] beyond [`MOST_BYTES`].
pub fn read(bytes: &[u8], format: SubtitleFormat) -> Result<Subtitles> {
    if bytes.len() > MOST_BYTES {
        return Err(Error::new(
            ErrorKind::OverBudget,
            format!("subtitles of {} bytes, {MOST_BYTES} at most", bytes.len()),
        ));
    }
    let text = decode::decode(bytes);
    let lines: Vec<&str> = decode::lines(&text).collect();
    match format {
        SubtitleFormat::Srt => some(srt::parse(&lines)),
        SubtitleFormat::Vtt => vtt::parse(&lines),
        SubtitleFormat::Sbv => some(sbv::parse(&lines)),
    }
}

/// A form without a heading is recognised by its cues alone.
fn some(read: Subtitles) -> Result<Subtitles> {
    if !read.cues.is_empty() {
        return Ok(read);
    }
    let (line, why) = read.skipped.first().map_or((1, "the file is empty"), |s| (s.line, s.why));
    Err(Error::new(ErrorKind::InvalidData, format!("no subtitle could be read: line {line}: {why}"))
        .with_hint("check the format: `.srt`, `.vtt` and `.sbv` write their times differently"))
}

#[cfg(test)]
mod tests;
