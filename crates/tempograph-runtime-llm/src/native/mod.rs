//! The library's C interface behind safe types: the only unsafe code of the crate.
//!
//! Used by the child process alone, on one thread. Every type owns its pointer and frees it once; what points into
//! a model keeps that model alive.
#![expect(unsafe_code, reason = "llama.cpp is a C library; every call states why it is sound")]

mod context;
mod model;
mod sampler;
mod vision;

use std::{
    ffi::{CString, c_char, c_void},
    path::Path,
    sync::Once,
};

use llama_cpp_sys_2 as sys;
use tempograph_core::{Error, ErrorKind, Result};

pub(crate) use self::{
    context::{BATCH, Context, ContextOptions, Stop},
    model::{Model, Turn, chatml},
    sampler::Draw,
    vision::{Chunks, Part, Picture, Vision},
};

/// A token's number in the vocabulary.
pub(crate) type Token = sys::llama_token;

unsafe extern "C" fn silent(_: sys::ggml_log_level, _: *const c_char, _: *mut c_void) {}

/// Starts the library once for the process, without a word: its logs hold the prompt.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        // SAFETY: the callback is a function without state that ignores its arguments, so it may be called from any
        // thread at any time; initialisation runs once, before any other call.
        unsafe {
            sys::llama_log_set(Some(silent), std::ptr::null_mut());
            sys::mtmd_helper_log_set(Some(silent), std::ptr::null_mut());
            sys::llama_backend_init();
        }
    });
}

/// Ends the process at once, without the library's destructors: another thread may be inside it.
pub(crate) fn exit_now() -> ! {
    // SAFETY: `_exit` takes no pointer and does not return.
    unsafe { libc::_exit(0) }
}

/// Keeps standard output for frames alone: whatever else writes to it writes to standard error from now on.
#[cfg(unix)]
pub(crate) fn take_stdout() -> Result<std::fs::File> {
    use std::os::fd::FromRawFd as _;
    let failed = || {
        let cause = std::io::Error::last_os_error();
        Error::new(ErrorKind::Internal, format!("cannot keep standard output: {cause}"))
    };
    // SAFETY: `dup` and `dup2` take numbers; the new descriptor belongs to nobody else, so that the file may own it.
    unsafe {
        let kept = libc::fcntl(1, libc::F_DUPFD_CLOEXEC, 3);
        if kept < 0 {
            return Err(failed());
        }
        let kept = std::fs::File::from_raw_fd(kept);
        if libc::dup2(2, 1) < 0 {
            return Err(failed());
        }
        Ok(kept)
    }
}

/// Standard output, to be used by nothing else.
#[cfg(not(unix))]
pub(crate) fn take_stdout() -> Result<std::io::Stdout> {
    Ok(std::io::stdout())
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(|_| Error::new(ErrorKind::ModelInvalid, "the path of the weights holds a zero byte"))
}

fn refused(path: &Path) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("llama.cpp refused these weights: {}", path.display()))
        .with_hint("check the file with `tempograph models verify`; a newer kind of model needs a newer build")
}
