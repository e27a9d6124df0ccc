//! What was written is read back and compared.

use std::{path::PathBuf, sync::Arc};

use tempograph_core::{Cancel, Rgb, Size, Span};

use super::*;
use crate::{AudioWants, Reader, Sample, VideoWants, Wants, draw::Colour, draw::Rect, probe};

/// A picture of one colour.
struct Plain(Size, u8);

impl Picture for Plain {
    fn size(&self) -> Size {
        self.0
    }

    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        let data = vec![self.1; request.size.area() as usize * 3];
        Ok(Arc::new(Rgb { size: request.size, data }))
    }
}

fn shared(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let found = root.map(|a| a.join("shared/media").join(name)).find(|p| p.exists());
    if found.is_none() {
        eprintln!("skipped: shared media not present");
    }
    found
}

fn ms(v: i64) -> MediaTime {
    MediaTime::from_millis(v)
}

/// Writes plain frames at `times`; reads back their times, their size and the duration.
fn round_trip(size: Size, times: &[MediaTime], start: MediaTime) -> (Written, Vec<MediaTime>, Size, MediaTime) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.mp4");
    let picture = Plain(size, 90);
    let like = EncodeFrame::copy_of(&picture).expect("a frame");
    let options = VideoOptions::new(size, 25.0);
    let mut writer = VideoWriter::create(&path, &options, &like, None, start).expect("it opens");
    for (i, &time) in times.iter().enumerate() {
        let next = times.get(i + 1).copied().unwrap_or(time + ms(40));
        let mut frame = EncodeFrame::copy_of(&picture).expect("a frame");
        frame.canvas().fill(Rect::new(i as i32, 0, 4, 4), Colour::WHITE);
        writer.write(frame, time, next - time).expect("it is written");
    }
    assert!(!path.exists(), "nothing under the name before it is whole");
    let written = writer.finish().expect("it is finished");
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 1, "no rest is left");
    let info = probe(&path).expect("it can be probed");
    let size = info.video.expect("there is video").display_size;
    (written, read_times(&path), size, info.duration)
}

/// Presentation time of every frame.
fn read_times(path: &Path) -> Vec<MediaTime> {
    let mut times = Vec::new();
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut sink = |sample| {
        if let Sample::Frame(frame) = sample {
            times.push(frame.time);
        }
        Ok(())
    };
    Reader::open(path).and_then(|mut r| r.read(&wants, &Cancel::new(), &mut sink)).expect("it can be read");
    times
}

#[test]
fn every_frame_keeps_its_time_at_a_variable_rate() {
    let times: Vec<_> = [0, 40, 80, 300, 301, 1000, 1033, 5000].map(ms).into();
    let (written, back, size, duration) = round_trip(Size::new(64, 48), &times, MediaTime::ZERO);
    assert_eq!((written.frames, back.len(), size), (8, 8, Size::new(64, 48)));
    for (want, got) in times.iter().zip(&back) {
        assert!(want.abs_diff(*got) < MediaTime::from_nanos(12_000), "{want} {got}");
    }
    assert!(duration.abs_diff(ms(5040)) < ms(1), "the last frame keeps its duration: {duration}");
}

#[test]
fn times_start_at_zero_and_odd_edges_are_left_out() {
    let times: Vec<_> = (0..30).map(|i| ms(3_600_000 + i * 40)).collect();
    let (_, back, size, _) = round_trip(Size::new(65, 47), &times, ms(3_600_000));
    assert_eq!(back.len(), 30);
    assert_eq!((back[0], back[29]), (ms(0), ms(29 * 40)));
    assert_eq!(size, Size::new(64, 46));
}

#[test]
fn frames_at_one_time_stay_apart() {
    let (_, back, ..) = round_trip(Size::new(32, 32), &[ms(0), ms(0), ms(0), ms(40)], MediaTime::ZERO);
    assert_eq!(back.len(), 4);
    assert!(back.windows(2).all(|w| w[0] < w[1]));
}

#[test]
fn an_unfinished_file_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.mp4");
    let picture = Plain(Size::new(32, 32), 9);
    let like = EncodeFrame::copy_of(&picture).expect("a frame");
    let options = VideoOptions::new(picture.0, 25.0);
    let mut writer = VideoWriter::create(&path, &options, &like, None, MediaTime::ZERO).expect("it opens");
    let other = EncodeFrame::copy_of(&Plain(Size::new(48, 32), 9)).expect("a frame");
    let err = writer.write(other, ms(0), ms(40)).expect_err("another size");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    drop(writer);
    assert_eq!(std::fs::read_dir(folder.path()).expect("it is there").count(), 0);
    let nowhere = folder.path().join("no/such/folder/out.mp4");
    let err = VideoWriter::create(&nowhere, &options, &like, None, MediaTime::ZERO).err().expect("no folder");
    assert_eq!(err.kind(), ErrorKind::NotFound);
    assert!(EncodeFrame::copy_of(&Plain(Size::new(1, 9), 0)).is_err());
}

