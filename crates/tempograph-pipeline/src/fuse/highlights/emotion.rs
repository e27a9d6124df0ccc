//! Feeling: faces by class and confidence, voices by their hint.

use tempograph_core::Timeline;

use super::signals::{Grid, Signal};

/// Classes of facial expression (FER-2013's seven, contempt of FER+) and how much each is worth
/// showing: by arousal in Russell's circumplex (1980), the unmoved at zero.
const FACES: [(&str, f64, &str); 12] = [
    ("neutral", 0.0, ""),
    ("happy", 0.8, "a happy face"),
    ("happiness", 0.8, "a happy face"),
    ("surprise", 1.0, "a surprised face"),
    ("surprised", 1.0, "a surprised face"),
    ("angry", 0.9, "an angry face"),
    ("anger", 0.9, "an angry face"),
    ("fear", 0.9, "a frightened face"),
    ("fearful", 0.9, "a frightened face"),
    ("disgust", 0.7, "a disgusted face"),
    ("sad", 0.5, "a sad face"),
    ("contempt", 0.4, "a scornful face"),
];
/// What an unknown class is worth.
const OTHER_FACE: f64 = 0.5;
/// What a voice's hint is worth: it rests on pitch and level alone.
const VOICE: f64 = 0.5;

pub(super) fn signal(timeline: &Timeline, grid: &Grid) -> Signal {
    let mut signal = Signal::new(grid);
    for e in &timeline.emotions {
        let known = FACES.iter().find(|(name, ..)| e.label.eq_ignore_ascii_case(name));
        let worth = known.map_or(OTHER_FACE, |f| f.1) * f64::from(e.confidence);
        if worth > 0.0 {
            signal.raise(e.span, worth);
            signal.note(e.span, worth, known.map_or_else(|| format!("{} in a face", e.label), |f| f.2.to_owned()));
        }
    }
    for e in &timeline.audio_events {
        let Some(hint) = e.emotion.as_deref().filter(|h| !h.is_empty() && !h.eq_ignore_ascii_case("neutral")) else {
            continue;
        };
        // "calm" is the other word that hints use for nothing out of the ordinary.
        if !hint.eq_ignore_ascii_case("calm") {
            signal.raise(e.span, VOICE);
            signal.note(e.span, VOICE, format!("a voice that sounds {hint}"));
        }
    }
    signal
}
