//! Cutting: spans of a video as files of their own, exact to the frame.

use std::path::{Path, PathBuf};

use tempograph_core::{Cancel, Error, ErrorKind, Frame, MediaTime, Result, Size, Span};

use super::{AudioSource, EncodeFrame, VideoOptions, VideoWriter, Written};
use crate::{MediaInfo, Reader, Sample, VideoInfo, VideoWants, Wants};

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

/// A clip to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Of the source, on its clock.
    pub span: Span,
    /// File to write.
    pub out: PathBuf,
}

/// Writes the frames of `path` that begin within `span`, and the sound meanwhile, to `out`.
///
/// The first of them becomes time zero. Where it comes late, as with slides that stand for long, the frame that is shown when
/// `span` begins comes first. The file is decoded from its front, so late spans of long
/// files take as long as reading up to there.
///
/// # Errors
/// `usage` when no frame is shown in `span`; as [`Reader::read`] and [`VideoWriter`].
pub fn cut(path: &Path, span: Span, out: &Path, options: &CutOptions, cancel: &Cancel) -> Result<Written> {
    let pieces = [Piece { span, out: out.to_owned() }];
    let mut written = cut_all(path, &pieces, options, cancel, &mut |_| ())?;
    written.pop().ok_or_else(|| empty(span))
}

/// As [`cut`] for several pieces in one pass, in their order; `progress` hears how far reading is.
///
/// Pieces may overlap. Each that is being written holds a file and an encoder.
///
/// # Errors
/// As [`cut`]; pieces that were finished before stay.
pub fn cut_all(
    path: &Path,
    pieces: &[Piece],
    options: &CutOptions,
    cancel: &Cancel,
    progress: &mut dyn FnMut(MediaTime),
) -> Result<Vec<Written>> {
    let mut reader = Reader::open(path)?;
    let info = reader.info().clone();
    let source = Source { path, info: &info, options };
    let mut clips: Vec<Clip<'_>> =
        pieces.iter().map(|piece| Clip { source, piece, before: None, writer: None, written: None }).collect();
    let Some(last) = pieces.iter().map(|p| p.span.end).max() else { return Ok(Vec::new()) };
    let mut past = false;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let read = reader.read(&wants, cancel, &mut |sample| {
        let Sample::Frame(frame) = sample else { return Ok(()) };
        progress(frame.time);
        for clip in &mut clips {
            clip.take(&frame)?;
        }
        if frame.time >= last {
            past = true;
            return Err(Error::new(ErrorKind::Cancelled, "the clips are complete"));
        }
        Ok(())
    });
    match read {
        Err(e) if !past => return Err(e),
        _ => {}
    }
    clips.into_iter().map(Clip::finish).collect()
}

fn empty(span: Span) -> Error {
    Error::new(ErrorKind::Usage, format!("no frame is shown from {} to {}", span.start, span.end))
}

/// What pieces are cut from, and how.
#[derive(Clone, Copy)]
struct Source<'a> {
    path: &'a Path,
    info: &'a MediaInfo,
    options: &'a CutOptions,
}

impl Source<'_> {
    /// How long a frame is shown as a rule, and at most [`LATE`].
    fn usual_duration(&self) -> MediaTime {
        let fps = self.info.video.as_ref().map_or(0.0, |v| v.fps);
        if fps > 0.0 { MediaTime::from_secs_f64(1.0 / fps).min(LATE) } else { LATE }
    }

    /// The sound of a piece that ends at `until`.
    fn audio(&self, until: MediaTime) -> Option<AudioSource> {
        let chosen = self.options.audio.or(self.info.default_audio)?;
        let stream = self.info.audio.get(chosen)?.stream;
        Some(AudioSource { path: self.path.to_owned(), stream, until: Some(until) })
    }

    fn encoding(&self, size: Size) -> VideoOptions {
        let video = self.info.video.as_ref();
        VideoOptions {
            preset: self.options.preset.clone(),
            crf: self.options.crf,
            pixel_aspect: video.map_or(1.0, VideoInfo::upright_pixel_aspect),
            ..VideoOptions::new(size, video.map_or(0.0, |v| v.fps))
        }
    }
}

/// A piece while it is written.
struct Clip<'a> {
    source: Source<'a>,
    piece: &'a Piece,
    /// The last frame that began before it.
    before: Option<Frame>,
    writer: Option<VideoWriter>,
    written: Option<Written>,
}

impl Clip<'_> {
    fn take(&mut self, frame: &Frame) -> Result<()> {
        let span = self.piece.span;
        if frame.time < span.start {
            self.before = Some(frame.clone());
            return Ok(());
        }
        if let Some(before) = self.before.take() {
            let until = frame.time.min(span.end);
            if until - span.start > self.source.usual_duration() {
                self.write(&before, span.start, until - span.start)?;
            }
        }
        if frame.time >= span.end {
            // Files and encoders are given back as soon as nothing more comes.
            if let Some(writer) = self.writer.take() {
                self.written = Some(writer.finish()?);
            }
            return Ok(());
        }
        self.write(frame, frame.time, frame.duration.min(span.end - frame.time))
    }

    /// Writes `frame` as shown from `time` for `duration`.
    fn write(&mut self, frame: &Frame, time: MediaTime, duration: MediaTime) -> Result<()> {
        let picture = EncodeFrame::copy_of(frame.picture.as_ref())?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let encoding = self.source.encoding(frame.picture.size());
                let audio = self.source.audio(self.piece.span.end);
                let writer = VideoWriter::create(&self.piece.out, &encoding, &picture, audio.as_ref(), time)?;
                self.writer.insert(writer)
            }
        };
        writer.write(picture, time, duration)
    }

    /// Ends the file. What is shown last stays on the screen for as long as there is sound.
    fn finish(mut self) -> Result<Written> {
        let (span, info) = (self.piece.span, self.source.info);
        if let Some(before) = self.before.take()
            && span.start < info.start + info.duration
        {
            self.write(&before, span.start, span.end - span.start)?;
        }
        match (self.written, self.writer) {
            (Some(written), _) => Ok(written),
            (None, Some(writer)) => writer.finish(),
            (None, None) => Err(empty(span)),
        }
    }
}

/// A clip may begin this late.
const LATE: MediaTime = MediaTime::from_millis(50);
