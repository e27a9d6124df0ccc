//! `tempograph highlights`: the moments worth keeping, as a list and as clips.

use std::{fmt::Write as _, path::Path};

use serde_json::{Value, json};
use tempograph_core::{Cancel, Error, ErrorKind, Result, Span, Timeline};
use tempograph_media::content_hash;
use tempograph_pipeline::fuse::highlights;
use tempograph_store::Library;

use super::{analyze, export, print};
use crate::{
    args,
    clips::{self, How},
    output::folder_for,
    progress::Display,
    registry::Registry,
    results,
    settings::Settings,
};

/// Decides the highlights anew from the most recent analysis, cuts them, and keeps both.
pub(crate) fn run(args: &args::Highlights, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    let options = Registry::highlights(settings)?;
    let library = Library::open(data)?;
    let display = Display::new();
    let mut run = match export::find(&library, &args.video) {
        Err(error) if error.kind() == ErrorKind::NotFound && Path::new(&args.video).is_file() => {
            let path = Path::new(&args.video);
            let out = folder_for(path, args.out.as_deref(), false);
            analyze::silently(path, &out, settings, &library, &display, cancel)?;
            export::find(&library, &args.video)?
        }
        found => found?,
    };
    let source = export::source(&library, &run, &args.video)?;
    let out = folder_for(&source, args.out.as_deref(), false);
    highlights::fill(&mut run.timeline, &run.detections, &options);
    let mut real = Vec::new();
    if !args.no_clips && run.timeline.video.video_codec.is_some() {
        // A file that was named was found by what it holds.
        if source != Path::new(&args.video) {
            require_same(&source, &run.timeline.video.id)?;
        }
        let how = How { fast: args.fast, audio: settings.audio_stream.map(|i| i.0) };
        real = clips::write(&mut run.timeline, &source, &out, how, &display, cancel)?;
    }
    library.set_timeline(run.id, &run.timeline)?;
    results::refresh(&run, &source, &out)?;
    let text = if args.json { as_json(&run.timeline, &real)? } else { as_text(&run.timeline, &real, &out) };
    print(&text)?;
    Ok(0)
}

/// Refuses a file that is gone or is not the video of this id.
fn require_same(source: &Path, id: &str) -> Result<()> {
    let what = match source.is_file() {
        false => "the video is not where it was analysed",
        true if content_hash(source)? != id => "there is another video now where this one was analysed",
        true => return Ok(()),
    };
    Err(Error::new(ErrorKind::NotFound, format!("{what}: {}", source.display()))
        .with_hint("name the file itself, or leave the clips out with `--no-clips`"))
}

/// The highlights as `analysis.json` has them, with `clip_start_s` and `clip_end_s`: what a clip
/// really holds, on the clock of the video.
fn as_json(timeline: &Timeline, real: &[Span]) -> Result<String> {
    let failed = |e| Error::new(ErrorKind::Internal, format!("highlights cannot be written as JSON: {e}"));
    let mut list = Vec::new();
    for (i, highlight) in timeline.highlights.iter().enumerate() {
        let mut value = serde_json::to_value(highlight).map_err(failed)?;
        if let Some(span) = real.get(i) {
            value["clip_start_s"] = json!(span.start);
            value["clip_end_s"] = json!(span.end);
        }
        list.push(value);
    }
    Ok(format!("{:#}\n", Value::from(list)))
}

fn as_text(timeline: &Timeline, real: &[Span], out: &Path) -> String {
    let mut text = String::new();
    if timeline.highlights.is_empty() {
        text.push_str("nothing stands out\n");
    }
    for (i, h) in timeline.highlights.iter().enumerate() {
        let share = (h.clip_worthy_score * 100.0).round();
        let _infallible =
            write!(text, "{}. {} to {}  {share}%  {}", h.rank, h.span.start, h.span.end, h.reasons.join(", "));
        if let (Some(clip), Some(span)) = (&h.clip, real.get(i)) {
            let _infallible = write!(text, "\n   {}", out.join(clip).display());
            if *span != h.span {
                let _infallible = write!(text, ", from the key frame at {} to {}", span.start, span.end);
            }
        }
        text.push('\n');
    }
    text
}
