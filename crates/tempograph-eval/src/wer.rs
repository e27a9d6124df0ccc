//! Words: error rates of a transcript.
//!
//! The numbers are jiwer 4.0's with its default transforms, alignment included: of the shortest
//! edits the one RapidFuzz takes, since hits and substitutions depend on it.

use serde::Serialize;
use serde_json::Value;
use tempograph_core::{Error, ErrorKind, Result};

/// Error rates and the counts behind them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WerScores {
    /// Word error rate: edits over truth words.
    pub wer: f64,
    /// Character error rate.
    pub cer: f64,
    /// Match error rate: edits over aligned pairs.
    pub mer: f64,
    /// Word information lost.
    pub wil: f64,
    /// Word information preserved.
    pub wip: f64,
    /// Words that are right.
    pub hits: u64,
    /// Words replaced.
    pub substitutions: u64,
    /// Words added.
    pub insertions: u64,
    /// Words left out.
    pub deletions: u64,
    /// Words in the truth.
    pub truth_words: u64,
    /// Words in the transcript.
    pub found_words: u64,
}

/// Most cells of an alignment table; 2 bits each.
const MAX_CELLS: usize = 1 << 31;

/// Most pairs of characters that are compared.
const MAX_COMPARISONS: usize = 1 << 36;

/// Scores `found` against `truth` exactly as they stand, case and punctuation included.
///
/// # Errors
/// [`ErrorKind::OverBudget`] when there would be over 2 billion pairs of words or 69 billion of characters.
pub fn score(truth: &str, found: &str) -> Result<WerScores> {
    let (truth_words, found_words) = (words(truth), words(found));
    let edits = align(&truth_words, &found_words)?;
    let (h, s, i, d) = (edits.hits as f64, edits.substitutions as f64, edits.insertions as f64, edits.deletions as f64);
    let wrong = s + i + d;
    let (t, f) = (truth_words.len() as f64, found_words.len() as f64);
    let (wer, mer, wip) = match (truth_words.is_empty(), found_words.is_empty()) {
        (true, true) => (0.0, 0.0, 1.0),
        (true, false) => (i, 1.0, 0.0),
        (false, empty) => (wrong / t, wrong / (h + wrong), if empty { 0.0 } else { h / t * (h / f) }),
    };
    Ok(WerScores {
        wer,
        cer: cer(truth, found)?,
        mer,
        wil: 1.0 - wip,
        wip,
        hits: edits.hits,
        substitutions: edits.substitutions,
        insertions: edits.insertions,
        deletions: edits.deletions,
        truth_words: truth_words.len() as u64,
        found_words: found_words.len() as u64,
    })
}

