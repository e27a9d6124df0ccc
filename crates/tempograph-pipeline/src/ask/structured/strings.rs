//! Where a text in a damaged document ends, and what a model wrote around its answer.

use std::borrow::Cow;

use super::lenient::Repair;

/// Letters looked ahead when deciding whether a quote ends a text; keys are shorter.
const LOOK_AHEAD: usize = 160;

/// Where a text stands: decides what may follow its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// The name of a member.
    Key,
    /// The value of a member.
    Object,
    /// An item of an array.
    Array,
}

/// A text in quotes.
pub(super) struct Quoted {
    pub(super) text: String,
    /// First letter after it.
    pub(super) end: usize,
    /// Whether the document ends inside it.
    pub(super) cut: bool,
    pub(super) repairs: Vec<Repair>,
}

/// The quotes that may end a text begun with `opening`; `None` for what is no quote.
pub(super) fn closers(opening: char) -> Option<&'static [char]> {
    match opening {
        '"' => Some(&['"']),
        '\'' => Some(&['\'']),
        '`' => Some(&['`']),
        '“' | '”' | '„' => Some(&['”', '“', '"']),
        '‘' | '’' => Some(&['’', '\'']),
        '«' => Some(&['»']),
        _ => None,
    }
}

/// Reads the text whose opening quote is at `from`.
pub(super) fn quoted(text: &[char], from: usize, slot: Slot) -> Quoted {
    let opening = text[from];
    let closing = closers(opening).unwrap_or(&['"']);
    let mut out = Quoted { text: String::new(), end: from + 1, cut: false, repairs: Vec::new() };
    if opening != '"' {
        out.repairs.push(Repair::Quotes);
    }
    let triple = matches!(opening, '"' | '\'') && text[from..].iter().take(3).filter(|&&c| c == opening).count() == 3;
    if triple {
        out.repairs.push(Repair::Quotes);
        out.end = from + 3;
    }
    loop {
        let Some(&c) = text.get(out.end) else {
            out.cut = true;
            return out;
        };
        if c == '\\' {
            escape(text, &mut out);
        } else if triple && c == opening && text[out.end..].iter().take(3).filter(|&&c| c == opening).count() == 3 {
            out.end += 3;
            return out;
        } else if !triple && closing.contains(&c) {
            if ends(text, out.end + 1, slot) {
                out.end += 1;
                return out;
            }
            out.repairs.push(Repair::Quotes);
            out.repairs.dedup();
            out.text.push(c);
            out.end += 1;
        } else {
            if c < ' ' {
                out.repairs.push(Repair::Escapes);
                out.repairs.dedup();
            }
            out.text.push(c);
            out.end += 1;
        }
    }
}

/// Takes the escape that begins at `out.end`.
fn escape(text: &[char], out: &mut Quoted) {
    let next = text.get(out.end + 1).copied();
    out.end += 2;
    let plain = match next {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some(c @ ('"' | '\'' | '\\' | '/' | '`')) => c,
        Some('u') => {
            if let Some((c, digits)) = code_point(text, out.end) {
                out.end += digits;
                c
            } else {
                out.repairs.push(Repair::Escapes);
                out.text.push('\\');
                'u'
            }
        }
        None => {
            // The document ends inside the escape.
            out.end = text.len();
            return;
        }
        // A backslash that escapes nothing, as in a Windows path, stands for itself.
        Some(c) => {
            out.repairs.push(Repair::Escapes);
            out.text.push('\\');
            c
        }
    };
    out.text.push(plain);
}

/// The character of `XXXX` at `at`, or of `XXXX\uXXXX` for a surrogate pair, and its letters.
fn code_point(text: &[char], at: usize) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 4)?;
        digits.iter().try_fold(0, |n, c| Some(n * 16 + c.to_digit(16)?))
    };
    let first = unit(at)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 4));
    }
    if text.get(at + 4) == Some(&'\\')
        && text.get(at + 5) == Some(&'u')
        && let Some(second) = unit(at + 6)
        && let Some(Ok(c)) = char::decode_utf16([first as u16, second as u16]).next()
    {
        return Some((c, 10));
    }
    Some(('\u{fffd}', 4))
}

