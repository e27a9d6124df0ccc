//! `tempograph analyze`: one file or many.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};
use tempograph_media::{MediaInfo, content_hash, probe};
use tempograph_pipeline::run::{self, Analysis, Request, SoFar};
use tempograph_store::Library;

use super::print;
use crate::{
    args, asking, clips, imports::Imports, indexing, output::folder_for, progress::Display, registry::Registry,
    results, settings::Settings, sources, summary, sys,
};

/// Exit status of a batch in which some inputs failed.
const SOME_FAILED: u8 = 3;

/// Analyses every source; a failure of one does not stop the others of a batch.
pub(crate) fn run(args: &args::Analyze, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    let sources = sources::expand(&args.sources)?;
    let imports = Imports::open(&settings.import)?;
    imports.suit(sources.files.len())?;
    let settings = &imports.instead(settings);
    let library = Library::open(data)?;
    let registry = Registry::open(settings, data)?;
    let display = Display::new();
    registry.prepare(&display, cancel)?;
    let mut failed: Vec<(PathBuf, Error)> = Vec::new();
    let mut taken = BTreeMap::new();
    let count = sources.files.len();
    for (i, path) in sources.files.iter().enumerate() {
        if sources.batch {
            display.file(i + 1, count, path);
        }
        let out = unique_folder(folder_for(path, args.out.as_deref(), sources.batch), path, &mut taken);
        let job = Job {
            path,
            out: &out,
            answer: match (args.plan, args.json) {
                (true, true) => Answer::JsonPlan,
                (true, false) => Answer::Plan,
                (false, true) => Answer::Json,
                (false, false) => Answer::Summary,
            },
            explain: args.explain,
            settings,
            imports: &imports,
            library: &library,
            registry: &registry,
            display: &display,
        };
        match job.run(cancel) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Cancelled || !sources.batch => return Err(error),
            Err(error) => {
                display.failed(path, &error);
                failed.push((path.clone(), error));
            }
        }
    }
    if failed.is_empty() {
        return Ok(0);
    }
    display.batch_end(count - failed.len(), &failed);
    Ok(SOME_FAILED)
}

/// Analyses one file with the settings as they are and prints nothing.
pub(crate) fn silently(
    path: &Path,
    out: &Path,
    settings: &Settings,
    library: &Library,
    display: &Display,
    cancel: &Cancel,
) -> Result<()> {
    let imports = Imports::open(&settings.import)?;
    let settings = &imports.instead(settings);
    let registry = Registry::open(settings, library.root())?;
    registry.prepare(display, cancel)?;
    let (answer, explain, registry, imports) = (Answer::Nothing, false, &registry, &imports);
    Job { path, out, answer, explain, settings, imports, library, registry, display }.run(cancel)
}

/// What an analysis of `path` that is under way, or was stopped, knows already.
///
/// # Errors
/// When the file is no media, or the library cannot be read.
pub(crate) fn so_far(
    path: &Path,
    settings: &Settings,
    library: &Library,
    registry: &Registry,
    display: &Display,
    cancel: &Cancel,
) -> Result<Option<SoFar>> {
    let imports = Imports::open(&settings.import)?;
    let settings = &imports.instead(settings);
    let (info, id) = (probe(path)?, content_hash(path)?);
    let job = Job {
        path,
        out: path,
        answer: Answer::Nothing,
        explain: false,
        settings,
        imports: &imports,
        library,
        registry,
        display,
    };
    let found = job.prepared(&info, &id, &path.display().to_string(), cancel, run::so_far)?;
    Ok(found.map(|mut found| {
        found.reached.running = library.is_analysing(&id);
        found
    }))
}

/// What is printed at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Summary,
    Json,
    /// What asking would take, before anything is done.
    Plan,
    /// The same as JSON.
    JsonPlan,
    Nothing,
}

/// Two files of one name in different folders must not write into one folder.
fn unique_folder(folder: PathBuf, source: &Path, taken: &mut BTreeMap<PathBuf, PathBuf>) -> PathBuf {
    let mut candidate = folder.clone();
    let mut n = 2;
    while taken.get(&candidate).is_some_and(|by| by != source) {
        let mut name = folder.file_name().unwrap_or_default().to_os_string();
        name.push(format!("-{n}"));
        candidate = folder.with_file_name(name);
        n += 1;
    }
    taken.insert(candidate.clone(), source.to_owned());
    candidate
}

