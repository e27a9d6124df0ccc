//! One pass over a file: frames and audio, in the order the decoder gives them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use tempograph_core::{AudioBlock, Cancel, Error, ErrorKind, Frame, Issue, MediaTime, Result, Span};

use crate::{
    audio::Assembler,
    av::{self, AvError, AvFrame, Container, Decoder, Packet, SkipFrames},
    clock::VideoClock,
    picture::AvPicture,
    probe::{self, MediaInfo},
    sws::Converter,
};

/// What a pass over the file should yield.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wants {
    /// Frames, if any are wanted.
    pub video: Option<VideoWants>,
    /// Audio, if it is wanted.
    pub audio: Option<AudioWants>,
}

/// Which frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct VideoWants {
    /// What the decoder may leave out.
    pub skip: SkipFrames,
}

/// Which audio.
#[derive(Clone, Copy, Debug, Default)]
pub struct AudioWants {
    /// Position in [`MediaInfo::audio`]; the default stream when `None`.
    pub stream: Option<usize>,
}

/// One thing decoded.
#[derive(Clone, Debug)]
pub enum Sample {
    /// A picture.
    Frame(Frame),
    /// Half a second of audio, less at the end and before a gap.
    Audio(AudioBlock),
}

/// What a pass yielded.
#[derive(Clone, Debug, Default)]
pub struct ReadReport {
    /// Frames given to the sink.
    pub frames: u64,
    /// 16 kHz samples given to the sink.
    pub audio_samples: u64,
    /// From the first frame to the end of the last.
    pub video_span: Option<Span>,
    /// From the first sample to the end of the last.
    pub audio_span: Option<Span>,
    /// Packets that could not be decoded.
    pub corrupt_packets: u64,
    /// Damage that did not stop the pass.
    pub issues: Vec<Issue>,
}

/// Reading errors in a row after which the rest of the file is given up.
const MAX_READ_ERRORS: u32 = 64;
/// Errors in a row after which draining a decoder is given up.
const MAX_DRAIN_ERRORS: u32 = 1024;
/// Packet facts remembered while frames are inside the decoder.
const MAX_IN_FLIGHT: usize = 256;

/// How many threads decode. A frame waits for the ones it refers to, so one thread more than there are cores keeps
/// them all busy: libavcodec's own rule for an automatic number (`pthread_frame.c`, `pthread_slice.c`).
fn decoding_threads() -> usize {
    match std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
        1 => 1,
        cores => (cores + 1).min(16),
    }
}

/// Reads a file from front to back.
pub struct Reader {
    path: PathBuf,
    info: MediaInfo,
    /// The container that `open` read the headers with; used by the first pass.
    fresh: Option<Container>,
    threads: usize,
}

impl Reader {
    /// Opens a file and looks into it.
    ///
    /// # Errors
    /// As [`probe`](crate::probe()).
    pub fn open(path: &Path) -> Result<Self> {
        let (container, info) = probe::open(path)?;
        Ok(Self { path: path.to_owned(), info, fresh: Some(container), threads: decoding_threads() })
    }

    /// Sets how many threads decode; unless set one more than there are cores, at most 16.
    pub fn set_threads(&mut self, threads: usize) {
        self.threads = threads.max(1);
    }

    /// What the file holds.
    pub fn info(&self) -> &MediaInfo {
        &self.info
    }

    /// Decodes what is wanted in one pass and hands it to `sink` on the calling thread.
    ///
    /// Frames come in presentation order with strictly increasing times; audio blocks come in
    /// order; the two interleave about as they do in the file. What the file lacks is not an
    /// error: no samples of it come. May be called again: every call starts at the front.
    ///
    /// # Errors
    /// `cancelled`; what `sink` returns; `decode_failed` when something was wanted and there, but
    /// none of it could be decoded; `not_found` for an audio stream the file does not have.
    pub fn read(
        &mut self,
        wants: &Wants,
        cancel: &Cancel,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<ReadReport> {
        cancel.check()?;
        let container = match self.fresh.take() {
            Some(container) => container,
            None => probe::open(&self.path)?.0,
        };
        Pass::new(container, &self.info, wants, self.threads)?.run(cancel, sink).map_err(|e| self.locate(e))
    }

    fn locate(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Decode {
            return error;
        }
        Error::new(ErrorKind::Decode, format!("{error}: {}", self.path.display()))
            .with_hint("check that the file plays in a media player; if not, copy or download it again")
    }
}

/// A frame that waits for the next one to know how long it is shown.
struct Pending {
    frame: Frame,
    stamped: Option<MediaTime>,
}

struct VideoTrack {
    stream: usize,
    base: ffmpeg::ffi::AVRational,
    decoder: Decoder,
    clock: VideoClock,
    skip: SkipFrames,
    /// Duration and key flag by timestamp, for frames still inside the decoder.
    facts: BTreeMap<i64, (i64, bool)>,
    pending: Option<Pending>,
    count: u64,
    resized: u64,
    damaged: u64,
    failed: u64,
}

struct AudioTrack {
    stream: usize,
    base: ffmpeg::ffi::AVRational,
    decoder: Decoder,
    assembler: Assembler,
    failed: u64,
}

/// State of one pass.
struct Pass<'a> {
    container: Container,
    info: &'a MediaInfo,
    video: Option<VideoTrack>,
    audio: Option<AudioTrack>,
    converter: Arc<Converter>,
    report: ReadReport,
}