#[test]
fn a_full_disk_is_told() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let mut output = Output::create(Path::new("/dev/full")).expect("it opens");
    let picture = Plain(Size::new(32, 32), 9);
    let (mut encoder, _) =
        Encoder::video(picture.0, &VideoOptions::new(picture.0, 25.0), (false, false)).expect("an encoder");
    let stream = output.add_encoded(&encoder).expect("a stream");
    let mut run = || -> Result<(), SinkError> {
        output.begin()?;
        let mut packet = OutPacket::new()?;
        let mut frame = EncodeFrame::copy_of(&picture).expect("a frame");
        frame.planes.stamp(0);
        encoder.send(Some(&frame.planes))?;
        encoder.send(None)?;
        while encoder.receive(&mut packet)? {
            output.write(&mut packet, stream, encoder.time_base())?;
        }
        output.end()
    };
    let error = fail_at("write", run().expect_err("no space"), Path::new("x.mp4"));
    assert_eq!(error.kind(), ErrorKind::DiskFull);
    assert!(error.hint().is_some());
}

/// Copies pictures and sound of a shared file; the result must hear and show the same times.
fn copy(name: &str, kind: &str) {
    let Some(source) = shared(name) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.mp4");
    let mut reader = Reader::open(&source).expect("it opens");
    let info = reader.info().clone();
    let sound =
        info.default_audio.map(|i| AudioSource { path: source.clone(), stream: info.audio[i].stream, until: None });
    let mut writer: Option<VideoWriter> = None;
    let mut times = Vec::new();
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut sink = |sample| {
        let Sample::Frame(frame) = sample else { return Ok(()) };
        let picture = EncodeFrame::copy_of(frame.picture.as_ref())?;
        times.push(frame.time - info.start);
        if writer.is_none() {
            let mut options = VideoOptions::new(frame.picture.size(), 25.0);
            options.preset = "ultrafast".into();
            writer = Some(VideoWriter::create(&path, &options, &picture, sound.as_ref(), info.start)?);
        }
        writer.as_mut().expect("it was just made").write(picture, frame.time, frame.duration)
    };
    reader.read(&wants, &Cancel::new(), &mut sink).expect("it is copied");
    let written = writer.expect("there were frames").finish().expect("it is finished");
    assert_eq!(written.audio_problem, None);
    assert_eq!(written.audio.as_deref(), Some(kind).filter(|_| sound.is_some()));

    let back = read_times(&path);
    assert_eq!(back.len(), times.len());
    for (want, got) in times.iter().zip(&back) {
        assert!(want.abs_diff(*got) < MediaTime::from_nanos(12_000), "{want} {got}");
    }
    let size = |p: &Path| probe(p).expect("it can be probed").video.expect("video").display_size;
    let (from, to) = (size(&source), size(&path));
    assert_eq!(to, Size::new(from.width & !1, from.height & !1));
    if sound.is_some() {
        assert_heard_alike(&source, &path, info.start);
    }
}

/// The loudest moments must be at the same times: within 12 ms at the best of all shifts.
fn assert_heard_alike(a: &Path, b: &Path, start: MediaTime) {
    let envelope = |path: &Path, start: MediaTime| {
        let mut level = vec![0f32; 12_000];
        let wants = Wants { video: None, audio: Some(AudioWants::default()) };
        let mut sink = |sample| {
            let Sample::Audio(block) = sample else { return Ok(()) };
            for (i, v) in block.samples.iter().enumerate() {
                let at = (block.start - start).nanos() / 62_500 + i as i64;
                if let Some(bin) = usize::try_from(at / 64).ok().and_then(|at| level.get_mut(at)) {
                    *bin += v.abs();
                }
            }
            Ok(())
        };
        Reader::open(path).and_then(|mut r| r.read(&wants, &Cancel::new(), &mut sink)).expect("it can be heard");
        level
    };
    let (a, b) = (envelope(a, start), envelope(b, MediaTime::ZERO));
    let alike = |shift: i64| -> f32 {
        (100..a.len() as i64 - 100).map(|i| (a[i as usize] - b[(i + shift) as usize]).abs()).sum()
    };
    let best = (-75..=75).min_by(|&x, &y| alike(x).total_cmp(&alike(y))).expect("some shift");
    assert!(best.abs() <= 3, "the sound moved by {} ms", best * 4);
    let level: f32 = a.iter().sum();
    assert!(level > 0.0 && alike(best) < 0.2 * level, "the sound is the same: {} of {level}", alike(best));
}

