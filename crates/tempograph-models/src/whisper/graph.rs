//! Whisper's network as two ONNX graphs.
//!
//! `encoder`: `mel` `[1, mels, frames]` → for each decoder layer the keys and values its cross attention reads,
//! `cross_k_i` and `cross_v_i` `[1, heads, positions, 64]`. Computing them here means once, not once a token.
//!
//! `decoder`: `tokens` `[beams, new]`, `positions` `[new]`, `mask` `[1, 1, new, old + new]` (added to the scores),
//! `ancestry` `[beams, old]`, `aligned` `[1]`, then `past_k_i`, `past_v_i` `[rows, width]` and `cross_k_i`, `cross_v_i`
//! for each layer → `logits` `[beams, new, vocabulary]`, `scores` `[1, heads, aligned, positions]`, and `new_k_i`,
//! `new_v_i` `[beams·new, width]`.
//!
//! The past is a growing list of rows that never move: `ancestry` says which rows are a beam's own, so choosing other
//! beams copies no keys. Beams share one audio, so cross attention sees them as rows of one query. `scores` are the
//! scaled products of the alignment heads before the softmax, for the first `aligned` rows.

use std::collections::BTreeMap;

use tempograph_core::Result;

use super::{
    convert::{BLOCK, Part, lacks},
    settings::WhisperSettings,
};
use crate::onnx_graph::{Attribute, Dim, ElementType, Graph};

type Parts = BTreeMap<String, Part>;

const F32: ElementType = ElementType::F32;
const I64: ElementType = ElementType::I64;

/// The file of the encoder.
pub(super) fn encoder(settings: &WhisperSettings, parts: &Parts) -> Result<Vec<u8>> {
    let mut b = Builder { graph: Graph::new("whisper-encoder"), parts };
    let heads = settings.heads;
    let mel = b.graph.input("mel", F32, &[Dim::Fixed(1), Dim::Fixed(settings.mels), Dim::Named("frames")]);
    let stem = |b: &mut Builder<'_>, x: &str, conv: &str, stride| {
        let (w, bias) = (b.plain(&format!("encoder.{conv}.weight"))?, b.plain(&format!("encoder.{conv}.bias"))?);
        let settings = [
            ("kernel_shape", Attribute::Ints(vec![3])),
            ("pads", Attribute::Ints(vec![1, 1])),
            ("strides", Attribute::Ints(vec![stride])),
        ];
        let x = b.graph.op("Conv", &[x, &w, &bias], &settings);
        Ok(b.graph.op("Gelu", &[&x], &[]))
    };
    let x = stem(&mut b, &mel, "conv1", 1)?;
    let x = stem(&mut b, &x, "conv2", 2)?;
    let x = b.graph.op("Transpose", &[&x], &[("perm", Attribute::Ints(vec![0, 2, 1]))]);
    let len = b.graph.op("Shape", &[&x], &[("start", Attribute::Int(1)), ("end", Attribute::Int(2))]);
    let table = b.plain("encoder.embed_positions.weight")?;
    let zero = b.graph.ints(&[0]);
    let positions = b.graph.op("Slice", &[&table, &zero, &len, &zero], &[]);
    let mut x = b.graph.op("Add", &[&x, &positions], &[]);
    for i in 0..settings.encoder_layers {
        let layer = format!("encoder.layers.{i}");
        let h = b.norm(&x, &format!("{layer}.self_attn_layer_norm"))?;
        let [q, k, v] = b.projections(&h, &format!("{layer}.self_attn"))?;
        let a = b.graph.contrib("MultiHeadAttention", &[&q, &k, &v], &[("num_heads", Attribute::Int(heads as i64))]);
        let a = b.linear(&a, &format!("{layer}.self_attn.out_proj"))?;
        x = b.graph.op("Add", &[&x, &a], &[]);
        x = b.feed_forward(&x, &layer)?;
    }
    let x = b.norm(&x, "encoder.layer_norm")?;
    let shape = b.graph.ints(&[1, -1, heads as i64, (settings.width / heads) as i64]);
    let dims = [Dim::Fixed(1), Dim::Fixed(heads), Dim::Named("positions"), Dim::Fixed(settings.width / heads)];
    for i in 0..settings.decoder_layers {
        for kind in ["k", "v"] {
            let y = b.linear(&x, &format!("decoder.layers.{i}.encoder_attn.{kind}_proj"))?;
            let y = b.graph.op("Reshape", &[&y, &shape], &[]);
            let y = b.graph.op("Transpose", &[&y], &[("perm", Attribute::Ints(vec![0, 2, 1, 3]))]);
            b.graph.output(&y, &format!("cross_{kind}_{i}"), F32, &dims);
        }
    }
    Ok(b.graph.encode(&[]))
}

