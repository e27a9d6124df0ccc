//! What an analysis leaves in the output folder.

use std::{fs, path::Path, time::Instant};

use tempograph_core::{Cancel, Claim, Error, ErrorKind, Issue, Result, Timeline, timeline::StageRun};
use tempograph_export::{Export, Format, Observations, report};
use tempograph_media::annotate;
use tempograph_pipeline::{
    cache::Objects,
    run::{Analysis, Progress as _},
};
use tempograph_store::RunRecord;

use crate::{depth, output, progress::Display, settings::Settings};

/// Raised whenever the annotated video would look different.
const ANNOTATION_VERSION: u32 = 2;
/// The annotated video, in the output folder.
const ANNOTATED: &str = "annotated.mp4";
/// Notes what the annotated video was made from, so that it is not made twice.
const ANNOTATED_FROM: &str = ".annotated-from";

/// `timeline` as `analysis.json` holds it.
pub(crate) fn json(timeline: &Timeline) -> Result<String> {
    serde_json::to_string_pretty(timeline)
        .map(|s| s + "\n")
        .map_err(|e| Error::new(ErrorKind::Internal, format!("a timeline cannot be written as JSON: {e}")))
}

/// Draws the annotated video into `out`, unless it is there already or not wanted.
///
/// # Errors
/// When `cancel` was raised or the disk is full. Any other failure is an issue of the result.
pub(crate) fn draw(
    analysis: &mut Analysis,
    source: &Path,
    out: &Path,
    settings: &Settings,
    display: &Display,
    cancel: &Cancel,
) -> Result<()> {
    if !settings.annotate.is_on() || analysis.timeline.video.video_codec.is_none() {
        return Ok(());
    }
    let started = Instant::now();
    let (status, frames) = match annotate(analysis, source, out, display, cancel) {
        Ok(Some(frames)) => ("done", frames),
        Ok(None) => ("cached", 0),
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::DiskFull) => return Err(error),
        Err(error) => {
            analysis.timeline.issues.push(Issue::from_error("annotate", &error));
            ("failed", 0)
        }
    };
    analysis.timeline.run.stages.push(StageRun {
        name: "annotate".to_owned(),
        status: status.to_owned(),
        cached: status == "cached",
        wall_s: started.elapsed().as_secs_f64(),
        cpu_s: 0.0,
        items: frames,
    });
    Ok(())
}

/// Writes everything else into `out`, `analysis.json` last. The analysis comes back with the paths
/// of what was written.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn write(mut analysis: Analysis, source: &Path, out: &Path, objects: &dyn Objects) -> Result<Analysis> {
    write_thumbnails(&mut analysis, out)?;
    depth::write(&analysis, out, objects)?;
    write_cuts(&analysis, out)?;
    let detections = || Ok(Box::new(analysis.detections.iter().cloned().map(Ok)) as Observations<'_>);
    let export = Export::new(&analysis.timeline, &analysis.graph).with_observations(&detections);
    for format in [Format::Srt, Format::Vtt, Format::Txt, Format::Detections, Format::GraphJson, Format::GraphMl] {
        output::write(&out.join(format.file_name()), |w| format.write(&export, w))?;
    }
    let options = report_options(source, out);
    output::write(&out.join(Format::Html.file_name()), |w| Format::Html.write(&export.with_report(&options), w))?;
    // Last: whoever finds it knows that the rest is there.
    output::write(&out.join(Format::Json.file_name()), |w| Format::Json.write(&export, w))?;
    Ok(analysis)
}

/// What a page in the folder `out` needs to play the video.
pub(crate) fn report_options(source: &Path, out: &Path) -> report::ReportOptions {
    report::ReportOptions {
        video_src: source.is_file().then(|| report::relative(source, out)).flatten(),
        annotated_src: out.join(ANNOTATED).is_file().then(|| ANNOTATED.to_owned()),
        ..report::ReportOptions::default()
    }
}

