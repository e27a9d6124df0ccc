//! Every case of `qwen-vl-utils` 0.0.14, computed by running its own functions.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside test functions")]

use serde_json::Value;
use tempograph_core::Size;
use tempograph_media::sampling::{
    FPS_MIN_FRAMES, FrameCount, PixelLimits, calculate_video_frame_range, smart_nframes, smart_resize,
};

fn cases(name: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("data/qwen_vl_utils_cases.json")).unwrap();
    all[name].as_array().unwrap().clone()
}

fn int(v: &Value, key: &str) -> u32 {
    v[key].as_u64().unwrap() as u32
}

fn size_pair(size: Size) -> Value {
    serde_json::json!([size.height, size.width])
}

/// Runs every case; `None` is a refusal.
fn check(name: &str, count: usize, answer: impl Fn(&Value) -> Option<Value>) {
    let cases = cases(name);
    assert_eq!(cases.len(), count);
    for case in &cases {
        assert_eq!(answer(case).as_ref(), case.get("ok"), "{name}: {case}");
    }
}

#[test]
fn smart_resize_agrees() {
    check("smart_resize", 222, |c| {
        let size = Size::new(int(c, "width"), int(c, "height"));
        smart_resize(size, int(c, "factor"), c["min_pixels"].as_f64(), c["max_pixels"].as_f64()).ok().map(size_pair)
    });
}

#[test]
fn smart_nframes_agrees() {
    check("smart_nframes", 247, |c| {
        let ele = &c["ele"];
        let wanted = match (ele["fps"].as_f64(), ele["nframes"].as_f64()) {
            // The type cannot express both.
            (Some(_), Some(_)) => return None,
            (None, Some(n)) => FrameCount::Exactly(n),
            (fps, None) => FrameCount::Rate {
                fps: fps.unwrap_or(2.0),
                min_frames: ele["min_frames"].as_u64().unwrap_or(FPS_MIN_FRAMES),
                max_frames: ele["max_frames"].as_u64(),
            },
        };
        let total = c["total_frames"].as_u64().unwrap();
        smart_nframes(wanted, total, c["video_fps"].as_f64().unwrap()).ok().map(Value::from)
    });
}

#[test]
fn frame_ranges_agree() {
    check("calculate_video_frame_range", 32, |c| {
        let ele = &c["ele"];
        let total = c["total_frames"].as_u64().unwrap();
        let fps = c["video_fps"].as_f64().unwrap();
        calculate_video_frame_range(ele["video_start"].as_f64(), ele["video_end"].as_f64(), total, fps)
            .ok()
            .map(|(a, b, n)| serde_json::json!([a, b, n]))
    });
}

#[test]
fn video_sizes_agree() {
    check("fetch_video_resize", 80, |c| {
        let ele = &c["ele"];
        let limits = PixelLimits {
            min_pixels: ele["min_pixels"].as_f64(),
            max_pixels: ele["max_pixels"].as_f64(),
            total_pixels: ele["total_pixels"].as_f64(),
        };
        let (patch, nframes) = (int(c, "image_patch_size"), c["nframes"].as_u64().unwrap());
        assert_eq!(Some(limits.effective_max_pixels(nframes, 2 * patch)), c["effective_max_pixels"].as_f64());
        limits.video_size(Size::new(int(c, "width"), int(c, "height")), nframes, patch).ok().map(size_pair)
    });
}
