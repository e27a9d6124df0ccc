//! Speakers: diarization, Jaccard and detection error rates.
//!
//! The numbers are pyannote.metrics 4.2's: the collar is the total width cut out around each
//! boundary of the truth, overlap may be left out, and hypothesis speakers are named after truth
//! speakers by the optimal one-to-one mapping.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result, assign::assign};

use crate::input::{bad_line, ratio};

/// One speaker talking.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// Who.
    pub speaker: String,
}

/// Turns by recording.
pub type Recordings = BTreeMap<String, Vec<Turn>>;

/// Scored stretches by recording, `(start, end)` in seconds.
pub type Stretches = BTreeMap<String, Vec<(f64, f64)>>;

/// How to score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DerOptions {
    /// Seconds cut out around each boundary of the truth, half on each side.
    pub collar: f64,
    /// Whether stretches with several truth speakers are left out.
    pub skip_overlap: bool,
    /// Stretches to score, `(start, end)` in seconds; from the first turn to the last when not given.
    pub uem: Option<Vec<(f64, f64)>>,
}

/// Error rates and the seconds behind them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DerScores {
    /// Diarization error rate.
    pub der: f64,
    /// Jaccard error rate, a mean over truth speakers.
    pub jer: f64,
    /// Error rate of speech against silence alone.
    pub detection_error_rate: f64,
    /// Truth speech without a speaker, in speaker seconds.
    pub missed_s: f64,
    /// Speakers where there is none.
    pub false_alarm_s: f64,
    /// The wrong speaker.
    pub confusion_s: f64,
    /// Truth speech, in speaker seconds.
    pub total_s: f64,
    /// Speakers in the truth.
    pub truth_speakers: u64,
    /// Speakers found.
    pub found_speakers: u64,
}

/// Shortest stretch that counts, in seconds.
const PRECISION: f64 = 1e-6;

/// Most pairs of speakers that are mapped.
const MAX_PAIRS: usize = 10_000_000;

/// What several recordings add up to.
#[derive(Debug, Default)]
struct Sums {
    missed: f64,
    false_alarm: f64,
    confusion: f64,
    total: f64,
    jer: f64,
    speech: f64,
    speech_wrong: f64,
    truth_speakers: u64,
    found_speakers: u64,
}

/// Scores one recording.
///
/// # Errors
/// [`ErrorKind::OverBudget`] when there are over 10 million pairs of speakers.
pub fn score(truth: &[Turn], found: &[Turn], options: &DerOptions) -> Result<DerScores> {
    let mut sums = Sums::default();
    sums.add(truth, found, options)?;
    Ok(sums.scores())
}

/// Scores the recordings of `truth` together; a recording that `found` lacks is all missed. With `uem`, what it does not
/// list is not scored.
///
/// Where two of them hold just one recording each, its names need not agree.
///
/// # Errors
/// As [`score`]; [`ErrorKind::Usage`] when the one recording of `found` is none of several of `truth`.
pub fn score_all(
    truth: &Recordings,
    found: &Recordings,
    uem: Option<&Stretches>,
    options: &DerOptions,
) -> Result<DerScores> {
    fn of<'a, T>(all: &'a BTreeMap<String, Vec<T>>, name: &str, alone: bool) -> Option<&'a [T]> {
        let only = (alone && all.len() == 1).then(|| all.values().next()).flatten();
        only.or_else(|| all.get(name)).map(Vec::as_slice)
    }
    let alone = truth.len() == 1;
    if !alone && found.len() == 1 && found.keys().all(|name| !truth.contains_key(name)) {
        let names: Vec<&str> = truth.keys().map(String::as_str).collect();
        return Err(Error::new(
            ErrorKind::Usage,
            "the truth is of several recordings, and the result names none of them",
        )
        .with_hint(format!("choose one with `--video`: {}", names.join(", "))));
    }
    let mut sums = Sums::default();
    for (name, turns) in truth {
        let mut options = options.clone();
        if let Some(uem) = uem {
            options.uem = Some(of(uem, name, alone).unwrap_or_default().to_vec());
        }
        sums.add(turns, of(found, name, alone).unwrap_or_default(), &options)?;
    }
    Ok(sums.scores())
}

