//! From samples to segments of text with timed words.

use std::{io::Write, ops::Range};

use flate2::{Compression, write::ZlibEncoder};
use tempograph_core::{Result, Tensor};

use super::{
    decode::{Found, Search},
    mel::HOP,
    model::Whisper,
    words::POSITION_S,
};

/// How much audio the encoder is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioContext {
    /// Always 30 s, as it was trained: the rest is silence.
    Full,
    /// What there is, and this many seconds of silence.
    Fitted {
        /// Silence after the audio.
        silence_s: u32,
    },
}

/// How to transcribe.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscribeOptions {
    /// Language tag, e.g. `en`; heard when absent.
    pub language: Option<String>,
    /// Hypotheses followed side by side.
    pub beams: usize,
    /// Tried in turn until a text is plausible; 0 is a search, above it texts are drawn at random (always the same).
    pub temperatures: Vec<f32>,
    /// A text that compresses better than this repeats itself.
    pub max_compression: f32,
    /// A text with a lower mean log probability is not plausible.
    pub min_log_probability: f32,
    /// Above this, and with an implausible text, nobody speaks.
    pub max_no_speech: f32,
    /// How much audio the encoder is shown.
    pub context: AudioContext,
}

impl Default for TranscribeOptions {
    /// The defaults of OpenAI's and faster-whisper's `transcribe`, but for the context: 2 s of silence after the speech
    /// gave the same word error rate as 30 s on every recording tried, and it is several times as fast.
    fn default() -> Self {
        Self {
            language: None,
            beams: 5,
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            max_compression: 2.4,
            min_log_probability: -1.0,
            max_no_speech: 0.6,
            context: AudioContext::Fitted { silence_s: 2 },
        }
    }
}

/// A stretch of text. Times are seconds from the first sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// First word begins.
    pub start: f64,
    /// Last word ends.
    pub end: f64,
    /// The words as text.
    pub text: String,
    /// Language tag.
    pub language: String,
    /// Geometric mean of the token probabilities, 0 to 1.
    pub confidence: f32,
    /// Probability that nobody speaks, 0 to 1.
    pub no_speech: f32,
    /// The words with their times.
    pub words: Vec<TimedWord>,
}

/// A word. Times are seconds from the first sample.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedWord {
    /// With its punctuation, without surrounding space.
    pub text: String,
    /// Begins.
    pub start: f64,
    /// Ends.
    pub end: f64,
    /// Mean token probability, 0 to 1.
    pub probability: f32,
}

/// What is said between two time stamps. Times are seconds from the start of the picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Utterance {
    pub(super) tokens: Vec<u32>,
    pub(super) start: f64,
    pub(super) end: f64,
    pub(super) confidence: f32,
    pub(super) words: Vec<TimedWord>,
}

/// Columns of the picture a second.
const FRAMES_PER_S: usize = 100;
/// Tokens one picture may give at most: half of the decoder's positions.
const TOKENS_SHARE: usize = 2;
/// A rest with less speech than this (in columns) is not looked at again.
const SHORTEST_REST: usize = 40;
/// The least the picture moves on (in columns), so that a text without end does not stop it.
const SHORTEST_STEP: usize = 100;

impl Whisper {
    /// The text of `samples` (16 kHz mono). `speech` are the stretches in samples where somebody may speak, in order;
    /// when there are none, it may be anywhere. A rest without speech is not looked at.
    ///
    /// # Errors
    /// Those of [`Session::run`](tempograph_core::Session::run).
    pub fn transcribe(
        &mut self,
        samples: &[f32],
        speech: &[Range<usize>],
        options: &TranscribeOptions,
    ) -> Result<Vec<Segment>> {
        let total = samples.len().div_ceil(HOP);
        let longest = 2 * self.settings.audio_positions;
        let mut segments = Vec::new();
        let mut language = options.language.clone();
        let mut seek = 0;
        let speech_after = |column: usize| match speech {
            [] => total.saturating_sub(column),
            _ => speech.iter().map(|s| s.end.saturating_sub(s.start.max(column * HOP)) / HOP).sum(),
        };
        while seek < total && (seek == 0 || speech_after(seek) > SHORTEST_REST) {
            let audio = &samples[seek * HOP..samples.len().min((seek + longest) * HOP)];
            let content = audio.len().div_ceil(HOP).min(longest);
            let frames = match options.context {
                AudioContext::Full => longest,
                AudioContext::Fitted { silence_s } => {
                    (content + silence_s as usize * FRAMES_PER_S).next_multiple_of(FRAMES_PER_S).min(longest)
                }
            };
            let picture = self.mel.compute(audio, frames);
            let mut heard = self.encode(picture, frames)?;
            let language = match &language {
                Some(language) => language.clone(),
                None => language.insert(self.language_of(&heard)?).clone(),
            };
            let prompt = self.prompt(&language);
            let mut found = None;
            if frames < longest {
                // A shorter picture than it was trained on can lead it astray: then it sees the whole.
                found = Some(self.search_at(0.0, &heard, &prompt, options)?).filter(|f| plausible(f, options));
                if found.is_none() {
                    let picture = self.mel.compute(audio, longest);
                    heard = self.encode(picture, longest)?;
                }
            }
            let found = match found {
                Some((found, _)) => found,
                None => self.search_until_plausible(&heard, &prompt, options)?,
            };
            if found.no_speech > options.max_no_speech && found.mean_log_probability() <= options.min_log_probability {
                seek += content;
                continue;
            }
            let (mut utterances, used) = self.split(&found.tokens, content);
            self.time_words(&heard, &prompt, &language, content / 2, &mut utterances)?;
            // Time stamps can run ahead of the speech; where the decoder looked last is the better witness.
            let last_word = utterances.iter().flat_map(|u| &u.words).map(|w| w.end).fold(0.0, f64::max);
            let used = used.max((last_word * FRAMES_PER_S as f64).round() as usize);
            let offset = (seek * HOP) as f64 / 16_000.0;
            segments.extend(utterances.into_iter().filter_map(|u| {
                let text = self.vocabulary.text(&u.tokens).trim().to_owned();
                let word = |w: TimedWord| TimedWord { start: w.start + offset, end: w.end + offset, ..w };
                (!text.is_empty() && u.end > u.start).then(|| Segment {
                    start: u.start + offset,
                    end: u.end + offset,
                    text,
                    language: language.clone(),
                    confidence: u.confidence.clamp(0.0, 1.0),
                    no_speech: found.no_speech,
                    words: u.words.into_iter().map(word).collect(),
                })
            }));
            seek += used.clamp(SHORTEST_STEP.min(content), content);
        }
        Ok(segments)
    }

