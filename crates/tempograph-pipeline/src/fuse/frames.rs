//! From vectors of single frames to stretches of video that look like them.

use tempograph_core::{FrameVector, MediaTime, Span};

/// A vector stands until the next one, but no longer than this: the stage looks at least once a unit.
const HOLDS: MediaTime = MediaTime::from_millis(10_000);
/// Cosine from which two frames are one picture: 8 bits a number tell no closer ones apart.
const SAME: f64 = 0.99;

/// What the video looks like from when to when, in order of time; `end` is where it ends.
pub fn frame_spans(mut frames: Vec<(Span, FrameVector)>, end: MediaTime) -> Vec<(Span, FrameVector)> {
    frames.sort_by_key(|(span, vector)| (span.start, vector.frame));
    let mut spans: Vec<(Span, FrameVector)> = Vec::new();
    let starts: Vec<MediaTime> = frames.iter().map(|(span, _)| span.start).collect();
    for (i, (span, vector)) in frames.into_iter().enumerate() {
        let next = starts.get(i + 1).copied().unwrap_or(end);
        let until = next.min(span.start.saturating_add(HOLDS)).max(span.end.min(next)).max(span.start);
        match spans.last_mut() {
            Some((last, first)) if last.end >= span.start && first.cosine(&vector) >= SAME => last.end = until,
            _ => spans.push((Span::new(span.start, until), vector)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, vector: [f32; 2]) -> (Span, FrameVector) {
        let start = MediaTime::from_millis(second * 1000);
        (Span::new(start, start.saturating_add(MediaTime::from_millis(40))), FrameVector::new(second as u64, &vector))
    }

    #[test]
    fn vectors_stand_until_the_next_and_one_picture_is_one_stretch() {
        let (a, b) = ([1.0, 0.1], [0.1, 1.0]);
        let seen = vec![at(5, a), at(0, a), at(7, b), at(40, b), at(46, a)];
        let spans = frame_spans(seen, MediaTime::from_millis(48_000));
        let seconds: Vec<(f64, f64, u64)> =
            spans.iter().map(|(s, v)| (s.start.as_secs_f64(), s.end.as_secs_f64(), v.frame)).collect();
        assert_eq!(seconds, [(0.0, 7.0, 0), (7.0, 17.0, 7), (40.0, 46.0, 40), (46.0, 48.0, 46)]);
        assert!(frame_spans(Vec::new(), MediaTime::ZERO).is_empty());
    }
}
