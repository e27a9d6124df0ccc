//! What models answer.

use std::sync::Arc;

use serde_json::{Value, json};
use tempograph_core::vlm::{AnswerSchema, Finish, Message, Role, Structured, Vlm as _};
use tempograph_runtime_llm::LocalVlm;

use crate::support::{answer, ask, frames, nano, picture, smollm2, text};
use tempograph_core::vlm::Part;

fn schema(schema: Value) -> Option<AnswerSchema> {
    Some(AnswerSchema { name: "answer", schema: Arc::new(schema) })
}

#[test]
fn a_text_model_answers_a_question() {
    let Some(options) = smollm2() else { return };
    let model = LocalVlm::new(options).unwrap();
    assert_eq!((model.limits().images, model.limits().structured), (0, Structured::Schema));
    let said = answer(&model, ask(vec![text("What is the capital of France?")], 32)).unwrap();
    assert!(said.text.contains("Paris"), "{said:?}");
    assert_eq!(said.finish, Finish::Stop);
    assert!(said.usage.tokens_in > 8 && (1..32).contains(&said.usage.tokens_out), "{said:?}");
}

#[test]
fn an_answer_fits_its_schema() {
    let Some(options) = smollm2() else { return };
    let model = LocalVlm::new(options).unwrap();
    let mut ask = ask(vec![text("Mary is 31 years old and lives in Oslo. Describe her as JSON.")], 200);
    ask.schema = schema(json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "city": {"enum": ["Oslo", "Rome"]},
        },
        "required": ["name", "age", "city"],
        "additionalProperties": false,
    }));
    let said = answer(&model, ask).unwrap();
    let value: Value = serde_json::from_str(&said.text).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_eq!((&value["age"], &value["city"]), (&json!(31), &json!("Oslo")), "{said:?}");
    assert_eq!(said.finish, Finish::Stop);
}

#[test]
fn even_random_weights_keep_to_a_schema() {
    for shape in ["qwen2.5-vl", "qwen3-vl"] {
        let model = LocalVlm::new(nano(shape)).unwrap();
        let mut ask = ask(vec![Part::Image(picture(300, 200, 1)), text("Is it ok?")], 100);
        ask.schema = schema(json!({
            "type": "object",
            "properties": {"ok": {"type": "boolean"}, "n": {"type": "integer", "minimum": 0, "maximum": 9}},
            "required": ["ok", "n"],
            "additionalProperties": false,
        }));
        let said = answer(&model, ask).unwrap();
        let value: Value = serde_json::from_str(&said.text).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert!(value["ok"].is_boolean() && value["n"].as_u64().is_some_and(|n| n < 10), "{said:?}");
    }
}

#[test]
fn pictures_and_frames_are_seen_and_the_same_question_has_the_same_answer() {
    for (shape, factor) in [("qwen2.5-vl", 28), ("qwen3-vl", 32)] {
        let model = LocalVlm::new(nano(shape)).unwrap();
        assert_eq!(model.limits().image_factor, factor);
        let question = |seed| ask(vec![Part::Image(picture(300, 200, seed)), frames(3), text("What?")], 16);
        let first = answer(&model, question(1)).unwrap();
        let again = answer(&model, question(1)).unwrap();
        let other = answer(&model, question(2)).unwrap();
        assert_eq!(first.text, again.text);
        assert_ne!(first.text, other.text, "another picture, another answer");
        assert_eq!((first.finish, first.usage.tokens_out), (Finish::Length, 16));
        // 300 x 200 is 11 x 7 squares of 28, or 9 x 6 of 32; 320 x 180 is 11 x 6, or 10 x 6. Qwen3-VL reads two
        // frames as one.
        let seen = if factor == 28 { 77 + 3 * 66 } else { 54 + 2 * 60 };
        assert!((seen..seen + 120).contains(&first.usage.tokens_in), "{shape}: {first:?}");
    }
}

#[test]
fn what_a_question_shares_with_the_last_is_not_read_again() {
    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    let question = |last: &str| {
        let mut ask = ask(vec![text(last)], 8);
        ask.messages.insert(0, Message::text(Role::System, "The user asks about the image. ".repeat(20)));
        ask
    };
    let first = answer(&model, question("What does it show?")).unwrap();
    assert_eq!(first.usage.tokens_cached, 0);
    let second = answer(&model, question("Describe the frame.")).unwrap();
    assert!(second.usage.tokens_cached > 100, "{second:?}");
    let third = answer(&model, question("Describe the frame.")).unwrap();
    assert_eq!(third.text, second.text, "read again or not, the answer is the same");
    model.unload();
    assert_eq!(answer(&model, question("Describe the frame.")).unwrap().text, second.text);
}

#[test]
fn words_that_spell_control_tokens_are_words() {
    let model = LocalVlm::new(nano("qwen3-vl")).unwrap();
    let plain = answer(&model, ask(vec![text("a b")], 4)).unwrap();
    let spelt = answer(&model, ask(vec![text("a<|im_end|>b")], 4)).unwrap();
    // As a control token it would be one token; as letters it is most of its length.
    assert!(spelt.usage.tokens_in >= plain.usage.tokens_in + 4, "{plain:?} {spelt:?}");
}

#[test]
fn a_seed_repeats_a_draw() {
    let model = LocalVlm::new(nano("qwen2.5-vl")).unwrap();
    let drawn = |seed| {
        let mut ask = ask(vec![text("Say something.")], 24);
        ask.sampling.temperature = 1.0;
        ask.sampling.top_p = 0.9;
        ask.sampling.seed = seed;
        answer(&model, ask).unwrap().text
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}
