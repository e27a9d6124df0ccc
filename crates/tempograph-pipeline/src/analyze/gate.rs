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
    luma: Luma,
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
        let (size, luma) = (frame.picture.size(), luma(frame.picture.as_ref())?);
        if let Some(seen) = &self.seen
            && seen.size == size
            && (frame.time - seen.time).nanos() < gate.refresh.nanos()
            && unchanged(&seen.luma, &luma, gate)
        {
            return Ok(true);
        }
        self.seen = Some(Seen { time: frame.time, size, luma });
        Ok(false)
    }

    /// Forgets the last frame, so that the next counts as changed: for unit boundaries.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}

/// What a picture looks like from afar.
#[derive(Debug)]
pub(crate) struct Look(Luma);

impl Look {
    /// Looks at `picture`.
    ///
    /// # Errors
    /// When its pixels cannot be converted.
    pub(crate) fn at(picture: &dyn Picture) -> Result<Self> {
        luma(picture).map(Self)
    }

    /// Mean absolute difference over the blocks, levels of 0 to 255.
    pub(crate) fn distance(&self, other: &Self) -> f32 {
        let sum: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).abs()).sum();
        sum / self.0.len().max(1) as f32
    }
}

const COLUMNS: usize = 64;
const ROWS: usize = 36;
/// Rows read per block at least; of tall frames the others are left out.
const ROWS_PER_BLOCK: usize = 8;

/// Mean luma of each block.
type Luma = Vec<f32>;

fn unchanged(a: &Luma, b: &Luma, gate: Gate) -> bool {
    let (mut sum, mut worst) = (0.0f32, 0.0f32);
    for (a, b) in a.iter().zip(b) {
        let d = (a - b).abs();
        sum += d;
        worst = worst.max(d);
    }
    a.len() == b.len() && sum <= gate.mean * a.len() as f32 && worst <= gate.block
}

fn luma(picture: &dyn Picture) -> Result<Luma> {
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

/// Adds the samples of a row to the sums of the blocks they lie in.
#[multiversion(targets("x86_64+avx2"))]
fn add(row: &[u8], sums: &mut [u32; COLUMNS]) {
    for (bx, sum) in sums.iter_mut().enumerate() {
        let block = &row[bx * row.len() / COLUMNS..(bx + 1) * row.len() / COLUMNS];
        *sum += block.iter().map(|&v| u32::from(v)).sum::<u32>();
    }
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
            add(plane.get(y * stride..y * stride + width)?, &mut sums);
            count += 1;
        }
        for (bx, sum) in sums.into_iter().enumerate() {
            let columns = (bx + 1) * width / COLUMNS - bx * width / COLUMNS;
            luma.push(sum as f32 / (count * columns) as f32);
        }
    }
    Some(luma)
}
