//! The words Whisper's decoder speaks in: byte-level BPE tokens and marks such as `<|en|>`.

use std::collections::HashMap;

use tempograph_core::{Error, ErrorKind, Result};

/// Tokens by id; only ids are turned into text, never text into ids.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    bytes: HashMap<char, u8>,
    marks: Marks,
    languages: Vec<(u32, String)>,
}

/// Ids of the marks that steer the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) end: u32,
    pub(super) start: u32,
    pub(super) transcribe: u32,
    pub(super) no_speech: u32,
    pub(super) no_timestamps: u32,
    /// `<|0.00|>`; the others follow in steps of 20 ms.
    pub(super) first_timestamp: u32,
}

/// No Whisper has more tokens.
const MAX_TOKENS: usize = 200_000;
/// `<|0.00|>` to `<|30.00|>`.
const TIMESTAMPS: usize = 1501;

impl Vocabulary {
    /// From a file of any of the usual forms: one token a line (`vocabulary.txt`), a JSON list or map of tokens
    /// (`vocabulary.json`, `vocab.json`), or `tokenizer.json`. Missing time stamps are added at the end.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it is none of them or lacks a mark that Whisper needs.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut tokens = match serde_json::from_slice::<serde_json::Value>(bytes) {
            Ok(serde_json::Value::Array(list)) => {
                list.into_iter().map(|t| t.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            }
            Ok(serde_json::Value::Object(map)) => {
                let model = map.get("model").and_then(|m| m.get("vocab")).and_then(|v| v.as_object());
                let pairs = model.unwrap_or(&map).iter().map(|(t, id)| Some((t.as_str(), id.as_u64()?)));
                let added = map.get("added_tokens").and_then(|a| a.as_array()).into_iter().flatten();
                let added = added.map(|a| Some((a.get("content")?.as_str()?, a.get("id")?.as_u64()?)));
                pairs.chain(added).collect::<Option<Vec<_>>>().and_then(by_id)
            }
            Ok(_) => None,
            Err(_) => {
                let text = std::str::from_utf8(bytes).map_err(|e| invalid("is not UTF-8").with_source(e))?;
                Some(text.trim_end_matches('\n').split('\n').map(|t| t.trim_end_matches('\r').to_owned()).collect())
            }
        }
        .filter(|t| t.len() <= MAX_TOKENS)
        .ok_or_else(|| invalid("is neither a list nor a map of tokens"))?;
        if !tokens.iter().any(|t| t == "<|0.00|>") {
            tokens.extend((0..TIMESTAMPS).map(|i| format!("<|{:.2}|>", i as f64 * 0.02)));
        }
        Self::new(tokens)
    }

    fn new(tokens: Vec<String>) -> Result<Self> {
        let ids: HashMap<String, u32> = tokens.iter().enumerate().map(|(i, t)| (t.clone(), i as u32)).collect();
        let id = |names: &[&str]| {
            names.iter().find_map(|n| ids.get(*n).copied()).ok_or_else(|| invalid(&format!("lacks `{}`", names[0])))
        };
        let marks = Marks {
            end: id(&["<|endoftext|>"])?,
            start: id(&["<|startoftranscript|>"])?,
            transcribe: id(&["<|transcribe|>"])?,
            no_speech: id(&["<|nospeech|>", "<|nocaptions|>"])?,
            no_timestamps: id(&["<|notimestamps|>"])?,
            first_timestamp: id(&["<|0.00|>"])?,
        };
        let is_language = |t: &str| (2..=3).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_lowercase());
        let languages = tokens
            .iter()
            .enumerate()
            .filter_map(|(i, t)| Some((i as u32, t.strip_prefix("<|")?.strip_suffix("|>")?)))
            .filter(|(id, name)| *id > marks.start && is_language(name))
            .map(|(id, name)| (id, name.to_owned()))
            .collect();
        Ok(Self { tokens, ids, bytes: byte_letters(), marks, languages })
    }

    /// Number of tokens.
    #[expect(clippy::len_without_is_empty, reason = "an empty one cannot be made")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens by id.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Id of a token by its exact spelling in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// Languages it has marks for, by id.
    pub(super) fn languages(&self) -> &[(u32, String)] {
        &self.languages
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks
    }

    /// The bytes that `id` stands for; none for a mark.
    pub(super) fn bytes(&self, id: u32) -> Vec<u8> {
        if id >= self.marks.end {
            return Vec::new();
        }
        let token = self.tokens.get(id as usize).map_or("", String::as_str);
        token.chars().filter_map(|c| self.bytes.get(&c).copied()).collect()
    }

    /// The text of `ids`; marks are left out, broken characters become U+FFFD.
    pub fn text(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.bytes(id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the vocabulary {what}"))
}

fn by_id(pairs: Vec<(&str, u64)>) -> Option<Vec<String>> {
    let len = pairs.iter().map(|p| p.1).max()? as usize + 1;
    if len > MAX_TOKENS {
        return None;
    }
    let mut tokens = vec![String::new(); len];
    for (token, id) in pairs {
        tokens[id as usize] = token.to_owned();
    }
    Some(tokens)
}

/// The printable letter that stands for each byte in GPT-2's vocabularies, turned round: printable Latin-1 bytes stand
/// for themselves, the others for the letters from U+0100 on.
fn byte_letters() -> HashMap<char, u8> {
    let mut next = 0x100u32;
    (0..=255u8)
        .map(|b| match b {
            b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff => (char::from(b), b),
            _ => {
                let letter = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
                next += 1;
                (letter, b)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: [&str; 6] = ["endoftext", "startoftranscript", "en", "transcribe", "nospeech", "notimestamps"];

    fn tokens() -> Vec<String> {
        let words = ["a", "\u{120}b", "\u{c3}", "\u{a9}"].map(str::to_owned);
        words.into_iter().chain(MARKS.map(|m| format!("<|{m}|>"))).collect()
    }

    #[test]
    fn every_form_gives_the_same_tokens() {
        let tokens = tokens();
        let pairs = |range: std::ops::Range<usize>| {
            range.map(|i| (tokens[i].clone(), i.into())).collect::<serde_json::Map<String, serde_json::Value>>()
        };
        let added: Vec<_> = (4..10).map(|i| serde_json::json!({"id": i, "content": tokens[i]})).collect();
        let forms = [
            tokens.join("\n").into_bytes(),
            (tokens.join("\n") + "\n").into_bytes(),
            serde_json::to_vec(&tokens).unwrap(),
            serde_json::to_vec(&pairs(0..10)).unwrap(),
            serde_json::to_vec(&serde_json::json!({"model": {"vocab": pairs(0..4)}, "added_tokens": added})).unwrap(),
        ];
        for form in forms {
            let vocabulary = Vocabulary::parse(&form).unwrap();
            assert_eq!(vocabulary.tokens()[..10], tokens[..]);
            assert_eq!(vocabulary.len(), 10 + 1501);
            assert_eq!(vocabulary.marks().first_timestamp, 10);
            assert_eq!(vocabulary.tokens().last().unwrap(), "<|30.00|>");
            assert_eq!(vocabulary.languages(), [(6, "en".to_owned())]);
        }
    }

    #[test]
    fn bytes_join_into_characters_and_marks_are_silent() {
        let vocabulary = Vocabulary::parse(&serde_json::to_vec(&tokens()).unwrap()).unwrap();
        assert_eq!(vocabulary.text(&[0, 1, 2, 3, 4, 11]), "a b\u{e9}");
        assert_eq!(vocabulary.text(&[2, 99_999]), "\u{fffd}");
    }

    #[test]
    fn what_is_no_vocabulary_is_refused() {
        let huge = br#"{"a": 4000000000}"#;
        for bytes in [&b"a\nb"[..], b"", b"3", b"[1]", b"{}", huge, &[0xff, 0xfe]] {
            assert_eq!(Vocabulary::parse(bytes).unwrap_err().kind(), ErrorKind::ModelInvalid);
        }
    }
}
