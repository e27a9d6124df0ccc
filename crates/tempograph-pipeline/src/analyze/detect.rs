//! Objects frame by frame: the detector at its rate, spared where nothing changed.
//!
//! A frame that looks like the one the detector last saw gets that one's detections again (the [`Gate`]). On a still
//! picture this saves nearly all of the model's time; on a moving one it costs one look at the luma plane.
//!
//! Frames that do need the model are looked at beside each other, on as many lanes as the stage was given detectors.

use std::{collections::VecDeque, time::Duration};

use tempograph_core::{Appearance, Claim, Detections, Frame, FrameAnalyzer, Observation, Result, Sampling, Span};
use tempograph_models::{
    detect::{Detector, DetectorOptions},
    embed::{ImageEmbedder, View},
};

use super::gate::{Gate, Watch};
use crate::threads::lanes::{Lanes, Work};

/// Frames a second the detector sees by default. ByteTrack associates by overlap: a walker seen five times a second
/// still overlaps the box before.
pub const DEFAULT_FPS: f64 = 5.0;
/// Boxes below are dropped. ByteTrack's second stage lives from weak boxes, so this is its lower bound (Zhang et al.
/// 2022, section 3), not what is shown.
pub const CONFIDENCE: f32 = 0.1;
/// Boxes below are not looked at closely: the tracker uses looks for sure boxes only.
const LOOKS_CONFIDENCE: f32 = 0.3;
/// Sides below say nothing of looks, in pixels.
const LOOKS_SIDE: f32 = 12.0;
/// Boxes a frame at most.
const MAX_DETECTIONS: usize = 100;

/// What the stage asks of a detector.
pub fn detector_options() -> DetectorOptions {
    DetectorOptions { confidence: CONFIDENCE, max_detections: MAX_DETECTIONS, ..DetectorOptions::default() }
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

/// A detector, and what says how objects look, for one lane.
pub struct Looker {
    /// Finds objects; [`detector_options`] suits it.
    pub detector: Box<dyn Detector>,
    /// Says what each object looks like, for the tracker to find it again.
    pub looks: Option<Box<dyn ImageEmbedder>>,
}

impl Looker {
    fn look(&mut self, frame: &Frame) -> Result<Detections> {
        let detections = self.detector.detect(&[frame])?.pop().unwrap_or_default();
        match &mut self.looks {
            Some(embedder) => closely(embedder.as_mut(), frame, detections),
            None => Ok(detections),
        }
    }
}

/// A frame whose detections are not told yet.
struct Pending {
    index: u64,
    span: Span,
    /// It looks like the frame before and gets that one's detections.
    repeats: bool,
}

/// The stage `detect`.
pub struct DetectAnalyzer {
    lanes: Lanes<Frame, Detections>,
    pending: VecDeque<Pending>,
    fps: f64,
    watch: Watch,
    last: Detections,
    counts: DetectCounts,
}

impl DetectAnalyzer {
    /// Looks with `lookers`, one or more that are alike, beside each other.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(lookers: Vec<Looker>, settings: DetectSettings) -> Result<Self> {
        let DetectSettings { fps, gate } = settings;
        let work = |mut looker: Looker| Box::new(move |frame: Frame| looker.look(&frame)) as Work<_, _>;
        let lanes = Lanes::new("detect", lookers.into_iter().map(work).collect())?;
        let (watch, pending) = (Watch::new(gate), VecDeque::new());
        Ok(Self { lanes, pending, fps, watch, last: Detections::default(), counts: DetectCounts::default() })
    }

    /// What it did so far.
    pub fn counts(&self) -> DetectCounts {
        self.counts
    }

    /// Tells the detections of pending frames in order: of all, or of those that are known by now.
    fn tell(&mut self, all: bool, out: &mut Vec<Observation>) -> Result<()> {
        while let Some(Pending { index, span, repeats }) = self.pending.front() {
            if !repeats {
                match if all { self.lanes.wait()? } else { self.lanes.ready()? } {
                    Some(detections) => self.last = detections,
                    None => break,
                }
            }
            let claim = Claim::Detections { frame: *index, detections: self.last.clone() };
            out.push(Observation { span: *span, claim });
            self.pending.pop_front();
        }
        Ok(())
    }
}

