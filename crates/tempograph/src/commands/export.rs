//! `tempograph export`: an analysed video in another format.

use std::path::Path;

use tempograph_core::{Error, ErrorKind, Result};
use tempograph_export::{Export, Format, Observations};
use tempograph_media::content_hash;
use tempograph_store::{Library, RunRecord};

use crate::{args, output};

/// Writes the most recent result of a video.
pub(crate) fn run(args: &args::Export, data: &Path) -> Result<u8> {
    let format: Format = args.format.parse()?;
    let library = Library::open(data)?;
    let run = find(&library, &args.video)?;
    let detections = || Ok(Box::new(run.detections.iter().cloned().map(Ok)) as Observations<'_>);
    let export = Export::new(&run.timeline, &run.graph).with_observations(&detections);
    match &args.out {
        Some(path) => output::write(path, |w| format.write(&export, w))?,
        None => format.write(&export, &mut std::io::BufWriter::new(std::io::stdout().lock()))?,
    }
    Ok(0)
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
