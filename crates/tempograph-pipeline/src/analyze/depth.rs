//! Depth frame by frame: the estimator at its rate, spared where nothing changed, its maps kept as objects.

use std::sync::Arc;

use tempograph_core::{Claim, DepthMap, Frame, FrameAnalyzer, MediaTime, Observation, Result, Sampling, Size, Span};
use tempograph_media::encode_map;
use tempograph_models::depth::{DepthEstimator, InverseDepth};

use super::gate::{Gate, Watch};
use crate::cache::Objects;

/// Frames a second that are estimated by default. People change their distance slowly; the network is the dearest there
/// is here.
pub const DEFAULT_FPS: f64 = 1.0;
/// The estimator looks again after this long, even when nothing changed: once a unit.
const REFRESH: MediaTime = MediaTime::from_millis(10_000);
/// Blocks a claim's grid has: fine enough that a box of a twelfth of the frame's width holds several.
const GRID: Size = Size::new(48, 27);
/// Maps are gathered into objects up to this many bytes, which bounds memory at high rates.
const MAX_OBJECT: usize = 16 << 20;

/// When the estimator is spared.
pub fn gate() -> Gate {
    Gate { refresh: REFRESH, ..Gate::default() }
}

/// Estimates one frame; what a [`DepthEstimator`] does.
pub trait EstimateDepth: Send {
    /// The map of `frame`, in any size.
    ///
    /// # Errors
    /// When pixels cannot be converted or the model fails.
    fn estimate(&mut self, frame: &Frame) -> Result<InverseDepth>;
}

impl EstimateDepth for DepthEstimator {
    fn estimate(&mut self, frame: &Frame) -> Result<InverseDepth> {
        Self::estimate(self, frame)
    }
}

/// The stage `depth`.
pub struct DepthAnalyzer {
    estimator: Box<dyn EstimateDepth>,
    objects: Arc<dyn Objects>,
    fps: f64,
    watch: Watch,
    /// The maps since the last object, joined, and their claims, which lack its key.
    bytes: Vec<u8>,
    claims: Vec<(Span, DepthMap)>,
}

impl DepthAnalyzer {
    /// Looks `fps` times a second; `gate` of `None` runs the model each time.
    pub fn new(estimator: Box<dyn EstimateDepth>, objects: Arc<dyn Objects>, fps: f64, gate: Option<Gate>) -> Self {
        Self { estimator, objects, fps, watch: Watch::new(gate), bytes: Vec::new(), claims: Vec::new() }
    }

    fn flush(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.watch.forget();
        if self.claims.is_empty() {
            return Ok(());
        }
        let object = self.objects.put(&self.bytes)?;
        self.bytes.clear();
        out.extend(self.claims.drain(..).map(|(span, claim)| {
            let claim = Claim::Depth(DepthMap { object: object.clone(), ..claim });
            Observation { span, claim }
        }));
        Ok(())
    }
}

impl FrameAnalyzer for DepthAnalyzer {
    fn name(&self) -> &'static str {
        "depth"
    }

    fn needs(&self) -> Sampling {
        Sampling::Rate { fps: self.fps }
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let unchanged = self.watch.unchanged(frame)?;
        let span = frame.span();
        if let Some((_, last)) = self.claims.last().filter(|_| unchanged) {
            let again = DepthMap { frame: frame.index, ..last.clone() };
            self.claims.push((span, again));
            return Ok(());
        }
        let map = self.estimator.estimate(frame)?;
        let (low, high) = map.range();
        let png = encode_map(&map.values, map.size, (low, high))?;
        let claim = DepthMap {
            frame: frame.index,
            object: String::new(),
            offset: self.bytes.len() as u64,
            len: png.len() as u64,
            low,
            high,
            columns: GRID.width,
            rows: GRID.height,
            grid: grid(&map, (low, high)),
        };
        self.bytes.extend_from_slice(&png);
        self.claims.push((span, claim));
        if self.bytes.len() >= MAX_OBJECT {
            self.flush(out)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.flush(out)
    }

    fn finish(&mut self, out: &mut Vec<Observation>) -> Result<()> {
        self.flush(out)
    }
}

