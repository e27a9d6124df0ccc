//! What the reader yields against the `ffmpeg` command, where that is installed.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests, outside test functions")]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempograph_core::{AudioBlock, Cancel, Frame, MediaTime, RgbRequest, ScaleFilter, Size};
use tempograph_media::{AudioWants, ReadReport, Reader, Sample, VideoWants, Wants};

fn shared() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|d| d.join("shared/media")).find(|d| d.is_dir());
    if found.is_none() {
        println!("skipped: shared media not present");
    }
    found
}

/// Runs `ffmpeg` and gives what it wrote; `None` where it is not installed.
fn ffmpeg(args: &[&str]) -> Option<Vec<u8>> {
    let Ok(output) = Command::new("ffmpeg").args(["-v", "error", "-nostdin", "-y"]).args(args).output() else {
        println!("skipped: no ffmpeg command");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn read(path: &Path) -> (Vec<Frame>, Vec<AudioBlock>, ReadReport) {
    let (mut frames, mut audio) = (Vec::new(), Vec::new());
    let wants = Wants { video: Some(VideoWants::default()), audio: Some(AudioWants::default()) };
    let mut reader = Reader::open(path).unwrap();
    reader.set_threads(2);
    let report = reader
        .read(&wants, &Cancel::new(), &mut |sample| {
            match sample {
                Sample::Frame(frame) => frames.push(frame),
                Sample::Audio(block) => audio.push(block),
            }
            Ok(())
        })
        .unwrap();
    (frames, audio, report)
}

/// The samples laid on the clock from `start`, silence in gaps.
fn lay_out(audio: &[AudioBlock], start: MediaTime) -> Vec<f32> {
    let mut out = Vec::new();
    for block in audio {
        let at = ((block.start - start).as_secs_f64() * 16_000.0).round() as usize;
        assert!(at + 2 >= out.len(), "blocks overlap");
        out.resize(at, 0.0);
        out.extend_from_slice(&block.samples);
    }
    out
}

/// Root mean square of the difference and of the second signal.
fn distance(a: &[f32], b: &[f32]) -> (f64, f64) {
    let n = a.len().min(b.len());
    let rms =
        |v: &mut dyn Iterator<Item = f32>| (v.map(|x| f64::from(x) * f64::from(x)).sum::<f64>() / n as f64).sqrt();
    (rms(&mut a.iter().zip(b).map(|(a, b)| a - b)), rms(&mut b[..n].iter().copied()))
}

fn pcm16(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

#[test]
fn audio_is_what_ffmpeg_decodes() {
    let Some(dir) = shared() else { return };
    for name in [
        "composite/robust/audio_only.m4a",
        "composite/robust/surround51.mp4",
        "composite/robust/vp9_opus.webm",
        "video/single_face.mp4",
        "speech/jfk.wav",
    ] {
        let path = dir.join(name);
        let Some(raw) =
            ffmpeg(&["-i", path.to_str().unwrap(), "-map", "0:a:0", "-ac", "1", "-ar", "16000", "-f", "s16le", "-"])
        else {
            return;
        };
        let (_, audio, _) = read(&path);
        let ours = lay_out(&audio, audio[0].start);
        let theirs = pcm16(&raw);
        assert!(ours.len().abs_diff(theirs.len()) < 400, "{name}: {} and {}", ours.len(), theirs.len());
        let (error, level) = distance(&ours, &theirs);
        // 16-bit rounding is 1e-5; a shift by one sample would be far more.
        assert!(level > 1e-4 && error < 2e-3_f64.max(level * 0.02), "{name}: {error} of {level}");
    }
}

#[test]
fn a_hole_in_the_audio_stays_a_hole() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("gap.mkv");
    let cut = "aselect='lt(t,1.5)+gte(t,3.0)'";
    let made = ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "sine=f=440:r=44100:d=5",
        "-af",
        cut,
        "-c:a",
        "pcm_s16le",
        path.to_str().unwrap(),
    ]);
    if made.is_none() {
        return;
    }
    let (_, audio, report) = read(&path);
    let heard = report.audio_samples as f64 / 16_000.0;
    assert!((heard - 3.5).abs() < 0.05, "{heard}");
    assert!((report.audio_span.unwrap().end.as_secs_f64() - 5.0).abs() < 0.05);
    let holes: Vec<f64> =
        audio.windows(2).map(|w| (w[1].start - w[0].end()).as_secs_f64()).filter(|gap| *gap > 0.01).collect();
    assert!(holes.len() == 1 && (holes[0] - 1.5).abs() < 0.03, "{holes:?}");
}

