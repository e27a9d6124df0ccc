//! `tempograph doctor --budget`: what each local language model would take.

use serde_json::json;
use tempograph_core::Result;
use tempograph_models::store::ModelStore;
use tempograph_remote::router::Task;
use tempograph_runtime_llm::{budget::Prediction, gguf::Header};

use crate::{
    commands,
    registry::local::{self, Files},
    settings::Settings,
};

struct Row {
    name: String,
    /// [`None`] where only the length of the files is known.
    prediction: Option<Prediction>,
    bytes: u64,
}

/// Predicts from the manifest, and from the headers of the files that are here.
pub(super) fn run(as_json: bool, settings: &Settings, store: &ModelStore) -> Result<u8> {
    let tokens = settings.local_context_tokens.0 as u32;
    let budget = local::budget_bytes(settings);
    let mut rows = Vec::new();
    if let Some(name) = &settings.local_model
        && store.manifest().get(name).is_err()
    {
        rows.push(row(local::find(settings, store, Some(name), Task::Vision)?, tokens)?);
    }
    for listed in store.list().iter().filter(|l| local::TASKS.contains(&l.entry.task.as_str())) {
        rows.push(match store.locate(&listed.entry.name) {
            Ok(located) => row(Files::of(&located), tokens)?,
            Err(_) => Row { name: listed.entry.name.clone(), prediction: None, bytes: listed.bytes },
        });
    }
    if as_json {
        let rows: Vec<_> = rows
            .iter()
            .map(|r| {
                json!({
                    "model": r.name, "context_tokens": tokens, "total_bytes": total(r), "fits": total(r) <= budget,
                    "weights_bytes": r.prediction.map_or(r.bytes, |p| p.weights),
                    "projector_bytes": r.prediction.map(|p| p.projector),
                    "cache_bytes": r.prediction.map(|p| p.cache),
                    "compute_bytes": r.prediction.map(|p| p.compute),
                })
            })
            .collect();
        commands::print_json(&json!({"budget_bytes": budget, "models": rows}))?;
        return Ok(0);
    }
    let mut text = format!("budget {} (`local.budget_gb`), context of {tokens} tokens\n", megabytes(budget));
    for r in &rows {
        let verdict = if total(r) <= budget { "fits" } else { "OVER" };
        let parts = match r.prediction {
            Some(p) => format!(
                "weights {}, projector {}, cache {}, computing {}",
                megabytes(p.weights),
                megabytes(p.projector),
                megabytes(p.cache),
                megabytes(p.compute)
            ),
            None => "the weights alone: the rest is known once they are here".to_owned(),
        };
        text.push_str(&format!("{verdict} {:<24} {:>9}  {parts}\n", r.name, megabytes(total(r))));
    }
    if rows.iter().any(|r| total(r) > budget) {
        text.push_str("hint: take a smaller quantisation, fewer frames or a shorter `local.context_tokens`, or keep layers off the accelerator\n");
    }
    commands::print(&text)?;
    Ok(0)
}

fn row(files: Files, tokens: u32) -> Result<Row> {
    let model = Header::read(&files.model)?;
    let projector = files.mmproj.as_deref().map(Header::read).transpose()?;
    let prediction = Prediction::for_context(&model, projector.as_ref(), tokens);
    Ok(Row { name: files.name, bytes: prediction.total(), prediction: Some(prediction) })
}

fn total(row: &Row) -> u64 {
    row.prediction.map_or(row.bytes, |p| p.total())
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}
