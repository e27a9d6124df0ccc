//! Summaries by levels: windows into scenes, scenes into stretches, stretches into the whole.
//!
//! Each call reads at most a set number of tokens, so that an hour costs more calls and never a longer one. The model
//! reads what was told of the parts, no frames. Who told it decides what the summary may be called: a summary of what
//! was seen and heard by measurement is not one of what a model saw.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempograph_core::{
    Cancel, ErrorKind, Issue, PartTold, Result, Span,
    timeline::{Chapter, Summary},
    vlm::{Part, Vlm},
};

use super::{
    context::plain,
    loops::prose,
    prompts::Prompts,
    put::{Edges, Question, put},
    structured::{TimeText, Unanswered},
};

/// How summaries are written.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryOptions {
    /// Tokens of parts that one call reads.
    pub tokens: u64,
    /// Tokens that one answer may take.
    pub answer_tokens: u32,
}

impl Default for SummaryOptions {
    fn default() -> Self {
        Self { tokens: 4_000, answer_tokens: 700 }
    }
}

/// Characters that a token takes at least in English and JSON: the estimate is rather too many tokens.
pub(crate) const CHARS_A_TOKEN: u64 = 3;
/// Characters of a part's text.
const PIECE_CHARS: usize = 900;
/// Characters that a part takes besides its text.
const PIECE_FRAME: u64 = 48;
/// Characters of a title.
const TITLE_CHARS: usize = 80;
/// Characters of the whole.
const WHOLE_CHARS: usize = 4_000;
/// Chapters at most.
const CHAPTERS: usize = 24;

/// A stretch with what was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// When.
    pub span: Span,
    /// In a few words; may be empty.
    pub title: String,
    /// In words.
    pub text: String,
}

/// Keeps what was written, call by call, so that none is made twice.
pub(crate) trait Kept {
    /// What call `number` gave, when it was made before.
    fn known(&self, number: u64) -> Option<PartTold>;

    /// Keeps what call `number` gave.
    fn keep(&mut self, number: u64, span: Span, part: &PartTold) -> Result<()>;
}

