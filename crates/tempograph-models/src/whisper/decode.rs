//! The search for the most likely text.
//!
//! Beam search and sampling as in OpenAI's `decoding.py`: blank and suppressed tokens, the grammar of time stamps,
//! patience 1, hypotheses ranked by mean log probability.

use multiversion::multiversion;
use tempograph_core::{Result, Tensor};

use super::model::Whisper;

/// The latest a first segment may begin: 1 s in steps of 20 ms.
const LATEST_BEGIN: u32 = 50;

/// How to search.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    /// Start, language and task.
    pub(super) prompt: &'a [u32],
    /// Hypotheses followed side by side.
    pub(super) beams: usize,
    /// 0 follows the most likely; above that, `beams` texts are drawn at random.
    pub(super) temperature: f32,
    /// Tokens at most.
    pub(super) max_tokens: usize,
}

/// A text found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Tokens with time stamps, without prompt and end.
    pub(super) tokens: Vec<u32>,
    /// Sum of their log probabilities and that of the end.
    pub(super) log_probability: f32,
    /// Probability that nobody speaks.
    pub(super) no_speech: f32,
}

impl Found {
    /// Mean log probability a token, the end included.
    pub(super) fn mean_log_probability(&self) -> f32 {
        self.log_probability / (self.tokens.len() + 1) as f32
    }
}

#[derive(Clone, Default)]
struct Hypothesis {
    tokens: Vec<u32>,
    score: f32,
}

impl Hypothesis {
    fn then(&self, token: u32, log_probability: f32) -> Self {
        let mut next = self.clone();
        next.tokens.push(token);
        next.score += log_probability;
        next
    }

    fn rank(&self) -> f32 {
        self.score / self.tokens.len().max(1) as f32
    }
}

impl Whisper {
    /// Searches for the text of `audio`.
    pub(super) fn search(&mut self, audio: &[Tensor], search: &Search<'_>) -> Result<Found> {
        let marks = self.vocabulary.marks();
        let vocabulary = self.settings.vocabulary;
        let rules = Rules::new(self);
        let mut past = self.no_past()?;
        let step = self.step(audio, &mut past, search.prompt, search.prompt.len(), 0)?;
        let mut logits = step.logits;
        let start = search.prompt.iter().position(|&t| t == marks.start).unwrap_or(0);
        let no_speech = probability(&logits[start * vocabulary..(start + 1) * vocabulary], marks.no_speech);
        logits.drain(..(search.prompt.len() - 1) * vocabulary);

        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut beams = vec![Hypothesis::default()];
        let mut finished: Vec<Hypothesis> = Vec::new();
        for _ in 0..search.max_tokens {
            let rows = beams.iter().zip(logits.chunks_exact_mut(vocabulary));
            let mut candidates: Vec<(f32, usize, u32, f32)> = Vec::new();
            for (beam, (hypothesis, row)) in rows.enumerate() {
                let norm = rules.apply(&hypothesis.tokens, row);
                if search.temperature > 0.0 {
                    let draws = if beams.len() == 1 { search.beams } else { 1 };
                    for _ in 0..draws {
                        let token = random.draw(row, search.temperature);
                        let p = row[token as usize] - norm;
                        candidates.push((hypothesis.score + p, beam, token, p));
                    }
                } else {
                    let best = highest(row, search.beams + 1);
                    candidates.extend(best.into_iter().map(|(t, l)| (hypothesis.score + l - norm, beam, t, l - norm)));
                }
            }
            if search.temperature == 0.0 {
                candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
            }
            let mut next = Vec::new();
            let mut parents = Vec::new();
            for (_, beam, token, p) in candidates {
                if token == marks.end {
                    // The end is counted in the score and, by its place in the list, in the length.
                    finished.push(beams[beam].then(token, p));
                } else {
                    next.push(beams[beam].then(token, p));
                    parents.push(beam);
                }
                if search.temperature == 0.0 && next.len() == search.beams {
                    break;
                }
            }
            if next.is_empty() || (search.temperature == 0.0 && finished.len() >= search.beams) {
                beams = next;
                break;
            }
            past.choose(&parents);
            beams = next;
            let last: Vec<u32> = beams.iter().filter_map(|b| b.tokens.last().copied()).collect();
            logits = self.step(audio, &mut past, &last, 1, 0)?.logits;
        }
        if finished.len() < search.beams {
            finished.extend(beams);
        }
        let best = finished.into_iter().reduce(|a, b| if b.rank() > a.rank() { b } else { a }).unwrap_or_default();
        let mut tokens = best.tokens;
        if tokens.last() == Some(&marks.end) {
            tokens.pop();
        }
        Ok(Found { tokens, log_probability: best.score, no_speech })
    }

