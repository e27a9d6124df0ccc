//! `tempograph models`.

use std::path::Path;

use serde_json::json;
use tempograph_core::{Cancel, Error, ErrorKind, Result};
use tempograph_models::store::{ModelStore, Status};

use crate::{
    args::Models,
    commands,
    progress::Display,
    registry::{model_store, pull},
    settings::Settings,
};

/// Lists, fetches, checks or removes models.
pub(crate) fn run(command: &Models, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    let store = model_store(settings, data)?;
    match command {
        Models::List { json } => list(&store, *json),
        Models::Pull { names, default } => {
            let mut wanted: Vec<String> = names.clone();
            if *default {
                wanted.extend(store.defaults().map(str::to_owned));
            }
            if wanted.is_empty() {
                return Err(Error::new(ErrorKind::Usage, "no model is named")
                    .with_hint("name some, or add `--default`; `tempograph models list` shows them"));
            }
            pull_all(&store, &wanted, cancel)
        }
        Models::Verify { names } => verify(&store, names, cancel),
        Models::Remove { names } => {
            for name in names {
                let freed = store.remove(name, cancel)?;
                commands::print(&format!("{name}: {} freed\n", size(freed)))?;
            }
            Ok(0)
        }
    }
}

fn list(store: &ModelStore, as_json: bool) -> Result<u8> {
    if as_json {
        let rows: Vec<_> = store
            .list()
            .iter()
            .map(|l| {
                json!({
                    "name": l.entry.name, "task": l.entry.task, "family": l.entry.family,
                    "licence": l.entry.licence, "licence_note": l.entry.licence_note,
                    "size_bytes": l.bytes, "status": l.status.as_str(), "default": l.entry.default,
                })
            })
            .collect();
        commands::print_json(&rows.into())?;
        return Ok(0);
    }
    let mut text = format!("{:<18} {:<14} {:>9}  {:<9} licence\n", "name", "task", "size", "status");
    for l in store.list() {
        let default = if l.entry.default { " (default)" } else { "" };
        let note = l.entry.licence_note.as_deref().map(|n| format!(" — {n}")).unwrap_or_default();
        text.push_str(&format!(
            "{:<18} {:<14} {:>9}  {:<9} {}{note}{default}\n",
            l.entry.name,
            l.entry.task,
            size(l.bytes),
            l.status.as_str(),
            l.entry.licence,
        ));
    }
    commands::print(&text)?;
    Ok(0)
}

fn pull_all(store: &ModelStore, names: &[String], cancel: &Cancel) -> Result<u8> {
    let display = Display::new();
    for name in names {
        let here = store.locate(name).is_ok();
        let model = pull(store, name, &display, cancel)?;
        let how = if here { "is here" } else { "fetched" };
        commands::print(&format!("{name}: {how} ({})\n", model.licence))?;
    }
    Ok(0)
}

fn verify(store: &ModelStore, names: &[String], cancel: &Cancel) -> Result<u8> {
    let names: Vec<String> = if names.is_empty() {
        let here = |s| matches!(s, Status::Present | Status::Damaged);
        store.list().iter().filter(|l| here(l.status)).map(|l| l.entry.name.clone()).collect()
    } else {
        names.to_vec()
    };
    let mut bad = Vec::new();
    for name in &names {
        let problems: Vec<_> = store
            .verify(name, cancel)?
            .into_iter()
            .filter_map(|v| v.problem.map(|problem| format!("{}: {problem}", v.file)))
            .collect();
        if problems.is_empty() {
            commands::print(&format!("{name}: good\n"))?;
        } else {
            commands::print(&format!("{name}: {}\n", problems.join("; ")))?;
            bad.push(name.clone());
        }
    }
    if bad.is_empty() {
        return Ok(0);
    }
    Err(Error::new(ErrorKind::ModelInvalid, format!("models are damaged: {}", bad.join(", ")))
        .with_hint("`tempograph models pull` mends them"))
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes / 1000),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
