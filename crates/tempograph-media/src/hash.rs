//! The identity of a video: BLAKE3 over its bytes.

use std::{fs::File, io::Read, path::Path};

use tempograph_core::{Error, Result};

/// BLAKE3 of a file's bytes, 64 lower-case hexadecimal digits.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn content_hash(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io("open", path, e))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_hex().to_string()),
            Ok(n) => {
                hasher.update(&buffer[..n]);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path, e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_of_abc_is_the_published_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(content_hash(&path).unwrap(), "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
    }

    #[test]
    fn a_missing_file_is_not_found() {
        let err = content_hash(Path::new("/nonexistent/x")).unwrap_err();
        assert_eq!(err.code().as_str(), "not_found");
    }
}