struct Job<'a> {
    path: &'a Path,
    out: &'a Path,
    answer: Answer,
    explain: bool,
    settings: &'a Settings,
    imports: &'a Imports,
    library: &'a Library,
    registry: &'a Registry,
    display: &'a Display,
}

impl Job<'_> {
    fn run(&self, cancel: &Cancel) -> Result<()> {
        let started = Instant::now();
        let cpu_before = sys::process_cpu();
        // Cheap refusals first: a bad file must not cost the time to hash it.
        let info = probe(self.path)?;
        let id = content_hash(self.path)?;
        let _span = tracing::info_span!("analyze", video = %&id[..12]).entered();
        let lock =
            self.library.lock(&id, cancel, || self.display.note("waiting: another process analyses this video"))?;
        let uri = self.path.display().to_string();
        if self.answer == Answer::Plan || self.answer == Answer::JsonPlan {
            let estimate = self.prepared(&info, &id, &uri, cancel, run::estimate)?;
            let as_json = self.answer == Answer::JsonPlan;
            return print(&format!("{}\n", asking::shown(self.path, estimate.as_ref(), self.settings, as_json)));
        }
        // Later commands may be called from elsewhere.
        let place = std::path::absolute(self.path).unwrap_or_else(|_| self.path.to_owned());
        self.library.put_video(&id, &place.display().to_string())?;
        self.registry.begin_video();
        let mut analysis = self.prepared(&info, &id, &uri, cancel, run::analyze)?;
        drop(lock);
        results::draw(&mut analysis, self.path, self.out, self.settings, self.display, cancel)?;
        if self.settings.clips.is_on() {
            clips::stage(&mut analysis, self.path, self.out, self.settings, self.display, cancel)?;
        }
        indexing::embed(&mut analysis.timeline, self.library, self.registry, cancel)?;
        self.measure(&mut analysis, started, cpu_before);
        let frames = std::mem::take(&mut analysis.frames);
        let analysis = results::write(analysis, self.path, self.out, self.library.objects().as_ref())?;
        self.library.put_run(&id, &self.registry.plan(), &analysis.timeline, &analysis.graph, &analysis.detections)?;
        indexing::keep_frames(&id, &frames, self.library, self.registry)?;
        match self.answer {
            Answer::Json => print(&results::json(&analysis.timeline)?)?,
            Answer::Summary => print(&format!("{}\n", summary::text(&analysis.timeline, self.out)))?,
            Answer::Plan | Answer::JsonPlan | Answer::Nothing => {}
        }
        Ok(())
    }

    /// Does `work` with everything that an analysis of this file needs.
    fn prepared<T>(
        &self,
        info: &MediaInfo,
        id: &str,
        uri: &str,
        cancel: &Cancel,
        work: impl FnOnce(Request<'_>) -> Result<T>,
    ) -> Result<T> {
        let explain = |line: &str| {
            if self.explain {
                self.display.note(line);
            }
        };
        let options = self.imports.decide(self.registry.options()?, self.settings);
        let mut stages = self.registry.stages(self.library)?;
        self.imports.apply(&mut stages, self.path, info.start)?;
        let asking = asking::asking(self.settings, self.registry, &mut stages)?;
        let progress = self.display.media();
        work(Request {
            path: self.path,
            uri,
            id,
            info,
            audio_stream: self.settings.audio_stream.map(|i| i.0),
            stages,
            options: &options,
            asking,
            cache: self.library,
            objects: self.library.objects().as_ref(),
            progress: &progress,
            cancel,
            explain: &explain,
        })
    }

    /// Fills in what the whole process used.
    fn measure(&self, analysis: &mut Analysis, started: Instant, cpu_before: f64) {
        self.registry.account(&mut analysis.timeline.run, &mut analysis.timeline.issues);
        let run = &mut analysis.timeline.run;
        run.wall_s = started.elapsed().as_secs_f64();
        run.cpu_s = sys::process_cpu() - cpu_before;
        run.peak_rss_bytes = sys::peak_rss_bytes();
        let duration = analysis.timeline.video.duration_s.as_secs_f64();
        run.real_time_factor = if duration > 0.0 { run.wall_s / duration } else { 0.0 };
    }
}
