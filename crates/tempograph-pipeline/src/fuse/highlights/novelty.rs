//! Novelty: what is unlike the rest of this video.
//!
//! A thing is as novel as the share of the video without its like: rare kinds of things that come
//! into view, rare sounds, rare events, text that appears, and cuts faster than usual.

use std::collections::BTreeMap;

use tempograph_core::{
    MediaTime, Span, Timeline,
    timeline::{AudioEventKind, Video},
};

use super::signals::{Grid, Signal};

/// What comes is news for this long.
const NEWS: MediaTime = MediaTime::from_millis(4_000);
/// Time around a point in which cuts are counted.
const AROUND: MediaTime = MediaTime::from_millis(5_000);
/// Scenes from which a video has a usual pace of cuts.
const PACED: usize = 6;
/// Cuts around a point over the usual number that count in full.
const HURRIED: f64 = 4.0;
/// What hurried cuts are worth: montage is often an opening, not a moment.
const CUTS: f64 = 0.5;
/// What text that appears is worth.
const TEXT: f64 = 0.4;
/// From here on novelty is told as a reason.
const TOLD: f64 = 0.5;

pub(super) fn signal(timeline: &Timeline, grid: &Grid) -> Signal {
    let mut signal = Signal::new(grid);
    let tracks = timeline.tracks.iter().map(|t| (t.label.as_str(), t.span, t.score));
    for (label, span, value) in rare(tracks, &timeline.video) {
        signal.raise(news(span), value);
        if value >= TOLD {
            signal.note(news(span), value / 2.0, format!("{label} comes into view"));
        }
    }
    let sounds = timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Sound);
    for (label, span, value) in
        rare(sounds.filter_map(|e| Some((e.label.as_deref()?, e.span, e.confidence))), &timeline.video)
    {
        signal.raise(news(span), value);
        if value >= TOLD {
            signal.note(span, value, format!("{} is heard", label.to_lowercase()));
        }
    }
    let events = timeline.visual_events.iter().map(|e| (e.kind.as_str(), e.span, e.confidence));
    for (_, span, value) in rare(events, &timeline.video) {
        // Half: the event itself counts elsewhere.
        signal.raise(news(span), value / 2.0);
    }
    for text in &timeline.texts {
        let value = TEXT * f64::from(text.confidence);
        signal.raise(news(text.span), value);
        signal.note(news(text.span), value, "text appears");
    }
    cuts(timeline, &mut signal);
    signal
}

fn news(span: Span) -> Span {
    Span::new(span.start, span.end.min(span.start + NEWS))
}

/// Each item's confidence times the share of the video without its label.
fn rare<'a>(items: impl Iterator<Item = (&'a str, Span, f32)> + Clone, video: &Video) -> Vec<(&'a str, Span, f64)> {
    let mut there: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for (label, span, _) in items.clone() {
        there.entry(label).or_default().push(span);
    }
    let whole = video.duration_s.as_secs_f64();
    let share: BTreeMap<&str, f64> =
        there.into_iter().map(|(label, spans)| (label, (covered(spans) / whole).clamp(0.0, 1.0))).collect();
    items.map(|(label, span, confidence)| (label, span, f64::from(confidence) * (1.0 - share[label]))).collect()
}

/// Seconds in at least one of `spans`.
fn covered(mut spans: Vec<Span>) -> f64 {
    spans.sort_unstable();
    let mut seconds = 0.0;
    let mut until = MediaTime::from_nanos(i64::MIN);
    for span in spans {
        let from = span.start.max(until);
        if span.end > from {
            seconds += (span.end - from).as_secs_f64();
            until = span.end;
        }
    }
    seconds
}

fn cuts(timeline: &Timeline, signal: &mut Signal) {
    let scenes = &timeline.scenes;
    let length = timeline.video.duration_s.as_secs_f64();
    if scenes.len() < PACED || length <= 0.0 {
        return;
    }
    let around = AROUND.as_secs_f64() * 2.0;
    let usual = (scenes.len() - 1) as f64 / length * around;
    let times: Vec<MediaTime> = scenes.iter().skip(1).map(|s| s.span.start).collect();
    for (i, &time) in times.iter().enumerate() {
        let from = times.partition_point(|t| *t < time - AROUND);
        let to = i + times[i..].partition_point(|t| *t <= time + AROUND);
        let value = CUTS * (((to - from) as f64 - usual) / HURRIED).clamp(0.0, 1.0);
        let span = Span::new(time - MediaTime::from_millis(1_000), time + MediaTime::from_millis(1_000));
        signal.raise(span, value);
        if value >= CUTS / 2.0 {
            signal.note(span, value, "cuts faster than usual");
        }
    }
}
