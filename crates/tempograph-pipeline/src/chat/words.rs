//! Words of questions and of evidence, brought to a form in which they can be compared.

/// Characters of a question that are read.
pub(super) const MAX_QUESTION: usize = 1000;
/// Words of a question that are read.
const MAX_WORDS: usize = 80;

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// In lower case, without marks.
    pub(super) text: String,
    /// Without its English ending.
    pub(super) stem: String,
}

/// English words that ask or join and name nothing.
const STOP_WORDS: &[&str] = &[
    "a",
    "about",
    "according",
    "actually",
    "again",
    "all",
    "also",
    "am",
    "an",
    "and",
    "another",
    "any",
    "anywhere",
    "are",
    "as",
    "at",
    "be",
    "been",
    "being",
    "but",
    "by",
    "can",
    "concerning",
    "could",
    "currently",
    "did",
    "do",
    "does",
    "doing",
    "done",
    "else",
    "ever",
    "exactly",
    "for",
    "from",
    "get",
    "gets",
    "give",
    "given",
    "got",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "him",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "just",
    "kind",
    "know",
    "let",
    "list",
    "me",
    "mine",
    "my",
    "no",
    "not",
    "of",
    "off",
    "ok",
    "okay",
    "on",
    "one",
    "only",
    "or",
    "other",
    "our",
    "ours",
    "out",
    "over",
    "please",
    "regarding",
    "right",
    "s",
    "same",
    "shall",
    "she",
    "should",
    "so",
    "some",
    "such",
    "t",
    "than",
    "thanks",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "to",
    "too",
    "up",
    "us",
    "used",
    "very",
    "want",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "whose",
    "why",
    "will",
    "with",
    "would",
    "yes",
    "you",
    "your",
    "yours",
];

/// Whether the word names nothing.
pub(super) fn is_stop(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// The words of `text`, at most `max`.
pub(super) fn words_of(text: &str, max: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for piece in text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’')) {
        // `what's` asks `what`, `dog's` is the dog's.
        let bare = piece.trim_matches(['\'', '’']);
        let (bare, rest) = bare.split_once(['\'', '’']).unwrap_or((bare, ""));
        if bare.is_empty() {
            continue;
        }
        if words.len() >= max {
            break;
        }
        let lower = bare.to_lowercase();
        if rest == "t" && lower.ends_with('n') {
            words.push(word("not"));
        } else {
            words.push(word(&lower));
        }
    }
    words
}

fn word(lower: &str) -> Word {
    Word { text: lower.to_owned(), stem: stem(lower) }
}

/// The words of a question.
pub(super) fn words(question: &str) -> Vec<Word> {
    let cut = question.char_indices().nth(MAX_QUESTION).map_or(question, |(end, _)| &question[..end]);
    words_of(cut, MAX_WORDS)
}

/// The word without its English ending, in the manner of the first steps of M. F. Porter, "An algorithm for suffix
/// stripping" (1980): enough for `barks`, `barking` and `bark` to be one word.
pub(super) fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() <= 3 {
        return word.to_owned();
    }
    if let Some((_, stem)) = IRREGULAR.iter().find(|(form, _)| *form == word) {
        return (*stem).to_owned();
    }
    let vowel = |s: &str| s.bytes().any(|b| b"aeiouy".contains(&b));
    let mut stem = word.to_owned();
    if let Some(rest) = word.strip_suffix("sses") {
        stem = format!("{rest}ss");
    } else if let Some(rest) = word.strip_suffix("ies") {
        stem = format!("{rest}y");
    } else if word.ends_with("ches") || word.ends_with("shes") || word.ends_with("xes") {
        stem.truncate(stem.len() - 2);
    } else if word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") && !word.ends_with("is") {
        stem.truncate(stem.len() - 1);
    }
    for ending in ["ingly", "edly", "ing", "ed"] {
        if let Some(rest) = stem.strip_suffix(ending).filter(|r| r.len() >= 3 && vowel(r)) {
            let mut rest = rest.to_owned();
            let bytes = rest.as_bytes();
            let last = bytes[bytes.len() - 1];
            if bytes[bytes.len() - 2] == last && !b"lsz".contains(&last) {
                rest.pop();
            }
            stem = rest;
            break;
        }
    }
    // `smile` and `smiling` meet without the `e`.
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    stem
}

/// Forms that no rule reaches.
const IRREGULAR: &[(&str, &str)] = &[
    ("came", "com"),
    ("children", "child"),
    ("feet", "foot"),
    ("goes", "go"),
    ("going", "go"),
    ("gone", "go"),
    ("heard", "hear"),
    ("kitties", "kitty"),
    ("knives", "knif"),
    ("left", "left"),
    ("made", "mad_e"),
    ("make", "mad_e"),
    ("makes", "mad_e"),
    ("making", "mad_e"),
    ("meant", "mean"),
    ("men", "man"),
    ("mice", "mous"),
    ("people", "person"),
    ("ran", "run"),
    ("said", "say"),
    ("sang", "sing"),
    ("sheep", "sheep"),
    ("shown", "show"),
    ("spoke", "speak"),
    ("spoken", "speak"),
    ("told", "tell"),
    ("went", "go"),
    ("women", "woman"),
    ("written", "writ"),
    ("wrote", "writ"),
];

/// Whether two stems are one word: equal, or so long and alike that a slip of recognition explains the difference.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || a.len() >= 7 && b.len() >= 7 && a.is_ascii() && b.is_ascii() && strsim::levenshtein(a, b) <= 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_of_one_word_meet() {
        for forms in [
            &["bark", "barks", "barking", "barked"][..],
            &["smile", "smiles", "smiling", "smiled"],
            &["puppy", "puppies"],
            &["person", "people", "persons"],
            &["stop", "stopped", "stopping"],
            &["bus", "buses"],
            &["say", "said", "says"],
            &["box", "boxes"],
        ] {
            let stems: Vec<String> = forms.iter().map(|f| stem(f)).collect();
            assert!(stems.iter().all(|s| *s == stems[0]), "{forms:?}: {stems:?}");
        }
        assert_ne!(stem("land"), stem("landscape"));
        assert!(same("asterisk", "asterisc") && !same("moon", "noon"));
    }

    #[test]
    fn the_list_can_be_searched() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn apostrophes_do_not_make_words() {
        let texts = |t: &str| words(t).into_iter().map(|w| w.text).collect::<Vec<_>>();
        assert_eq!(texts("What's the dog’s 'name'?"), ["what", "the", "dog", "name"]);
        assert_eq!(texts("isn't it"), ["not", "it"]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "\\PC{0,300}") {
            prop_assert!(words(&text).len() <= MAX_WORDS);
        }
    }
}