    /// The most likely language of `audio` and its probability.
    pub(super) fn hear_language(&mut self, audio: &[Tensor]) -> Result<(u32, f32)> {
        let marks = self.vocabulary.marks();
        let mut past = self.no_past()?;
        let logits = self.step(audio, &mut past, &[marks.start], 1, 0)?.logits;
        let of: Vec<(u32, f32)> =
            self.vocabulary.languages().iter().filter_map(|(id, _)| Some((*id, *logits.get(*id as usize)?))).collect();
        let best = of.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        let Some((id, highest)) = best else { return Ok((marks.start + 1, 0.0)) };
        let sum: f32 = of.iter().map(|l| (l.1 - highest).exp()).sum();
        Ok((id, 1.0 / sum))
    }
}

/// What may be said next.
struct Rules {
    suppress: Vec<u32>,
    suppress_begin: Vec<u32>,
    end: usize,
    first_timestamp: usize,
}

impl Rules {
    fn new(whisper: &Whisper) -> Self {
        let marks = whisper.vocabulary.marks();
        let known = |ids: &[u32]| {
            ids.iter().copied().filter(|&id| (id as usize) < whisper.settings.vocabulary).collect::<Vec<_>>()
        };
        let mut suppress = known(&whisper.settings.suppress);
        suppress.extend([marks.no_timestamps, marks.start, marks.no_speech]);
        suppress.extend(whisper.vocabulary.languages().iter().map(|l| l.0));
        Self {
            suppress,
            suppress_begin: known(&whisper.settings.suppress_begin),
            end: marks.end as usize,
            first_timestamp: marks.first_timestamp as usize,
        }
    }

    /// Rules out what may not follow `said`; gives the logarithm of the sum of what is left.
    fn apply(&self, said: &[u32], logits: &mut [f32]) -> f32 {
        const NEVER: f32 = f32::NEG_INFINITY;
        let timestamp = |t: &u32| *t as usize >= self.first_timestamp;
        for &id in &self.suppress {
            logits[id as usize] = NEVER;
        }
        if said.is_empty() {
            for &id in &self.suppress_begin {
                logits[id as usize] = NEVER;
            }
            logits[..self.first_timestamp].fill(NEVER);
            let latest = self.first_timestamp + LATEST_BEGIN as usize + 1;
            let latest = latest.min(logits.len());
            logits[latest..].fill(NEVER);
        } else {
            let after_timestamp = said.last().is_some_and(timestamp);
            let after_pair = said.len() < 2 || timestamp(&said[said.len() - 2]);
            if after_timestamp && after_pair {
                logits[self.first_timestamp..].fill(NEVER);
            } else if after_timestamp {
                logits[..self.end].fill(NEVER);
            }
            // Time does not run backwards, and a segment is not empty.
            if let Some(&last) = said.iter().rev().find(|t| timestamp(t)) {
                let earliest = last as usize + usize::from(!after_timestamp || after_pair);
                let earliest = earliest.min(logits.len());
                logits[self.first_timestamp..earliest].fill(NEVER);
            }
        }
        let (text, times) = logits.split_at_mut(self.first_timestamp);
        let (highest_text, highest_time) = (highest_of(text), highest_of(times));
        let highest = highest_text.max(highest_time);
        let (sum_text, sum_times) = (sum_exp(text, highest), sum_exp(times, highest));
        // When any time stamp is likelier than every word, it is a time stamp.
        if sum_times.ln() + highest > highest_text {
            text.fill(NEVER);
            return sum_times.ln() + highest;
        }
        (sum_text + sum_times).ln() + highest
    }
}

#[multiversion(targets("x86_64+avx2"))]
fn highest_of(values: &[f32]) -> f32 {
    // Eight lanes, so that the compiler can use vector registers.
    let mut lanes = [f32::NEG_INFINITY; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder().iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = if v > *lane { v } else { *lane };
        }
    }
    lanes.into_iter().fold(rest, f32::max)
}

/// The sum of `exp(value - highest)`.
#[multiversion(targets("x86_64+avx2"))]
fn sum_exp(values: &[f32], highest: f32) -> f32 {
    let mut lanes = [0.0f32; 8];
    let chunks = values.chunks_exact(8);
    let rest: f32 = chunks.remainder().iter().map(|&v| exp(v - highest)).sum();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane += exp(v - highest);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `e^x` for `x` ≤ 0 within 1 part in 100 000, without a call, so that loops over a vocabulary become vector code.
/// Powers of two come from the exponent's bits, the rest from a polynomial on ±½ (Taylor terms of `2^f`).
fn exp(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    let t = (x * std::f32::consts::LOG2_E).max(-125.0);
    let shifted = t + MAGIC;
    let f = t - (shifted - MAGIC);
    let p = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5 + f * (0.055_504_11 + f * (0.009_618_13 + f * (0.001_333_36 + f * 0.000_154_03)))));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    if x < -86.0 { 0.0 } else { p * power }
}