/// The file of the decoder.
pub(super) fn decoder(settings: &WhisperSettings, parts: &Parts) -> Result<Vec<u8>> {
    let mut b = Builder { graph: Graph::new("whisper-decoder"), parts };
    let (width, heads) = (settings.width, settings.heads);
    let head_width = width / heads;
    let beams = Dim::Named("beams");
    let tokens = b.graph.input("tokens", I64, &[beams, Dim::Named("new")]);
    let positions = b.graph.input("positions", I64, &[Dim::Named("new")]);
    let mask = b.graph.input("mask", F32, &[Dim::Fixed(1), Dim::Fixed(1), Dim::Named("new"), Dim::Named("total")]);
    let ancestry = b.graph.input("ancestry", I64, &[beams, Dim::Named("old")]);
    let aligned = b.graph.input("aligned", I64, &[Dim::Fixed(1)]);
    let rows = [Dim::Named("rows"), Dim::Fixed(width)];
    let cross = [Dim::Fixed(1), Dim::Fixed(heads), Dim::Named("audio"), Dim::Fixed(head_width)];
    for i in 0..settings.decoder_layers {
        b.graph.input(&format!("past_k_{i}"), F32, &rows);
        b.graph.input(&format!("past_v_{i}"), F32, &rows);
    }
    for i in 0..settings.decoder_layers {
        b.graph.input(&format!("cross_k_{i}"), F32, &cross);
        b.graph.input(&format!("cross_v_{i}"), F32, &cross);
    }
    let heads_attribute = [("num_heads", Attribute::Int(heads as i64))];
    let table = b.plain("decoder.embed_tokens.table")?;
    let x = b.graph.op("Gather", &[&table, &tokens], &[]);
    let x = b.graph.op("Cast", &[&x], &[("to", Attribute::Int(i64::from(F32.code())))]);
    let table = b.plain("decoder.embed_positions.weight")?;
    let p = b.graph.op("Gather", &[&table, &positions], &[]);
    let mut x = b.graph.op("Add", &[&x, &p], &[]);
    let shape = b.graph.op("Shape", &[&x], &[]);
    let as_rows = b.graph.ints(&[-1, width as i64]);
    let as_one = b.graph.ints(&[1, -1, width as i64]);
    let as_heads = b.graph.ints(&[1, -1, heads as i64, head_width as i64]);
    let (zero, one) = (b.graph.ints(&[0]), b.graph.ints(&[1]));
    let mut new = Vec::new();
    let mut scores = Vec::new();
    for i in 0..settings.decoder_layers {
        let layer = format!("decoder.layers.{i}");
        let h = b.norm(&x, &format!("{layer}.self_attn_layer_norm"))?;
        let [q, k, v] = b.projections(&h, &format!("{layer}.self_attn"))?;
        let mut whole = |b: &mut Builder<'_>, kind: &str, now: &str| {
            let row = b.graph.op("Reshape", &[now, &as_rows], &[]);
            new.push((row, format!("new_{kind}_{i}")));
            let past = b.graph.op("Gather", &[&format!("past_{kind}_{i}"), &ancestry], &[]);
            b.graph.op("Concat", &[&past, now], &[("axis", Attribute::Int(1))])
        };
        let keys = whole(&mut b, "k", &k);
        let values = whole(&mut b, "v", &v);
        let a = b.graph.contrib("MultiHeadAttention", &[&q, &keys, &values, "", "", &mask], &heads_attribute);
        let a = b.linear(&a, &format!("{layer}.self_attn.out_proj"))?;
        x = b.graph.op("Add", &[&x, &a], &[]);

        let h = b.norm(&x, &format!("{layer}.encoder_attn_layer_norm"))?;
        let q = b.linear(&h, &format!("{layer}.encoder_attn.q_proj"))?;
        let q = b.graph.op("Reshape", &[&q, &as_one], &[]);
        let (ck, cv) = (format!("cross_k_{i}"), format!("cross_v_{i}"));
        let a = b.graph.contrib("MultiHeadAttention", &[&q, &ck, &cv], &heads_attribute);
        let a = b.graph.op("Reshape", &[&a, &shape], &[]);
        let a = b.linear(&a, &format!("{layer}.encoder_attn.out_proj"))?;
        x = b.graph.op("Add", &[&x, &a], &[]);
        x = b.feed_forward(&x, &layer)?;

        let chosen: Vec<i64> = settings.alignment_heads.iter().filter(|h| h[0] == i).map(|h| h[1] as i64).collect();
        if !chosen.is_empty() {
            let chosen = b.graph.ints(&chosen);
            let q = b.graph.op("Slice", &[&q, &zero, &aligned, &one], &[]);
            let q = b.graph.op("Reshape", &[&q, &as_heads], &[]);
            let q = b.graph.op("Transpose", &[&q], &[("perm", Attribute::Ints(vec![0, 2, 1, 3]))]);
            let q = b.graph.op("Gather", &[&q, &chosen], &[("axis", Attribute::Int(1))]);
            let k = b.graph.op("Gather", &[&ck, &chosen], &[("axis", Attribute::Int(1))]);
            let product =
                [("transB", Attribute::Int(1)), ("alpha", Attribute::Float((head_width as f32).sqrt().recip()))];
            scores.push(b.graph.contrib("FusedMatMul", &[&q, &k], &product));
        }
    }
    let x = b.norm(&x, "decoder.layer_norm")?;
    let logits = b.product(&x, "decoder.embed_tokens.weight", "")?;
    b.graph.output(&logits, "logits", F32, &[beams, Dim::Named("new"), Dim::Fixed(settings.vocabulary)]);
    let scores: Vec<&str> = scores.iter().map(String::as_str).collect();
    let scores = b.graph.op("Concat", &scores, &[("axis", Attribute::Int(1))]);
    let dims =
        [Dim::Fixed(1), Dim::Fixed(settings.alignment_heads.len()), Dim::Named("rows_aligned"), Dim::Named("audio")];
    b.graph.output(&scores, "scores", F32, &dims);
    for (value, name) in &new {
        b.graph.output(value, name, F32, &[Dim::Named("rows_new"), Dim::Fixed(width)]);
    }
    Ok(b.graph.encode(&[]))
}

