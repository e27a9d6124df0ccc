//! The file that holds a graph's weights.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use tempograph_core::{Error, Result};

use super::ElementType;

/// Tensors begin at multiples of this many bytes, so that vector instructions can read a mapped file.
const ALIGNMENT: u64 = 64;

/// A tensor in a [`WeightsFile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub(super) file: String,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) element: ElementType,
    pub(super) dims: Vec<usize>,
}

/// Collects the weights of one graph, one after the other.
pub struct WeightsFile {
    path: PathBuf,
    name: String,
    out: BufWriter<File>,
    position: u64,
}

impl WeightsFile {
    /// A new file `name` in `folder`. The graph has to lie in the same folder.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let file = File::create(&path).map_err(|e| Error::io("write", &path, e))?;
        Ok(Self { path, name: name.to_owned(), out: BufWriter::new(file), position: 0 })
    }

    /// Appends a tensor of `element`s, row-major and little-endian.
    ///
    /// # Errors
    /// When writing fails.
    pub fn put(&mut self, element: ElementType, dims: &[usize], bytes: &[u8]) -> Result<Stored> {
        let start = self.position.next_multiple_of(ALIGNMENT);
        let padding = [0u8; ALIGNMENT as usize];
        let wrote = self.out.write_all(&padding[..(start - self.position) as usize]);
        wrote.and_then(|()| self.out.write_all(bytes)).map_err(|e| Error::io("write", &self.path, e))?;
        let len = bytes.len() as u64;
        self.position = start + len;
        Ok(Stored { file: self.name.clone(), offset: start, len, element, dims: dims.to_vec() })
    }

    /// Appends floats.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub fn put_f32(&mut self, dims: &[usize], values: &[f32]) -> Result<Stored> {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.put(ElementType::F32, dims, &bytes)
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> Result<()> {
        let flushed = self.out.flush().and_then(|()| self.out.get_ref().sync_all());
        flushed.map_err(|e| Error::io("write", &self.path, e))
    }
}
