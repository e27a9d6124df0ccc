//! Owned handles over libav's writing side: the output container, encoders, packets, planes.
#![expect(unsafe_code, reason = "libav is a C library")]

use std::{
    ffi::{CStr, CString},
    path::Path,
    ptr,
};

use ffmpeg::ffi;
use tempograph_core::{Error, ErrorKind, Result, Size};

use super::VideoOptions;
use crate::av::{self, AvError};

/// A failure of libav while writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SinkError(pub(super) AvError);

impl std::fmt::Display for SinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl SinkError {
    pub(super) const NO_MEMORY: Self = Self(AvError(-libc::ENOMEM));

    /// The operating system's error behind it, where there is one.
    pub(super) fn io(self) -> Option<std::io::Error> {
        let code = -self.0.0;
        // libav's own codes are four letters, far beyond any errno.
        let system =
            (1..=4095).contains(&code) && ![libc::EINVAL, libc::EAGAIN, libc::ENOMEM, libc::ENOSYS].contains(&code);
        system.then(|| std::io::Error::from_raw_os_error(code))
    }
}

pub(super) fn check(code: i32) -> Result<i32, SinkError> {
    if code < 0 { Err(SinkError(AvError(code))) } else { Ok(code) }
}

/// A packet to be written.
pub(super) struct OutPacket(*mut ffi::AVPacket);

// SAFETY: a packet has no thread affinity and is never shared.
unsafe impl Send for OutPacket {}

impl OutPacket {
    pub(super) fn new() -> Result<Self, SinkError> {
        // SAFETY: allocation only; null is checked.
        let packet = unsafe { ffi::av_packet_alloc() };
        if packet.is_null() { Err(SinkError::NO_MEMORY) } else { Ok(Self(packet)) }
    }

    /// Becomes another reference to `other`'s data.
    pub(super) fn refer(&mut self, other: &av::Packet) -> Result<(), SinkError> {
        // SAFETY: both packets are allocated; the old reference is given up first.
        unsafe {
            ffi::av_packet_unref(self.0);
            check(ffi::av_packet_ref(self.0, other.raw())).map(drop)
        }
    }

    pub(super) fn as_mut(&mut self) -> &mut ffi::AVPacket {
        // SAFETY: valid as long as `self`, and `&mut self` is exclusive.
        unsafe { &mut *self.0 }
    }

    pub(super) fn pts(&self) -> i64 {
        // SAFETY: valid as long as `self`.
        unsafe { (*self.0).pts }
    }

    pub(super) fn set_duration(&mut self, ticks: i64) {
        self.as_mut().duration = ticks;
    }
}

impl Drop for OutPacket {
    fn drop(&mut self) {
        // SAFETY: allocated by av_packet_alloc, freed once.
        unsafe { ffi::av_packet_free(&mut self.0) }
    }
}

/// A 4:2:0 picture with buffers of its own.
pub(super) struct Planes {
    frame: *mut ffi::AVFrame,
    size: Size,
}

// SAFETY: the frame's only reference is this one until it is sent, and it has no thread affinity.
unsafe impl Send for Planes {}

impl Planes {
    /// Unset pixels; `size` is even.
    pub(super) fn new(size: Size) -> Result<Self, SinkError> {
        // SAFETY: the frame is freed by Drop on every path; its fields are plain integers.
        unsafe {
            let frame = ffi::av_frame_alloc();
            if frame.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            let planes = Self { frame, size };
            (*frame).format = ffi::AVPixelFormat::YUV420P.0;
            (*frame).width = size.width as i32;
            (*frame).height = size.height as i32;
            check(ffi::av_frame_get_buffer(frame, 0))?;
            Ok(planes)
        }
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    fn raw(&self) -> &ffi::AVFrame {
        // SAFETY: valid as long as `self`.
        unsafe { &*self.frame }
    }

    pub(super) fn strides(&self) -> [usize; 3] {
        [0, 1, 2].map(|i| self.raw().linesize[i] as usize)
    }

    /// Each plane with its stride.
    pub(super) fn planes_mut(&mut self) -> [(&mut [u8], usize); 3] {
        let (strides, height) = (self.strides(), self.size.height as usize);
        let data = self.raw().data;
        [0, 1, 2].map(|i| {
            let rows = if i == 0 { height } else { height / 2 };
            // SAFETY: av_frame_get_buffer made `linesize × rows` bytes for each plane; the three do
            // not overlap, and the frame was just made, so nobody else refers to them.
            (unsafe { std::slice::from_raw_parts_mut(data[i], strides[i] * rows) }, strides[i])
        })
    }

    pub(super) fn stamp(&mut self, pts: i64) {
        // SAFETY: plain integer fields of a valid frame.
        unsafe {
            (*self.frame).pts = pts;
            (*self.frame).pict_type = ffi::AVPictureType::NONE;
        }
    }
}

impl Drop for Planes {
    fn drop(&mut self) {
        // SAFETY: allocated by av_frame_alloc, freed once.
        unsafe { ffi::av_frame_free(&mut self.frame) }
    }
}

/// An open encoder.
pub(super) struct Encoder(*mut ffi::AVCodecContext);

// SAFETY: a codec context has no thread affinity and is never shared.
unsafe impl Send for Encoder {}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: allocated by avcodec_alloc_context3, freed once.
        unsafe { ffi::avcodec_free_context(&mut self.0) }
    }
}