/// Brings `analysis.json` and the report in `out` up to date, where they are of this video.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn refresh(run: &RunRecord, source: &Path, out: &Path) -> Result<()> {
    let path = out.join(Format::Json.file_name());
    let known = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Timeline>(&text).ok());
    if known.is_none_or(|known| known.video.id != run.timeline.video.id) {
        return Ok(());
    }
    let detections = || Ok(Box::new(run.detections.iter().cloned().map(Ok)) as Observations<'_>);
    let options = report_options(source, out);
    let export = Export::new(&run.timeline, &run.graph).with_observations(&detections).with_report(&options);
    output::write(&out.join(Format::Html.file_name()), |w| Format::Html.write(&export, w))?;
    output::write(&path, |w| Format::Json.write(&export, w))
}

fn write_thumbnails(analysis: &mut Analysis, out: &Path) -> Result<()> {
    for (scene, jpeg) in analysis.timeline.scenes.iter_mut().zip(&analysis.thumbnails) {
        let Some(jpeg) = jpeg else { continue };
        let name = format!("thumbs/{}.jpg", scene.id);
        output::write(&out.join(&name), |w| {
            w.write_all(jpeg).map_err(|e| Error::io("write a thumbnail", &out.join(&name), e))
        })?;
        scene.thumbnail = Some(name);
    }
    Ok(())
}

/// `scenes.json`: what each scene detector found, for whoever compares them.
fn write_cuts(analysis: &Analysis, out: &Path) -> Result<()> {
    let detectors: serde_json::Map<_, _> = analysis
        .cuts
        .iter()
        .map(|c| {
            let frames: Vec<_> = c.cuts.iter().map(|cut| cut.frame).collect();
            let seconds: Vec<_> = c.cuts.iter().map(|cut| cut.time.as_secs_f64()).collect();
            (format!("detect-{}", c.detector), serde_json::json!({"cut_frames": frames, "cut_seconds": seconds}))
        })
        .collect();
    if detectors.is_empty() {
        return Ok(());
    }
    let mut all = serde_json::Map::new();
    all.insert("fps".to_owned(), analysis.timeline.video.fps.into());
    all.extend(detectors);
    output::write(&out.join("scenes.json"), |w| {
        writeln!(w, "{:#}", serde_json::Value::Object(all)).map_err(|e| Error::io("write the cuts", out, e))
    })
}

/// Draws the annotated video unless it is there already; the number of frames drawn.
fn annotate(analysis: &Analysis, source: &Path, out: &Path, display: &Display, cancel: &Cancel) -> Result<Option<u64>> {
    let path = out.join(ANNOTATED);
    let from = annotated_from(analysis)?;
    let note = out.join(ANNOTATED_FROM);
    if path.is_file() && fs::read_to_string(&note).is_ok_and(|known| known == from) {
        return Ok(None);
    }
    fs::create_dir_all(out).map_err(|e| Error::io("make the output folder", out, e))?;
    let bar = display.rendering();
    let video = &analysis.timeline.video;
    let detections = analysis.detections.iter().filter_map(|o| match &o.claim {
        Claim::Detections { detections, .. } => Some((o.span.start, detections)),
        _ => None,
    });
    let options = annotate::AnnotateOptions::default();
    let written = annotate::render(source, &analysis.timeline, detections, &path, &options, cancel, &mut |time| {
        bar.media(time - video.start_s, video.duration_s);
    })?;
    output::write(&note, |w| w.write_all(from.as_bytes()).map_err(|e| Error::io("write a note", &note, e)))?;
    Ok(Some(written.frames))
}

/// Everything the annotated video shows, as a hash.
fn annotated_from(analysis: &Analysis) -> Result<String> {
    let mut shown = analysis.timeline.clone();
    shown.run = tempograph_core::timeline::Run::default();
    shown.issues.clear();
    shown.video.uri.clear();
    // Neither is drawn, and both change with settings that change nothing else.
    shown.highlights.clear();
    shown.summary = tempograph_core::timeline::Summary::default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&ANNOTATION_VERSION.to_le_bytes());
    hasher.update(json(&shown)?.as_bytes());
    for observation in &analysis.detections {
        let line = serde_json::to_vec(observation)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a claim cannot be written as JSON: {e}")))?;
        hasher.update(&line);
    }
    Ok(hasher.finalize().to_hex().to_string())
}