impl<'a> Pass<'a> {
    fn new(mut container: Container, info: &'a MediaInfo, wants: &Wants, threads: usize) -> Result<Self> {
        let mut report = ReadReport::default();
        let mut keep = Vec::new();
        let mut open = |stream: usize, skip: SkipFrames, threads: usize, what: &str| match Decoder::open(
            &container, stream, threads, skip,
        ) {
            Ok(decoder) => {
                keep.push(stream);
                Some(decoder)
            }
            Err(e) => {
                let codec = av::codec_name(container.parameters(stream).codec_id);
                let error = Error::new(ErrorKind::Decode, format!("cannot decode the {what} stream (`{codec}`): {e}"));
                report.issues.push(Issue::from_error("media", &error));
                None
            }
        };
        let mut video = None;
        if let (Some(wants), Some(stream)) = (wants.video, &info.video) {
            let index = stream.stream;
            video = open(index, wants.skip, threads, "video").map(|decoder| VideoTrack {
                stream: index,
                base: container.streams()[index].time_base,
                decoder,
                clock: VideoClock::new(stream.fps),
                skip: wants.skip,
                facts: BTreeMap::new(),
                pending: None,
                count: 0,
                resized: 0,
                damaged: 0,
                failed: 0,
            });
        }
        let mut audio = None;
        if let Some(wants) = wants.audio {
            let chosen = match wants.stream {
                Some(i) if i >= info.audio.len() => {
                    let has = info.audio.len();
                    return Err(Error::new(ErrorKind::NotFound, format!("no audio stream with this number: {i}"))
                        .with_hint(format!("the file has {has} audio streams, counted from 0")));
                }
                Some(i) => Some(i),
                None => info.default_audio,
            };
            if let Some(index) = chosen.map(|i| info.audio[i].stream) {
                audio = open(index, SkipFrames::None, 1, "audio").map(|decoder| AudioTrack {
                    stream: index,
                    base: container.streams()[index].time_base,
                    decoder,
                    assembler: Assembler::new(),
                    failed: 0,
                });
            }
        }
        container.keep_only(&keep);
        Ok(Self { container, info, video, audio, converter: Arc::default(), report })
    }

    fn run(mut self, cancel: &Cancel, sink: &mut dyn FnMut(Sample) -> Result<()>) -> Result<ReadReport> {
        if self.video.is_none() && self.audio.is_none() {
            return self.finish(0);
        }
        self.container.watch(cancel);
        let mut frame = AvFrame::new()?;
        let read_errors = self.demux(&mut frame, cancel, sink)?;
        self.decode(None, &mut frame, cancel, sink)?;
        self.finish(read_errors)
    }