#[test]
fn sound_that_mp4_takes_is_copied() {
    copy("composite/robust/rotate90.mp4", "copied");
    copy("composite/robust/surround51.mp4", "copied");
}

#[test]
fn other_sound_becomes_aac_in_step_with_the_picture() {
    for name in ["speech/jfk.wav", "sound/tp_firetruck.ogg"] {
        let Some(source) = shared(name) else { return };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("out.mp4");
        let picture = Plain(Size::new(32, 32), 9);
        let like = EncodeFrame::copy_of(&picture).expect("a frame");
        let sound = AudioSource { path: source.clone(), stream: 0, until: None };
        let options = VideoOptions::new(picture.0, 5.0);
        let mut writer = VideoWriter::create(&path, &options, &like, Some(&sound), MediaTime::ZERO).expect("it opens");
        for i in 0..50 {
            let frame = EncodeFrame::copy_of(&picture).expect("a frame");
            writer.write(frame, ms(i * 200), ms(200)).expect("it is written");
        }
        let written = writer.finish().expect("it is finished");
        assert_eq!((written.audio.as_deref(), written.audio_problem), (Some("aac"), None), "{name}");
        let (from, to) = (probe(&source).expect("it can be probed"), probe(&path).expect("it can be probed"));
        assert!(from.duration.abs_diff(to.duration) < ms(60), "{} {}", from.duration, to.duration);
        assert_heard_alike(&source, &path, from.start);
    }
}

#[test]
fn sound_that_is_not_there_does_not_stop_the_picture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.mp4");
    let picture = Plain(Size::new(32, 32), 9);
    let like = EncodeFrame::copy_of(&picture).expect("a frame");
    let sound = AudioSource { path: folder.path().join("none.wav"), stream: 0, until: None };
    let options = VideoOptions::new(picture.0, 25.0);
    let mut writer = VideoWriter::create(&path, &options, &like, Some(&sound), MediaTime::ZERO).expect("it opens");
    writer.write(like, ms(0), ms(40)).expect("it is written");
    let written = writer.finish().expect("it is finished");
    assert!(written.audio.is_none() && written.audio_problem.is_some());
    assert_eq!(read_times(&path).len(), 1);
}

#[test]
fn a_late_start_becomes_zero() {
    copy("composite/robust/start_offset.ts", "copied");
}

#[test]
fn odd_sizes_other_sampling_and_no_sound() {
    copy("composite/robust/odd_dims_yuv444.mkv", "none");
    copy("composite/robust/hevc10.mp4", "none");
    copy("composite/robust/vfr.mp4", "none");
    copy("composite/robust/one_frame.mp4", "none");
}

#[test]
fn damage_does_not_stop_it() {
    copy("composite/robust/bitflips.mp4", "none");
}

#[test]
fn a_clip_holds_the_frames_and_the_sound_of_its_span() {
    let Some(source) = shared("composite/robust/rotate90.mp4") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("clip.mp4");
    let span = Span::new(ms(1000), ms(2500));
    let all = read_times(&source);
    let inside: Vec<_> = all.into_iter().filter(|&t| span.contains(t)).collect();
    let written = cut(&source, span, &path, &CutOptions::default(), &Cancel::new()).expect("it is cut");
    assert_eq!(written.frames, inside.len() as u64);
    let back = read_times(&path);
    for (want, got) in inside.iter().zip(&back) {
        assert!((*want - inside[0]).abs_diff(*got) < MediaTime::from_nanos(12_000), "{want} {got}");
    }
    let duration = probe(&path).expect("it can be probed").duration;
    assert!(duration.abs_diff(ms(1500)) < ms(60), "{duration}");
    assert_eq!(written.audio.as_deref(), Some("copied"));

    let beyond = Span::new(ms(900_000), ms(900_100));
    let err = cut(&source, beyond, &path, &CutOptions::default(), &Cancel::new()).expect_err("nothing there");
    assert_eq!(err.kind(), ErrorKind::Usage);
}

