//! Reading JSON as models write it: fenced, wrapped in prose, in Python's or JavaScript's spelling, cut short.
//!
//! The reader never makes a value up. A key whose value is missing is left out, `NaN` becomes `null`, and text that
//! holds no JSON yields nothing. It takes time in proportion to the text and never goes deeper than [`MAX_DEPTH`].

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::strings::{self, Slot};

/// Arrays and objects inside each other; answers need fewer than ten.
const MAX_DEPTH: usize = 64;
/// Letters read for each letter there is, attempts that failed included.
const FUEL_PER_CHAR: usize = 16;
/// Values taken from one text.
const MAX_VALUES: usize = 256;
/// Brackets at which strict JSON is looked for; each costs the length of the text at most.
const MAX_STRICT_TRIES: usize = 32;

/// What was mended so that an answer could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Thoughts before the answer were left out.
    Thinking,
    /// The answer stood in a Markdown fence.
    Fence,
    /// There was prose around it.
    Prose,
    /// There were several values.
    Several,
    /// Quotes were missing, single, curly or not escaped.
    Quotes,
    /// Commas or colons were missing, too many or of another script.
    Separators,
    /// Brackets did not match.
    Brackets,
    /// `True`, `None`, `NaN` and their like.
    Literals,
    /// Numbers such as `.5`, `+3` or `95%`.
    Numbers,
    /// A backslash that escapes nothing, or raw control characters in a text.
    Escapes,
    /// Comments.
    Comments,
    /// `...` stood for what was left out.
    Ellipsis,
    /// A key had no value, or a value no key: it was left out.
    Dropped,
    /// It ends in the middle.
    Cut,
    /// A value had another form than asked for, with one reading: `"3"` for 3, one thing for a list of one.
    Coerced,
}

/// A step from a value to one inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A value found in a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) value: Value,
    /// Where the text was cut: the way to the innermost value that was open.
    pub(super) open: Option<Vec<Step>>,
}

/// Every value of a text, and what was mended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reading {
    pub(super) found: Vec<Found>,
    pub(super) repairs: BTreeSet<Repair>,
}

/// The JSON in `text` and what had to be mended to read it: one value, or an array of all when there are several.
pub fn read_json(text: &str) -> Option<(Value, Vec<Repair>)> {
    let reading = read(text);
    let repairs = reading.repairs.into_iter().collect();
    let mut values: Vec<Value> = reading.found.into_iter().map(|f| f.value).collect();
    match values.len() {
        0 => None,
        1 => values.pop().map(|value| (value, repairs)),
        _ => Some((Value::Array(values), repairs)),
    }
}

/// Every value in `text`.
pub(super) fn read(text: &str) -> Reading {
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if let Ok(value) = serde_json::from_str::<Value>(trimmed) {
        return Reading { found: vec![Found { value, open: None }], repairs: BTreeSet::new() };
    }
    let mut repairs = BTreeSet::new();
    let answer = strings::without_thoughts(trimmed);
    if answer.len() != trimmed.len() {
        repairs.insert(Repair::Thinking);
    }
    let fenced = strings::fenced(&answer);
    if !fenced.is_empty() {
        let mut reading = Reading { found: Vec::new(), repairs: repairs.clone() };
        for block in fenced {
            match serde_json::from_str::<Value>(block.trim()) {
                Ok(value @ (Value::Array(_) | Value::Object(_))) => reading.found.push(Found { value, open: None }),
                _ => values_of(block, &mut reading),
            }
        }
        if !reading.found.is_empty() {
            reading.repairs.insert(Repair::Fence);
            several(&mut reading);
            return reading;
        }
    }
    let mut reading = Reading { found: Vec::new(), repairs };
    values_of(&answer, &mut reading);
    several(&mut reading);
    reading
}

fn several(reading: &mut Reading) {
    if reading.found.len() > 1 {
        reading.repairs.insert(Repair::Several);
    }
}

