//! A panic in one stage must not end the others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tempograph_core::{Error, ErrorKind, Result};

/// Runs `work`; a panic inside becomes an error of `stage`, which is not used again afterwards.
pub(crate) fn caught<T>(stage: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(Error::new(ErrorKind::StageFailed, format!("the stage `{stage}` failed unexpectedly: {text}"))
            .with_hint("this is a defect: please report it with the file; the rest of the result stands"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let err = caught::<()>("x", || panic!("boom {}", 1)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::StageFailed);
        assert!(err.to_string().contains("boom 1"));
    }
}
