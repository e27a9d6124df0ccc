//! The JSON Schema of `analysis.json`, generated from the types themselves.

use tempograph_core::{Timeline, timeline::SCHEMA};

/// JSON Schema 2020-12 of [`Timeline`], as published in `schema/analysis.schema.json`.
pub fn schema_json() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Timeline).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "TempoGraph analysis".into());
        // A reader refuses another major number, and so does the schema.
        if let Some(name) =
            object.get_mut("properties").and_then(|p| p.get_mut("schema")).and_then(|s| s.as_object_mut())
        {
            name.insert("const".to_owned(), SCHEMA.into());
        }
    }
    schema
}
