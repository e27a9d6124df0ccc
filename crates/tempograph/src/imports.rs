//! Files that people bring: their boxes, subtitles and speakers stand in for stages.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempograph_core::{
    Claim, Error, ErrorKind, MediaTime, Observation, Result, Sampling, Span, SpeechSegment, timeline::ModelUse,
};
use tempograph_export::{
    cues::Cue,
    import::{self, ImportFormat, Imported},
};
use tempograph_pipeline::{
    analyze::{given::GivenBoxes, track::TrackOptions},
    run::{FrameStage, Given, Options, Stage, Stages},
};

use crate::settings::{List, Settings};

/// The files, read but not yet understood.
#[derive(Debug, Default)]
pub(crate) struct Imports(Vec<Import>);

#[derive(Debug)]
struct Import {
    format: ImportFormat,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Imports {
    /// Reads the files that `list` names as `FILE` or `FORMAT=FILE`.
    ///
    /// # Errors
    /// `usage` for a format that is not known or two files for one stage; as reading.
    pub(crate) fn open(list: &List) -> Result<Self> {
        let mut imports: Vec<Import> = Vec::new();
        for typed in &list.0 {
            let (format, path) = named(typed)?;
            if let Some(other) = imports.iter().find(|i| i.format.stage() == format.stage()) {
                let (a, b) = (other.path.display(), path.display());
                let message = format!("two files stand in for `{}`: {a}, {b}", format.stage());
                return Err(Error::new(ErrorKind::Usage, message));
            }
            let bytes = read(&path).map_err(|e| Error::io("read what is to be imported", &path, e))?;
            imports.push(Import { format, path, bytes });
        }
        Ok(Self(imports))
    }

    /// Whether they can be of `videos` videos.
    ///
    /// # Errors
    /// `usage` when there are several.
    pub(crate) fn suit(&self, videos: usize) -> Result<()> {
        if self.0.is_empty() || videos <= 1 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "files to import belong to one video").with_hint("analyse it by itself"))
    }

    /// Whether one stands in for `stage`.
    pub(crate) fn has(&self, stage: &str) -> bool {
        self.0.iter().any(|i| i.format.stage() == stage)
    }

    /// The settings without the stages that need not run.
    pub(crate) fn instead(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        // Speakers have no stage of their own to leave out as long as nothing tells them apart.
        settings.skip.0.extend(self.0.iter().map(|i| i.format.stage()).filter(|s| *s != "speakers").map(str::to_owned));
        settings
    }

    /// How to decide from what was brought: boxes of who knows which detector are followed as ByteTrack's paper has it,
    /// unless the settings say how sure they must be.
    pub(crate) fn decide(&self, mut options: Options, settings: &Settings) -> Options {
        options.heard.words |= self.has("speech");
        if self.has("detect") && settings.confidence.is_none() {
            options.track = TrackOptions { tracker: options.track.tracker, ..TrackOptions::default() };
        }
        options
    }

    /// Puts the files' claims among the stages of the video at `path`, whose clock begins at `start`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] with the line when a file is not of its format.
    pub(crate) fn apply(&self, stages: &mut Stages, path: &Path, start: MediaTime) -> Result<()> {
        let recording = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        for import in &self.0 {
            let read = import::read(&import.bytes, import.format, &recording).map_err(|e| import.wrong(&e))?;
            let source = import.source();
            let observations = match read {
                Imported::Boxes(frames) => {
                    let frames: BTreeMap<_, _> = frames.into_iter().map(|(n, f)| (n, (f.size, f.detections))).collect();
                    stages.frames.push(FrameStage {
                        sampling: Sampling::Every,
                        stage: Stage {
                            name: "detect",
                            version: 2,
                            params: json!({"import": import.format.to_string()}),
                            models: vec![source],
                            make: Box::new(move || Ok(Box::new(GivenBoxes::new(frames)) as _)),
                        },
                    });
                    continue;
                }
                Imported::Cues(cues) => cues.iter().flat_map(|cue| spoken(cue, start)).collect(),
                Imported::Turns(turns) => turns
                    .into_iter()
                    .map(|t| Observation {
                        span: Span::new(t.span.start + start, t.span.end + start),
                        claim: Claim::SpeakerTurn { speaker: t.speaker },
                    })
                    .collect(),
            };
            stages.given.push(Given { name: import.format.stage(), source, observations });
        }
        Ok(())
    }
}

