//! When each word is spoken, read from where the decoder looked.
//!
//! The constants and the order of steps are those of OpenAI's `timing.py`: scores of the alignment heads, softmax over
//! the audio, standardised over the text, a median of 7, their mean, dynamic time warping.

use tempograph_core::{Result, Tensor};

use super::{
    decode::probability,
    dtw,
    model::Whisper,
    transcribe::{TimedWord, Utterance},
};

/// An encoder position is 20 ms.
pub(super) const POSITION_S: f64 = 0.02;
/// Neighbours the scores are smoothed over.
const MEDIAN: usize = 7;
/// Longest half of a word that is believed at the border of a sentence.
const LONGEST_MEDIAN_S: f64 = 0.7;
const SENTENCE_ENDS: [&str; 6] = [".", "。", "!", "！", "?", "？"];
const OPENING: &str = "\"'“¿([{-";
const CLOSING: &str = "\"'.。,，!！?？:：”)]}、";
/// Languages written without spaces: each character counts as a word.
const WITHOUT_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// A word before it is tied to a segment. Text keeps its leading space.
#[derive(Clone, Debug, PartialEq)]
struct Word {
    text: String,
    tokens: usize,
    start: f64,
    end: f64,
    probability: f32,
}

impl Whisper {
    /// Gives each of `utterances` its words. `positions` are the encoder positions that hold audio.
    pub(super) fn time_words(
        &mut self,
        audio: &[Tensor],
        prompt: &[u32],
        language: &str,
        positions: usize,
        utterances: &mut [Utterance],
    ) -> Result<()> {
        let marks = self.vocabulary.marks();
        let room = self.settings.text_positions.saturating_sub(prompt.len() + 2);
        let mut text: Vec<u32> = utterances.iter().flat_map(|u| u.tokens.iter().copied()).collect();
        text.truncate(room);
        if text.is_empty() {
            return Ok(());
        }
        let tokens = [prompt, &[marks.no_timestamps], &text, &[marks.end]].concat();
        let mut past = self.no_past()?;
        let step = self.step(audio, &mut past, &tokens, tokens.len(), tokens.len())?;
        let vocabulary = self.settings.vocabulary;
        let probabilities: Vec<f32> = text
            .iter()
            .enumerate()
            .map(|(i, &token)| {
                let row = (prompt.len() + i) * vocabulary;
                probability(&step.logits[row..row + marks.end as usize], token)
            })
            .collect();
        let mut at = 0;
        for utterance in utterances.iter_mut() {
            let own = probabilities.get(at..text.len().min(at + utterance.tokens.len())).unwrap_or_default();
            at += utterance.tokens.len();
            let logs: f32 = own.iter().map(|p| p.max(1e-10).ln()).sum();
            utterance.confidence = (logs / own.len().max(1) as f32).exp();
        }
        let times = jump_times(&step.scores, tokens.len(), positions, prompt.len(), text.len() + 1)?;
        let pieces = if WITHOUT_SPACES.contains(&language) { self.characters(&text) } else { self.spaced(&text) };
        let mut words = Vec::new();
        let mut at = 0;
        for (piece, count) in pieces {
            let inside = probabilities.get(at..at + count).unwrap_or_default();
            words.push(Word {
                text: piece,
                tokens: count,
                start: times.get(at).copied().unwrap_or(0.0),
                end: times.get(at + count).copied().unwrap_or(0.0),
                probability: inside.iter().sum::<f32>() / count.max(1) as f32,
            });
            at += count;
        }
        let median = median_duration(&words);
        limit_at_sentence_ends(&mut words, 2.0 * median);
        share(merge_punctuation(words), median, utterances);
        Ok(())
    }

    /// Tokens joined until they make whole characters.
    fn characters(&self, tokens: &[u32]) -> Vec<(String, usize)> {
        let mut out = Vec::new();
        let (mut bytes, mut count) = (Vec::new(), 0);
        for &token in tokens {
            bytes.extend(self.vocabulary.bytes(token));
            count += 1;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                out.push((text.to_owned(), count));
                (bytes, count) = (Vec::new(), 0);
            }
        }
        if count > 0 {
            out.push((String::from_utf8_lossy(&bytes).into_owned(), count));
        }
        out
    }

    /// Characters joined until the next space or mark of punctuation.
    fn spaced(&self, tokens: &[u32]) -> Vec<(String, usize)> {
        let mut out: Vec<(String, usize)> = Vec::new();
        for (text, count) in self.characters(tokens) {
            let mark = !text.trim().is_empty() && text.trim().chars().all(|c| c.is_ascii_punctuation());
            match out.last_mut() {
                Some(last) if !text.starts_with(' ') && !mark => {
                    last.0.push_str(&text);
                    last.1 += count;
                }
                _ => out.push((text, count)),
            }
        }
        out
    }
}

