//! A model that says what a test wants.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tempograph_core::vlm::{Ask, CallError, Chunk, ChunkStream, Finish, Limits, Structured, Usage, Vlm};

/// Answers from a list, in order, and remembers what it was asked.
pub(crate) struct Scripted {
    limits: Limits,
    answers: Mutex<VecDeque<Result<String, CallError>>>,
    asked: Mutex<Vec<Ask>>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Result<String, CallError>>) -> Self {
        let limits = Limits {
            model: "scripted".to_owned(),
            context_tokens: 32_768,
            images: 100,
            image_factor: 28,
            video: false,
            structured: Structured::Prompt,
            concurrency: 1,
            remote: false,
        };
        Self { limits, answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() }
    }

    pub(crate) fn answers<T: Into<String>>(answers: impl IntoIterator<Item = T>) -> Self {
        Self::new(answers.into_iter().map(|a| Ok(a.into())))
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Ask> {
        self.asked.lock().clone()
    }
}

impl Vlm for Scripted {
    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn identity(&self) -> String {
        "scripted".to_owned()
    }

    fn generate(&self, ask: Ask) -> ChunkStream {
        self.asked.lock().push(ask);
        let chunks = match self.answers.lock().pop_front().expect("the script has an answer for every question") {
            Err(error) => vec![Err(error)],
            Ok(text) => {
                let mut chunks: Vec<_> =
                    text.split_inclusive(' ').map(|word| Ok(Chunk::Text(word.to_owned()))).collect();
                let tokens_out = chunks.len() as u64;
                chunks.push(Ok(Chunk::Usage(Usage { tokens_in: 10, tokens_cached: 0, tokens_out })));
                chunks.push(Ok(Chunk::Done(Finish::Stop)));
                chunks
            }
        };
        Box::pin(futures_util::stream::iter(chunks))
    }
}
