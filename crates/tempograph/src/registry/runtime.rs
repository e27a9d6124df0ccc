//! ONNX Runtime, opened when the first model is loaded.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tempograph_core::Result;
use tempograph_models::store::ModelStore;
use tempograph_runtime_onnx::OnnxRuntime;

/// ONNX Runtime, opened once.
pub(super) struct Lazy {
    store: ModelStore,
    library: Option<PathBuf>,
    opened: Mutex<Option<Arc<OnnxRuntime>>>,
}

impl Lazy {
    pub(super) fn new(store: ModelStore, library: Option<PathBuf>) -> Self {
        Self { store, library, opened: Mutex::new(None) }
    }

    pub(super) fn get(&self) -> Result<Arc<OnnxRuntime>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*opened {
            return Ok(Arc::clone(runtime));
        }
        let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
        let library = self.store.onnxruntime(self.library.as_deref(), beside.as_deref())?;
        let runtime = Arc::new(OnnxRuntime::open(&library)?);
        *opened = Some(Arc::clone(&runtime));
        Ok(runtime)
    }
}
