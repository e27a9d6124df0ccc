//! One error type: a stable code, a message, a hint.

use std::{borrow::Cow, fmt};

/// `Result` with the project's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_codes {
    ($(#[doc = $doc:literal] $kind:ident, $code:literal, $http:literal, $exit:literal;)*) => {
        /// What kind of failure it is. One row per kind: code, HTTP status, exit code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind { $(#[doc = $doc] $kind,)* }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The code that scripts and clients rely on.
            pub fn code(self) -> Code {
                match self { $(Self::$kind => Code { name: $code, http_status: $http, exit_code: $exit },)* }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $doc.trim_ascii(),)* }
            }
        }
    };
}

error_codes! {
    /// The command line or a request is not of the expected form.
    Usage, "usage", 400, 2;
    /// A setting is unknown or has a value outside its range.
    Config, "config_invalid", 400, 2;
    /// No such file, folder, video or run.
    NotFound, "not_found", 404, 1;
    /// The file is there but cannot be read.
    Unreadable, "unreadable", 422, 1;
    /// The bytes are not a media file.
    NotMedia, "not_media", 422, 1;
    /// A media file that holds nothing decodable.
    NothingDecodable, "nothing_decodable", 422, 1;
    /// Damage or an unknown codec stopped decoding part of the way.
    Decode, "decode_failed", 422, 1;
    /// Writing audio or video failed.
    Encode, "encode_failed", 500, 1;
    /// A codec, format or option that this build does not support.
    Unsupported, "unsupported", 422, 1;
    /// Data that breaks its own rules (lengths, ranges, schema).
    InvalidData, "invalid_data", 422, 1;
    /// A request whose frames or tokens would not fit.
    OverBudget, "over_budget", 413, 1;
    /// No weights on this machine.
    ModelMissing, "model_missing", 503, 1;
    /// Weights that do not match their checksum or family.
    ModelInvalid, "model_invalid", 503, 1;
    /// A source of weights could not be reached.
    FetchFailed, "fetch_failed", 502, 1;
    /// A model runtime (ONNX Runtime) is missing or refused.
    RuntimeMissing, "runtime_missing", 503, 1;
    /// A model failed while running.
    Inference, "inference_failed", 500, 1;
    /// A model's back end cannot be reached or is broken.
    BackendUnavailable, "backend_unavailable", 503, 1;
    /// A model's back end refused: credentials, a model it does not have, or a request it does not take.
    BackendRefused, "backend_refused", 502, 1;
    /// A model's back end wants fewer calls, or the quota is used up.
    RateLimited, "rate_limited", 429, 1;
    /// A model's back end took longer than it may.
    TimedOut, "timed_out", 504, 1;
    /// A model's answer was cut short or cannot be read as what was asked for.
    AnswerInvalid, "answer_invalid", 502, 1;
    /// The call would pass the spending limit.
    CostLimit, "cost_limit", 402, 1;
    /// Reading or writing a file failed.
    Io, "io", 500, 1;
    /// No space left where results are written.
    DiskFull, "disk_full", 507, 1;
    /// The library's database refused.
    Store, "store_failed", 500, 1;
    /// Someone asked to stop.
    Cancelled, "cancelled", 499, 130;
    /// A stage was given up on; the result lacks it.
    StageFailed, "stage_failed", 500, 1;
    /// A state that should not occur: a bug here.
    Internal, "internal", 500, 1;
}

/// A stable error code with what it means to HTTP clients and shells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    name: &'static str,
    http_status: u16,
    exit_code: u8,
}

impl Code {
    /// The code as text, e.g. `model_missing`.
    pub fn as_str(self) -> &'static str {
        self.name
    }
    /// The HTTP status a server answers with.
    pub fn http_status(self) -> u16 {
        self.http_status
    }
    /// The exit status of the command.
    pub fn exit_code(self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A failure: what, why, and how to go on.
///
/// Messages are lower case without a full stop, names in backticks, the sensitive part (a path,
/// a URL) last after a colon. The hint is one sentence of the same form.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// The same failure with a way to go on.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// An input or output failure while doing `what` to `path`; a full disk gets its own kind.
    pub fn io(what: &str, path: &std::path::Path, source: std::io::Error) -> Self {
        let (kind, hint) = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                (ErrorKind::DiskFull, Some("free some space, then run the same command again: finished work is kept"))
            }
            std::io::ErrorKind::NotFound => (ErrorKind::NotFound, None),
            std::io::ErrorKind::PermissionDenied => {
                (ErrorKind::Unreadable, Some("check the permissions of the file and its folder"))
            }
            _ => (ErrorKind::Io, None),
        };
        let error = Self::new(kind, format!("cannot {what}: {source}: {}", path.display())).with_source(source);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Its stable code.
    pub fn code(&self) -> Code {
        self.kind.code()
    }

    /// How to go on, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut names: Vec<_> = ErrorKind::ALL.iter().map(|k| k.code().as_str()).collect();
        assert!(names.iter().all(|n| n.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn the_table_for_operators_is_current() {
        let mut table = String::from(
            "# Errors\n\nEvery failure prints `error[code]: what and why`, then `hint:` how to go on. Scripts and clients rely on\nthe code.\n\n| code | meaning | HTTP | exit |\n| --- | --- | --- | --- |\n",
        );
        for kind in ErrorKind::ALL {
            let code = kind.code();
            table += &format!("| `{code}` | {} | {} | {} |\n", kind.meaning(), code.http_status(), code.exit_code());
        }
        table += "\nExit status 3 means that a batch finished and some of its inputs failed.\n";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        if committed != table {
            std::fs::write(&path, &table).unwrap();
            panic!("docs/errors.md was not current and has been written anew: commit it");
        }
    }

    #[test]
    fn a_full_disk_has_its_own_code() {
        let err = Error::io("write", std::path::Path::new("x"), std::io::ErrorKind::StorageFull.into());
        assert_eq!(err.code().as_str(), "disk_full");
        assert!(err.hint().is_some());
    }
}