/// Lower case, letters, digits and inner apostrophes kept, everything else a word break.
pub fn normalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().flat_map(char::to_lowercase).peekable();
    while let Some(c) = chars.next() {
        let apostrophe = matches!(c, '\'' | '’');
        let inside = out.ends_with(char::is_alphanumeric) && chars.peek().is_some_and(|n| n.is_alphanumeric());
        // Combining marks belong to the letter before them.
        if c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c) {
            out.push(c);
        } else if apostrophe && inside {
            out.push('\'');
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// The spoken text of a transcript file: plain text, SubRip, WebVTT, `analysis.json`, or a JSON
/// list of segments with `text`.
///
/// Lines are joined by a blank.
///
/// # Errors
/// [`ErrorKind::InvalidData`] for JSON that holds no text.
pub fn transcript(content: &str) -> Result<String> {
    let start = content.trim_start();
    if start.starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<Value>(start)
    {
        return from_json(&json).ok_or_else(|| Error::new(ErrorKind::InvalidData, "no transcript in this JSON"));
    }
    let cues = start.starts_with("WEBVTT") || start.lines().any(is_timing);
    if !cues {
        return Ok(join(content.lines()));
    }
    let lines: Vec<&str> = content.lines().collect();
    let mut spoken = Vec::new();
    let mut in_cue = false;
    for line in &lines {
        if is_timing(line) {
            in_cue = true;
        } else if line.trim().is_empty() {
            in_cue = false;
        } else if in_cue {
            spoken.push(without_tags(line));
        }
    }
    Ok(join(spoken.iter().map(String::as_str)))
}

fn is_timing(line: &str) -> bool {
    line.split_once("-->").is_some_and(|(from, _)| from.trim().starts_with(|c: char| c.is_ascii_digit()))
}

fn without_tags(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, tail)) = rest.split_once('<') {
        out.push_str(before);
        match tail.split_once('>') {
            Some((_, after)) => rest = after,
            None => {
                out.push('<');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

fn from_json(json: &Value) -> Option<String> {
    let texts = |list: &Value| {
        let kind = |e: &Value| e.get("type").or_else(|| e.get("kind")).cloned();
        let texts = list.as_array()?.iter().filter(|e| kind(e).is_none_or(|k| k == "speech"));
        Some(join(texts.filter_map(|e| e.get("text")?.as_str())))
    };
    ["audio_events", "segments", "turns"]
        .iter()
        .find_map(|k| json.get(k).and_then(texts))
        .or_else(|| json.get("text").and_then(Value::as_str).map(str::to_owned))
        .or_else(|| texts(json))
}

fn join<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What Python's `str.isspace` counts as space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// jiwer's words: runs of two or more spaces become one blank, ends are stripped, blanks divide.
/// A single line break or tab therefore divides nothing.
fn words(text: &str) -> Vec<String> {
    let mut squeezed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_space) {
        squeezed.push_str(&rest[..at]);
        let run = rest[at..].find(|c| !is_space(c)).map_or(rest.len(), |n| at + n);
        let spaces = &rest[at..run];
        squeezed.push_str(if spaces.chars().nth(1).is_some() { " " } else { spaces });
        rest = &rest[run..];
    }
    squeezed.push_str(rest);
    squeezed.trim_matches(is_space).split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn cer(truth: &str, found: &str) -> Result<f64> {
    let chars = |t: &str| t.trim_matches(is_space).chars().collect::<Vec<_>>();
    let (t, f) = (chars(truth), chars(found));
    if t.is_empty() { Ok(f.len() as f64) } else { Ok(edit_distance(&t, &f)? as f64 / t.len() as f64) }
}

/// The part of `a` and `b` left without their common start and end.
fn middle<'a, T: PartialEq>(a: &'a [T], b: &'a [T]) -> (&'a [T], &'a [T], usize) {
    let front = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[front..], &b[front..]);
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    (&a[..a.len() - back], &b[..b.len() - back], front + back)
}

/// Levenshtein distance, 64 rows of the table at a time (Myers 1999, in Hyyrö's blocks).
fn edit_distance(a: &[char], b: &[char]) -> Result<usize> {
    let (a, b, _) = middle(a, b);
    if a.len().checked_mul(b.len()).is_none_or(|cells| cells > MAX_COMPARISONS) {
        let what = format!("too many characters to compare: {} by {}", a.len(), b.len());
        return Err(Error::new(ErrorKind::OverBudget, what));
    }
    let mut alphabet = a.to_vec();
    alphabet.sort_unstable();
    alphabet.dedup();
    // A character that `a` lacks gets the number after the last, whose mask stays empty.
    let number = |c: &char| alphabet.binary_search(c).unwrap_or(alphabet.len());
    let columns: Vec<usize> = b.iter().map(number).collect();
    let mut masks = vec![0u64; alphabet.len() + 1];
    // Change from column to column along the row above a block; along the first row it is 1.
    let mut across = vec![1i8; b.len()];
    for block in a.chunks(64) {
        let rows: Vec<usize> = block.iter().map(number).collect();
        rows.iter().enumerate().for_each(|(i, &c)| masks[c] |= 1 << i);
        let last = 1u64 << (block.len() - 1);
        let (mut up, mut down) = (u64::MAX, 0u64);
        for (carry, &c) in across.iter_mut().zip(&columns) {
            let (rises, falls) = (u64::from(*carry > 0), u64::from(*carry < 0));
            let vertical = masks[c] | down;
            let equal = masks[c] | falls;
            let diagonal = ((equal & up).wrapping_add(up) ^ up) | equal;
            let (rise, fall) = (down | !(diagonal | up), up & diagonal);
            *carry = i8::from(rise & last != 0) - i8::from(fall & last != 0);
            let (rise, fall) = (rise << 1 | rises, fall << 1 | falls);
            up = fall | !(vertical | rise);
            down = rise & vertical;
        }
        rows.iter().for_each(|&c| masks[c] = 0);
    }
    let change: i64 = across.iter().map(|&c| i64::from(c)).sum();
    Ok(usize::try_from(a.len() as i64 + change).unwrap_or(0))
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Edits {
    hits: u64,
    substitutions: u64,
    insertions: u64,
    deletions: u64,
}

/// Aligns by the fewest edits. Where several alignments are as short: from the end, a deletion
/// where the column falls, else an insertion where the previous row's column rises, else a pair.
fn align(truth: &[String], found: &[String]) -> Result<Edits> {
    let (a, b, same) = middle(truth, found);
    let (n, m) = (a.len(), b.len());
    let mut edits = Edits { hits: same as u64, ..Edits::default() };
    let cells = (n + 1).checked_mul(m + 1).filter(|&c| c <= MAX_CELLS);
    let cells =
        cells.ok_or_else(|| Error::new(ErrorKind::OverBudget, format!("too many words to align: {n} by {m}")))?;
    // Two bits a cell (i, j): D[i][j] = D[i-1][j] + 1, and D[i][j] = D[i-1][j] - 1.
    let mut bits = vec![0u8; cells.div_ceil(4)];
    let mut column: Vec<u32> = (0..=n as u32).collect();
    let at = |i: usize, j: usize| j * (n + 1) + i;
    for i in 1..=n {
        bits[at(i, 0) / 4] |= 1 << (at(i, 0) % 4 * 2);
    }
    for (j, y) in b.iter().enumerate() {
        let mut diagonal = column[0];
        column[0] += 1;
        for (i, x) in a.iter().enumerate() {
            let replaced = diagonal + u32::from(x != y);
            diagonal = column[i + 1];
            column[i + 1] = replaced.min(column[i].min(diagonal) + 1);
            let cell = at(i + 1, j + 1);
            let (here, above) = (column[i + 1], column[i]);
            bits[cell / 4] |= (u8::from(here == above + 1) | u8::from(here + 1 == above) << 1) << (cell % 4 * 2);
        }
    }
    let bit = |i: usize, j: usize, which: u8| bits[at(i, j) / 4] >> (at(i, j) % 4 * 2 + usize::from(which)) & 1 == 1;
    let (mut i, mut j) = (n, m);
    while i > 0 && j > 0 {
        if bit(i, j, 0) {
            edits.deletions += 1;
            i -= 1;
        } else if j > 1 && bit(i, j - 1, 1) {
            edits.insertions += 1;
            j -= 1;
        } else {
            let hit = a[i - 1] == b[j - 1];
            edits.hits += u64::from(hit);
            edits.substitutions += u64::from(!hit);
            (i, j) = (i - 1, j - 1);
        }
    }
    edits.deletions += i as u64;
    edits.insertions += j as u64;
    Ok(edits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn normalizing_keeps_words_only() {
        assert_eq!(normalize("  It's — a DOG's “life”, isn’t it? 'Yes'!"), "it's a dog's life isn't it yes");
        assert_eq!(normalize("Ünïcode 3.5"), "ünïcode 3 5");
    }

    #[test]
    fn spoken_text_is_found_in_every_form() {
        let srt = "1\n00:00:00,000 --> 00:00:01,000\nHello <i>there</i>\n\n2\n00:00:01,000 --> 00:00:02,000\nagain\n";
        assert_eq!(transcript(srt).expect("srt"), "Hello there again");
        let vtt = "WEBVTT\n\nNOTE no speech\n\n00:00.000 --> 00:01.000\n<v Ann>Hi\n";
        assert_eq!(transcript(vtt).expect("vtt"), "Hi");
        let json = r#"{"audio_events":[{"type":"speech","text":"one"},{"type":"sound","text":"x"},{"type":"speech","text":"two"}]}"#;
        assert_eq!(transcript(json).expect("json"), "one two");
        assert_eq!(transcript("plain\n text\n").expect("text"), "plain text");
        assert!(transcript("{\"a\":1}").is_err());
    }

    proptest! {
        #[test]
        fn counts_add_up(a in "[abc ]{0,12}", b in "[abc ]{0,12}") {
            let s = score(&a, &b).expect("short");
            prop_assert_eq!(s.hits + s.substitutions + s.deletions, s.truth_words);
            prop_assert_eq!(s.hits + s.substitutions + s.insertions, s.found_words);
            let chars = |t: &str| words(t).concat().chars().collect::<Vec<_>>();
            if words(&a).iter().chain(&words(&b)).all(|w| w.chars().count() == 1) {
                let edits = (s.substitutions + s.insertions + s.deletions) as usize;
                prop_assert_eq!(edits, edit_distance(&chars(&a), &chars(&b)).expect("short"));
            }
        }

        #[test]
        fn blocks_give_the_plain_distance(a in "[abcd]{0,200}", b in "[abcd]{0,200}") {
            let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
            let mut row: Vec<usize> = (0..=a.len()).collect();
            for y in &b {
                let mut diagonal = row[0];
                row[0] += 1;
                for (i, x) in a.iter().enumerate() {
                    let replaced = diagonal + usize::from(x != y);
                    diagonal = row[i + 1];
                    row[i + 1] = replaced.min(row[i].min(diagonal) + 1);
                }
            }
            prop_assert_eq!(edit_distance(&a, &b).expect("short"), row[a.len()]);
        }

        #[test]
        fn any_text_is_taken(a in ".{0,200}", b in "\\PC{0,60}") {
            let text = transcript(&a).unwrap_or_default();
            prop_assert!(score(&text, &normalize(&b)).is_ok());
        }
    }
}
