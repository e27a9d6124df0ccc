//! Emotions as intervals.

use tempograph_core::{FACE_EMOTIONS, MediaTime, Span};

use super::{FaceOptions, Sight};

/// An emotion over an interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) span: Span,
    pub(super) label: &'static str,
    /// Mean score over the interval.
    pub(super) confidence: f32,
}

/// The emotions of a face seen in `sights`, each of which stands for its span.
pub(super) fn intervals(sights: &[Sight<'_>], spans: &[Span], options: &FaceOptions) -> Vec<Interval> {
    let judged: Vec<(usize, &Sight<'_>)> =
        sights.iter().enumerate().filter(|(_, s)| s.emotions.len() == FACE_EMOTIONS.len()).collect();
    let half = MediaTime::from_nanos(options.smooth.nanos() / 2);
    let smooth: Vec<[f32; FACE_EMOTIONS.len()]> = judged
        .iter()
        .map(|(_, at)| {
            let from = judged.partition_point(|(_, s)| s.time < at.time - half);
            let to = judged.partition_point(|(_, s)| s.time <= at.time + half);
            let near = &judged[from..to];
            std::array::from_fn(|e| near.iter().map(|(_, s)| s.emotions[e]).sum::<f32>() / near.len() as f32)
        })
        .collect();
    // A face out of sight for longer may have felt anything meanwhile.
    let near = |i: usize| judged[i].1.time - judged[i - 1].1.time <= options.max_gap;
    let mut found: Vec<(usize, usize, usize)> = Vec::new();
    let mut current: Option<usize> = None;
    for (i, scores) in smooth.iter().enumerate() {
        let best =
            (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a))).unwrap_or_default();
        let stays = current.filter(|&c| scores[c] >= options.emotion_off && scores[best] < scores[c] + options.margin);
        current = stays.or((scores[best] >= options.emotion_on).then_some(best));
        match (current, found.last_mut()) {
            (Some(c), Some((label, _, last))) if *label == c && *last + 1 == i && near(i) => *last = i,
            (Some(c), _) => found.push((c, i, i)),
            (None, _) => {}
        }
    }
    let whole = match (spans.first(), spans.last()) {
        (Some(first), Some(last)) => last.end - first.start,
        _ => return Vec::new(),
    };
    let least = options.min_emotion.min(whole);
    let interval = |(label, first, last): (usize, usize, usize)| {
        let span = Span::new(spans[judged[first].0].start, spans[judged[last].0].end);
        let mean = smooth[first..=last].iter().map(|s| s[label]).sum::<f32>() / (last + 1 - first) as f32;
        (span.duration() >= least).then_some(Interval {
            span,
            label: FACE_EMOTIONS[label],
            confidence: mean.clamp(0.0, 1.0),
        })
    };
    found.into_iter().filter_map(interval).collect()
}
