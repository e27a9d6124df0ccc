//! Annotated video: what the analysis found, drawn onto the picture it was found in.

mod overlay;
mod paths;

use std::path::Path;

use tempograph_core::{Cancel, Detections, Error, ErrorKind, MediaTime, Result, Timeline};

use self::{overlay::Overlay, paths::Paths};
use crate::{
    Reader, Sample, VideoWants, Wants,
    encode::{AudioSource, EncodeFrame, VideoOptions, VideoWriter, Written},
};

/// What is drawn and how it is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct AnnotateOptions {
    /// Boxes of tracks, with label and id.
    pub boxes: bool,
    /// Boxes of faces, with what they express.
    pub faces: bool,
    /// Visual events in words while they happen.
    pub captions: bool,
    /// What is being said.
    pub transcript: bool,
    /// The bar with scenes, events, speech and the playhead.
    pub bar: bool,
    /// Longest time between two boxes of a track that is bridged.
    pub bridge: MediaTime,
    /// Speed against size, as x264 names it.
    pub preset: String,
    /// Constant rate factor.
    pub crf: u8,
}

impl Default for AnnotateOptions {
    fn default() -> Self {
        Self {
            boxes: true,
            faces: true,
            captions: true,
            transcript: true,
            bar: true,
            bridge: MediaTime::from_millis(1000),
            preset: "veryfast".to_owned(),
            crf: 23,
        }
    }
}

/// Writes the video at `path` to `out` with `timeline` and the boxes of `detections` drawn on it.
///
/// `detections` are those of the analysed frames with their times, tracked; rows without a track
/// are not drawn. Every frame keeps its time, the first presentation time becomes zero, and the
/// sound that was analysed goes with it. `progress` hears the time of each frame that was done.
///
/// # Errors
/// As [`Reader::read`] and [`VideoWriter`]; `unsupported` for a file without pictures.
pub fn render<'d>(
    path: &Path,
    timeline: &Timeline,
    detections: impl Iterator<Item = (MediaTime, &'d Detections)>,
    out: &Path,
    options: &AnnotateOptions,
    cancel: &Cancel,
    progress: &mut dyn FnMut(MediaTime),
) -> Result<Written> {
    let mut reader = Reader::open(path)?;
    let Some(video) = reader.info().video.clone() else {
        return Err(no_pictures(path));
    };
    let chosen = timeline.video.audio.as_ref().map(|a| a.stream as usize).or(reader.info().default_audio);
    let audio = chosen.and_then(|i| reader.info().audio.get(i)).map(|a| AudioSource {
        path: path.to_owned(),
        stream: a.stream,
        until: None,
    });
    let start = reader.info().start;

    let mut paths = Paths::new(detections, timeline.scenes.iter().map(|s| s.span), options.bridge);
    let mut faces = Paths::of_faces(&timeline.faces, timeline.scenes.iter().map(|s| s.span));
    let mut overlay = Overlay::new(timeline, options);
    let mut writer: Option<VideoWriter> = None;
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    reader.read(&wants, cancel, &mut |sample| {
        let Sample::Frame(frame) = sample else { return Ok(()) };
        let mut picture = EncodeFrame::copy_of(frame.picture.as_ref())?;
        overlay.draw(&mut picture.canvas(), frame.time, &paths.at(frame.time), &faces.at(frame.time));
        if writer.is_none() {
            let encoding = VideoOptions {
                preset: options.preset.clone(),
                crf: options.crf,
                pixel_aspect: video.upright_pixel_aspect(),
                ..VideoOptions::new(frame.picture.size(), video.fps)
            };
            // Damage may have taken the frames before this one; the clock keeps counting from
            // where the file says it starts.
            writer = Some(VideoWriter::create(out, &encoding, &picture, audio.as_ref(), start.min(frame.time))?);
        }
        if let Some(writer) = &mut writer {
            writer.write(picture, frame.time, frame.duration)?;
        }
        progress(frame.time);
        Ok(())
    })?;
    writer.ok_or_else(|| no_pictures(path))?.finish()
}

fn no_pictures(path: &Path) -> Error {
    Error::new(ErrorKind::Unsupported, format!("there are no pictures to draw on: {}", path.display()))
}