impl Encoder {
    /// The best video encoder that opens, and its name.
    pub(super) fn video(size: Size, options: &VideoOptions, colour: (bool, bool)) -> Result<(Self, String)> {
        av::init();
        let mut refusal = None;
        for name in [c"libx264", c"libopenh264", c"mpeg4"] {
            let shown = name.to_string_lossy().into_owned();
            match Self::open_video(name, size, options, colour) {
                Ok(Some(encoder)) => {
                    if name != c"libx264" {
                        tracing::warn!(encoder = shown, "no x264 in this libav: the video will be larger");
                    }
                    return Ok((encoder, shown));
                }
                Ok(None) => {}
                Err(e) => refusal = refusal.or(Some((shown, e))),
            }
        }
        let message = match refusal {
            Some((name, e)) => format!("encoder `{name}` refused {}×{} pixels: {e}", size.width, size.height),
            None => "this libav has none of the encoders `libx264`, `libopenh264`, `mpeg4`".to_owned(),
        };
        Err(Error::new(ErrorKind::Unsupported, message).with_hint("install FFmpeg with H.264 encoding"))
    }

    fn open_video(name: &CStr, size: Size, o: &VideoOptions, colour: (bool, bool)) -> Result<Option<Self>, SinkError> {
        let x264 = name == c"libx264";
        // MPEG-4 part 2 stores the clock in 16 bits.
        let ticks = if name == c"mpeg4" { 60_000 } else { 90_000 };
        // SAFETY: the context belongs to `encoder` from its allocation on; only plain fields and
        // named options are set before it is opened.
        unsafe {
            let codec = ffi::avcodec_find_encoder_by_name(name.as_ptr());
            if codec.is_null() {
                return Ok(None);
            }
            let ctx = ffi::avcodec_alloc_context3(codec);
            if ctx.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            let encoder = Self(ctx);
            (*ctx).width = size.width as i32;
            (*ctx).height = size.height as i32;
            (*ctx).pix_fmt = ffi::AVPixelFormat::YUV420P;
            (*ctx).time_base = ffi::AVRational { num: 1, den: ticks };
            let fps = if o.fps.is_finite() && (0.1..=480.0).contains(&o.fps) { o.fps } else { 25.0 };
            (*ctx).framerate = ffi::AVRational { num: (fps * 1000.0).round() as i32, den: 1000 };
            // H.264 and MP4 hold both numbers in 16 bits; what no screen shows is not believed.
            let aspect = if (0.05..=20.0).contains(&o.pixel_aspect) { o.pixel_aspect } else { 1.0 };
            (*ctx).sample_aspect_ratio = ffi::av_d2q(aspect, 4096);
            (*ctx).gop_size = (fps * 4.0).round().clamp(1.0, 600.0) as i32;
            (*ctx).thread_count = o.threads.min(64) as i32;
            (*ctx).flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
            (*ctx).color_range = if colour.0 { ffi::AVColorRange::JPEG } else { ffi::AVColorRange::MPEG };
            if colour.1 {
                (*ctx).colorspace = ffi::AVColorSpace::BT709;
                (*ctx).color_primaries = ffi::AVColorPrimaries::BT709;
                (*ctx).color_trc = ffi::AVColorTransferCharacteristic::BT709;
            } else {
                (*ctx).colorspace = ffi::AVColorSpace::SMPTE170M;
            }
            if x264 {
                let set = |key: &CStr, value: &str| {
                    let value = CString::new(value).map_err(|_| SinkError(AvError(-libc::EINVAL)))?;
                    check(ffi::av_opt_set((*ctx).priv_data, key.as_ptr(), value.as_ptr(), 0)).map(drop)
                };
                set(c"preset", &o.preset)?;
                set(c"crf", &o.crf.min(51).to_string())?;
            } else {
                // About a tenth of a bit for each pixel of each frame.
                let bits = size.area() as f64 * fps * 0.12;
                (*ctx).bit_rate = bits.clamp(200_000.0, 80_000_000.0) as i64;
            }
            check(ffi::avcodec_open2(ctx, codec, ptr::null_mut()))?;
            Ok(Some(encoder))
        }
    }

