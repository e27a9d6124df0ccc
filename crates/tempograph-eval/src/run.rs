//! Scoring by name: what `tempograph eval KIND --truth T FILE` does.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

use crate::{
    ap,
    depth::{self, Alignment, DepthOptions, Quantity},
    der::{self, DerOptions},
    input::{in_file, parse_json, read_bytes, read_text},
    mot, scenes, wer,
};

/// The kinds [`run`] knows.
pub const KINDS: [&str; 6] = ["mot", "scenes", "wer", "der", "ap", "depth"];

/// Options of every kind; each reads its own.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalOptions {
    /// `wer`: compare lower-case words without punctuation.
    pub normalize: bool,
    /// `der`: seconds cut out around each boundary of the truth, half on each side.
    pub collar: f64,
    /// `der`: leave out where truth speakers overlap.
    pub skip_overlap: bool,
    /// `der`: a NIST UEM file with the stretches to score; from the first turn to the last when not given.
    pub uem: Option<PathBuf>,
    /// `mot`: least IoU of a match.
    pub iou: f64,
    /// `mot`: classes to score; all when empty.
    pub labels: Vec<String>,
    /// `scenes`: frames a cut may be off.
    pub tolerance: f64,
    /// `scenes`: frames a second, where neither file says.
    pub fps: Option<f64>,
    /// `scenes`, `der`: which one of a file with several; for `scenes` from `analysis.json` when not given.
    pub video: Option<String>,
    /// `depth`: what the maps hold and what is fitted.
    pub depth: DepthOptions,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            normalize: false,
            collar: 0.0,
            skip_overlap: false,
            uem: None,
            iou: 0.5,
            labels: Vec::new(),
            tolerance: 0.0,
            fps: None,
            video: None,
            depth: DepthOptions::default(),
        }
    }
}

impl EvalOptions {
    /// Sets the depth options by their names: `depth` or `disparity` for what the truth and the
    /// file hold, `none`, `scale-shift` or `median` for what is fitted.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for another name.
    pub fn set_depth(&mut self, truth: &str, found: &str, alignment: &str) -> Result<()> {
        let unknown = |what: &str, name: &str| Error::new(ErrorKind::Usage, format!("unknown {what}: {name}"));
        let quantity = |name: &str| match name {
            "depth" => Ok(Quantity::Depth),
            "disparity" => Ok(Quantity::Disparity),
            _ => Err(unknown("depth quantity", name).with_hint("choose `depth` or `disparity`")),
        };
        self.depth = DepthOptions {
            truth: quantity(truth)?,
            found: quantity(found)?,
            alignment: match alignment {
                "none" => Alignment::None,
                "scale-shift" => Alignment::ScaleShift,
                "median" => Alignment::Median,
                _ => {
                    let error = unknown("alignment", alignment);
                    return Err(error.with_hint("choose `none`, `scale-shift` or `median`"));
                }
            },
        };
        Ok(())
    }
}

/// Scores `file` against `truth`.
///
/// - `mot`: MOTChallenge text, or our `detections.jsonl`, which is compared only on the frames it
///   lists;
/// - `scenes`: see [`scenes::parse`]; the result has an entry for each detector;
/// - `wer`: see [`wer::transcript`];
/// - `der`: RTTM or `analysis.json`;
/// - `ap`: COCO annotations and results;
/// - `depth`: `.npy`, `.npz` or `.pfm`.
///
/// # Errors
/// [`ErrorKind::Usage`] for an unknown kind; what reading and scoring give, with the file's name.
pub fn run(kind: &str, truth: &Path, file: &Path, options: &EvalOptions) -> Result<Value> {
    match kind {
        "mot" => {
            let (mut t, mut f) = (mot_file(truth)?, mot_file(file)?);
            t.keep_confident(1.0);
            if !options.labels.is_empty() {
                t.keep_labels(&options.labels);
                f.keep_labels(&options.labels);
            }
            t.keep_frames_of(&f);
            json(&mot::score(&t, &f, options.iou)?)
        }
        "scenes" => {
            let (t, f) = (read_text(truth)?, read_text(file)?);
            let video = options.video.clone().or_else(|| scenes::video_of(&f)).or_else(|| scenes::video_of(&t));
            let t = scenes::parse(&t, video.as_deref()).map_err(in_file(truth))?;
            let f = scenes::parse(&f, video.as_deref()).map_err(in_file(file))?;
            json(&scenes::score_all(&t, &f, options.tolerance, options.fps)?)
        }
        "wer" => {
            let text = |path: &Path| {
                let text = wer::transcript(&read_text(path)?).map_err(in_file(path))?;
                Ok::<_, Error>(if options.normalize { wer::normalize(&text) } else { text })
            };
            json(&wer::score(&text(truth)?, &text(file)?)?)
        }
        "der" => {
            let o = DerOptions { collar: options.collar, skip_overlap: options.skip_overlap, uem: None };
            let uem = options.uem.as_deref().map(|path| der::from_uem(&read_text(path)?).map_err(in_file(path)));
            let mut t = turns(truth)?;
            if let Some(name) = &options.video {
                let one = t.remove_entry(name).ok_or_else(|| {
                    let names: Vec<&str> = t.keys().map(String::as_str).collect();
                    Error::new(ErrorKind::Usage, format!("no recording {name} in {}", truth.display()))
                        .with_hint(format!("it has {}", names.join(", ")))
                })?;
                t = der::Recordings::from([one]);
            }
            json(&der::score_all(&t, &turns(file)?, uem.transpose()?.as_ref(), &o)?)
        }
        "ap" => {
            let t = ap::truth(&read_text(truth)?).map_err(in_file(truth))?;
            let f = ap::found(&read_text(file)?).map_err(in_file(file))?;
            json(&ap::score(&t, &f))
        }
        "depth" => {
            let map = |path: &Path| depth::read_map(&read_bytes(path)?).map_err(in_file(path));
            json(&depth::score(&map(truth)?, &map(file)?, &options.depth)?)
        }
        _ => Err(Error::new(ErrorKind::Usage, format!("unknown kind of evaluation: {kind}"))
            .with_hint(format!("choose one of `{}`", KINDS.join("`, `")))),
    }
}

