//! Answers of a form: asked for by schema, read leniently, held to the schema, asked for again when they do not fit.
//!
//! ```text
//! ask ─► text ─► parse ─► repair ─► coerce ─► validate ─► T
//!          ▲                                     │ what is wrong, at most twice
//!          └─────────────────────────────────────┘
//! ```
//!
//! Nothing is made up on the way: a value that is missing stays missing, and an answer that fits in no reading is kept
//! as text and reported.

mod coerce;
mod lenient;
mod schema;
mod strings;
#[cfg(test)]
mod tests;
mod times;

use std::marker::PhantomData;

use jsonschema::Validator;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempograph_core::{
    Cancel, Error, ErrorKind, Issue, Result,
    vlm::{AnswerSchema, Ask, CallError, Finish, Message, Role, Usage, Vlm},
};

use self::lenient::{Found, Step};
pub use self::{
    lenient::{Repair, read_json},
    schema::answer_schema,
    times::{Moved, Settled, SettledSpan, TimeFrame, TimeText},
};
use super::listen;

/// Times one question is put at most: the first, and twice with what was wrong.
pub const MAX_TRIES: u32 = 3;
/// Longest answer that is read, in bytes: more than any limit of tokens in use allows.
const MAX_ANSWER: usize = 1 << 20;
/// What is kept of an answer that cannot be read, in bytes.
const MAX_RAW: usize = 4 << 10;
/// What is told of what was wrong, in bytes.
const MAX_COMPLAINT: usize = 600;
/// Faults told at once: more confuse than help.
const MAX_FAULTS: usize = 4;

/// An answer that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<T> {
    /// What was answered.
    pub value: T,
    /// What had to be mended to read it.
    pub repairs: Vec<Repair>,
    /// How often the question was put.
    pub tries: u32,
    /// Tokens of every try.
    pub usage: Usage,
    /// Why the answer ended: with [`Finish::Length`] it may lack what was to come.
    pub finish: Finish,
}

/// No answer that fits.
#[derive(Debug)]
pub struct Unanswered {
    /// Why.
    pub error: Box<Error>,
    /// How the last answer began, when there was one.
    pub raw: String,
    /// How often the question was put.
    pub tries: u32,
    /// Tokens of every try.
    pub usage: Usage,
}

impl Unanswered {
    /// What `stage` reports: why, and how the last answer began.
    pub fn issue(&self, stage: &str) -> Issue {
        /// Letters of an answer that an issue shows.
        const SHOWN: usize = 160;
        let mut issue = Issue::from_error(stage, &self.error);
        if !self.raw.is_empty() {
            let shown: String = self.raw.chars().take(SHOWN).collect();
            issue.message += &format!(": {}", shown.escape_debug());
        }
        issue
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.error.kind() == ErrorKind::Cancelled
    }
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Unanswered {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.error)
    }
}

/// Asks `model` for a `T`. The schema comes from the type and is named after `ask.purpose`; one that `ask` brings
/// along gives its name only.
///
/// For many questions of one form, keep a [`Structured`].
///
/// # Errors
/// See [`Structured::ask`].
pub fn ask_structured<T: DeserializeOwned + JsonSchema>(
    model: &dyn Vlm,
    ask: Ask,
    cancel: &Cancel,
) -> Result<Answered<T>, Unanswered> {
    let name = match (&ask.schema, ask.purpose) {
        (Some(schema), _) => schema.name,
        (None, "") => "answer",
        (None, purpose) => purpose,
    };
    let form = Structured::new(name).map_err(|error| Unanswered {
        error: Box::new(error),
        raw: String::new(),
        tries: 0,
        usage: Usage::default(),
    })?;
    form.ask(model, ask, cancel)
}

/// The form of an answer: what to ask for and what to accept.
pub struct Structured<T> {
    asked: AnswerSchema,
    accepted: Value,
    validator: Validator,
    form: PhantomData<fn() -> T>,
}

/// A text that fits the form.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitting<T> {
    /// What it says.
    pub value: T,
    /// What had to be mended to read it.
    pub repairs: Vec<Repair>,
}

