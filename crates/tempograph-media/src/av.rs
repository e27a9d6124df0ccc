//! Owned handles over libav's structures: the container, packets and frames.
//!
//! Every pointer that libav gives out lives behind one of these types; the rest of the crate
//! sees values. Local files only: `file` is the one allowed protocol, and the container formats
//! are named one by one so that a playlist cannot make libav open something else.
#![expect(unsafe_code, reason = "libav is a C library")]

use std::{
    ffi::{CStr, CString},
    io::Read as _,
    path::Path,
    ptr,
    sync::Once,
    time::{Duration, Instant},
};

use ffmpeg::ffi;
use parking_lot::Mutex;
use tempograph_core::{Cancel, Error, ErrorKind, MediaTime, Result};

/// Formats that are read. Left out on purpose: playlists and manifests (`hls`, `dash`, `concat`,
/// `imf`, `sdp`), numbered pictures (`image2`), text art (`tty`) and raw formats without a header.
const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,live_flv,kux,asf,ogg,wav,w64,\
rf64,mp3,aac,flac,aiff,caf,h264,hevc,m4v,ivf,obu,av1,gif,apng,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe,mxf,gxf,\
nut,rm,dv,wtv,ac3,eac3,dts,dtshd,amr,amrnb,amrwb,au,tta,wv,ape,mpc,mpc8,yuv4mpegpipe,mjpeg,mjpeg_2000,mpjpeg,vc1,cavsvideo,\
nsv,smk,bink,swf,roq,r3d,mlv,ffm,voc,truehd,mlp,loas,latm,oma,tak,xwma,evc,h261,h263,dirac,dnxhd,hcom,ircam,sox,nistsphere";

/// The format of a single picture by its first bytes. By its name libav would take some for one of numbered pictures,
/// which are not read.
fn still_format(path: &Path) -> Option<&'static CStr> {
    let mut head = [0u8; 12];
    std::fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
    match &head {
        [0xFF, 0xD8, 0xFF, ..] => Some(c"jpeg_pipe"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P'] => Some(c"webp_pipe"),
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(c"bmp_pipe"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some(c"tiff_pipe"),
        _ => None,
    }
}

/// Longest wait for one packet.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest picture that is decoded, in pixels: a little over 16K.
const MAX_PIXELS: i64 = 16_384 * 8_704;

/// What a libav call answered when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AvError(pub(crate) i32);

impl std::fmt::Display for AvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = [0 as libc::c_char; 128];
        // SAFETY: the buffer is writable for its length; av_strerror always terminates it.
        let text = unsafe {
            ffi::av_strerror(self.0, text.as_mut_ptr(), text.len());
            CStr::from_ptr(text.as_ptr())
        };
        let text = text.to_string_lossy();
        let mut chars = text.chars();
        if let Some(first) = chars.next() {
            write!(f, "{}{}", first.to_ascii_lowercase(), chars.as_str())?;
        }
        Ok(())
    }
}

impl AvError {
    /// The end of the stream.
    pub(crate) const EOF: Self = Self(ffi::AVERROR_EOF);
    /// Ask again after giving or taking something.
    pub(crate) const AGAIN: Self = Self(-libc::EAGAIN);
    /// An interrupt callback said stop.
    pub(crate) const EXIT: Self = Self(ffi::AVERROR_EXIT);
    const INVALID: Self = Self(ffi::AVERROR_INVALIDDATA);

    fn check(code: i32) -> Result<i32, Self> {
        if code < 0 { Err(Self(code)) } else { Ok(code) }
    }
}

/// Silences libav once: its messages name neither file nor stage, ours do.
pub(crate) fn init() {
    static ONCE: Once = Once::new();
    // SAFETY: sets one global integer.
    ONCE.call_once(|| unsafe { ffi::av_log_set_level(ffi::AV_LOG_QUIET) });
}

/// The stamp of a packet without a time.
pub(crate) const NO_TIME: i64 = ffi::AV_NOPTS_VALUE;