/// The detections with what the sure ones look like.
fn closely(embedder: &mut dyn ImageEmbedder, frame: &Frame, detections: Detections) -> Result<Detections> {
    let worth = |i: &usize| {
        let row = detections.get(*i);
        row.score >= LOOKS_CONFIDENCE && row.bbox.width().min(row.bbox.height()) >= LOOKS_SIDE
    };
    let rows: Vec<usize> = (0..detections.len()).filter(worth).collect();
    if rows.is_empty() {
        return Ok(detections);
    }
    let views: Vec<View<'_>> = rows.iter().map(|&i| View { frame, region: Some(detections.boxes()[i]) }).collect();
    let mut appearances = vec![Appearance::default(); detections.len()];
    for (&row, vector) in rows.iter().zip(embedder.embed(&views)?) {
        appearances[row] = Appearance::of(&vector);
    }
    detections.with_appearances(appearances)
}

impl FrameAnalyzer for DetectAnalyzer {
    fn name(&self) -> &'static str {
        "detect"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: self.fps }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let repeats = self.watch.unchanged(frame)?;
        if repeats {
            self.counts.repeated += 1;
        } else {
            self.counts.detected += 1;
            self.lanes.ask(frame.clone())?;
        }
        self.pending.push_back(Pending { index: frame.index, span: frame.span(), repeats });
        self.tell(false, out)
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.watch.forget();
        self.tell(true, out)
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.tell(true, out)?;
        let DetectCounts { detected, repeated } = self.counts;
        tracing::debug!(detected, repeated, "detection ends");
        Ok(())
    }

    fn helpers_cpu(&self) -> Duration {
        self.lanes.cpu()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use tempograph_core::{BoxXyxy, MediaTime, Picture, Rgb, RgbRequest, Size, YuvView};

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
        let lookers = vec![Looker { detector: Box::new(Counter(Arc::default())), looks: None }];
        let settings = DetectSettings { gate, ..DetectSettings::default() };
        let mut stage = DetectAnalyzer::new(lookers, settings).expect("it starts");
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

    /// Says where the bright square lies, sooner or later.
    struct Finder;
    impl Detector for Finder {
        fn detect(&mut self, frames: &[&Frame]) -> Result<Vec<Detections>> {
            let found = frames.iter().map(|frame| {
                std::thread::sleep(std::time::Duration::from_millis(3 - frame.index % 4));
                let view = frame.picture.yuv().expect("these scenes have planes");
                let row = &view.planes[0][90 * 320..91 * 320];
                let x = row.iter().position(|&v| v == 220).expect("the square is in it") as f32;
                let mut detections = Detections::default();
                detections.push(BoxXyxy::new(x, 80.0, x + 12.0, 100.0), 0.5, "square");
                detections
            });
            Ok(found.collect())
        }
        fn labels(&self) -> &[String] {
            &[]
        }
    }

    #[test]
    fn any_number_of_lanes_claims_the_same_in_the_same_order() {
        // Moves for a while, rests for a while; a unit ends between.
        let places: Vec<usize> = (0..24).map(|i: usize| 40 + 8 * (i / 8 * 4 + (i % 8).min(4))).collect();
        let claims = |lanes: usize| {
            let lookers = (0..lanes).map(|_| Looker { detector: Box::new(Finder), looks: None }).collect();
            let mut stage = DetectAnalyzer::new(lookers, DetectSettings::default()).expect("it starts");
            let (mut units, mut out) = (Vec::new(), Vec::new());
            for (i, &x) in places.iter().enumerate() {
                stage.push(&frame(i as u64, scene(100, x, true)), &mut out).expect("it looks");
                if i % 10 == 9 {
                    stage.checkpoint(&mut out).expect("it settles");
                    units.push(std::mem::take(&mut out));
                }
            }
            stage.finish(&mut out).expect("it ends");
            units.push(out);
            (units, stage.counts())
        };
        let (units, counts) = claims(1);
        assert_eq!(units.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 4], "nothing crosses the end of a unit");
        assert!(counts.repeated > 4 && counts.detected > 8, "{counts:?}");
        let found = units.iter().flatten().map(|o| match &o.claim {
            Claim::Detections { detections, .. } => detections.boxes()[0].x1 as usize,
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), places);
        for lanes in 2..=4 {
            assert_eq!(claims(lanes), (units.clone(), counts), "{lanes} lanes");
        }
    }
}
