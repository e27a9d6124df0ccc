//! Any audio to 16 kHz mono, by libswresample.
#![expect(unsafe_code, reason = "libswresample is a C library")]

use std::ptr;

use ffmpeg::ffi;
use tempograph_core::SPEECH_SAMPLE_RATE;

use crate::av::{AvError, AvFrame};

/// What a stream's samples are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AudioFormat {
    pub(crate) sample_format: i32,
    pub(crate) rate: i32,
    pub(crate) channels: i32,
    /// Channel mask, 0 where channels have no names.
    pub(crate) mask: u64,
}

impl AudioFormat {
    pub(crate) fn of(frame: &ffi::AVFrame) -> Self {
        let layout = &frame.ch_layout;
        let native = layout.order == ffi::AVChannelOrder::NATIVE;
        // SAFETY: in native order the union holds the mask.
        let mask = if native { unsafe { layout.u.mask } } else { 0 };
        Self { sample_format: frame.format, rate: frame.sample_rate, channels: layout.nb_channels, mask }
    }
}

/// A resampler for one input format.
///
/// Downmix follows ITU-R BS.775 (centre and surround at −3 dB, no low-frequency channel), scaled
/// so that it cannot clip: stereo becomes the mean of its channels.
pub(crate) struct Resampler {
    ptr: *mut ffi::SwrContext,
    pub(crate) format: AudioFormat,
}

// SAFETY: a context has no thread affinity and is never shared.
unsafe impl Send for Resampler {}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: came from swr_alloc_set_opts2, freed once.
        unsafe { ffi::swr_free(&mut self.ptr) }
    }
}

impl Resampler {
    pub(crate) fn new(format: AudioFormat) -> Result<Self, AvError> {
        let sane = (1..=64).contains(&format.channels) && (1..=1_536_000).contains(&format.rate);
        if !sane {
            return Err(AvError(-libc::EINVAL));
        }
        // SAFETY: layouts are initialised by libav before use and hold no heap memory in native
        // order; the context is owned by `resampler` from its allocation on.
        unsafe {
            let mut output: ffi::AVChannelLayout = std::mem::zeroed();
            ffi::av_channel_layout_default(&mut output, 1);
            let mut input: ffi::AVChannelLayout = std::mem::zeroed();
            if format.mask == 0 || ffi::av_channel_layout_from_mask(&mut input, format.mask) < 0 {
                ffi::av_channel_layout_default(&mut input, format.channels);
            }
            let mut ptr = ptr::null_mut();
            let code = ffi::swr_alloc_set_opts2(
                &mut ptr,
                &mut output,
                ffi::AVSampleFormat::FLT,
                SPEECH_SAMPLE_RATE as i32,
                &mut input,
                ffi::AVSampleFormat(format.sample_format),
                format.rate,
                0,
                ptr::null_mut(),
            );
            let resampler = Self { ptr, format };
            if code < 0 || ptr.is_null() {
                return Err(AvError(code.min(-1)));
            }
            ffi::av_opt_set_double(ptr.cast(), c"rematrix_maxval".as_ptr(), 1.0, 0);
            let named = input.order == ffi::AVChannelOrder::NATIVE;
            if !named {
                // Channels without names: their mean.
                let weights = [1.0 / f64::from(format.channels); 64];
                let code = ffi::swr_set_matrix(ptr, weights.as_ptr(), format.channels);
                if code < 0 {
                    return Err(AvError(code));
                }
            }
            let code = ffi::swr_init(ptr);
            if code < 0 { Err(AvError(code)) } else { Ok(resampler) }
        }
    }

    /// Converts a frame, or what is still inside when `None`, and appends the samples to `out`.
    pub(crate) fn convert(&mut self, frame: Option<&AvFrame>, out: &mut Vec<f32>) -> Result<(), AvError> {
        let count = frame.map_or(0, |f| f.raw().nb_samples.max(0));
        // SAFETY: the input planes belong to the frame, which has this context's format; the
        // output has room for as many samples as are announced to libav.
        unsafe {
            let room = ffi::swr_get_out_samples(self.ptr, count).max(0) as usize + 64;
            let before = out.len();
            out.resize(before + room, 0.0);
            let mut planes = [out.as_mut_ptr().add(before).cast::<u8>()];
            let input = frame.map_or(ptr::null_mut(), |f| f.raw().extended_data.cast::<*const u8>());
            let code = ffi::swr_convert(self.ptr, planes.as_mut_ptr(), room as i32, input, count);
            out.truncate(before + code.max(0) as usize);
            if code < 0 { Err(AvError(code)) } else { Ok(()) }
        }
    }
}
