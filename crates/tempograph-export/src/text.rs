//! Making text from a video safe to put where formats want it: on one line, in XML, in an address.

/// `text` on one line: white space runs become one space, control characters go.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c == '\u{feff}').filter(|w| !w.is_empty()) {
        let before = line.len();
        if !line.is_empty() {
            line.push(' ');
        }
        let start = line.len();
        line.extend(word.chars().filter(|c| !c.is_control()));
        if line.len() == start {
            line.truncate(before);
        }
    }
    line
}

/// `text` for content and quoted attributes of XML; characters XML 1.0 does not allow are dropped.
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // Attribute values lose plain line ends and tabs.
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// `text` without white space, for formats that part fields by it; `_` when nothing is left.
pub(crate) fn one_word(text: &str) -> String {
    let word = one_line(text).replace(' ', "_");
    if word.is_empty() { "_".to_owned() } else { word }
}

/// The last part of a path or an address.
pub(crate) fn file_name(uri: &str) -> String {
    one_line(uri.rsplit(['/', '\\']).next().unwrap_or_default())
}

/// Whether `c` takes two columns and is written without spaces between words: CJK and kana,
/// Hangul, full-width forms (the wide blocks of Unicode UAX 11).
pub(crate) fn is_wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
}

/// Columns `text` takes: two for a wide character, one for any other.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_controls_dropped() {
        assert_eq!(one_line(" a\r\n\tb\u{0}c \u{1} d\u{2028}e "), "a bc d e");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("ab日本"), 6);
    }
}
