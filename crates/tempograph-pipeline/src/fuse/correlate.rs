//! Correlations: what is seen and heard at about the same time.

use tempograph_core::{
    MediaTime, Span,
    timeline::{AudioEvent, AudioEventKind, Correlation, VisualEvent},
};

/// Which visual and audio events belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationOptions {
    /// Largest time between the two.
    pub window: MediaTime,
    /// Visual events kept for each audio event, the surest first.
    pub per_audio_event: usize,
    /// Share of the confidence that is lost at the far end of the window; it falls linearly.
    pub loss_at_window: f32,
}

impl Default for CorrelationOptions {
    fn default() -> Self {
        Self { window: MediaTime::from_millis(2000), per_audio_event: 3, loss_at_window: 0.75 }
    }
}

/// Correlations ordered by audio event, then by falling confidence.
///
/// Confidence is the geometric mean of both events', less the linear loss for the time between
/// them. Silence correlates with nothing.
pub(super) fn correlate(
    visual: &[VisualEvent],
    audio: &[AudioEvent],
    options: &CorrelationOptions,
) -> Vec<Correlation> {
    let mut out = Vec::new();
    for heard in audio.iter().filter(|a| a.kind != AudioEventKind::Silence) {
        // Visual events are in order of start, so nothing after this index can be near enough.
        let until = visual.partition_point(|v| v.span.start <= heard.span.end + options.window);
        let mut near: Vec<_> = visual[..until]
            .iter()
            .filter(|v| v.span.gap(heard.span) <= options.window)
            .map(|v| pair(v, heard, options))
            .collect();
        near.sort_by(|(a, sa), (b, sb)| b.confidence.total_cmp(&a.confidence).then(sa.cmp(sb)));
        out.extend(near.into_iter().take(options.per_audio_event).map(|(c, _)| c));
    }
    out
}

fn pair(seen: &VisualEvent, heard: &AudioEvent, options: &CorrelationOptions) -> (Correlation, Span) {
    let gap = seen.span.gap(heard.span);
    let relation = if gap == MediaTime::ZERO {
        "simultaneous"
    } else if seen.span.start < heard.span.start {
        "visual_first"
    } else {
        "audio_first"
    };
    let share =
        if options.window > MediaTime::ZERO { (gap.as_secs_f64() / options.window.as_secs_f64()) as f32 } else { 0.0 };
    let confidence = (seen.confidence * heard.confidence).max(0.0).sqrt() * (1.0 - options.loss_at_window * share);
    let correlation = Correlation {
        visual: seen.id.clone(),
        audio: heard.id.clone(),
        relation: relation.to_owned(),
        gap_s: gap,
        confidence: confidence.clamp(0.0, 1.0),
    };
    (correlation, seen.span)
}