    /// An AAC encoder; `None` when this libav has none.
    pub(super) fn aac(sample_rate: i32, channels: i32) -> Result<Option<Self>, SinkError> {
        // SAFETY: as in `open_video`.
        unsafe {
            let codec = ffi::avcodec_find_encoder_by_name(c"aac".as_ptr());
            if codec.is_null() {
                return Ok(None);
            }
            let ctx = ffi::avcodec_alloc_context3(codec);
            if ctx.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            let encoder = Self(ctx);
            (*ctx).sample_fmt = ffi::AVSampleFormat::FLTP;
            (*ctx).sample_rate = sample_rate;
            ffi::av_channel_layout_default(&mut (*ctx).ch_layout, channels);
            (*ctx).bit_rate = 64_000 * i64::from(channels);
            (*ctx).time_base = ffi::AVRational { num: 1, den: sample_rate };
            (*ctx).flags |= ffi::AV_CODEC_FLAG_GLOBAL_HEADER as i32;
            check(ffi::avcodec_open2(ctx, codec, ptr::null_mut()))?;
            Ok(Some(encoder))
        }
    }

    fn raw(&self) -> &ffi::AVCodecContext {
        // SAFETY: valid as long as `self`.
        unsafe { &*self.0 }
    }

    pub(super) fn size(&self) -> Size {
        Size::new(self.raw().width as u32, self.raw().height as u32)
    }

    pub(super) fn time_base(&self) -> ffi::AVRational {
        self.raw().time_base
    }

    pub(super) fn ticks_per_second(&self) -> i32 {
        self.raw().time_base.den
    }

    /// Samples in each frame that the encoder takes.
    pub(super) fn frame_size(&self) -> u32 {
        self.raw().frame_size.max(0) as u32
    }

    /// Gives a picture, or `None` to drain.
    pub(super) fn send(&mut self, planes: Option<&Planes>) -> Result<(), SinkError> {
        let frame = planes.map_or(ptr::null(), |p| p.frame.cast_const());
        // SAFETY: the context is open; the encoder takes its own reference to the buffers.
        check(unsafe { ffi::avcodec_send_frame(self.0, frame) }).map(drop)
    }

    /// Gives samples, or `None` to drain.
    pub(super) fn send_samples(&mut self, frame: Option<&ffi::AVFrame>) -> Result<(), SinkError> {
        // SAFETY: as in `send`.
        check(unsafe { ffi::avcodec_send_frame(self.0, frame.map_or(ptr::null(), ptr::from_ref)) }).map(drop)
    }

    /// Takes the next packet; `false` when more must be given first or all was taken.
    pub(super) fn receive(&mut self, packet: &mut OutPacket) -> Result<bool, SinkError> {
        // SAFETY: both are valid; the packet is unreferenced first by libav.
        match check(unsafe { ffi::avcodec_receive_packet(self.0, packet.0) }) {
            Ok(_) => Ok(true),
            Err(SinkError(AvError::AGAIN | AvError::EOF)) => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// An MP4 while it is written.
pub(super) struct Output {
    ctx: *mut ffi::AVFormatContext,
    begun: bool,
}

// SAFETY: libav contexts have no thread affinity; `Output` is never shared, only moved.
unsafe impl Send for Output {}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: both were allocated by `create` and are freed once. A file that was begun but not
        // ended is left as it is: the caller removes it.
        unsafe {
            ffi::avio_closep(&mut (*self.ctx).pb);
            ffi::avformat_free_context(self.ctx);
        }
    }
}

impl Output {
    pub(super) fn create(path: &Path) -> Result<Self, SinkError> {
        av::init();
        let mut url = b"file:".to_vec();
        url.extend_from_slice(path.as_os_str().as_encoded_bytes());
        let url = CString::new(url).map_err(|_| SinkError(AvError(-libc::EINVAL)))?;
        let mut ctx = ptr::null_mut();
        // SAFETY: on success `ctx` belongs to the new value, whose Drop frees it.
        unsafe {
            check(ffi::avformat_alloc_output_context2(&mut ctx, ptr::null(), c"mp4".as_ptr(), url.as_ptr()))?;
            let output = Self { ctx, begun: false };
            check(ffi::avio_open(&mut (*ctx).pb, url.as_ptr(), ffi::AVIO_FLAG_WRITE))?;
            Ok(output)
        }
    }

