//! The output folder: one file per thing a person or a program wants.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use tempograph_core::{Error, Result};

/// Writes `path` through a temporary file beside it, so that a reader never sees half of it.
///
/// # Errors
/// When the folder cannot be written, a full disk among the reasons.
pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let failed = |e| Error::io("write a result", path, e);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    let part = folder.join(name);
    let result = (|| {
        let file = fs::File::create(&part).map_err(failed)?;
        let mut buffered = std::io::BufWriter::new(file);
        fill(&mut buffered)?;
        let file = buffered.into_inner().map_err(|e| failed(e.into_error()))?;
        file.sync_data().map_err(failed)?;
        fs::rename(&part, path).map_err(failed)
    })();
    if result.is_err() {
        // The first failure is the one to report.
        let _ignored = fs::remove_file(&part);
    }
    result
}

/// The folder for `source` when none was named: `tempograph-out/<file stem>`.
pub(crate) fn folder_for(source: &Path, out: Option<&Path>, batch: bool) -> PathBuf {
    let stem = source.file_stem().map_or_else(|| "video".into(), |s| s.to_os_string());
    match out {
        Some(out) if batch => out.join(stem),
        Some(out) => out.to_owned(),
        None => Path::new("tempograph-out").join(stem),
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::ErrorKind;

    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write(&path, |w| w.write_all(b"old").map_err(|e| Error::io("x", Path::new("x"), e))).unwrap();
        let err = write(&path, |_| Err(Error::new(ErrorKind::Internal, "no"))).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Internal);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_batch_gets_a_folder_each() {
        let f = |out: Option<&str>, batch| folder_for(Path::new("x/a.mp4"), out.map(Path::new), batch);
        assert_eq!(f(None, false), Path::new("tempograph-out/a"));
        assert_eq!(f(Some("o"), false), Path::new("o"));
        assert_eq!(f(Some("o"), true), Path::new("o/a"));
    }
}
