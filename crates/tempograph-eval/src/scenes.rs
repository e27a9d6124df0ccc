//! Scene cuts: precision, recall and F1 with a tolerance.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

use crate::input::ratio;

/// A cut: the first frame of a new scene, by number from 0, by time in seconds, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cut {
    /// Frame.
    pub frame: Option<f64>,
    /// Seconds.
    pub seconds: Option<f64>,
}

/// Cuts of one video by detector; a list without a detector's name is under the empty one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cuts {
    /// Frames a second, where the file says.
    pub fps: Option<f64>,
    /// The lists.
    pub lists: BTreeMap<String, Vec<Cut>>,
}

/// How well one list of cuts agrees with another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SceneScores {
    /// Right share of the cuts found.
    pub precision: f64,
    /// Found share of the true cuts.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Cuts found that are right.
    pub matched: u64,
    /// True cuts.
    pub truth: u64,
    /// Cuts found.
    pub found: u64,
    /// What was compared: `frames` or `seconds`.
    pub unit: &'static str,
    /// True cuts not found, in that unit.
    pub missed: Vec<f64>,
    /// Cuts found that are not true, in that unit.
    pub extra: Vec<f64>,
}

/// A cut as a number of the unit compared.
type InUnit<'a> = dyn Fn(&Cut) -> Option<f64> + 'a;

/// Compares two lists of cuts, pairing as many as possible that are at most `tolerance` frames apart.
///
/// Compared as frames where both lists have them. Compared as seconds otherwise, with half a frame
/// added for rounding; `fps` is needed to turn one into the other.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when the lists share no unit and `fps` is not known.
pub fn score(truth: &[Cut], found: &[Cut], tolerance: f64, fps: Option<f64>) -> Result<SceneScores> {
    let all = || truth.iter().chain(found);
    let fps = fps.filter(|f| f.is_finite() && *f > 0.0);
    let frame = |c: &Cut| c.frame.or_else(|| Some(c.seconds? * fps?));
    let seconds = |c: &Cut| c.seconds.or_else(|| Some(c.frame? / fps?));
    let (unit, near, value): (_, _, &InUnit<'_>) = if all().all(|c| c.frame.is_some()) {
        ("frames", tolerance, &frame)
    } else if fps.is_some() && all().all(|c| frame(c).is_some()) {
        ("frames", tolerance + 0.5, &frame)
    } else if all().all(|c| seconds(c).is_some()) {
        ("seconds", (tolerance + 0.5) / fps.unwrap_or(30.0), &seconds)
    } else {
        return Err(Error::new(ErrorKind::InvalidData, "one list counts frames and the other seconds")
            .with_hint("give the frame rate with `--fps`"));
    };
    let list = |cuts: &[Cut]| {
        let mut values: Vec<f64> = cuts.iter().filter_map(value).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let (t, f) = (list(truth), list(found));
    let (mut missed, mut extra, mut matched) = (Vec::new(), Vec::new(), 0u64);
    let (mut i, mut j) = (0, 0);
    while i < t.len() || j < f.len() {
        match (t.get(i), f.get(j)) {
            (Some(a), Some(b)) if (a - b).abs() <= near + 1e-9 => {
                (i, j) = (i + 1, j + 1);
                matched += 1;
            }
            (Some(a), Some(b)) if a > b => {
                extra.push(*b);
                j += 1;
            }
            (Some(a), _) => {
                missed.push(*a);
                i += 1;
            }
            (None, Some(b)) => {
                extra.push(*b);
                j += 1;
            }
            (None, None) => break,
        }
    }
    // Nothing found where nothing is: right.
    let share = |n: usize| ratio(matched as f64, n as f64, if t.is_empty() && f.is_empty() { 1.0 } else { 0.0 });
    let (precision, recall) = (share(f.len()), share(t.len()));
    Ok(SceneScores {
        precision,
        recall,
        f1: ratio(2.0 * precision * recall, precision + recall, 0.0),
        matched,
        truth: t.len() as u64,
        found: f.len() as u64,
        unit,
        missed,
        extra,
    })
}

/// Compares every detector that both files name; a list without a name is compared with all.
///
/// # Errors
/// As [`score`]; [`ErrorKind::InvalidData`] when no detector is in both.
pub fn score_all(
    truth: &Cuts,
    found: &Cuts,
    tolerance: f64,
    fps: Option<f64>,
) -> Result<BTreeMap<String, SceneScores>> {
    let fps = fps.or(truth.fps).or(found.fps);
    let mut out = BTreeMap::new();
    for (t, true_cuts) in &truth.lists {
        for (f, cuts) in &found.lists {
            if t == f || t.is_empty() || f.is_empty() {
                let name = if t.is_empty() { f } else { t };
                let name = if name.is_empty() { "cuts" } else { name };
                out.insert(name.to_owned(), score(true_cuts, cuts, tolerance, fps)?);
            }
        }
    }
    if out.is_empty() {
        return Err(Error::new(ErrorKind::InvalidData, "no detector is named in both files"));
    }
    Ok(out)
}

/// Reads cuts in any of the forms people keep them in.
///
/// - text: a number a line (or comma-separated), frames if all are whole numbers, else seconds;
/// - a JSON list of such numbers, or of scenes with `start_frame` or `start_s`;
/// - an object with `cut_frames`, `cut_seconds`, `cuts`, `hard_cuts` or `scenes` (`analysis.json`);
/// - an object of such objects by detector (`content` or `detect-content`), or by video, alone or
///   under `videos`, of which `video` names one by the end of its name.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when there are no cuts in it or `video` is needed to choose.
pub fn parse(text: &str, video: Option<&str>) -> Result<Cuts> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[']) {
        return from_text(text);
    }
    let json = crate::input::parse_json(trimmed)?;
    let json = json.get("videos").unwrap_or(&json);
    if let Some(cuts) = one_video(json) {
        return Ok(cuts);
    }
    let videos: Vec<(&String, Cuts)> =
        json.as_object().into_iter().flatten().filter_map(|(name, v)| Some((name, one_video(v)?))).collect();
    let stem = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
    let chosen: Vec<_> = match video {
        Some(wanted) => videos.into_iter().filter(|(name, _)| stem(name) == stem(wanted)).collect(),
        None => videos,
    };
    match <[_; 1]>::try_from(chosen) {
        Ok([(_, cuts)]) => Ok(cuts),
        Err(several) if several.is_empty() => Err(Error::new(ErrorKind::InvalidData, "no cuts in this JSON")),
        Err(_) => Err(Error::new(ErrorKind::InvalidData, "several videos in one file")
            .with_hint("name the one to score with `--video`")),
    }
}