impl Sums {
    fn add(&mut self, truth: &[Turn], found: &[Turn], options: &DerOptions) -> Result<()> {
        let uem = evaluated(truth, found, options);
        let (truth, truth_speakers) = crop(truth, &uem);
        let (found, found_speakers) = crop(found, &uem);
        let (t, f) = (truth_speakers, found_speakers);
        if t.saturating_mul(f) > MAX_PAIRS {
            return Err(Error::new(ErrorKind::OverBudget, format!("too many speakers to map: {t} by {f}")));
        }
        self.truth_speakers += t as u64;
        self.found_speakers += f as u64;

        let mut shared = vec![0.0; t * f];
        sweep(&truth, &found, |length, a, b| {
            for &a in a {
                for &b in b {
                    shared[a * f + b] += length;
                }
            }
        });
        // Rounded to nanoseconds, so that equal times are equal however they were summed.
        let costs: Vec<f64> = shared.iter().map(|s| -(s * 1e9).round()).collect();
        let mapping: Vec<Option<usize>> =
            (0..t).zip(assign(&costs, t, f)).map(|(a, b)| b.filter(|&b| shared[a * f + b] > 0.0)).collect();

        let (mut in_truth, mut in_found, mut in_both) = (vec![0.0; t], vec![0.0; f], vec![0.0; t]);
        let mut unpaired = vec![0usize; f];
        sweep(&truth, &found, |length, a, b| {
            let mut correct = 0;
            b.iter().for_each(|&b| unpaired[b] += 1);
            for (i, &who) in a.iter().enumerate() {
                let partner = mapping[who];
                if let Some(p) = partner.filter(|&p| unpaired[p] > 0) {
                    unpaired[p] -= 1;
                    correct += 1;
                }
                if !a[..i].contains(&who) {
                    in_truth[who] += length;
                    in_both[who] += if partner.is_some_and(|p| b.contains(&p)) { length } else { 0.0 };
                }
            }
            for (i, &who) in b.iter().enumerate() {
                unpaired[who] = 0;
                in_found[who] += if b[..i].contains(&who) { 0.0 } else { length };
            }
            let (na, nb) = (a.len(), b.len());
            self.total += length * na as f64;
            self.missed += length * na.saturating_sub(nb) as f64;
            self.false_alarm += length * nb.saturating_sub(na) as f64;
            self.confusion += length * (na.min(nb) - correct) as f64;
            self.speech += if na > 0 { length } else { 0.0 };
            self.speech_wrong += if (na > 0) == (nb > 0) { 0.0 } else { length };
        });
        for (who, partner) in mapping.iter().enumerate() {
            self.jer += match partner {
                None => 1.0,
                Some(p) => {
                    let union = in_truth[who] + in_found[*p] - in_both[who];
                    ratio(union - in_both[who], union, 0.0)
                }
            };
        }
        Ok(())
    }

    fn scores(&self) -> DerScores {
        let rate = |wrong: f64, total: f64| ratio(wrong, total, if wrong == 0.0 { 0.0 } else { 1.0 });
        DerScores {
            der: rate(self.missed + self.false_alarm + self.confusion, self.total),
            jer: ratio(self.jer, self.truth_speakers as f64, 1.0),
            detection_error_rate: rate(self.speech_wrong, self.speech),
            missed_s: self.missed,
            false_alarm_s: self.false_alarm,
            confusion_s: self.confusion,
            total_s: self.total,
            truth_speakers: self.truth_speakers,
            found_speakers: self.found_speakers,
        }
    }
}

/// A turn inside the evaluated stretches, its speaker as an index.
type Piece = (f64, f64, usize);

