//! What the tests of several stages look at.

use std::sync::Arc;

use tempograph_core::{Picture, Result, Rgb, RgbRequest, Session, Size, Tensor, TensorInfo};

struct Grey {
    level: u8,
    size: Size,
}

impl Picture for Grey {
    fn size(&self) -> Size {
        self.size
    }
    fn rgb(&self, request: RgbRequest) -> Result<Arc<Rgb>> {
        Ok(Arc::new(Rgb { size: request.size, data: vec![self.level; 3 * request.size.area() as usize] }))
    }
}

/// A picture of one level, 0 to 255.
pub(super) fn grey(level: u8, size: Size) -> Arc<dyn Picture> {
    Arc::new(Grey { level, size })
}

struct Network<F> {
    inputs: Vec<TensorInfo>,
    answer: F,
}

impl<F: FnMut(&[&Tensor]) -> Result<Vec<Tensor>> + Send> Session for Network<F> {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }
    fn outputs(&self) -> &[TensorInfo] {
        &[]
    }
    fn metadata(&self, _: &str) -> Option<String> {
        None
    }
    fn run(&mut self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        (self.answer)(inputs)
    }
}

/// Stands for a network with these inputs, by name and shape, that answers as told.
pub(super) fn network(
    inputs: &[(&str, &[Option<usize>])],
    answer: impl FnMut(&[&Tensor]) -> Result<Vec<Tensor>> + Send + 'static,
) -> Box<dyn Session> {
    let info = |&(name, shape): &(&str, &[Option<usize>])| TensorInfo { name: name.to_owned(), shape: shape.to_vec() };
    Box::new(Network { inputs: inputs.iter().map(info).collect(), answer })
}
