//! What a session was asked: how often for which shapes, and how long it took.
//!
//! Logged when the session ends, so that one run says where the time of its networks goes and which calls to repeat to
//! time them alone.

use std::{collections::BTreeMap, time::Duration};

use tempograph_core::{Tensor, TensorData};

/// Most shapes told apart; calls beyond that are counted together.
const SHAPES: usize = 512;

/// Calls of one session.
#[derive(Debug)]
pub(crate) struct Tally {
    model: String,
    calls: BTreeMap<String, (u64, Duration)>,
}

impl Tally {
    /// Of the model in the file `model`.
    pub(crate) fn new(model: String) -> Self {
        Self { model, calls: BTreeMap::new() }
    }

    /// Counts one call.
    pub(crate) fn add(&mut self, inputs: &[&Tensor], took: Duration) {
        let mut key = shapes(inputs);
        if self.calls.len() >= SHAPES && !self.calls.contains_key(&key) {
            key = "other".to_owned();
        }
        let (count, total) = self.calls.entry(key).or_default();
        *count += 1;
        *total += took;
    }
}

/// Types and extents, as `f32[1,3,224,224] i64[1]`.
fn shapes(inputs: &[&Tensor]) -> String {
    let one = |tensor: &&Tensor| {
        let kind = match tensor.data() {
            TensorData::F32(_) => "f32",
            TensorData::I64(_) => "i64",
            TensorData::I32(_) => "i32",
            TensorData::U8(_) => "u8",
        };
        format!("{kind}{:?}", tensor.shape()).replace(' ', "")
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

impl Drop for Tally {
    fn drop(&mut self) {
        for (inputs, (calls, took)) in &self.calls {
            tracing::debug!(model = self.model, inputs, calls, wall_s = took.as_secs_f64(), "network calls");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_shape_up_to_a_bound() {
        let mut tally = Tally::new("model.onnx".to_owned());
        let mask = Tensor::new([1, 2], vec![0i64; 2]).expect("fits");
        for width in 1..=SHAPES + 5 {
            let input = Tensor::new([1, width], vec![0.0f32; width]).expect("fits");
            tally.add(&[&input, &mask], Duration::from_millis(1));
            tally.add(&[&input, &mask], Duration::from_millis(2));
        }
        assert_eq!(tally.calls["f32[1,7] i64[1,2]"], (2, Duration::from_millis(3)));
        assert_eq!(tally.calls["other"].0, 10);
        assert_eq!(tally.calls.len(), SHAPES + 1);
    }
}