/// What the interrupt callback looks at.
struct Interrupt(Mutex<(Cancel, Instant)>);

unsafe extern "C" fn interrupted(opaque: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `opaque` is the boxed `Interrupt` that outlives the container it was given to.
    let state = unsafe { &*opaque.cast::<Interrupt>() };
    let state = state.0.lock();
    libc::c_int::from(state.0.is_cancelled() || Instant::now() > state.1)
}

/// An open container.
pub(crate) struct Container {
    ptr: *mut ffi::AVFormatContext,
    interrupt: Box<Interrupt>,
}

// SAFETY: libav contexts have no thread affinity; `Container` is never shared, only moved.
unsafe impl Send for Container {}

impl Drop for Container {
    fn drop(&mut self) {
        // SAFETY: `ptr` came from avformat_open_input and is closed once.
        unsafe { ffi::avformat_close_input(&mut self.ptr) }
    }
}

impl Container {
    /// Opens a regular file and reads its headers and as much as is needed to know its streams.
    pub(crate) fn open(path: &Path) -> Result<Self, AvError> {
        init();
        let mut url = b"file:".to_vec();
        url.extend_from_slice(path.as_os_str().as_encoded_bytes());
        let url = CString::new(url).map_err(|_| AvError(-libc::EINVAL))?;
        let deadline = Instant::now() + READ_TIMEOUT;
        let mut interrupt = Box::new(Interrupt(Mutex::new((Cancel::new(), deadline))));
        let formats = CString::new(FORMATS).expect("a literal without NUL");
        // SAFETY: the context is freed by avformat_open_input on failure and by Drop after; the
        // dictionary is freed on every path; `interrupt` is boxed and outlives the context.
        unsafe {
            let mut ctx = ffi::avformat_alloc_context();
            if ctx.is_null() {
                return Err(AvError(-libc::ENOMEM));
            }
            (*ctx).interrupt_callback = ffi::AVIOInterruptCB {
                callback: Some(interrupted),
                opaque: ptr::from_mut::<Interrupt>(interrupt.as_mut()).cast(),
            };
            let mut options = ptr::null_mut();
            ffi::av_dict_set(&mut options, c"protocol_whitelist".as_ptr(), c"file".as_ptr(), 0);
            ffi::av_dict_set(&mut options, c"format_whitelist".as_ptr(), formats.as_ptr(), 0);
            let format = still_format(path).map_or(ptr::null(), |name| ffi::av_find_input_format(name.as_ptr()));
            let code = ffi::avformat_open_input(&mut ctx, url.as_ptr(), format, &mut options);
            ffi::av_dict_free(&mut options);
            AvError::check(code)?;
            let container = Self { ptr: ctx, interrupt };
            AvError::check(ffi::avformat_find_stream_info(container.ptr, ptr::null_mut()))?;
            Ok(container)
        }
    }

    /// Lets `cancel` interrupt reading from here on.
    pub(crate) fn watch(&mut self, cancel: &Cancel) {
        self.interrupt.0.lock().0 = cancel.clone();
    }

    pub(crate) fn raw(&self) -> &ffi::AVFormatContext {
        // SAFETY: `ptr` is valid as long as `self`.
        unsafe { &*self.ptr }
    }

    /// The demuxer's name, e.g. `mov,mp4,m4a,3gp,3g2,mj2`.
    pub(crate) fn format_name(&self) -> String {
        // SAFETY: an opened container has an input format with a static name.
        unsafe { CStr::from_ptr((*self.raw().iformat).name) }.to_string_lossy().into_owned()
    }

    /// The streams, in container order.
    pub(crate) fn streams(&self) -> &[&ffi::AVStream] {
        let raw = self.raw();
        if raw.streams.is_null() {
            return &[];
        }
        // SAFETY: `streams` holds `nb_streams` valid pointers; a reference has a pointer's layout.
        unsafe { std::slice::from_raw_parts(raw.streams.cast::<&ffi::AVStream>(), raw.nb_streams as usize) }
    }