/// A film of pictures that stand for ten seconds each, of grey levels 40, 90, 140, 190, whose pixels are 16:11.
fn slides(path: &Path) {
    let size = Size::new(72, 58);
    let options = VideoOptions { pixel_aspect: 16.0 / 11.0, ..VideoOptions::new(size, 0.1) };
    let frame = |level| EncodeFrame::copy_of(&Plain(size, level)).expect("a frame");
    let mut writer = VideoWriter::create(path, &options, &frame(40), None, MediaTime::ZERO).expect("it opens");
    for (i, level) in [40, 90, 140, 190].into_iter().enumerate() {
        writer.write(frame(level), ms(10_000 * i as i64), ms(10_000)).expect("it is written");
    }
    writer.finish().expect("it is finished");
}

#[test]
fn a_clip_of_slides_begins_with_the_one_that_is_shown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("slides.mp4");
    slides(&source);
    let spans = [(13, 17), (5, 25), (10, 12), (36, 40)].map(|(a, b)| Span::new(ms(a * 1000), ms(b * 1000)));
    let piece = |(i, span): (usize, &Span)| Piece { span: *span, out: folder.path().join(format!("{i}.mp4")) };
    let pieces: Vec<Piece> = spans.iter().enumerate().map(piece).collect();
    cut_all(&source, &pieces, &CutOptions::default(), &Cancel::new(), &mut |_| ()).expect("they are cut");
    let wanted: [&[(i64, u8)]; 4] = [&[(0, 90)], &[(0, 40), (5_000, 90), (15_000, 140)], &[(0, 90)], &[(0, 190)]];
    for ((piece, wanted), span) in pieces.iter().zip(wanted).zip(spans) {
        let clip = read_small(&piece.out);
        let near = |(time, picture): &(MediaTime, Vec<u8>), &(at, level): &(i64, u8)| {
            time.abs_diff(ms(at)) < ms(1) && picture[0].abs_diff(level) < 6
        };
        let shown: Vec<_> = clip.iter().map(|(time, picture)| (*time, picture[0])).collect();
        assert!(clip.len() == wanted.len() && clip.iter().zip(wanted).all(|(c, w)| near(c, w)), "{span:?} {shown:?}");
        let info = probe(&piece.out).expect("it can be probed");
        assert!(info.duration.abs_diff(span.duration()) < ms(60), "{span:?} {}", info.duration);
        let aspect = info.video.expect("there is video").sample_aspect_ratio;
        assert!((aspect - 16.0 / 11.0).abs() < 1e-3, "pixels stay as wide as they were: {aspect}");
    }
}

#[test]
fn a_pixel_that_lies_on_its_side_is_as_high_as_it_was_wide() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("slides.mp4");
    slides(&source);
    let info = probe(&source).expect("it can be probed");
    assert!(info.to_video("x", "y").pixel_aspect.is_some_and(|a| (a - 16.0 / 11.0).abs() < 1e-3));
    let mut video = info.video.expect("there is video");
    assert!((video.upright_pixel_aspect() - 16.0 / 11.0).abs() < 1e-3);
    video.orientation = crate::Orientation { quarter_turns: 1, ..video.orientation };
    assert!((video.upright_pixel_aspect() - 11.0 / 16.0).abs() < 1e-3);
}

/// Every frame's time and a small grey picture of it.
fn read_small(path: &Path) -> Vec<(MediaTime, Vec<u8>)> {
    let mut frames = Vec::new();
    let wants = Wants { video: Some(VideoWants::default()), audio: None };
    let mut sink = |sample| {
        if let Sample::Frame(frame) = sample {
            let request = RgbRequest { size: Size::new(64, 36), filter: ScaleFilter::Area };
            frames.push((frame.time, frame.picture.rgb(request)?.data.clone()));
        }
        Ok(())
    };
    Reader::open(path).and_then(|mut r| r.read(&wants, &Cancel::new(), &mut sink)).expect("it can be read");
    frames
}

fn apart(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(x.abs_diff(*y))).sum::<f64>() / a.len() as f64
}

/// Levels of the sound in steps of 4 ms from `start` for `steps`.
fn envelope(path: &Path, start: MediaTime, steps: usize) -> Vec<f32> {
    let mut level = vec![0f32; steps];
    let wants = Wants { video: None, audio: Some(AudioWants::default()) };
    let mut sink = |sample| {
        let Sample::Audio(block) = sample else { return Ok(()) };
        for (i, v) in block.samples.iter().enumerate() {
            let at = (block.start - start).nanos() / 62_500 + i as i64;
            if let Some(bin) = usize::try_from(at.div_euclid(64)).ok().and_then(|at| level.get_mut(at)) {
                *bin += v.abs();
            }
        }
        Ok(())
    };
    Reader::open(path).and_then(|mut r| r.read(&wants, &Cancel::new(), &mut sink)).expect("it can be heard");
    level
}

