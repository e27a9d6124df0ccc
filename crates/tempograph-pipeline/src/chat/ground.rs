//! Whether a model's sentence says nothing that the notes it was given do not say.
//!
//! Every word that names something and every number must be in *one* note: words of two notes joined in one sentence
//! may make a statement that nobody made (`the dog talks about Linux`). A negation must be in the note too.

use super::words::{self, Word, is_stop};

/// Words that tell how something is told and claim nothing.
const TELLING: &[&str] = &[
    "aft", "around", "befor", "both", "clip", "dur", "footag", "includ", "moment", "second", "start", "tim", "two",
    "video",
];
/// Words that turn a statement round.
const TURNING: &[&str] = &["no", "not", "never", "nobody", "none", "nothing", "without", "neither", "nor"];
/// Words of a sentence that are read.
const MAX_WORDS: usize = 80;

/// A note that a model may use, with its words.
pub(crate) struct Note {
    words: Vec<Word>,
}

impl Note {
    /// From its text.
    pub(crate) fn new(text: &str) -> Self {
        Self { words: words::words_of(text, 400) }
    }

    fn has(&self, word: &Word) -> bool {
        self.words.iter().any(|w| w.text == word.text || w.stem == word.stem)
    }
}

/// Which of `notes` bears `sentence` out, the first; `None` when none does.
pub(crate) fn borne_out(sentence: &str, notes: &[Note]) -> Option<usize> {
    let said = words::words_of(&without_brackets(sentence), MAX_WORDS);
    notes.iter().position(|note| {
        let mut names = 0;
        for word in &said {
            let number = word.text.bytes().any(|b| b.is_ascii_digit());
            if TURNING.contains(&word.text.as_str()) || number {
                if !note.words.iter().any(|w| w.text == word.text) {
                    return false;
                }
            } else if !is_stop(&word.text) && !TELLING.contains(&word.stem.as_str()) {
                if !note.has(word) {
                    return false;
                }
                names += 1;
            }
        }
        names > 0
    })
}

/// The text without what stands in square brackets: a model's own citations are never ours.
pub(crate) fn without_brackets(text: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ").replace(" .", ".").replace(" ,", ",")
}

/// The sentences of `text` that have an end, and what follows the last of them.
pub(crate) fn sentences(text: &str) -> (Vec<&str>, &str) {
    let mut out = Vec::new();
    let mut from = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|n| n.1);
        let ends = c == '\n' || matches!(c, '.' | '!' | '?') && next.is_some_and(char::is_whitespace);
        if ends {
            let sentence = text[from..at + c.len_utf8()].trim();
            if sentence.chars().any(char::is_alphanumeric) {
                out.push(sentence);
            }
            from = at + c.len_utf8();
        }
    }
    (out, &text[from..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_one_note_says_is_believed() {
        let notes =
            ["“Dog” is heard", "Speaker 2 says “that runs on the Linux operating system”", "3 people are seen, not 4"]
                .map(Note::new);
        let at = |sentence: &str| borne_out(sentence, &notes);
        assert_eq!(at("A dog is heard."), Some(0));
        assert_eq!(at("Speaker 2 says that it runs on Linux [9.0–10.0 s]."), Some(1));
        assert_eq!(at("The dog runs on Linux."), None, "words of two notes");
        assert_eq!(at("A dog is not heard."), None, "turned round");
        assert_eq!(at("Speaker 3 says it runs."), None, "another number");
        assert_eq!(at("A cat is heard."), None);
        assert_eq!(at("It is."), None, "says nothing");
        assert_eq!(at("There are 3 people, not 4."), Some(2));
    }

    #[test]
    fn sentences_end_where_they_end() {
        let (whole, rest) = sentences("A dog barks. See www.x.org now!\nAnd th");
        assert_eq!(whole, ["A dog barks.", "See www.x.org now!"]);
        assert_eq!(rest, "And th");
        assert_eq!(without_brackets("a dog [1] barks [2–3 s]."), "a dog barks.");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,200}") {
            let (whole, rest) = sentences(&text);
            prop_assert!(whole.iter().map(|s| s.len()).sum::<usize>() + rest.len() <= text.len());
            borne_out(&text, &[Note::new(&text)]);
        }
    }
}
