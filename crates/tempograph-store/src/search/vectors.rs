//! Vectors in one file: a record each, 8 bits a number with a scale, read from front to back for each question.
//!
//! Reading through is exact and needs nothing in memory: a hundred hours are some tens of megabytes, which the
//! operating system keeps at hand. Which phrase lies at which position the database says; the file is written first, so
//! a record that the database names is always there.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use tempograph_core::{Error, ErrorKind, Result};

/// Bytes of the scale after each record's numbers.
const SCALE: usize = 4;
/// Bytes read at once: they stay in the second-level cache while they are scored.
const CHUNK: usize = 256 << 10;
/// No vector is longer: a guard against a damaged database.
pub(super) const MAX_DIMS: usize = 8192;

/// A file of vectors of one length.
#[derive(Clone, Debug)]
pub(super) struct VectorFile {
    path: PathBuf,
    dims: usize,
}

impl VectorFile {
    /// The file for vectors that `model` (a hash) made.
    pub(super) fn new(root: &Path, model: &str, dims: usize) -> Self {
        Self::in_folder(&root.join("vectors"), model, dims)
    }

    /// The same in a folder of one's own.
    pub(super) fn in_folder(folder: &Path, model: &str, dims: usize) -> Self {
        let name: String = model.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        Self { path: folder.join(format!("{name}-{dims}.i8")), dims }
    }

    /// Whether there is such a file.
    pub(super) fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Deletes the files of other models: nothing names their records any more.
    pub(super) fn remove_others(&self) {
        let folder = self.path.parent().and_then(|f| fs::read_dir(f).ok());
        for path in folder.into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path != self.path && path.extension().is_some_and(|e| e == "i8") {
                // What stays only takes space.
                let _ignored = fs::remove_file(path);
            }
        }
    }

    fn record(&self) -> usize {
        self.dims + SCALE
    }

    /// Writes vectors at their positions and waits until they are kept.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write<'a>(&self, vectors: impl Iterator<Item = (u64, &'a [f32])>) -> Result<()> {
        let failed = |e| Error::io("write vectors", &self.path, e);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = File::options().create(true).truncate(false).write(true).open(&self.path).map_err(failed)?;
        for (position, vector) in vectors {
            file.seek(SeekFrom::Start(position * self.record() as u64)).map_err(failed)?;
            file.write_all(&quantised(vector)).map_err(failed)?;
        }
        file.sync_data().map_err(failed)
    }

    /// The cosine of `query` with each record, by position. A record that was never written gives 0.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub(super) fn scores(&self, query: &[f32]) -> Result<Vec<f32>> {
        if query.len() != self.dims {
            let message = format!("the question's vector has {} numbers, the library's {}", query.len(), self.dims);
            return Err(Error::new(ErrorKind::InvalidData, message));
        }
        let failed = |e| Error::io("read vectors", &self.path, e);
        let length = match fs::metadata(&self.path) {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let count = usize::try_from(length / self.record() as u64).unwrap_or(0);
        let mut scores = vec![0.0; count];
        let query = Quantised16::new(query);
        // Two readers halve the wait; more would only fight over memory.
        let half = if count * self.record() > 8 * CHUNK { count / 2 } else { 0 };
        let (front, back) = scores.split_at_mut(half);
        std::thread::scope(|scope| {
            let other = (half > 0).then(|| scope.spawn(|| self.score(&query, 0, front)));
            self.score(&query, half, back)?;
            other.map_or(Ok(()), |o| o.join().unwrap_or_else(|_| Err(io::Error::other("a reader panicked"))))
        })
        .map_err(failed)?;
        Ok(scores)
    }

    fn score(&self, query: &Quantised16, first: usize, scores: &mut [f32]) -> io::Result<()> {
        let record = self.record();
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start((first * record) as u64))?;
        let mut buffer = vec![0u8; (CHUNK / record).max(1) * record];
        for part in scores.chunks_mut(buffer.len() / record) {
            let bytes = &mut buffer[..part.len() * record];
            file.read_exact(bytes)?;
            for (score, record) in part.iter_mut().zip(bytes.chunks_exact(record)) {
                let (numbers, scale) = record.split_at(self.dims);
                let scale = f32::from_le_bytes([scale[0], scale[1], scale[2], scale[3]]);
                *score = query.dot(numbers) * scale;
            }
        }
        Ok(())
    }
}

