//! Prosody, decided: pitch, level, pauses and rate of each speech event, and what they hint at.
//!
//! A hint is a deviation from what the same speaker does otherwise, so it needs several events of his; without that, and
//! without a rise at the end, none is given.

mod hint;
mod pitch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use tempograph_core::{
    Claim, MediaTime, Observation, ProsodyFrames, Span, Word,
    timeline::{AudioEvent, AudioEventKind, Prosody},
};

use self::hint::Features;

/// What prosody hints at. Intervals are in semitones.
#[derive(Clone, Debug, PartialEq)]
pub struct ProsodyOptions {
    /// A longer gap between words is a pause.
    pub shortest_pause: MediaTime,
    /// Quieter speech cannot be heard.
    pub silent_dbfs: f32,
    /// Events a speaker needs for a median of his own.
    pub fewest_events: usize,
    /// Excited: at least so far above the speaker's median pitch,
    pub excited_semitones: f32,
    /// and so much louder than his median.
    pub excited_db: f32,
    /// Subdued: at least so far below it,
    pub subdued_semitones: f32,
    /// and so much quieter.
    pub subdued_db: f32,
    /// Questioning: the words end in a question mark and the pitch rises by this at the end,
    pub asked_semitones: f32,
    /// or it rises by this where no words are known.
    pub rise_semitones: f32,
}

impl Default for ProsodyOptions {
    fn default() -> Self {
        Self {
            shortest_pause: MediaTime::from_millis(250),
            silent_dbfs: -60.0,
            fewest_events: 3,
            // A third and a doubling of power: beyond what a speaker's own phrases scatter by (one deviation of both).
            excited_semitones: 3.0,
            excited_db: 3.0,
            subdued_semitones: 2.0,
            subdued_db: 5.0,
            asked_semitones: 2.0,
            rise_semitones: 4.0,
        }
    }
}

/// What was measured in one frame.
#[derive(Clone, Debug)]
struct Frame<'a> {
    level_dbfs: i8,
    crossings: u8,
    /// Candidates: frame, hertz, probability.
    pitches: &'a [(u16, f32, f32)],
}

/// Fills `prosody`, `emotion` and `emotion_basis` of the speech events, where frames were measured.
pub(super) fn fill(events: &mut [AudioEvent], observations: &[Observation], options: &ProsodyOptions) {
    let mut claims: Vec<(Span, &ProsodyFrames)> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Prosody(frames) => Some((o.span, frames)),
            _ => None,
        })
        .collect();
    claims.sort_by_key(|(span, _)| *span);
    if claims.is_empty() {
        return;
    }
    let mut features: BTreeMap<usize, Features> = BTreeMap::new();
    for (i, event) in events.iter_mut().enumerate().filter(|(_, e)| e.kind == AudioEventKind::Speech) {
        let frames = within(&claims, event.span);
        if frames.is_empty() {
            continue;
        }
        let contour = pitch::contour(&frames);
        let prosody = describe(&frames, &contour, event, options);
        features.insert(i, Features::of(&contour, prosody.energy_dbfs));
        event.prosody = Some(prosody);
    }
    hint::give(events, &features, options);
}

/// The frames whose middle lies in `span`.
fn within<'a>(claims: &[(Span, &'a ProsodyFrames)], span: Span) -> Vec<Frame<'a>> {
    let first = claims.partition_point(|(s, _)| s.end <= span.start);
    let mut frames = Vec::new();
    for (own, claim) in claims[first..].iter().take_while(|(s, _)| s.start < span.end) {
        let count = claim.level_dbfs.len().min(claim.crossings.len()).max(1) as i64;
        for (i, (level, crossings)) in claim.level_dbfs.iter().zip(&claim.crossings).enumerate() {
            let nanos = own.duration().nanos() / (2 * count) * (2 * i as i64 + 1);
            let middle = own.start + MediaTime::from_nanos(nanos);
            if span.contains(middle) {
                let from = claim.pitches.partition_point(|p| usize::from(p.0) < i);
                let until = claim.pitches.partition_point(|p| usize::from(p.0) <= i);
                let pitches = &claim.pitches[from..until.max(from)];
                frames.push(Frame { level_dbfs: *level, crossings: *crossings, pitches });
            }
        }
    }
    frames
}

/// Fewest voiced frames that tell a pitch (100 ms).
const FEWEST_VOICED: usize = 5;

fn describe(frames: &[Frame<'_>], contour: &[Option<f32>], event: &AudioEvent, options: &ProsodyOptions) -> Prosody {
    let count = frames.len() as f32;
    let power = frames.iter().map(|f| 10f32.powf(f32::from(f.level_dbfs) / 10.0)).sum::<f32>() / count;
    let energy_dbfs = tenth(10.0 * power.max(1e-13).log10());
    let crossings = frames.iter().map(|f| f32::from(f.crossings)).sum::<f32>() / count / 100.0;
    let mut voiced: Vec<f32> = contour.iter().flatten().copied().collect();
    voiced.sort_by(f32::total_cmp);
    let known = voiced.len() >= FEWEST_VOICED;
    let words = event.words.as_deref().unwrap_or_default();
    let pauses: Vec<MediaTime> = gaps(words).filter(|gap| *gap >= options.shortest_pause).collect();
    let seconds = event.span.duration().as_secs_f64();
    Prosody {
        f0_mean_hz: known.then(|| tenth(voiced.iter().sum::<f32>() / voiced.len() as f32)),
        // The ends of the middle nine tenths: single wrong frames do not stretch it.
        f0_range_hz: known.then(|| tenth(quantile(&voiced, 0.95) - quantile(&voiced, 0.05))),
        energy_dbfs,
        zero_crossing_rate: (crossings * 1e3).round() / 1e3,
        rate_wps: (!words.is_empty() && seconds > 0.0).then(|| tenth((words.len() as f64 / seconds) as f32)),
        pauses: pauses.len() as u32,
        pause_s: pauses.iter().fold(MediaTime::ZERO, |sum, gap| sum + *gap),
        silent: energy_dbfs < options.silent_dbfs,
    }
}

/// The times between words.
fn gaps(words: &[Word]) -> impl Iterator<Item = MediaTime> {
    words.windows(2).map(|pair| pair[1].start - pair[0].end)
}

fn tenth(value: f32) -> f32 {
    (value * 10.0).round() / 10.0
}

/// The value at `share` of sorted values; 0 when there are none.
fn quantile(sorted: &[f32], share: f32) -> f32 {
    let at = (share * sorted.len().saturating_sub(1) as f32).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// The middle of `values`.
fn median(mut values: Vec<f32>) -> Option<f32> {
    values.sort_by(f32::total_cmp);
    (!values.is_empty()).then(|| quantile(&values, 0.5))
}
