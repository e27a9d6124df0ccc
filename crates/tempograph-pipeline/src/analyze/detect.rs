//! Objects frame by frame: the detector at its rate, spared where nothing changed.
//!
//! A frame that looks like the one the detector last saw gets that one's detections again (the [`Gate`]). On a still
//! picture this saves nearly all of the model's time; on a moving one it costs one look at the luma plane.

use tempograph_core::{
    Claim, Detections, Frame, FrameAnalyzer, MediaTime, Observation, Picture, Result, RgbRequest, Sampling,
    ScaleFilter, Size, Span, YuvView,
};
use tempograph_models::detect::{Detector, DetectorOptions};

/// Frames a second the detector sees by default. ByteTrack associates by overlap: a walker seen five times a second
/// still overlaps the box before.
pub const DEFAULT_FPS: f64 = 5.0;
/// Boxes below are dropped. ByteTrack's second stage lives from weak boxes, so this is its lower bound (Zhang et al.
/// 2022, section 3), not what is shown.
pub const CONFIDENCE: f32 = 0.1;
/// Boxes a frame at most.
const MAX_DETECTIONS: usize = 100;

/// What the stage asks of a detector.
pub fn detector_options() -> DetectorOptions {
    DetectorOptions { confidence: CONFIDENCE, max_detections: MAX_DETECTIONS, ..DetectorOptions::default() }
}

/// When a frame counts as unchanged: its luma, averaged over 64 x 36 blocks, lies close to that of the frame the
/// detector last saw. Levels are of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Mean absolute difference over the blocks, below which nothing moved as a whole.
    pub mean: f32,
    /// Difference of any one block, below which nothing small moved either. A block of a 640 px frame is 10 px wide.
    pub block: f32,
    /// The detector looks again after this long whatever it sees.
    pub refresh: MediaTime,
}

impl Default for Gate {
    fn default() -> Self {
        Self { mean: 0.5, block: 3.0, refresh: MediaTime::from_millis(2_000) }
    }
}

/// How the stage runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectSettings {
    /// Frames a second it looks at.
    pub fps: f64,
    /// `None` runs the model on each of them.
    pub gate: Option<Gate>,
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self { fps: DEFAULT_FPS, gate: Some(Gate::default()) }
    }
}

/// How often the model ran and how often its last answer served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DetectCounts {
    /// Frames given to the model.
    pub detected: u64,
    /// Frames that got the detections of the frame before.
    pub repeated: u64,
}

/// The stage `detect`.
pub struct DetectAnalyzer {
    detector: Box<dyn Detector>,
    settings: DetectSettings,
    last: Option<Seen>,
    counts: DetectCounts,
}

struct Seen {
    time: MediaTime,
    size: Size,
    luma: Luma,
    detections: Detections,
}

impl DetectAnalyzer {
    /// Runs `detector`, which [`detector_options`] suits.
    pub fn new(detector: Box<dyn Detector>, settings: DetectSettings) -> Self {
        Self { detector, settings, last: None, counts: DetectCounts::default() }
    }

    /// What it did so far.
    pub fn counts(&self) -> DetectCounts {
        self.counts
    }

    fn look(&mut self, frame: &Frame) -> Result<Detections> {
        self.counts.detected += 1;
        Ok(self.detector.detect(&[frame])?.pop().unwrap_or_default())
    }

    fn gated(&mut self, frame: &Frame, gate: Gate) -> Result<Detections> {
        let (size, luma) = (frame.picture.size(), luma(frame.picture.as_ref())?);
        if let Some(seen) = &self.last
            && seen.size == size
            && (frame.time - seen.time).nanos() < gate.refresh.nanos()
            && unchanged(&seen.luma, &luma, gate)
        {
            self.counts.repeated += 1;
            return Ok(seen.detections.clone());
        }
        let detections = self.look(frame)?;
        self.last = Some(Seen { time: frame.time, size, luma, detections: detections.clone() });
        Ok(detections)
    }
}