    fn language_of(&mut self, heard: &[Tensor]) -> Result<String> {
        if !self.is_multilingual() {
            return Ok("en".to_owned());
        }
        let (id, _) = self.hear_language(heard)?;
        let name = self.vocabulary.languages().iter().find(|l| l.0 == id).map(|l| l.1.clone());
        Ok(name.unwrap_or_else(|| "en".to_owned()))
    }

    fn prompt(&self, language: &str) -> Vec<u32> {
        let marks = self.vocabulary.marks();
        match self.vocabulary.id(&format!("<|{language}|>")) {
            Some(language) if self.is_multilingual() => vec![marks.start, language, marks.transcribe],
            _ => vec![marks.start],
        }
    }

    /// Raises the temperature until the text neither repeats itself nor is improbable.
    fn search_until_plausible(
        &mut self,
        heard: &[Tensor],
        prompt: &[u32],
        options: &TranscribeOptions,
    ) -> Result<Found> {
        let mut tried: Vec<(bool, Found)> = Vec::new();
        for &temperature in &options.temperatures {
            let found = self.search_at(temperature, heard, prompt, options)?;
            if plausible(&found, options) {
                return Ok(found.0);
            }
            tried.push((found.1 <= options.max_compression, found.0));
        }
        let better = |a: (bool, Found), b: (bool, Found)| {
            let key = |f: &(bool, Found)| (f.0, f.1.mean_log_probability());
            if key(&b) > key(&a) { b } else { a }
        };
        Ok(tried.into_iter().reduce(better).map(|t| t.1).unwrap_or_default())
    }

    /// A text and how well it compresses.
    fn search_at(
        &mut self,
        temperature: f32,
        heard: &[Tensor],
        prompt: &[u32],
        options: &TranscribeOptions,
    ) -> Result<(Found, f32)> {
        let max_tokens = self.settings.text_positions / TOKENS_SHARE - prompt.len().min(4);
        let search = Search { prompt, beams: options.beams.max(1), temperature, max_tokens };
        let found = self.search(heard, &search)?;
        let compression = compression(&self.vocabulary.text(&found.tokens));
        Ok((found, compression))
    }

    /// Splits at pairs of time stamps; gives also how many columns of the picture were used up.
    fn split(&self, tokens: &[u32], content: usize) -> (Vec<Utterance>, usize) {
        let marks = self.vocabulary.marks();
        let is_time = |t: u32| t >= marks.first_timestamp;
        let seconds = |t: u32| f64::from(t - marks.first_timestamp) * POSITION_S;
        let words = |slice: &[u32]| slice.iter().copied().filter(|&t| t < marks.end).collect::<Vec<_>>();
        let length = content as f64 / FRAMES_PER_S as f64;
        let ends_once = matches!(*tokens, [.., before, last] if !is_time(before) && is_time(last));
        let mut borders: Vec<usize> =
            (1..tokens.len()).filter(|&i| is_time(tokens[i - 1]) && is_time(tokens[i])).collect();
        let mut used = content;
        if borders.is_empty() {
            let last = tokens.iter().rev().copied().find(|&t| is_time(t) && t != marks.first_timestamp);
            let first = tokens.first().copied().filter(|&t| is_time(t)).map_or(0.0, seconds);
            let end = last.map_or(length, seconds);
            let end = if end > first { end.min(length) } else { length };
            return (vec![Utterance { tokens: words(tokens), start: first, end, ..Utterance::default() }], used);
        }
        if ends_once {
            borders.push(tokens.len());
        }
        let mut utterances = Vec::new();
        let mut from = 0;
        for &to in &borders {
            if let [first, .., last] = tokens[from..to] {
                let start = if is_time(first) { seconds(first) } else { 0.0 };
                let end = if is_time(last) { seconds(last) } else { length };
                utterances.push(Utterance { tokens: words(&tokens[from..to]), start, end, ..Utterance::default() });
            }
            from = to;
        }
        if !ends_once && from > 0 {
            used = (2 * (tokens[from - 1] - marks.first_timestamp) as usize).min(content);
        }
        (utterances, used)
    }
}

/// Whether a text is likely and does not repeat itself, or nobody speaks.
fn plausible((found, compression): &(Found, f32), options: &TranscribeOptions) -> bool {
    let likely = found.mean_log_probability() >= options.min_log_probability;
    (found.no_speech > options.max_no_speech && !likely) || (likely && *compression <= options.max_compression)
}

/// How much shorter zlib makes `text`: a text that repeats itself shrinks most.
fn compression(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail; were it to, the text would count as plain.
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(bytes) if !bytes.is_empty() => text.len() as f32 / bytes.len() as f32,
        _ => 1.0,
    }
}
