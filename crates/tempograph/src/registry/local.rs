//! Language models of this machine: of the manifest, or GGUF files that the settings name.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use tempograph_core::{Error, ErrorKind, Result};
use tempograph_models::store::{LocatedModel, ModelStore};
use tempograph_remote::router::Task;
use tempograph_runtime_llm::{ChildCommand, LocalOptions, Precision};

use crate::settings::Settings;

/// How long a model is kept in memory after it was asked: longer than the pause between two windows of one video,
/// shorter than a person's patience with a machine that is short of memory.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of the beginning and of the end that stand for a file of gigabytes: its description and its last weights.
const SAMPLE: u64 = 1 << 20;
/// What the manifest calls models that see, and those that only read.
pub(crate) const TASKS: [&str; 2] = ["vision", "chat"];

/// The files of one model.
pub(crate) struct Files {
    pub(crate) name: String,
    pub(crate) model: PathBuf,
    pub(crate) mmproj: Option<PathBuf>,
    digest: String,
}

impl Files {
    /// Of a model of the manifest: its main file, and the projector among the others.
    pub(crate) fn of(located: &LocatedModel) -> Self {
        let mmproj = located.files.iter().skip(1).find(|f| f.name.contains("mmproj"));
        Self {
            name: located.name.clone(),
            model: located.main(),
            mmproj: mmproj.map(|f| located.dir.join(&f.name)),
            digest: located.sha256.clone(),
        }
    }

    fn at(model: PathBuf, mmproj: Option<PathBuf>) -> Result<Self> {
        let mut hash = blake3::Hasher::new();
        for path in std::iter::once(&model).chain(&mmproj) {
            sample(path, &mut hash)?;
        }
        let name = model.file_stem().map_or_else(|| "local".to_owned(), |n| n.to_string_lossy().into_owned());
        Ok(Self { name, model, mmproj, digest: hash.finalize().to_hex().to_string() })
    }
}

/// What stands for the content of `path` without reading gigabytes: length, time of change, beginning and end.
fn sample(path: &Path, hash: &mut blake3::Hasher) -> Result<()> {
    let failed = |e: std::io::Error| {
        let error = Error::io("read the weights", path, e);
        if error.kind() == ErrorKind::NotFound {
            return Error::new(ErrorKind::ModelMissing, format!("the weights are not there: {}", path.display()));
        }
        error
    };
    let mut file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    let changed = about.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    hash.update(&about.len().to_le_bytes());
    hash.update(&changed.as_nanos().to_le_bytes());
    let mut bytes = Vec::new();
    file.by_ref().take(SAMPLE).read_to_end(&mut bytes).map_err(failed)?;
    file.seek(SeekFrom::Start(about.len().saturating_sub(SAMPLE))).map_err(failed)?;
    file.take(SAMPLE).read_to_end(&mut bytes).map_err(failed)?;
    hash.update(&bytes);
    Ok(())
}

/// The files of the model called `name`, or of the best one that is here for `task`.
///
/// # Errors
/// [`ErrorKind::ModelMissing`] when there is none.
pub(crate) fn find(settings: &Settings, store: &ModelStore, name: Option<&str>, task: Task) -> Result<Files> {
    let Some(name) = name else {
        let kind = if task == Task::Vision { TASKS[0] } else { TASKS[1] };
        return store.preferred(kind).map(|m| Files::of(&m)).map_err(|e| {
            e.with_hint(
                "set `local.model` and `local.mmproj` to the GGUF files of a model; docs/local-models.md lists some",
            )
        });
    };
    if store.manifest().get(name).is_ok() {
        return store.locate(name).map(|m| Files::of(&m));
    }
    let path = PathBuf::from(name);
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) {
        // Says which names there are.
        store.manifest().get(name)?;
    }
    // The projector belongs to the model that the settings name.
    let own = settings.local_model.as_deref() == Some(name);
    Files::at(path, settings.local_mmproj.as_ref().filter(|_| own).map(|f| f.0.clone()))
}

/// How the settings want `files` to be run.
///
/// # Errors
/// [`ErrorKind::Internal`] when this program does not know where it is.
pub(crate) fn options(settings: &Settings, files: Files) -> Result<LocalOptions> {
    let program = std::env::current_exe()
        .map_err(|e| Error::new(ErrorKind::Internal, format!("this program cannot find itself: {e}")))?;
    let accelerated = cfg!(any(feature = "cuda", feature = "metal", feature = "vulkan"));
    let all = if accelerated { u32::MAX } else { 0 };
    Ok(LocalOptions {
        command: ChildCommand { program, arguments: vec![crate::args::LLM_CHILD.into()] },
        name: files.name,
        digest: files.digest,
        model: files.model,
        mmproj: files.mmproj,
        context_tokens: settings.local_context_tokens.0 as u32,
        threads: settings.threads.map(|n| u32::try_from(n.0).unwrap_or(u32::MAX)),
        gpu_layers: settings.local_gpu_layers.map_or(all, |n| u32::try_from(n.0).unwrap_or(u32::MAX)),
        budget_bytes: budget_bytes(settings),
        idle: IDLE,
        precision: Precision::Fast,
    })
}

/// What a local model may come to.
pub(crate) fn budget_bytes(settings: &Settings) -> u64 {
    (settings.local_budget_gb.0 * 1e9) as u64
}
