//! A loaded model that answers questions, one after the other.

use std::{path::PathBuf, rc::Rc, sync::Arc};

use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{Finish, Usage},
};

use super::{
    grammar,
    prompt::{Form, Piece},
};
use crate::{
    budget::{self, Prediction},
    gguf::Header,
    native::{Chunks, Context, ContextOptions, Draw, Model, Part, Picture, Stop, Token, Vision},
    threads,
    wire::{Load, Question},
};

/// Contexts grow in steps of so many tokens, so that questions of about one length share one.
const CONTEXT_STEP: u32 = 2048;
/// Room that an answer is given at the least.
const LEAST_ANSWER: u32 = 16;

/// Weights, and what they have read so far.
pub(super) struct Engine {
    load: Load,
    budget: Budget,
    // Before what it points into.
    context: Option<Context>,
    vision: Option<Vision>,
    model: Rc<Model>,
    stop: Arc<Stop>,
    /// The first tokens of the context that are text.
    known: Vec<Token>,
}

struct Budget {
    text: Header,
    vision: Option<Header>,
    bytes: u64,
}

/// A prompt in tokens.
enum Prompt {
    Words(Vec<Token>),
    Pictures(Chunks),
}

impl Prompt {
    fn tokens(&self) -> usize {
        match self {
            Self::Words(tokens) => tokens.len(),
            Self::Pictures(chunks) => chunks.tokens(),
        }
    }

    /// The text it begins with.
    fn beginning(&self) -> Vec<Token> {
        match self {
            Self::Words(tokens) => tokens.clone(),
            Self::Pictures(chunks) => {
                chunks.iter().next().and_then(|c| c.text().map(<[Token]>::to_vec)).unwrap_or_default()
            }
        }
    }
}

impl Engine {
    /// Loads what `load` names.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] for weights that cannot be used; [`ErrorKind::OverBudget`].
    pub(super) fn load(load: Load, stop: &Arc<Stop>) -> Result<Self> {
        let read = |path: &PathBuf| Header::read(path);
        let budget = Budget {
            text: read(&load.model)?,
            vision: load.mmproj.as_ref().map(read).transpose()?,
            bytes: load.budget_bytes,
        };
        budget.check(&load, CONTEXT_STEP.min(load.context_tokens))?;
        let model = Model::load(&load.model, load.gpu_layers)?;
        let vision = load
            .mmproj
            .as_ref()
            .map(|path| {
                let gpu = load.gpu_layers > 0;
                Vision::load(path, &model, threads::free(load.threads), gpu, load.picture_tokens, load.exact)
            })
            .transpose()?;
        Ok(Self { load, budget, context: None, vision, model, stop: Arc::clone(stop), known: Vec::new() })
    }

