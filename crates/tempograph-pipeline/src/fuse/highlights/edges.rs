//! Where a highlight may begin and end: at cuts, at sentences, between words.

use tempograph_core::{
    MediaTime, Span, Timeline,
    timeline::{AudioEvent, AudioEventKind},
};

use super::super::scenes::scene_at;

/// An edge this near to a cut or the end of a sentence belongs there.
const NEAR: MediaTime = MediaTime::from_millis(1_000);
/// What a highlight may fall short of its shortest time when words and cuts leave no more.
const SHORT: f64 = 0.75;
/// Moves off words before an edge is given up: people talk over each other.
const MOVES: usize = 16;

/// The places that edges go by.
#[derive(Debug)]
pub(super) struct Edges {
    whole: Span,
    /// Without a gap; never empty.
    scenes: Vec<Span>,
    /// In order of start; those of different people may overlap.
    sentences: Vec<Span>,
    /// The longest of them.
    longest: MediaTime,
    /// In order of start.
    words: Vec<Span>,
}

impl Edges {
    pub(super) fn of(timeline: &Timeline, whole: Span) -> Self {
        let mut edges =
            Self { whole, scenes: Vec::new(), sentences: Vec::new(), longest: MediaTime::ZERO, words: Vec::new() };
        edges.scenes.extend(timeline.scenes.iter().filter_map(|s| s.span.intersect(whole)));
        if edges.scenes.is_empty() {
            edges.scenes.push(whole);
        }
        for event in timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech) {
            edges.sentences.extend(sentences(event));
            edges.words.extend(event.words.iter().flatten().map(|w| Span::new(w.start, w.end)));
        }
        edges.sentences.sort_unstable();
        edges.longest = edges.sentences.iter().map(|s| s.duration()).max().unwrap_or_default();
        edges.words.retain(|w| w.start < w.end);
        edges.words.sort_unstable();
        edges
    }

    /// `window` with its edges where they belong, around what is best at `peak`; `None` when the
    /// rules leave too little.
    pub(super) fn settle(&self, window: Span, peak: MediaTime, min: MediaTime, max: MediaTime) -> Option<Span> {
        let bounds = self.bounds(window, peak, min, max);
        let length = window.duration().max(min).min(max);
        let mut span = window.intersect(bounds).unwrap_or(Span::new(peak, peak));
        if span.duration() < length {
            // Room is taken behind first, so that what leads up to the peak is kept.
            span.end = (span.start + length).min(bounds.end);
            span.start = (span.end - length).max(bounds.start);
        }
        // Few steps settle: each rule moves an edge at most once to a place of its own.
        for (place, is_start) in [(bounds.start, true), (bounds.end, false)] {
            let edge = if is_start { span.start } else { span.end };
            let moved = if is_start { Span::new(place, span.end) } else { Span::new(span.start, place) };
            if edge.abs_diff(place) <= NEAR && moved.duration() <= max {
                span = moved;
            }
        }
        span.start = self.start(span, bounds, min, max)?;
        span.end = self.end(span, bounds, min, max)?;
        let least = MediaTime::from_nanos((min.nanos() as f64 * SHORT) as i64);
        (span.start < span.end && least <= span.duration() && span.duration() <= max).then_some(span)
    }

    /// The scene at `peak`; where it is shorter than `min`, its neighbours too until they are long
    /// enough: first those that fit in whole, then those that `window` has more of.
    fn bounds(&self, window: Span, peak: MediaTime, min: MediaTime, max: MediaTime) -> Span {
        let (mut from, mut to) = (scene_at(&self.scenes, peak), scene_at(&self.scenes, peak));
        let whole = |from: usize, to: usize| Span::new(self.scenes[from].start, self.scenes[to].end);
        while whole(from, to).duration() < min {
            let here = whole(from, to).duration();
            let worth = |i: Option<usize>| {
                let scene = i.and_then(|i| self.scenes.get(i))?;
                let seen = scene.intersect(window).map_or(MediaTime::ZERO, Span::duration);
                Some((here + scene.duration() <= max, seen))
            };
            match (worth(from.checked_sub(1)), worth(to.checked_add(1))) {
                (None, None) => break,
                (Some(before), after) if after.is_none_or(|after| before > after) => from -= 1,
                _ => to += 1,
            }
        }
        let all = whole(from, to);
        if all.duration() <= max || from == to {
            return all;
        }
        // A long neighbour was let in: what is kept begins or ends at the outer cut of the short one.
        let short = scene_at(&self.scenes, peak);
        if to > short {
            Span::new(all.start, all.end.min(all.start + max))
        } else {
            Span::new(all.start.max(all.end - max), all.end)
        }
    }

    /// The best start for `span`: at a sentence, else between words.
    fn start(&self, span: Span, bounds: Span, min: MediaTime, max: MediaTime) -> Option<MediaTime> {
        let fits = |t: MediaTime| bounds.start <= t && t < span.end && span.end - t <= max;
        let long = |t: MediaTime| span.end - t >= min;
        let mut start = span.start;
        if start > bounds.start {
            let inside = self.sentences_near(start).filter(|s| s.start < start && start < s.end);
            let near = self.sentences_near(start).filter(|s| s.start.abs_diff(start) <= NEAR);
            if let Some(sentence) = inside.min_by_key(|s| s.start) {
                start = [sentence.start, sentence.end].into_iter().find(|t| fits(*t) && long(*t)).unwrap_or(start);
            } else if let Some(sentence) = near.min_by_key(|s| s.start.abs_diff(start))
                && fits(sentence.start)
                && long(sentence.start)
            {
                start = sentence.start;
            }
        }
        for _ in 0..MOVES {
            match self.word_at(start) {
                Some(word) => start = word.end,
                None => return fits(start).then_some(start),
            }
        }
        None
    }

    /// The best end for `span`: at a sentence, else between words.
    fn end(&self, span: Span, bounds: Span, min: MediaTime, max: MediaTime) -> Option<MediaTime> {
        let fits = |t: MediaTime| t <= bounds.end && span.start < t && t - span.start <= max;
        let long = |t: MediaTime| t - span.start >= min;
        let mut end = span.end;
        if end < bounds.end {
            let inside = self.sentences_near(end).filter(|s| s.start < end && end < s.end);
            let near = self.sentences_near(end).filter(|s| s.end.abs_diff(end) <= NEAR);
            if let Some(sentence) = inside.max_by_key(|s| s.end) {
                end = [sentence.end, sentence.start].into_iter().find(|t| fits(*t) && long(*t)).unwrap_or(end);
            } else if let Some(sentence) = near.min_by_key(|s| s.end.abs_diff(end))
                && fits(sentence.end)
                && long(sentence.end)
            {
                end = sentence.end;
            }
        }
        for _ in 0..MOVES {
            match self.word_at(end) {
                Some(word) => end = word.start,
                None => return fits(end).then_some(end),
            }
        }
        None
    }

    /// The sentences that `time` lies in or near to, and some others.
    fn sentences_near(&self, time: MediaTime) -> impl Iterator<Item = &Span> {
        let from = self.sentences.partition_point(|s| s.start < time - self.longest - NEAR);
        self.sentences[from..].iter().take_while(move |s| s.start <= time + NEAR)
    }

    /// A word that `time` lies inside of.
    fn word_at(&self, time: MediaTime) -> Option<Span> {
        // No word lasts longer than this, whatever a subtitle says of one.
        const LONGEST: MediaTime = MediaTime::from_millis(10_000);
        let until = self.words.partition_point(|w| w.start < time);
        let from = self.words[..until].partition_point(|w| w.start < time - LONGEST);
        self.words[from..until].iter().find(|w| time < w.end).copied()
    }

    pub(super) fn whole(&self) -> Span {
        self.whole
    }
}

/// The sentences of `event`: apart at full stops where there are words, else all of it.
fn sentences(event: &AudioEvent) -> Vec<Span> {
    let mut sentences = Vec::new();
    let mut open: Option<Span> = None;
    for word in event.words.iter().flatten() {
        let span = open.map_or(Span::new(word.start, word.end), |s| Span::new(s.start, s.end.max(word.end)));
        let text = word.text.trim_end_matches(['"', '\'', '”', '’', ')', '»']);
        if text.ends_with(['.', '?', '!', '…', '。', '？', '！']) {
            sentences.push(span);
            open = None;
        } else {
            open = Some(span);
        }
    }
    sentences.extend(open);
    if sentences.is_empty() {
        sentences.push(event.span);
    }
    sentences.retain(|s| s.start < s.end);
    sentences
}
