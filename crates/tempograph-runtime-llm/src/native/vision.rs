//! Pictures for a language model: the projector, and prompts that hold pictures.

use std::{marker::PhantomData, path::Path, ptr::NonNull, rc::Rc};

use llama_cpp_sys_2 as sys;
use tempograph_core::{Error, ErrorKind, Result};

use super::{
    Context, Model, Token, c_path,
    context::{BATCH, check},
    refused,
};

/// A loaded projector: what turns pixels into what the language model reads.
pub(crate) struct Vision {
    raw: NonNull<sys::mtmd_context>,
    // The projector points into it.
    _model: Rc<Model>,
}

impl Vision {
    /// Loads the projector of `path`, which belongs to `model`. A picture becomes at most `tokens` tokens, where the
    /// kind of model leaves that open.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the library refuses it or it cannot see.
    pub(crate) fn load(
        path: &Path,
        model: &Rc<Model>,
        threads: u32,
        gpu: bool,
        tokens: u32,
        exact: bool,
    ) -> Result<Self> {
        let c_path = c_path(path)?;
        // SAFETY: the path outlives the call; the parameters are the library's defaults with plain values changed;
        // the model is kept alive by `_model`; a null result is handled.
        let raw = unsafe {
            let mut params = sys::mtmd_context_params_default();
            params.use_gpu = gpu;
            params.print_timings = false;
            params.n_threads = i32::try_from(threads).unwrap_or(1);
            params.image_max_tokens = i32::try_from(tokens).unwrap_or(i32::MAX);
            if exact {
                params.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
            }
            sys::mtmd_init_from_file(c_path.as_ptr(), model.as_ptr(), params)
        };
        let raw = NonNull::new(raw).ok_or_else(|| refused(path))?;
        let vision = Self { raw, _model: Rc::clone(model) };
        // SAFETY: the projector is alive.
        if !unsafe { sys::mtmd_support_vision(vision.raw.as_ptr()) } {
            return Err(Error::new(ErrorKind::ModelInvalid, format!("these weights see nothing: {}", path.display())));
        }
        Ok(vision)
    }

    /// The tokens of a prompt with pictures. Text is read as control tokens only where it is markup.
    ///
    /// # Errors
    /// [`ErrorKind::Inference`] when a picture cannot be used.
    pub(crate) fn tokenize(&self, parts: &[Part<'_>]) -> Result<Chunks> {
        let texts: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Text { text, markup } => Some(sys::mtmd_input_text {
                    text: text.as_ptr().cast(),
                    text_len: text.len(),
                    add_special: false,
                    parse_special: *markup,
                }),
                Part::Picture(_) => None,
            })
            .collect();
        let raw_parts: Vec<_> = parts
            .iter()
            .zip(&texts)
            .map(|(part, text)| sys::mtmd_input_part {
                text: text.as_ref().map_or(std::ptr::null(), std::ptr::from_ref),
                bitmap: match part {
                    Part::Picture(picture) => picture.raw.as_ptr(),
                    Part::Text { .. } => std::ptr::null(),
                },
            })
            .collect();
        let pointers: Vec<*const sys::mtmd_input_part> = raw_parts.iter().map(std::ptr::from_ref).collect();
        // SAFETY: makes an empty list, or null.
        let raw = NonNull::new(unsafe { sys::mtmd_input_chunks_init() })
            .ok_or_else(|| Error::new(ErrorKind::Internal, "no memory for a prompt"))?;
        let chunks = Chunks { raw };
        // SAFETY: the projector is alive and this call leaves it unchanged; texts, pictures and the lists that point
        // to them outlive the call.
        let code = unsafe {
            sys::mtmd_tokenize_from_parts(
                self.raw.as_ptr(),
                chunks.raw.as_ptr(),
                pointers.as_ptr().cast_mut(),
                pointers.len(),
                true,
            )
        };
        if code != 0 {
            return Err(Error::new(ErrorKind::Inference, "the model cannot use one of the pictures"));
        }
        Ok(chunks)
    }

    /// Lets `context` read `chunk`, whose first token stands at `position`; returns the position after it. With
    /// `last`, its continuation can then be drawn.
    ///
    /// # Errors
    /// As for [`Context::read`].
    pub(crate) fn read(&mut self, context: &mut Context, chunk: &Chunk<'_>, position: u32, last: bool) -> Result<u32> {
        let mut after = 0;
        let position = i32::try_from(position).unwrap_or(i32::MAX);
        // SAFETY: projector, context and chunk are alive; `&mut` says that nothing else uses the first two; `after`
        // is written by the call alone.
        check(unsafe {
            sys::mtmd_helper_eval_chunk_single(
                self.raw.as_ptr(),
                context.as_ptr(),
                chunk.raw.as_ptr(),
                position,
                0,
                BATCH as i32,
                last,
                &raw mut after,
            )
        })?;
        u32::try_from(after).map_err(|_| Error::new(ErrorKind::Internal, "a position below zero"))
    }
}