/// What is summed up, by whom, and how.
pub(crate) struct Task<'a> {
    pub(crate) whole: Span,
    /// In order of time.
    pub(crate) pieces: Vec<Piece>,
    /// Scenes: those with several pieces are told as one first.
    pub(crate) scenes: Vec<Span>,
    pub(crate) model: &'a dyn Vlm,
    pub(crate) prompts: &'a Prompts,
    pub(crate) options: &'a SummaryOptions,
    pub(crate) cancel: &'a Cancel,
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Scenes of several pieces.
    pub(crate) scenes: Vec<(Span, String)>,
    /// The whole, without its back end's name.
    pub(crate) summary: Summary,
    /// Stretches that could not be told.
    pub(crate) issues: Vec<Issue>,
    /// Calls made now.
    pub(crate) calls: u64,
    /// Calls that were made in an earlier run.
    pub(crate) kept: u64,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct PartAnswer {
    /// At most six words.
    title: String,
    /// Two or three sentences.
    text: String,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct WholeAnswer {
    /// Three to six sentences.
    text: String,
    /// Its parts, in order of time.
    #[serde(default)]
    chapters: Vec<ChapterAnswer>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
struct ChapterAnswer {
    /// Second at which it begins.
    start: TimeText,
    /// At most six words.
    title: String,
    /// One or two sentences.
    #[serde(default)]
    text: String,
}

/// A piece on its way up.
#[derive(Clone, Debug)]
struct Told {
    span: Span,
    title: String,
    text: String,
}

impl Told {
    fn cost(&self) -> u64 {
        (self.text.chars().count() as u64 + PIECE_FRAME).div_ceil(CHARS_A_TOKEN)
    }
}

/// Writes the summary of `task`.
///
/// # Errors
/// What a call fails with, unless it is only an answer that cannot be read of a stretch: then its parts stand in.
pub(crate) fn summarise(task: &Task<'_>, kept: &mut dyn Kept) -> Result<Written, Unanswered> {
    let mut run = Running { task, kept, number: 0, written: Written::default() };
    let budget = budget(task);
    let room = ((budget * CHARS_A_TOKEN / 3).saturating_sub(PIECE_FRAME) as usize).clamp(80, PIECE_CHARS);
    let mut parts: Vec<Told> = task
        .pieces
        .iter()
        .map(|p| Told { span: p.span, title: plain(&p.title, TITLE_CHARS), text: plain(&p.text, room) })
        .filter(|t| !t.text.is_empty())
        .collect();
    if parts.is_empty() {
        return Ok(run.written);
    }
    parts = run.scenes(parts, budget)?;
    let mut level = 2;
    while parts.len() > 1 && parts.iter().map(Told::cost).sum::<u64>() > budget {
        let mut above = Vec::new();
        let mut rest: VecDeque<Told> = parts.into();
        while !rest.is_empty() {
            above.push(run.stretch(take(&mut rest, budget), level)?);
        }
        parts = above;
        level += 1;
    }
    run.whole(&parts, level)?;
    Ok(run.written)
}

/// Tokens of parts that a call of this model may read.
fn budget(task: &Task<'_>) -> u64 {
    // Half is for the task, its schema and the answer.
    task.options.tokens.min(task.model.limits().context_tokens / 2).max(256)
}

/// Calls and tokens that a summary of `pieces` windows of ordinary length takes at most.
pub(crate) fn estimate(pieces: u64, options: &SummaryOptions) -> (u64, u64) {
    let each = (PIECE_CHARS as u64 / 2 + PIECE_FRAME) / CHARS_A_TOKEN;
    let (mut left, mut calls, mut tokens) = (pieces, 0, 0);
    if pieces <= 1 {
        return (0, 0);
    }
    while left * each > options.tokens {
        let a_call = (options.tokens / each).max(2);
        let now = left.div_ceil(a_call);
        (calls, tokens, left) = (calls + now, tokens + left * each, now);
    }
    (calls + 1, tokens + left * each)
}

/// The next parts that fit a call together: at least two, where there are.
fn take(rest: &mut VecDeque<Told>, budget: u64) -> Vec<Told> {
    let mut taken: Vec<Told> = Vec::new();
    let mut cost = 0;
    while let Some(next) = rest.front() {
        cost += next.cost();
        if cost > budget && taken.len() >= 2 {
            break;
        }
        taken.extend(rest.pop_front());
    }
    taken
}

struct Running<'a, 'b> {
    task: &'a Task<'a>,
    kept: &'b mut dyn Kept,
    number: u64,
    written: Written,
}

impl Running<'_, '_> {
    /// Tells each scene of several parts as one.
    fn scenes(&mut self, parts: Vec<Told>, budget: u64) -> Result<Vec<Told>, Unanswered> {
        let mut out = Vec::new();
        let mut rest: VecDeque<Told> = parts.into();
        while let Some(first) = rest.front() {
            let scene = self.task.scenes.iter().find(|s| s.start <= first.span.start && first.span.end <= s.end);
            let several = scene.map_or(0, |s| rest.iter().take_while(|p| p.span.end <= s.end).count());
            match scene {
                Some(scene) if several > 1 => {
                    let mut own: VecDeque<Told> = rest.drain(..several).collect();
                    while own.len() > 1 {
                        let taken = take(&mut own, budget);
                        let told = self.stretch(taken, 1)?;
                        own.push_front(told);
                    }
                    if let Some(told) = own.pop_front() {
                        self.written.scenes.push((*scene, told.text.clone()));
                        out.push(told);
                    }
                }
                _ => out.extend(rest.pop_front()),
            }
        }
        Ok(out)
    }

    fn stretch(&mut self, parts: Vec<Told>, level: u32) -> Result<Told, Unanswered> {
        let span = joint(&parts).unwrap_or(self.task.whole);
        // Windows like others were told the same.
        if let Some(first) = parts.first().filter(|first| parts.iter().all(|p| p.text == first.text)) {
            return Ok(Told { span, ..first.clone() });
        }
        let number = self.next();
        if let Some(known) = self.kept.known(number) {
            self.written.kept += 1;
            return Ok(Told { span, title: known.title, text: known.text });
        }
        self.written.calls += 1;
        let told = match self.ask::<PartAnswer>("scene", self.task.prompts.scene(), &parts) {
            Ok(answer) => PartTold {
                level,
                title: plain(&answer.title, TITLE_CHARS),
                text: prose(&answer.text, PIECE_CHARS),
                ..PartTold::default()
            },
            Err(error) if error.error.kind() == ErrorKind::AnswerInvalid => {
                self.written.issues.push(error.issue("summary"));
                let all: Vec<_> = parts.iter().map(|p| p.text.as_str()).collect();
                PartTold { level, text: plain(&all.join(" "), PIECE_CHARS), ..PartTold::default() }
            }
            Err(error) => return Err(error),
        };
        self.kept.keep(number, span, &told)?;
        Ok(Told { span, title: told.title, text: told.text })
    }

    fn whole(&mut self, parts: &[Told], level: u32) -> Result<(), Unanswered> {
        let number = self.next();
        let told = match self.kept.known(number) {
            Some(known) => {
                self.written.kept += 1;
                known
            }
            // One part needs nobody to sum it up.
            None if parts.len() == 1 && self.task.pieces.len() == 1 => {
                let text = parts[0].text.clone();
                PartTold {
                    level,
                    whole: true,
                    text,
                    chapters: chapters(Vec::new(), self.task, parts),
                    ..PartTold::default()
                }
            }
            None => {
                self.written.calls += 1;
                let answer = self.ask::<WholeAnswer>("summary", self.task.prompts.summary(), parts)?;
                let told = PartTold {
                    level,
                    whole: true,
                    title: String::new(),
                    text: prose(&answer.text, WHOLE_CHARS),
                    chapters: chapters(answer.chapters, self.task, parts),
                };
                self.kept.keep(number, self.task.whole, &told)?;
                told
            }
        };
        self.written.summary = Summary { text: told.text, chapters: told.chapters, backend: String::new() };
        Ok(())
    }

    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number - 1
    }

    fn ask<T: serde::de::DeserializeOwned + Serialize + JsonSchema>(
        &self,
        purpose: &'static str,
        prompt: &str,
        parts: &[Told],
    ) -> Result<T, Unanswered> {
        let parts: Vec<Value> = parts
            .iter()
            .map(|p| {
                let (start, end) = (p.span.start.as_secs_f64(), p.span.end.as_secs_f64());
                let rounded = |s: f64| (s * 10.0).round() / 10.0;
                json!({"start_s": rounded(start), "end_s": rounded(end), "text": p.text})
            })
            .collect();
        let question = Question {
            purpose,
            system: self.task.prompts.system(),
            parts: vec![Part::Text(format!("{prompt}\nEvidence:\n{}", json!({"parts": parts})))],
            max_tokens: self.task.options.answer_tokens,
        };
        put(self.task.model, question, self.task.cancel)
    }
}

fn joint(parts: &[Told]) -> Option<Span> {
    Some(Span::new(parts.first()?.span.start, parts.last()?.span.end))
}

/// Chapters that cover the whole without gaps; the parts stand in where the model gave none.
fn chapters(answers: Vec<ChapterAnswer>, task: &Task<'_>, parts: &[Told]) -> Vec<Chapter> {
    let edges = Edges::at(task.pieces.iter().map(|p| p.span.start));
    let mut found: Vec<(_, String, String)> = answers
        .into_iter()
        .take(CHAPTERS)
        .map(|c| (edges.time(c.start, task.whole).time, plain(&c.title, TITLE_CHARS), prose(&c.text, PIECE_CHARS)))
        .filter(|(_, title, text)| !title.is_empty() || !text.is_empty())
        .collect();
    if found.is_empty() {
        found = parts.iter().take(CHAPTERS).map(|p| (p.span.start, p.title.clone(), p.text.clone())).collect();
    }
    found.sort_by_key(|c| c.0);
    found.dedup_by_key(|c| c.0);
    if let Some(first) = found.first_mut() {
        first.0 = task.whole.start;
    }
    let ends: Vec<_> = found.iter().skip(1).map(|c| c.0).chain([task.whole.end]).collect();
    found
        .into_iter()
        .zip(ends)
        .enumerate()
        .map(|(i, ((start, title, text), end))| {
            let title = if title.is_empty() { format!("Part {}", i + 1) } else { title };
            Chapter { span: Span::new(start, end), title, text }
        })
        .filter(|c| c.span.start < c.span.end)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tempograph_core::MediaTime;

    use super::*;
    use crate::ask::testing::Scripted;

    #[derive(Default)]
    struct Memory(BTreeMap<u64, PartTold>);

    impl Kept for Memory {
        fn known(&self, number: u64) -> Option<PartTold> {
            self.0.get(&number).cloned()
        }
        fn keep(&mut self, number: u64, _: Span, part: &PartTold) -> Result<()> {
            self.0.insert(number, part.clone());
            Ok(())
        }
    }

    fn span(from: i64, to: i64) -> Span {
        Span::new(MediaTime::from_millis(from * 1000), MediaTime::from_millis(to * 1000))
    }

    fn pieces(count: i64, words: usize) -> Vec<Piece> {
        (0..count)
            .map(|i| Piece {
                span: span(30 * i, 30 * i + 30),
                title: String::new(),
                text: format!("{i} {}", "word ".repeat(words)),
            })
            .collect()
    }

    fn written(
        pieces: Vec<Piece>,
        scenes: Vec<Span>,
        model: &Scripted,
        kept: &mut Memory,
    ) -> Result<Written, Unanswered> {
        let (prompts, options, cancel) = (Prompts::default(), SummaryOptions::default(), Cancel::new());
        let whole = span(0, 30 * pieces.len() as i64);
        let task = Task { whole, pieces, scenes, model, prompts: &prompts, options: &options, cancel: &cancel };
        summarise(&task, kept)
    }

    const PART: &str = r#"{"title": "A walk", "text": "They walk."}"#;
    const WHOLE: &str = r#"{"text": "A day out.", "chapters": [
        {"start": 95, "title": "Lunch", "text": "They eat."}, {"start": "00:02", "title": "Out", "text": "They go."}]}"#;

    #[test]
    fn one_call_sums_up_a_few_windows() {
        let model = Scripted::answers([WHOLE]);
        let w = written(pieces(4, 20), vec![], &model, &mut Memory::default()).unwrap();
        assert_eq!(w.summary.text, "A day out.");
        let chapters: Vec<_> = w.summary.chapters.iter().map(|c| (c.title.as_str(), c.span)).collect();
        assert_eq!(chapters, [("Out", span(0, 95)), ("Lunch", span(95, 120))]);
        assert_eq!(w.calls, 1);
    }

    #[test]
    fn a_single_window_is_its_own_summary() {
        let model = Scripted::answers([""; 0]);
        let w = written(pieces(1, 3), vec![], &model, &mut Memory::default()).unwrap();
        assert_eq!((w.summary.text.as_str(), w.calls), ("0 word word word", 0));
        assert_eq!(w.summary.chapters[0].span, span(0, 30));
    }

    #[test]
    fn an_hour_is_summed_up_by_levels_within_a_budget_a_call() {
        let answers = [vec![PART; 20], vec![WHOLE]].concat();
        let model = Scripted::answers(answers);
        let mut kept = Memory::default();
        let w = written(pieces(240, 150), vec![], &model, &mut kept);
        let w = w.unwrap();
        let asked = model.asked();
        assert!((2..=21).contains(&asked.len()), "{}", asked.len());
        for ask in &asked {
            let chars: usize = ask
                .messages
                .iter()
                .flat_map(|m| &m.parts)
                .map(|p| match p {
                    Part::Text(text) => text.len(),
                    _ => 0,
                })
                .sum();
            assert!(chars < 16_000, "{chars}");
        }
        assert_eq!(w.calls as usize, asked.len());
        let none = Scripted::answers([""; 0]);
        let again = written(pieces(240, 150), vec![], &none, &mut kept).unwrap();
        assert_eq!((again.calls, again.kept, again.summary), (0, w.calls, w.summary));
    }

    #[test]
    fn a_scene_of_several_windows_is_told_as_one() {
        let model = Scripted::answers([PART, WHOLE]);
        let w = written(pieces(4, 5), vec![span(0, 30), span(30, 120)], &model, &mut Memory::default()).unwrap();
        assert_eq!(w.scenes, [(span(30, 120), "They walk.".to_owned())]);
        assert_eq!(model.asked().iter().map(|a| a.purpose).collect::<Vec<_>>(), ["scene", "summary"]);
    }

    #[test]
    fn windows_that_were_told_the_same_are_one_without_asking() {
        let model = Scripted::answers([WHOLE]);
        let mut same = pieces(3, 5);
        same[2].text = same[1].text.clone();
        let w = written(same, vec![span(0, 30), span(30, 90)], &model, &mut Memory::default()).unwrap();
        assert_eq!((w.calls, w.scenes.len()), (1, 1));
    }

    #[test]
    fn the_estimate_is_not_below_what_is_made() {
        let (calls, tokens) = estimate(240, &SummaryOptions::default());
        assert!((3..=20).contains(&calls) && tokens > 10_000, "{calls} {tokens}");
        assert_eq!(estimate(1, &SummaryOptions::default()), (0, 0));
    }
}