struct Builder<'a> {
    graph: Graph,
    parts: &'a Parts,
}

impl Builder<'_> {
    fn plain(&mut self, name: &str) -> Result<String> {
        match self.parts.get(name) {
            Some(Part::Plain(stored)) => Ok(self.graph.weight(stored)),
            _ => Err(lacks(name)),
        }
    }

    fn norm(&mut self, x: &str, name: &str) -> Result<String> {
        let (scale, bias) = (self.plain(&format!("{name}.weight"))?, self.plain(&format!("{name}.bias"))?);
        let settings = [("axis", Attribute::Int(-1)), ("epsilon", Attribute::Float(1e-5))];
        Ok(self.graph.op("LayerNormalization", &[x, &scale, &bias], &settings))
    }

    fn projections(&mut self, x: &str, attention: &str) -> Result<[String; 3]> {
        let mut one = |kind| self.linear(x, &format!("{attention}.{kind}_proj"));
        Ok([one("q")?, one("k")?, one("v")?])
    }

    fn feed_forward(&mut self, x: &str, layer: &str) -> Result<String> {
        let h = self.norm(x, &format!("{layer}.final_layer_norm"))?;
        let h = self.linear(&h, &format!("{layer}.fc1"))?;
        let h = self.graph.op("Gelu", &[&h], &[]);
        let h = self.linear(&h, &format!("{layer}.fc2"))?;
        Ok(self.graph.op("Add", &[x, &h], &[]))
    }

    fn linear(&mut self, x: &str, name: &str) -> Result<String> {
        let bias = format!("{name}.bias");
        let bias = if self.parts.contains_key(&bias) { self.plain(&bias)? } else { String::new() };
        self.product(x, &format!("{name}.weight"), &bias)
    }

    fn product(&mut self, x: &str, weights: &str, bias: &str) -> Result<String> {
        match self.parts.get(weights).ok_or_else(|| lacks(weights))? {
            Part::Plain(stored) => {
                let w = self.graph.weight(stored);
                let y = self.graph.op("MatMul", &[x, &w], &[]);
                Ok(if bias.is_empty() { y } else { self.graph.op("Add", &[&y, bias], &[]) })
            }
            Part::Blocked { weights, scales, inputs, outputs } => {
                let (w, s) = (self.graph.weight(weights), self.graph.weight(scales));
                let sizes = [
                    ("K", Attribute::Int(*inputs as i64)),
                    ("N", Attribute::Int(*outputs as i64)),
                    ("bits", Attribute::Int(8)),
                    ("block_size", Attribute::Int(BLOCK as i64)),
                    ("accuracy_level", Attribute::Int(4)),
                ];
                // The optional inputs before the bias are zero points and an order of groups.
                Ok(self.graph.contrib("MatMulNBits", &[x, &w, &s, "", "", bias], &sizes))
            }
        }
    }
}
