//! What is said and how: words, level and rate against the speaker's usual; laughter and the like.

use std::collections::BTreeMap;

use tempograph_core::{
    Timeline,
    timeline::{AudioEvent, AudioEventKind},
};

use super::signals::{Grid, Signal, median};

/// What words are worth by themselves.
const WORDS: f64 = 0.4;
/// What a voice without known words is worth.
const VOICE: f64 = 0.25;
/// Level above the usual that counts in full: 10 dB are heard as twice as loud (Stevens 1955).
const LOUD_DB: f64 = 10.0;
/// Level above the usual that is told as a reason.
const TOLD_DB: f64 = 3.0;
/// What loudness adds to words.
const LOUD: f64 = 0.4;
/// Share above the usual rate that counts in full.
const FAST: f64 = 0.5;
/// Share above it that is told as a reason.
const TOLD_FAST: f64 = 0.25;
/// What speed adds to words.
const SPEED: f64 = 0.2;
/// Utterances of a speaker from which there is a usual.
const USUAL: usize = 3;

/// Classes of AudioSet that answer or carry a moment (Gemmeke et al. 2017 name them), what they are
/// worth, and in words. Prefixes, in lower case.
const VOICES: [(&str, f64, &str); 19] = [
    ("laughter", 1.0, "laughter"),
    ("baby laughter", 1.0, "laughter"),
    ("giggle", 0.9, "laughter"),
    ("snicker", 0.8, "laughter"),
    ("belly laugh", 1.0, "laughter"),
    ("chuckle", 0.8, "laughter"),
    ("applause", 1.0, "applause"),
    ("clapping", 0.9, "applause"),
    ("cheering", 1.0, "cheering"),
    ("crowd", 0.5, "a crowd"),
    ("whoop", 0.9, "cheering"),
    ("shout", 0.8, "shouting"),
    ("yell", 0.8, "shouting"),
    ("bellow", 0.8, "shouting"),
    ("children shouting", 0.7, "shouting"),
    ("screaming", 0.9, "screaming"),
    ("crying", 0.7, "crying"),
    ("baby cry", 0.6, "crying"),
    ("gasp", 0.7, "a gasp"),
];

pub(super) fn signal(timeline: &Timeline, grid: &Grid) -> Signal {
    let mut signal = Signal::new(grid);
    let usual = Usual::of(timeline);
    for event in &timeline.audio_events {
        match event.kind {
            AudioEventKind::Speech => speech(event, &usual, &mut signal),
            AudioEventKind::Sound => {
                if let Some((worth, words)) = event.label.as_deref().and_then(voice) {
                    let worth = worth * f64::from(event.confidence);
                    signal.raise(event.span, worth);
                    signal.note(event.span, worth, words);
                }
            }
            AudioEventKind::Silence => {}
        }
    }
    signal
}

fn voice(label: &str) -> Option<(f64, &'static str)> {
    let label = label.to_lowercase();
    VOICES.iter().find(|(name, ..)| label.starts_with(name)).map(|(_, worth, words)| (*worth, *words))
}

fn speech(event: &AudioEvent, usual: &Usual<'_>, signal: &mut Signal) {
    let said = event.text.as_deref().is_some_and(|t| !t.trim().is_empty());
    let mut worth = if said { WORDS } else { VOICE };
    if let (Some(level), Some(usual)) = (level(event), usual.level(event)) {
        let above = level - usual;
        worth += LOUD * (above / LOUD_DB).clamp(0.0, 1.0);
        if above >= TOLD_DB {
            let words = format!("speech {above:.0} dB above the speaker's usual");
            signal.note(event.span, (above / LOUD_DB).min(1.0), words);
        }
    }
    if let (Some(rate), Some(usual)) = (rate(event), usual.rate(event).filter(|u| *u > 0.0)) {
        let above = rate / usual - 1.0;
        worth += SPEED * (above / FAST).clamp(0.0, 1.0);
        if above >= TOLD_FAST {
            let words = format!("fast speech, {rate:.1} words a second");
            signal.note(event.span, (above / FAST).min(1.0) * WORDS, words);
        }
    }
    signal.raise(event.span, worth);
    signal.note(event.span, WORDS / 2.0, if said { "somebody speaks" } else { "a voice" });
}

/// Mean level of the event, where it was measured and can be heard at all.
fn level(event: &AudioEvent) -> Option<f64> {
    event.prosody.as_ref().map(|p| f64::from(p.energy_dbfs)).filter(|db| db.is_finite() && *db > -90.0)
}

/// Words a second: as measured, else counted.
fn rate(event: &AudioEvent) -> Option<f64> {
    let measured = event.prosody.as_ref().and_then(|p| p.rate_wps).map(f64::from);
    let counted = || {
        let (words, seconds) = (event.words.as_ref()?.len(), event.span.duration().as_secs_f64());
        // Of a word or two no rate can be told.
        (words >= 3 && seconds > 0.5).then(|| words as f64 / seconds)
    };
    measured.or_else(counted).filter(|r| r.is_finite())
}

/// How each speaker usually speaks; those without a name are one.
struct Usual<'a>(BTreeMap<Option<&'a str>, [Option<f64>; 2]>);

impl<'a> Usual<'a> {
    fn of(timeline: &'a Timeline) -> Self {
        let mut by_speaker: BTreeMap<Option<&str>, [Vec<f64>; 2]> = BTreeMap::new();
        for event in timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech) {
            let [levels, rates] = by_speaker.entry(event.speaker.as_deref()).or_default();
            levels.extend(level(event));
            rates.extend(rate(event));
        }
        Self(by_speaker.into_iter().map(|(who, lists)| (who, lists.map(|l| median(l, USUAL)))).collect())
    }

    fn level(&self, event: &AudioEvent) -> Option<f64> {
        self.0.get(&event.speaker.as_deref())?[0]
    }

    fn rate(&self, event: &AudioEvent) -> Option<f64> {
        self.0.get(&event.speaker.as_deref())?[1]
    }
}
