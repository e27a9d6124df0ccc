//! Encoding: pictures and the sound of another file become an MP4 that browsers play.
//!
//! H.264 where the linked libav has an encoder for it, else MPEG-4 part 2, said in the log. The
//! file appears under its name only once it is whole.

mod audio;
mod copy;
mod cut;
mod sink;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use copy::{Copied, copy};
pub use cut::{CutOptions, Piece, cut, cut_all};
use tempograph_core::{Error, ErrorKind, MediaTime, Picture, Result, RgbRequest, ScaleFilter, Size, YuvView};

use self::{
    audio::AudioPump,
    sink::{Encoder, OutPacket, Output, Planes, SinkError},
};
use crate::draw::Canvas;

/// How the picture is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoOptions {
    /// Size of the input; an odd last row or column is left out.
    pub size: Size,
    /// Nominal frame rate: only a hint for rate control, every frame keeps its own time.
    pub fps: f64,
    /// Width of a pixel over its height.
    pub pixel_aspect: f64,
    /// Speed against size, as x264 names it: `ultrafast`, `veryfast`, `medium`, …
    pub preset: String,
    /// Constant rate factor, 0 to 51; lower is better and larger.
    pub crf: u8,
    /// Threads of the encoder; 0 lets it choose.
    pub threads: usize,
}

impl VideoOptions {
    /// Fast settings for a picture of `size` with square pixels.
    pub fn new(size: Size, fps: f64) -> Self {
        Self { size, fps, pixel_aspect: 1.0, preset: "veryfast".to_owned(), crf: 23, threads: 0 }
    }
}

/// The sound that goes with the pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSource {
    /// The file it is in.
    pub path: PathBuf,
    /// Index of the stream among all streams of that file.
    pub stream: usize,
    /// Where it ends, on that file's clock; with the file when `None`.
    pub until: Option<MediaTime>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Frames.
    pub frames: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Encoder of the picture, e.g. `libx264`.
    pub video_encoder: String,
    /// What became of the sound: `copied`, `aac`, or `None` without.
    pub audio: Option<String>,
    /// Why there is no sound although some was asked for.
    pub audio_problem: Option<String>,
}

/// A picture that is drawn on and then encoded.
pub struct EncodeFrame {
    planes: Planes,
    full_range: bool,
    bt709: bool,
}

impl EncodeFrame {
    /// A copy of `picture`; 4:2:0 pictures plane by plane, others by way of RGB.
    ///
    /// # Errors
    /// When the picture cannot be converted or memory runs out.
    pub fn copy_of(picture: &dyn Picture) -> Result<Self> {
        let size = even(picture.size())?;
        let mut planes = Planes::new(size).map_err(|e| fail("make a frame", e))?;
        if let Some(view) =
            picture.yuv().filter(|v| v.size == picture.size() && v.chroma_shift == (1, 1) && fits(v, size))
        {
            for (i, (src, dst)) in view.planes.iter().zip(planes.planes_mut()).enumerate() {
                let (w, h) = if i == 0 { (size.width, size.height) } else { (size.width / 2, size.height / 2) };
                copy_plane(src, view.strides[i], dst, w as usize, h as usize);
            }
            return Ok(Self { planes, full_range: view.full_range, bt709: view.bt709 });
        }
        let full = picture.size();
        let rgb = picture.rgb(RgbRequest { size: full, filter: ScaleFilter::Bilinear })?;
        let mut frame = Self { planes, full_range: false, bt709: full.height >= 720 };
        frame.canvas().picture(&rgb, 0, 0);
        Ok(frame)
    }

    /// The picture, to draw on.
    pub fn canvas(&mut self) -> Canvas<'_> {
        let (size, full_range, bt709) = (self.planes.size(), self.full_range, self.bt709);
        let strides = self.planes.strides();
        let planes = self.planes.planes_mut().map(|(plane, _)| plane);
        Canvas::new(size, planes, strides, full_range, bt709).expect("planes were allocated for this even size")
    }
}

