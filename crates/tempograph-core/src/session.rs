//! How a model runs, apart from what it means.

use std::path::Path;

use crate::{Error, ErrorKind, Result};

/// A dense tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: TensorData,
}

/// A tensor's elements.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorData {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit integers.
    I64(Vec<i64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// Bytes.
    U8(Vec<u8>),
}

impl TensorData {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::I64(v) => v.len(),
            Self::I32(v) => v.len(),
            Self::U8(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Vec<f32>> for TensorData {
    fn from(v: Vec<f32>) -> Self {
        Self::F32(v)
    }
}
impl From<Vec<i64>> for TensorData {
    fn from(v: Vec<i64>) -> Self {
        Self::I64(v)
    }
}
impl From<Vec<i32>> for TensorData {
    fn from(v: Vec<i32>) -> Self {
        Self::I32(v)
    }
}
impl From<Vec<u8>> for TensorData {
    fn from(v: Vec<u8>) -> Self {
        Self::U8(v)
    }
}

impl Tensor {
    /// A tensor of `shape`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when the shape does not hold as many elements as `data`.
    pub fn new(shape: impl Into<Vec<usize>>, data: impl Into<TensorData>) -> Result<Self> {
        let (shape, data) = (shape.into(), data.into());
        if shape.iter().product::<usize>() != data.len() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("shape {shape:?} does not hold {} elements", data.len()),
            ));
        }
        Ok(Self { shape, data })
    }

    /// Extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub fn data(&self) -> &TensorData {
        &self.data
    }

    /// The elements as floats.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when they are of another type.
    pub fn as_f32(&self) -> Result<&[f32]> {
        match &self.data {
            TensorData::F32(v) => Ok(v),
            _ => Err(Error::new(ErrorKind::ModelInvalid, "the model gave integers where floats were expected")),
        }
    }

    /// The elements as floats, taken out.
    ///
    /// # Errors
    /// As [`Self::as_f32`].
    pub fn into_f32(self) -> Result<Vec<f32>> {
        match self.data {
            TensorData::F32(v) => Ok(v),
            _ => Err(Error::new(ErrorKind::ModelInvalid, "the model gave integers where floats were expected")),
        }
    }
}

/// A model's declared input or output. A dimension that varies is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the graph.
    pub name: String,
    /// Extents.
    pub shape: Vec<Option<usize>>,
}

/// A loaded model.
///
/// Runs on the thread that owns it; whoever wants it elsewhere gives it a thread of its own.
pub trait Session: Send {
    /// Declared inputs, in order.
    fn inputs(&self) -> &[TensorInfo];

    /// Declared outputs, in order.
    fn outputs(&self) -> &[TensorInfo];

    /// A custom metadata entry of the model file.
    fn metadata(&self, key: &str) -> Option<String>;

    /// Runs once. `inputs` match [`Self::inputs`] in order; the result matches [`Self::outputs`].
    ///
    /// Input memory is read in place, never copied.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when the runtime refuses or fails.
    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>>;
}

/// How to load a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOptions {
    /// Threads one call may use, at least 1.
    pub threads: usize,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self { threads: 1 }
    }
}

/// Something that loads model files.
pub trait Runtime: Send + Sync {
    /// Name and version, for the result's `models[].runtime`.
    fn describe(&self) -> String;

    /// Loads the model at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the file is not a model this runtime reads.
    fn load(&self, path: &Path, options: &SessionOptions) -> Result<Box<dyn Session>>;
}