    /// Answers `question` about `pictures`, telling each piece of text to `on_text`.
    ///
    /// # Errors
    /// [`ErrorKind::OverBudget`] when it does not fit; [`ErrorKind::Cancelled`]; [`ErrorKind::Inference`]; what
    /// `on_text` returns.
    pub(super) fn answer(
        &mut self,
        question: &Question,
        pictures: &[Picture],
        on_usage: &mut dyn FnMut(Usage) -> Result<()>,
        on_text: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<(Finish, Usage)> {
        let grammar = question.schema.as_ref().map(grammar::of_schema).transpose()?;
        let mut draw = Draw::new(&self.model, &question.sampling, grammar.as_deref())?;
        let (mut position, mut usage, most) = self.read_prompt(question, pictures)?;
        on_usage(usage)?;
        let mut text = Utf8::default();
        let finish = loop {
            if self.stop.raised() {
                return Err(Error::new(ErrorKind::Cancelled, "stopped"));
            }
            if usage.tokens_out >= u64::from(most) {
                break Finish::Length;
            }
            let context = self.context.as_mut().ok_or_else(lost)?;
            let token = draw.next(context)?;
            if self.model.is_end(token) {
                break Finish::Stop;
            }
            usage.tokens_out += 1;
            self.model.append_piece(token, &mut text.bytes);
            let ready = text.ready();
            if !ready.is_empty() {
                on_text(&ready)?;
            }
            if usage.tokens_out < u64::from(most) {
                context.read(&[token], position)?;
                position += 1;
            }
        };
        let rest = text.rest();
        if !rest.is_empty() {
            on_text(&rest)?;
        }
        Ok((finish, usage))
    }

    /// Reads the prompt. Returns the position after it, its tokens, and the most that may be written.
    pub(super) fn read_prompt(&mut self, question: &Question, pictures: &[Picture]) -> Result<(u32, Usage, u32)> {
        let prompt = self.prompt(question, pictures)?;
        let count = u32::try_from(prompt.tokens()).unwrap_or(u32::MAX);
        let room = self.load.context_tokens.saturating_sub(count);
        if count == 0 {
            return Err(Error::new(ErrorKind::InvalidData, "the question is empty"));
        }
        if room < LEAST_ANSWER.min(question.sampling.max_tokens) {
            return Err(Error::new(
                ErrorKind::OverBudget,
                format!("the question has {count} tokens, the context {}", self.load.context_tokens),
            )
            .with_hint("ask with fewer frames or words, or allow a longer context"));
        }
        let most = question.sampling.max_tokens.min(room);
        let beginning = prompt.beginning();
        let known = self.prepare(count.saturating_add(most), &beginning)?;
        let context = self.context.as_mut().ok_or_else(lost)?;
        context.set_threads(threads::free(self.load.threads));
        let after = match &prompt {
            Prompt::Words(tokens) => {
                context.read(&tokens[known..], known as u32)?;
                count
            }
            Prompt::Pictures(chunks) => {
                let vision = self.vision.as_mut().ok_or_else(lost)?;
                let last = chunks.iter().count().saturating_sub(1);
                let mut position = 0;
                for (i, chunk) in chunks.iter().enumerate() {
                    if self.stop.raised() {
                        return Err(Error::new(ErrorKind::Cancelled, "stopped"));
                    }
                    position = match chunk.text() {
                        Some(tokens) => {
                            let skip = if i == 0 { known } else { 0 };
                            context.read(&tokens[skip..], position + skip as u32)?;
                            position + tokens.len() as u32
                        }
                        None => vision.read(context, &chunk, position, i == last)?,
                    };
                }
                position
            }
        };
        self.known = beginning;
        Ok((after, Usage { tokens_in: u64::from(count), tokens_cached: known as u64, tokens_out: 0 }, most))
    }

    /// The values the model expects after what it has read.
    #[cfg(test)]
    pub(super) fn logits(&self) -> Result<Vec<f32>> {
        Ok(self.context.as_ref().ok_or_else(lost)?.logits()?.to_vec())
    }

    /// The likeliest `count` tokens after the prompt, one after the other, whatever they are.
    #[cfg(test)]
    pub(super) fn greedy(&mut self, question: &Question, pictures: &[Picture], count: usize) -> Result<Vec<Token>> {
        let mut draw = Draw::new(&self.model, &question.sampling, None)?;
        let (mut position, _, _) = self.read_prompt(question, pictures)?;
        let mut tokens = Vec::new();
        while tokens.len() < count {
            let context = self.context.as_mut().ok_or_else(lost)?;
            let token = draw.next(context)?;
            tokens.push(token);
            context.read(&[token], position)?;
            position += 1;
        }
        Ok(tokens)
    }

    /// The tokens of the prompt, `-1` for each of a picture.
    #[cfg(test)]
    pub(super) fn prompt_tokens(&self, question: &Question, pictures: &[Picture]) -> Result<Vec<Token>> {
        Ok(match self.prompt(question, pictures)? {
            Prompt::Words(tokens) => tokens,
            Prompt::Pictures(chunks) => {
                chunks.iter().flat_map(|c| c.text().map_or_else(|| vec![-1; c.tokens()], <[Token]>::to_vec)).collect()
            }
        })
    }

    fn prompt(&self, question: &Question, pictures: &[Picture]) -> Result<Prompt> {
        let form = Form::of(&self.model, &question.turns)?;
        let pieces = form.pieces(&question.turns);
        let shown = pieces.iter().filter(|p| **p == Piece::Picture).count();
        if shown != pictures.len() {
            return Err(Error::new(ErrorKind::Internal, "a question with more or fewer pictures than it says"));
        }
        if shown == 0 {
            let mut tokens: Vec<Token> = self.model.first_token().into_iter().collect();
            for piece in pieces {
                tokens.extend(match piece {
                    Piece::Markup(text) => self.model.tokenize(text, true)?,
                    Piece::Content(text) => self.model.tokenize(text, false)?,
                    Piece::Picture => Vec::new(),
                });
            }
            return Ok(Prompt::Words(tokens));
        }
        let vision = self.vision.as_ref().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "this model only reads").with_hint("take a model with a projector")
        })?;
        let mut pictures = pictures.iter();
        let parts: Vec<_> = pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Markup(text) => Some(Part::Text { text, markup: true }),
                Piece::Content(text) => Some(Part::Text { text, markup: false }),
                Piece::Picture => pictures.next().map(Part::Picture),
            })
            .collect();
        Ok(Prompt::Pictures(vision.tokenize(&parts)?))
    }

    /// A context with room for `tokens`, that has read as much of `beginning` as the last one and nothing else;
    /// returns how many tokens that is.
    fn prepare(&mut self, tokens: u32, beginning: &[Token]) -> Result<usize> {
        let known = std::mem::take(&mut self.known);
        if let Some(context) = self.context.as_mut().filter(|c| c.tokens() >= tokens) {
            // The last token is read again, because what follows it is drawn from its reading.
            let same = known.iter().zip(beginning).take_while(|(a, b)| a == b).count();
            let same = same.min(beginning.len().saturating_sub(1));
            return Ok(if context.forget_from(same as u32) { same } else { 0 });
        }
        let size = tokens.next_multiple_of(CONTEXT_STEP).min(self.load.context_tokens);
        self.budget.check(&self.load, size)?;
        // The old one goes first: two together would pass the budget.
        self.context = None;
        let options =
            ContextOptions { tokens: size, threads: threads::free(self.load.threads), exact: self.load.exact };
        self.context = Some(Context::new(&self.model, options, &self.stop)?);
        Ok(0)
    }
}