fn mot_file(path: &Path) -> Result<mot::Sequence> {
    let text = read_text(path)?;
    let sequence = match text.trim_start().starts_with('{') {
        true => mot::from_detections_jsonl(&text),
        false => mot::from_mot_text(&text),
    };
    sequence.map_err(in_file(path))
}

fn turns(path: &Path) -> Result<der::Recordings> {
    let text = read_text(path)?;
    let turns = match text.trim_start().starts_with('{') {
        true => parse_json(&text).and_then(|json| der::from_analysis(&json)),
        false => der::from_rttm(&text),
    };
    turns.map_err(in_file(path))
}

fn json(scores: &impl Serialize) -> Result<Value> {
    serde_json::to_value(scores).map_err(|e| Error::new(ErrorKind::Internal, format!("scores do not serialise: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracked_detections_are_scored_on_their_own_frames() {
        let dir = tempfile::tempdir().expect("a folder");
        let (truth, file) = (dir.path().join("gt.txt"), dir.path().join("detections.jsonl"));
        std::fs::write(&truth, "1,7,11,21,10,10,1,1,1\n2,7,12,21,10,10,1,1,1\n3,7,13,21,10,10,1,1,1\n")
            .expect("written");
        let lines = [
            r#"{"t_s":0.0,"frame":0,"boxes":[{"track":1,"label":"dog","score":0.9,"xyxy":[10,20,20,30]}]}"#,
            r#"{"t_s":0.2,"frame":2,"boxes":[{"label":"dog","score":0.9,"xyxy":[12,20,22,30]}]}"#,
        ];
        std::fs::write(&file, lines.join("\n")).expect("written");
        let scores = run("mot", &truth, &file, &EvalOptions::default()).expect("scores");
        assert_eq!((scores["num_objects"].as_u64(), scores["num_matches"].as_u64()), (Some(2), Some(1)), "{scores}");
        assert_eq!(scores["num_misses"], 1, "a box without a track is no answer");
        let cats = EvalOptions { labels: vec!["cat".into()], ..EvalOptions::default() };
        assert_eq!(run("mot", &truth, &file, &cats).expect("scores")["num_predictions"], 0);
    }

    #[test]
    fn one_recording_of_several_is_scored_where_the_uem_says() {
        let dir = tempfile::tempdir().expect("a folder");
        let [truth, file, uem] = ["t.rttm", "analysis.json", "t.uem"].map(|name| dir.path().join(name));
        let turn = |name: &str, start: u32| format!("SPEAKER {name} 1 {start} 10 <NA> <NA> A <NA> <NA>\n");
        std::fs::write(&truth, turn("a", 0) + &turn("b", 20)).expect("written");
        let analysis = r#"{"speakers": [{"speaker": "Speaker 1", "start_s": 22.0, "end_s": 40.0}]}"#;
        std::fs::write(&file, analysis).expect("written");
        std::fs::write(&uem, "a 1 0 10\nb 1 21 30\n").expect("written");

        let several = run("der", &truth, &file, &EvalOptions::default()).expect_err("which of the two is not said");
        assert!(several.kind() == ErrorKind::Usage && several.hint().is_some_and(|h| h.contains("a, b")), "{several}");
        let of = |video: &str| EvalOptions { video: Some(video.to_owned()), ..EvalOptions::default() };
        let none = run("der", &truth, &file, &of("c")).expect_err("is not in the truth");
        assert!(none.hint().is_some_and(|h| h.contains("a, b")), "{none}");
        let whole = run("der", &truth, &file, &of("b")).expect("scores");
        assert_eq!((&whole["missed_s"], &whole["false_alarm_s"]), (&2.0.into(), &10.0.into()), "{whole}");
        let within = run("der", &truth, &file, &EvalOptions { uem: Some(uem), ..of("b") }).expect("scores");
        assert_eq!((&within["missed_s"], &within["false_alarm_s"]), (&1.0.into(), &0.0.into()), "{within}");
        assert_eq!(within["total_s"], 9.0, "{within}");
    }

    #[test]
    fn what_cannot_be_scored_is_said() {
        let here = Path::new("no such file");
        let kind = run("ape", here, here, &EvalOptions::default()).expect_err("unknown kind");
        assert_eq!((kind.kind(), kind.hint().is_some()), (ErrorKind::Usage, true));
        let file = run("wer", here, here, &EvalOptions::default()).expect_err("missing file");
        assert_eq!(file.kind(), ErrorKind::NotFound);
    }
}
