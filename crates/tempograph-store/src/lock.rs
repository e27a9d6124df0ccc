//! One process at a time for each video.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use fs4::fs_std::FileExt as _;
use tempograph_core::{Cancel, Error, Result};

/// Held while a video is analysed; the operating system lets go of it when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct VideoLock {
    _file: File,
}

impl VideoLock {
    /// Whether some process holds the lock of the video `id` now.
    pub(crate) fn is_held(folder: &Path, id: &str) -> bool {
        let file = File::options().write(true).open(folder.join(format!("{id}.lock")));
        file.is_ok_and(|f| matches!(f.try_lock_exclusive(), Ok(false)))
    }

    /// Waits until no other process analyses the video `id`, calling `waiting` once if it must wait.
    ///
    /// # Errors
    /// When the lock file cannot be made, or `cancel` was raised while waiting.
    pub(crate) fn acquire(folder: &Path, id: &str, cancel: &Cancel, waiting: impl FnOnce()) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|e| Error::io("make the lock folder", folder, e))?;
        let path = folder.join(format!("{id}.lock"));
        let failed = |e| Error::io("lock a video", &path, e);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        let mut waiting = Some(waiting);
        loop {
            if file.try_lock_exclusive().map_err(failed)? {
                return Ok(Self { _file: file });
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            cancel.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
