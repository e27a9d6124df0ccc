//! Files that are damaged, odd or not media at all.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "helpers of tests, outside test functions")]

use std::path::{Path, PathBuf};

use tempograph_core::{AudioBlock, Cancel, ErrorKind, Frame, MediaTime, Result, Rgb, RgbRequest, ScaleFilter, Size};
use tempograph_media::{
    AudioWants, MediaInfo, ReadReport, Reader, Sample, SkipFrames, VideoWants, Wants, content_hash, encode_jpeg, probe,
};

/// `shared/media` beside the repository.
fn shared() -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|d| d.join("shared/media")).find(|d| d.is_dir());
    if found.is_none() {
        println!("skipped: shared media not present");
    }
    found
}

fn robust(name: &str) -> Option<PathBuf> {
    shared().map(|d| d.join("composite/robust").join(name))
}

struct All {
    info: MediaInfo,
    frames: Vec<Frame>,
    audio: Vec<AudioBlock>,
    report: ReadReport,
}

fn wants(skip: SkipFrames) -> Wants {
    Wants { video: Some(VideoWants { skip }), audio: Some(AudioWants::default()) }
}

fn read_with(path: &Path, wants: &Wants) -> Result<All> {
    let mut reader = Reader::open(path)?;
    reader.set_threads(2);
    let (mut frames, mut audio) = (Vec::new(), Vec::new());
    let report = reader.read(wants, &Cancel::new(), &mut |sample| {
        match sample {
            Sample::Frame(frame) => frames.push(frame),
            Sample::Audio(block) => audio.push(block),
        }
        Ok(())
    })?;
    assert_eq!(report.frames as usize, frames.len());
    assert!(frames.windows(2).all(|w| w[0].time < w[1].time));
    assert!(frames.iter().enumerate().all(|(i, f)| f.index == i as u64 && f.duration > MediaTime::ZERO));
    assert!(audio.windows(2).all(|w| w[0].end() <= w[1].start + MediaTime::from_nanos(1_000)));
    Ok(All { info: reader.info().clone(), frames, audio, report })
}