/// What is scored: the given stretches less collars and, if asked for, less overlap.
fn evaluated(truth: &[Turn], found: &[Turn], options: &DerOptions) -> Vec<(f64, f64)> {
    let uem = match &options.uem {
        Some(uem) => union(uem.clone()),
        None => {
            let all = truth.iter().chain(found);
            let (start, end) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(s, e), t| (s.min(t.start), e.max(t.end)));
            if start < end { vec![(start, end)] } else { Vec::new() }
        }
    };
    let mut out = Vec::new();
    if options.collar > 0.0 {
        let half = options.collar / 2.0;
        out.extend(truth.iter().flat_map(|t| [t.start, t.end]).map(|at| (at - half, at + half)));
    }
    if options.skip_overlap {
        let turns: Vec<Piece> = truth.iter().map(|t| (t.start, t.end, 0)).collect();
        stretches(&turns, &[], |start, end, a, _| {
            if a.len() > 1 {
                out.push((start, end));
            }
        });
    }
    without(&uem, &union(out))
}

/// The union of stretches, in order.
fn union(mut stretches: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    stretches.retain(|(s, e)| e - s > PRECISION);
    stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut out: Vec<(f64, f64)> = Vec::new();
    for (s, e) in stretches {
        match out.last_mut() {
            Some(last) if s <= last.1 => last.1 = last.1.max(e),
            _ => out.push((s, e)),
        }
    }
    out
}

/// `a` less `b`; both in order and without overlap.
fn without(a: &[(f64, f64)], b: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    let mut from = 0;
    for &(start, end) in a {
        let mut at = start;
        from += b[from..].iter().take_while(|x| x.1 <= start).count();
        for &(s, e) in b[from..].iter().take_while(|x| x.0 < end) {
            if s - at > PRECISION {
                out.push((at, s));
            }
            at = at.max(e);
        }
        if end - at > PRECISION {
            out.push((at, end));
        }
    }
    out
}

/// The parts of `turns` inside `uem`, and how many speakers are left.
fn crop(turns: &[Turn], uem: &[(f64, f64)]) -> (Vec<Piece>, usize) {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for turn in turns {
        let first = uem.partition_point(|&(_, end)| end <= turn.start);
        for &(start, end) in uem[first..].iter().take_while(|&&(start, _)| start < turn.end) {
            let (start, end) = (start.max(turn.start), end.min(turn.end));
            if end - start > PRECISION {
                numbers.insert(&turn.speaker, 0);
                named.push((start, end, turn.speaker.as_str()));
            }
        }
    }
    // In order of names: it decides between mappings that are equally good.
    numbers.values_mut().enumerate().for_each(|(i, n)| *n = i);
    let pieces = named.into_iter().map(|(start, end, who)| (start, end, numbers[who])).collect();
    (pieces, numbers.len())
}

/// Calls `each` with the length and the speakers of every stretch in which nobody starts or stops.
fn sweep(truth: &[Piece], found: &[Piece], mut each: impl FnMut(f64, &[usize], &[usize])) {
    stretches(truth, found, |start, end, a, b| each(end - start, a, b));
}

fn stretches(truth: &[Piece], found: &[Piece], mut each: impl FnMut(f64, f64, &[usize], &[usize])) {
    let mut bounds: Vec<f64> = truth.iter().chain(found).flat_map(|p| [p.0, p.1]).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let sorted = |pieces: &[Piece]| {
        let mut order = pieces.to_vec();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        order
    };
    let queues = [sorted(truth), sorted(found)];
    let mut next = [0, 0];
    let mut active: [Vec<Piece>; 2] = [Vec::new(), Vec::new()];
    let mut who: [Vec<usize>; 2] = [Vec::new(), Vec::new()];
    for w in bounds.windows(2) {
        for side in 0..2 {
            while queues[side].get(next[side]).is_some_and(|p| p.0 <= w[0]) {
                active[side].push(queues[side][next[side]]);
                next[side] += 1;
            }
            active[side].retain(|p| p.1 > w[0]);
            who[side].clear();
            who[side].extend(active[side].iter().map(|p| p.2));
        }
        if !(who[0].is_empty() && who[1].is_empty()) {
            each(w[0], w[1], &who[0], &who[1]);
        }
    }
}

