//! What a file holds, without decoding it; only how a photo was held is known from its picture.

use std::{io::Read, path::Path};

use ffmpeg::ffi;
use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, MediaTime, Result, Size, timeline};

use crate::{
    av::{self, AvFrame, Container, Decoder, Packet, SkipFrames},
    orient::Orientation,
};

/// What a media file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaInfo {
    /// Container format as libav names it, e.g. `matroska,webm`.
    pub format: String,
    /// From the first presentation time to the end; zero when the container does not say.
    pub duration: MediaTime,
    /// First presentation time.
    pub start: MediaTime,
    /// Length of the file.
    pub size_bytes: u64,
    /// The video stream that is decoded. Cover pictures do not count.
    pub video: Option<VideoInfo>,
    /// Every audio stream, in container order.
    pub audio: Vec<AudioInfo>,
    /// Which of `audio` is heard unless another is asked for.
    pub default_audio: Option<usize>,
}

/// A video stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoInfo {
    /// Index among all streams of the container.
    pub stream: usize,
    /// Codec, e.g. `h264`.
    pub codec: String,
    /// Size as stored.
    pub coded_size: Size,
    /// Size upright. Pixels are not stretched: see `sample_aspect_ratio`.
    pub display_size: Size,
    /// Width of a pixel over its height, as the file says; 1 when it does not.
    pub sample_aspect_ratio: f64,
    /// How stored pixels are turned to stand upright.
    pub orientation: Orientation,
    /// Mean frames a second; 0 when unknown.
    pub fps: f64,
    /// Frames in the stream, where the container says.
    pub frames: Option<u64>,
    /// Bits a sample.
    pub bit_depth: Option<u32>,
    /// Pixel format as libav names it, e.g. `yuv420p10le`.
    pub pixel_format: Option<String>,
    /// First presentation time of this stream.
    pub start: Option<MediaTime>,
}

impl VideoInfo {
    /// Width of a pixel over its height once the picture stands upright.
    pub fn upright_pixel_aspect(&self) -> f64 {
        let lies = self.orientation.apply(Size::new(2, 1)) != Size::new(2, 1);
        if lies { 1.0 / self.sample_aspect_ratio } else { self.sample_aspect_ratio }
    }
}

/// An audio stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioInfo {
    /// Index among all streams of the container.
    pub stream: usize,
    /// Codec, e.g. `aac`.
    pub codec: String,
    /// Channels as stored.
    pub channels: u32,
    /// Samples a second as stored.
    pub sample_rate_hz: u32,
    /// Language tag, where the container says.
    pub language: Option<String>,
    /// First presentation time of this stream.
    pub start: Option<MediaTime>,
    /// Whether this build can decode it.
    pub decodable: bool,
}

impl MediaInfo {
    /// The timeline's view of the file, read from `uri` and identified by `id`.
    pub fn to_video(&self, uri: impl Into<String>, id: impl Into<String>) -> timeline::Video {
        let size = self.video.as_ref().map_or(Size::default(), |v| v.display_size);
        timeline::Video {
            id: id.into(),
            uri: uri.into(),
            duration_s: self.duration,
            fps: self.video.as_ref().map_or(0.0, |v| v.fps),
            width: size.width,
            height: size.height,
            pixel_aspect: self.video.as_ref().map(VideoInfo::upright_pixel_aspect).filter(|a| (a - 1.0).abs() > 1e-6),
            rotation_deg: self.video.as_ref().map_or(0, |v| v.orientation.degrees()),
            video_codec: self.video.as_ref().map(|v| v.codec.clone()),
            bit_depth: self.video.as_ref().and_then(|v| v.bit_depth),
            start_s: self.start,
            audio: self.default_audio.and_then(|i| self.audio.get(i).map(|a| (i, a))).map(|(i, a)| timeline::Audio {
                codec: a.codec.clone(),
                channels: a.channels,
                sample_rate_hz: a.sample_rate_hz,
                streams: self.audio.len() as u32,
                stream: i as u32,
            }),
            size_bytes: self.size_bytes,
        }
    }
}

/// Looks into a file.
///
/// # Errors
/// `not_found`; `unreadable` for a folder, a device, missing permission or an index that was cut
/// off; `not_media` for an empty file or other bytes; `nothing_decodable` when no stream of it can
/// be decoded.
pub fn probe(path: &Path) -> Result<MediaInfo> {
    open(path).map(|(_, info)| info)
}

