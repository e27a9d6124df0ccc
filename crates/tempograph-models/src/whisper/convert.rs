//! From published Whisper weights to two ONNX graphs, one tensor in memory at a time.
//!
//! The result in the folder: `encoder.onnx` and `decoder.onnx` with their weights beside them, `vocabulary.json` and
//! `whisper.json`. The same input gives the same bytes.

mod ct2_names;
mod tensors;

pub(super) use self::tensors::{BLOCK, Part, lacks};

use std::{
    fs,
    io::{Read, Seek},
    path::Path,
};

use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

use self::tensors::Tensors;
use super::{
    graph,
    settings::{self, FORMAT, WhisperSettings},
    vocabulary::Vocabulary,
};
use crate::{
    ct2::{Ct2Reader, Variable},
    safetensors,
};

/// How the products with weights are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Weights and activations of 8 bits, a scale for each 128 of them. Fastest on processors.
    #[default]
    Int8,
    /// 32-bit floats throughout; for GPUs and for reference.
    Float32,
}

/// The small files that come with the weights.
#[derive(Clone, Copy, Debug, Default)]
pub struct Companions<'a> {
    /// The tokens: `vocabulary.txt`, `vocabulary.json`, `vocab.json` or `tokenizer.json`.
    pub vocabulary: &'a [u8],
    /// `config.json` of CTranslate2 or `generation_config.json` of Hugging Face: alignment heads and suppressed tokens.
    /// What it lacks is filled in from tables and rules.
    pub generation: Option<&'a [u8]>,
}

/// Converts the weights in a CTranslate2 `model.bin`.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when the file is damaged or holds no Whisper; an I/O kind when writing fails.
pub fn from_ct2(model: &mut dyn Read, companions: &Companions<'_>, out: &Path, precision: Precision) -> Result<()> {
    let mut reader = Ct2Reader::open(model)?;
    if reader.specification() != "WhisperSpec" {
        return Err(Error::new(
            ErrorKind::ModelInvalid,
            format!("the CTranslate2 model is no Whisper but: {}", reader.specification()),
        ));
    }
    let mut tensors = Tensors::create(out, precision)?;
    let mut unscaled: Option<Variable> = None;
    while let Some(variable) = reader.next_variable()? {
        let complete = match unscaled.take() {
            Some(weights) => ct2_names::scaled(weights, &variable)?,
            None if ct2_names::needs_scale(&variable) => {
                unscaled = Some(variable);
                continue;
            }
            None => variable,
        };
        ct2_names::take(&complete, &mut tensors)?;
    }
    finish(tensors, companions, out)
}

/// Converts the weights in a `model.safetensors` with Hugging Face names.
///
/// # Errors
/// As [`from_ct2`].
pub fn from_safetensors<R: Read + Seek>(
    model: &mut R,
    companions: &Companions<'_>,
    out: &Path,
    precision: Precision,
) -> Result<()> {
    let mut tensors = Tensors::create(out, precision)?;
    safetensors::each(model, &mut |name, dims, values| {
        let name = name.strip_prefix("model.").unwrap_or(name);
        if name == "proj_out.weight" { Ok(()) } else { tensors.take(name, dims, values) }
    })?;
    finish(tensors, companions, out)
}

fn finish(tensors: Tensors, companions: &Companions<'_>, out: &Path) -> Result<()> {
    let vocabulary = Vocabulary::parse(companions.vocabulary)?;
    let settings = settle(&tensors, &vocabulary, companions.generation)?;
    let parts = tensors.finish()?;
    write(out, "encoder.onnx", &graph::encoder(&settings, &parts)?)?;
    write(out, "decoder.onnx", &graph::decoder(&settings, &parts)?)?;
    write(out, "vocabulary.json", &json(&vocabulary.tokens())?)?;
    write(out, "whisper.json", &json(&settings)?)
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::new(ErrorKind::Internal, format!("cannot write JSON: {e}")))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(|e| Error::io("write", &path, e))
}

fn settle(tensors: &Tensors, vocabulary: &Vocabulary, generation: Option<&[u8]>) -> Result<WhisperSettings> {
    let [width, mels, _] = tensors.dims("encoder.conv1.weight")?;
    let [audio_positions, _] = tensors.dims("encoder.embed_positions.weight")?;
    let [text_positions, _] = tensors.dims("decoder.embed_positions.weight")?;
    let [tokens, _] = tensors.dims("decoder.embed_tokens.weight")?;
    let layers = |side: &str| {
        (0..).take_while(|i| tensors.dims::<1>(&format!("{side}.layers.{i}.final_layer_norm.weight")).is_ok()).count()
    };
    if tokens < vocabulary.len() {
        let message = format!("the vocabulary has {} tokens, the model: {tokens}", vocabulary.len());
        return Err(Error::new(ErrorKind::ModelInvalid, message));
    }
    let (heads, decoder_layers) = (width / 64, layers("decoder"));
    let value: Value = match generation {
        Some(bytes) => serde_json::from_slice(bytes)
            .map_err(|e| Error::new(ErrorKind::ModelInvalid, format!("the model's `config.json` is no JSON: {e}")))?,
        None => Value::Null,
    };
    let list = |names: [&str; 2]| {
        let list = names.iter().find_map(|n| value.get(n)?.as_array())?;
        list.iter().map(|v| v.as_u64().and_then(|v| u32::try_from(v).ok())).collect::<Option<Vec<_>>>()
    };
    let given_heads = value.get("alignment_heads").and_then(Value::as_array).and_then(|list| {
        let pair = |v: &Value| Some([v.get(0)?.as_u64()? as usize, v.get(1)?.as_u64()? as usize]);
        list.iter().map(pair).collect::<Option<Vec<_>>>()
    });
    let english = vocabulary.marks().end == 50_256;
    let first = || vocabulary.id("Ġ").into_iter().chain([vocabulary.marks().end]).collect();
    let settings = WhisperSettings {
        format: FORMAT,
        width,
        heads,
        encoder_layers: layers("encoder"),
        decoder_layers,
        mels,
        vocabulary: tokens,
        audio_positions,
        text_positions,
        alignment_heads: given_heads
            .filter(|h| !h.is_empty())
            .unwrap_or_else(|| settings::alignment_heads(decoder_layers, width, heads, english, mels == 128)),
        suppress: list(["suppress_ids", "suppress_tokens"]).unwrap_or_else(|| settings::not_speech(vocabulary)),
        suppress_begin: list(["suppress_ids_begin", "begin_suppress_tokens"]).unwrap_or_else(first),
    };
    settings.check()?;
    Ok(settings)
}