impl FrameAnalyzer for DetectAnalyzer {
    fn name(&self) -> &'static str {
        "detect"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: self.settings.fps }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let detections = match self.settings.gate {
            Some(gate) => self.gated(frame, gate)?,
            None => self.look(frame)?,
        };
        let span = Span::new(frame.time, frame.time.saturating_add(frame.duration));
        out.push(Observation { span, claim: Claim::Detections { frame: frame.index, detections } });
        Ok(())
    }

    fn checkpoint(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        self.last = None;
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        let DetectCounts { detected, repeated } = self.counts;
        tracing::debug!(detected, repeated, "detection ends");
        Ok(())
    }
}

const COLUMNS: usize = 64;
const ROWS: usize = 36;
/// Rows read per block at least; of tall frames the others are left out.
const ROWS_PER_BLOCK: usize = 8;

/// Mean luma of each block, row by row.
pub(super) type Luma = Vec<f32>;

/// Whether `b` shows what `a` shows, as `gate` takes it.
pub(super) fn unchanged(a: &Luma, b: &Luma, gate: Gate) -> bool {
    let (mut sum, mut worst) = (0.0f32, 0.0f32);
    for (a, b) in a.iter().zip(b) {
        let d = (a - b).abs();
        sum += d;
        worst = worst.max(d);
    }
    a.len() == b.len() && sum <= gate.mean * a.len() as f32 && worst <= gate.block
}

/// The picture as block means.
pub(super) fn luma(picture: &dyn Picture) -> Result<Luma> {
    if let Some(view) = picture.yuv()
        && let Some(luma) = of_plane(&view)
    {
        return Ok(luma);
    }
    let size = Size::new(COLUMNS as u32, ROWS as u32);
    let rgb = picture.rgb(RgbRequest { size, filter: ScaleFilter::Area })?;
    // BT.601 weights in 1/256.
    let weigh = |&[r, g, b]: &[u8; 3]| (77.0 * f32::from(r) + 150.0 * f32::from(g) + 29.0 * f32::from(b)) / 256.0;
    Ok(rgb.data.as_chunks::<3>().0.iter().map(weigh).collect())
}