impl Drop for Vision {
    fn drop(&mut self) {
        // SAFETY: owned, freed once, while the model still lives.
        unsafe { sys::mtmd_free(self.raw.as_ptr()) }
    }
}

/// A picture in the library's memory.
pub(crate) struct Picture {
    raw: NonNull<sys::mtmd_bitmap>,
}

impl Picture {
    /// A picture of packed RGB. A `mergeable` one becomes one with its neighbour in models that know video.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when the pixels are not `3 * width * height`.
    pub(crate) fn new(width: u32, height: u32, rgb: &[u8], mergeable: bool) -> Result<Self> {
        let wanted = (width as usize).checked_mul(height as usize).and_then(|n| n.checked_mul(3));
        if wanted != Some(rgb.len()) || rgb.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "a picture whose pixels do not fit its size"));
        }
        // SAFETY: the pixels are as many as the size says, checked above, and are copied by the call.
        let raw = NonNull::new(unsafe { sys::mtmd_bitmap_init(width, height, rgb.as_ptr()) })
            .ok_or_else(|| Error::new(ErrorKind::Internal, "no memory for a picture"))?;
        // SAFETY: the picture was just made.
        unsafe { sys::mtmd_bitmap_set_mergeable(raw.as_ptr(), mergeable) };
        Ok(Self { raw })
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { sys::mtmd_bitmap_free(self.raw.as_ptr()) }
    }
}

/// A piece of a prompt with pictures.
pub(crate) enum Part<'a> {
    /// Text; `markup` if names of control tokens in it are to be read as such.
    Text { text: &'a str, markup: bool },
    /// A picture.
    Picture(&'a Picture),
}

/// A prompt as the models read it: text and pictures in turn.
pub(crate) struct Chunks {
    raw: NonNull<sys::mtmd_input_chunks>,
}

impl Chunks {
    /// Its pieces in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Chunk<'_>> {
        // SAFETY: the list is alive; the index is below its length; its items live as long as it does.
        let count = unsafe { sys::mtmd_input_chunks_size(self.raw.as_ptr()) };
        (0..count).filter_map(|i| {
            // SAFETY: as above.
            let raw = unsafe { sys::mtmd_input_chunks_get(self.raw.as_ptr(), i) };
            NonNull::new(raw.cast_mut()).map(|raw| Chunk { raw, _list: PhantomData })
        })
    }

    /// Tokens of the whole prompt.
    pub(crate) fn tokens(&self) -> usize {
        self.iter().map(|c| c.tokens()).sum()
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        // SAFETY: owned, freed once.
        unsafe { sys::mtmd_input_chunks_free(self.raw.as_ptr()) }
    }
}

/// One piece of a prompt.
pub(crate) struct Chunk<'a> {
    raw: NonNull<sys::mtmd_input_chunk>,
    _list: PhantomData<&'a Chunks>,
}

impl Chunk<'_> {
    /// How many tokens it is.
    pub(crate) fn tokens(&self) -> usize {
        // SAFETY: the chunk lives as long as its list.
        unsafe { sys::mtmd_input_chunk_get_n_tokens(self.raw.as_ptr()) }
    }

    /// Its tokens, where it is text.
    pub(crate) fn text(&self) -> Option<&[Token]> {
        // SAFETY: the chunk lives as long as its list; the library says how many tokens there are.
        unsafe {
            if sys::mtmd_input_chunk_get_type(self.raw.as_ptr()) != sys::MTMD_INPUT_CHUNK_TYPE_TEXT {
                return None;
            }
            let mut count = 0;
            let tokens = sys::mtmd_input_chunk_get_tokens_text(self.raw.as_ptr(), &raw mut count);
            if tokens.is_null() || count == 0 {
                return Some(&[]);
            }
            Some(std::slice::from_raw_parts(tokens, count))
        }
    }
}
