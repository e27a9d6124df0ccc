//! The grammar that holds an answer to its schema.

use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

/// The library's rule for white space allows runs of 20, in which a small model can lose itself until its tokens are
/// used up. One blank is enough for JSON.
const SPACE: &str = "space ::= \" \"?";

/// The grammar (GBNF, rule `root`) of the JSON that fits `schema`.
///
/// # Errors
/// [`ErrorKind::InvalidData`] for a schema that the library cannot turn into one.
pub(super) fn of_schema(schema: &Value) -> Result<String> {
    let text = llama_cpp_2::json_schema_to_grammar(&schema.to_string())
        .map_err(|e| Error::new(ErrorKind::InvalidData, format!("the schema of the answer makes no grammar: {e}")))?;
    let rules = text.lines().map(|rule| if rule.starts_with("space ::=") { SPACE } else { rule });
    Ok(rules.flat_map(|rule| [rule, "\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn white_space_is_bounded() {
        let schema = json!({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]});
        let grammar = of_schema(&schema).unwrap();
        assert!(grammar.contains(SPACE) && grammar.contains("root ::="), "{grammar}");
        assert_eq!(grammar.lines().filter(|l| l.starts_with("space ::=")).count(), 1);
        assert!(!grammar.contains("{0,20}"));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        let error = of_schema(&json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