/// Adds the objects and arrays that stand in `text`.
fn values_of(text: &str, reading: &mut Reading) {
    let chars: Vec<char> = text.chars().collect();
    let fuel = FUEL_PER_CHAR.saturating_mul(chars.len() + 64);
    let mut reader =
        Reader { text: &chars, at: 0, depth: 0, fuel, notes: BTreeSet::new(), path: Vec::new(), open: None };
    let (mut prose, mut strict_tries) = (false, MAX_STRICT_TRIES);
    while let Some(c) = reader.peek() {
        if reading.found.len() >= MAX_VALUES || reader.fuel == 0 {
            break;
        }
        if !matches!(c, '{' | '[') {
            prose |= !c.is_whitespace() && !matches!(c, ',' | ';');
            reader.bump();
            continue;
        }
        let start = reader.at;
        // What is JSON is read as such: no guess about its quotes.
        if strict_tries > 0 {
            strict_tries -= 1;
            if let Some((value, letters)) = strict(&chars[start..]) {
                reading.found.push(Found { value, open: None });
                reader.at += letters;
                continue;
            }
        }
        reader.notes.clear();
        reader.path.clear();
        match reader.value(Slot::Array) {
            Ok(Some(value)) => {
                reading.repairs.append(&mut reader.notes);
                reading.found.push(Found { value, open: reader.open.take() });
            }
            // What begins with a bracket and is no JSON is prose.
            Ok(None) | Err(NotJson) => {
                prose = true;
                reader.open = None;
                reader.depth = 0;
                reader.at = start + 1;
            }
        }
    }
    if prose && !reading.found.is_empty() {
        reading.repairs.insert(Repair::Prose);
    }
}

/// The value that `text` begins with, if it is JSON, and its letters.
fn strict(text: &[char]) -> Option<(Value, usize)> {
    let text: String = text.iter().collect();
    let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let letters = text.get(..values.byte_offset())?.chars().count();
    Some((value, letters))
}

/// What was begun is no JSON, or deeper than any answer.
struct NotJson;

