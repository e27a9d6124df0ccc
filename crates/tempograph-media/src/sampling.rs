//! Which frames of a video a vision-language model is shown, and how large.
//!
//! The arithmetic is that of the Python package `qwen-vl-utils` 0.0.14, to the last rounding, so
//! that a Qwen-VL model sees here what it saw in training. Function names are its names. Its
//! numbers are Python's: divisions in double precision, `round` with ties to even.

use tempograph_core::{Error, ErrorKind, Result, Size};

/// Largest ratio of the longer to the shorter side (`MAX_RATIO`).
pub const MAX_RATIO: f64 = 200.0;
/// Patches merged into one token along each side (`SPATIAL_MERGE_SIZE`).
pub const SPATIAL_MERGE_SIZE: u32 = 2;
/// Fewest tokens of an image (`IMAGE_MIN_TOKEN_NUM`).
pub const IMAGE_MIN_TOKENS: u32 = 4;
/// Most tokens of an image (`IMAGE_MAX_TOKEN_NUM`).
pub const IMAGE_MAX_TOKENS: u32 = 16_384;
/// Fewest tokens of a video frame (`VIDEO_MIN_TOKEN_NUM`).
pub const VIDEO_MIN_TOKENS: u32 = 128;
/// Most tokens of a video frame (`VIDEO_MAX_TOKEN_NUM`).
pub const VIDEO_MAX_TOKENS: u32 = 768;
/// Frames a second unless asked otherwise (`FPS`).
pub const DEFAULT_FPS: f64 = 2.0;
/// Frames that share tokens: counts of frames are multiples of it (`FRAME_FACTOR`).
pub const FRAME_FACTOR: u64 = 2;
/// Fewest frames when sampling by rate (`FPS_MIN_FRAMES`).
pub const FPS_MIN_FRAMES: u64 = 4;
/// Most frames when sampling by rate (`FPS_MAX_FRAMES`).
pub const FPS_MAX_FRAMES: u64 = 768;
/// Tokens a model takes in all (`MODEL_SEQ_LEN`).
pub const MODEL_SEQ_LEN: u64 = 128_000;

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// The multiple of `factor` nearest to `number`, ties to an even multiple.
pub fn round_by_factor(number: f64, factor: u32) -> f64 {
    (number / f64::from(factor)).round_ties_even() * f64::from(factor)
}

/// The smallest multiple of `factor` that is not below `number`.
pub fn ceil_by_factor(number: f64, factor: u32) -> f64 {
    (number / f64::from(factor)).ceil() * f64::from(factor)
}

/// The largest multiple of `factor` that is not above `number`.
pub fn floor_by_factor(number: f64, factor: u32) -> f64 {
    (number / f64::from(factor)).floor() * f64::from(factor)
}

/// The size at which a model is shown a picture of `size`: both sides multiples of `factor`, the
/// area between `min_pixels` and `max_pixels`, the aspect ratio kept as far as that allows.
///
/// `factor` is the patch size times [`SPATIAL_MERGE_SIZE`]: 28 for Qwen2.5-VL, 32 for Qwen3-VL.
/// The limits are those of an image where not given.
///
/// # Errors
/// When a side or `factor` is zero, one side is more than [`MAX_RATIO`] times the other, or the
/// limits exclude each other.
pub fn smart_resize(size: Size, factor: u32, min_pixels: Option<f64>, max_pixels: Option<f64>) -> Result<Size> {
    let (height, width) = (f64::from(size.height), f64::from(size.width));
    if size.area() == 0 || factor == 0 {
        return Err(usage(format!("cannot resize a picture without pixels: {}x{}", size.width, size.height)));
    }
    let per_token = f64::from(factor) * f64::from(factor);
    let max_pixels = max_pixels.unwrap_or(f64::from(IMAGE_MAX_TOKENS) * per_token);
    let min_pixels = min_pixels.unwrap_or(f64::from(IMAGE_MIN_TOKENS) * per_token);
    // Written so that not-a-number is refused as well.
    if max_pixels.is_nan() || min_pixels.is_nan() || max_pixels < min_pixels {
        return Err(usage(format!("`max_pixels` must not be below `min_pixels`: {max_pixels} < {min_pixels}")));
    }
    let ratio = height.max(width) / height.min(width);
    if ratio > MAX_RATIO {
        return Err(usage(format!("the longer side must not exceed {MAX_RATIO} times the shorter: {ratio}")));
    }
    let unit = f64::from(factor);
    let mut h = round_by_factor(height, factor).max(unit);
    let mut w = round_by_factor(width, factor).max(unit);
    if h * w > max_pixels {
        let beta = (height * width / max_pixels).sqrt();
        h = floor_by_factor(height / beta, factor);
        w = floor_by_factor(width / beta, factor);
    } else if h * w < min_pixels {
        let beta = (min_pixels / (height * width)).sqrt();
        h = ceil_by_factor(height * beta, factor);
        w = ceil_by_factor(width * beta, factor);
    }
    Ok(Size::new(w as u32, h as u32))
}