/// The largest even size within `size`.
fn even(size: Size) -> Result<Size> {
    let even = Size::new(size.width & !1, size.height & !1);
    if even.area() == 0 {
        let message = format!("a picture of {}×{} pixels is too small to encode", size.width, size.height);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    Ok(even)
}

/// Whether the planes hold as much as an even `size` needs.
fn fits(view: &YuvView<'_>, size: Size) -> bool {
    (0..3).all(|i| {
        let (w, h) = if i == 0 { (size.width, size.height) } else { (size.width / 2, size.height / 2) };
        let (w, h) = (w as usize, h as usize);
        view.strides[i] >= w && view.planes[i].len() >= view.strides[i] * (h - 1) + w
    })
}

fn copy_plane(src: &[u8], src_stride: usize, (dst, dst_stride): (&mut [u8], usize), w: usize, h: usize) {
    for (from, to) in src.chunks(src_stride).zip(dst.chunks_mut(dst_stride)).take(h) {
        to[..w].copy_from_slice(&from[..w]);
    }
}

/// Writes one MP4.
pub struct VideoWriter {
    output: Output,
    encoder: Encoder,
    video_encoder: String,
    stream: usize,
    audio: Option<AudioPump>,
    audio_problem: Option<String>,
    packet: OutPacket,
    part: PartFile,
    start: MediaTime,
    last_ticks: Option<i64>,
    /// Ticks each frame is shown, by the tick it starts at, until its packet comes out.
    durations: BTreeMap<i64, i64>,
    frames: u64,
}

impl VideoWriter {
    /// Begins a file at `path`; what is shown at `start` becomes its time zero.
    ///
    /// `like` tells the colours of the pictures that follow. Sound that cannot be read does not
    /// stop the picture: see [`Written::audio_problem`].
    ///
    /// # Errors
    /// `unsupported` when this libav has no encoder; `disk_full`, `io` when the file cannot be made.
    pub fn create(
        path: &Path,
        options: &VideoOptions,
        like: &EncodeFrame,
        audio: Option<&AudioSource>,
        start: MediaTime,
    ) -> Result<Self> {
        let size = even(options.size)?;
        let part = PartFile::beside(path)?;
        let mut output = Output::create(&part.path).map_err(|e| fail_at("create", e, path))?;
        let colour = (like.full_range, like.bt709);
        let (encoder, video_encoder) = Encoder::video(size, options, colour)?;
        let stream = output.add_encoded(&encoder).map_err(|e| fail_at("begin", e, path))?;
        let (audio, audio_problem) = match audio.map(|a| AudioPump::open(a, start, &mut output)) {
            None => (None, None),
            Some(Ok(pump)) => (Some(pump), None),
            Some(Err(e)) => (None, Some(e.to_string())),
        };
        output.begin().map_err(|e| fail_at("begin", e, path))?;
        let packet = OutPacket::new().map_err(|e| fail("make a packet", e))?;
        Ok(Self {
            output,
            encoder,
            video_encoder,
            stream,
            audio,
            audio_problem,
            packet,
            part,
            start,
            last_ticks: None,
            durations: BTreeMap::new(),
            frames: 0,
        })
    }

    /// Encodes `frame`, shown at `time` for `duration`. Frames come in order of time.
    ///
    /// # Errors
    /// `disk_full`, `encode_failed`, or `invalid_data` for a frame of another size.
    pub fn write(&mut self, mut frame: EncodeFrame, time: MediaTime, duration: MediaTime) -> Result<()> {
        if frame.planes.size() != self.encoder.size() {
            return Err(Error::new(ErrorKind::InvalidData, "the picture changed its size while it was encoded"));
        }
        let per_second = i64::from(self.encoder.ticks_per_second());
        let ticks = |t: MediaTime| {
            let scaled = i128::from(t.nanos()) * i128::from(per_second);
            ((scaled + 500_000_000).div_euclid(1_000_000_000)) as i64
        };
        let at = ticks(time - self.start);
        // Two frames nearer than a tick still need stamps of their own.
        let at = self.last_ticks.map_or(at, |last| at.max(last + 1));
        self.last_ticks = Some(at);
        self.durations.insert(at, ticks(duration).max(1));
        frame.planes.stamp(at);
        self.encoder.send(Some(&frame.planes)).map_err(|e| self.failed("encode", e))?;
        self.frames += 1;
        self.drain()?;
        self.sound(time)
    }

    /// Writes what is left and puts the file in place.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<Written> {
        self.encoder.send(None).map_err(|e| self.failed("encode", e))?;
        self.drain()?;
        self.sound(MediaTime::MAX)?;
        self.output.end().map_err(|e| self.failed("finish", e))?;
        let bytes = self.part.publish()?;
        Ok(Written {
            frames: self.frames,
            bytes,
            video_encoder: self.video_encoder,
            audio: self.audio.as_ref().map(|a| a.kind().to_owned()),
            audio_problem: self.audio_problem,
        })
    }

    fn drain(&mut self) -> Result<()> {
        while self.encoder.receive(&mut self.packet).map_err(|e| self.failed("encode", e))? {
            if let Some(duration) = self.durations.remove(&self.packet.pts()) {
                self.packet.set_duration(duration);
            }
            let base = self.encoder.time_base();
            self.output.write(&mut self.packet, self.stream, base).map_err(|e| self.failed("write", e))?;
        }
        Ok(())
    }

    /// Lets the sound follow up to `time`. A fault in the sound ends the sound, not the picture.
    fn sound(&mut self, time: MediaTime) -> Result<()> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        match audio.advance(time, &mut self.output) {
            Ok(()) => Ok(()),
            Err(e) if e.is_output() => Err(self.failed("write", e.into())),
            Err(e) => {
                tracing::warn!("sound ends early: {e}");
                self.audio_problem.get_or_insert_with(|| e.to_string());
                audio.stop();
                Ok(())
            }
        }
    }

    fn failed(&self, what: &str, error: SinkError) -> Error {
        fail_at(what, error, &self.part.target)
    }
}

