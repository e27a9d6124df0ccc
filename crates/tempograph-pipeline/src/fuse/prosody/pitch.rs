//! pYIN's second half (Mauch & Dixon 2014): the most likely pitch contour through the candidates.
//!
//! A hidden Markov model whose states are a frame's own candidates and "no pitch". Voicing changes rarely; from frame to
//! frame the pitch moves little, with a triangular distribution as in the paper.

use super::Frame;

/// Probability that voicing starts or stops between frames.
const SWITCH: f32 = 0.01;
/// Octaves a voice moves at most in a frame of 20 ms (35.9 octaves a second, as in librosa's `pyin`).
const FASTEST: f32 = 0.72;
/// "No pitch" shares its probability between as many states as there are pitches: tenths of semitones of the range.
const PITCHES: f32 = 385.0;
/// Stands for a probability of 0.
const NEVER: f32 = 1e-12;

/// The pitch of each frame in hertz; `None` where there is none.
pub(super) fn contour(frames: &[Frame<'_>]) -> Vec<Option<f32>> {
    // The last state of each frame is "no pitch".
    let mut scores: Vec<f32> = Vec::new();
    let mut from: Vec<Vec<usize>> = Vec::with_capacity(frames.len());
    let mut before: &[(u16, f32, f32)] = &[];
    for (n, frame) in frames.iter().enumerate() {
        let states = frame.pitches.len() + 1;
        let (mut next, mut back) = (Vec::with_capacity(states), Vec::with_capacity(states));
        for state in 0..states {
            let here = frame.pitches.get(state);
            let seen = match here {
                Some((_, _, p)) => *p,
                None => (1.0 - frame.pitches.iter().map(|c| c.2).sum::<f32>()) / PITCHES,
            };
            let mut best = (f32::NEG_INFINITY, 0);
            for (earlier, score) in scores.iter().enumerate() {
                let total = score + moved(before.get(earlier).map(|c| c.1), here.map(|c| c.1)).max(NEVER).ln();
                if total > best.0 {
                    best = (total, earlier);
                }
            }
            let start = if n == 0 { 0.0 } else { best.0 };
            next.push(start + seen.max(NEVER).ln());
            back.push(best.1);
        }
        scores = next;
        from.push(back);
        before = frame.pitches;
    }
    let mut contour = vec![None; frames.len()];
    let mut at = (0..scores.len()).fold(0, |b, k| if scores[k] > scores[b] { k } else { b });
    for n in (0..frames.len()).rev() {
        contour[n] = frames[n].pitches.get(at).map(|c| c.1);
        at = from[n].get(at).copied().unwrap_or_default();
    }
    contour
}

/// Probability of going from one pitch (or none) to another.
fn moved(from: Option<f32>, to: Option<f32>) -> f32 {
    match (from, to) {
        (None, None) => 1.0 - SWITCH,
        // Voicing begins and ends at any pitch alike.
        (None, Some(_)) | (Some(_), None) => SWITCH,
        (Some(a), Some(b)) => (1.0 - SWITCH) * (1.0 - (b / a).log2().abs() / FASTEST).max(0.0),
    }
}