/// Probability of one entry under a softmax over all.
pub(super) fn probability(logits: &[f32], id: u32) -> f32 {
    let highest = highest_of(logits);
    logits.get(id as usize).map_or(0.0, |&l| exp(l - highest) / sum_exp(logits, highest))
}

/// The `count` highest entries that are possible, best first; of equals the first.
fn highest(logits: &[f32], count: usize) -> Vec<(u32, f32)> {
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(count + 1);
    let mut least = f32::NEG_INFINITY;
    for (id, &l) in logits.iter().enumerate() {
        if l > least {
            let at = best.partition_point(|b| b.1 >= l);
            best.insert(at, (id as u32, l));
            best.truncate(count);
            if best.len() == count {
                least = best[count - 1].1;
            }
        }
    }
    best
}

/// A small generator (SplitMix64): the same audio gives the same text.
struct Random(u64);

impl Random {
    fn draw(&mut self, logits: &[f32], temperature: f32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32;
        let top = highest_of(logits);
        let weight = |l: f32| exp((l - top) / temperature);
        let mut left = unit * logits.iter().map(|&l| weight(l)).sum::<f32>();
        let mut last = 0;
        for (id, &l) in logits.iter().enumerate() {
            let w = weight(l);
            if w > 0.0 {
                last = id as u32;
                left -= w;
                if left <= 0.0 {
                    break;
                }
            }
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_exponential_is_close() {
        for i in 0..8500 {
            let x = -(i as f32) / 100.0;
            assert!((exp(x) - x.exp()).abs() <= 1e-5 * x.exp(), "{x}: {} {}", exp(x), x.exp());
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn sums_and_highest_agree_with_the_plain_way() {
        let values: Vec<f32> = (0..1003).map(|i| ((i * 7919) % 1000) as f32 / 50.0 - 10.0).collect();
        let top = highest_of(&values);
        assert_eq!(top, values.iter().copied().fold(f32::MIN, f32::max));
        let plain: f64 = values.iter().map(|&v| f64::from(v - top).exp()).sum();
        assert!((f64::from(sum_exp(&values, top)) / plain - 1.0).abs() < 1e-5);
        let best = highest(&values, 3);
        assert!(best.windows(2).all(|w| w[0].1 >= w[1].1));
        assert_eq!(best[0].1, top);
    }

    /// Words 0 to 9, end 10, time stamps from 12.
    fn rules() -> Rules {
        Rules { suppress: vec![3, 11], suppress_begin: vec![10], end: 10, first_timestamp: 12 }
    }

    fn allowed(said: &[u32], logits: &[f32]) -> Vec<usize> {
        let mut logits = logits.to_vec();
        rules().apply(said, &mut logits);
        (0..logits.len()).filter(|&i| logits[i].is_finite()).collect()
    }

    #[test]
    fn time_stamps_come_in_pairs_and_never_run_backwards() {
        let mut level = vec![0.0; 200];
        level[4] = 9.0;
        level[10] = 9.0;
        let first = allowed(&[], &level);
        assert_eq!((first[0], first[first.len() - 1]), (12, 12 + 50));
        let after_begin = allowed(&[20], &level);
        assert!(after_begin.iter().all(|&t| t < 12 && t != 3 && t != 11), "words only");
        let after_word = allowed(&[20, 4], &level);
        assert!(after_word.contains(&4) && !after_word.contains(&20) && after_word.contains(&21));
        let after_end = allowed(&[20, 4, 30], &level);
        assert!(!after_end.contains(&4) && after_end.contains(&10) && after_end.contains(&30), "{after_end:?}");
        assert!(!after_end.contains(&29));
    }

    #[test]
    fn a_likely_time_wins_over_any_single_word() {
        let mut logits = vec![0.0f32; 200];
        logits[4] = 1.0;
        assert!(allowed(&[20, 4], &logits).iter().all(|&t| t > 20));
    }

    #[test]
    fn drawing_is_the_same_every_time_and_follows_the_weights() {
        let logits = [0.0, 3.0, f32::NEG_INFINITY, 0.0];
        let draw = || {
            let mut random = Random(1);
            (0..1000).map(|_| random.draw(&logits, 1.0)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        let ones = draw().iter().filter(|&&t| t == 1).count();
        assert!((850..970).contains(&ones), "{ones}");
        assert!(!draw().contains(&2));
    }
}
