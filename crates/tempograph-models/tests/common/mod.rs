//! Where tests find what is not committed: test media, weights and the ONNX Runtime library.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says why it skips, and fails by panic"
)]
#![allow(dead_code, reason = "not every test binary needs all of it")]

use std::path::{Path, PathBuf};

use tempograph_core::{Runtime, Session, SessionOptions};
use tempograph_runtime_onnx::OnnxRuntime;

/// The file or folder `name` of the shared test media, or says that the test is skipped.
pub(crate) fn media(name: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|a| a.join("shared/media")).find(|p| p.is_dir());
    let found = found.map(|p| p.join(name)).filter(|p| p.exists());
    if found.is_none() {
        println!("skipped: shared media not present");
    }
    found
}

/// The first folder below the model caches that holds a file `name`, or says that the test is skipped.
pub(crate) fn weights(name: &str) -> Option<PathBuf> {
    let local = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
    let user = std::env::home_dir().map(|h| h.join(".cache/tempograph/models"));
    let found = std::iter::once(local).chain(user).find_map(|root| search(&root, name, 4));
    if found.is_none() {
        println!("skipped: no weights: {name}");
    }
    found
}

fn search(folder: &Path, name: &str, depth: u32) -> Option<PathBuf> {
    if folder.join(name).is_file() {
        return Some(folder.join(name));
    }
    let mut folders: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path()).collect();
    folders.sort();
    folders.iter().filter(|p| depth > 0 && p.is_dir()).find_map(|p| search(p, name, depth - 1))
}

/// ONNX Runtime, or says that the test is skipped.
pub(crate) fn runtime() -> Option<OnnxRuntime> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the person who runs it")]
    let named = std::env::var_os("TEMPOGRAPH_ONNXRUNTIME").map(PathBuf::from);
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/onnxruntime/libonnxruntime.so");
    let Some(library) = named.or_else(|| usual.exists().then_some(usual)) else {
        println!("skipped: no ONNX Runtime library; `TEMPOGRAPH_ONNXRUNTIME` can name one");
        return None;
    };
    Some(OnnxRuntime::open(&library).expect("the library opens"))
}

/// A session of `file`.
pub(crate) fn load(runtime: &dyn Runtime, file: &Path) -> Box<dyn Session> {
    runtime.load(file, &SessionOptions { threads: 1 }).expect("the model loads")
}

/// The samples of a 16 kHz mono WAV file of 16-bit integers or 32-bit floats; of any other file what the `ffmpeg`
/// command makes of it.
pub(crate) fn audio(path: &Path) -> Option<Vec<f32>> {
    if path.extension().is_some_and(|e| e == "wav") {
        return Some(wav(&std::fs::read(path).expect("the file is there")));
    }
    let run = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-ac", "1", "-ar", "16000", "-f", "s16le", "-"])
        .output();
    let Some(run) = run.ok().filter(|r| r.status.success()) else {
        println!("skipped: no `ffmpeg` to read {}", path.display());
        return None;
    };
    Some(run.stdout.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect())
}

fn wav(bytes: &[u8]) -> Vec<f32> {
    let at = bytes.windows(4).position(|w| w == b"data").expect("a WAV file") + 8;
    assert_eq!(u32::from_le_bytes(bytes[24..28].try_into().unwrap()), 16_000);
    match bytes[34] {
        16 => bytes[at..].chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect(),
        32 => bytes[at..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        bits => panic!("{bits} bits a sample"),
    }
}
