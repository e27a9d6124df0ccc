//! Copying: a span of a video as a file of its own without encoding the picture again.
//!
//! Pictures depend on the key frame before them, so a copy begins there: up to some seconds before
//! what was asked for. [`Copied`] says where.

use std::path::Path;

use tempograph_core::{Cancel, Error, ErrorKind, MediaTime, Result, Span};

use super::{
    AudioSource, PartFile,
    audio::{AudioPump, ticks},
    fail, fail_at,
    sink::{OutPacket, Output, SinkError},
};
use crate::{
    av::{self, AvError, Container, Packet},
    probe,
};

/// What a copy holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Copied {
    /// From the key frame it begins with to the end of its last picture, on the source's clock.
    pub span: Span,
    /// Pictures.
    pub frames: u64,
    /// Length of the file.
    pub bytes: u64,
    /// What became of the sound: `copied`, `aac`, or `None` without.
    pub audio: Option<String>,
    /// Why there is no sound although there is some in the source.
    pub audio_problem: Option<String>,
}

/// Writes `span` of `path` to `out`, beginning at the key frame at or before its start.
///
/// `audio` is a position in [`MediaInfo::audio`](crate::MediaInfo::audio); the default stream when
/// `None`. Sound that MP4 players do not know becomes AAC.
///
/// # Errors
/// `usage` when there is no video or no key frame before the end of `span`; `unsupported` when MP4
/// cannot hold the codec; as reading and writing.
pub fn copy(path: &Path, span: Span, out: &Path, audio: Option<usize>, cancel: &Cancel) -> Result<Copied> {
    let info = probe(path)?;
    let video = info
        .video
        .as_ref()
        .ok_or_else(|| Error::new(ErrorKind::Usage, format!("there is no video to cut: {}", path.display())))?;
    let reading =
        |e: AvError| Error::new(ErrorKind::NotMedia, format!("cannot read the video: {e}: {}", path.display()));
    let mut packet = Packet::new()?;
    let found = last_key(path, video.stream, span.start, cancel, &mut packet)
        .map_err(|e| if e == AvError::EXIT { Error::new(ErrorKind::Cancelled, "cancelled") } else { reading(e) })?
        .filter(|(key, _)| *key < span.end);
    let (key, mut source) = found.ok_or_else(|| {
        Error::new(ErrorKind::Usage, format!("no picture can be copied from {} to {}", span.start, span.end))
    })?;
    let base = source.streams()[video.stream].time_base;

    // What lies before the first picture that the file shows stays hidden in the copy too.
    let zero = key.max(info.start);
    let mut part = PartFile::beside(out)?;
    let mut output = Output::create(&part.path).map_err(|e| fail_at("create", e, out))?;
    let stream = output.add_copied(source.parameters(video.stream), base).map_err(|e| fail_at("begin", e, out))?;
    if let Some(matrix) = source.display_matrix(video.stream) {
        output.turn(stream, matrix).map_err(|e| fail_at("begin", e, out))?;
    }
    let chosen = audio.or(info.default_audio).and_then(|i| info.audio.get(i));
    let sound = chosen.map(|a| AudioSource { path: path.to_owned(), stream: a.stream, until: Some(span.end) });
    let (mut sound, mut audio_problem) = match sound.map(|s| AudioPump::open(&s, zero, &mut output)) {
        None => (None, None),
        Some(Ok(pump)) => (Some(pump), None),
        Some(Err(e)) => (None, Some(e.to_string())),
    };
    output.begin().map_err(|e| match e.io() {
        Some(io) => Error::io("begin", out, io),
        None => Error::new(ErrorKind::Unsupported, format!("an MP4 file cannot hold `{}` as it is", video.codec))
            .with_hint("leave out `--fast`: the clip is then encoded anew"),
    })?;

    let shift = ticks(zero, base);
    let mut copied = OutPacket::new().map_err(|e| fail("make a packet", e))?;
    let mut begun = false;
    let (mut frames, mut end) = (0, zero);
    loop {
        match source.read(&mut packet) {
            Ok(()) => {}
            Err(AvError::EXIT) => return Err(Error::new(ErrorKind::Cancelled, "cancelled")),
            // The end, or damage: what was there until here is kept.
            Err(_) => break,
        }
        if packet.raw().stream_index as usize != video.stream {
            continue;
        }
        let Some((shown, decoded)) = times(&packet, base) else { continue };
        begun |= is_key(&packet) && shown == key;
        if !begun {
            continue;
        }
        // In order of decoding: nothing after this one is shown before the end.
        if decoded >= span.end || is_key(&packet) && shown >= span.end {
            break;
        }
        copied.refer(&packet).map_err(|e| fail("copy a packet", e))?;
        let out_packet = copied.as_mut();
        let lead = out_packet.dts;
        if out_packet.pts == av::NO_TIME {
            out_packet.pts = lead;
        }
        if out_packet.dts == av::NO_TIME {
            out_packet.dts = out_packet.pts;
        }
        out_packet.pts = out_packet.pts.saturating_sub(shift);
        out_packet.dts = out_packet.dts.saturating_sub(shift);
        let shown_for = av::media_time(packet.raw().duration.max(0), base).unwrap_or(MediaTime::ZERO);
        end = end.max(shown + shown_for);
        output.write(&mut copied, stream, base).map_err(|e| fail_at("write", e, out))?;
        frames += 1;
        advance(&mut sound, shown, &mut output, &mut audio_problem, out)?;
    }
    advance(&mut sound, MediaTime::MAX, &mut output, &mut audio_problem, out)?;
    output.end().map_err(|e| fail_at("finish", e, out))?;
    let bytes = part.publish()?;
    let audio = sound.as_ref().map(|a| a.kind().to_owned());
    Ok(Copied { span: Span::new(zero, end), frames, bytes, audio, audio_problem })
}