/// How many frames are wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FrameCount {
    /// This many, brought to a multiple of [`FRAME_FACTOR`].
    Exactly(f64),
    /// So many a second, within limits.
    Rate {
        /// Frames a second.
        fps: f64,
        /// Fewest frames.
        min_frames: u64,
        /// Most frames; [`FPS_MAX_FRAMES`] or what the video has when `None`.
        max_frames: Option<u64>,
    },
}

impl Default for FrameCount {
    fn default() -> Self {
        Self::Rate { fps: DEFAULT_FPS, min_frames: FPS_MIN_FRAMES, max_frames: None }
    }
}

/// How many of a video's `total_frames` are shown.
///
/// # Errors
/// When the answer is not between [`FRAME_FACTOR`] and `total_frames`, or `video_fps` is not
/// above zero.
pub fn smart_nframes(wanted: FrameCount, total_frames: u64, video_fps: f64) -> Result<u64> {
    let factor = FRAME_FACTOR as u32;
    let total = total_frames as f64;
    let count = match wanted {
        FrameCount::Exactly(n) => round_by_factor(n, factor),
        FrameCount::Rate { fps, min_frames, max_frames } => {
            if video_fps.is_nan() || video_fps <= 0.0 || !fps.is_finite() {
                return Err(usage(format!("frame rates must be above zero: {fps} of {video_fps}")));
            }
            let least = ceil_by_factor(min_frames as f64, factor);
            let most = floor_by_factor(max_frames.unwrap_or(FPS_MAX_FRAMES.min(total_frames)) as f64, factor);
            floor_by_factor((total / video_fps * fps).max(least).min(most).min(total), factor)
        }
    };
    if !(FRAME_FACTOR as f64..=total).contains(&count) {
        return Err(usage(format!("the number of frames must be within [{FRAME_FACTOR}, {total_frames}]: {count}")));
    }
    Ok(count as u64)
}

/// First frame, last frame and number of frames between `video_start` and `video_end` seconds.
///
/// Times outside the video are brought to its ends.
///
/// # Errors
/// When fewer than two frames lie between, or the video has no frames or no rate.
pub fn calculate_video_frame_range(
    video_start: Option<f64>,
    video_end: Option<f64>,
    total_frames: u64,
    video_fps: f64,
) -> Result<(u64, u64, u64)> {
    if video_fps.is_nan() || video_fps <= 0.0 || total_frames == 0 {
        return Err(usage(format!("the video has no frames to choose from: {total_frames} at {video_fps} a second")));
    }
    let last = total_frames - 1;
    if video_start.is_none() && video_end.is_none() {
        return Ok((0, last, total_frames));
    }
    let duration = total_frames as f64 / video_fps;
    let clamp = |t: f64| t.min(duration).max(0.0);
    let start = video_start.map_or(0, |t| (clamp(t) * video_fps).ceil() as u64);
    let end = video_end.map_or(last, |t| ((clamp(t) * video_fps).floor() as u64).min(last));
    if start >= end {
        return Err(usage(format!(
            "no frames in this range: from frame {start} to frame {end} of {total_frames}, {duration:.2} seconds"
        )));
    }
    Ok((start, end, end - start + 1))
}

/// Indices of `count` frames spread evenly from `start` to `end`, both included.
///
/// Single precision, from both ends towards the middle, rounded to even: as `torch.linspace`.
pub fn frame_indices(start: u64, end: u64, count: u64) -> Vec<u64> {
    if count <= 1 {
        return (0..count).map(|_| start).collect();
    }
    let (first, last) = (start as f32, end as f32);
    let step = (last - first) / (count - 1) as f32;
    (0..count)
        .map(|i| {
            let at = if i < count / 2 { first + step * i as f32 } else { last - step * (count - 1 - i) as f32 };
            (at.round_ties_even() as u64).clamp(start, end.max(start))
        })
        .collect()
}

/// Limits on the pixels of a video's frames; `None` is the default of `fetch_video`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PixelLimits {
    /// Fewest pixels of a frame.
    pub min_pixels: Option<f64>,
    /// Most pixels of a frame.
    pub max_pixels: Option<f64>,
    /// Most pixels of all frames, each pair of frames counted once.
    pub total_pixels: Option<f64>,
}