/// The file name of the video that `analysis.json` is about.
pub(crate) fn video_of(text: &str) -> Option<String> {
    let json: Value = serde_json::from_str(text).ok()?;
    let video = json.get("video")?;
    Some(video.get("uri").unwrap_or(video).as_str()?.to_owned())
}

fn from_text(text: &str) -> Result<Cuts> {
    let mut numbers = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for field in line.split([',', ' ', '\t', ';']).map(str::trim).filter(|f| !f.is_empty()) {
            if field.starts_with('#') {
                break;
            }
            let value = field.parse::<f64>().ok().filter(|v| v.is_finite());
            numbers.push(value.ok_or_else(|| crate::input::bad_line(n + 1, &format!("not a number: {field}")))?);
        }
    }
    Ok(Cuts { fps: None, lists: BTreeMap::from([(String::new(), from_numbers(&numbers, None))]) })
}

fn one_video(json: &Value) -> Option<Cuts> {
    let fps = [json.get("fps"), json.get("video").and_then(|v| v.get("fps"))];
    let fps = fps.into_iter().flatten().find_map(number).filter(|f| *f > 0.0);
    if let Some(list) = list(json) {
        return Some(Cuts { fps, lists: BTreeMap::from([(String::new(), list)]) });
    }
    let inner = json.get("detectors").unwrap_or(json);
    let known = |name: &str| {
        let name = name.strip_prefix("detect-").unwrap_or(name);
        ["content", "adaptive", "threshold", "hist", "histogram", "hash"].contains(&name).then(|| match name {
            "histogram" => "hist".to_owned(),
            _ => name.to_owned(),
        })
    };
    let named = inner.as_object()?.iter().filter_map(|(name, v)| Some((known(name)?, list(v)?)));
    let lists: BTreeMap<String, Vec<Cut>> = named.collect();
    (!lists.is_empty()).then_some(Cuts { fps, lists })
}

/// A number, or a number or ratio written as text.
fn number(v: &Value) -> Option<f64> {
    match v {
        Value::String(s) => match s.split_once('/') {
            Some((a, b)) => {
                Some(a.trim().parse::<f64>().ok()? / b.trim().parse::<f64>().ok()?).filter(|v| v.is_finite())
            }
            None => s.trim().parse().ok(),
        },
        _ => v.as_f64(),
    }
}

fn list(json: &Value) -> Option<Vec<Cut>> {
    if let Some(items) = json.as_array() {
        if items.iter().all(Value::is_object) && !items.is_empty() {
            return Some(from_scenes(items));
        }
        let numbers: Option<Vec<f64>> = items.iter().map(Value::as_f64).collect();
        return Some(from_numbers(&numbers?, None));
    }
    let numbers = |key: &str| -> Option<Vec<f64>> { json.get(key)?.as_array()?.iter().map(Value::as_f64).collect() };
    let seconds = numbers("cut_seconds").or_else(|| numbers("cuts_s"));
    if let Some(frames) = numbers("cut_frames") {
        return Some(from_numbers(&frames, seconds.as_deref()));
    }
    if let Some(seconds) = seconds {
        return Some(seconds.into_iter().map(|s| Cut { frame: None, seconds: Some(s) }).collect());
    }
    if let Some(cuts) = numbers("cuts").or_else(|| numbers("hard_cuts")) {
        return Some(from_numbers(&cuts, None));
    }
    Some(from_scenes(json.get("scenes")?.as_array()?))
}

