//! Bringing a value into the form that was asked for, where there is one way to read it.

use serde_json::{Value, json};

use super::lenient::number;

/// Changes `value` towards `schema` (references inlined); says whether it changed anything.
pub(super) fn coerce(value: &mut Value, schema: &Value) -> bool {
    if let Some(alternatives) = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        return among(value, alternatives);
    }
    let mut changed = false;
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        changed |= name(value, names);
    }
    let allowed = types(schema);
    if !allowed.is_empty() && !allowed.iter().any(|kind| is(value, kind)) {
        changed |= allowed.iter().any(|kind| convert(value, kind, schema));
    }
    match value {
        Value::Object(map) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return changed };
            let required = |name: &str| {
                schema.get("required").and_then(Value::as_array).is_some_and(|r| r.iter().any(|n| n == name))
            };
            let mut empty = Vec::new();
            for (key, inner) in map.iter_mut() {
                let Some(schema) = properties.get(key) else { continue };
                changed |= coerce(inner, schema);
                if inner.is_null() && !required(key) && !allows_null(schema) {
                    empty.push(key.clone());
                }
            }
            for key in empty {
                map.shift_remove(&key);
                changed = true;
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    changed |= coerce(item, schema);
                }
            }
        }
        _ => {}
    }
    changed
}

/// The alternative whose type the value has, else the first that it can be made to fit.
fn among(value: &mut Value, alternatives: &[Value]) -> bool {
    // Alternatives of constants are one list of names.
    let names: Vec<Value> = alternatives
        .iter()
        .flat_map(|a| a.get("const").cloned().into_iter().chain(a["enum"].as_array().cloned().unwrap_or_default()))
        .collect();
    if !names.is_empty() && name(value, &names) {
        return true;
    }
    if let Some(schema) = alternatives.iter().find(|a| types(a).iter().any(|kind| is(value, kind))) {
        return coerce(value, schema);
    }
    alternatives.iter().filter(|a| !types(a).contains(&"null")).any(|schema| coerce(value, schema))
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn allows_null(schema: &Value) -> bool {
    let alternatives = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    let kinds = types(schema);
    kinds.contains(&"null") || kinds.is_empty() && alternatives.is_none_or(|a| a.iter().any(allows_null))
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn convert(value: &mut Value, kind: &str, schema: &Value) -> bool {
    let converted = match (kind, &*value) {
        ("number", Value::String(text)) => number(text.trim()).map(Value::Number),
        ("integer", Value::String(text)) => number(text.trim()).and_then(|n| whole(&Value::Number(n))),
        ("integer", Value::Number(_)) => whole(value),
        ("string", Value::Number(n)) => Some(Value::String(n.to_string())),
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" => Some(Value::Bool(true)),
            "false" | "no" => Some(Value::Bool(false)),
            _ => None,
        },
        ("array", Value::Object(_) | Value::String(_) | Value::Number(_)) => Some(json!([value])),
        ("object", Value::Array(_)) => only_list(schema).map(|name| json!({ name: value })),
        _ => None,
    };
    match converted {
        Some(new) => {
            *value = new;
            true
        }
        None => false,
    }
}

/// The property that a bare list must be meant for: the only list, where nothing else is required.
fn only_list(schema: &Value) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    let mut lists = properties.iter().filter(|(_, s)| types(s).contains(&"array"));
    let (name, _) = lists.next()?;
    let required = schema.get("required").and_then(Value::as_array);
    let alone = required.is_none_or(|names| names.iter().all(|n| n == name));
    (lists.next().is_none() && alone).then_some(name)
}

/// A number without a fraction as a whole one.
fn whole(value: &Value) -> Option<Value> {
    /// Whole numbers up to here are exact as floating point (2^53).
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = value.as_f64()?;
    (float.fract() == 0.0 && float.abs() <= EXACT).then(|| json!(float as i64))
}

/// The one of `names` that `value` spells with other letters or blanks.
fn name(value: &mut Value, names: &[Value]) -> bool {
    let Value::String(text) = &*value else { return false };
    if names.contains(value) {
        return false;
    }
    let plain = |s: &str| s.trim().to_lowercase().replace([' ', '-'], "_");
    let wanted = plain(text);
    let mut meant = names.iter().filter(|n| n.as_str().is_some_and(|n| plain(n) == wanted));
    match (meant.next().cloned(), meant.next()) {
        (Some(one), None) => {
            *value = one;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coerced(mut value: Value, schema: &Value) -> Value {
        coerce(&mut value, schema);
        value
    }

    #[test]
    fn values_with_one_reading_take_the_form_asked_for() {
        let number = json!({"type": "number"});
        assert_eq!(coerced(json!("0.9"), &number), json!(0.9));
        assert_eq!(coerced(json!("95%"), &number), json!(95));
        assert_eq!(coerced(json!("soon"), &number), json!("soon"), "stays what it was");
        assert_eq!(coerced(json!(3.0), &json!({"type": "integer"})), json!(3));
        assert_eq!(coerced(json!(3.5), &json!({"type": "integer"})), json!(3.5));
        assert_eq!(coerced(json!("dog"), &json!({"type": "array", "items": {"type": "string"}})), json!(["dog"]));
        assert_eq!(coerced(json!("Walking By"), &json!({"enum": ["walking_by", "run"]})), json!("walking_by"));
        assert_eq!(coerced(json!(7), &json!({"type": "string"})), json!("7"));
    }

    #[test]
    fn a_bare_list_is_meant_for_the_only_list() {
        let schema = json!({"type": "object", "required": ["events"],
            "properties": {"events": {"type": "array"}, "note": {"type": "string"}}});
        assert_eq!(coerced(json!([1]), &schema), json!({"events": [1]}));
        let two = json!({"type": "object", "required": ["events", "note"],
            "properties": {"events": {"type": "array"}, "note": {"type": "string"}}});
        assert_eq!(coerced(json!([1]), &two), json!([1]));
    }

    #[test]
    fn null_stands_for_what_may_be_left_out() {
        let schema =
            json!({"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": ["string", "null"]}}});
        assert_eq!(coerced(json!({"a": null, "b": null}), &schema), json!({"b": null}));
    }
}
