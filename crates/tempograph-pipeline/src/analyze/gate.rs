//! Whether anything changed since a frame was last looked at: what spares stages their model.
//!
//! On a still picture this saves nearly all of a model's time; on a moving one it costs one look at the luma plane.

use multiversion::multiversion;
use tempograph_core::{Frame, MediaTime, Picture, Result, RgbRequest, ScaleFilter, Size, YuvView};

/// When a frame counts as unchanged: its luma, averaged over 64 x 36 blocks, lies close to that of the frame that
/// was last looked at. Levels are of 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Mean absolute difference over the blocks, below which nothing moved as a whole.
    pub mean: f32,
    /// Difference of any one block, below which nothing small moved either. A block of a 640 px frame is 10 px wide.
    pub block: f32,
    /// A frame counts as changed after this long whatever it shows.
    pub refresh: MediaTime,
}

impl Default for Gate {
    fn default() -> Self {
        Self { mean: 0.5, block: 3.0, refresh: MediaTime::from_millis(2_000) }
    }
}

/// Compares each frame with the one that was last looked at.
#[derive(Debug)]
pub struct Watch {
    gate: Option<Gate>,
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    time: MediaTime,
    size: Size,
    look: Look,
}

impl Watch {
    /// Has seen nothing yet. Without a gate every frame counts as changed.
    pub fn new(gate: Option<Gate>) -> Self {
        Self { gate, seen: None }
    }

    /// Whether `frame` looks like the one last looked at. If not, it becomes that one.
    ///
    /// # Errors
    /// When its pixels cannot be converted.
    pub fn unchanged(&mut self, frame: &Frame) -> Result<bool> {
        let Some(gate) = self.gate else { return Ok(false) };
        let (size, look) = (frame.picture.size(), Look::at(frame.picture.as_ref())?);
        if let Some(seen) = &self.seen
            && seen.size == size
            && (frame.time - seen.time).nanos() < gate.refresh.nanos()
            && seen.look.is_like(&look, gate)
        {
            return Ok(true);
        }
        self.seen = Some(Seen { time: frame.time, size, look });
        Ok(false)
    }

    /// Forgets the last frame, so that the next counts as changed: for unit boundaries.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

const COLUMNS: usize = 64;
const ROWS: usize = 36;
/// Rows read per block at least; of tall frames the others are left out.
const ROWS_PER_BLOCK: usize = 8;

/// What a picture looks like from afar: the mean luma of each block.
#[derive(Debug)]
pub(crate) struct Look(Vec<f32>);

impl Look {
    /// Looks at `picture`.
    ///
    /// # Errors
    /// When its pixels cannot be converted.
    pub(crate) fn at(picture: &dyn Picture) -> Result<Self> {
        if let Some(view) = picture.yuv()
            && let Some(luma) = of_plane(&view)
        {
            return Ok(Self(luma));
        }
        let size = Size::new(COLUMNS as u32, ROWS as u32);
        let rgb = picture.rgb(RgbRequest { size, filter: ScaleFilter::Area })?;
        // BT.601 weights in 1/256.
        let weigh = |&[r, g, b]: &[u8; 3]| (77.0 * f32::from(r) + 150.0 * f32::from(g) + 29.0 * f32::from(b)) / 256.0;
        Ok(Self(rgb.data.as_chunks::<3>().0.iter().map(weigh).collect()))
    }

    /// Mean absolute difference over the blocks, levels of 0 to 255.
    pub(crate) fn distance(&self, other: &Self) -> f32 {
        self.differences(other).0 / self.0.len().max(1) as f32
    }

    /// Sum and largest of the absolute differences of blocks.
    fn differences(&self, other: &Self) -> (f32, f32) {
        self.0.iter().zip(&other.0).fold((0.0, 0.0), |(sum, worst): (f32, f32), (a, b)| {
            let d = (a - b).abs();
            (sum + d, worst.max(d))
        })
    }

    fn is_like(&self, other: &Self, gate: Gate) -> bool {
        let (sum, worst) = self.differences(other);
        self.0.len() == other.0.len() && sum <= gate.mean * self.0.len() as f32 && worst <= gate.block
    }
}

/// Adds the samples of a row to the sums of their columns.
#[multiversion(targets("x86_64+avx2"))]
fn add(row: &[u8], sums: &mut [u16]) {
    for (sum, &sample) in sums.iter_mut().zip(row) {
        *sum += u16::from(sample);
    }
}

/// Block means of the Y plane; `None` for a frame with fewer pixels than blocks.
fn of_plane(view: &YuvView<'_>) -> Option<Vec<f32>> {
    let (width, height) = (view.size.width as usize, view.size.height as usize);
    let (plane, stride) = (view.planes[0], view.strides[0]);
    if width < COLUMNS || height < ROWS {
        return None;
    }
    // At most 2 * ROWS_PER_BLOCK rows of a block are read: their sum fits 16 bits.
    let step = (height / ROWS / ROWS_PER_BLOCK).max(1);
    let mut luma = Vec::with_capacity(COLUMNS * ROWS);
    let mut sums = vec![0u16; width];
    for by in 0..ROWS {
        let rows = (by * height / ROWS..(by + 1) * height / ROWS).step_by(step);
        let count = rows.len();
        sums.fill(0);
        for y in rows {
            add(plane.get(y * stride..y * stride + width)?, &mut sums);
        }
        for bx in 0..COLUMNS {
            let columns = &sums[bx * width / COLUMNS..(bx + 1) * width / COLUMNS];
            let sum: u32 = columns.iter().map(|&v| u32::from(v)).sum();
            luma.push(sum as f32 / (count * columns.len()) as f32);
        }
    }
    Some(luma)
}