    /// Adds a stream that `encoder` fills; its index.
    pub(super) fn add_encoded(&mut self, encoder: &Encoder) -> Result<usize, SinkError> {
        // SAFETY: the stream belongs to the context; the encoder is open.
        unsafe {
            let stream = ffi::avformat_new_stream(self.ctx, ptr::null());
            if stream.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            check(ffi::avcodec_parameters_from_context((*stream).codecpar, encoder.0))?;
            (*stream).time_base = encoder.time_base();
            (*stream).avg_frame_rate = encoder.raw().framerate;
            (*stream).sample_aspect_ratio = encoder.raw().sample_aspect_ratio;
            Ok((*stream).index as usize)
        }
    }

    /// Adds a stream of packets made elsewhere; its index.
    pub(super) fn add_copied(
        &mut self,
        parameters: &ffi::AVCodecParameters,
        base: ffi::AVRational,
    ) -> Result<usize, SinkError> {
        // SAFETY: the stream belongs to the context; the parameters are copied.
        unsafe {
            let stream = ffi::avformat_new_stream(self.ctx, ptr::null());
            if stream.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            check(ffi::avcodec_parameters_copy((*stream).codecpar, parameters))?;
            // Tags belong to the container they come from.
            (*(*stream).codecpar).codec_tag = 0;
            (*stream).time_base = base;
            Ok((*stream).index as usize)
        }
    }

    /// Has players turn the pictures of `stream` as `matrix` says.
    pub(super) fn turn(&mut self, stream: usize, matrix: [i32; 9]) -> Result<(), SinkError> {
        // SAFETY: the index came from `add_…`; the new side data is as long as was asked for.
        unsafe {
            let stream = *(*self.ctx).streams.add(stream);
            let data = ffi::av_stream_new_side_data(stream, ffi::AVPacketSideDataType::DISPLAYMATRIX, 36);
            if data.is_null() {
                return Err(SinkError::NO_MEMORY);
            }
            data.cast::<[i32; 9]>().write_unaligned(matrix);
        }
        Ok(())
    }

    /// Writes the header; streams cannot be added after.
    pub(super) fn begin(&mut self) -> Result<(), SinkError> {
        let mut options = ptr::null_mut();
        // SAFETY: the context is complete; the dictionary is freed on every path.
        unsafe {
            ffi::av_dict_set(&mut options, c"movflags".as_ptr(), c"+faststart".as_ptr(), 0);
            // A late first frame is stored in the clock of the whole file, by default milliseconds.
            ffi::av_dict_set(&mut options, c"movie_timescale".as_ptr(), c"90000".as_ptr(), 0);
            let code = ffi::avformat_write_header(self.ctx, &mut options);
            ffi::av_dict_free(&mut options);
            check(code)?;
        }
        self.begun = true;
        Ok(())
    }

    /// Writes `packet` of `stream`, whose times are in `base`. The packet is empty after.
    pub(super) fn write(
        &mut self,
        packet: &mut OutPacket,
        stream: usize,
        base: ffi::AVRational,
    ) -> Result<(), SinkError> {
        // SAFETY: the index came from `add_…`; the muxer takes over the packet's reference.
        unsafe {
            let target = **(*self.ctx).streams.add(stream);
            (*packet.0).stream_index = stream as i32;
            ffi::av_packet_rescale_ts(packet.0, base, target.time_base);
            check(ffi::av_interleaved_write_frame(self.ctx, packet.0)).map(drop)
        }
    }

    /// Writes the index, moves it to the front and closes the file.
    pub(super) fn end(&mut self) -> Result<(), SinkError> {
        if !self.begun {
            return Ok(());
        }
        self.begun = false;
        // SAFETY: the header was written; closing sets the pointer to null, so Drop does nothing.
        unsafe {
            check(ffi::av_write_trailer(self.ctx))?;
            check(ffi::avio_closep(&mut (*self.ctx).pb)).map(drop)
        }
    }
}
