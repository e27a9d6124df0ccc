//! `tempograph export`: an analysed video in another format.

use std::path::{Path, PathBuf};

use tempograph_core::{Error, ErrorKind, Result};
use tempograph_export::{Export, Format, Observations, report};
use tempograph_media::content_hash;
use tempograph_store::{Library, RunRecord};

use super::print_with;
use crate::{args, output, results};

/// Writes the most recent result of a video.
pub(crate) fn run(args: &args::Export, data: &Path) -> Result<u8> {
    let format: Format = args.format.parse()?;
    let library = Library::open(data)?;
    let run = find(&library, &args.video)?;
    let source = source(&library, &run, &args.video)?;
    // A page and a project find the video from where they lie.
    let folder = args.out.as_deref().and_then(Path::parent).filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
    let (report, media) = (results::report_options(&source, folder), report::file_address(&source));
    let detections = || Ok(Box::new(run.detections.iter().cloned().map(Ok)) as Observations<'_>);
    let export =
        Export::new(&run.timeline, &run.graph).with_observations(&detections).with_report(&report).with_media(&media);
    match &args.out {
        Some(folder) if format == Format::Yolo && folder.extension().is_none_or(|e| e != "zip") => {
            tempograph_export::yolo_files(&export, &mut |name, bytes| {
                let path = folder.join(name);
                output::write(&path, |w| w.write_all(bytes).map_err(|e| Error::io("write a result", &path, e)))
            })?;
        }
        Some(path) => output::write(path, |w| format.write(&export, w))?,
        None => print_with(|out| format.write(&export, out))?,
    }
    Ok(0)
}

/// The file of `run`: as it was named now, else where it was seen last.
pub(crate) fn source(library: &Library, run: &RunRecord, named: &str) -> Result<PathBuf> {
    let path = Path::new(named);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let seen = library.videos()?.into_iter().find(|video| video.id == run.timeline.video.id);
    Ok(PathBuf::from(seen.map_or_else(|| run.timeline.video.uri.clone(), |video| video.uri)))
}

/// The most recent run of a video, named by its file, its id or the beginning of its id.
pub(crate) fn find(library: &Library, video: &str) -> Result<RunRecord> {
    let id = identify(library, video)?;
    library.run(&id, None)?.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, format!("this video has not been analysed: {video}"))
            .with_hint("run `tempograph analyze` on it first")
    })
}

/// The id of a video, named by its file, its id or the beginning of its id.
pub(crate) fn identify(library: &Library, video: &str) -> Result<String> {
    let path = Path::new(video);
    if path.is_file() {
        return content_hash(path);
    }
    let mut matching =
        library.videos()?.into_iter().filter(|v| video.len() >= 6 && v.id.starts_with(video)).map(|v| v.id);
    match (matching.next(), matching.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => {
            Err(Error::new(ErrorKind::Usage, format!("several videos have ids that begin with: {video}")))
        }
        (None, _) => {
            Err(Error::new(ErrorKind::NotFound, format!("no such file, and no such video in the library: {video}"))
                .with_hint("run `tempograph analyze` on it first"))
        }
    }
}