/// The time at which the path through the scores reaches each of `rows` rows from `first` on.
fn jump_times(scores: &Tensor, aligned: usize, positions: usize, first: usize, rows: usize) -> Result<Vec<f64>> {
    let values = scores.as_f32()?;
    let (heads, audio) = match *scores.shape() {
        [1, heads, found, audio] if found == aligned => (heads, audio),
        _ => return Ok(Vec::new()),
    };
    let columns = positions.min(audio);
    if columns == 0 || heads == 0 {
        return Ok(Vec::new());
    }
    let mut costs = vec![0.0f32; rows * columns];
    for head in values.chunks_exact(aligned * audio) {
        let mut weights: Vec<f32> = Vec::with_capacity(aligned * columns);
        for row in head.chunks_exact(audio) {
            let row = &row[..columns];
            let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exps: Vec<f32> = row.iter().map(|v| (v - highest).exp()).collect();
            let sum: f32 = exps.iter().sum();
            weights.extend(exps.iter().map(|e| e / sum));
        }
        for column in 0..columns {
            let values = || (0..aligned).map(|r| weights[r * columns + column]);
            let mean = values().sum::<f32>() / aligned as f32;
            let variance = values().map(|v| (v - mean) * (v - mean)).sum::<f32>() / aligned as f32;
            let deviation = variance.sqrt().max(1e-10);
            for row in 0..aligned {
                let cell = &mut weights[row * columns + column];
                *cell = (*cell - mean) / deviation;
            }
        }
        for row in 0..rows.min(aligned - first) {
            let at = (first + row) * columns;
            let smooth = dtw::median(&weights[at..at + columns], MEDIAN);
            for (cost, weight) in costs[row * columns..].iter_mut().zip(smooth) {
                *cost -= weight / heads as f32;
            }
        }
    }
    let mut times = vec![0.0; rows];
    let mut last = None;
    for (row, column) in dtw::path(&costs, rows, columns) {
        if last != Some(row) {
            times[row] = column as f64 * POSITION_S;
            last = Some(row);
        }
    }
    Ok(times)
}

fn median_duration(words: &[Word]) -> f64 {
    let mut durations: Vec<f64> = words.iter().map(|w| w.end - w.start).filter(|d| *d > 0.0).collect();
    durations.sort_by(f64::total_cmp);
    let middle = durations.len() / 2;
    let median = match durations.len() {
        0 => 0.0,
        n if n % 2 == 1 => durations[middle],
        _ => (durations[middle - 1] + durations[middle]) / 2.0,
    };
    median.min(LONGEST_MEDIAN_S)
}

/// Words that swallowed the pause at the border of a sentence get their usual length back.
fn limit_at_sentence_ends(words: &mut [Word], longest: f64) {
    for i in 1..words.len() {
        if words[i].end - words[i].start > longest {
            if SENTENCE_ENDS.contains(&words[i].text.trim()) {
                words[i].end = words[i].start + longest;
            } else if SENTENCE_ENDS.contains(&words[i - 1].text.trim()) {
                words[i].start = words[i].end - longest;
            }
        }
    }
}

/// Opening marks join the word after them, closing marks the word before.
fn merge_punctuation(words: Vec<Word>) -> Vec<Word> {
    let mut forward: Vec<Word> = Vec::new();
    for word in words.into_iter().rev() {
        match forward.last_mut() {
            // An opening mark carries the space before the word; a mark without one belongs to the word before.
            Some(next) if word.text.starts_with(' ') && is_one_of(word.text.trim(), OPENING) => {
                next.text.insert_str(0, &word.text);
                next.tokens += word.tokens;
            }
            _ => forward.push(word),
        }
    }
    forward.reverse();
    let mut joined: Vec<Word> = Vec::new();
    for word in forward {
        match joined.last_mut() {
            Some(before) if !before.text.ends_with(' ') && is_one_of(&word.text, CLOSING) => {
                before.text.push_str(&word.text);
                before.tokens += word.tokens;
            }
            _ => joined.push(word),
        }
    }
    joined
}

