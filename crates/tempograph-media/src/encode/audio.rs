//! The sound of an existing file: copied packet by packet where MP4 players know the codec,
//! else turned into AAC.
#![expect(unsafe_code, reason = "libav is a C library")]

use std::{ffi::CString, ptr};

use ffmpeg::ffi;
use tempograph_core::MediaTime;

use super::{
    AudioSource,
    sink::{Encoder, OutPacket, Output, SinkError, check},
};
use crate::av::{self, AvError, AvFrame, Container, Decoder, Packet, SkipFrames};

/// Codecs that browsers play from MP4.
const COPIED: [ffi::AVCodecID; 4] =
    [ffi::AVCodecID::AAC, ffi::AVCodecID::MP3, ffi::AVCodecID::OPUS, ffi::AVCodecID::FLAC];

/// What stopped the sound.
#[derive(Clone, Copy, Debug)]
pub(super) enum PumpError {
    /// It cannot be read or converted.
    Input(SinkError),
    /// It cannot be written.
    Output(SinkError),
}

impl PumpError {
    pub(super) fn is_output(self) -> bool {
        matches!(self, Self::Output(_))
    }
}

impl From<PumpError> for SinkError {
    fn from(error: PumpError) -> Self {
        match error {
            PumpError::Input(e) | PumpError::Output(e) => e,
        }
    }
}

impl std::fmt::Display for PumpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(e) => write!(f, "the sound cannot be read: {e}"),
            Self::Output(e) => write!(f, "the sound cannot be written: {e}"),
        }
    }
}

fn input(error: AvError) -> PumpError {
    PumpError::Input(SinkError(error))
}

/// Reads sound as far as the picture has come, and writes it.
pub(super) struct AudioPump {
    container: Container,
    source: usize,
    base: ffi::AVRational,
    stream: usize,
    start: MediaTime,
    until: MediaTime,
    packet: Packet,
    out: OutPacket,
    /// `packet` was read but is not due yet.
    waiting: bool,
    ended: bool,
    recode: Option<Recode>,
}

impl AudioPump {
    /// Opens the sound and adds its stream to `output`.
    pub(super) fn open(source: &AudioSource, start: MediaTime, output: &mut Output) -> Result<Self, PumpError> {
        let mut container = Container::open(&source.path).map_err(input)?;
        if source.stream >= container.streams().len() {
            return Err(input(AvError(-libc::EINVAL)));
        }
        container.keep_only(&[source.stream]);
        let base = container.streams()[source.stream].time_base;
        let parameters = container.parameters(source.stream);
        let copied = COPIED.contains(&parameters.codec_id);
        let (stream, recode) = if copied {
            (output.add_copied(parameters, base).map_err(PumpError::Output)?, None)
        } else {
            let recode = Recode::open(&container, source.stream, start)?;
            (output.add_encoded(&recode.encoder).map_err(PumpError::Output)?, Some(recode))
        };
        let packet = Packet::new().map_err(|_| input(AvError(-libc::ENOMEM)))?;
        let out = OutPacket::new().map_err(PumpError::Output)?;
        let (source, until) = (source.stream, source.until.unwrap_or(MediaTime::MAX));
        Ok(Self { container, source, base, stream, start, until, packet, out, waiting: false, ended: false, recode })
    }

    /// `copied` or `aac`.
    pub(super) fn kind(&self) -> &'static str {
        if self.recode.is_some() { "aac" } else { "copied" }
    }

    /// Reads nothing more.
    pub(super) fn stop(&mut self) {
        self.ended = true;
    }

    /// Writes what is heard until `time`.
    pub(super) fn advance(&mut self, time: MediaTime, output: &mut Output) -> Result<(), PumpError> {
        while !self.ended {
            if !self.waiting {
                match self.container.read(&mut self.packet) {
                    Ok(()) if self.packet.raw().stream_index as usize == self.source => self.waiting = true,
                    Ok(()) => continue,
                    // The end, or damage: what was there until here is kept.
                    Err(_) => return self.end(output),
                }
            }
            let at = av::media_time(self.packet.raw().pts, self.base);
            if at.is_some_and(|at| at >= self.until) {
                return self.end(output);
            }
            if at.is_some_and(|at| at > time) {
                return Ok(());
            }
            self.waiting = false;
            match &mut self.recode {
                Some(recode) => recode.push(Some(&self.packet), self.stream, &mut self.out, output)?,
                None => self.copy(output)?,
            }
        }
        Ok(())
    }

    fn end(&mut self, output: &mut Output) -> Result<(), PumpError> {
        self.ended = true;
        match &mut self.recode {
            Some(recode) => recode.push(None, self.stream, &mut self.out, output),
            None => Ok(()),
        }
    }

    fn copy(&mut self, output: &mut Output) -> Result<(), PumpError> {
        let shift = ticks(self.start, self.base);
        let raw = self.packet.raw();
        // Without a time it cannot be placed; before the start nothing is shown to hear it with.
        if raw.pts == ffi::AV_NOPTS_VALUE || raw.pts.saturating_add(raw.duration.max(1)) <= shift {
            return Ok(());
        }
        self.out.refer(&self.packet).map_err(PumpError::Input)?;
        let out = self.out.as_mut();
        out.pts = out.pts.saturating_sub(shift);
        out.dts = if out.dts == ffi::AV_NOPTS_VALUE { out.pts } else { out.dts.saturating_sub(shift) };
        output.write(&mut self.out, self.stream, self.base).map_err(PumpError::Output)
    }
}