#[test]
fn delayed_sound_starts_late() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("late.mp4");
    let made = ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x120:r=25:d=3",
        "-itsoffset",
        "0.75",
        "-f",
        "lavfi",
        "-i",
        "aevalsrc='if(lt(mod(t,1),0.05),sin(2*PI*1000*t),0)':s=48000:d=2",
        "-c:v",
        "mpeg4",
        "-c:a",
        "aac",
        path.to_str().unwrap(),
    ]);
    if made.is_none() {
        return;
    }
    let (frames, audio, _) = read(&path);
    let sound = lay_out(&audio, MediaTime::ZERO);
    // Clicks at 0.75 and 1.75 s of the file's clock.
    let loud = sound.iter().position(|s| s.abs() > 0.3).unwrap() as f64 / 16_000.0;
    assert!((loud - 0.75).abs() < 0.03, "{loud}");
    let second = sound.iter().enumerate().skip(24_000).find(|(_, s)| s.abs() > 0.3).unwrap().0 as f64 / 16_000.0;
    assert!((second - 1.75).abs() < 0.03, "{second}");
    assert_eq!(frames[0].time, MediaTime::ZERO);
}

#[test]
fn pixels_are_what_ffmpeg_converts() {
    let Some(dir) = shared() else { return };
    for (name, size) in [
        ("composite/robust/odd_dims_yuv444.mkv", (641, 359)),
        ("composite/robust/no_audio.mp4", (640, 360)),
        ("composite/robust/rotate90.mp4", (360, 640)),
        ("video/carphone_pristine.mp4", (176, 144)),
    ] {
        let path = dir.join(name);
        let Some(raw) =
            ffmpeg(&["-i", path.to_str().unwrap(), "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        else {
            return;
        };
        let (frames, ..) = read(&path);
        let request = RgbRequest { size: Size::new(size.0, size.1), filter: ScaleFilter::Bilinear };
        let rgb = frames[0].picture.rgb(request).unwrap();
        assert_eq!(rgb.data.len(), raw.len(), "{name}");
        let apart: u64 = rgb.data.iter().zip(&raw).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        let mean = apart as f64 / raw.len() as f64;
        assert!(mean < 1.0, "{name}: {mean} levels apart");
        let last_column = |d: &[u8]| -> f64 {
            let row = 3 * size.0 as usize;
            d.chunks(row).map(|r| f64::from(r[row - 1])).sum::<f64>() / f64::from(size.1)
        };
        assert!((last_column(&rgb.data) - last_column(&raw)).abs() < 4.0, "{name}: last column");
    }
}

#[test]
fn the_quick_mean_is_near_the_exact_one() {
    let Some(dir) = shared() else { return };
    let (frames, ..) = read(&dir.join("composite/robust/no_audio.mp4"));
    let picture = &frames[40].picture;
    let rgb = |w, h, filter| picture.rgb(RgbRequest { size: Size::new(w, h), filter }).unwrap();
    let full = rgb(640, 360, ScaleFilter::Area);
    let small = rgb(160, 90, ScaleFilter::Area);
    let mut apart = 0.0;
    for y in 0..90 {
        for x in 0..160 {
            for c in 0..3 {
                let block = (0..16).map(|i| f64::from(full.data[3 * ((4 * y + i / 4) * 640 + 4 * x + i % 4) + c]));
                apart += (block.sum::<f64>() / 16.0 - f64::from(small.data[3 * (y * 160 + x) + c])).abs();
            }
        }
    }
    let mean = apart / f64::from(160 * 90 * 3);
    assert!(mean < 1.0, "{mean} levels apart");
}

#[test]
fn made_formats_are_read() {
    let temp = tempfile::tempdir().unwrap();
    // Pixel formats and containers a phone, a screen recorder or an archive may hold.
    for (name, args) in [
        ("gray.mkv", &["-pix_fmt", "gray", "-c:v", "ffv1"][..]),
        ("pal.gif", &["-t", "1"][..]),
        ("rgba.mov", &["-pix_fmt", "argb", "-c:v", "qtrle"][..]),
        ("deep.mkv", &["-pix_fmt", "yuv444p12le", "-c:v", "ffv1"][..]),
        ("bgr0.avi", &["-pix_fmt", "bgr0", "-c:v", "ffv1"][..]),
        ("mjpeg.avi", &["-pix_fmt", "yuvj422p", "-c:v", "mjpeg"][..]),
        ("mono.mkv", &["-pix_fmt", "gray10le", "-c:v", "ffv1"][..]),
        ("mpeg2.mpg", &["-c:v", "mpeg2video"][..]),
        ("tff.mkv", &["-c:v", "mpeg4", "-vf", "scale=98:66"][..]),
    ] {
        let path = temp.path().join(name);
        let input = ["-f", "lavfi", "-i", "testsrc2=s=94x66:r=10:d=2"];
        if ffmpeg(&[&input[..], args, &[path.to_str().unwrap()]].concat()).is_none() {
            return;
        }
        let (frames, _, report) = read(&path);
        assert!(frames.len() >= 8, "{name}: {}", frames.len());
        assert!(report.issues.is_empty(), "{name}: {:?}", report.issues);
        let size = frames[0].picture.size();
        for filter in [ScaleFilter::Bilinear, ScaleFilter::Area, ScaleFilter::Bicubic] {
            for to in [size, Size::new(31, 17), Size::new(200, 3)] {
                let rgb = frames[3].picture.rgb(RgbRequest { size: to, filter }).unwrap();
                assert!(rgb.data.iter().any(|&v| v > 60) && rgb.data.iter().any(|&v| v < 200), "{name} {filter:?}");
            }
        }
    }
}

#[test]
fn a_change_of_size_goes_on() {
    let temp = tempfile::tempdir().unwrap();
    let part = |name: &str, size: &str| {
        let path = temp.path().join(name);
        let src = format!("testsrc2=s={size}:r=25:d=1");
        ffmpeg(&["-f", "lavfi", "-i", &src, "-c:v", "mpeg2video", path.to_str().unwrap()])
            .map(|_| std::fs::read(&path).unwrap())
    };
    let (Some(mut bytes), Some(more)) = (part("a.ts", "320x240"), part("b.ts", "176x144")) else { return };
    bytes.extend(more);
    let path = temp.path().join("both.ts");
    std::fs::write(&path, bytes).unwrap();
    let (frames, _, report) = read(&path);
    assert!(frames.len() >= 48, "{}", frames.len());
    // The clock of the second part starts again; time goes on.
    assert!(frames.windows(2).all(|w| w[0].time < w[1].time));
    let last = frames.last().unwrap();
    assert_eq!(last.picture.size(), Size::new(320, 240));
    let request = RgbRequest { size: Size::new(320, 240), filter: ScaleFilter::Bilinear };
    assert_eq!(last.picture.rgb(request).unwrap().data.len(), 320 * 240 * 3);
    assert!(report.issues.iter().any(|i| i.message.contains("another size")), "{:?}", report.issues);
}

#[test]
fn a_cover_picture_is_not_video() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("song.mp3");
    let made = ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-f",
        "lavfi",
        "-i",
        "color=red:s=64x64:d=0.04:r=25",
        "-map",
        "0:a",
        "-map",
        "1:v",
        "-c:v",
        "mjpeg",
        "-frames:v",
        "1",
        "-disposition:v:0",
        "attached_pic",
        path.to_str().unwrap(),
    ]);
    if made.is_none() {
        return;
    }
    let (frames, audio, _) = read(&path);
    assert!(frames.is_empty() && !audio.is_empty());
}
