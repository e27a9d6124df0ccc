//! What CTranslate2 calls the tensors of a Whisper: fused projections, numbered linear layers.

use tempograph_core::{Error, ErrorKind, Result};

use super::tensors::Tensors;
use crate::ct2::Variable;

/// Whether `variable` holds integer weights whose scale is the next variable.
pub(super) fn needs_scale(variable: &Variable) -> bool {
    variable.integer && variable.dims.len() >= 2
}

/// Integer weights divided by their scales, one for each row or one for all.
pub(super) fn scaled(mut weights: Variable, scale: &Variable) -> Result<Variable> {
    let rows = weights.dims.first().copied().unwrap_or(0);
    let fits =
        scale.name == format!("{}_scale", weights.name) && (scale.values.len() == rows || scale.values.len() == 1);
    if !fits || rows == 0 {
        return Err(Error::new(ErrorKind::ModelInvalid, format!("integer weights lack a scale: {}", weights.name)));
    }
    let row_len = weights.values.len() / rows;
    for (row, values) in weights.values.chunks_mut(row_len.max(1)).enumerate() {
        let scale = scale.values.get(row).or(scale.values.first()).copied().unwrap_or(1.0);
        values.iter_mut().for_each(|v| *v /= scale);
    }
    weights.integer = false;
    Ok(weights)
}

/// Hands `variable` on under its Hugging Face names. Constants of the specification are passed over.
pub(super) fn take(variable: &Variable, tensors: &mut Tensors) -> Result<()> {
    let Some((path, leaf)) = variable.name.rsplit_once('/') else { return Ok(()) };
    let leaf = match leaf {
        "weight" | "gamma" | "encodings" => "weight",
        "bias" | "beta" => "bias",
        _ => return Ok(()),
    };
    let Some((side, rest)) = path.split_once('/') else { return Ok(()) };
    let outer = match (side, rest) {
        ("decoder", "embeddings") => Some("embed_tokens"),
        (_, "position_encodings") => Some("embed_positions"),
        (_, "layer_norm" | "conv1" | "conv2") => Some(rest),
        _ => None,
    };
    if let Some(outer) = outer {
        return tensors.take(&format!("{side}.{outer}.{leaf}"), &variable.dims, variable.values.clone());
    }
    let Some((layer, part)) = rest.split_once('/') else { return Ok(()) };
    let Some(layer) = layer.strip_prefix("layer_").filter(|n| n.parse::<u16>().is_ok()) else { return Ok(()) };
    let names: &[&str] = match part {
        "self_attention/layer_norm" => &["self_attn_layer_norm"],
        "self_attention/linear_0" => &["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "self_attention/linear_1" => &["self_attn.out_proj"],
        "attention/layer_norm" => &["encoder_attn_layer_norm"],
        "attention/linear_0" => &["encoder_attn.q_proj"],
        "attention/linear_1" => &["encoder_attn.k_proj", "encoder_attn.v_proj"],
        "attention/linear_2" => &["encoder_attn.out_proj"],
        "ffn/layer_norm" => &["final_layer_norm"],
        "ffn/linear_0" => &["fc1"],
        "ffn/linear_1" => &["fc2"],
        _ => return Ok(()),
    };
    let rows = variable.dims.first().copied().unwrap_or(0);
    if rows == 0 || rows % names.len() != 0 {
        let message = format!("extents {:?} cannot be right: {}", variable.dims, variable.name);
        return Err(Error::new(ErrorKind::ModelInvalid, message));
    }
    let mut dims = variable.dims.clone();
    dims[0] = rows / names.len();
    for (name, values) in names.iter().zip(variable.values.chunks_exact(variable.values.len() / names.len())) {
        tensors.take(&format!("{side}.layers.{layer}.{name}.{leaf}"), &dims, values.to_vec())?;
    }
    Ok(())
}