/// `time` in ticks of `base`, rounded to the nearest.
pub(super) fn ticks(time: MediaTime, base: ffi::AVRational) -> i64 {
    let (num, den) = (i128::from(base.num.max(1)), i128::from(base.den.max(1)));
    let unit = num * 1_000_000_000;
    ((i128::from(time.nanos()) * den + unit / 2).div_euclid(unit)) as i64
}

/// Decodes, brings to a form that AAC takes, and encodes.
struct Recode {
    decoder: Decoder,
    graph: Graph,
    encoder: Encoder,
    frame: AvFrame,
    /// Ticks of the encoder's clock before the output's zero.
    shift: i64,
}

impl Recode {
    fn open(container: &Container, stream: usize, start: MediaTime) -> Result<Self, PumpError> {
        let par = container.parameters(stream);
        // AAC players are sure of no more than these rates and 5.1 channels.
        let rate = if matches!(par.sample_rate, 22_050 | 24_000 | 32_000 | 44_100 | 48_000) {
            par.sample_rate
        } else {
            48_000
        };
        let channels = match par.ch_layout.nb_channels {
            1 => 1,
            6 => 6,
            _ => 2,
        };
        let decoder = Decoder::open(container, stream, 1, SkipFrames::None).map_err(input)?;
        let encoder = Encoder::aac(rate, channels).map_err(PumpError::Output)?;
        let encoder = encoder.ok_or(input(AvError(ffi::AVERROR_ENCODER_NOT_FOUND)))?;
        let base = container.streams()[stream].time_base;
        let graph = Graph::open(par, base, rate, channels, encoder.frame_size()).map_err(PumpError::Input)?;
        let frame = AvFrame::new().map_err(|_| input(AvError(-libc::ENOMEM)))?;
        let shift = ticks(start, ffi::AVRational { num: 1, den: rate });
        Ok(Self { decoder, graph, encoder, frame, shift })
    }

    /// Takes a packet, or `None` at the end, and writes what comes out.
    fn push(
        &mut self,
        packet: Option<&Packet>,
        stream: usize,
        out: &mut OutPacket,
        output: &mut Output,
    ) -> Result<(), PumpError> {
        match self.decoder.send(packet) {
            Ok(()) | Err(AvError::EOF) => {}
            // A damaged packet is a short silence.
            Err(_) if packet.is_some() => return Ok(()),
            Err(e) => return Err(input(e)),
        }
        while self.decoder.receive(&mut self.frame).is_ok() {
            self.graph.send(Some(&self.frame)).map_err(PumpError::Input)?;
        }
        if packet.is_none() {
            self.graph.send(None).map_err(PumpError::Input)?;
        }
        while let Some(samples) = self.graph.receive(self.shift).map_err(PumpError::Input)? {
            self.encoder.send_samples(Some(samples)).map_err(PumpError::Output)?;
            self.drain(stream, out, output)?;
        }
        if packet.is_none() {
            self.encoder.send_samples(None).map_err(PumpError::Output)?;
            self.drain(stream, out, output)?;
        }
        Ok(())
    }

    fn drain(&mut self, stream: usize, out: &mut OutPacket, output: &mut Output) -> Result<(), PumpError> {
        while self.encoder.receive(out).map_err(PumpError::Output)? {
            output.write(out, stream, self.encoder.time_base()).map_err(PumpError::Output)?;
        }
        Ok(())
    }
}

/// A filter graph from decoded samples to the encoder's format and frame size.
struct Graph {
    graph: *mut ffi::AVFilterGraph,
    source: *mut ffi::AVFilterContext,
    sink: *mut ffi::AVFilterContext,
    frame: *mut ffi::AVFrame,
}