/// A vector in 8 bits, its largest number at 127, and what one step is worth.
fn quantised(vector: &[f32]) -> Vec<u8> {
    let largest = vector.iter().fold(0.0f32, |a, v| a.max(v.abs()));
    let step = if largest > 0.0 && largest.is_finite() { largest / 127.0 } else { 1.0 };
    let mut bytes: Vec<u8> = vector.iter().map(|v| (v / step).round() as i8 as u8).collect();
    bytes.extend(step.to_le_bytes());
    bytes
}

/// The question in 16 bits, so that rounding is the records' alone.
struct Quantised16 {
    numbers: Vec<i16>,
    step: f32,
}

impl Quantised16 {
    fn new(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        // Sums of `dims` products with 127 must fit 31 bits.
        let most = ((i32::MAX as f32 / 127.0 / vector.len().max(1) as f32) as i32).clamp(1, 32_767) as f32;
        let step = if largest > 0.0 && largest.is_finite() { largest / most } else { 1.0 };
        Self { numbers: vector.iter().map(|v| (v / step).round() as i16).collect(), step }
    }

    /// Written so that the compiler makes it multiply eight pairs at a time.
    fn dot(&self, record: &[u8]) -> f32 {
        let sum = self
            .numbers
            .iter()
            .zip(record)
            .fold(0i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(a).wrapping_mul(i32::from(b as i8))));
        sum as f32 * self.step
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unit(values: &[f32]) -> Vec<f32> {
        let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-9);
        values.iter().map(|v| v / norm).collect()
    }

    proptest! {
        #[test]
        fn cosines_are_right_to_a_hundredth(
            vectors in prop::collection::vec(prop::collection::vec(-1f32..1.0, 48), 1..40),
            query in prop::collection::vec(-1f32..1.0, 48),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let file = VectorFile::new(dir.path(), "ab/../cd", 48);
            let vectors: Vec<Vec<f32>> = vectors.iter().map(|v| unit(v)).collect();
            let query = unit(&query);
            file.write(vectors.iter().enumerate().map(|(i, v)| (i as u64, v.as_slice()))).unwrap();
            let scores = file.scores(&query).unwrap();
            prop_assert_eq!(scores.len(), vectors.len());
            for (score, vector) in scores.iter().zip(&vectors) {
                let exact: f32 = vector.iter().zip(&query).map(|(a, b)| a * b).sum();
                prop_assert!((score - exact).abs() < 0.01, "{} for {}", score, exact);
            }
        }
    }

    #[test]
    fn a_large_file_is_read_in_halves_and_gaps_give_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = VectorFile::new(dir.path(), "m", 60);
        let vector = |i: usize| unit(&std::array::from_fn::<f32, 60, _>(|d| ((i * 31 + d * 7) % 17) as f32 - 8.0));
        let all: Vec<(u64, Vec<f32>)> = (0..40_000).filter(|i| i % 3 != 1).map(|i| (i as u64, vector(i))).collect();
        file.write(all.iter().map(|(p, v)| (*p, v.as_slice()))).unwrap();
        let query = vector(39_999);
        let scores = file.scores(&query).unwrap();
        assert_eq!(scores.len(), 40_000);
        assert_eq!(scores[1], 0.0);
        for (position, vector) in all.iter().step_by(97) {
            let exact: f32 = vector.iter().zip(&query).map(|(a, b)| a * b).sum();
            assert!((scores[*position as usize] - exact).abs() < 0.01);
        }
        assert_eq!(file.scores(&[0.0; 3]).unwrap_err().kind(), ErrorKind::InvalidData);
        assert!(VectorFile::new(dir.path(), "other", 60).scores(&query).unwrap().is_empty());
    }
}