/// Opens `path` and says what it holds.
pub(crate) fn open(path: &Path) -> Result<(Container, MediaInfo)> {
    let size_bytes = check_file(path)?;
    let container = Container::open(path).map_err(|e| explain(path, e))?;
    let mut info = describe(&container, size_bytes);
    let still = is_still(&info.format);
    if let Some(video) = info.video.as_mut().filter(|v| still && v.orientation.is_upright())
        && let Some(matrix) = matrix_of_photo(path, video.stream)
    {
        video.orientation = Orientation::from_matrix(matrix);
        video.display_size = video.orientation.apply(video.coded_size);
    }
    if info.video.is_none() && info.default_audio.is_none() {
        return Err(nothing_decodable(&container, path));
    }
    Ok((container, info))
}

/// Whether a format of this name is one picture.
fn is_still(format: &str) -> bool {
    format.ends_with("_pipe")
}

/// How the camera was held, which a photo says in its Exif data (tag 0x0112, Orientation): libav reads it together with
/// the picture. `None` too for a picture that cannot be decoded, which is told when it is read.
fn matrix_of_photo(path: &Path, stream: usize) -> Option<[i32; 9]> {
    let mut container = Container::open(path).ok()?;
    let mut decoder = Decoder::open(&container, stream, 1, SkipFrames::None).ok()?;
    let mut packet = Packet::new().ok()?;
    let mut frame = AvFrame::new().ok()?;
    container.read(&mut packet).ok()?;
    decoder.send(Some(&packet)).ok()?;
    decoder.send(None).ok()?;
    decoder.receive(&mut frame).ok()?;
    frame.display_matrix()
}

fn check_file(path: &Path) -> Result<u64> {
    let meta = std::fs::metadata(path).map_err(|e| {
        let missing = e.kind() == std::io::ErrorKind::NotFound;
        let error = Error::io("open", path, e);
        if missing { error.with_hint("check the spelling; relative paths start at the current folder") } else { error }
    })?;
    let refuse = |kind, what: &str, hint: &'static str| {
        Err(Error::new(kind, format!("{what}: {}", path.display())).with_hint(hint))
    };
    if meta.is_dir() {
        return refuse(ErrorKind::Unreadable, "expected a media file, found a folder", "name a file inside the folder");
    }
    if !meta.is_file() {
        return refuse(
            ErrorKind::Unreadable,
            "expected a regular file, found a device, pipe or socket",
            "save the stream to a file first",
        );
    }
    if meta.len() == 0 {
        return refuse(ErrorKind::NotMedia, "the file is empty", "copy or download it again");
    }
    // Without permission libav would say no more than a number.
    std::fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
    Ok(meta.len())
}

/// Turns libav's refusal to open into what the user can act on.
fn explain(path: &Path, error: av::AvError) -> Error {
    let mut head = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What was read so far is enough to tell; an error here would only hide the first one.
        drop(file.take(4096).read_to_end(&mut head));
    }
    let text = String::from_utf8_lossy(&head);
    let shown = path.display();
    if text.starts_with("#EXTM3U") || text.starts_with("ffconcat") || text.contains("<MPD") {
        return Error::new(ErrorKind::Unsupported, format!("playlists and manifests are not opened: {shown}"))
            .with_hint("name the media file itself");
    }
    let boxes = head.get(4..8).is_some_and(|b| matches!(b, b"ftyp" | b"moov" | b"mdat" | b"free" | b"wide" | b"skip"));
    if boxes && av::is_invalid_data(error) {
        return Error::new(
            ErrorKind::Unreadable,
            format!("the file's index (`moov`) is missing or damaged, as after a cut-off copy or recording: {shown}"),
        )
        .with_hint("copy or download it again; a recording can often be repaired with the tool that made it");
    }
    if av::is_invalid_data(error) {
        return Error::new(ErrorKind::NotMedia, format!("the bytes are not a known audio or video format: {shown}"))
            .with_hint("check that the file plays in a media player");
    }
    Error::new(ErrorKind::Unreadable, format!("cannot open: {error}: {shown}"))
        .with_hint("check that the file plays in a media player")
}

