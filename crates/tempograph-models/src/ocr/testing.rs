//! A session for tests.

use tempograph_core::{Result, Session, Tensor, TensorInfo};

/// Gives the same outputs whatever it is asked.
pub(crate) struct FakeSession {
    inputs: Vec<TensorInfo>,
    outputs: Vec<Tensor>,
    metadata: Option<(String, String)>,
}

impl FakeSession {
    pub(crate) fn new(outputs: Vec<Tensor>) -> Self {
        let inputs = vec![TensorInfo { name: "x".into(), shape: vec![None, Some(3), None, None] }];
        Self { inputs, outputs, metadata: None }
    }

    pub(crate) fn with_metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata = Some((key.to_owned(), value.to_owned()));
        self
    }
}

impl Session for FakeSession {
    fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }
    fn outputs(&self) -> &[TensorInfo] {
        &[]
    }
    fn metadata(&self, key: &str) -> Option<String> {
        self.metadata.as_ref().filter(|(k, _)| k == key).map(|(_, v)| v.clone())
    }
    fn run(&mut self, _: &[&Tensor]) -> Result<Vec<Tensor>> {
        Ok(self.outputs.clone())
    }
}
