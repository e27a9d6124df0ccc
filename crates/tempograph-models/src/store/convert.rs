//! Steps between the files that are published and those that are used.

use std::{
    fs::{self, File},
    io::BufReader,
    path::Path,
};

use tempograph_core::{Error, ErrorKind, Result};

use crate::whisper::convert::{Companions, Precision, from_ct2};

/// Reads the files in one folder and writes those in the other; the name of the main one.
type Step = fn(&Path, &Path) -> Result<&'static str>;

/// Every conversion with its version: another version converts again.
const STEPS: &[(&str, u32, Step)] = &[
    ("whisper-ct2", 1, whisper), //
];

/// Name and version of the conversion `how`, as records keep it.
pub(super) fn version(how: &str) -> String {
    let version = STEPS.iter().find(|(name, ..)| *name == how).map_or(0, |(_, version, _)| *version);
    format!("{how}/{version}")
}

/// Converts the files in `from` into the empty folder `to`; the names of the new files, the main one first.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when the files are not what the conversion reads, [`ErrorKind::Unsupported`] when this
/// build has no such conversion; and those of reading and writing.
pub(super) fn run(how: &str, from: &Path, to: &Path) -> Result<Vec<String>> {
    let Some((.., step)) = STEPS.iter().find(|(name, ..)| *name == how) else {
        return Err(Error::new(ErrorKind::Unsupported, format!("this build has no conversion of this name: {how}")));
    };
    let main = step(from, to)?;
    let entries = fs::read_dir(to).map_err(|e| Error::io("read", to, e))?;
    let mut names: Vec<_> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    names.sort_by_key(|name| (name != main, name.clone()));
    Ok(names)
}

/// CTranslate2's Whisper to ONNX.
fn whisper(from: &Path, to: &Path) -> Result<&'static str> {
    let read = |name: &str| {
        let path = from.join(name);
        fs::read(&path).map_err(|e| Error::io("read", &path, e))
    };
    let vocabulary = read("vocabulary.txt").or_else(|_| read("vocabulary.json"))?;
    let generation = read("config.json")?;
    let companions = Companions { vocabulary: &vocabulary, generation: Some(&generation) };
    let path = from.join("model.bin");
    let model = File::open(&path).map_err(|e| Error::io("read", &path, e))?;
    from_ct2(&mut BufReader::with_capacity(1 << 20, model), &companions, to, Precision::default())?;
    Ok("encoder.onnx")
}
