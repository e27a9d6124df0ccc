//! `tempograph doctor`: does this machine have what is needed?

mod budget;

use std::path::Path;

use serde_json::json;
use tempograph_core::Result;
use tempograph_runtime_onnx::OnnxRuntime;
use tempograph_store::Library;

use crate::{
    commands,
    registry::{missing_defaults, model_store},
    settings::Settings,
};

struct Check {
    name: &'static str,
    good: bool,
    found: String,
    hint: Option<String>,
}

impl Check {
    fn of(name: &'static str, result: Result<String>) -> Self {
        match result {
            Ok(found) => Self { name, good: true, found, hint: None },
            Err(e) => Self { name, good: false, found: e.to_string(), hint: e.hint().map(str::to_owned) },
        }
    }
}

/// Checks everything; exit status 1 when something is missing.
pub(crate) fn run(as_json: bool, of_budget: bool, settings: &Settings, data: &Path) -> Result<u8> {
    let store = model_store(settings, data)?;
    if of_budget {
        return budget::run(as_json, settings, &store);
    }
    let missing = missing_defaults(&store);
    let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
    let runtime =
        store.onnxruntime(settings.onnxruntime.as_ref().map(|f| f.0.as_path()), beside.as_deref()).and_then(|path| {
            use tempograph_core::Runtime as _;
            Ok(format!("{} at {}", OnnxRuntime::open(&path)?.describe(), path.display()))
        });
    let checks = [
        Check { name: "version", good: true, found: env!("CARGO_PKG_VERSION").to_owned(), hint: None },
        Check { name: "ffmpeg", good: true, found: tempograph_media::ffmpeg_version(), hint: None },
        Check::of("library", Library::open(data).map(|l| l.root().display().to_string())),
        Check::of("onnxruntime", runtime),
        Check {
            name: "models",
            good: missing.is_empty(),
            found: if missing.is_empty() {
                "the default set is here".to_owned()
            } else {
                format!("missing: {}", missing.join(", "))
            },
            hint: (!missing.is_empty()).then(|| "run `tempograph models pull --default`".to_owned()),
        },
        Check {
            name: "threads",
            good: true,
            found: std::thread::available_parallelism().map_or_else(|_| "unknown".to_owned(), |n| n.to_string()),
            hint: None,
        },
    ];
    let good = checks.iter().all(|c| c.good);
    if as_json {
        let rows: Vec<_> =
            checks.iter().map(|c| json!({"check": c.name, "good": c.good, "found": c.found, "hint": c.hint})).collect();
        commands::print_json(&json!({"good": good, "checks": rows}))?;
    } else {
        let mut text = String::new();
        for c in &checks {
            text.push_str(&format!("{} {:<12} {}\n", if c.good { "ok     " } else { "MISSING" }, c.name, c.found));
            if let Some(hint) = &c.hint {
                text.push_str(&format!("        hint: {hint}\n"));
            }
        }
        commands::print(&text)?;
    }
    Ok(u8::from(!good))
}
