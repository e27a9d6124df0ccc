//! What went wrong without stopping the analysis.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Something that went wrong in one stage while the rest went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// Stage it happened in.
    pub stage: String,
    /// Stable code, as in the error table.
    pub code: String,
    /// What and why; lower case, no full stop.
    pub message: String,
    /// How to go on.
    pub hint: Option<String>,
}

impl Issue {
    /// The issue that `error` is for `stage`.
    pub fn from_error(stage: impl Into<String>, error: &Error) -> Self {
        Self {
            stage: stage.into(),
            code: error.code().as_str().to_owned(),
            message: error.to_string(),
            hint: error.hint().map(str::to_owned),
        }
    }
}