fn read(path: &Path) -> All {
    read_with(path, &wants(SkipFrames::None)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn secs(t: MediaTime) -> f64 {
    t.as_secs_f64()
}

fn rgb(frame: &Frame, width: u32, height: u32, filter: ScaleFilter) -> Vec<u8> {
    frame.picture.rgb(RgbRequest { size: Size::new(width, height), filter }).unwrap().data.clone()
}

#[test]
fn refusals_say_what_is_wrong() {
    let Some(dir) = shared().map(|d| d.join("composite/robust")) else { return };
    let refused = |path: &Path, kind: ErrorKind, words: &str| {
        let err = probe(path).unwrap_err();
        assert_eq!(err.kind(), kind, "{err}");
        assert!(err.to_string().contains(words), "{err}");
        assert!(err.hint().is_some(), "{err}");
    };
    refused(&dir.join("nothing.mp4"), ErrorKind::NotFound, "nothing.mp4");
    refused(&dir, ErrorKind::Unreadable, "folder");
    refused(&dir.join("empty.mp4"), ErrorKind::NotMedia, "empty");
    refused(&dir.join("text.mp4"), ErrorKind::NotMedia, "not a known");
    refused(&dir.join("truncated.mp4"), ErrorKind::Unreadable, "moov");
    let temp = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.ts\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile a.mp4\n"),
    ] {
        std::fs::write(temp.path().join(name), text).unwrap();
        refused(&temp.path().join(name), ErrorKind::Unsupported, "playlist");
    }
    std::fs::write(temp.path().join("notes.txt"), "just some words\n".repeat(50)).unwrap();
    refused(&temp.path().join("notes.txt"), ErrorKind::NotMedia, "not a known");
}

#[test]
fn video_without_audio_and_audio_without_video() {
    let (Some(mute), Some(blind)) = (robust("no_audio.mp4"), robust("audio_only.m4a")) else { return };
    let all = read(&mute);
    assert!(all.info.audio.is_empty() && all.audio.is_empty());
    assert_eq!(all.frames.len(), 152);
    let all = read(&blind);
    assert!(all.info.video.is_none() && all.frames.is_empty());
    let heard = all.report.audio_samples as f64 / 16_000.0;
    assert!((heard - secs(all.info.duration)).abs() < 0.03, "{heard}");
    let video = all.info.to_video("x", "y");
    assert_eq!((video.width, video.fps, video.audio.map(|a| a.codec)), (0, 0.0, Some("aac".to_owned())));
}

#[test]
fn a_turned_video_stands_upright() {
    let Some(path) = robust("rotate90.mp4") else { return };
    let all = read(&path);
    let video = all.info.to_video("x", "y");
    assert_eq!((video.width, video.height), (360, 640));
    assert!(matches!(video.rotation_deg, 90 | 270));
    let frame = &all.frames[0];
    assert_eq!(frame.picture.size(), Size::new(360, 640));
    assert!(frame.picture.yuv().is_none());
    assert_eq!(rgb(frame, 360, 640, ScaleFilter::Bilinear).len(), 360 * 640 * 3);
    assert_eq!(rgb(frame, 90, 160, ScaleFilter::Bicubic).len(), 90 * 160 * 3);
}

/// A JPEG that says by the Exif tag Orientation how it is to be turned.
fn photo(path: &Path, picture: &Rgb, orientation: u8) {
    let jpeg = encode_jpeg(picture, 95).unwrap();
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    let bytes = [&jpeg[..2], &[0xFF, 0xE1], &length[..], &exif[..], &jpeg[2..]].concat();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_photo_stands_as_its_camera_was_held() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("photo.jpg");
    let size = Size::new(96, 64);
    let (red, green, blue, white) = ([220, 0, 0], [0, 220, 0], [0, 0, 220], [220, 220, 220]);
    let quarter =
        |x: u32, y: u32| if y < 32 { [red, green][(x / 48) as usize] } else { [blue, white][(x / 48) as usize] };
    let data = (0..64).flat_map(|y| (0..96).flat_map(move |x| quarter(x, y))).collect();
    let picture = Rgb { size, data };
    // Where each stored corner is shown (Exif 2.3, tag 0x0112): the corners from the upper left by rows.
    for (orientation, turned, corners) in [
        (1, false, [red, green, blue, white]),
        (2, false, [green, red, white, blue]),
        (3, false, [white, blue, green, red]),
        (4, false, [blue, white, red, green]),
        (5, true, [red, blue, green, white]),
        (6, true, [blue, red, white, green]),
        (7, true, [white, green, blue, red]),
        (8, true, [green, white, red, blue]),
        (9, false, [red, green, blue, white]),
    ] {
        photo(&path, &picture, orientation);
        let all = read(&path);
        let (width, height) = if turned { (64, 96) } else { (96, 64) };
        let video = all.info.to_video("x", "y");
        assert_eq!((video.width, video.height), (width, height), "orientation {orientation}");
        let shown = rgb(&all.frames[0], width, height, ScaleFilter::Bilinear);
        for (i, want) in corners.into_iter().enumerate() {
            let (x, y) = (width / 4 + width / 2 * (i as u32 % 2), height / 4 + height / 2 * (i as u32 / 2));
            let at = 3 * (y * width + x) as usize;
            let off = shown[at..at + 3].iter().zip(want).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off < Some(12), "orientation {orientation}, corner {i}: {:?} for {want:?}", &shown[at..at + 3]);
        }
    }
}

