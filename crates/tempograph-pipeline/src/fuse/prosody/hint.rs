//! What the sound of speech hints at, each with what it rests on.

use std::collections::BTreeMap;

use tempograph_core::timeline::AudioEvent;

use super::{ProsodyOptions, median};

/// Voiced frames at the end that must be higher (100 ms).
const TAIL: usize = 5;
/// Voiced frames before them that they are compared with: at least so many (100 ms),
const LEAST_BODY: usize = 5;
/// and at most so many (0.5 s).
const BODY: usize = 25;
/// Semitones between frames beyond which the estimate has jumped, as it does in creak, and not the voice.
const JUMP: f32 = 2.0;

/// What is compared between events.
#[derive(Clone, Debug)]
pub(super) struct Features {
    /// Median pitch in semitones above 1 Hz.
    semitones: Option<f32>,
    energy_dbfs: f32,
    /// Semitones that the end lies above what is before it.
    rise: Option<f32>,
}

impl Features {
    pub(super) fn of(contour: &[Option<f32>], energy_dbfs: f32) -> Self {
        let semitones = |hz: &f32| 12.0 * hz.log2();
        let voiced: Vec<f32> = contour.iter().flatten().map(semitones).collect();
        // The last stretch that is voiced throughout.
        let last = contour.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
        let mut run: Vec<f32> = contour[..last].iter().rev().map_while(|f| f.as_ref().map(semitones)).collect();
        let smooth = run.windows(2).take_while(|p| (p[0] - p[1]).abs() <= JUMP).count() + 1;
        run.truncate(smooth.min(TAIL + BODY));
        let rise = (run.len() >= TAIL + LEAST_BODY)
            .then(|| Some(median(run[..TAIL].to_vec())? - median(run[TAIL..].to_vec())?));
        Self { semitones: median(voiced), energy_dbfs, rise: rise.flatten() }
    }
}

/// Writes hints into `events` where there is a basis for one.
pub(super) fn give(events: &mut [AudioEvent], features: &BTreeMap<usize, Features>, options: &ProsodyOptions) {
    let mut speakers: BTreeMap<Option<String>, Vec<&Features>> = BTreeMap::new();
    for (i, own) in features {
        speakers.entry(events[*i].speaker.clone()).or_default().push(own);
    }
    for (i, own) in features {
        let event = &mut events[*i];
        let all = speakers.get(&event.speaker).map(Vec::as_slice).unwrap_or_default();
        let hint = against_own(own, all, options).or_else(|| rising(own, event.text.as_deref(), options));
        if let Some((label, basis)) = hint {
            (event.emotion, event.emotion_basis) = (Some(label.to_owned()), Some(basis));
        }
    }
}

/// Far from what the speaker does otherwise.
fn against_own(own: &Features, all: &[&Features], options: &ProsodyOptions) -> Option<(&'static str, String)> {
    let pitches: Vec<f32> = all.iter().filter_map(|f| f.semitones).collect();
    if pitches.len() < options.fewest_events {
        return None;
    }
    let higher = own.semitones? - median(pitches)?;
    let louder = own.energy_dbfs - median(all.iter().map(|f| f.energy_dbfs).collect())?;
    if higher >= options.excited_semitones && louder >= options.excited_db {
        let basis = format!("pitch +{higher:.1} semitones and {louder:.0} dB over this speaker's median");
        return Some(("excited", basis));
    }
    if higher <= -options.subdued_semitones && louder <= -options.subdued_db {
        let basis = format!("pitch {higher:.1} semitones and {:.0} dB under this speaker's median", -louder);
        return Some(("subdued", basis));
    }
    None
}

/// A pitch that rises at the end. Where there are words they must ask too: lists and creak end high as well.
fn rising(own: &Features, text: Option<&str>, options: &ProsodyOptions) -> Option<(&'static str, String)> {
    let rise = own.rise?;
    let label = "questioning";
    match text.map(str::trim_end).filter(|t| !t.is_empty()) {
        Some(text) => (text.ends_with(['?', '？', '؟']) && rise >= options.asked_semitones)
            .then(|| (label, format!("final rise of {rise:.1} semitones, and the words end in a question mark"))),
        None => (rise >= options.rise_semitones).then(|| (label, format!("final rise of {rise:.1} semitones"))),
    }
}