    /// Codec parameters of stream `index`.
    pub(crate) fn parameters(&self, index: usize) -> &ffi::AVCodecParameters {
        // SAFETY: every stream has parameters as long as the container lives.
        unsafe { &*self.streams()[index].codecpar }
    }

    /// The 3×3 display matrix of stream `index`, where it has one.
    pub(crate) fn display_matrix(&self, index: usize) -> Option<[i32; 9]> {
        let stream = self.streams()[index];
        let mut size = 0;
        // SAFETY: the stream is valid; the side data is at least `size` bytes long.
        unsafe {
            let data = ffi::av_stream_get_side_data(stream, ffi::AVPacketSideDataType::DISPLAYMATRIX, &mut size);
            (!data.is_null() && size >= 36).then(|| data.cast::<[i32; 9]>().read_unaligned())
        }
    }

    /// The stream libav thinks best of `kind`, near `related` if given.
    pub(crate) fn best(&self, kind: ffi::AVMediaType, related: Option<usize>) -> Option<usize> {
        let related = related.map_or(-1, |r| r as i32);
        // SAFETY: no decoder is asked for, so the out pointer may be null.
        let index = unsafe { ffi::av_find_best_stream(self.ptr, kind, -1, related, ptr::null_mut(), 0) };
        usize::try_from(index).ok()
    }

    /// Has the demuxer drop all streams but `wanted`.
    pub(crate) fn keep_only(&mut self, wanted: &[usize]) {
        for index in 0..self.raw().nb_streams as usize {
            let discard = if wanted.contains(&index) { ffi::AVDiscard::DEFAULT } else { ffi::AVDiscard::ALL };
            // SAFETY: `index` is below `nb_streams`, and `&mut self` excludes other users.
            unsafe { (**(*self.ptr).streams.add(index)).discard = discard };
        }
    }

    /// Moves to the key frame of stream `index` at or before `ticks`, as far as there is an index.
    pub(crate) fn seek(&mut self, index: usize, ticks: i64) -> Result<(), AvError> {
        // SAFETY: the container is open and `&mut self` excludes other users.
        AvError::check(unsafe { ffi::av_seek_frame(self.ptr, index as i32, ticks, ffi::AVSEEK_FLAG_BACKWARD) })
            .map(drop)
    }

    /// Reads the next packet.
    pub(crate) fn read(&mut self, packet: &mut Packet) -> Result<(), AvError> {
        self.interrupt.0.lock().1 = Instant::now() + READ_TIMEOUT;
        // SAFETY: both pointers are valid; the packet's old contents are released first.
        unsafe {
            ffi::av_packet_unref(packet.0);
            AvError::check(ffi::av_read_frame(self.ptr, packet.0))?;
        }
        Ok(())
    }
}

/// A compressed piece of one stream.
pub(crate) struct Packet(*mut ffi::AVPacket);

// SAFETY: a packet has no thread affinity and is never shared.
unsafe impl Send for Packet {}

impl Packet {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: allocation only; null is checked.
        let ptr = unsafe { ffi::av_packet_alloc() };
        if ptr.is_null() { Err(out_of_memory()) } else { Ok(Self(ptr)) }
    }

    pub(crate) fn raw(&self) -> &ffi::AVPacket {
        // SAFETY: valid as long as `self`.
        unsafe { &*self.0 }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: allocated by av_packet_alloc, freed once.
        unsafe { ffi::av_packet_free(&mut self.0) }
    }
}

/// A decoded picture or run of samples, reference counted by libav.
pub(crate) struct AvFrame(*mut ffi::AVFrame);

// SAFETY: a frame's buffers are immutable once decoded and its counter is atomic.
unsafe impl Send for AvFrame {}
// SAFETY: as above; nothing behind `&AvFrame` writes.
unsafe impl Sync for AvFrame {}