fn nothing_decodable(container: &Container, path: &Path) -> Error {
    let codecs: Vec<String> = (0..container.streams().len())
        .map(|i| format!("`{}`", av::codec_name(container.parameters(i).codec_id)))
        .collect();
    let what = if codecs.is_empty() { "no streams".to_owned() } else { codecs.join(", ") };
    Error::new(
        ErrorKind::NothingDecodable,
        format!("neither video nor audio can be decoded, the file holds {what}: {}", path.display()),
    )
    .with_hint("convert it with a tool that knows this format, for instance to H.264 and AAC")
}

fn describe(container: &Container, size_bytes: u64) -> MediaInfo {
    let video = best_video(container).map(|index| describe_video(container, index));
    let audio: Vec<AudioInfo> =
        streams_of(container, ffi::AVMediaType::AUDIO).map(|index| describe_audio(container, index)).collect();
    let default_audio = container
        .best(ffi::AVMediaType::AUDIO, video.as_ref().map(|v| v.stream))
        .and_then(|stream| audio.iter().position(|a| a.stream == stream && a.decodable))
        .or_else(|| audio.iter().position(|a| a.decodable));
    let raw = container.raw();
    let micros = |t: i64| MediaTime::from_ticks(t, 1, ffi::AV_TIME_BASE);
    let start = match raw.start_time {
        ffi::AV_NOPTS_VALUE => {
            let streams = video.iter().filter_map(|v| v.start).chain(audio.iter().filter_map(|a| a.start));
            streams.min().unwrap_or_default()
        }
        t => micros(t),
    };
    let format = container.format_name();
    let duration = match (raw.duration, &video) {
        // A single picture is shown for one frame.
        (..=0, Some(video)) if is_still(&format) && video.fps > 0.0 => MediaTime::from_secs_f64(1.0 / video.fps),
        (duration, _) => micros(duration.max(0)),
    };
    MediaInfo { format, duration, start, size_bytes, video, audio, default_audio }
}

fn streams_of(container: &Container, kind: ffi::AVMediaType) -> impl Iterator<Item = usize> + '_ {
    (0..container.streams().len()).filter(move |&i| container.parameters(i).codec_type == kind)
}

fn best_video(container: &Container) -> Option<usize> {
    let usable = |&i: &usize| {
        let stream = container.streams()[i];
        let par = container.parameters(i);
        stream.disposition & (ffi::AV_DISPOSITION_ATTACHED_PIC | ffi::AV_DISPOSITION_TIMED_THUMBNAILS) == 0
            && av::can_decode(par.codec_id)
            && par.width > 0
            && par.height > 0
    };
    container
        .best(ffi::AVMediaType::VIDEO, None)
        .filter(usable)
        .or_else(|| streams_of(container, ffi::AVMediaType::VIDEO).find(usable))
}

fn describe_video(container: &Container, index: usize) -> VideoInfo {
    let stream = container.streams()[index];
    let par = container.parameters(index);
    let coded_size = Size::new(par.width.max(0) as u32, par.height.max(0) as u32);
    let orientation = container.display_matrix(index).map(Orientation::from_matrix).unwrap_or_default();
    let desc = av::pixel_format(par.format);
    VideoInfo {
        stream: index,
        codec: av::codec_name(par.codec_id),
        coded_size,
        display_size: orientation.apply(coded_size),
        sample_aspect_ratio: av::ratio(stream.sample_aspect_ratio)
            .or_else(|| av::ratio(par.sample_aspect_ratio))
            .unwrap_or(1.0),
        orientation,
        fps: av::ratio(stream.avg_frame_rate).or_else(|| av::ratio(stream.r_frame_rate)).unwrap_or(0.0),
        frames: u64::try_from(stream.nb_frames).ok().filter(|&n| n > 0),
        bit_depth: desc.and_then(|d| u32::try_from(d.comp[0].depth).ok()),
        pixel_format: desc.map(av::pixel_format_name),
        start: av::media_time(stream.start_time, stream.time_base),
    }
}

fn describe_audio(container: &Container, index: usize) -> AudioInfo {
    let stream = container.streams()[index];
    let par = container.parameters(index);
    AudioInfo {
        stream: index,
        codec: av::codec_name(par.codec_id),
        channels: par.ch_layout.nb_channels.max(0) as u32,
        sample_rate_hz: par.sample_rate.max(0) as u32,
        language: av::tag(stream, c"language"),
        start: av::media_time(stream.start_time, stream.time_base),
        decodable: av::can_decode(par.codec_id),
    }
}