struct Reader<'a> {
    text: &'a [char],
    at: usize,
    depth: usize,
    fuel: usize,
    notes: BTreeSet<Repair>,
    path: Vec<Step>,
    open: Option<Vec<Step>>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next_is(&self, offset: usize, c: char) -> bool {
        self.text.get(self.at + offset) == Some(&c)
    }

    fn bump(&mut self) {
        self.at += 1;
        self.fuel = self.fuel.saturating_sub(1);
    }

    fn note(&mut self, repair: Repair) {
        self.notes.insert(repair);
    }

    /// The text ends here: what is open stays as it is.
    fn cut(&mut self) {
        self.note(Repair::Cut);
        if self.open.is_none() {
            self.open = Some(self.path.clone());
        }
    }

    /// Skips white space, comments and `...`.
    fn skip_blank(&mut self) {
        while let Some(c) = self.peek() {
            if c.is_whitespace() {
                self.bump();
            } else if c == '#' || c == '/' && self.next_is(1, '/') {
                self.note(Repair::Comments);
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
            } else if c == '/' && self.next_is(1, '*') {
                self.note(Repair::Comments);
                while self.peek().is_some() && !(self.peek() == Some('*') && self.next_is(1, '/')) {
                    self.bump();
                }
                self.bump();
                self.bump();
            } else if c == '…' || c == '.' && self.next_is(1, '.') && self.next_is(2, '.') {
                self.note(Repair::Ellipsis);
                while self.peek().is_some_and(|c| matches!(c, '.' | '…')) {
                    self.bump();
                }
            } else {
                break;
            }
        }
    }

    /// Skips what may stand between two members; says whether there was exactly one comma.
    fn skip_separators(&mut self) -> bool {
        let mut commas = 0;
        loop {
            self.skip_blank();
            match self.peek() {
                Some(',') => commas += 1,
                Some(';' | '，' | '、') => {
                    commas += 1;
                    self.note(Repair::Separators);
                }
                _ => break,
            }
            self.bump();
        }
        commas == 1
    }

    /// The value that begins here; `None` where none does.
    fn value(&mut self, slot: Slot) -> Result<Option<Value>, NotJson> {
        if self.fuel == 0 {
            return Err(NotJson);
        }
        self.skip_blank();
        match self.peek() {
            None => {
                self.cut();
                Ok(None)
            }
            Some('{') => self.nested(Self::object).map(Some),
            Some('[' | '(') => self.nested(Self::array).map(Some),
            Some(c) if strings::closers(c).is_some() => Ok(Some(Value::String(self.string(slot)))),
            Some(',' | ';' | '，' | '}' | ']' | ')') => Ok(None),
            Some(_) => Ok(self.bare(slot)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, NotJson>) -> Result<Value, NotJson> {
        if self.depth == MAX_DEPTH {
            return Err(NotJson);
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// Whether a bracket of another kind than the innermost one closes something further out.
    fn closes_outside(&self, key: bool) -> bool {
        self.path.iter().any(|step| matches!(step, Step::Key(_)) == key)
    }

    fn object(&mut self) -> Result<Value, NotJson> {
        self.bump();
        let mut map = Map::new();
        let mut dropped = false;
        loop {
            let comma = self.skip_separators();
            match self.peek() {
                None => {
                    self.cut();
                    break;
                }
                Some('}') => {
                    self.bump();
                    if comma {
                        self.note(Repair::Separators);
                    }
                    break;
                }
                Some(c @ (']' | ')')) => {
                    self.note(Repair::Brackets);
                    if c == ']' && self.closes_outside(false) {
                        break;
                    }
                    self.bump();
                    continue;
                }
                Some(_) => {}
            }
            if !comma && !map.is_empty() {
                self.note(Repair::Separators);
            }
            let Some(key) = self.key()? else {
                if map.is_empty() && !dropped {
                    return Err(NotJson);
                }
                continue;
            };
            self.path.push(Step::Key(key));
            let value = self.value(Slot::Object);
            let key = self.path.pop();
            match (value?, key) {
                (Some(value), Some(Step::Key(key))) => {
                    map.insert(key, value);
                }
                _ => {
                    dropped = true;
                    self.note(Repair::Dropped);
                }
            }
        }
        Ok(Value::Object(map))
    }

    /// A key with its colon, or `None` after something that is none.
    fn key(&mut self) -> Result<Option<String>, NotJson> {
        let quoted = self.peek().is_some_and(|c| strings::closers(c).is_some());
        let key = if quoted {
            self.string(Slot::Key)
        } else if self.peek().is_some_and(|c| matches!(c, '{' | '[' | '(')) {
            // A value without a key.
            self.note(Repair::Dropped);
            self.value(Slot::Array)?;
            return Ok(None);
        } else {
            self.note(Repair::Quotes);
            let from = self.at;
            while self.peek().is_some_and(|c| !matches!(c, ':' | '：' | '=' | ',' | '{' | '}' | '[' | ']' | '"' | '\n'))
                && self.fuel > 0
            {
                self.bump();
            }
            let key: String = self.text[from..self.at].iter().collect::<String>().trim().to_owned();
            if key.is_empty() {
                self.bump();
            }
            key
        };
        self.skip_blank();
        match self.peek() {
            Some(':') => self.bump(),
            Some('：') => {
                self.note(Repair::Separators);
                self.bump();
            }
            Some('=') => {
                self.note(Repair::Separators);
                self.bump();
                if self.next_is(0, '>') {
                    self.bump();
                }
            }
            None => {
                self.cut();
                return Ok(None);
            }
            // A colon was forgotten.
            Some(c) if quoted && (c.is_ascii_digit() || matches!(c, '{' | '[' | '"' | '-')) => {
                self.note(Repair::Separators);
            }
            Some(_) => {
                self.note(Repair::Dropped);
                return Ok(None);
            }
        }
        Ok(Some(key))
    }

    fn array(&mut self) -> Result<Value, NotJson> {
        if self.peek() == Some('(') {
            self.note(Repair::Brackets);
        }
        self.bump();
        let mut items = Vec::new();
        loop {
            let comma = self.skip_separators();
            match self.peek() {
                None => {
                    self.cut();
                    break;
                }
                Some(c @ (']' | ')')) => {
                    self.bump();
                    if c == ')' {
                        self.note(Repair::Brackets);
                    }
                    if comma {
                        self.note(Repair::Separators);
                    }
                    break;
                }
                Some('}') => {
                    self.note(Repair::Brackets);
                    if self.closes_outside(true) {
                        break;
                    }
                    self.bump();
                    continue;
                }
                Some(_) => {}
            }
            if !comma && !items.is_empty() {
                self.note(Repair::Separators);
            }
            let before = self.at;
            self.path.push(Step::Index(items.len()));
            let value = self.value(Slot::Array);
            self.path.pop();
            match value? {
                Some(value) => items.push(value),
                None if self.at == before => self.bump(),
                None => {}
            }
            // `"a": 1` inside an array: no value of ours.
            self.skip_blank();
            if matches!(self.peek(), Some(':' | '：')) {
                return Err(NotJson);
            }
        }
        Ok(Value::Array(items))
    }

    fn string(&mut self, slot: Slot) -> String {
        let text = strings::quoted(self.text, self.at, slot);
        self.fuel = self.fuel.saturating_sub(text.end - self.at);
        self.at = text.end;
        self.notes.extend(text.repairs);
        if text.cut {
            self.cut();
        }
        text.text
    }

    /// A number, a literal or a text without quotes.
    fn bare(&mut self, slot: Slot) -> Option<Value> {
        let from = self.at;
        let end = strings::bare_end(self.text, from, slot);
        let token: String = self.text[from..end].iter().collect::<String>().trim().to_owned();
        self.fuel = self.fuel.saturating_sub(end - from);
        self.at = end.max(from + 1);
        let at_end = self.at >= self.text.len();
        if let Some(number) = number(&token) {
            if at_end {
                self.cut();
            }
            if serde_json::from_str::<Number>(&token).is_err() {
                self.note(Repair::Numbers);
            }
            return Some(Value::Number(number));
        }
        let literal = match token.as_str() {
            "true" | "false" | "null" => None,
            "True" | "TRUE" => Some(Value::Bool(true)),
            "False" | "FALSE" => Some(Value::Bool(false)),
            "None" | "NULL" | "Null" | "undefined" | "nil" | "NaN" | "nan" | "Infinity" | "-Infinity" | "inf"
            | "-inf" => Some(Value::Null),
            _ if at_end => {
                // A word that was being written: nobody knows which.
                self.cut();
                return None;
            }
            "" => return None,
            _ => {
                self.note(Repair::Quotes);
                return Some(Value::String(token));
            }
        };
        if at_end {
            self.cut();
        }
        match literal {
            Some(value) => {
                self.note(Repair::Literals);
                Some(value)
            }
            None => serde_json::from_str(&token).ok(),
        }
    }
}

/// The number that `token` stands for: `.5`, `1.`, `+3`, `007` and `95%` among them.
pub(super) fn number(token: &str) -> Option<Number> {
    if let Ok(number) = serde_json::from_str::<Number>(token) {
        // An exponent beyond what can be held is no number.
        return number.as_f64().is_some_and(f64::is_finite).then_some(number);
    }
    let bare = token.strip_suffix('%').unwrap_or(token).trim_end();
    let digits = bare.strip_prefix(['+', '-']).unwrap_or(bare);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
    {
        return None;
    }
    if let Ok(whole) = bare.parse::<i64>() {
        return Some(whole.into());
    }
    bare.parse::<f64>().ok().filter(|f| f.is_finite()).and_then(Number::from_f64)
}
