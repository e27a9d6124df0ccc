//! Ties recognised words to where somebody speaks and drops what nobody said.

use tempograph_core::{Claim, MediaTime, Observation, Span, SpeechSegment, Word};
use tempograph_models::whisper::{Segment, TimedWord};

use super::super::speech::SpeechChunk;

/// A segment whose words lie this far from any speech is not believed.
const FAR: MediaTime = MediaTime::from_millis(500);
/// A phrase of several words said more often in a row is a decoder that goes round in circles.
const MAX_PHRASE_REPEATS: usize = 3;
/// The same for a single word or two, which people do repeat.
const MAX_WORD_REPEATS: usize = 6;
/// Longest phrase looked at.
const LONGEST_PHRASE: usize = 10;

/// The claims of one chunk, in order of time.
pub(super) fn settle(segments: Vec<Segment>, chunk: &SpeechChunk) -> Vec<Observation> {
    let mut out: Vec<Observation> = Vec::new();
    for segment in segments {
        let at = |seconds: f64| chunk.start + MediaTime::from_secs_f64(seconds);
        let span = Span::new(at(segment.start), at(segment.end));
        let nearest = chunk.speech.iter().map(|s| s.gap(span)).min();
        if nearest.is_some_and(|gap| gap > FAR) {
            continue;
        }
        let (kept, cut) = without_circles(segment.words);
        let mut earliest = out.last().map_or(chunk.start, |o| o.span.end);
        let mut words: Vec<Word> = Vec::new();
        for word in kept {
            let span = tied(Span::new(at(word.start), at(word.end)), &chunk.speech);
            let start = span.start.max(earliest);
            let span = Span::new(start, span.end.max(start));
            earliest = span.end;
            words.push(Word { text: word.text, start: span.start, end: span.end, confidence: word.probability });
        }
        let text = if cut { join(&words) } else { segment.text };
        let span = match (words.first(), words.last()) {
            (Some(first), Some(last)) => Span::new(first.start, last.end),
            _ => tied(span, &chunk.speech),
        };
        if text.is_empty() || span.duration() <= MediaTime::ZERO {
            continue;
        }
        let claim = SpeechSegment { text, language: segment.language, confidence: segment.confidence, words };
        out.push(Observation { span, claim: Claim::Speech(claim) });
    }
    out
}

fn join(words: &[Word]) -> String {
    words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// The part of `word` in the speech it overlaps most; a word in a pause moves to the nearest speech.
fn tied(word: Span, speech: &[Span]) -> Span {
    let best = speech.iter().filter_map(|s| s.intersect(word)).max_by_key(|s| s.duration());
    if let Some(part) = best {
        return part;
    }
    match speech.iter().min_by_key(|s| s.gap(word)) {
        Some(near) if near.end <= word.start => Span::new(near.end, near.end),
        Some(near) => Span::new(near.start, near.start),
        None => word,
    }
}

/// The words up to where a phrase begins to repeat itself without end, and whether that was so.
fn without_circles(mut words: Vec<TimedWord>) -> (Vec<TimedWord>, bool) {
    let plain: Vec<String> = words
        .iter()
        .map(|w| w.text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase())
        .collect();
    for start in 0..plain.len() {
        for len in 1..=LONGEST_PHRASE.min((plain.len() - start) / 2) {
            let phrase = &plain[start..start + len];
            let repeats = plain[start..].chunks_exact(len).take_while(|c| *c == phrase).count();
            let most = if len < 3 { MAX_WORD_REPEATS } else { MAX_PHRASE_REPEATS };
            if repeats > most {
                words.drain(start + len..start + len * repeats);
                return (words, true);
            }
        }
    }
    (words, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(a: i64, b: i64) -> Span {
        Span::new(MediaTime::from_millis(a), MediaTime::from_millis(b))
    }

    fn segment(words: &[(&str, f64, f64)]) -> Segment {
        let words: Vec<TimedWord> = words
            .iter()
            .map(|&(text, start, end)| TimedWord { text: text.to_owned(), start, end, probability: 0.9 })
            .collect();
        Segment {
            start: words[0].start,
            end: words[words.len() - 1].end,
            text: words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "),
            language: "en".to_owned(),
            confidence: 0.8,
            no_speech: 0.1,
            words,
        }
    }

    fn chunk(speech: &[Span]) -> SpeechChunk {
        SpeechChunk { start: MediaTime::from_millis(10_000), samples: vec![0.0; 160_000], speech: speech.to_vec() }
    }

    fn claims(segments: Vec<Segment>, chunk: &SpeechChunk) -> Vec<(Span, SpeechSegment)> {
        let speech = |o: Observation| match o.claim {
            Claim::Speech(s) => (o.span, s),
            other => panic!("{other:?}"),
        };
        settle(segments, chunk).into_iter().map(speech).collect()
    }

    #[test]
    fn words_stay_inside_the_speech_and_in_order() {
        let chunk = chunk(&[span(10_300, 12_000), span(13_000, 14_000)]);
        let words = [("And", 0.0, 0.5), ("so", 0.5, 2.2), ("my", 2.2, 2.4), ("fellow", 2.9, 3.5), ("men", 3.9, 4.4)];
        let found = claims(vec![segment(&words)], &chunk);
        let (whole, speech) = &found[0];
        assert_eq!(*whole, span(10_300, 14_000));
        let times: Vec<_> = speech.words.iter().map(|w| Span::new(w.start, w.end)).collect();
        assert_eq!(times[0], span(10_300, 10_500));
        assert_eq!(times[1], span(10_500, 12_000));
        assert_eq!(times[2], span(12_000, 12_000));
        assert_eq!(times[3], span(13_000, 13_500));
        assert!(speech.text.starts_with("And so my"));
    }

    #[test]
    fn what_is_far_from_speech_is_dropped() {
        let chunk = chunk(&[span(10_000, 11_000)]);
        let found = claims(vec![segment(&[("Yes.", 0.1, 0.4)]), segment(&[("Thanks", 5.0, 5.2)])], &chunk);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn circles_are_broken_and_emphasis_is_kept() {
        let chunk = chunk(&[span(10_000, 20_000)]);
        let round: Vec<_> =
            (0..15).map(|i| (["I", "will", "go"][i % 3], i as f64 * 0.2, i as f64 * 0.2 + 0.2)).collect();
        assert_eq!(claims(vec![segment(&round)], &chunk)[0].1.text, "I will go");
        let no: Vec<_> = (0..5).map(|i| ("no", f64::from(i) * 0.2, f64::from(i) * 0.2 + 0.2)).collect();
        assert_eq!(claims(vec![segment(&no)], &chunk)[0].1.words.len(), 5);
    }
}