/// Whether a quote before `at` ends its text: what follows must be what follows a text there.
fn ends(text: &[char], at: usize, slot: Slot) -> bool {
    let ahead = &text[at.min(text.len())..text.len().min(at + LOOK_AHEAD)];
    let (blank, newline) = blanks(ahead);
    let rest = &ahead[blank..];
    let Some(&next) = rest.first() else { return true };
    match next {
        '}' | ']' => true,
        ')' => slot == Slot::Array,
        ':' | '：' | '=' => slot == Slot::Key,
        ',' | ';' | '，' if slot == Slot::Object => follows_in_object(&rest[1..]),
        ',' | ';' | '，' => true,
        '/' => matches!(rest.get(1), Some('/' | '*')),
        '`' => rest.get(1) == Some(&'`'),
        '#' => newline,
        _ if slot == Slot::Key => blank > 0 || next.is_ascii_digit() || matches!(next, '{' | '['),
        c if closers(c).is_some() && blank > 0 => slot == Slot::Array || key_ahead(rest),
        _ => newline && slot == Slot::Object && key_ahead(rest),
    }
}

/// Whether what comes after a comma in an object is a further member, or the end.
fn follows_in_object(ahead: &[char]) -> bool {
    let rest = &ahead[blanks(ahead).0..];
    match rest.first() {
        None | Some('}' | ']' | '/' | '#' | '.' | '…' | ',') => true,
        Some(_) => key_ahead(rest),
    }
}

/// Whether a key with its colon stands here, as far as can be seen.
fn key_ahead(ahead: &[char]) -> bool {
    let Some(&first) = ahead.first() else { return true };
    let mut i = 1;
    if let Some(closing) = closers(first) {
        while let Some(c) = ahead.get(i) {
            if *c == '\\' {
                i += 1;
            } else if closing.contains(c) {
                let rest = &ahead[i + 1..];
                let rest = &rest[blanks(rest).0..];
                return rest.first().is_none_or(|c| matches!(c, ':' | '：' | '='));
            }
            i += 1;
        }
        return true;
    }
    if !first.is_alphanumeric() && first != '_' {
        return false;
    }
    while ahead.get(i).is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        i += 1;
    }
    let rest = &ahead[i..];
    let rest = &rest[blanks(rest).0..];
    rest.first().is_none_or(|c| matches!(c, ':' | '：'))
}

/// How many blanks `text` begins with, and whether a line ends among them.
fn blanks(text: &[char]) -> (usize, bool) {
    let count = text.iter().take_while(|c| c.is_whitespace()).count();
    (count, text[..count].contains(&'\n'))
}

/// Where a value without quotes that begins at `from` ends.
pub(super) fn bare_end(text: &[char], from: usize, slot: Slot) -> usize {
    let number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
    let mut at = from;
    if text.get(from).is_some_and(|&c| number(c)) {
        while text.get(at).is_some_and(|&c| number(c) || c.is_ascii_alphabetic() || matches!(c, '%' | '_' | ':')) {
            at += 1;
        }
        // A unit in words belongs to it: `12.4 seconds`. A key does not: `1 b: 2`.
        let (blank, newline) = blanks(&text[at..text.len().min(at + LOOK_AHEAD)]);
        let rest = &text[at + blank..text.len().min(at + blank + LOOK_AHEAD)];
        let word = rest.first().is_some_and(|c| c.is_alphabetic()) && !newline;
        if blank == 0 || !word || slot == Slot::Object && key_ahead(rest) {
            return at;
        }
    }
    while text.get(at).is_some_and(|c| !matches!(c, ',' | '，' | ';' | '{' | '}' | '[' | ']' | '"' | '\n')) {
        at += 1;
    }
    at
}

/// `text` without what a model thought before it answered.
pub(super) fn without_thoughts(text: &str) -> Cow<'_, str> {
    const TAGS: [(&str, &str); 3] =
        [("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<reasoning>", "</reasoning>")];
    let mut text = Cow::Borrowed(text);
    for (open, close) in TAGS {
        // Templates that open the thought themselves leave only its end in the answer.
        if let Some(at) = text.rfind(close) {
            let from = text.find(open).filter(|from| *from < at).unwrap_or(0);
            text = Cow::Owned(format!("{}{}", &text[..from], &text[at + close.len()..]));
        }
        if let Some(at) = text.find(open) {
            text = Cow::Owned(text[..at].to_owned());
        }
    }
    text
}

/// What stands between Markdown fences, in order; a fence that is not closed lasts to the end.
pub(super) fn fenced(text: &str) -> Vec<&str> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("```") {
        let inside = &rest[at + 3..];
        let inside = inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+'));
        match inside.find("```") {
            Some(end) => {
                blocks.push(&inside[..end]);
                rest = &inside[end + 3..];
            }
            None => {
                blocks.push(inside);
                break;
            }
        }
    }
    blocks
}