impl<T: DeserializeOwned + JsonSchema> Structured<T> {
    /// The form `name`, in `snake_case`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a type whose schema is none.
    pub fn new(name: &'static str) -> Result<Self> {
        let accepted = schema::accepted_schema::<T>();
        let validator = jsonschema::validator_for(&accepted)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("the schema of `{name}` is none: {e}")))?;
        Ok(Self { asked: answer_schema::<T>(name), accepted, validator, form: PhantomData })
    }

    /// The schema to ask with.
    pub fn schema(&self) -> &AnswerSchema {
        &self.asked
    }

    /// Puts `ask` to `model` until the answer fits, at most [`MAX_TRIES`] times; each further time with what was
    /// wrong. Holding the model to the schema, or showing it where it cannot be held to it, is the back end's.
    ///
    /// # Errors
    /// What the call ended with; [`ErrorKind::AnswerInvalid`] when no answer fits.
    pub fn ask(&self, model: &dyn Vlm, mut ask: Ask, cancel: &Cancel) -> Result<Answered<T>, Unanswered> {
        ask.schema = Some(self.asked.clone());
        let length = ask.messages.len();
        let (mut usage, mut raw, mut complaint) = (Usage::default(), String::new(), String::new());
        for tries in 1..=MAX_TRIES {
            let answer = match listen(model.generate(ask.clone()), cancel, &mut |_| {}) {
                Ok(answer) => answer,
                Err(CallError { error, .. }) => {
                    return Err(Unanswered { error: Box::new(error), raw, tries, usage });
                }
            };
            usage.tokens_in += answer.usage.tokens_in;
            usage.tokens_cached += answer.usage.tokens_cached;
            usage.tokens_out += answer.usage.tokens_out;
            match self.read(&answer.text) {
                Ok(Fitting { value, repairs }) => {
                    return Ok(Answered { value, repairs, tries, usage, finish: answer.finish });
                }
                Err(fault) => complaint = fault,
            }
            raw = bounded(&answer.text, MAX_RAW).to_owned();
            // Only the last answer is shown again: a list of failures is not what to go on from.
            ask.messages.truncate(length);
            let shown = if raw.trim().is_empty() { "(nothing)" } else { &raw };
            ask.messages.push(Message::text(Role::Assistant, shown));
            let cut = match answer.finish {
                Finish::Length => " It was cut off because it was too long: say less.",
                Finish::Stop | Finish::Filtered => "",
            };
            let again = format!(
                "That cannot be used: {complaint}.{cut} Answer again with the corrected JSON only, without any other text."
            );
            ask.messages.push(Message::text(Role::User, again));
            ask.sampling.seed = ask.sampling.seed.wrapping_add(1);
        }
        let error = Error::new(
            ErrorKind::AnswerInvalid,
            format!("the answer does not fit `{}` after {MAX_TRIES} tries: {complaint}", self.asked.name),
        )
        .with_hint("another model may keep to the form; what it wrote is kept in the issue");
        Err(Unanswered { error: Box::new(error), raw, tries: MAX_TRIES, usage })
    }

    /// Reads `text` as a `T`: as JSON, else mended, in the form asked for or brought into it.
    ///
    /// # Errors
    /// What is wrong, in words that a model can act on.
    pub fn read(&self, text: &str) -> Result<Fitting<T>, String> {
        if text.len() > MAX_ANSWER {
            return Err(format!("the answer is longer than {MAX_ANSWER} bytes"));
        }
        let reading = lenient::read(text);
        let mut fault = None;
        // The last value first: models think aloud before they answer.
        for found in reading.found.iter().rev() {
            match self.fit(found) {
                Ok((value, mended)) => {
                    let mut repairs: Vec<Repair> = reading.repairs.iter().copied().collect();
                    repairs.extend(mended.then_some(Repair::Coerced));
                    return Ok(Fitting { value, repairs });
                }
                Err(complaint) => {
                    let size = found.value.to_string().len();
                    if fault.as_ref().is_none_or(|(known, _)| *known < size) {
                        fault = Some((size, complaint));
                    }
                }
            }
        }
        // One value a line is how some write a list.
        if reading.found.len() > 1 {
            let all = reading.found.into_iter().map(|f| f.value).collect();
            if let Ok((value, _)) = self.fit(&Found { value: Value::Array(all), open: None }) {
                let mut repairs: Vec<Repair> = reading.repairs.into_iter().collect();
                repairs.push(Repair::Coerced);
                return Ok(Fitting { value, repairs });
            }
        }
        Err(fault.map_or_else(|| "there is no JSON in the answer".to_owned(), |(_, complaint)| complaint))
    }

    /// Holds one value to the form; what was being written where it was cut is left out if it must be.
    fn fit(&self, found: &Found) -> Result<(T, bool), String> {
        let mut value = found.value.clone();
        let mut coerced = coerce::coerce(&mut value, &self.accepted);
        let mut complaint = match self.accept(&value) {
            Ok(accepted) => return Ok((accepted, coerced)),
            Err(complaint) => complaint,
        };
        if let Some(open) = &found.open {
            let mut pruned = found.value.clone();
            // Inmost first: as little as possible is given up.
            for depth in (1..=open.len()).rev() {
                remove(&mut pruned, &open[..depth]);
                let mut value = pruned.clone();
                coerced |= coerce::coerce(&mut value, &self.accepted);
                match self.accept(&value) {
                    Ok(accepted) => return Ok((accepted, coerced)),
                    Err(_) if depth > 1 => {}
                    Err(fault) => complaint = fault,
                }
            }
        }
        Err(complaint)
    }

    fn accept(&self, value: &Value) -> Result<T, String> {
        let mut faults = String::new();
        for error in self.validator.iter_errors(value).take(MAX_FAULTS) {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the answer".to_owned() } else { format!("`{place}`") };
            let separator = if faults.is_empty() { "" } else { "; " };
            faults += &format!("{separator}{place}: {}", bounded(&error.to_string(), MAX_COMPLAINT / 2));
        }
        if !faults.is_empty() {
            return Err(bounded(&faults, MAX_COMPLAINT).to_owned());
        }
        T::deserialize(value).map_err(|e| bounded(&e.to_string(), MAX_COMPLAINT).to_owned())
    }
}

/// Takes out what `path` leads to.
fn remove(value: &mut Value, path: &[Step]) {
    let Some((last, way)) = path.split_last() else { return };
    let mut at = value;
    for step in way {
        let next = match step {
            Step::Key(key) => at.get_mut(key),
            Step::Index(index) => at.get_mut(index),
        };
        match next {
            Some(inner) => at = inner,
            None => return,
        }
    }
    match (last, at) {
        (Step::Key(key), Value::Object(map)) => {
            map.shift_remove(key);
        }
        (Step::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

/// The beginning of `text`, `bytes` long at most.
fn bounded(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