impl Budget {
    fn check(&self, load: &Load, tokens: u32) -> Result<()> {
        let vision = self.vision.as_ref();
        Prediction::of(&self.text, vision, tokens, load.picture_tokens)
            .check(self.bytes, budget::Advice { pictures: vision.is_some(), tokens })
    }
}

fn lost() -> Error {
    Error::new(ErrorKind::Internal, "the model has no context")
}

/// Text that arrives in bytes: a character may come in several tokens.
#[derive(Default)]
struct Utf8 {
    bytes: Vec<u8>,
}

impl Utf8 {
    /// Takes what is certain: whole characters, and a replacement for each byte that can become none.
    fn ready(&mut self) -> String {
        let mut end = 0;
        for chunk in self.bytes.utf8_chunks() {
            // Up to three bytes at the very end may be the beginning of a character.
            let open = end + chunk.valid().len();
            let cut = open + chunk.invalid().len() == self.bytes.len()
                && std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            end = open + if cut { 0 } else { chunk.invalid().len() };
        }
        let ready = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        self.bytes.drain(..end);
        ready
    }

    /// Takes everything.
    fn rest(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.bytes)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_wait_for_their_last_byte() {
        let mut text = Utf8::default();
        let mut heard = String::new();
        for byte in "é漢🙂x".bytes() {
            text.bytes.push(byte);
            heard.push_str(&text.ready());
        }
        assert_eq!(heard, "é漢🙂x");
        assert!(text.rest().is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_are_marked_and_do_not_pile_up() {
        let mut text = Utf8::default();
        text.bytes.extend([b'a', 0xff, b'b', 0xf0, 0x9f]);
        assert_eq!(text.ready(), "a\u{fffd}b");
        assert_eq!(text.bytes.len(), 2);
        assert_eq!(text.rest(), "\u{fffd}");
    }
}
