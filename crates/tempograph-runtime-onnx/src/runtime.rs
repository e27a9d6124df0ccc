//! The library: found, checked, opened once, asked to load models.

use std::path::{Path, PathBuf};

use ort::{
    environment::Environment,
    session::{
        Session as OrtSession,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};
use parking_lot::Mutex;
use tempograph_core::{Error, ErrorKind, Result, Runtime, Session, SessionOptions};

use crate::session::OnnxSession;

/// Where sessions compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU by its index; the processor takes what the GPU has no kernel for.
    #[cfg(feature = "cuda")]
    Cuda(u16),
}

/// ONNX Runtime, loaded from a shared library.
#[derive(Clone, Debug)]
pub struct OnnxRuntime {
    environment: Environment,
    description: String,
    device: Device,
}

struct Opened {
    library: PathBuf,
    environment: Environment,
    version: String,
}

/// ONNX Runtime allows one environment a process, so whoever opens it again shares the first.
static OPENED: Mutex<Option<Opened>> = Mutex::new(None);

const HINT: &str = "get it with `tempograph models pull onnxruntime`, or name a library of version 1.24 or later";

impl OnnxRuntime {
    /// Opens the ONNX Runtime library at `library` (a path, or a bare file name that the system's loader searches for)
    /// and computes on the processor.
    ///
    /// Opening the same library again is cheap.
    ///
    /// # Errors
    /// [`ErrorKind::RuntimeMissing`] when there is no such library, it is older than 1.24, or another one is already
    /// open in this process.
    pub fn open(library: &Path) -> Result<Self> {
        Self::open_on(library, Device::Cpu)
    }

    /// As [`Self::open`], computing on `device`.
    ///
    /// # Errors
    /// As [`Self::open`]. A missing device shows when a model is loaded.
    pub fn open_on(library: &Path, device: Device) -> Result<Self> {
        let searched = library.components().count() == 1 && !library.exists();
        let library = if searched {
            library.to_path_buf()
        } else {
            library.canonicalize().map_err(|e| {
                missing(format!("the ONNX Runtime library is not there: {}", library.display())).with_source(e)
            })?
        };
        let mut opened = OPENED.lock();
        let found = match &*opened {
            Some(found) if found.library == library => found,
            Some(found) => {
                let message = format!("another ONNX Runtime is already open here: {}", found.library.display());
                return Err(Error::new(ErrorKind::RuntimeMissing, message));
            }
            None => opened.insert(load_library(library)?),
        };
        let description = match device {
            Device::Cpu => format!("onnxruntime {}", found.version),
            #[cfg(feature = "cuda")]
            Device::Cuda(index) => format!("onnxruntime {} cuda:{index}", found.version),
        };
        Ok(Self { environment: found.environment.clone(), description, device })
    }
}

fn missing(message: String) -> Error {
    Error::new(ErrorKind::RuntimeMissing, message).with_hint(HINT)
}

fn load_library(library: PathBuf) -> Result<Opened> {
    let environment = ort::init_from(&library)
        .map_err(|e| missing(format!("the ONNX Runtime library cannot be used: {e}")).with_source(e))?
        .with_name("tempograph")
        .with_telemetry(false)
        .build()
        .map_err(|e| missing(format!("ONNX Runtime does not start: {e}")))?;
    environment.set_log_level(ort::logging::LogLevel::Warning);
    let version = version_of(ort::info(), &library);
    tracing::debug!(version, library = %library.display(), "onnx runtime opened");
    Ok(Opened { library, environment, version })
}

/// The release, which the API names only inside the build description (`git-branch=rel-1.24.4`) and packagers in the
/// file name (`libonnxruntime.so.1.24.4`).
fn version_of(build: &str, library: &Path) -> String {
    let numbers = |s: &str| {
        let end = s.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(s.len());
        Some(s[..end].trim_end_matches('.').to_owned()).filter(|v| v.contains('.'))
    };
    let name = library.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    build
        .split_once("git-branch=rel-")
        .and_then(|(_, rest)| numbers(rest))
        .or_else(|| name.split_once(".so.").and_then(|(_, rest)| numbers(rest)))
        .unwrap_or_else(|| format!("1.{} or later", ort::MINOR_VERSION))
}

impl Runtime for OnnxRuntime {
    fn describe(&self) -> String {
        self.description.clone()
    }

    fn load(&self, path: &Path, options: &SessionOptions) -> Result<Box<dyn Session>> {
        if !path.is_file() {
            let message = format!("there is no model file: {}", path.display());
            return Err(Error::new(ErrorKind::ModelMissing, message));
        }
        let session = self.build(path, options).map_err(|e| {
            Error::new(
                ErrorKind::ModelInvalid,
                format!("ONNX Runtime does not read the model: {e}: {}", path.display()),
            )
            .with_hint("check the file with `tempograph models verify`")
        })?;
        Ok(Box::new(OnnxSession::new(session, path)?))
    }
}

impl OnnxRuntime {
    fn build(&self, path: &Path, options: &SessionOptions) -> ort::Result<OrtSession> {
        let builder = SessionBuilder::new(&self.environment)?
            .with_log_level(ort::logging::LogLevel::Warning)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(options.threads.max(1))?
            .with_inter_threads(1)?
            // A spinning pool steals the cores that the decoder and the other stages could use.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            // One plan per input shape is kept for ever, and where shapes repeat it measures no faster.
            .with_memory_pattern(false)?;
        self.on_device(builder)?.commit_from_file(path)
    }

    #[cfg(not(feature = "cuda"))]
    fn on_device(&self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        match self.device {
            Device::Cpu => Ok(builder),
        }
    }

    #[cfg(feature = "cuda")]
    fn on_device(&self, builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        match self.device {
            Device::Cpu => Ok(builder),
            Device::Cuda(index) => {
                let provider = ort::ep::CUDA::default().with_device_id(i32::from(index)).build();
                Ok(builder.with_execution_providers([provider.error_on_failure()])?)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_build_or_the_file_name() {
        let plain = Path::new("libonnxruntime.so");
        assert_eq!(version_of("ORT Build Info: git-branch=rel-1.24.4, git-commit-id=1", plain), "1.24.4");
        assert_eq!(version_of("git-branch=main", Path::new("/x/libonnxruntime.so.1.27.0")), "1.27.0");
        assert_eq!(version_of("", plain), "1.24 or later");
    }

    #[test]
    fn a_library_that_is_not_there_is_named_with_a_way_to_get_it() {
        let err = OnnxRuntime::open(Path::new("no/such/libonnxruntime.so")).expect_err("there is none");
        assert_eq!(err.kind(), ErrorKind::RuntimeMissing);
        assert!(err.hint().is_some_and(|h| h.contains("models pull")));
    }
}
