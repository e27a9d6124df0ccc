//! Words: texts as full text sees them, questions in its language, and where its marks lie.

/// Marks around what matched. Texts hold no control characters, so nothing else means them.
pub(super) const OPEN: char = '\u{2}';
/// See [`OPEN`].
pub(super) const CLOSE: char = '\u{3}';

/// Characters of a question that are read.
const MAX_QUESTION: usize = 1000;
/// Words of a question that count. A sentence has fewer; the cost of full text grows with them.
const MAX_TERMS: usize = 24;

/// English words that say little on their own: a question is not widened by them while it has others.
const STOP_WORDS: [&str; 64] = [
    "a", "about", "all", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did", "do",
    "does", "for", "from", "had", "has", "have", "he", "her", "his", "how", "i", "if", "in", "is", "it", "its", "me",
    "my", "no", "not", "of", "on", "or", "our", "she", "so", "some", "that", "the", "their", "them", "they", "this",
    "to", "was", "we", "were", "what", "when", "where", "which", "who", "will", "with", "would", "you", "your",
];

/// The text on one line, without control characters and superfluous space, cut after `max` characters.
pub(super) fn plain(text: &str, max: usize) -> String {
    let mut out = String::new();
    let visible = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut space = false;
    for (n, c) in visible.enumerate() {
        if n >= 4 * max || out.len() >= 4 * max {
            break;
        }
        if c.is_whitespace() {
            space = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(' ');
        }
        out.push(c);
    }
    match out.char_indices().nth(max) {
        Some((end, _)) => out[..end].trim_end().to_owned(),
        None => out,
    }
}

/// Scripts that write without spaces: each character is a word of its own.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Whether a space belongs between two words that end and begin so.
pub(super) fn apart(before: Option<char>, after: Option<char>) -> bool {
    let cjk = |c: char| stands_alone(c) || matches!(c, '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}');
    matches!((before, after), (Some(b), Some(a)) if !(cjk(b) && cjk(a)))
}

/// The text with spaces around characters that are words of their own.
pub(super) fn terms(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    for c in text.chars() {
        if before.is_some_and(|b| stands_alone(b) || stands_alone(c)) && c != ' ' && before != Some(' ') {
            out.push(' ');
        }
        out.push(c);
        before = Some(c);
    }
    out
}

/// A question as full text is asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// All words next to each other.
    pub(super) phrase: String,
    /// All words, wherever; `None` when there is only one word.
    pub(super) all: Option<String>,
    /// Any of the words that say something; `None` when there is only one word.
    pub(super) any: Option<String>,
}

/// What full text is asked for `question`; `None` when it has no words.
///
/// Every word is quoted, so nothing of it is read as an operator.
pub(super) fn asked(question: &str) -> Option<Asked> {
    let cut = question.char_indices().nth(MAX_QUESTION).map_or(question, |(end, _)| &question[..end]);
    let mut words: Vec<String> = Vec::new();
    for word in cut.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(MAX_TERMS) {
        words.push(terms(&word.to_lowercase()));
    }
    let quoted: Vec<String> = words.iter().map(|w| quote(w)).collect();
    let phrase = quote(&words.join(" "));
    match quoted.as_slice() {
        [] => None,
        [_] => Some(Asked { phrase, all: None, any: None }),
        many => {
            let telling: Vec<&str> = words
                .iter()
                .zip(many)
                .filter(|(w, _)| !STOP_WORDS.contains(&w.as_str()))
                .map(|(_, quoted)| quoted.as_str())
                .collect();
            let any = if telling.is_empty() { many.join(" OR ") } else { telling.join(" OR ") };
            Some(Asked { phrase, all: Some(many.join(" AND ")), any: Some(any) })
        }
    }
}

/// A string of FTS5's query language.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Where marks lie: ranges of characters of `text`, whose [`terms`] came back as `marked`.
pub(super) fn marks(text: &str, marked: &str) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    let mut chars = text.chars().peekable();
    let (mut at, mut open) = (0u32, None);
    for c in marked.chars() {
        match c {
            OPEN => open = Some(at),
            CLOSE => {
                if let Some(from) = open.take().filter(|&from| from < at) {
                    // A mark may begin before a space that only full text sees.
                    ranges.push((from, at));
                }
            }
            c if chars.peek() == Some(&c) => {
                chars.next();
                at += 1;
            }
            // A space that only full text sees.
            _ => {}
        }
    }
    ranges.dedup();
    ranges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_become_quoted_words() {
        assert_eq!(asked("  \"'?! 🐶 "), None);
        let one = asked("Dogs!").expect("a word");
        assert_eq!((one.phrase.as_str(), one.all, one.any), ("\"dogs\"", None, None));
        let many = asked("what's your NEAR country* OR -x").expect("words");
        assert_eq!(many.phrase, "\"what s your near country or x\"");
        assert_eq!(many.any.as_deref(), Some("\"s\" OR \"near\" OR \"country\" OR \"x\""));
        assert!(many.all.is_some_and(|all| all.ends_with("AND \"or\" AND \"x\"")));
        assert_eq!(asked("what are you").expect("words").any.as_deref(), Some("\"what\" OR \"are\" OR \"you\""));
        assert_eq!(asked("去公园 now").expect("words").phrase, "\"去 公 园 now\"");
    }

    #[test]
    fn marks_are_found_in_the_text_as_it_is_shown() {
        assert_eq!(terms("去公园 ok了"), "去 公 园 ok 了");
        assert_eq!(marks("去公园 ok了", "去 \u{2}公 园\u{3} \u{2}ok\u{3} 了"), [(1, 3), (4, 6)]);
        assert_eq!(marks("the Dogs", "the \u{2}Dogs\u{3}"), [(4, 8)]);
    }

    #[test]
    fn texts_are_plain() {
        assert_eq!(plain("  a\u{2}b\n\n c  ", 100), "a b c");
        assert_eq!(plain("äöü xyz", 4), "äöü");
        assert!(plain(&"x".repeat(10_000_000), 50).len() == 50);
    }

    proptest! {
        #[test]
        fn spaces_for_full_text_never_lose_a_character(text in "\\PC{0,40}") {
            let text = plain(&text, 100);
            let spaced = terms(&text);
            prop_assert_eq!(spaced.replace(' ', ""), text.replace(' ', ""));
            let whole = format!("{OPEN}{spaced}{CLOSE}");
            let length = text.chars().count() as u32;
            prop_assert_eq!(marks(&text, &whole), if length == 0 { vec![] } else { vec![(0, length)] });
        }

        #[test]
        fn no_question_leaves_its_quotes(question in "\\PC{0,200}") {
            if let Some(asked) = asked(&question) {
                for text in [Some(&asked.phrase), asked.all.as_ref(), asked.any.as_ref()].into_iter().flatten() {
                    prop_assert_eq!(text.matches('"').count() % 2, 0);
                    let outside: String = text.split('"').step_by(2).collect();
                    prop_assert!(outside.replace("AND", "").replace("OR", "").chars().all(|c| " ()".contains(c)));
                }
            }
        }
    }
}
