//! Prose of models that go round in circles, as small ones do.

use std::collections::{HashMap, HashSet};

use super::context::plain;
use crate::chat::ground::sentences;

/// Words of a phrase.
const PHRASE: usize = 3;
/// How often a phrase of [`PHRASE`] words may stand in one sentence.
const MOST: usize = 3;

/// `text` as [`plain`] has it, each sentence once, without those that go round in circles.
pub(crate) fn prose(text: &str, chars: usize) -> String {
    let (whole, rest) = sentences(text);
    let mut said = HashSet::new();
    let fresh = |s: &&str| !s.is_empty() && !is_loop(s) && said.insert(s.to_lowercase());
    let kept: Vec<&str> = whole.into_iter().chain([rest.trim()]).filter(fresh).collect();
    plain(&kept.join(" "), chars)
}

/// Whether a phrase comes again and again.
fn is_loop(sentence: &str) -> bool {
    let words: Vec<String> =
        sentence.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
    let mut times: HashMap<&[String], usize> = HashMap::new();
    words.windows(PHRASE).any(|phrase| {
        let count = times.entry(phrase).or_default();
        *count += 1;
        *count > MOST
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_left_out_and_the_rest_stays() {
        let text = "A dog runs. The list is a list of the list, a list of the list, a list of the list, a list of the \
                    list. A dog runs. Then it sleeps";
        assert_eq!(prose(text, 400), "A dog runs. Then it sleeps");
        assert_eq!(prose("One two, one two, one two.", 400), "One two, one two, one two.");
        assert_eq!(prose("evidence of evidence, and ".repeat(9).as_str(), 400), "");
        assert_eq!(prose("", 400), "");
    }
}
