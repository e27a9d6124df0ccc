//! An answer, and the lines it is made of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tempograph_core::{Issue, MediaTime, Span, vlm::Usage};

use super::{
    coverage::Coverage,
    evidence::{Evidence, Kind},
};

/// What an answer that no model took part in is signed with.
pub const COMPOSED: &str = "composed";
/// What an answer in a language model's words is signed with.
pub const TEXT_LLM: &str = "text-llm";

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The answer, with its citations as `[12.4–15.0 s]`.
    pub text: String,
    /// Where to look, in the order of the text.
    pub citations: Vec<Citation>,
    /// What put it into words: `composed` (from the analysis, no language model) or `text-llm`.
    pub backend: String,
    /// The language model, where one took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How much of the video it rests on.
    pub coverage: Coverage,
    /// Whether the analysis shows nothing about it.
    pub abstained: bool,
    /// Tokens of the language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the language model had no part in it, when it should have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<Issue>,
}

/// A stretch of the video that bears an answer out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// When, on the container's clock.
    #[serde(flatten)]
    pub span: Span,
    /// What is there, in a few words.
    pub why: String,
    /// What kind of evidence: `speech`, `sound`, `text`, `object`, `face`, `emotion`, `event`, `near`, `scene`,
    /// `description`, `highlight`, `silence` or `video`.
    pub kind: String,
}

/// Characters of [`Citation::why`].
const WHY: usize = 160;

impl Citation {
    /// Cites `piece` where it says so itself.
    pub(super) fn of(piece: &Evidence) -> Self {
        Self::over(piece.span, piece)
    }

    /// Cites `span`, which is made of `piece` and others like it.
    pub(super) fn over(span: Span, piece: &Evidence) -> Self {
        let why = match piece.kind {
            Kind::Speech => match &piece.speaker {
                Some(speaker) => format!("{speaker}: {}", piece.text),
                None => piece.text.clone(),
            },
            Kind::Object | Kind::Face => format!("{} seen", piece.label),
            Kind::Emotion => format!("{} face", piece.label),
            Kind::Sound => format!("{} heard", piece.label),
            Kind::Scene => format!("scene {}", piece.id.trim_start_matches('S')),
            _ => piece.text.clone(),
        };
        Self { span, why: cut(&why, WHY), kind: piece.kind.as_str().to_owned() }
    }
}

/// The span as it stands in a text.
pub fn cite(span: Span) -> String {
    format!("[{:.1}–{:.1} s]", seconds(span.start), seconds(span.end))
}

fn seconds(time: MediaTime) -> f64 {
    // Rounded as it is printed, so that `-0.0` never shows.
    (time.as_secs_f64() * 10.0).round() / 10.0 + 0.0
}

/// At most `max` characters, cut at a space.
pub(super) fn cut(text: &str, max: usize) -> String {
    let Some((at, _)) = text.char_indices().nth(max) else { return text.to_owned() };
    let end = text[..at].rfind(' ').unwrap_or(at);
    format!("{}…", text[..end].trim_end_matches([',', '.', ';', ' ']))
}

/// A statement with what bears it out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// Without its citations and without a full stop.
    pub(super) text: String,
    /// In order; never empty.
    pub(super) cites: Vec<Citation>,
    /// How many more there would be.
    pub(super) more: usize,
}

/// Citations of one statement.
const CITES: usize = 4;

impl Line {
    /// A statement that is dropped when nothing bears it out.
    pub(super) fn new(text: impl Into<String>, mut cites: Vec<Citation>) -> Option<Self> {
        let more = cites.len().saturating_sub(CITES);
        cites.truncate(CITES);
        (!cites.is_empty()).then(|| Self { text: text.into(), cites, more })
    }

    /// As it is shown: in `words`, where a model found better ones.
    pub(super) fn shown(&self, words: Option<&str>) -> String {
        let spans: Vec<String> = self.cites.iter().map(|c| cite(c.span)).collect();
        let list = match (spans.as_slice(), self.more) {
            ([only], 0) => only.clone(),
            ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
            (all, more) => format!("{} and {more} more", all.join(", ")),
        };
        let mut chars = words.unwrap_or(&self.text).chars();
        let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
        format!("{capital}{} {list}.", chars.as_str())
    }
}

/// Takes out of `text` every citation that none of `citations` stands for, and says which were kept, in order.
///
/// What is in brackets and holds a number and a unit of seconds is a citation; anything else in brackets stays.
pub fn validated(text: &str, citations: &[Citation]) -> (String, Vec<usize>) {
    let mut out = String::new();
    let mut kept = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find(']') else {
            rest = after;
            break;
        };
        let inside = &after[1..close];
        rest = &after[close + 1..];
        match span_of(inside) {
            None => out.push_str(&after[..=close]),
            Some((from, to)) => {
                let known = citations.iter().position(|c| {
                    (c.span.start.as_secs_f64() - from).abs() <= ROUNDING
                        && (c.span.end.as_secs_f64() - to).abs() <= ROUNDING
                });
                match known {
                    Some(at) => {
                        out.push_str(&cite(citations[at].span));
                        if !kept.contains(&at) {
                            kept.push(at);
                        }
                    }
                    None => {
                        while out.ends_with(' ') {
                            out.pop();
                        }
                    }
                }
            }
        }
    }
    out.push_str(rest);
    (out, kept)
}

/// What a tenth of a second may be off by.
const ROUNDING: f64 = 0.051;

/// `12.4–15.0 s`, with any dash.
fn span_of(inside: &str) -> Option<(f64, f64)> {
    let bare = inside.trim().trim_end_matches(|c: char| c.is_alphabetic() || c == '.').trim();
    let (from, to) = bare.split_once(['–', '-', '—'])?;
    let number = |t: &str| t.trim().trim_end_matches('s').trim().parse::<f64>().ok().filter(|v| v.is_finite());
    Some((number(from)?, number(to)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn citation(from: f64, to: f64) -> Citation {
        let span = Span::new(MediaTime::from_secs_f64(from), MediaTime::from_secs_f64(to));
        Citation { span, why: String::new(), kind: "speech".into() }
    }

    #[test]
    fn only_known_citations_stay() {
        let known = [citation(12.4, 15.0), citation(3.33, 10.34)];
        let (text, kept) =
            validated("A dog [3.3-10.3 s] barks [12.4–15.0 s] at a cat [99.0–100.0 s], see [1] and [a–b].", &known);
        assert_eq!(text, "A dog [3.3–10.3 s] barks [12.4–15.0 s] at a cat, see [1] and [a–b].");
        assert_eq!(kept, [1, 0]);
        assert_eq!(validated("open [12.4–15.0", &known).0, "open [12.4–15.0");
    }

    #[test]
    fn a_line_counts_what_it_leaves_out() {
        let line = Line::new("a dog barks", (0..6).map(|i| citation(f64::from(i), f64::from(i) + 0.5)).collect());
        let shown = line.expect("cited").shown(None);
        assert_eq!(shown, "A dog barks [0.0–0.5 s], [1.0–1.5 s], [2.0–2.5 s], [3.0–3.5 s] and 2 more.");
        assert!(Line::new("nothing", Vec::new()).is_none());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[\\[\\]0-9.–s \\PC]{0,80}") {
            let (out, kept) = validated(&text, &[citation(1.0, 2.0)]);
            prop_assert!(kept.len() <= 1);
            prop_assert!(out.len() <= text.len() + 40);
        }
    }
}
