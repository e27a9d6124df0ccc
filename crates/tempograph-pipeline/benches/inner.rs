//! Inner loops of the analyzers: what a frame costs when nothing waits.

use std::sync::Arc;

use divan::Bencher;
use tempograph_core::{
    BoxXyxy, Detections, Error, ErrorKind, Frame, MediaTime, Picture, Result, Rgb, RgbRequest, Size, YuvView,
};
use tempograph_pipeline::analyze::{
    scenes::{Measures, SceneAnalyzer},
    track::{ByteTrack, ByteTrackOptions, Tracker as _},
};

fn main() {
    divan::main();
}

/// A 4:2:0 picture in memory.
struct Planes {
    size: Size,
    data: Vec<u8>,
}

impl Picture for Planes {
    fn size(&self) -> Size {
        self.size
    }

    fn rgb(&self, _: RgbRequest) -> Result<Arc<Rgb>> {
        Err(Error::new(ErrorKind::Internal, "only planes are read here"))
    }

    fn yuv(&self) -> Option<YuvView<'_>> {
        let (w, h) = (self.size.width as usize, self.size.height as usize);
        let (y, chroma) = self.data.split_at(w * h);
        let (u, v) = chroma.split_at(w * h / 4);
        let strides = [w, w / 2, w / 2];
        Some(YuvView {
            size: self.size,
            planes: [y, u, v],
            strides,
            chroma_shift: (1, 1),
            full_range: false,
            bt709: true,
        })
    }
}

fn frame(size: Size, index: u64) -> Frame {
    let bytes = (size.width * size.height * 3 / 2) as usize;
    let data = (0..bytes).map(|i| (i as u64 * 31 + index * 7) as u8).collect();
    let time = MediaTime::from_ticks(index as i64, 1, 25);
    Frame { index, time, duration: MediaTime::from_millis(40), key: false, picture: Arc::new(Planes { size, data }) }
}

#[divan::bench(args = [(640, 360), (1280, 720), (1920, 1080)])]
fn scene_content(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    measure(bencher, Size::new(width, height), Measures { color: true, ..Measures::default() });
}

#[divan::bench(args = [(640, 360), (1280, 720), (1920, 1080)])]
fn scene_all_five(bencher: Bencher<'_, '_>, (width, height): (u32, u32)) {
    measure(bencher, Size::new(width, height), Measures::defaults());
}

fn measure(bencher: Bencher<'_, '_>, size: Size, measures: Measures) {
    let frames = [frame(size, 0), frame(size, 1)];
    let mut analyzer = SceneAnalyzer::new(measures).expect("the settings are in range");
    let mut turn = 0;
    bencher.bench_local(|| {
        turn ^= 1;
        analyzer.measure(&frames[turn]).expect("the planes are there")
    });
}

#[divan::bench(args = [5, 20, 100])]
fn bytetrack_update(bencher: Bencher<'_, '_>, objects: usize) {
    let seen: Vec<Detections> = (0..100)
        .map(|step| {
            let mut detections = Detections::default();
            for i in 0..objects {
                let (x, y) = ((i % 10) as f32 * 120.0 + step as f32, (i / 10) as f32 * 150.0);
                detections.push(BoxXyxy::from_xywh(x, y, 60.0, 120.0), 0.9 - (i % 3) as f32 * 0.3, "person");
            }
            detections
        })
        .collect();
    let mut tracker = ByteTrack::new(ByteTrackOptions::default());
    let mut step = 0i64;
    bencher.bench_local(|| {
        step += 1;
        // Back and forth, so that no box ever jumps.
        let at = (step % 198 - 99).unsigned_abs() as usize;
        tracker.update(&seen[at], MediaTime::from_ticks(step, 1, 30))
    });
}