impl AvFrame {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: allocation only; null is checked.
        let ptr = unsafe { ffi::av_frame_alloc() };
        if ptr.is_null() { Err(out_of_memory()) } else { Ok(Self(ptr)) }
    }

    pub(crate) fn raw(&self) -> &ffi::AVFrame {
        // SAFETY: valid as long as `self`.
        unsafe { &*self.0 }
    }

    /// The 3×3 display matrix that came with the picture itself, where it has one.
    pub(crate) fn display_matrix(&self) -> Option<[i32; 9]> {
        // SAFETY: the frame is valid, what is returned lives as long, and is at least `size` bytes long.
        unsafe {
            let data = ffi::av_frame_get_side_data(self.0, ffi::AVFrameSideDataType::DISPLAYMATRIX);
            let found = data.as_ref().filter(|d| !d.data.is_null() && d.size >= 36)?;
            Some(found.data.cast::<[i32; 9]>().read_unaligned())
        }
    }

    /// Takes the contents of `self`, leaving it empty.
    pub(crate) fn take(&mut self) -> Result<Self> {
        let out = Self::new()?;
        // SAFETY: both frames are allocated; the destination is empty.
        unsafe { ffi::av_frame_move_ref(out.0, self.0) };
        Ok(out)
    }

    /// The first `len` bytes of plane `index`.
    ///
    /// `len` must not exceed what libav allocated: `linesize · (rows − 1)` plus one row's bytes.
    pub(crate) fn plane(&self, index: usize, len: usize) -> Option<&[u8]> {
        let data = self.raw().data.get(index).copied().filter(|p| !p.is_null())?;
        // SAFETY: the caller asks for no more than the plane holds (checked against the picture's
        // own width, height and stride), and the buffer lives as long as the frame.
        Some(unsafe { std::slice::from_raw_parts(data, len) })
    }
}

impl Drop for AvFrame {
    fn drop(&mut self) {
        // SAFETY: allocated by av_frame_alloc, freed once.
        unsafe { ffi::av_frame_free(&mut self.0) }
    }
}

fn out_of_memory() -> Error {
    Error::new(ErrorKind::Internal, "libav could not allocate memory")
}

/// What a decoder leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SkipFrames {
    /// Nothing.
    #[default]
    None,
    /// Frames that no other frame refers to: about a third of the work for H.264.
    NonRef,
    /// Everything but key frames.
    NonKey,
}

/// A decoder of one stream.
pub(crate) struct Decoder(*mut ffi::AVCodecContext);

// SAFETY: a codec context has no thread affinity and is never shared.
unsafe impl Send for Decoder {}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: allocated by avcodec_alloc_context3, freed once.
        unsafe { ffi::avcodec_free_context(&mut self.0) }
    }
}

impl Decoder {
    /// A decoder for stream `index` of `container`.
    pub(crate) fn open(container: &Container, index: usize, threads: usize, skip: SkipFrames) -> Result<Self, AvError> {
        let stream = container.streams()[index];
        // SAFETY: parameters belong to the open container and are copied; the context is owned
        // by `decoder` from its allocation on.
        unsafe {
            let codec = ffi::avcodec_find_decoder((*stream.codecpar).codec_id);
            if codec.is_null() {
                return Err(AvError(ffi::AVERROR_DECODER_NOT_FOUND));
            }
            let ctx = ffi::avcodec_alloc_context3(codec);
            if ctx.is_null() {
                return Err(AvError(-libc::ENOMEM));
            }
            let decoder = Self(ctx);
            AvError::check(ffi::avcodec_parameters_to_context(ctx, stream.codecpar))?;
            (*ctx).pkt_timebase = stream.time_base;
            (*ctx).thread_count = threads.clamp(1, 64) as i32;
            (*ctx).max_pixels = MAX_PIXELS;
            (*ctx).skip_frame = match skip {
                SkipFrames::None => ffi::AVDiscard::DEFAULT,
                SkipFrames::NonRef => ffi::AVDiscard::NONREF,
                SkipFrames::NonKey => ffi::AVDiscard::NONKEY,
            };
            AvError::check(ffi::avcodec_open2(ctx, codec, ptr::null_mut()))?;
            Ok(decoder)
        }
    }

