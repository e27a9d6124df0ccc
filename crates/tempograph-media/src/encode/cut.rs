//! Cutting: a span of a video as a file of its own, exact to the frame.

use std::path::Path;

use tempograph_core::{Cancel, Error, ErrorKind, Result, Span};

use super::{AudioSource, EncodeFrame, VideoOptions, VideoWriter, Written};
use crate::{Reader, Sample, VideoWants, Wants};

/// How a clip is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct CutOptions {
    /// Speed against size, as x264 names it.
    pub preset: String,
    /// Constant rate factor.
    pub crf: u8,
    /// Position in [`MediaInfo::audio`](crate::MediaInfo::audio); the default stream when `None`.
    pub audio: Option<usize>,
}

impl Default for CutOptions {
    fn default() -> Self {
        Self { preset: "veryfast".to_owned(), crf: 20, audio: None }
    }
}

/// Writes the frames of `path` that are shown from within `span`, and the sound meanwhile, to `out`.
///
/// The first of them becomes time zero. The file is decoded from its front, so late spans of long
/// files take as long as reading up to there.
///
/// # Errors
/// `usage` when no frame lies in `span`; as [`Reader::read`] and [`VideoWriter`].
pub fn cut(path: &Path, span: Span, out: &Path, options: &CutOptions, cancel: &Cancel) -> Result<Written> {
    let mut reader = Reader::open(path)?;
    let info = reader.info().clone();
    let chosen = options.audio.or(info.default_audio).and_then(|i| info.audio.get(i));
    let audio = chosen.map(|a| AudioSource { path: path.to_owned(), stream: a.stream, until: Some(span.end) });
    let fps = info.video.as_ref().map_or(0.0, |v| v.fps);
    let mut writer: Option<VideoWriter> = None;
    let mut past = false;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let read = reader.read(&wants, cancel, &mut |sample| {
        let Sample::Frame(frame) = sample else { return Ok(()) };
        if frame.time >= span.end {
            past = true;
            return Err(Error::new(ErrorKind::Cancelled, "the clip is complete"));
        }
        if frame.time < span.start {
            return Ok(());
        }
        let picture = EncodeFrame::copy_of(frame.picture.as_ref())?;
        if writer.is_none() {
            let encoding = VideoOptions {
                preset: options.preset.clone(),
                crf: options.crf,
                ..VideoOptions::new(frame.picture.size(), fps)
            };
            writer = Some(VideoWriter::create(out, &encoding, &picture, audio.as_ref(), frame.time)?);
        }
        match &mut writer {
            Some(writer) => writer.write(picture, frame.time, frame.duration.min(span.end - frame.time)),
            None => Ok(()),
        }
    });
    match read {
        Err(e) if !past => return Err(e),
        _ => {}
    }
    let empty = || Error::new(ErrorKind::Usage, format!("no frame is shown from {} to {}", span.start, span.end));
    writer.ok_or_else(empty)?.finish()
}
