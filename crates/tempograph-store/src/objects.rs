//! Objects as files under the hash of their content.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use tempograph_core::{Error, ErrorKind, Result};
use tempograph_pipeline::cache::Objects;

/// A folder of objects.
#[derive(Debug)]
pub struct FileObjects {
    root: PathBuf,
}

impl FileObjects {
    /// The objects under `root`, which is made when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|e| Error::io("make the object folder", &root, e))?;
        Ok(Self { root })
    }

    /// Where the object `key` lies.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when it is not a key.
    pub fn file(&self, key: &str) -> Result<PathBuf> {
        self.path(key)
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        // Keys come back from the database: only a hash may become a path.
        if key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::new(ErrorKind::InvalidData, format!("not an object key: {key:?}")));
        }
        Ok(self.root.join(&key[..2]).join(key))
    }
}

impl Objects for FileObjects {
    fn put(&self, bytes: &[u8]) -> Result<String> {
        let key = blake3::hash(bytes).to_hex().to_string();
        let path = self.path(&key)?;
        if path.exists() {
            return Ok(key);
        }
        let folder = path.parent().unwrap_or(&self.root);
        write_atomically(folder, &path, bytes)?;
        Ok(key)
    }

    fn get(&self, key: &str) -> Result<Vec<u8>> {
        let path = self.path(key)?;
        fs::read(&path).map_err(|e| Error::io("read an object", &path, e))
    }
}

fn write_atomically(folder: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e| Error::io("write an object", path, e);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_data().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_are_kept_once_and_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let objects = FileObjects::open(dir.path()).unwrap();
        let key = objects.put(b"hello").unwrap();
        assert_eq!(objects.put(b"hello").unwrap(), key);
        assert_eq!(objects.get(&key).unwrap(), b"hello");
        let files = walk(dir.path());
        assert_eq!(files, 1);
    }

    #[test]
    fn a_key_cannot_leave_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let objects = FileObjects::open(dir.path()).unwrap();
        assert_eq!(objects.get("../../etc/passwd").unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(objects.get(&"0".repeat(64)).unwrap_err().kind(), ErrorKind::NotFound);
    }

    fn walk(path: &Path) -> usize {
        fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).map(|p| if p.is_dir() { walk(&p) } else { 1 }).sum()
    }
}
