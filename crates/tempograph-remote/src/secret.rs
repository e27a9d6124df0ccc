//! A secret: text that is sent where it must go and shown nowhere.

use std::{fmt, sync::Arc};

/// An API key. It is never part of debug output, logs, errors or identities.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps `text`, without the white space that copying a key leaves around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().into())
    }

    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without this secret: a server may quote what it was sent.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&*self.0, "[secret]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let key = Secret::new(" sk-12345\n");
        assert_eq!(key.reveal(), "sk-12345");
        assert!(!format!("{key:?}").contains("12345"));
        assert_eq!(key.redact("bad key sk-12345 given"), "bad key [secret] given");
    }
}