/// Block means of the Y plane; `None` for a frame with fewer pixels than blocks.
fn of_plane(view: &YuvView<'_>) -> Option<Luma> {
    let (width, height) = (view.size.width as usize, view.size.height as usize);
    let (plane, stride) = (view.planes[0], view.strides[0]);
    if width < COLUMNS || height < ROWS {
        return None;
    }
    let step = (height / ROWS / ROWS_PER_BLOCK).max(1);
    let mut luma = Vec::with_capacity(COLUMNS * ROWS);
    for by in 0..ROWS {
        let rows = (by * height / ROWS..(by + 1) * height / ROWS).step_by(step);
        let mut sums = [0u32; COLUMNS];
        let mut count = 0;
        for y in rows {
            let row = plane.get(y * stride..y * stride + width)?;
            for (bx, sum) in sums.iter_mut().enumerate() {
                let block = &row[bx * width / COLUMNS..(bx + 1) * width / COLUMNS];
                *sum += block.iter().map(|&v| u32::from(v)).sum::<u32>();
            }
            count += 1;
        }
        for (bx, sum) in sums.into_iter().enumerate() {
            let columns = (bx + 1) * width / COLUMNS - bx * width / COLUMNS;
            luma.push(sum as f32 / (count * columns) as f32);
        }
    }
    Some(luma)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use tempograph_core::{BoxXyxy, Rgb};

    use super::*;

    /// A grey frame with a square at `x`, as planes or as pixels only.
    struct Scene {
        level: u8,
        x: usize,
        plane: Option<Vec<u8>>,
    }

    const SIZE: Size = Size::new(320, 180);

    fn scene(level: u8, x: usize, planar: bool) -> Scene {
        let luma =
            |px: usize, py: usize| if (x..x + 12).contains(&px) && (80..100).contains(&py) { 220 } else { level };
        let plane =
            planar.then(|| (0..180).flat_map(|y| (0..320).map(move |x| (x, y))).map(|(x, y)| luma(x, y)).collect());
        Scene { level, x, plane }
    }

    impl Picture for Scene {
        fn size(&self) -> Size {
            SIZE
        }
        fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
            let (w, h) = (request.size.width as usize, request.size.height as usize);
            let at = |i: usize| {
                let (x, y) = (i % w * 320 / w, i / w * 180 / h);
                let inside = (self.x..self.x + 12).contains(&x) && (80..100).contains(&y);
                [if inside { 220 } else { self.level }; 3]
            };
            Ok(Arc::new(Rgb { size: request.size, data: (0..w * h).flat_map(at).collect() }))
        }
        fn yuv(&self) -> Option<YuvView<'_>> {
            self.plane.as_ref().map(|plane| YuvView {
                size: SIZE,
                planes: [plane, &[], &[]],
                strides: [320, 0, 0],
                chroma_shift: (1, 1),
                full_range: true,
                bt709: false,
            })
        }
    }

    /// Says how often it was asked in the score's place.
    struct Counter(Arc<AtomicU64>);
    impl Detector for Counter {
        fn detect(&mut self, frames: &[&Frame]) -> Result<Vec<Detections>> {
            let call = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            let mut d = Detections::default();
            d.push(BoxXyxy::new(0.0, 0.0, 9.0, 9.0), call as f32, "thing");
            Ok(vec![d; frames.len()])
        }
        fn labels(&self) -> &[String] {
            &[]
        }
    }

    fn frame(index: u64, scene: Scene) -> Frame {
        let time = MediaTime::from_millis(index as i64 * 200);
        Frame { index, time, duration: MediaTime::from_millis(40), key: false, picture: Arc::new(scene) }
    }

    /// Which call answered each frame; `None` stands for a unit boundary.
    fn calls(scenes: Vec<Option<Scene>>, gate: Option<Gate>) -> Vec<f32> {
        let counter = Box::new(Counter(Arc::default()));
        let mut stage = DetectAnalyzer::new(counter, DetectSettings { gate, ..DetectSettings::default() });
        let mut out = Vec::new();
        for (i, scene) in scenes.into_iter().enumerate() {
            match scene {
                Some(scene) => stage.push(&frame(i as u64, scene), &mut out).expect("it looks"),
                None => stage.checkpoint(&mut out).expect("it settles"),
            }
        }
        stage.finish(&mut out).expect("it ends");
        let detected = stage.counts().detected;
        let scores: Vec<f32> = out
            .iter()
            .map(|o| match &o.claim {
                Claim::Detections { detections, .. } => detections.scores()[0],
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((detected + stage.counts().repeated) as usize, scores.len());
        assert_eq!(scores.iter().fold(0.0f32, |a, &b| a.max(b)), detected as f32);
        scores
    }

    #[test]
    fn a_still_scene_is_looked_at_once_and_a_moving_thing_each_time() {
        for planar in [true, false] {
            let still = (0..4).map(|_| Some(scene(100, 40, planar))).collect();
            assert_eq!(calls(still, Some(Gate::default())), [1.0, 1.0, 1.0, 1.0], "planar: {planar}");
            let moving = (0..4).map(|i| Some(scene(100, 40 + 4 * i, planar))).collect();
            assert_eq!(calls(moving, Some(Gate::default())), [1.0, 2.0, 3.0, 4.0], "planar: {planar}");
        }
        assert_eq!(calls((0..3).map(|_| Some(scene(100, 40, true))).collect(), None), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn drift_below_the_threshold_adds_up() {
        let gate = Gate { mean: 1.5, ..Gate::default() };
        let fading = (0..5).map(|i| Some(scene(100 + i, 40, true))).collect();
        assert_eq!(calls(fading, Some(gate)), [1.0, 1.0, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn it_looks_again_after_a_while_and_at_a_unit_boundary() {
        let still = || Some(scene(100, 40, true));
        let answers = calls((0..12).map(|_| still()).collect(), Some(Gate::default()));
        assert_eq!(answers[..10], [1.0; 10], "two seconds at five a second");
        assert_eq!(answers[10..], [2.0; 2]);
        assert_eq!(calls(vec![still(), still(), None, still(), still()], Some(Gate::default())), [1.0, 1.0, 2.0, 2.0]);
    }
}
