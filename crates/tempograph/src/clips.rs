//! Clips of the highlights, in the output folder's `clips/`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use tempograph_core::{
    Cancel, Error, ErrorKind, Issue, Result, Span, Timeline,
    timeline::{StageRun, Video},
};
use tempograph_media::encode::{self, CutOptions, Piece};
use tempograph_pipeline::run::{Analysis, Progress as _};

use crate::{progress::Display, settings::Settings};

/// How clips are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct How {
    /// Copy from a key frame on instead of encoding anew.
    pub(crate) fast: bool,
    /// Audio stream, from 0; the file's default when absent.
    pub(crate) audio: Option<usize>,
}

/// Cuts the highlights of `timeline` out of `source` and writes each one's path into it. What each
/// clip really holds comes back, in the order of the highlights.
///
/// # Errors
/// When `source` cannot be read or is not this video any more, or `out` cannot be written.
pub(crate) fn write(
    timeline: &mut Timeline,
    source: &Path,
    out: &Path,
    how: How,
    display: &Display,
    cancel: &Cancel,
) -> Result<Vec<Span>> {
    let folder = out.join("clips");
    if timeline.highlights.is_empty() {
        clear(&folder, 0)?;
        return Ok(Vec::new());
    }
    let unfinished = Unfinished::new(folder.join(".unfinished"))?;
    let name = |rank: u32| format!("highlight-{rank}.mp4");
    let pieces: Vec<Piece> =
        timeline.highlights.iter().map(|h| Piece { span: h.span, out: unfinished.0.join(name(h.rank)) }).collect();
    let spans = if how.fast {
        pieces
            .iter()
            .map(|p| encode::copy(source, p.span, &p.out, how.audio, cancel).map(|copied| copied.span))
            .collect::<Result<_>>()?
    } else {
        let bar = display.cutting();
        let Video { start_s, .. } = timeline.video;
        let last = pieces.iter().map(|p| p.span.end).max().unwrap_or(start_s);
        let options = CutOptions { audio: how.audio, ..CutOptions::default() };
        encode::cut_all(source, &pieces, &options, cancel, &mut |time| bar.media(time - start_s, last - start_s))?;
        pieces.iter().map(|p| p.span).collect()
    };
    // Only now that there is each of them do they take the places of earlier ones.
    for highlight in &mut timeline.highlights {
        let name = name(highlight.rank);
        let whole = folder.join(&name);
        fs::rename(unfinished.0.join(&name), &whole).map_err(|e| Error::io("put a clip in its place", &whole, e))?;
        highlight.clip = Some(format!("clips/{name}"));
    }
    clear(&folder, pieces.len())?;
    Ok(spans)
}

/// A folder for clips until there is each of them. It goes when dropped, and a killed call's when the next one begins.
struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: PathBuf) -> Result<Self> {
        let failed = |e| Error::io("make the folder of clips", &path, e);
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        fs::create_dir_all(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // What cannot be removed now is when the next clips are made.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Removes the clips of an earlier call that made more than the `now` of this one.
fn clear(folder: &Path, now: usize) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        if entry.file_name().to_str().and_then(rank).is_some_and(|rank| rank > now) {
            fs::remove_file(entry.path()).map_err(|e| Error::io("remove an earlier clip", &entry.path(), e))?;
        }
    }
    Ok(())
}

/// Which clip a file is by its name; `None` for a file that is not ours.
fn rank(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("highlight-")?.strip_suffix(".mp4")?;
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// [`write()`] as a part of an analysis: what fails is an issue of the result.
///
/// # Errors
/// When `cancel` was raised or the disk is full.
pub(crate) fn stage(
    analysis: &mut Analysis,
    source: &Path,
    out: &Path,
    settings: &Settings,
    display: &Display,
    cancel: &Cancel,
) -> Result<()> {
    if analysis.timeline.video.video_codec.is_none() {
        return Ok(());
    }
    let started = Instant::now();
    let how = How { fast: false, audio: settings.audio_stream.map(|i| i.0) };
    let (status, items) = match write(&mut analysis.timeline, source, out, how, display, cancel) {
        Ok(spans) => ("done", spans.len() as u64),
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::DiskFull) => return Err(error),
        Err(error) => {
            analysis.timeline.issues.push(Issue::from_error("clips", &error));
            ("failed", 0)
        }
    };
    analysis.timeline.run.stages.push(StageRun {
        name: "clips".to_owned(),
        status: status.to_owned(),
        wall_s: started.elapsed().as_secs_f64(),
        items,
        ..StageRun::default()
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clips_of_an_earlier_call_are_removed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = ["highlight-1.mp4", "highlight-2.mp4", "highlight-12.mp4", "highlight-reel.mp4", "highlight-.mp4"];
        for name in names {
            fs::write(folder.path().join(name), "x").expect("it is written");
        }
        clear(folder.path(), 1).expect("it clears");
        let left = names.map(|name| folder.path().join(name).exists());
        assert_eq!(left, [true, false, false, true, true]);
        clear(&folder.path().join("nowhere"), 0).expect("nothing is to be cleared");
    }
}