    /// Gives a packet, or `None` to drain.
    pub(crate) fn send(&mut self, packet: Option<&Packet>) -> Result<(), AvError> {
        let packet = packet.map_or(ptr::null(), |p| p.0.cast_const());
        // SAFETY: the context is open; a null packet means drain.
        AvError::check(unsafe { ffi::avcodec_send_packet(self.0, packet) }).map(drop)
    }

    /// Takes the next decoded frame.
    pub(crate) fn receive(&mut self, frame: &mut AvFrame) -> Result<(), AvError> {
        // SAFETY: both are valid; the frame is unreferenced first by libav.
        AvError::check(unsafe { ffi::avcodec_receive_frame(self.0, frame.0) }).map(drop)
    }
}

/// The decoder's name for a codec, e.g. `h264`.
pub(crate) fn codec_name(id: ffi::AVCodecID) -> String {
    // SAFETY: avcodec_get_name never returns null.
    unsafe { CStr::from_ptr(ffi::avcodec_get_name(id)) }.to_string_lossy().into_owned()
}

/// Whether this build can decode a codec.
pub(crate) fn can_decode(id: ffi::AVCodecID) -> bool {
    // SAFETY: a lookup in static tables.
    unsafe { !ffi::avcodec_find_decoder(id).is_null() }
}

/// What libav knows of a pixel format.
pub(crate) fn pixel_format(format: i32) -> Option<&'static ffi::AVPixFmtDescriptor> {
    // SAFETY: returns null or a pointer into a static table.
    unsafe { ffi::av_pix_fmt_desc_get(ffi::AVPixelFormat(format)).as_ref() }
}

/// Name of a pixel format, e.g. `yuv420p`.
pub(crate) fn pixel_format_name(desc: &ffi::AVPixFmtDescriptor) -> String {
    // SAFETY: descriptors are static and their names terminated.
    unsafe { CStr::from_ptr(desc.name) }.to_string_lossy().into_owned()
}

/// A timestamp in stream ticks as media time.
pub(crate) fn media_time(ticks: i64, base: ffi::AVRational) -> Option<MediaTime> {
    // Beyond about 290 years nanoseconds overflow: such a stamp is damage.
    let secs = ticks as f64 * f64::from(base.num) / f64::from(base.den);
    (ticks != ffi::AV_NOPTS_VALUE && secs.is_finite() && secs.abs() < 9.0e9)
        .then(|| MediaTime::from_ticks(ticks, base.num, base.den))
}

/// A ratio as a number, where it is one above zero.
pub(crate) fn ratio(r: ffi::AVRational) -> Option<f64> {
    (r.num > 0 && r.den > 0).then(|| f64::from(r.num) / f64::from(r.den))
}

/// Whether the bytes made no sense to libav.
pub(crate) fn is_invalid_data(error: AvError) -> bool {
    error == AvError::INVALID || error == AvError(-libc::EINVAL)
}

/// A metadata value of a stream.
pub(crate) fn tag(stream: &ffi::AVStream, key: &CStr) -> Option<String> {
    // SAFETY: the dictionary (null is an empty one) belongs to the stream; values are terminated.
    unsafe {
        let entry = ffi::av_dict_get(stream.metadata, key.as_ptr(), ptr::null(), 0).as_ref()?;
        Some(CStr::from_ptr(entry.value).to_string_lossy().into_owned())
    }
}

/// Versions of the libraries this program runs with.
pub fn ffmpeg_version() -> String {
    // SAFETY: both return plain integers.
    let (codec, format) = unsafe { (ffi::avcodec_version(), ffi::avformat_version()) };
    let show = |v: u32| format!("{}.{}.{}", v >> 16, (v >> 8) & 0xff, v & 0xff);
    format!("libavcodec {}, libavformat {}", show(codec), show(format))
}