#[test]
fn odd_sizes_and_deep_pixels_convert() {
    for (name, depth, size) in [("odd_dims_yuv444.mkv", 8, (641, 359)), ("hevc10.mp4", 10, (640, 360))] {
        let Some(path) = robust(name) else { return };
        let all = read(&path);
        let video = all.info.video.as_ref().unwrap();
        assert_eq!(video.bit_depth, Some(depth));
        assert_eq!((video.display_size.width, video.display_size.height), size);
        assert_eq!(all.frames.len(), 75, "{name}");
        let frame = &all.frames[30];
        assert_eq!(frame.picture.yuv().is_some(), depth == 8);
        let full = rgb(frame, size.0, size.1, ScaleFilter::Area);
        let mean = |d: &[u8]| d.iter().map(|&v| f64::from(v)).sum::<f64>() / d.len() as f64;
        for filter in [ScaleFilter::Bilinear, ScaleFilter::Area, ScaleFilter::Bicubic] {
            for (w, h) in [(320, 180), (97, 53), (700, 400)] {
                let small = rgb(frame, w, h, filter);
                assert_eq!(small.len(), (w * h * 3) as usize);
                assert!((mean(&small) - mean(&full)).abs() < 4.0, "{name} {filter:?} {w}x{h}");
            }
        }
    }
}

#[test]
fn one_frame_is_a_video() {
    let Some(path) = robust("one_frame.mp4") else { return };
    let all = read(&path);
    assert_eq!(all.frames.len(), 1);
    assert!(all.frames[0].key);
    assert!((secs(all.frames[0].duration) - 0.04).abs() < 1e-6);
}

#[test]
fn variable_frame_rate_keeps_source_time() {
    let Some(path) = robust("vfr.mp4") else { return };
    let all = read(&path);
    assert!((160..=185).contains(&all.frames.len()), "{}", all.frames.len());
    // Shown times add up: each frame ends where the next begins.
    assert!(all.frames.windows(2).all(|w| w[0].time + w[0].duration == w[1].time));
    let shortest = all.frames.iter().map(|f| f.duration).min().unwrap();
    let longest = all.frames.iter().map(|f| f.duration).max().unwrap();
    assert!(secs(longest) > 1.5 * secs(shortest));
}

#[test]
fn a_late_start_is_kept_and_sound_stays_with_it() {
    let Some(path) = robust("start_offset.ts") else { return };
    let all = read(&path);
    assert!((secs(all.info.start) - 3601.4).abs() < 0.2, "{}", all.info.start);
    assert!((secs(all.frames[0].time) - 3601.4).abs() < 0.2);
    assert!((secs(all.audio[0].start) - 3601.4).abs() < 0.2);
    assert!((secs(all.info.duration) - 6.0).abs() < 0.3);
    assert!((all.report.audio_samples as f64 / 16_000.0 - 6.0).abs() < 0.3);
}

#[test]
fn surround_is_heard_and_the_right_track_is_chosen() {
    let (Some(path), Some(two)) = (robust("surround51.mp4"), robust("two_audio_tracks.mkv")) else { return };
    let all = read(&path);
    assert_eq!(all.info.audio[0].channels, 6);
    assert!(all.audio.iter().flat_map(|b| b.samples.iter()).any(|s| s.abs() > 0.01));
    assert!(all.audio.iter().flat_map(|b| b.samples.iter()).all(|s| s.abs() <= 1.01));

    let track = |stream| read_with(&two, &Wants { video: None, audio: Some(AudioWants { stream }) });
    assert_eq!(probe(&two).unwrap().audio.len(), 2);
    let [first, second] = [Some(0), Some(1)].map(|s| track(s).unwrap());
    assert_ne!(first.audio[0].samples, second.audio[0].samples);
    assert_eq!(track(Some(2)).err().unwrap().kind(), ErrorKind::NotFound);
}

#[test]
fn webm_is_read() {
    let Some(path) = robust("vp9_opus.webm") else { return };
    let all = read(&path);
    assert_eq!(all.info.video.as_ref().unwrap().codec, "vp9");
    assert!(!all.frames.is_empty() && !all.audio.is_empty());
    assert!(all.audio[0].start.abs_diff(all.frames[0].time) < MediaTime::from_millis(60));
}

#[test]
fn flipped_bits_cost_few_frames() {
    let (Some(path), Some(good)) = (robust("bitflips.mp4"), robust("no_audio.mp4")) else { return };
    let (all, good) = (read(&path), read(&good));
    assert!(all.frames.len() * 10 >= good.frames.len() * 8, "{} of {}", all.frames.len(), good.frames.len());
    assert!(good.report.issues.is_empty(), "{:?}", good.report.issues);
    assert!(!all.report.issues.is_empty());
}

