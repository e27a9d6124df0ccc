//! The bundled detector on a real video, from file to boxes.

use std::path::{Path, PathBuf};

use tempograph_core::{Cancel, Runtime, SessionOptions};
use tempograph_media::{Reader, Sample, VideoWants, Wants};
use tempograph_models::detect::{self, DetectorOptions};
use tempograph_runtime_onnx::OnnxRuntime;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn library() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the person who runs it")]
    let named = std::env::var_os("TEMPOGRAPH_ONNXRUNTIME").map(PathBuf::from);
    let usual = repository().join("target/onnxruntime/libonnxruntime.so");
    named.or_else(|| usual.exists().then_some(usual))
}

/// The first shot of the composite shows at least three people: they are seen in most of its frames.
#[test]
fn people_are_seen_in_the_first_shot() {
    let video = repository().join("../shared/media/composite/public_a_citymix.mp4");
    if !video.exists() {
        println!("skipped: shared media not present");
        return;
    }
    let Some(library) = library() else {
        println!("skipped: no ONNX Runtime library; `TEMPOGRAPH_ONNXRUNTIME` can name one");
        return;
    };
    let runtime = OnnxRuntime::open(&library).expect("the library opens");
    for model in ["nanodet-g-416.onnx", "nanodet-g-416-int8.onnx"] {
        let path = repository().join("assets/models").join(model);
        let session = runtime.load(&path, &SessionOptions { threads: 1 }).expect("the model loads");
        let mut detector = detect::open("nanodet", session, &DetectorOptions::default()).expect("it opens");
        let (mut frames, mut crowded, mut spent) = (0, 0, std::time::Duration::ZERO);
        let cancel = Cancel::new();
        let wants = Wants { video: Some(VideoWants::default()), audio: None };
        let mut reader = Reader::open(&video).expect("it opens");
        reader
            .read(&wants, &cancel, &mut |sample| {
                let Sample::Frame(frame) = sample else { return Ok(()) };
                if frame.index >= 200 {
                    cancel.cancel();
                } else if frame.index % 5 == 0 {
                    let start = std::time::Instant::now();
                    let found = detector.detect(&[&frame])?.remove(0);
                    spent += start.elapsed();
                    frames += 1;
                    crowded += usize::from(found.labels().iter().filter(|l| *l == "person").count() >= 3);
                }
                Ok(())
            })
            .ok();
        println!("{model}: {crowded} of {frames} frames, {:.1} ms each", spent.as_secs_f64() * 1e3 / f64::from(frames));
        assert_eq!(frames, 40);
        assert!(crowded >= 30, "{model}: three people in {crowded} of {frames} frames");
    }
}