fn is_one_of(text: &str, marks: &str) -> bool {
    let mut chars = text.chars();
    matches!((chars.next(), chars.next()), (Some(c), None) if marks.contains(c))
}

/// Deals the words out to the utterances by their number of tokens and settles the times at the borders.
fn share(words: Vec<Word>, median: f64, utterances: &mut [Utterance]) {
    let longest = 2.0 * median;
    let mut words = words.into_iter().peekable();
    let mut spent = 0;
    let mut owed = 0;
    for utterance in utterances {
        owed += utterance.tokens.len();
        let mut own = Vec::new();
        while spent < owed {
            let Some(word) = words.next() else { break };
            spent += word.tokens;
            if !word.text.trim().is_empty() {
                own.push(word);
            }
        }
        if own.len() > 1 && own[0].end - own[0].start > longest {
            if own[1].end - own[1].start > longest {
                let border = (own[1].end / 2.0).max(own[1].end - longest);
                own[0].end = border;
                own[1].start = border;
            }
            own[0].start = (own[0].end - longest).max(0.0);
        }
        if let Some(first) = own.first_mut() {
            if utterance.start < first.end && utterance.start - 0.5 > first.start {
                first.start = (first.end - median).min(utterance.start).max(0.0);
            } else {
                utterance.start = first.start;
            }
        }
        if let Some(last) = own.last_mut() {
            if utterance.end > last.start && utterance.end + 0.5 < last.end {
                last.end = (last.start + median).max(utterance.end);
            } else {
                utterance.end = last.end;
            }
        }
        utterance.words = own
            .into_iter()
            .map(|w| TimedWord {
                text: w.text.trim().to_owned(),
                start: w.start,
                end: w.end.max(w.start),
                probability: w.probability,
            })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: f64, end: f64) -> Word {
        Word { text: text.to_owned(), tokens: 1, start, end, probability: 0.5 }
    }

    #[test]
    fn marks_join_their_words() {
        let words = [" \"", "Yes", ",", " she", " said", ".", "\""].map(|t| word(t, 0.0, 1.0));
        let texts: Vec<String> = merge_punctuation(words.to_vec()).into_iter().map(|w| w.text).collect();
        assert_eq!(texts, [" \"Yes,", " she", " said.\""]);
    }

    #[test]
    fn a_word_after_a_pause_does_not_keep_the_pause() {
        let mut words =
            vec![word(" one", 0.0, 0.3), word(".", 0.3, 0.4), word(" two", 0.4, 3.0), word(" three", 3.0, 3.3)];
        let median = median_duration(&words);
        limit_at_sentence_ends(&mut words, 2.0 * median);
        assert!((words[2].start - 2.4).abs() < 1e-9, "{words:?}");
    }

    #[test]
    fn words_are_dealt_out_by_tokens() {
        let mut utterances = vec![
            Utterance { tokens: vec![1, 2], start: 0.0, end: 1.0, ..Utterance::default() },
            Utterance { tokens: vec![3], start: 1.0, end: 2.0, ..Utterance::default() },
        ];
        share(vec![word(" a", 0.1, 0.5), word(" b", 0.5, 0.9), word(" c", 1.1, 1.5)], 0.4, &mut utterances);
        assert_eq!(utterances[0].words.len(), 2);
        assert_eq!((utterances[1].words.len(), utterances[1].start, utterances[1].end), (1, 1.1, 1.5));
    }

    #[test]
    fn the_path_through_the_scores_gives_times() {
        // Two heads, four rows, twelve positions: each row looks three positions further.
        let mut scores = vec![0.0f32; 2 * 4 * 12];
        for head in 0..2 {
            for row in 0..4 {
                for column in row * 3..row * 3 + 3 {
                    scores[(head * 4 + row) * 12 + column] = 8.0;
                }
            }
        }
        let scores = Tensor::new([1, 2, 4, 12], scores).unwrap();
        let times = jump_times(&scores, 4, 12, 0, 4).unwrap();
        assert_eq!(times[0], 0.0);
        assert!(times.windows(2).all(|w| w[0] < w[1]), "{times:?}");
        assert_eq!(jump_times(&scores, 4, 0, 0, 4).unwrap(), Vec::<f64>::new());
    }
}
