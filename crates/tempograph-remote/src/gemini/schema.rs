//! JSON Schema (draft 2020-12) in the terms of Gemini's `responseSchema`, a part of OpenAPI 3.0.

use serde_json::{Map, Value, json};

/// References are written out; a schema that grows beyond this, or for ever, is not converted.
const MAX_NODES: usize = 2000;

/// How deep schemas may nest.
const MAX_DEPTH: usize = 32;

/// Keywords that mean the same there.
const SAME: &[&str] =
    &["title", "description", "minItems", "maxItems", "minimum", "maximum", "minLength", "maxLength", "pattern"];

/// The schema in the service's terms. None when it cannot be said so: it refers to itself, to something outside, or
/// allows anything.
///
/// What only narrows further (`uniqueItems`, `additionalProperties`, …) is left out: answers are validated anyway.
pub(super) fn convert(schema: &Value) -> Option<Value> {
    Converter { root: schema, nodes: 0 }.node(schema, 0)
}

struct Converter<'a> {
    root: &'a Value,
    nodes: usize,
}

impl Converter<'_> {
    fn node(&mut self, schema: &Value, depth: usize) -> Option<Value> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return None;
        }
        let schema = schema.as_object()?;
        if let Some(reference) = schema.get("$ref") {
            let target = self.root.pointer(reference.as_str()?.strip_prefix('#')?)?;
            let mut out = self.node(target, depth + 1)?;
            if let Some(description) = schema.get("description") {
                out["description"] = description.clone();
            }
            return Some(out);
        }
        if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            let mut merged = only.as_object()?.clone();
            merged.extend(schema.iter().filter(|(k, _)| *k != "allOf").map(|(k, v)| (k.clone(), v.clone())));
            return self.node(&Value::Object(merged), depth + 1);
        }
        let mut out = Map::new();
        for key in SAME {
            if let Some(value) = schema.get(*key) {
                out.insert((*key).to_owned(), value.clone());
            }
        }
        let choices = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
        match choices {
            Some(choices) => self.choices(choices, depth, &mut out)?,
            None => self.plain(schema, depth, &mut out)?,
        }
        Some(Value::Object(out))
    }

    /// One of several forms; the form `null` becomes a property of the others.
    fn choices(&mut self, choices: &[Value], depth: usize, out: &mut Map<String, Value>) -> Option<()> {
        let (null, others): (Vec<_>, Vec<_>) = choices.iter().partition(|c| c["type"] == "null");
        let mut forms = Vec::new();
        for other in others {
            forms.push(self.node(other, depth + 1)?);
        }
        // Constants, one a choice, are an enumeration with words beside.
        if forms.len() > 1 && forms.iter().all(|f| f["type"] == "STRING" && f["enum"].is_array()) {
            let all: Vec<_> = forms.iter().filter_map(|f| f["enum"].as_array()).flatten().cloned().collect();
            forms = vec![json!({"type": "STRING", "format": "enum", "enum": all})];
        }
        match <[Value; 1]>::try_from(forms) {
            Ok([Value::Object(only)]) => {
                for (key, value) in only {
                    out.entry(key).or_insert(value);
                }
            }
            Ok(_) => return None,
            Err(forms) if forms.is_empty() => return None,
            Err(forms) => {
                out.insert("anyOf".to_owned(), forms.into());
            }
        }
        if !null.is_empty() {
            out.insert("nullable".to_owned(), true.into());
        }
        Some(())
    }

    fn plain(&mut self, schema: &Map<String, Value>, depth: usize, out: &mut Map<String, Value>) -> Option<()> {
        let fixed: Vec<&Value> = match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
            (Some(value), _) => vec![value],
            (None, Some(values)) => values.iter().collect(),
            (None, None) => Vec::new(),
        };
        let mut kinds: Vec<&str> = match schema.get("type") {
            Some(Value::String(kind)) => vec![kind],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ if !fixed.is_empty() && fixed.iter().all(|v| v.is_string() || v.is_null()) => vec!["string"],
            _ if schema.contains_key("properties") => vec!["object"],
            _ if schema.contains_key("items") => vec!["array"],
            _ => return None,
        };
        if kinds.contains(&"null") || fixed.iter().any(|v| v.is_null()) {
            out.insert("nullable".to_owned(), true.into());
            kinds.retain(|k| *k != "null");
        }
        let [kind] = kinds[..] else { return None };
        out.insert("type".to_owned(), kind.to_uppercase().into());
        match kind {
            "string" if !fixed.is_empty() => {
                let words: Vec<_> = fixed.into_iter().filter(|v| v.is_string()).cloned().collect();
                out.insert("format".to_owned(), "enum".into());
                out.insert("enum".to_owned(), words.into());
            }
            "string" if schema.get("format").is_some_and(|f| f == "date-time") => {
                out.insert("format".to_owned(), "date-time".into());
            }
            "object" => self.object(schema, depth, out)?,
            "array" => {
                let items = match (schema.get("items"), schema.get("prefixItems").and_then(Value::as_array)) {
                    (Some(items @ Value::Object(_)), _) => self.node(items, depth + 1)?,
                    // A tuple whose places are alike.
                    (_, Some(places)) if places.windows(2).all(|w| w[0] == w[1]) => {
                        self.node(places.first()?, depth + 1)?
                    }
                    _ => return None,
                };
                out.insert("items".to_owned(), items);
            }
            "string" | "number" | "integer" | "boolean" => {}
            _ => return None,
        }
        Some(())
    }

    fn object(&mut self, schema: &Map<String, Value>, depth: usize, out: &mut Map<String, Value>) -> Option<()> {
        let mut properties = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            properties.insert(name.clone(), self.node(property, depth + 1)?);
        }
        // Without an order of its own the service writes properties by name, and what a model writes first steers
        // what it writes next.
        let order: Vec<_> = properties.keys().cloned().collect();
        if let Some(required) = schema.get("required") {
            out.insert("required".to_owned(), required.clone());
        }
        if !properties.is_empty() {
            out.insert("properties".to_owned(), properties.into());
            out.insert("propertyOrdering".to_owned(), order.into());
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_written_out_and_null_becomes_nullable() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": "Window",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "events": {"type": "array", "items": {"$ref": "#/$defs/Event"}, "maxItems": 8},
                "place": {"type": ["string", "null"]},
                "who": {"anyOf": [{"$ref": "#/$defs/Who"}, {"type": "null"}], "description": "a person"}
            },
            "required": ["events"],
            "$defs": {
                "Event": {"type": "object", "properties": {"start_s": {"type": "number", "format": "double"}}, "required": ["start_s"]},
                "Who": {"oneOf": [{"const": "man", "type": "string"}, {"const": "woman", "type": "string"}]}
            }
        });
        let expected = json!({
            "title": "Window",
            "type": "OBJECT",
            "required": ["events"],
            "properties": {
                "events": {"maxItems": 8, "type": "ARRAY", "items": {
                    "type": "OBJECT", "required": ["start_s"],
                    "properties": {"start_s": {"type": "NUMBER"}}, "propertyOrdering": ["start_s"]
                }},
                "place": {"nullable": true, "type": "STRING"},
                "who": {"description": "a person", "type": "STRING", "format": "enum", "enum": ["man", "woman"], "nullable": true}
            },
            "propertyOrdering": ["events", "place", "who"]
        });
        assert_eq!(convert(&schema), Some(expected));
    }

    #[test]
    fn what_cannot_be_said_is_not_said() {
        let itself = json!({"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}}}});
        assert_eq!(convert(&itself), None);
        for schema in [
            json!(true),
            json!({}),
            json!({"$ref": "https://elsewhere/x"}),
            json!({"type": ["string", "number"]}),
            json!({"type": "array"}),
        ] {
            assert_eq!(convert(&schema), None, "{schema}");
        }
    }

    #[test]
    fn a_schema_that_explodes_is_given_up() {
        let mut defs = Map::new();
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/L{}", level + 1)});
            defs.insert(format!("L{level}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
        }
        defs.insert("L20".to_owned(), json!({"type": "string"}));
        assert_eq!(convert(&json!({"$ref": "#/$defs/L0", "$defs": defs})), None);
    }
}
