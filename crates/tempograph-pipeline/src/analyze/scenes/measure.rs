//! Measuring: the numbers of one frame that the detectors decide from.

mod edges;
mod hash;
mod hist;
mod hsv;
mod pairs;
mod resize;
mod shrink;
mod ycbcr;

use serde::{Deserialize, Serialize};
use tempograph_core::{Claim, Error, ErrorKind, Frame, FrameAnalyzer, Observation, Result, Sampling};

use self::{
    hash::Hasher,
    hsv::Hsv,
    shrink::{Shrinker, Small},
};

/// Which measurements to take of every frame.
///
/// It fixes the columns of [`Claim::SceneScores`], which are, in this order and each only when
/// asked for:
///
/// | column | asked by | value | first frame |
/// | --- | --- | --- | --- |
/// | hue, saturation, value | `color` | mean absolute difference to the previous frame in HSV, 0 to 255 (hue 0 to 179) | 0 |
/// | edges | `edges` | the same of the dilated edge pictures, 0 to 255 | 0 |
/// | brightness | `brightness` | mean over all pixels and the channels R, G, B, 0 to 255 | as any |
/// | histogram | `histogram` | correlation of the luma histograms with the previous frame, −1 to 1 | 1 |
/// | hash | `hash` | share of perceptual hash bits that differ from the previous frame, 0 to 1 | 0 |
///
/// A frame of another size than the previous one counts as a first frame in `color` and `edges`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Measures {
    /// Differences in hue, saturation and value.
    pub color: bool,
    /// Difference of edges.
    pub edges: Option<Edges>,
    /// Mean brightness.
    pub brightness: bool,
    /// Correlation of luma histograms with this many bins, 1 to 256.
    pub histogram: Option<u32>,
    /// Distance of perceptual hashes.
    pub hash: Option<Hash>,
}

/// How edges are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// Side of the square that edges are widened by: odd, 3 to 255; from the picture's size when absent.
    pub kernel_size: Option<u32>,
}

/// How the perceptual hash is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hash {
    /// Side of the square of low frequencies kept, 2 to 32: the hash has `size²` bits.
    pub size: u32,
    /// Share of frequencies left out: the transform is of `size · lowpass` pixels a side, at most 256.
    pub lowpass: u32,
}

impl Measures {
    /// Everything the five detectors need with their default parameters.
    pub fn defaults() -> Self {
        Self {
            color: true,
            edges: None,
            brightness: true,
            histogram: Some(128),
            hash: Some(Hash { size: 8, lowpass: 2 }),
        }
    }

    /// The measurements of either.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when both ask for one measurement with different settings.
    pub fn union(self, other: Self) -> Result<Self> {
        fn either<T: PartialEq + Copy>(a: Option<T>, b: Option<T>, what: &str) -> Result<Option<T>> {
            match (a, b) {
                (Some(a), Some(b)) if a != b => {
                    Err(Error::new(ErrorKind::Config, format!("two scene detectors want different `{what}` settings")))
                }
                _ => Ok(a.or(b)),
            }
        }
        Ok(Self {
            color: self.color || other.color,
            edges: either(self.edges, other.edges, "kernel_size")?,
            brightness: self.brightness || other.brightness,
            histogram: either(self.histogram, other.histogram, "bins")?,
            hash: either(self.hash, other.hash, "hash")?,
        })
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        usize::from(self.color) * 3
            + usize::from(self.edges.is_some())
            + usize::from(self.brightness)
            + usize::from(self.histogram.is_some())
            + usize::from(self.hash.is_some())
    }

    /// Whether every setting is in range.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the setting that is not.
    pub fn check(&self) -> Result<()> {
        let bad = |message: String| Err(Error::new(ErrorKind::Config, message));
        if let Some(Edges { kernel_size: Some(k) }) = self.edges
            && (k % 2 == 0 || !(3..=255).contains(&k))
        {
            return bad(format!("`kernel_size` must be odd and from 3 to 255: {k}"));
        }
        if let Some(bins) = self.histogram
            && !(1..=256).contains(&bins)
        {
            return bad(format!("`bins` must be from 1 to 256: {bins}"));
        }
        if let Some(Hash { size, lowpass }) = self.hash
            && (!(2..=32).contains(&size) || lowpass == 0 || lowpass > 256 / size)
        {
            return bad(format!(
                "`size` must be from 2 to 32 and `size` times `lowpass` at most 256: {size} and {lowpass}"
            ));
        }
        Ok(())
    }
}

/// Measures every frame against the one before it and claims [`Claim::SceneScores`].
pub struct SceneAnalyzer {
    measures: Measures,
    shrinker: Shrinker,
    hasher: Option<Hasher>,
    small: Small,
    now: Features,
    previous: Option<Features>,
}

/// What is kept of a frame to compare the next one with.
#[derive(Default)]
struct Features {
    hsv: Hsv,
    edges: Vec<u8>,
    histogram: Vec<f32>,
    hash: Vec<bool>,
}

impl SceneAnalyzer {
    /// An analyzer that takes `measures`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when a setting is out of range.
    pub fn new(measures: Measures) -> Result<Self> {
        measures.check()?;
        Ok(Self {
            measures,
            shrinker: Shrinker::default(),
            hasher: measures.hash.map(Hasher::new),
            small: Small::default(),
            now: Features::default(),
            previous: None,
        })
    }

    /// The scores of `frame` against the frame given before, in the order [`Measures`] states.
    ///
    /// # Errors
    /// When the picture has no pixels or cannot be converted.
    pub fn measure(&mut self, frame: &Frame) -> Result<Vec<f64>> {
        self.shrinker.shrink(frame.picture.as_ref(), &mut self.small)?;
        let (small, now, before) = (&self.small, &mut self.now, self.previous.as_ref());
        let mut scores = Vec::with_capacity(self.measures.columns());
        if self.measures.color || self.measures.edges.is_some() {
            now.hsv.fill(small);
        }
        let comparable = before.filter(|b| b.hsv.size == now.hsv.size);
        if self.measures.color {
            scores.extend(comparable.map_or([0.0; 3], |b| now.hsv.distance(&b.hsv)));
        }
        if let Some(Edges { kernel_size }) = self.measures.edges {
            let kernel = kernel_size.unwrap_or_else(|| edges::kernel_size(small.size));
            edges::detect(&now.hsv.value, small.size, kernel, &mut now.edges);
            scores.push(comparable.map_or(0.0, |b| hsv::mean_distance(&now.edges, &b.edges)));
        }
        if self.measures.brightness {
            scores.push(small.mean());
        }
        if let Some(bins) = self.measures.histogram {
            hist::histogram(small, bins, &mut now.histogram);
            scores.push(before.map_or(1.0, |b| hist::correlation(&now.histogram, &b.histogram)));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.hash(small, &mut now.hash);
            scores.push(before.map_or(0.0, |b| hash::distance(&now.hash, &b.hash)));
        }
        let recycled = self.previous.take().unwrap_or_default();
        self.previous = Some(std::mem::replace(&mut self.now, recycled));
        Ok(scores)
    }
}

impl FrameAnalyzer for SceneAnalyzer {
    fn name(&self) -> &'static str {
        "scenes"
    }

    fn needs(&self) -> Sampling {
        Sampling::Every
    }

    fn push(&mut self, frame: &Frame, out: &mut Vec<Observation>) -> Result<()> {
        let scores = self.measure(frame)?;
        out.push(Observation { span: frame.span(), claim: Claim::SceneScores { frame: frame.index, scores } });
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<Observation>) -> Result<()> {
        Ok(())
    }
}