/// The shift in steps at which two envelopes are most alike.
fn shift(a: &[f32], b: &[f32]) -> i64 {
    let off = |s: i64| -> f32 { (40..a.len() as i64 - 40).map(|i| (a[i as usize] - b[(i + s) as usize]).abs()).sum() };
    (-40..=40).min_by(|&x, &y| off(x).total_cmp(&off(y))).expect("some shift")
}

/// Speech and cuts of the public composite: the first picture of each clip is the first of its span,
/// and what is heard with it is what was heard then.
#[test]
fn clips_of_one_pass_show_and_play_their_span() {
    let Some(source) = shared("composite/public_a_citymix.mp4") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spans = [Span::new(ms(3_330), ms(8_000)), Span::new(ms(36_010), ms(41_000)), Span::new(ms(7_000), ms(9_000))];
    let piece = |(i, span): (usize, &Span)| Piece { span: *span, out: folder.path().join(format!("{i}.mp4")) };
    let pieces: Vec<Piece> = spans.iter().enumerate().map(piece).collect();
    let written = cut_all(&source, &pieces, &CutOptions::default(), &Cancel::new(), &mut |_| ()).expect("they are cut");
    let frames = read_small(&source);
    for ((piece, written), span) in pieces.iter().zip(&written).zip(spans) {
        let inside: Vec<_> = frames.iter().filter(|(t, _)| span.contains(*t)).collect();
        let clip = read_small(&piece.out);
        assert_eq!((written.frames, clip.len()), (inside.len() as u64, inside.len()));
        assert_eq!(clip[0].0, MediaTime::ZERO);
        for (got, want) in clip.iter().zip(&inside).step_by(7) {
            assert!(apart(&got.1, &want.1) < 4.0, "{} {}", want.0, apart(&got.1, &want.1));
        }
        assert!(inside[0].0 - span.start < ms(40), "within a frame");
        let steps = (span.duration().nanos() / 4_000_000) as usize;
        let (from, to) = (envelope(&source, inside[0].0, steps), envelope(&piece.out, MediaTime::ZERO, steps));
        if from.iter().sum::<f32>() > 50.0 {
            assert!(shift(&from, &to).abs() <= 3, "the sound moved by {} ms", shift(&from, &to) * 4);
        }
    }
}

#[test]
fn a_copy_begins_at_the_key_frame_and_says_so() {
    for name in ["composite/public_a_citymix.mp4", "composite/robust/rotate90.mp4", "composite/robust/start_offset.ts"]
    {
        let Some(source) = shared(name) else { return };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("clip.mp4");
        let info = probe(&source).expect("it can be probed");
        let span = Span::new(info.start + ms(1_500), info.start + ms(2_500));
        let copied = super::copy(&source, span, &path, None, &Cancel::new()).expect("it is copied");
        assert!(copied.span.start <= span.start && copied.span.end >= span.end - ms(60), "{name} {copied:?}");
        assert_eq!(copied.audio_problem, None);
        let (frames, clip) = (read_small(&source), read_small(&path));
        let first = frames.iter().position(|(t, _)| t.abs_diff(copied.span.start) < ms(2));
        let first = first.unwrap_or_else(|| {
            panic!("{name}: {copied:?} {:?}", frames.iter().map(|f| f.0.nanos()).collect::<Vec<_>>())
        });
        assert!(clip[0].0 < ms(2), "{name}: players begin there: {}", clip[0].0);
        for (got, want) in clip.iter().zip(&frames[first..]).take(20) {
            assert!(apart(&got.1, &want.1) < 0.01, "{name}: the very pictures, upright");
            assert!((want.0 - frames[first].0).abs_diff(got.0 - clip[0].0) < ms(2), "{name} {} {}", want.0, got.0);
        }
        if !info.audio.is_empty() {
            let steps = (copied.span.duration().nanos() / 4_000_000) as usize;
            let (from, to) = (envelope(&source, copied.span.start, steps), envelope(&path, MediaTime::ZERO, steps));
            if from.iter().sum::<f32>() > 50.0 {
                assert!(shift(&from, &to).abs() <= 3, "{name}: the sound moved by {} ms", shift(&from, &to) * 4);
            }
        }
    }
    let Some(source) = shared("video/trailer_bbb.mp4") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let err = super::copy(
        &source,
        Span::new(ms(9_000_000), ms(9_000_100)),
        &folder.path().join("x.mp4"),
        None,
        &Cancel::new(),
    );
    // Past the end there is a last key frame, but it is not shown then.
    assert!(err.is_err() || err.is_ok_and(|c| c.frames > 0));
}