/// When the packet is shown and decoded; a missing one of the two is like the other.
fn times(packet: &Packet, base: ffmpeg::ffi::AVRational) -> Option<(MediaTime, MediaTime)> {
    let (pts, dts) = (av::media_time(packet.raw().pts, base), av::media_time(packet.raw().dts, base));
    Some((pts.or(dts)?, dts.or(pts)?))
}

fn is_key(packet: &Packet) -> bool {
    packet.raw().flags & ffmpeg::ffi::AV_PKT_FLAG_KEY != 0
}

/// When the last key frame at or before `time` is shown, or the first of all, and the container
/// standing before it.
fn last_key(
    path: &Path,
    stream: usize,
    time: MediaTime,
    cancel: &Cancel,
    packet: &mut Packet,
) -> Result<Option<(MediaTime, Container)>, AvError> {
    // An index may point behind the time, or there is none: then from the front.
    for by_index in [true, false] {
        let Some(mut source) = open_at(path, stream, by_index.then_some(time), cancel)? else { continue };
        let base = source.streams()[stream].time_base;
        let mut found = None;
        loop {
            match source.read(packet) {
                Ok(()) => {}
                Err(AvError::EXIT) => return Err(AvError::EXIT),
                Err(_) => break,
            }
            if packet.raw().stream_index as usize != stream {
                continue;
            }
            let Some((shown, decoded)) = times(packet, base) else { continue };
            if is_key(packet) && (shown <= time || found.is_none() && !by_index) {
                found = Some(shown);
            }
            if decoded > time && (found.is_some() || by_index) {
                break;
            }
        }
        if let Some(key) = found {
            // Opened anew: to go back to the front is more than some formats can.
            return Ok(open_at(path, stream, by_index.then_some(time), cancel)?.map(|source| (key, source)));
        }
    }
    Ok(None)
}

/// The container at `time` as its index says, else at its front; `None` when it cannot go there.
fn open_at(path: &Path, stream: usize, time: Option<MediaTime>, cancel: &Cancel) -> Result<Option<Container>, AvError> {
    let mut source = Container::open(path)?;
    source.watch(cancel);
    source.keep_only(&[stream]);
    if let Some(time) = time {
        let base = source.streams()[stream].time_base;
        if source.seek(stream, ticks(time, base)).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(source))
}

/// Lets the sound follow up to `time`; a fault in it ends the sound, not the picture.
fn advance(
    sound: &mut Option<AudioPump>,
    time: MediaTime,
    output: &mut Output,
    problem: &mut Option<String>,
    path: &Path,
) -> Result<()> {
    let Some(pump) = sound else { return Ok(()) };
    match pump.advance(time, output) {
        Ok(()) => Ok(()),
        Err(e) if e.is_output() => Err(fail_at("write", SinkError::from(e), path)),
        Err(e) => {
            problem.get_or_insert_with(|| e.to_string());
            pump.stop();
            Ok(())
        }
    }
}
