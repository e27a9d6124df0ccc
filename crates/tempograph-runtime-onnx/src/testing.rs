//! Where tests find a library.

use std::path::{Path, PathBuf};

/// The ONNX Runtime library tests run with; says so and gives none where there is none.
///
/// Looked for in `TEMPOGRAPH_ONNXRUNTIME`, then as `onnxruntime/libonnxruntime.so` in the target folder, where the CI
/// script puts it.
pub(crate) fn library() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the person who runs it")]
    let named = std::env::var_os("TEMPOGRAPH_ONNXRUNTIME").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/onnxruntime/libonnxruntime.so");
    let found = named.or_else(|| usual.exists().then_some(usual));
    if found.is_none() {
        println!("skipped: no ONNX Runtime library; `TEMPOGRAPH_ONNXRUNTIME` can name one");
    }
    found
}