#[test]
fn skipping_yields_fewer_frames_at_the_same_times() {
    let Some(path) = robust("no_audio.mp4") else { return };
    let every = read(&path);
    let keys = read_with(&path, &wants(SkipFrames::NonKey)).unwrap();
    assert!(!keys.frames.is_empty() && keys.frames.len() < every.frames.len() / 4);
    for frame in &keys.frames {
        assert!(frame.key);
        assert!(every.frames.iter().any(|f| f.time == frame.time && f.key));
    }
    let some = read_with(&path, &wants(SkipFrames::NonRef)).unwrap();
    assert!((keys.frames.len()..=every.frames.len()).contains(&some.frames.len()));
}

#[test]
fn a_reader_reads_twice_and_stops_when_asked() {
    let Some(path) = robust("no_audio.mp4") else { return };
    let mut reader = Reader::open(&path).unwrap();
    let mut count = |cancel: &Cancel, stop_at: u64| {
        let mut seen = 0;
        let result = reader.read(&wants(SkipFrames::None), cancel, &mut |_| {
            seen += 1;
            if seen == stop_at {
                cancel.cancel();
            }
            Ok(())
        });
        (seen, result.map_err(|e| e.kind()).err())
    };
    assert_eq!(count(&Cancel::new(), 0), (152, None));
    assert_eq!(count(&Cancel::new(), 0), (152, None));
    let (seen, error) = count(&Cancel::new(), 5);
    assert!(seen < 40 && error == Some(ErrorKind::Cancelled));
}

#[test]
fn equal_requests_share_one_conversion() {
    let Some(path) = robust("no_audio.mp4") else { return };
    let all = read(&path);
    let request = RgbRequest { size: Size::new(64, 36), filter: ScaleFilter::Bilinear };
    let [a, b] = [(); 2].map(|()| all.frames[0].picture.rgb(request).unwrap());
    assert!(std::sync::Arc::ptr_eq(&a, &b));
    for (w, h) in [(0, 10), (u32::MAX, u32::MAX)] {
        let request = RgbRequest { size: Size::new(w, h), filter: ScaleFilter::Area };
        assert!(all.frames[0].picture.rgb(request).is_err());
    }
    assert_eq!(content_hash(&path).unwrap().len(), 64);
}

/// xorshift64*, so that the damage is the same everywhere.
fn random(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D)
}

#[test]
fn damaged_bytes_never_panic() {
    let Some(dir) = shared().map(|d| d.join("composite/robust")) else { return };
    let temp = tempfile::tempdir().unwrap();
    for (name, rounds) in [("one_frame.mp4", 120), ("vp9_opus.webm", 12), ("hevc10.mp4", 12), ("start_offset.ts", 8)] {
        let original = std::fs::read(dir.join(name)).unwrap();
        let mut state = 0x9E37_79B9_7F4A_7C15 ^ original.len() as u64;
        for round in 0..rounds {
            let mut bytes = original.clone();
            if round % 3 == 0 {
                bytes.truncate(random(&mut state) as usize % bytes.len());
            }
            for _ in 0..random(&mut state) % 40 {
                if !bytes.is_empty() {
                    // Headers sit at both ends; aim half of the damage there.
                    let at = random(&mut state) as usize;
                    let at = match round % 4 {
                        0 => at % bytes.len().min(600),
                        1 => bytes.len() - 1 - at % bytes.len().min(1500),
                        _ => at % bytes.len(),
                    };
                    bytes[at] ^= 1 << (random(&mut state) % 8);
                }
            }
            let path = temp.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            match read_with(&path, &wants(SkipFrames::None)) {
                Ok(all) => {
                    if let Some(frame) = all.frames.first().filter(|f| f.picture.size().area() < 4_000_000) {
                        drop(frame.picture.rgb(RgbRequest { size: Size::new(32, 32), filter: ScaleFilter::Area }));
                        if let Some(view) = frame.picture.yuv() {
                            assert!(!view.planes[0].is_empty());
                        }
                    }
                }
                Err(e) => assert!(!e.to_string().is_empty()),
            }
        }
    }
}
