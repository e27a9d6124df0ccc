//! SHA-256 of files while they are read or written.

use std::{
    fmt::Write as _,
    fs::File,
    io::{Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};
use tempograph_core::{Cancel, Error, Result};

/// SHA-256 of `bytes` in lower-case hexadecimal digits.
#[cfg(test)]
pub(super) fn hex(bytes: &[u8]) -> String {
    text(Sha256::new().chain_update(bytes))
}

/// SHA-256 of what is hashed so far, in lower-case hexadecimal digits.
fn text(hash: Sha256) -> String {
    let mut out = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
    }
    out
}

/// Length and SHA-256 of the file at `path`.
///
/// # Errors
/// When it cannot be read, or somebody asked to stop.
pub(super) fn file(path: &Path, cancel: &Cancel) -> Result<(u64, String)> {
    let mut input = File::open(path).map_err(|e| Error::io("read", path, e))?;
    let mut hash = Sha256::new();
    let bytes = copy(&mut input, &mut HashOnly(&mut hash), cancel).map_err(|e| e.into_error("read", path))?;
    Ok((bytes, text(hash)))
}

/// Why a copy ended early.
pub(super) enum CopyError {
    /// Somebody asked to stop.
    Cancelled(Error),
    /// The source failed.
    Read(std::io::Error),
    /// The destination failed.
    Write(std::io::Error),
}

impl CopyError {
    /// As an error about `path`.
    pub(super) fn into_error(self, what: &str, path: &Path) -> Error {
        match self {
            Self::Cancelled(error) => error,
            Self::Read(error) | Self::Write(error) => Error::io(what, path, error),
        }
    }
}

/// Copies until the end, saying which side failed.
pub(super) fn copy(from: &mut dyn Read, to: &mut dyn Write, cancel: &Cancel) -> Result<u64, CopyError> {
    let mut buffer = vec![0; 1 << 17];
    let mut done = 0;
    loop {
        cancel.check().map_err(CopyError::Cancelled)?;
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Read(e)),
        };
        to.write_all(&buffer[..n]).map_err(CopyError::Write)?;
        done += n as u64;
    }
}

struct HashOnly<'a>(&'a mut Sha256);

impl Write for HashOnly<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(b"abc"), abc);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), b"abc").unwrap();
        assert_eq!(file(&dir.path().join("x"), &Cancel::new()).unwrap(), (3, abc.to_owned()));
    }
}