    /// Decodes packets until the file ends or is given up; says how many could not be read.
    fn demux(
        &mut self,
        frame: &mut AvFrame,
        cancel: &Cancel,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<u64> {
        let mut packet = Packet::new()?;
        let (mut errors_in_row, mut errors) = (0, 0);
        loop {
            cancel.check()?;
            match self.container.read(&mut packet) {
                Ok(()) => {
                    errors_in_row = 0;
                    self.decode(Some(&packet), frame, cancel, sink)?;
                }
                Err(AvError::EOF) => return Ok(errors),
                Err(AvError::EXIT) => {
                    cancel.check()?;
                    self.issue(ErrorKind::Io, "reading took too long; the rest of the file was left out");
                    return Ok(errors);
                }
                Err(e) => {
                    (errors_in_row, errors) = (errors_in_row + 1, errors + 1);
                    if errors_in_row >= MAX_READ_ERRORS {
                        self.issue(ErrorKind::Decode, format!("the rest of the file was left out: {e}"));
                        return Ok(errors);
                    }
                }
            }
        }
    }

    /// Gives a packet to its decoder (or drains both) and passes on what comes out.
    fn decode(
        &mut self,
        packet: Option<&Packet>,
        frame: &mut AvFrame,
        cancel: &Cancel,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<()> {
        let stream = packet.map(|p| p.raw().stream_index as usize);
        let Self { info, video, audio, converter, report, .. } = self;
        if let Some(track) = video.as_mut().filter(|t| stream.is_none_or(|s| s == t.stream)) {
            if let Some(packet) = packet {
                track.remember(packet);
            }
            let mut out = |track: &mut VideoTrack, frame: &mut AvFrame| {
                cancel.check()?;
                track.take(frame, info, converter, report, sink)
            };
            pump(track, |t| &mut t.decoder, |t| t.failed += 1, packet, frame, &mut out)?;
            if packet.is_none() {
                track.flush(None, report, sink)?;
            }
        }
        if let Some(track) = audio.as_mut().filter(|t| stream.is_none_or(|s| s == t.stream)) {
            let mut out = |track: &mut AudioTrack, frame: &mut AvFrame| {
                cancel.check()?;
                track.take(frame, info, report, sink)
            };
            pump(track, |t| &mut t.decoder, |t| t.failed += 1, packet, frame, &mut out)?;
            if packet.is_none() {
                track.finish(report, sink)?;
            }
        }
        Ok(())
    }

    fn issue(&mut self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) {
        self.report.issues.push(Issue::from_error("media", &Error::new(kind, message)));
    }

    fn finish(mut self, read_errors: u64) -> Result<ReadReport> {
        let (video, audio) = (self.video.take(), self.audio.take());
        self.report.corrupt_packets =
            read_errors + video.as_ref().map_or(0, |t| t.failed) + audio.as_ref().map_or(0, |t| t.failed);
        if self.report.frames == 0 && self.report.audio_samples == 0 && (video.is_some() || audio.is_some()) {
            return Err(Error::new(ErrorKind::Decode, "nothing in the file could be decoded"));
        }
        if read_errors > 0 {
            self.issue(
                ErrorKind::Decode,
                format!("the container is damaged in {read_errors} places; decoding went on"),
            );
        }
        if let Some(track) = video {
            if track.failed > 0 {
                self.issue(ErrorKind::Decode, format!("{} corrupt video packets were skipped", track.failed));
            }
            if track.damaged > 0 {
                self.issue(ErrorKind::Decode, format!("{} frames show damage from corrupt data", track.damaged));
            }
            if track.count == 0 {
                self.issue(ErrorKind::Decode, "no frame of the video stream could be decoded");
            }
            if track.clock.repaired > 0 {
                self.issue(
                    ErrorKind::InvalidData,
                    format!(
                        "{} frames had a missing or repeated timestamp; theirs was estimated",
                        track.clock.repaired
                    ),
                );
            }
            if track.resized > 0 {
                self.issue(
                    ErrorKind::InvalidData,
                    format!("{} frames had another size than the video and were scaled to it", track.resized),
                );
            }
        }
        if let Some(track) = audio {
            if track.failed > 0 {
                self.issue(ErrorKind::Decode, format!("{} corrupt audio packets were skipped", track.failed));
            }
            if track.assembler.repeats > 0 {
                let n = track.assembler.repeats;
                self.issue(ErrorKind::InvalidData, format!("{n} audio frames repeated earlier time and were dropped"));
            }
        }
        Ok(self.report)
    }
}

/// Sends a packet and receives frames until the decoder wants more.
fn pump<T>(
    track: &mut T,
    decoder: fn(&mut T) -> &mut Decoder,
    failed: fn(&mut T),
    packet: Option<&Packet>,
    frame: &mut AvFrame,
    out: &mut dyn FnMut(&mut T, &mut AvFrame) -> Result<()>,
) -> Result<()> {
    // A full decoder takes the packet after its frames were received; it is never asked a third time.
    for _ in 0..2 {
        let sent = decoder(track).send(packet);
        let mut errors = 0;
        loop {
            match decoder(track).receive(frame) {
                Ok(()) => out(track, frame)?,
                Err(AvError::AGAIN | AvError::EOF) => break,
                // With frame threads an error belongs to one frame and the next may be good.
                Err(_) if packet.is_none() && errors < MAX_DRAIN_ERRORS => {
                    errors += 1;
                    failed(track);
                }
                Err(_) => {
                    failed(track);
                    break;
                }
            }
        }
        match sent {
            Err(AvError::AGAIN) => {}
            Ok(()) | Err(AvError::EOF) => return Ok(()),
            Err(_) => {
                failed(track);
                return Ok(());
            }
        }
    }
    failed(track);
    Ok(())
}

impl VideoTrack {
    fn remember(&mut self, packet: &Packet) {
        let raw = packet.raw();
        let stamp = if raw.pts == ffmpeg::ffi::AV_NOPTS_VALUE { raw.dts } else { raw.pts };
        let key = raw.flags & ffmpeg::ffi::AV_PKT_FLAG_KEY != 0;
        self.facts.insert(stamp, (raw.duration, key));
        if self.facts.len() > MAX_IN_FLIGHT {
            self.facts.pop_first();
        }
    }

    fn take(
        &mut self,
        frame: &mut AvFrame,
        info: &MediaInfo,
        converter: &Arc<Converter>,
        report: &mut ReadReport,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<()> {
        let Some(video) = &info.video else { return Ok(()) };
        let frame = frame.take()?;
        let raw = frame.raw();
        let stamp = raw.best_effort_timestamp;
        let intra = raw.pict_type == ffmpeg::ffi::AVPictureType::I;
        let (ticks, key) = self.facts.remove(&stamp).unwrap_or((0, intra && self.count == 0));
        let time = self.clock.next(av::media_time(stamp, self.base), video.start.unwrap_or(info.start));
        self.resized +=
            u64::from((raw.width, raw.height) != (video.coded_size.width as i32, video.coded_size.height as i32));
        self.damaged += u64::from(raw.decode_error_flags != 0 || raw.flags & ffmpeg::ffi::AV_FRAME_FLAG_CORRUPT != 0);
        let stamped = av::media_time(ticks, self.base).filter(|&d| d > MediaTime::ZERO);
        let picture = AvPicture::new(frame, video.orientation, video.display_size, Arc::clone(converter));
        let frame = Frame { index: self.count, time, duration: MediaTime::ZERO, key, picture: Arc::new(picture) };
        self.count += 1;
        self.flush(Some(time), report, sink)?;
        self.pending = Some(Pending { frame, stamped });
        Ok(())
    }

    /// Sends the waiting frame, shown until `next`.
    fn flush(
        &mut self,
        next: Option<MediaTime>,
        report: &mut ReadReport,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<()> {
        let Some(Pending { mut frame, stamped }) = self.pending.take() else { return Ok(()) };
        // Where frames are left out the next one does not tell how long this one is shown.
        let shown = next.filter(|_| self.skip == SkipFrames::None).map(|next| next - frame.time);
        frame.duration = shown.or(stamped).unwrap_or_else(|| self.clock.nominal());
        report.frames += 1;
        let span = report.video_span.get_or_insert(Span::new(frame.time, frame.time));
        span.end = frame.time + frame.duration;
        sink(Sample::Frame(frame))
    }
}

impl AudioTrack {
    fn take(
        &mut self,
        frame: &mut AvFrame,
        info: &MediaInfo,
        report: &mut ReadReport,
        sink: &mut dyn FnMut(Sample) -> Result<()>,
    ) -> Result<()> {
        let stamp = av::media_time(frame.raw().best_effort_timestamp, self.base);
        let mut blocks = Vec::new();
        if self.assembler.push(frame, stamp, info.start, &mut blocks).is_err() {
            self.failed += 1;
        }
        send(blocks, report, sink)
    }

    fn finish(&mut self, report: &mut ReadReport, sink: &mut dyn FnMut(Sample) -> Result<()>) -> Result<()> {
        let mut blocks = Vec::new();
        if self.assembler.drain(&mut blocks).is_err() {
            self.failed += 1;
        }
        send(blocks, report, sink)
    }
}

fn send(blocks: Vec<AudioBlock>, report: &mut ReadReport, sink: &mut dyn FnMut(Sample) -> Result<()>) -> Result<()> {
    for block in blocks {
        report.audio_samples += block.samples.len() as u64;
        let span = report.audio_span.get_or_insert(Span::new(block.start, block.start));
        span.end = block.end();
        sink(Sample::Audio(block))?;
    }
    Ok(())
}
