//! From the levels of overlapping windows to turns.

use tempograph_core::{MediaTime, Span};
use tempograph_models::speakers::{FIRST_CENTRE, FRAMES, HOP, LOCAL_SPEAKERS};

use super::{SpeakerOptions, Window};

/// Whether `next` belongs to the same recording as the window before it: windows of a recording overlap.
pub(super) fn follows(before: Span, next: Span) -> bool {
    next.start < before.end
}

/// When each speaker speaks: spans with the speaker's number, pauses closed.
///
/// `labels` holds the speaker of each print. Memory does not grow with the number of windows: once no later window sees
/// a frame, it is decided.
pub(super) fn spoken(
    windows: &[Window<'_>],
    labels: &[usize],
    speakers: usize,
    options: &SpeakerOptions,
) -> Vec<(Span, usize)> {
    let mut runs: Vec<(Span, usize)> = Vec::new();
    for recording in windows.chunk_by(|a, b| follows(a.span, b.span)) {
        let clock = Clock::of(recording);
        let mut sums = vec![0f32; FRAMES * speakers];
        let mut seen = [0f32; FRAMES];
        let mut since: Vec<Option<usize>> = vec![None; speakers];
        for (i, window) in recording.iter().enumerate() {
            let start = window.first;
            add(window, labels, speakers, &mut sums, &mut seen);
            let until = recording.get(i + 1).map_or(FRAMES, |next| (next.first - start).min(FRAMES));
            for frame in 0..until {
                for (speaker, since) in since.iter_mut().enumerate() {
                    let level = sums[frame * speakers + speaker] / seen[frame].max(1.0);
                    match *since {
                        None if level >= options.onset => *since = Some(start + frame),
                        Some(from) if level < options.offset => {
                            runs.push((clock.span(from, start + frame), speaker));
                            *since = None;
                        }
                        _ => {}
                    }
                }
            }
            sums.copy_within(until * speakers.., 0);
            let kept = (FRAMES - until) * speakers;
            sums[kept..].fill(0.0);
            seen.copy_within(until.., 0);
            seen[FRAMES - until..].fill(0.0);
        }
        let end = recording.last().map_or(0, |w| w.first + FRAMES);
        let open = since.iter().enumerate().filter_map(|(speaker, from)| Some((from.as_ref()?, speaker)));
        runs.extend(open.map(|(from, speaker)| (clock.span(*from, end), speaker)));
    }
    runs.retain(|(span, _)| span.duration() > MediaTime::ZERO);
    runs.sort_unstable();
    let mut turns = closed(&runs, speakers, options.longest_pause);
    turns.retain(|(span, _)| span.duration() >= options.shortest_turn);
    turns
}

/// Adds a window's levels to those of its speakers.
fn add(window: &Window<'_>, labels: &[usize], speakers: usize, sums: &mut [f32], seen: &mut [f32; FRAMES]) {
    seen.iter_mut().for_each(|s| *s += 1.0);
    let mut level = vec![0u8; FRAMES * speakers];
    for voice in 0..LOCAL_SPEAKERS {
        if window.levels[voice].is_empty() {
            continue;
        }
        let own: Vec<_> = window.heard.iter().filter(|h| h.voice == voice).collect();
        // Nothing was embedded anywhere: somebody speaks, so let it be one.
        let alone = labels.is_empty().then_some(0);
        for frame in 0..FRAMES {
            let away = |from: usize, until: usize| from.saturating_sub(frame).max((frame + 1).saturating_sub(until));
            let near = own.iter().min_by_key(|h| away(h.from, h.until)).map(|h| labels[h.print]);
            if let Some(speaker) = near.or(alone) {
                let slot = &mut level[frame * speakers + speaker];
                *slot = (*slot).max(window.level(voice, frame));
            }
        }
    }
    sums.iter_mut().zip(&level).for_each(|(sum, level)| *sum += f32::from(*level) / 15.0);
}

/// `runs` in order of time with short pauses closed, unless somebody else begins to speak in them.
fn closed(runs: &[(Span, usize)], speakers: usize, longest: MediaTime) -> Vec<(Span, usize)> {
    let mut turns: Vec<(Span, usize)> = Vec::new();
    let mut last: Vec<Option<usize>> = vec![None; speakers];
    for &(span, speaker) in runs {
        if let Some(turn) = last[speaker] {
            let end = turns[turn].0.end;
            let pause = Span::new(end, span.start);
            let taken = || turns[turn..].iter().any(|t| t.1 != speaker && pause.contains(t.0.start));
            if pause.duration() < longest && !taken() {
                turns[turn].0.end = span.end.max(end);
                continue;
            }
        }
        last[speaker] = Some(turns.len());
        turns.push((span, speaker));
    }
    turns.sort_unstable();
    turns
}

/// Times of a recording's frames.
struct Clock {
    whole: Span,
}

impl Clock {
    fn of(recording: &[Window<'_>]) -> Self {
        let start = recording.first().map_or(MediaTime::ZERO, |w| w.span.start);
        Self { whole: Span::new(start, recording.iter().map(|w| w.span.end).max().unwrap_or(start)) }
    }

    /// From the left edge of one frame to that of another.
    fn span(&self, from: usize, until: usize) -> Span {
        let at = |frame: usize| {
            let samples = (frame * HOP + FIRST_CENTRE - HOP / 2) as i64;
            let time = self.whole.start + MediaTime::from_ticks(samples, 1, 16_000);
            if frame == 0 { self.whole.start } else { time.min(self.whole.end) }
        };
        Span::new(at(from), at(until))
    }
}
