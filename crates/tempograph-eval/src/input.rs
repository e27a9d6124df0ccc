//! Bounded reading of files that somebody else wrote.

use std::{io::Read, path::Path};

use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

/// Largest file taken in, in bytes.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// The bytes of a file of at most [`MAX_BYTES`].
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let file = std::fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::new(ErrorKind::InvalidData, format!("file over 1 GiB: {}", path.display())));
    }
    Ok(bytes)
}

/// The text of a file; bytes that are not UTF-8 become replacement characters.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = read_bytes(path)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

/// The JSON of a text.
pub(crate) fn parse_json(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|e| Error::new(ErrorKind::InvalidData, format!("not valid JSON: {e}")))
}

/// Adds the file's name to an error about what it holds.
pub(crate) fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    move |e| {
        let message = format!("{e}: {}", path.display());
        let named = Error::new(e.kind(), message);
        match e.hint() {
            Some(hint) => named.with_hint(hint.to_owned()),
            None => named,
        }
    }
}

/// An error about line `line`, counted from 1.
pub(crate) fn bad_line(line: usize, what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("line {line}: {what}"))
}

/// `a / b`, or `otherwise` when `b` is zero.
pub(crate) fn ratio(a: f64, b: f64, otherwise: f64) -> f64 {
    if b == 0.0 { otherwise } else { a / b }
}
