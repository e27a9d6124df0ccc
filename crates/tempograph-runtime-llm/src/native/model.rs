//! Weights and vocabulary of a language model.

use std::{
    ffi::{CStr, CString},
    path::Path,
    ptr::NonNull,
    rc::Rc,
};

use llama_cpp_sys_2 as sys;
use tempograph_core::{Error, ErrorKind, Result};

use super::{Token, c_path, refused, start};

/// A loaded language model.
pub(crate) struct Model {
    raw: NonNull<sys::llama_model>,
}

/// One turn of a conversation, for [`Model::conversation`].
pub(crate) struct Turn {
    pub(crate) role: &'static CStr,
    pub(crate) content: CString,
}

impl Model {
    /// Loads the weights of `path`, `gpu_layers` of their layers onto an accelerator.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the library refuses them.
    pub(crate) fn load(path: &Path, gpu_layers: u32) -> Result<Rc<Self>> {
        start();
        let c_path = c_path(path)?;
        // SAFETY: the path outlives the call; the parameters are the library's own defaults with a number changed;
        // a null result is handled.
        let raw = unsafe {
            let mut params = sys::llama_model_default_params();
            params.n_gpu_layers = i32::try_from(gpu_layers).unwrap_or(i32::MAX);
            sys::llama_model_load_from_file(c_path.as_ptr(), params)
        };
        let raw = NonNull::new(raw).ok_or_else(|| refused(path))?;
        Ok(Rc::new(Self { raw }))
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_model {
        self.raw.as_ptr()
    }

    pub(super) fn vocab(&self) -> *const sys::llama_vocab {
        // SAFETY: the model is alive; its vocabulary lives as long as it does.
        unsafe { sys::llama_model_get_vocab(self.as_ptr()) }
    }

    /// Size of the vocabulary.
    pub(crate) fn vocab_len(&self) -> usize {
        // SAFETY: the vocabulary is alive.
        usize::try_from(unsafe { sys::llama_vocab_n_tokens(self.vocab()) }).unwrap_or(0)
    }

    /// The token that begins a text, where the model was trained with one.
    pub(crate) fn first_token(&self) -> Option<Token> {
        // SAFETY: the vocabulary is alive.
        unsafe {
            let bos = sys::llama_vocab_bos(self.vocab());
            (sys::llama_vocab_get_add_bos(self.vocab()) && bos >= 0).then_some(bos)
        }
    }

    /// Whether `token` ends an answer.
    pub(crate) fn is_end(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is alive; the library checks the token's range.
        unsafe { sys::llama_vocab_is_eog(self.vocab(), token) }
    }

    /// The tokens of `text`. Only with `markup` are names of control tokens in it read as such.
    pub(crate) fn tokenize(&self, text: &str, markup: bool) -> Result<Vec<Token>> {
        let too_long = || Error::new(ErrorKind::OverBudget, "the question is too long to be taken apart");
        let length = i32::try_from(text.len()).map_err(|_| too_long())?;
        let mut tokens: Vec<Token> = vec![0; text.len() + 8];
        loop {
            let room = i32::try_from(tokens.len()).map_err(|_| too_long())?;
            // SAFETY: both buffers are alive and have the lengths that are passed.
            let count = unsafe {
                sys::llama_tokenize(
                    self.vocab(),
                    text.as_ptr().cast(),
                    length,
                    tokens.as_mut_ptr(),
                    room,
                    false,
                    markup,
                )
            };
            if let Ok(count) = usize::try_from(count) {
                tokens.truncate(count);
                return Ok(tokens);
            }
            let wanted = usize::try_from(count.checked_neg().ok_or_else(too_long)?).map_err(|_| too_long())?;
            if wanted <= tokens.len() {
                return Err(Error::new(ErrorKind::Inference, "llama.cpp could not take the question apart"));
            }
            tokens.resize(wanted, 0);
        }
    }

    /// Appends the bytes of `token` to `out`; control tokens have none. A character may span several tokens.
    pub(crate) fn append_piece(&self, token: Token, out: &mut Vec<u8>) {
        let mut piece = vec![0_u8; 64];
        loop {
            let room = i32::try_from(piece.len()).unwrap_or(i32::MAX);
            // SAFETY: the buffer is alive and has the length that is passed; the library checks the token's range.
            let count =
                unsafe { sys::llama_token_to_piece(self.vocab(), token, piece.as_mut_ptr().cast(), room, 0, false) };
            match usize::try_from(count) {
                Ok(count) => return out.extend_from_slice(&piece[..count.min(piece.len())]),
                Err(_) => {
                    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(0);
                    if wanted <= piece.len() || wanted > 1 << 16 {
                        return;
                    }
                    piece.resize(wanted, 0);
                }
            }
        }
    }

    /// The conversation in the form the model was trained on, ending where its answer begins; [`None`] when the
    /// weights name no form, or one the library does not know.
    pub(crate) fn conversation(&self, turns: &[Turn]) -> Option<String> {
        // SAFETY: the model is alive; a null name asks for its main template; null means there is none.
        let template = unsafe { sys::llama_model_chat_template(self.as_ptr(), std::ptr::null()) };
        if template.is_null() {
            return None;
        }
        apply(template, turns)
    }
}

/// The conversation in the ChatML form.
pub(crate) fn chatml(turns: &[Turn]) -> Option<String> {
    apply(c"chatml".as_ptr(), turns)
}

fn apply(template: *const std::ffi::c_char, turns: &[Turn]) -> Option<String> {
    let chat: Vec<_> =
        turns.iter().map(|t| sys::llama_chat_message { role: t.role.as_ptr(), content: t.content.as_ptr() }).collect();
    let mut buffer = vec![0_u8; 1024];
    for _ in 0..2 {
        let room = i32::try_from(buffer.len()).ok()?;
        // SAFETY: the template and every turn are C strings that outlive the call; the buffer has the length passed.
        let count = unsafe {
            sys::llama_chat_apply_template(template, chat.as_ptr(), chat.len(), true, buffer.as_mut_ptr().cast(), room)
        };
        let count = usize::try_from(count).ok()?;
        if count <= buffer.len() {
            buffer.truncate(count);
            return String::from_utf8(buffer).ok();
        }
        buffer.resize(count, 0);
    }
    None
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: contexts and vision hold an `Rc` of the model, so nothing points into it any more.
        unsafe { sys::llama_model_free(self.as_ptr()) }
    }
}