/// Means over the blocks of [`GRID`]; a map smaller than it gives its nearest pixel.
pub fn grid(map: &InverseDepth, (low, high): (f32, f32)) -> Vec<u8> {
    let (width, height) = (map.size.width as usize, map.size.height as usize);
    let scale = if high > low { 255.0 / (high - low) } else { 0.0 };
    let range = |i: usize, blocks: u32, pixels: usize| {
        let from = (i * pixels / blocks as usize).min(pixels - 1);
        from..((i + 1) * pixels / blocks as usize).max(from + 1)
    };
    let mut grid = Vec::with_capacity(GRID.area() as usize);
    for by in 0..GRID.height as usize {
        let rows = range(by, GRID.height, height);
        for bx in 0..GRID.width as usize {
            let columns = range(bx, GRID.width, width);
            let sum: f32 = rows.clone().flat_map(|y| &map.values[y * width..][columns.clone()]).sum();
            let mean = sum / (rows.len() * columns.len()) as f32;
            grid.push(((mean - low) * scale).round().clamp(0.0, 255.0) as u8);
        }
    }
    grid
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tempograph_media::decode_map;

    use super::{super::testing::grey, *};

    /// A ramp from left to right that rises with each call.
    struct Ramp(f32);
    impl EstimateDepth for Ramp {
        fn estimate(&mut self, _: &Frame) -> Result<InverseDepth> {
            self.0 += 1.0;
            let values = (0..96 * 54).map(|i| self.0 * (i % 96) as f32).collect();
            Ok(InverseDepth { size: Size::new(96, 54), values })
        }
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<Vec<u8>>>);
    impl Objects for Kept {
        fn put(&self, bytes: &[u8]) -> Result<String> {
            let mut all = self.0.lock().expect("not poisoned");
            all.push(bytes.to_vec());
            Ok((all.len() - 1).to_string())
        }
        fn get(&self, key: &str) -> Result<Vec<u8>> {
            Ok(self.0.lock().expect("not poisoned")[key.parse::<usize>().expect("a number")].clone())
        }
    }

    #[test]
    fn maps_of_a_unit_share_an_object_and_still_frames_share_a_map() {
        let objects = Arc::new(Kept::default());
        let mut stage = DepthAnalyzer::new(Box::new(Ramp(0.0)), objects.clone(), 1.0, Some(gate()));
        let mut out = Vec::new();
        for (i, level) in [Some(9), Some(9), Some(90), None, Some(90)].into_iter().enumerate() {
            let Some(level) = level else {
                stage.checkpoint(&mut out).expect("it settles");
                continue;
            };
            let time = MediaTime::from_millis(1000 * i as i64);
            let frame =
                Frame { index: i as u64, time, duration: time, key: false, picture: grey(level, Size::new(64, 36)) };
            stage.push(&frame, &mut out).expect("it looks");
        }
        stage.finish(&mut out).expect("it ends");
        let maps: Vec<&DepthMap> = out
            .iter()
            .map(|o| match &o.claim {
                Claim::Depth(map) => map,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(maps.iter().map(|m| m.frame).collect::<Vec<_>>(), [0, 1, 2, 4]);
        assert_eq!(maps.iter().map(|m| m.object.as_str()).collect::<Vec<_>>(), ["0", "0", "0", "1"]);
        assert!(maps[0].offset == maps[1].offset && maps[2].offset == maps[0].len);
        assert_eq!((maps[0].grid.len(), maps[0].grid[0], maps[0].grid[47]), (48 * 27, 1, 254));
        let bytes = objects.get("0").expect("kept");
        let map = &bytes[maps[2].offset as usize..][..maps[2].len as usize];
        let (size, values) = decode_map(map, (maps[2].low, maps[2].high)).expect("a map");
        assert_eq!((size, values[95], maps[2].high), (Size::new(96, 54), 190.0, 190.0));
    }

    #[test]
    fn a_map_smaller_than_the_grid_is_spread() {
        let map = InverseDepth { size: Size::new(2, 1), values: vec![0.0, 4.0] };
        let grid = grid(&map, map.range());
        assert_eq!((grid.len(), grid[0], grid[23], grid[24], grid[47]), (48 * 27, 0, 0, 255, 255));
    }
}
