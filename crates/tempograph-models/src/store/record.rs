//! What was stored of a model, written beside its files.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use tempograph_core::{Error, ErrorKind, Result};

use super::{LocatedFile, ModelEntry, convert};

/// The content of `installed.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The files as published, in the manifest's order.
    pub pulled: Vec<Pulled>,
    /// What converted them, with its version.
    #[serde(default)]
    pub converted: Option<String>,
    /// The files in the folder, the main one first.
    pub files: Vec<LocatedFile>,
}

/// A file as published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pulled {
    pub name: String,
    pub sha256: String,
    /// Where it came from, for people.
    pub source: String,
}

impl Record {
    /// Reads the record at `path`; none when there is none or it is not one.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(Error::io("read", path, e)),
        }
    }

    /// Writes the record to `path`, down to the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("cannot write JSON: {e}")))?;
        let write = || {
            let mut file = fs::File::create(path)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.sync_all()
        };
        write().map_err(|e| Error::io("write", path, e))
    }

    /// Whether it is of the very files and the very conversion that `entry` asks for.
    pub(super) fn is_of(&self, entry: &ModelEntry) -> bool {
        let same =
            entry.files_here().map(|f| (&f.name, &f.sha256)).eq(self.pulled.iter().map(|f| (&f.name, &f.sha256)));
        same && self.converted == entry.convert.as_deref().map(convert::version)
    }

    /// Whether its files are in `folder` with their lengths.
    pub(super) fn lies_in(&self, folder: &Path) -> bool {
        let there = |f: &LocatedFile| fs::metadata(folder.join(&f.name)).is_ok_and(|m| m.len() == f.bytes);
        !self.files.is_empty() && self.files.iter().all(there)
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|f| f.bytes).sum()
    }
}
