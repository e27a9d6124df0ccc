//! Files that are generated from the code and committed.

use std::fs;

use anyhow::{Context as _, bail};

/// Writes every generated file, or with `check` compares it.
pub(crate) fn run(check: bool) -> anyhow::Result<()> {
    let root = crate::root()?;
    let mut stale = Vec::new();
    for (path, content) in [("schema/analysis.schema.json", analysis_schema()?)] {
        let file = root.join(path);
        if fs::read_to_string(&file).is_ok_and(|old| old == content) {
            continue;
        }
        stale.push(path);
        if !check {
            fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
            fs::write(&file, content).with_context(|| format!("cannot write {path}"))?;
            crate::say(&format!("wrote {path}"));
        }
    }
    if check && !stale.is_empty() {
        bail!("not up to date: {}; run `cargo run --release -p xtask -- codegen`", stale.join(", "));
    }
    Ok(())
}

/// The JSON Schema of `analysis.json`.
fn analysis_schema() -> anyhow::Result<String> {
    let mut schema = schemars::schema_for!(tempograph_core::Timeline);
    schema.insert("title".to_owned(), tempograph_core::timeline::SCHEMA.into());
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
