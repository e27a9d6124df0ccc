//! Embedders: text or pixels in, unit vectors out, close where the meaning is close.
//!
//! A [`TextEmbedder`] reads texts, an [`ImageEmbedder`] looks at frames or at boxes in them. Both give vectors of length
//! 1, so that their dot product is the cosine. To add a family, give it a row in `text::FAMILIES` or
//! `image::FAMILIES`.

use tempograph_core::{BoxXyxy, Error, ErrorKind, Frame, Result, Tensor, TensorInfo};

mod image;
mod text;

pub use image::open as open_image;
pub use text::open as open_text;

/// What a text is, where a family embeds questions otherwise than what they are asked of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Something to be found.
    Document,
    /// What is looked for.
    Query,
}

/// Turns texts into vectors.
pub trait TextEmbedder: Send {
    /// Length of its vectors.
    fn dims(&self) -> usize;

    /// One unit vector a text, in order. What goes beyond the model's length is left out.
    ///
    /// Models in 8 bits scale a batch as a whole, so a vector moves a little (cosine 0.99) with its company.
    ///
    /// # Errors
    /// When the model fails or its outputs are not of the family's form.
    fn embed(&mut self, texts: &[&str], role: Role) -> Result<Vec<Vec<f32>>>;
}

/// A frame, or a part of it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The frame.
    pub frame: &'a Frame,
    /// The part, in displayed pixels; the whole frame when absent.
    pub region: Option<BoxXyxy>,
}

/// Turns pictures into vectors.
pub trait ImageEmbedder: Send {
    /// Length of its vectors.
    fn dims(&self) -> usize;

    /// One unit vector a view, in order.
    ///
    /// # Errors
    /// When pixels cannot be converted, the model fails, or its outputs are not of the family's form.
    fn embed(&mut self, views: &[View<'_>]) -> Result<Vec<Vec<f32>>>;
}

/// How one vector comes out of the model's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pooling {
    /// The state of the first token.
    First,
    /// The mean over the states of all tokens that are not padding.
    Mean,
}

/// The output that holds the vectors, of those that exports are known to have; else the first.
fn output_index(outputs: &[TensorInfo]) -> Result<(usize, usize)> {
    const KNOWN: [&str; 6] =
        ["sentence_embedding", "text_embeds", "image_embeds", "pooler_output", "last_hidden_state", "token_embeddings"];
    let at = KNOWN.iter().find_map(|name| outputs.iter().position(|o| o.name == *name)).unwrap_or(0);
    let dims = outputs.get(at).and_then(|o| o.shape.last().copied().flatten()).filter(|d| (1..=MAX_DIMS).contains(d));
    dims.map(|dims| (at, dims)).ok_or_else(|| wrong_form("no output has a last extent that is known"))
}

/// No embedder has longer vectors: a guard against absurd model files.
const MAX_DIMS: usize = 8192;

/// Vectors of length 1 from an output of `[n, dims]` or `[n, tokens, dims]`; `mask` tells tokens from padding.
fn pooled(output: &Tensor, n: usize, dims: usize, pooling: Pooling, mask: Option<&[i64]>) -> Result<Vec<Vec<f32>>> {
    let data = output.as_f32()?;
    let tokens = match *output.shape() {
        [rows, width] if rows == n && width == dims => 1,
        [rows, tokens, width] if rows == n && width == dims && tokens > 0 => tokens,
        ref other => return Err(wrong_form(format!("{other:?} for {n} inputs"))),
    };
    if mask.is_some_and(|m| tokens > 1 && m.len() != n * tokens) {
        return Err(wrong_form(format!("{tokens} states for other tokens")));
    }
    let vector = |row: usize| {
        let states = &data[row * tokens * dims..][..tokens * dims];
        let mut sum = vec![0.0f32; dims];
        for (t, state) in states.chunks_exact(dims).enumerate() {
            let counts = match pooling {
                Pooling::First => t == 0,
                Pooling::Mean => mask.is_none_or(|m| tokens == 1 || m[row * tokens + t] != 0),
            };
            if counts {
                sum.iter_mut().zip(state).for_each(|(s, v)| *s += v);
            }
        }
        normalised(sum)
    };
    (0..n).map(vector).collect()
}

/// The vector at length 1.
fn normalised(mut v: Vec<f32>) -> Result<Vec<f32>> {
    let norm = v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if !norm.is_finite() || norm <= 0.0 {
        return Err(Error::new(ErrorKind::Inference, "the embedder gave a vector without a direction"));
    }
    v.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
    Ok(v)
}

fn wrong_form(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the embedder is not of its family's form: {what}"))
}

fn unknown_family(kind: &str, family: &str, known: impl Iterator<Item = &'static str>) -> Error {
    let known = known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::ModelInvalid, format!("there is no {kind} embedder family of this name: {family}"))
        .with_hint(format!("the families are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_pooled_without_padding_and_normalised() {
        let states = Tensor::new([1, 3, 2], vec![3.0, 4.0, 1.0, 0.0, 99.0, 99.0]).expect("it fits");
        let mask = [1, 1, 0];
        let first = pooled(&states, 1, 2, Pooling::First, Some(&mask)).expect("a vector");
        assert_eq!(first, [[0.6, 0.8]]);
        let mean = pooled(&states, 1, 2, Pooling::Mean, Some(&mask)).expect("a vector");
        assert!((mean[0][0] - 0.5f32.sqrt()).abs() < 1e-6 && (mean[0][1] - 0.5f32.sqrt()).abs() < 1e-6);
        let flat = Tensor::new([2, 2], vec![0.0, 5.0, 2.0, 0.0]).expect("it fits");
        assert_eq!(pooled(&flat, 2, 2, Pooling::Mean, Some(&mask)).expect("vectors"), [[0.0, 1.0], [1.0, 0.0]]);
        assert!(pooled(&flat, 3, 2, Pooling::First, None).is_err(), "as many as were asked");
        let nothing = Tensor::new([1, 2], vec![0.0, 0.0]).expect("it fits");
        assert_eq!(pooled(&nothing, 1, 2, Pooling::First, None).expect_err("no way").kind(), ErrorKind::Inference);
    }
}
