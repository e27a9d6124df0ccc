//! The state of one conversation with a model: what it has read so far.

use std::{
    ffi::c_void,
    ptr::NonNull,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use llama_cpp_sys_2 as sys;
use tempograph_core::{Error, ErrorKind, Result};

use super::{Model, Token};

/// Says to a running computation that its call is not wanted any more. Calls are numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    current: AtomicU64,
    unwanted: AtomicU64,
}

impl Stop {
    /// The call that runs from now on.
    pub(crate) fn begin(&self, call: u64) {
        self.current.store(call, Ordering::Release);
    }

    /// Stops `call`, if it runs or is still to run.
    pub(crate) fn stop(&self, call: u64) {
        self.unwanted.fetch_max(call, Ordering::AcqRel);
    }

    /// Whether the call that runs is to stop.
    pub(crate) fn raised(&self) -> bool {
        self.current.load(Ordering::Acquire) <= self.unwanted.load(Ordering::Acquire)
    }
}

unsafe extern "C" fn is_stopped(data: *mut c_void) -> bool {
    // SAFETY: `data` is the `Stop` that the context holds an `Arc` of; the library calls this only inside calls on
    // that context.
    unsafe { data.cast::<Stop>().as_ref() }.is_some_and(Stop::raised)
}

/// How a context computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContextOptions {
    /// Tokens it holds.
    pub(crate) tokens: u32,
    /// Processor threads.
    pub(crate) threads: u32,
    /// Exact arithmetic for comparisons: a cache of 32 bits instead of 16.
    pub(crate) exact: bool,
}

/// What a model has read, and what comes next.
pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    options: ContextOptions,
    model: Rc<Model>,
    // The library holds a pointer to it as long as the context lives.
    _stop: Arc<Stop>,
}

/// Tokens that are read in one step: the library's own default for a step of computation, which its buffers are
/// sized by.
pub(crate) const BATCH: u32 = 512;