impl Import {
    /// Who says so, in the list of models: the file, known by its checksum.
    fn source(&self) -> ModelUse {
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let digest = Sha256::digest(&self.bytes);
        ModelUse {
            task: self.format.stage().to_owned(),
            name,
            sha256: digest.iter().map(|b| format!("{b:02x}")).collect(),
            licence: "not stated".to_owned(),
            runtime: format!("import {}", self.format),
            device: "file".to_owned(),
        }
    }

    fn wrong(&self, error: &Error) -> Error {
        let message = format!("cannot import {}: {error}: {}", self.format, self.path.display());
        let wrapped = Error::new(error.kind(), message);
        match error.hint() {
            Some(hint) => wrapped.with_hint(hint.to_owned()),
            None => wrapped,
        }
    }
}

/// A path before which a format may stand.
fn named(typed: &str) -> Result<(ImportFormat, PathBuf)> {
    if let Some((format, path)) = typed.split_once('=')
        && !Path::new(typed).is_file()
    {
        return Ok((format.parse()?, PathBuf::from(path)));
    }
    let format = ImportFormat::from_file_name(typed).ok_or_else(|| {
        let known = ImportFormat::ALL.map(|(name, _)| name).join(", ");
        Error::new(ErrorKind::Usage, format!("which format is it? {typed}"))
            .with_hint(format!("write `FORMAT=FILE` with one of {known}"))
    })?;
    Ok((format, PathBuf::from(typed)))
}

/// The file's bytes, one more than is taken at most: what is too long is refused, not read whole.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(import::MOST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A cue as speech. Lines of different voices are said one after the other, each in proportion to
/// its length: the file does not say more.
fn spoken(cue: &Cue, start: MediaTime) -> Vec<Observation> {
    let mut parts: Vec<(Option<&str>, String)> = Vec::new();
    for line in &cue.lines {
        match parts.last_mut() {
            Some((speaker, text)) if *speaker == line.speaker.as_deref() => {
                text.push(' ');
                text.push_str(&line.text);
            }
            _ => parts.push((line.speaker.as_deref(), line.text.clone())),
        }
    }
    let all = parts.iter().map(|(_, text)| text.chars().count()).sum::<usize>().max(1) as f64;
    let length = (cue.end - cue.start).as_secs_f64();
    let mut from = cue.start;
    let mut claims = Vec::new();
    let count = parts.len();
    for (i, (speaker, text)) in parts.into_iter().enumerate() {
        let share = text.chars().count() as f64 / all;
        let to = if i + 1 == count { cue.end } else { from + MediaTime::from_secs_f64(length * share) };
        let span = Span::new(from + start, to + start);
        from = to;
        let segment = SpeechSegment { text, language: String::new(), confidence: 1.0, words: Vec::new() };
        claims.push(Observation { span, claim: Claim::Speech(segment) });
        if let Some(speaker) = speaker {
            claims.push(Observation { span, claim: Claim::SpeakerTurn { speaker: speaker.to_owned() } });
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use tempograph_export::cues::Line;

    use super::*;

    #[test]
    fn a_format_may_stand_before_a_path() {
        assert_eq!(named("mot=a/b.dat").unwrap(), (ImportFormat::Mot, PathBuf::from("a/b.dat")));
        assert_eq!(named("a/b.rttm").unwrap().0, ImportFormat::Rttm);
        assert!(named("a.mp4").unwrap_err().hint().is_some());
        assert_eq!(named("what=a.srt").unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn two_voices_of_a_cue_speak_in_turn() {
        let line = |speaker: &str, text: &str| Line { speaker: Some(speaker.into()), text: text.into() };
        let cue = Cue {
            start: MediaTime::from_millis(1000),
            end: MediaTime::from_millis(3000),
            lines: vec![line("al", "why"), line("bo", "because"), line("bo", "of")],
        };
        let claims = spoken(&cue, MediaTime::from_millis(500));
        let spans: Vec<_> = claims.iter().map(|c| c.span).collect();
        assert_eq!(spans.len(), 4);
        assert_eq!((spans[0].start, spans[3].end), (MediaTime::from_millis(1500), MediaTime::from_millis(3500)));
        assert!(spans[0].end == spans[2].start && spans[0].duration() < spans[2].duration());
        let Claim::Speech(segment) = &claims[2].claim else { panic!("speech") };
        assert_eq!(segment.text, "because of");
    }
}