// SAFETY: filter graphs have no thread affinity; `Graph` is never shared, only moved.
unsafe impl Send for Graph {}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: both allocated by `open`, freed once; the contexts belong to the graph.
        unsafe {
            ffi::avfilter_graph_free(&mut self.graph);
            ffi::av_frame_free(&mut self.frame);
        }
    }
}

impl Graph {
    fn open(
        par: &ffi::AVCodecParameters,
        base: ffi::AVRational,
        rate: i32,
        channels: i32,
        frame_size: u32,
    ) -> Result<Self, SinkError> {
        let layout = match channels {
            1 => "mono",
            6 => "5.1",
            _ => "stereo",
        };
        let text = |s: String| CString::new(s).map_err(|_| SinkError(AvError(-libc::EINVAL)));
        // SAFETY: every pointer is checked or comes from a call that succeeded; the graph and the
        // frame are freed by Drop on every path.
        unsafe {
            let graph = ffi::avfilter_graph_alloc();
            let frame = ffi::av_frame_alloc();
            let mut this = Self { graph, source: ptr::null_mut(), sink: ptr::null_mut(), frame };
            if graph.is_null() || frame.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            let format = ffi::av_get_sample_fmt_name(ffi::AVSampleFormat(par.format));
            if format.is_null() {
                return Err(SinkError(AvError(-libc::EINVAL)));
            }
            let format = std::ffi::CStr::from_ptr(format).to_string_lossy();
            let source = text(format!(
                "time_base={}/{}:sample_rate={}:sample_fmt={format}:channel_layout={}c",
                base.num, base.den, par.sample_rate, par.ch_layout.nb_channels
            ))?;
            // Gaps and overlaps in the input become silence or are trimmed, so that sound stays in
            // step with the picture.
            let resample = text("async=1000".to_owned())?;
            let form = text(format!("sample_fmts=fltp:sample_rates={rate}:channel_layouts={layout}"))?;
            let make = |filter: &std::ffi::CStr, options: Option<&CString>| {
                let mut ctx = ptr::null_mut();
                let args = options.map_or(ptr::null(), |o| o.as_ptr());
                let found = ffi::avfilter_get_by_name(filter.as_ptr());
                if found.is_null() {
                    return Err(SinkError(AvError(ffi::AVERROR_FILTER_NOT_FOUND)));
                }
                check(ffi::avfilter_graph_create_filter(
                    &mut ctx,
                    found,
                    filter.as_ptr(),
                    args,
                    ptr::null_mut(),
                    graph,
                ))?;
                Ok(ctx)
            };
            this.source = make(c"abuffer", Some(&source))?;
            let resampler = make(c"aresample", Some(&resample))?;
            let former = make(c"aformat", Some(&form))?;
            this.sink = make(c"abuffersink", None)?;
            check(ffi::avfilter_link(this.source, 0, resampler, 0))?;
            check(ffi::avfilter_link(resampler, 0, former, 0))?;
            check(ffi::avfilter_link(former, 0, this.sink, 0))?;
            check(ffi::avfilter_graph_config(graph, ptr::null_mut()))?;
            if frame_size > 0 {
                ffi::av_buffersink_set_frame_size(this.sink, frame_size);
            }
            Ok(this)
        }
    }

    /// Gives samples, or `None` at the end.
    fn send(&mut self, frame: Option<&AvFrame>) -> Result<(), SinkError> {
        let frame = frame.map_or(ptr::null(), |f| ptr::from_ref(f.raw()));
        // SAFETY: the source belongs to the graph; write_frame takes its own reference.
        check(unsafe { ffi::av_buffersrc_write_frame(self.source, frame) }).map(drop)
    }

    /// The next frame for the encoder, its time moved back by `shift`.
    fn receive(&mut self, shift: i64) -> Result<Option<&ffi::AVFrame>, SinkError> {
        // SAFETY: sink and frame are valid; the frame is emptied before it is filled again, and
        // the reference handed out ends before the next call.
        unsafe {
            ffi::av_frame_unref(self.frame);
            match check(ffi::av_buffersink_get_frame(self.sink, self.frame)) {
                Ok(_) => {
                    if (*self.frame).pts != ffi::AV_NOPTS_VALUE {
                        (*self.frame).pts = (*self.frame).pts.saturating_sub(shift);
                    }
                    Ok(Some(&*self.frame))
                }
                Err(SinkError(AvError::AGAIN | AvError::EOF)) => Ok(None),
                Err(e) => Err(e),
            }
        }
    }
}