fn fail(what: &str, error: SinkError) -> Error {
    Error::new(ErrorKind::Encode, format!("cannot {what}: {error}"))
}

fn fail_at(what: &str, error: SinkError, path: &Path) -> Error {
    match error.io() {
        Some(io) => Error::io(what, path, io),
        None => Error::new(ErrorKind::Encode, format!("cannot {what} the video: {error}: {}", path.display())),
    }
}

/// A file under another name until it is whole; removed when it never is.
struct PartFile {
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl PartFile {
    fn beside(target: &Path) -> Result<Self> {
        let Some(name) = target.file_name() else {
            let message = format!("expected a file name to write to: {}", target.display());
            return Err(Error::new(ErrorKind::Usage, message));
        };
        let mut part = std::ffi::OsString::from(".");
        part.push(name);
        part.push(format!(".{}.part", std::process::id()));
        Ok(Self { path: target.with_file_name(part), target: target.to_owned(), published: false })
    }

    fn publish(&mut self) -> Result<u64> {
        let file = std::fs::File::open(&self.path).map_err(|e| Error::io("finish", &self.target, e))?;
        file.sync_all().map_err(|e| Error::io("finish", &self.target, e))?;
        let bytes = file.metadata().map_err(|e| Error::io("finish", &self.target, e))?.len();
        std::fs::rename(&self.path, &self.target).map_err(|e| Error::io("finish", &self.target, e))?;
        self.published = true;
        Ok(bytes)
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.published {
            // There may be nothing to remove; whatever failed before is already reported.
            drop(std::fs::remove_file(&self.path));
        }
    }
}