/// Turns from NIST RTTM: `SPEAKER file channel start duration … … speaker …`.
///
/// Other line types are passed over.
///
/// # Errors
/// [`ErrorKind::InvalidData`] with the line that is not of that form.
pub fn from_rttm(text: &str) -> Result<Recordings> {
    let mut out = Recordings::new();
    for (n, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.first() != Some(&"SPEAKER") {
            continue;
        }
        if fields.len() < 8 {
            return Err(bad_line(n + 1, "expected at least 8 fields after `SPEAKER`"));
        }
        let (start, length) = (seconds(fields[3], n)?, seconds(fields[4], n)?);
        let turn = Turn { start, end: start + length, speaker: fields[7].to_owned() };
        out.entry(fields[1].to_owned()).or_default().push(turn);
    }
    Ok(out)
}

/// Scored stretches from a NIST UEM file: `file channel start end`.
///
/// # Errors
/// [`ErrorKind::InvalidData`] with the line that is not of that form.
pub fn from_uem(text: &str) -> Result<Stretches> {
    let mut out = Stretches::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with(";;")) {
        let [name, _, start, end] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(bad_line(n + 1, "expected `file channel start end`"));
        };
        out.entry(name.to_owned()).or_default().push((seconds(start, n)?, seconds(end, n)?));
    }
    Ok(out)
}

fn seconds(field: &str, line: usize) -> Result<f64> {
    let value = field.parse::<f64>().ok().filter(|v| v.is_finite() && v.abs() < 1e9);
    value.ok_or_else(|| bad_line(line + 1, &format!("not a time: {field}")))
}

/// Turns from `analysis.json`: its `speakers`, else the speech events that name a speaker. A list
/// `turns` is read alike.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when there is neither.
pub fn from_analysis(json: &Value) -> Result<Recordings> {
    let lists = ["speakers", "audio_events", "turns"];
    let events = lists.iter().find_map(|name| json.get(name)).and_then(Value::as_array);
    let events = events.ok_or_else(|| Error::new(ErrorKind::InvalidData, "no `audio_events` in this JSON"))?;
    let turn = |e: &Value| {
        let time = |long: &str, short: &str| e.get(long).or_else(|| e.get(short))?.as_f64();
        Some(Turn {
            start: time("start_s", "start")?,
            end: time("end_s", "end")?,
            speaker: e.get("speaker")?.as_str()?.to_owned(),
        })
    };
    Ok(Recordings::from([(String::new(), events.iter().filter_map(turn).collect())]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = (0.0..30.0f64, 0.01..5.0f64, 0..4u8);
        prop::collection::vec(turn.prop_map(|(s, d, w)| Turn { start: s, end: s + d, speaker: w.to_string() }), 0..12)
    }

    proptest! {
        #[test]
        fn names_do_not_matter(truth in turns(), collar in 0.0..1.0f64, skip_overlap: bool) {
            let renamed: Vec<Turn> = truth.iter().map(|t| Turn { speaker: format!("x{}", t.speaker), ..t.clone() }).collect();
            let s = score(&truth, &renamed, &DerOptions { collar, skip_overlap, uem: None }).expect("few");
            prop_assert!(s.der.abs() < 1e-9 && s.detection_error_rate.abs() < 1e-9);
        }

        #[test]
        fn parts_add_up(truth in turns(), found in turns()) {
            let s = score(&truth, &found, &DerOptions::default()).expect("few");
            let speech: f64 = truth.iter().map(|t| t.end - t.start).sum();
            prop_assert!((s.total_s - speech).abs() < 1e-4);
            prop_assert!(s.missed_s + s.confusion_s <= s.total_s + 1e-6);
            prop_assert!((0.0..=1.0 + 1e-9).contains(&s.jer));
        }

        #[test]
        fn any_text_is_taken(text in "(SPEAKER|[ -~]| |\n|[0-9.e-]){0,60}") {
            drop((from_rttm(&text), from_uem(&text)));
        }
    }
}