fn from_numbers(numbers: &[f64], seconds: Option<&[f64]>) -> Vec<Cut> {
    let frames = seconds.is_some() || numbers.iter().all(|n| n.fract() == 0.0);
    let cut = |(i, &n): (usize, &f64)| match frames {
        true => Cut { frame: Some(n), seconds: seconds.and_then(|s| s.get(i).copied()) },
        false => Cut { frame: None, seconds: Some(n) },
    };
    numbers.iter().enumerate().map(cut).collect()
}

/// The starts of all scenes but the first.
fn from_scenes(scenes: &[Value]) -> Vec<Cut> {
    let field = |s: &Value, keys: &[&str]| keys.iter().find_map(|k| s.get(k)?.as_f64());
    let cut = |s: &Value| Cut { frame: field(s, &["start_frame"]), seconds: field(s, &["start_s", "start"]) };
    scenes.iter().skip(1).map(cut).filter(|c| *c != Cut::default()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(cuts: &Cuts, detector: &str) -> Vec<f64> {
        cuts.lists[detector].iter().filter_map(|c| c.frame).collect()
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(frames(&parse("30\n76, 137\n", None).expect("text"), ""), [30.0, 76.0, 137.0]);
        assert_eq!(frames(&parse("[30, 76]", None).expect("list"), ""), [30.0, 76.0]);
        let analysis = r#"{"schema":"tempograph.analysis/1","video":{"uri":"a/b.mp4","fps":25.0},
            "scenes":[{"start_frame":0,"start_s":0},{"start_frame":30,"start_s":1.2}]}"#;
        let cuts = parse(analysis, Some("b.mp4")).expect("analysis");
        assert_eq!((cuts.fps, frames(&cuts, "")), (Some(25.0), vec![30.0]));
        assert_eq!(video_of(analysis).as_deref(), Some("a/b.mp4"));
        let tool = r#"{"tool":"x","videos":{"v/a.mp4":{"fps":25,"detect-content":{"cut_frames":[3],"cut_seconds":[0.12]},
            "detect-hist":{"cut_frames":[],"cut_seconds":[]}},"v/b.mp4":{"fps":25,"detect-content":{"cut_frames":[9],"cut_seconds":[0.36]}}}}"#;
        let cuts = parse(tool, Some("/x/a.mp4")).expect("by detector");
        assert_eq!(frames(&cuts, "content"), [3.0]);
        assert!(cuts.lists["hist"].is_empty());
        assert!(parse(tool, None).expect_err("two videos").hint().is_some());
    }

    #[test]
    fn tolerance_and_units() {
        let f = |n: f64| Cut { frame: Some(n), seconds: None };
        let s = |n: f64| Cut { frame: None, seconds: Some(n) };
        let exact = score(&[f(10.0), f(20.0)], &[f(11.0), f(20.0), f(40.0)], 0.0, None).expect("frames");
        assert_eq!((exact.matched, exact.missed, exact.extra), (1, vec![10.0], vec![11.0, 40.0]));
        let near = score(&[f(10.0), f(20.0)], &[f(11.0), f(20.0), f(40.0)], 1.0, None).expect("frames");
        assert_eq!((near.matched, near.recall), (2, 1.0));
        assert!(score(&[f(10.0)], &[s(0.4)], 0.0, None).is_err());
        assert_eq!(score(&[f(10.0)], &[s(0.41)], 0.0, Some(25.0)).expect("half a frame").matched, 1);
        assert_eq!(score(&[], &[], 0.0, None).expect("nothing").f1, 1.0);
    }

    proptest! {
        #[test]
        fn a_list_agrees_with_itself(mut frames in prop::collection::vec(0u32..500, 1..20), shift in 0u32..3) {
            frames.sort_unstable();
            frames.dedup();
            let cuts = |by: u32| frames.iter().map(|&n| Cut { frame: Some(f64::from(n + by)), seconds: None }).collect::<Vec<_>>();
            prop_assert_eq!(score(&cuts(0), &cuts(shift), f64::from(shift), None).expect("frames").f1, 1.0);
        }

        #[test]
        fn any_text_is_taken(text in "[\\[\\]{}\":,a-z0-9_. \n-]{0,80}") {
            drop(parse(&text, None));
        }
    }
}