impl PixelLimits {
    /// The most pixels each of `nframes` frames may have, as `fetch_video` computes it.
    pub fn effective_max_pixels(self, nframes: u64, factor: u32) -> f64 {
        let per_token = f64::from(factor) * f64::from(factor);
        let least = self.min_pixels.unwrap_or(f64::from(VIDEO_MIN_TOKENS) * per_token);
        let total = self.total_pixels.unwrap_or(MODEL_SEQ_LEN as f64 * per_token * 0.9);
        let share = total / nframes.max(1) as f64 * FRAME_FACTOR as f64;
        let most = (f64::from(VIDEO_MAX_TOKENS) * per_token).min(share).max((least * 1.05).trunc());
        self.max_pixels.unwrap_or(most).min(most)
    }

    /// The size at which `nframes` frames of `size` are shown, as `fetch_video` chooses it.
    ///
    /// `patch` is the model's patch size: 14 for Qwen2.5-VL, 16 for Qwen3-VL.
    ///
    /// # Errors
    /// As [`smart_resize`].
    pub fn video_size(self, size: Size, nframes: u64, patch: u32) -> Result<Size> {
        let factor = patch.saturating_mul(SPATIAL_MERGE_SIZE);
        let per_token = f64::from(factor) * f64::from(factor);
        let least = self.min_pixels.unwrap_or(f64::from(VIDEO_MIN_TOKENS) * per_token);
        smart_resize(size, factor, Some(least), Some(self.effective_max_pixels(nframes, factor)))
    }
}

/// Refuses frames that would not fit a model, before any of them is decoded; else says how many
/// tokens they take.
///
/// `size` is the size shown, a multiple of `patch` · [`SPATIAL_MERGE_SIZE`].
///
/// # Errors
/// `over_budget`, with the sum, when the frames take more than `max_tokens`.
pub fn check_budget(nframes: u64, size: Size, patch: u32, max_tokens: u64) -> Result<u64> {
    let factor = patch.saturating_mul(SPATIAL_MERGE_SIZE).max(1);
    let pairs = nframes.div_ceil(FRAME_FACTOR);
    let (rows, columns) = (u64::from(size.height / factor), u64::from(size.width / factor));
    let tokens = pairs.saturating_mul(rows * columns);
    if tokens <= max_tokens {
        return Ok(tokens);
    }
    Err(Error::new(
        ErrorKind::OverBudget,
        format!(
            "{nframes} frames of {}x{} take {pairs} x {rows} x {columns} = {tokens} tokens, allowed are: {max_tokens}",
            size.width, size.height
        ),
    )
    .with_hint("ask for fewer frames a second, a shorter part or smaller frames"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn indices_include_both_ends_and_round_to_even() {
        assert_eq!(frame_indices(0, 249, 4), [0, 83, 166, 249]);
        assert_eq!(frame_indices(0, 5, 3), [0, 2, 5]);
        assert_eq!(frame_indices(7, 7, 1), [7]);
        assert!(frame_indices(0, 9, 0).is_empty());
    }

    #[test]
    fn a_refusal_shows_the_sum() {
        let err = check_budget(100, Size::new(1008, 560), 14, 10_000).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::OverBudget);
        assert!(err.to_string().contains("50 x 20 x 36 = 36000 tokens"), "{err}");
        assert_eq!(check_budget(100, Size::new(1008, 560), 14, 36_000).unwrap(), 36_000);
    }

    proptest! {
        #[test]
        fn sizes_are_multiples_within_the_limits(
            w in 1u32..8000, h in 1u32..8000, factor in prop::sample::select(vec![28u32, 32]), low in 4u32..200, span in 4u32..2000,
        ) {
            prop_assume!(f64::from(w.max(h)) / f64::from(w.min(h)) <= 20.0);
            let unit = f64::from(factor * factor);
            let (min, max) = (f64::from(low) * unit, f64::from(low + span) * unit * 4.0);
            let size = smart_resize(Size::new(w, h), factor, Some(min), Some(max)).unwrap();
            prop_assert_eq!((size.width % factor, size.height % factor), (0, 0));
            prop_assert!(size.area() as f64 <= max);
            // Rounding down a very long picture may lose a row of tokens, never more.
            prop_assert!(size.area() > 0);
        }

        #[test]
        fn frame_counts_are_even_and_available(total in 2u64..1_000_000, fps in 0.5f64..240.0, rate in 0.05f64..60.0) {
            let wanted = FrameCount::Rate { fps: rate, min_frames: FPS_MIN_FRAMES, max_frames: None };
            let n = smart_nframes(wanted, total, fps).unwrap();
            prop_assert!(n.is_multiple_of(FRAME_FACTOR) && (FRAME_FACTOR..=total).contains(&n));
        }

        #[test]
        fn indices_never_step_back(start in 0u64..100_000, len in 1u64..100_000, count in 1u64..800) {
            let indices = frame_indices(start, start + len, count);
            prop_assert_eq!(indices.len() as u64, count);
            prop_assert!(indices.windows(2).all(|w| w[0] <= w[1]));
            prop_assert!(indices.iter().all(|&i| (start..=start + len).contains(&i)));
        }
    }
}
