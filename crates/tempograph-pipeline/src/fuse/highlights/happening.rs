//! What happens: visual events by kind, and what is seen and heard together.

use std::collections::BTreeMap;

use tempograph_core::{MediaTime, Span, Timeline, timeline::VisualEventKind};

use super::signals::{Grid, Signal};

/// After this time an event that goes on is no news.
const FRESH: MediaTime = MediaTime::from_millis(4_000);
/// What is left of it then.
const STALE: f64 = 0.5;
/// What being heard at the same time adds.
const TOGETHER: f64 = 0.2;

/// How much is going on: what changes between two ranks above what stays.
fn worth(kind: VisualEventKind) -> f64 {
    match kind {
        VisualEventKind::Chase => 1.0,
        VisualEventKind::Interact => 0.8,
        VisualEventKind::Avoid => 0.7,
        VisualEventKind::Approach | VisualEventKind::Group => 0.5,
        VisualEventKind::Follow => 0.5,
        VisualEventKind::Depart => 0.35,
        VisualEventKind::Observe => 0.3,
        VisualEventKind::Idle => 0.0,
    }
}

pub(super) fn signal(timeline: &Timeline, grid: &Grid) -> Signal {
    let mut signal = Signal::new(grid);
    for event in &timeline.visual_events {
        let value = worth(event.kind) * f64::from(event.confidence);
        if value > 0.0 {
            let fresh = Span::new(event.span.start, event.span.end.min(event.span.start + FRESH));
            signal.join(fresh, value);
            signal.join(Span::new(fresh.end, event.span.end), value * STALE);
            signal.note(event.span, value, event.description.as_str());
        }
    }
    let spans: BTreeMap<&str, Span> = timeline
        .visual_events
        .iter()
        .map(|e| (e.id.as_str(), e.span))
        .chain(timeline.audio_events.iter().map(|e| (e.id.as_str(), e.span)))
        .collect();
    for c in &timeline.correlations {
        let (Some(seen), Some(heard)) = (spans.get(c.visual.as_str()), spans.get(c.audio.as_str())) else { continue };
        if let Some(both) = seen.intersect(*heard) {
            let value = TOGETHER * f64::from(c.confidence);
            signal.join(both, value);
            signal.note(both, value, "seen and heard together");
        }
    }
    signal
}
