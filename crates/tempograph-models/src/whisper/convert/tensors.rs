//! The converter's bookkeeping: where each tensor went, under its Hugging Face name.

use std::{collections::BTreeMap, path::Path};

use half::f16;
use tempograph_core::{Error, ErrorKind, Result};

use super::Precision;
use crate::onnx_graph::{ElementType, Stored, WeightsFile};

/// Largest extent of a tensor that is believed.
const MAX_EXTENT: usize = 1 << 20;
/// Inputs that share a scale. Activations are quantised in the same runs, which outliers in Whisper's layers need: with
/// one scale for all of them (`DynamicQuantizeMatMul`) the encoder's error is five times as large and text gets lost.
pub(in crate::whisper) const BLOCK: usize = 128;

/// Takes tensors in any order and writes each to the file of the graph that needs it.
pub(super) struct Tensors {
    precision: Precision,
    encoder: WeightsFile,
    decoder: WeightsFile,
    dims: BTreeMap<String, Vec<usize>>,
    parts: BTreeMap<String, Part>,
}

/// A tensor as a graph uses it.
#[derive(Clone, Debug)]
pub(in crate::whisper) enum Part {
    /// As it is.
    Plain(Stored),
    /// The weights of a product, 8 bits around 128, with a scale for each run of [`BLOCK`] inputs.
    Blocked { weights: Stored, scales: Stored, inputs: usize, outputs: usize },
}

impl Tensors {
    pub(super) fn create(folder: &Path, precision: Precision) -> Result<Self> {
        Ok(Self {
            precision,
            encoder: WeightsFile::create(folder, "encoder.weights")?,
            decoder: WeightsFile::create(folder, "decoder.weights")?,
            dims: BTreeMap::new(),
            parts: BTreeMap::new(),
        })
    }

    /// The extents of a tensor that came.
    pub(super) fn dims<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let dims = self.dims.get(name).ok_or_else(|| lacks(name))?;
        dims.as_slice()
            .try_into()
            .map_err(|_| Error::new(ErrorKind::ModelInvalid, format!("the extents {dims:?} cannot be right: {name}")))
    }

    /// Takes a tensor by its Hugging Face name without `model.`.
    pub(super) fn take(&mut self, name: &str, dims: &[usize], values: Vec<f32>) -> Result<()> {
        if dims.iter().any(|&d| d == 0 || d > MAX_EXTENT) || dims.iter().product::<usize>() != values.len() {
            let message = format!("extents {dims:?} do not fit {} values: {name}", values.len());
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
        // What the keys add is the same for every position, so the softmax takes it out again.
        if name.ends_with("k_proj.bias") {
            return Ok(());
        }
        let keys_and_values = name.contains("encoder_attn.k_proj") || name.contains("encoder_attn.v_proj");
        let of_encoder = name.starts_with("encoder.") || keys_and_values;
        let file = if of_encoder { &mut self.encoder } else { &mut self.decoder };
        let embedding = name == "decoder.embed_tokens.weight";
        if embedding {
            let halves: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
            let stored = file.put(ElementType::F16, dims, &halves)?;
            self.parts.insert("decoder.embed_tokens.table".to_owned(), Part::Plain(stored));
        }
        let part = match *dims {
            [outputs, inputs] if embedding || name.ends_with("proj.weight") || name.contains(".fc") => {
                product(file, self.precision, outputs, inputs, &values)?
            }
            _ => Part::Plain(file.put_f32(dims, &values)?),
        };
        self.parts.insert(name.to_owned(), part);
        self.dims.insert(name.to_owned(), dims.to_vec());
        Ok(())
    }

    /// Closes the files; gives what the graphs are made of.
    pub(super) fn finish(self) -> Result<BTreeMap<String, Part>> {
        self.encoder.finish()?;
        self.decoder.finish()?;
        Ok(self.parts)
    }
}

pub(in crate::whisper) fn lacks(name: &str) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the weights lack a tensor: {name}"))
}

/// Writes the weights `[outputs, inputs]` of a product; as floats they are transposed.
fn product(
    file: &mut WeightsFile,
    precision: Precision,
    outputs: usize,
    inputs: usize,
    values: &[f32],
) -> Result<Part> {
    if precision == Precision::Float32 || !inputs.is_multiple_of(BLOCK) {
        let mut transposed = vec![0.0f32; values.len()];
        for (o, row) in values.chunks_exact(inputs).enumerate() {
            for (i, &v) in row.iter().enumerate() {
                transposed[i * outputs + o] = v;
            }
        }
        return Ok(Part::Plain(file.put_f32(&[inputs, outputs], &transposed)?));
    }
    let mut bytes = Vec::with_capacity(values.len());
    let mut scales = Vec::with_capacity(values.len() / BLOCK);
    for block in values.chunks_exact(BLOCK) {
        let largest = block.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        bytes.extend(block.iter().map(|v| ((v / scale).round().clamp(-127.0, 127.0) + 128.0) as u8));
        scales.push(scale);
    }
    let weights = file.put(ElementType::U8, &[outputs, inputs / BLOCK, BLOCK], &bytes)?;
    let scales = file.put_f32(&[scales.len()], &scales)?;
    Ok(Part::Blocked { weights, scales, inputs, outputs })
}
