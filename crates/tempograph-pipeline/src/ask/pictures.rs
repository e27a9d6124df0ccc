//! What a moment of the video looks like, coarsely: enough to tell news from more of the same.

use tempograph_core::{MediaTime, Result, Rgb, Span};
use tempograph_media::decode_jpeg;

use crate::cache::Objects;

const COLUMNS: usize = 16;
const ROWS: usize = 9;
/// Mean difference of two pictures' cells, in levels of 255, up to which nothing changed as a whole: twice what noise
/// and encoding leave of a still scene.
const SAME_MEAN: f64 = 2.0;
/// Difference of any one cell up to which nothing small moved either.
const SAME_CELL: f64 = 12.0;
/// Mean difference that counts as all news: that of a cut between unlike scenes.
const NEWS_MEAN: f64 = 24.0;
/// Difference of one cell that counts as all news.
const NEWS_CELL: f64 = 96.0;

/// A small picture taken while the video was read, kept in the object store.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shot {
    pub(crate) span: Span,
    pub(crate) object: String,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// Mean colours of 16 by 9 blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look(Vec<u8>);

impl Look {
    /// Of a picture of any size.
    pub(crate) fn of(picture: &Rgb) -> Self {
        let (width, height) = (picture.size.width as usize, picture.size.height as usize);
        let mut sums = vec![[0u64; 4]; COLUMNS * ROWS];
        for (y, row) in picture.data.chunks_exact((width * 3).max(1)).take(height).enumerate() {
            let cells = y * ROWS / height.max(1) * COLUMNS;
            for (x, pixel) in row.chunks_exact(3).enumerate() {
                let sum = &mut sums[cells + x * COLUMNS / width.max(1)];
                (0..3).for_each(|c| sum[c] += u64::from(pixel[c]));
                sum[3] += 1;
            }
        }
        Self(sums.iter().flat_map(|s| (0..3).map(|c| (s[c] / s[3].max(1)) as u8)).collect())
    }

    /// Mean and greatest difference of cells, 0 to 255.
    fn difference(&self, other: &Self) -> (f64, f64) {
        let (mut sum, mut worst) = (0u32, 0u32);
        for (a, b) in self.0.chunks_exact(3).zip(other.0.chunks_exact(3)) {
            let cell: u32 = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            sum += cell;
            worst = worst.max(cell);
        }
        (f64::from(sum) / (3 * COLUMNS * ROWS) as f64, f64::from(worst) / 3.0)
    }

    /// Whether nothing that a model would tell of differs.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let (mean, worst) = self.difference(other);
        mean <= SAME_MEAN && worst <= SAME_CELL
    }

    /// How much of the picture is news against `other`: 0 for the same, 1 for another scene.
    pub(crate) fn news(&self, other: &Self) -> f64 {
        let (mean, worst) = self.difference(other);
        if mean <= SAME_MEAN && worst <= SAME_CELL {
            return 0.0;
        }
        (mean / NEWS_MEAN).max(worst / NEWS_CELL).min(1.0)
    }
}

/// Reads small pictures; those of one object in a row fetch it once.
pub(crate) struct Album<'a> {
    objects: &'a dyn Objects,
    open: Option<(String, Vec<u8>)>,
}

impl<'a> Album<'a> {
    pub(crate) fn new(objects: &'a dyn Objects) -> Self {
        Self { objects, open: None }
    }

    /// What `shot` looks like.
    pub(crate) fn look(&mut self, shot: &Shot) -> Result<Option<Look>> {
        if self.open.as_ref().is_none_or(|(key, _)| *key != shot.object) {
            self.open = Some((shot.object.clone(), self.objects.get(&shot.object)?));
        }
        let bytes = self.open.as_ref().map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        let (start, end) = (shot.offset as usize, shot.offset.saturating_add(shot.len) as usize);
        match bytes.get(start..end) {
            Some(jpeg) => Ok(Some(Look::of(&decode_jpeg(jpeg)?))),
            None => Ok(None),
        }
    }
}

/// A moment that may be shown to a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) time: MediaTime,
    /// Unknown where no small picture was taken.
    pub(crate) look: Option<Look>,
}

#[cfg(test)]
pub(crate) mod tests {
    use tempograph_core::Size;

    use super::*;

    /// A grey picture with a square of another grey at a position of 0 to 15.
    pub(crate) fn look(grey: u8, square: Option<(usize, u8)>) -> Look {
        let size = Size::new(160, 90);
        let mut data = vec![grey; 160 * 90 * 3];
        if let Some((at, level)) = square {
            for y in 40..50 {
                let from = (y * 160 + at * 10) * 3;
                data[from..from + 30].fill(level);
            }
        }
        Look::of(&Rgb { size, data })
    }

    #[test]
    fn noise_is_no_news_and_a_small_thing_that_moves_is() {
        assert!(look(100, None).same(&look(101, None)));
        assert_eq!(look(100, None).news(&look(101, None)), 0.0);
        let (here, there) = (look(100, Some((2, 200))), look(100, Some((9, 200))));
        assert!(!here.same(&there));
        assert!(here.news(&there) > 0.1);
        assert_eq!(look(0, None).news(&look(255, None)), 1.0);
    }

    #[test]
    fn pictures_smaller_than_the_grid_have_a_look_too() {
        let dot = Rgb { size: Size::new(1, 1), data: vec![9, 9, 9] };
        assert!(Look::of(&dot).same(&Look::of(&dot)));
    }
}
