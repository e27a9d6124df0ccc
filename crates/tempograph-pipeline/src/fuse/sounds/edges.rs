//! Where a sound begins and ends, by its loudness: windows alone are half a second too wide.

use tempograph_core::{Claim, MediaTime, Observation, Span};

/// Loudness that says nothing: outside of what was heard, or somebody's voice.
const QUIET_DB: f32 = -120.0;
/// A sound's edge lies at most this far below its loudest moment, dB, and at most this share of the way down to the quiet
/// around it: what is weaker is reverberation or noise.
const ACT: (f32, f32) = (30.0, 0.5);
/// As [`ACT`], for what goes on: music that swells is music before.
const SUSTAINED: (f32, f32) = (50.0, 0.8);
/// Loudest and quietest have to lie this far apart for an edge to show, dB.
const CONTRAST_DB: f32 = 10.0;
/// Time beside a sound that the quiet around it is looked for in.
const AROUND: MediaTime = MediaTime::from_millis(1000);
/// What a window at the edge reaches beyond the sound on average, where loudness does not tell.
const INSET: MediaTime = MediaTime::from_millis(240);
/// Shorter pieces are clicks, not events.
const LEAST_PIECE: MediaTime = MediaTime::from_millis(80);

/// Loudness along the video.
pub(in crate::fuse) struct Levels {
    /// In order of time: how long each piece is, its loudness, and whether somebody speaks.
    pieces: Vec<(Span, f32, bool)>,
}

impl Levels {
    /// What was measured; `voice` is where somebody speaks.
    pub(in crate::fuse) fn new(observations: &[Observation], voice: &[Span]) -> Self {
        let mut pieces = Vec::new();
        for observation in observations {
            let Claim::AudioLevels { levels } = &observation.claim else { continue };
            let (start, length) = (observation.span.start.nanos(), observation.span.duration().nanos());
            let at = |i: usize| {
                MediaTime::from_nanos(start + (i128::from(length) * i as i128 / levels.len() as i128) as i64)
            };
            pieces.extend(levels.iter().enumerate().map(|(i, &level)| {
                let span = Span::new(at(i), at(i + 1));
                (span, if level.is_finite() { level } else { QUIET_DB }, super::share(span, voice) >= 0.5)
            }));
        }
        pieces.sort_by_key(|(span, ..)| *span);
        Self { pieces }
    }

    fn within(&self, span: Span) -> &[(Span, f32, bool)] {
        let from = self.pieces.partition_point(|(s, ..)| s.end <= span.start);
        let to = self.pieces.partition_point(|(s, ..)| s.start < span.end);
        &self.pieces[from..to.max(from)]
    }

    /// The loudness that all but a twentieth of `span` stays below, dBFS; none where nothing was measured.
    pub(in crate::fuse) fn loudest(&self, span: Span) -> Option<f32> {
        let mut levels: Vec<f32> = self.within(span).iter().map(|p| p.1).collect();
        levels.sort_by(f32::total_cmp);
        levels.get(levels.len().saturating_sub(1) * 19 / 20).copied()
    }

    /// The sounds that an event of windows over `coarse` amounts to: one when it is `sustained`, else one a stretch
    /// between pauses of at least `pause`.
    pub(super) fn pieces(&self, coarse: Span, sustained: bool, pause: MediaTime) -> Vec<Span> {
        let inside = self.within(coarse);
        let (Some(heard_from), Some(heard_to)) = (inside.first().map(|p| p.0.start), inside.last().map(|p| p.0.end))
        else {
            return vec![coarse];
        };
        let own = |p: &&(Span, f32, bool)| !p.2;
        let peak = inside.iter().filter(own).map(|p| p.1).fold(QUIET_DB, f32::max);
        let around = self.within(Span::new(coarse.start - AROUND, coarse.end + AROUND));
        let mut quiet: Vec<f32> = around.iter().filter(own).map(|p| p.1).collect();
        quiet.sort_by(f32::total_cmp);
        let floor = quiet.get(quiet.len() / 10).copied().unwrap_or(peak);
        if peak - floor < CONTRAST_DB {
            return vec![inset(coarse, heard_from, heard_to)];
        }
        let (depth, share) = if sustained { SUSTAINED } else { ACT };
        let edge = peak - depth.min((peak - floor) * share);
        let mut found: Vec<Span> = Vec::new();
        for &(span, ..) in inside.iter().filter(|p| !p.2 && p.1 >= edge) {
            match found.last_mut() {
                Some(last) if sustained || span.start - last.end < pause => *last = Span::new(last.start, span.end),
                _ => found.push(span),
            }
        }
        found.retain(|s| s.duration() >= LEAST_PIECE);
        if found.is_empty() { vec![inset(coarse, heard_from, heard_to)] } else { found }
    }
}

/// `coarse` less what its outer windows reach beyond the sound, within what was heard.
fn inset(coarse: Span, from: MediaTime, to: MediaTime) -> Span {
    // At an end of the recording the sound may well go on to it.
    let start = if coarse.start <= from { from } else { coarse.start + INSET };
    let end = if coarse.end >= to { to } else { coarse.end - INSET };
    if start < end { Span::new(start, end) } else { Span::new(from, to) }
}
