//! JSON Schemas from Rust types: one to ask with, one to accept with.
//!
//! What is asked for is strict: every property required, nothing else allowed, references inlined, and only keywords
//! that constrained decoders know (OpenAI's structured outputs, Gemini's response schema, llama.cpp's grammar
//! converter). What is accepted is wider: defaults may be left out, and a time may be written `1:02`.

use std::sync::Arc;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};
use tempograph_core::vlm::AnswerSchema;

/// Keywords that say nothing a decoder can hold an answer to, or that some decoder refuses.
const UNUSED: [&str; 6] = ["$schema", "title", "default", "format", "examples", "deprecated"];

/// The schema to ask for a `T` with. `name` is `snake_case`.
pub fn answer_schema<T: JsonSchema>(name: &'static str) -> AnswerSchema {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    AnswerSchema { name, schema: Arc::new(schema) }
}

/// The schema that an answer is held to.
pub(super) fn accepted_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).for_deserialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

fn tidy(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    for keyword in UNUSED {
        map.shift_remove(keyword);
    }
    // Enumerations of documented variants come as alternatives of constants.
    if let Some(constants) = map.get("oneOf").and_then(constants) {
        map.shift_remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
        map.insert("enum".to_owned(), Value::Array(constants));
    }
    if let Some(alternatives) = map.shift_remove("oneOf") {
        map.insert("anyOf".to_owned(), alternatives);
    }
    if let Some(constant) = map.shift_remove("const") {
        map.insert("enum".to_owned(), Value::Array(vec![constant]));
    }
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(tidy);
        let names = properties.keys().cloned().map(Value::String).collect();
        map.insert("required".to_owned(), Value::Array(names));
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(keyword) {
            tidy(inner);
        }
    }
    for keyword in ["anyOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(inner)) = map.get_mut(keyword) {
            inner.iter_mut().for_each(tidy);
        }
    }
}

/// The constants, when every alternative is one.
fn constants(alternatives: &Value) -> Option<Vec<Value>> {
    let mut all = Vec::new();
    for alternative in alternatives.as_array()? {
        match (alternative.get("const"), alternative.get("enum")) {
            (Some(constant @ Value::String(_)), _) => all.push(constant.clone()),
            (None, Some(Value::Array(several))) if several.iter().all(Value::is_string) => all.extend(several.clone()),
            _ => return None,
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ask::structured::TimeText;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Scene {
        /// What happens.
        text: String,
        start: TimeText,
        #[serde(default)]
        count: u32,
        mood: Option<Mood>,
        items: Vec<Item>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Mood {
        /// Smiles.
        Happy,
        Sad,
    }

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Item {
        title: String,
    }

    #[test]
    fn what_is_asked_for_is_strict_and_stands_alone() {
        let asked = answer_schema::<Scene>("scene").schema;
        let text = asked.to_string();
        for keyword in ["$ref", "$schema", "$defs", "oneOf", "const", "\"format\"", "default"] {
            assert!(!text.contains(keyword), "{keyword} in {text}");
        }
        assert_eq!(asked["required"], json!(["text", "start", "count", "mood", "items"]));
        assert_eq!(asked["additionalProperties"], json!(false));
        assert_eq!(asked["properties"]["start"]["type"], json!("number"));
        assert_eq!(asked["properties"]["text"]["description"], json!("What happens."));
        // A property called `title` is no keyword.
        assert_eq!(asked["properties"]["items"]["items"]["required"], json!(["title"]));
        let moods = asked["properties"]["mood"]["anyOf"][0]["enum"].as_array().expect("is a list of names");
        assert!(moods.len() == 2 && moods.contains(&json!("happy")) && moods.contains(&json!("sad")), "{text}");
    }

    #[test]
    fn what_is_accepted_is_wider() {
        let accepted = accepted_schema::<Scene>();
        assert_eq!(accepted["properties"]["start"]["type"], json!(["number", "string"]));
        assert!(!accepted["required"].as_array().unwrap().contains(&json!("count")));
    }
}
