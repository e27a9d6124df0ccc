//! Making text from a video safe to put on lines of its own.

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
