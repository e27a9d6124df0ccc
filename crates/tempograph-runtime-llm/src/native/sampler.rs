//! Drawing the next token, held to a grammar.

use std::{ffi::CString, ptr::NonNull, rc::Rc};

use llama_cpp_sys_2 as sys;
use tempograph_core::{Error, ErrorKind, Result, vlm::SamplingParams};

use super::{Context, Model, Token};

/// A step of the library's samplers.
struct Sampler(NonNull<sys::llama_sampler>);

impl Sampler {
    fn new(raw: *mut sys::llama_sampler) -> Result<Self> {
        NonNull::new(raw).map(Self).ok_or_else(|| Error::new(ErrorKind::Internal, "a sampler could not be made"))
    }

    /// Changes or sorts `candidates`, and may choose one.
    fn apply(&mut self, candidates: &mut [sys::llama_token_data]) -> Option<usize> {
        let mut array = sys::llama_token_data_array {
            data: candidates.as_mut_ptr(),
            size: candidates.len(),
            selected: -1,
            sorted: false,
        };
        // SAFETY: the sampler is alive and nothing else uses it; the array is as long as it says. Samplers only
        // reorder, change and shorten it.
        unsafe { sys::llama_sampler_apply(self.0.as_ptr(), &raw mut array) };
        usize::try_from(array.selected).ok().filter(|&i| i < array.size)
    }

    fn accept(&mut self, token: Token) -> Result<()> {
        // SAFETY: the sampler is alive and nothing else uses it; the wrapper catches what the library throws.
        let status = unsafe { sys::llama_rs_sampler_accept(self.0.as_ptr(), token) };
        if status == sys::LLAMA_RS_STATUS_OK {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Inference, "the answer left its grammar"))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { sys::llama_sampler_free(self.0.as_ptr()) }
    }
}

/// Draws tokens.
pub(crate) struct Draw {
    chain: Sampler,
    grammar: Option<Sampler>,
    candidates: Vec<sys::llama_token_data>,
    // The grammar points into its vocabulary.
    _model: Rc<Model>,
}

impl Draw {
    /// Draws as `params` say, held to `grammar` (GBNF with the rule `root`).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] for a grammar that cannot be read.
    pub(crate) fn new(model: &Rc<Model>, params: &SamplingParams, grammar: Option<&str>) -> Result<Self> {
        let seed = (params.seed ^ (params.seed >> 32)) as u32;
        // SAFETY: each step is made here and given to the chain, which owns it from then on.
        let chain = unsafe {
            let chain = sys::llama_sampler_chain_init(sys::llama_sampler_chain_default_params());
            let owned = Sampler::new(chain)?;
            if params.temperature > 0.0 {
                if params.top_p < 1.0 {
                    sys::llama_sampler_chain_add(chain, sys::llama_sampler_init_top_p(params.top_p, 1));
                }
                sys::llama_sampler_chain_add(chain, sys::llama_sampler_init_temp(params.temperature));
                sys::llama_sampler_chain_add(chain, sys::llama_sampler_init_dist(seed));
            } else {
                sys::llama_sampler_chain_add(chain, sys::llama_sampler_init_greedy());
            }
            owned
        };
        let grammar = match grammar {
            None => None,
            Some(text) => {
                let invalid = || Error::new(ErrorKind::InvalidData, "the schema of the answer makes no grammar");
                let text = CString::new(text).map_err(|_| invalid())?;
                // SAFETY: the vocabulary lives as long as `_model`; both texts outlive the call, which copies them.
                let raw = unsafe { sys::llama_rs_sampler_init_grammar(model.vocab(), text.as_ptr(), c"root".as_ptr()) };
                Some(Sampler::new(raw).map_err(|_| invalid())?)
            }
        };
        Ok(Self { chain, grammar, candidates: Vec::new(), _model: Rc::clone(model) })
    }

    /// The next token after what `context` has read.
    ///
    /// The grammar is asked about the drawn token first, and about the whole vocabulary only if it forbids that one:
    /// asking about all is many times dearer.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when the grammar allows nothing.
    pub(crate) fn next(&mut self, context: &Context) -> Result<Token> {
        let logits = context.logits()?;
        let mut token = self.draw(logits, false)?;
        if let Some(grammar) = &mut self.grammar {
            let mut one = [sys::llama_token_data { id: token, logit: 1.0, p: 0.0 }];
            grammar.apply(&mut one);
            if one[0].logit == f32::NEG_INFINITY {
                token = self.draw(logits, true)?;
            }
        }
        if let Some(grammar) = &mut self.grammar {
            grammar.accept(token)?;
        }
        self.chain.accept(token)?;
        Ok(token)
    }

    fn draw(&mut self, logits: &[f32], held: bool) -> Result<Token> {
        self.candidates.clear();
        self.candidates.extend(logits.iter().enumerate().map(|(i, &logit)| sys::llama_token_data {
            id: i as Token,
            logit,
            p: 0.0,
        }));
        if held && let Some(grammar) = &mut self.grammar {
            grammar.apply(&mut self.candidates);
            self.candidates.retain(|c| c.logit > f32::NEG_INFINITY);
        }
        let chosen = (!self.candidates.is_empty()).then(|| self.chain.apply(&mut self.candidates)).flatten();
        chosen
            .map(|i| self.candidates[i].id)
            .ok_or_else(|| Error::new(ErrorKind::Inference, "no token can follow in the answer"))
    }
}
