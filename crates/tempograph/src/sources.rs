//! From what was typed to the files that are meant.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tempograph_core::{Error, ErrorKind, Result};

/// Endings that a folder is searched for. A file named outright may have any ending.
const MEDIA_ENDINGS: &[&str] = &[
    "3gp", "aac", "asf", "avi", "flac", "flv", "m2ts", "m4a", "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "mts",
    "mxf", "oga", "ogg", "ogv", "opus", "ts", "vob", "wav", "webm", "wma", "wmv", "y4m",
];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Files, without repeats, in the order they were named.
    pub(crate) files: Vec<PathBuf>,
    /// Whether one failure should not stop the others.
    pub(crate) batch: bool,
}

/// Expands folders, globs and list files.
///
/// # Errors
/// When a folder or list cannot be read, a glob is malformed, or nothing is left.
pub(crate) fn expand(typed: &[String]) -> Result<Sources> {
    let mut files = Vec::new();
    let mut batch = typed.len() > 1;
    for source in typed {
        batch |= add(source, &mut files, true)?;
    }
    let mut seen = BTreeSet::new();
    files.retain(|f| seen.insert(f.clone()));
    if files.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, format!("no media files there: {}", typed.join(" ")))
            .with_hint("name a file outright if its ending is unusual"));
    }
    Ok(Sources { files, batch })
}

/// Adds what `source` stands for; tells whether it may stand for several files.
fn add(source: &str, files: &mut Vec<PathBuf>, lists: bool) -> Result<bool> {
    let path = Path::new(source);
    if path.is_dir() {
        add_folder(path, files)?;
        return Ok(true);
    }
    if path.exists() {
        files.push(path.to_owned());
        return Ok(false);
    }
    if let Some(list) = source.strip_prefix('@').filter(|_| lists) {
        let list = Path::new(list);
        let text = fs::read_to_string(list).map_err(|e| Error::io("read the list", list, e))?;
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            add(line, files, false)?;
        }
        return Ok(true);
    }
    if source.contains(['*', '?', '[']) {
        let found = glob::glob(source)
            .map_err(|e| Error::new(ErrorKind::Usage, format!("the glob is malformed: {}: {source}", e.msg)))?;
        files.extend(found.flatten().filter(|p| p.is_file() && !is_hidden(p)));
        return Ok(true);
    }
    if source.contains("://") {
        return Err(Error::new(ErrorKind::Unsupported, format!("only files can be analysed so far: {source}"))
            .with_hint("download the video first"));
    }
    // A missing file is that file's own failure, so that the rest of a batch goes on.
    files.push(path.to_owned());
    Ok(false)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'))
}

fn add_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |e| Error::io("read the folder", folder, e);
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        if is_hidden(&path) || path.is_symlink() && path.is_dir() {
            continue;
        }
        if path.is_dir() {
            add_folder(&path, files)?;
        } else if path.extension().is_some_and(|e| MEDIA_ENDINGS.contains(&e.to_string_lossy().to_lowercase().as_str()))
        {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_globs_and_lists_give_each_file_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        for name in ["a.mp4", "b.MKV", "notes.txt", "sub/c.wav", ".hidden.mp4"] {
            fs::write(at(name), "x").unwrap();
        }
        fs::write(at("list"), format!("# mine\n\n{}\n", at("a.mp4").display())).unwrap();
        let text = |name: &str| at(name).display().to_string();
        let found = expand(&[dir.path().display().to_string()]).unwrap();
        assert_eq!(found, Sources { files: vec![at("a.mp4"), at("b.MKV"), at("sub/c.wav")], batch: true });
        let found = expand(&[text("*.mp4"), format!("@{}", text("list"))]).unwrap();
        assert_eq!(found.files, vec![at("a.mp4")]);
        assert!(!expand(&[text("a.mp4")]).unwrap().batch);
    }

    #[test]
    fn an_empty_folder_is_an_error_and_a_missing_file_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(expand(&[dir.path().display().to_string()]).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(expand(&["missing.mp4".into()]).unwrap().files.len(), 1);
    }
}