impl Context {
    /// An empty context.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when there is no memory for it.
    pub(crate) fn new(model: &Rc<Model>, options: ContextOptions, stop: &Arc<Stop>) -> Result<Self> {
        let threads = i32::try_from(options.threads).unwrap_or(1);
        // SAFETY: the parameters are the library's defaults with numbers changed; the data of the callback is kept
        // alive by `_stop` until after the context is freed; a null result is handled.
        let raw = unsafe {
            let mut params = sys::llama_context_default_params();
            params.n_ctx = options.tokens;
            params.n_batch = BATCH;
            params.n_ubatch = BATCH;
            params.n_threads = threads;
            params.n_threads_batch = threads;
            params.no_perf = true;
            params.abort_callback = Some(is_stopped);
            params.abort_callback_data = Arc::as_ptr(stop).cast_mut().cast();
            // It sums in parts, as many as there are threads, and the threads depend on what else runs: the same question
            // would get other answers.
            params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
            if options.exact {
                params.type_k = sys::GGML_TYPE_F32;
                params.type_v = sys::GGML_TYPE_F32;
            }
            sys::llama_init_from_model(model.as_ptr(), params)
        };
        let raw = NonNull::new(raw).ok_or_else(|| {
            Error::new(ErrorKind::Inference, format!("no room for a context of {} tokens", options.tokens))
                .with_hint("ask with fewer frames or words, or take a smaller model")
        })?;
        // SAFETY: allocates a batch of that size, which `drop` frees once.
        let batch = unsafe { sys::llama_batch_init(BATCH as i32, 0, 1) };
        Ok(Self { raw, batch, options, model: Rc::clone(model), _stop: Arc::clone(stop) })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_context {
        self.raw.as_ptr()
    }

    /// Tokens it holds.
    pub(crate) fn tokens(&self) -> u32 {
        self.options.tokens
    }

    /// Computes with `threads` processor threads from now on.
    pub(crate) fn set_threads(&mut self, threads: u32) {
        let threads = i32::try_from(threads).unwrap_or(1);
        // SAFETY: the context is alive and nothing else uses it: `&mut`.
        unsafe { sys::llama_set_n_threads(self.as_ptr(), threads, threads) }
    }

    /// Forgets everything from `position` on. Returns whether what comes before it is still known: models with a
    /// sliding window may have lost it, and then everything is forgotten.
    pub(crate) fn forget_from(&mut self, position: u32) -> bool {
        let position = i32::try_from(position).unwrap_or(i32::MAX);
        // SAFETY: the context is alive and nothing else uses it; its memory lives as long as it does. Some kinds of
        // model have none, and then the pointer is null.
        unsafe {
            let memory = sys::llama_get_memory(self.as_ptr());
            if memory.is_null() {
                return false;
            }
            let whole = position > 0
                && sys::llama_memory_seq_pos_min(memory, 0) == 0
                && sys::llama_memory_seq_rm(memory, 0, position, -1);
            if !whole {
                sys::llama_memory_clear(memory, false);
            }
            whole
        }
    }

    /// Reads `tokens`, the first of which stands at `position`; the last one's continuation can then be drawn.
    ///
    /// # Errors
    /// [`ErrorKind::Cancelled`] when stopped; [`ErrorKind::Inference`] when it does not fit or fails.
    pub(crate) fn read(&mut self, tokens: &[Token], position: u32) -> Result<()> {
        let vocab = self.model.vocab_len();
        if tokens.iter().any(|&t| usize::try_from(t).map_or(true, |t| t >= vocab)) {
            return Err(Error::new(ErrorKind::Internal, "a token is not of the vocabulary"));
        }
        let steps = tokens.chunks(BATCH as usize);
        let last = steps.len().saturating_sub(1);
        for (step, tokens) in steps.enumerate() {
            let first = position as usize + step * BATCH as usize;
            for (i, &token) in tokens.iter().enumerate() {
                let at = i32::try_from(first + i)
                    .map_err(|_| Error::new(ErrorKind::OverBudget, "a position beyond every context"))?;
                // SAFETY: the batch was made for `BATCH` tokens of one sequence each, and `i` is below that.
                unsafe {
                    *self.batch.token.add(i) = token;
                    *self.batch.pos.add(i) = at;
                    *self.batch.n_seq_id.add(i) = 1;
                    *(*self.batch.seq_id.add(i)) = 0;
                    *self.batch.logits.add(i) = i8::from(step == last && i + 1 == tokens.len());
                }
            }
            self.batch.n_tokens = i32::try_from(tokens.len()).unwrap_or(0);
            // SAFETY: the context is alive and nothing else uses it; the batch is filled up to `n_tokens`.
            check(unsafe { sys::llama_decode(self.as_ptr(), self.batch) })?;
        }
        Ok(())
    }

    /// What the model expects after the last token that was read: a value for each token of the vocabulary.
    pub(crate) fn logits(&self) -> Result<&[f32]> {
        // SAFETY: the context is alive; null means that nothing was read. The library keeps one row of the
        // vocabulary's length for the last output until the next call that takes `&mut self`.
        unsafe {
            let row = sys::llama_get_logits_ith(self.as_ptr(), -1);
            if row.is_null() {
                return Err(Error::new(ErrorKind::Internal, "the model has not read anything"));
            }
            Ok(std::slice::from_raw_parts(row, self.model.vocab_len()))
        }
    }
}

/// What the library's answer to a step means.
pub(super) fn check(code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        1 => Err(Error::new(ErrorKind::OverBudget, "the question does not fit the context")),
        2 => Err(Error::new(ErrorKind::Cancelled, "stopped")),
        code => Err(Error::new(ErrorKind::Inference, format!("llama.cpp failed with code {code}"))),
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made by this context and are freed once; the model and the callback's data outlive this
        // call, as fields drop after it.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Cores are taken as they are free when a question comes, so their number must not show in the answer.
    #[test]
    fn values_do_not_depend_on_how_many_threads_compute_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for shape in ["qwen2.5-vl", "qwen3-vl"] {
            let model = Model::load(&folder.join(format!("nano-{shape}.gguf")), 0).unwrap();
            let stop = Arc::new(Stop::default());
            stop.begin(1);
            let values = |threads: u32| {
                let options = ContextOptions { tokens: 2048, threads, exact: false };
                let mut context = Context::new(&model, options, &stop).unwrap();
                let words: Vec<Token> = (0..1200).map(|i| i * 7 % 61 + 10).collect();
                context.read(&words, 0).unwrap();
                let mut rows = vec![context.logits().unwrap().to_vec()];
                for (i, token) in [11, 12, 13].into_iter().enumerate() {
                    context.read(&[token], 1200 + i as u32).unwrap();
                    rows.push(context.logits().unwrap().to_vec());
                }
                rows
            };
            let one = values(1);
            assert!(one.iter().flatten().all(|v| v.is_finite()));
            for threads in 2..=4 {
                assert!(values(threads) == one, "{shape}: {threads} threads");
            }
        }
    }

    #[test]
    fn a_stop_meets_its_own_call_and_no_later_one() {
        let stop = Stop::default();
        stop.begin(1);
        assert!(!stop.raised());
        stop.stop(1);
        assert!(stop.raised());
        stop.begin(2);
        assert!(!stop.raised(), "what came too late for one call does not stop the next");
        stop.stop(3);
        assert!(stop.raised(), "a call that is not wanted takes those before it along");
        stop.begin(4);
        assert!(!stop.raised());
    }
}
