//! A loaded model: tensors in, tensors out.

use std::{path::Path, time::Instant};

use half::f16;
use ort::{
    session::{Session as OrtSession, SessionInputValue},
    value::{DynValue, Outlet, TensorElementType, TensorRef},
};
use tempograph_core::{Error, ErrorKind, Result, Session, Tensor, TensorData, TensorInfo};

use crate::tally::Tally;

/// A model loaded by ONNX Runtime.
pub(crate) struct OnnxSession {
    session: OrtSession,
    inputs: Vec<TensorInfo>,
    types: Vec<TensorElementType>,
    outputs: Vec<TensorInfo>,
    tally: Tally,
}

impl OnnxSession {
    /// The model of `path`, loaded.
    pub(crate) fn new(session: OrtSession, path: &Path) -> Result<Self> {
        let infos = |outlets: &[Outlet]| outlets.iter().map(info).collect::<Result<Vec<_>>>();
        let (inputs, outputs) = (infos(session.inputs())?, infos(session.outputs())?);
        let types = session.inputs().iter().filter_map(|i| i.dtype().tensor_type()).collect();
        let tally = Tally::new(path.display().to_string());
        Ok(Self { session, inputs, types, outputs, tally })
    }
}

fn info(outlet: &Outlet) -> Result<TensorInfo> {
    let Some(shape) = outlet.dtype().tensor_shape() else {
        let message = format!("the model's `{}` is not a tensor", outlet.name());
        return Err(Error::new(ErrorKind::ModelInvalid, message));
    };
    let shape = shape.iter().map(|&d| usize::try_from(d).ok()).collect();
    Ok(TensorInfo { name: outlet.name().to_owned(), shape })
}

fn failed(e: &ort::Error) -> Error {
    Error::new(ErrorKind::Inference, format!("the model failed: {e}"))
}

impl Session for OnnxSession {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    fn metadata(&self, key: &str) -> Option<String> {
        self.session.metadata().ok()?.custom(key)
    }

    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        if inputs.len() != self.inputs.len() {
            let message = format!("the model takes {} inputs, not {}", self.inputs.len(), inputs.len());
            return Err(Error::new(ErrorKind::Inference, message));
        }
        let values = inputs
            .iter()
            .zip(&self.types)
            .map(|(tensor, &wanted)| input(tensor, wanted))
            .collect::<ort::Result<Vec<_>>>()
            .map_err(|e| failed(&e))?;
        let started = Instant::now();
        let outputs = self.session.run(values.as_slice()).map_err(|e| failed(&e))?;
        self.tally.add(inputs, started.elapsed());
        outputs.values().map(|value| output(&value)).collect()
    }
}

/// The tensor as ONNX Runtime sees it: a view, except for a model of half precision, which needs its floats converted.
fn input(tensor: &Tensor, wanted: TensorElementType) -> ort::Result<SessionInputValue<'_>> {
    let shape = tensor.shape();
    Ok(match tensor.data() {
        TensorData::F32(v) if wanted == TensorElementType::Float16 => {
            let halves: Vec<f16> = v.iter().map(|&x| f16::from_f32(x)).collect();
            ort::value::Tensor::from_array((shape, halves))?.into()
        }
        TensorData::F32(v) => TensorRef::from_array_view((shape, v.as_slice()))?.into(),
        TensorData::I64(v) => TensorRef::from_array_view((shape, v.as_slice()))?.into(),
        TensorData::I32(v) => TensorRef::from_array_view((shape, v.as_slice()))?.into(),
        TensorData::U8(v) => TensorRef::from_array_view((shape, v.as_slice()))?.into(),
    })
}

/// Half and double precision become single, truth values bytes.
fn output(value: &DynValue) -> Result<Tensor> {
    let wrong = |e: ort::Error| Error::new(ErrorKind::Inference, format!("a model output cannot be read: {e}"));
    let kind = value.dtype().tensor_type();
    let (shape, data): (_, TensorData) = match kind {
        Some(TensorElementType::Float32) => {
            let (shape, v) = value.try_extract_tensor::<f32>().map_err(wrong)?;
            (shape, v.to_vec().into())
        }
        Some(TensorElementType::Int64) => {
            let (shape, v) = value.try_extract_tensor::<i64>().map_err(wrong)?;
            (shape, v.to_vec().into())
        }
        Some(TensorElementType::Int32) => {
            let (shape, v) = value.try_extract_tensor::<i32>().map_err(wrong)?;
            (shape, v.to_vec().into())
        }
        Some(TensorElementType::Uint8) => {
            let (shape, v) = value.try_extract_tensor::<u8>().map_err(wrong)?;
            (shape, v.to_vec().into())
        }
        Some(TensorElementType::Bool) => {
            let (shape, v) = value.try_extract_tensor::<bool>().map_err(wrong)?;
            (shape, v.iter().map(|&b| u8::from(b)).collect::<Vec<_>>().into())
        }
        Some(TensorElementType::Float16) => {
            let (shape, v) = value.try_extract_tensor::<f16>().map_err(wrong)?;
            (shape, v.iter().map(|h| h.to_f32()).collect::<Vec<_>>().into())
        }
        Some(TensorElementType::Float64) => {
            let (shape, v) = value.try_extract_tensor::<f64>().map_err(wrong)?;
            (shape, v.iter().map(|&d| d as f32).collect::<Vec<_>>().into())
        }
        _ => {
            let message = format!("the model gives a type that is not supported: {}", value.dtype());
            return Err(Error::new(ErrorKind::ModelInvalid, message));
        }
    };
    let shape: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap_or(0)).collect();
    Tensor::new(shape, data)
}
