//! Chat: questions about one analysed video, answered from what the analysis holds, with times that can be checked.
//!
//! ```text
//! question ─► understand ─► lookup (timeline, graph, index) ─► compose ─► phrase (a model, checked) ─► Reply
//! ```
//!
//! No model decides anything: what is asked is found by its words, evidence is looked up, and every statement is made
//! of evidence. A language model may put an answer into better words, and is believed only where its words and numbers
//! are those of the evidence.
//!
//! **Invariants:** every citation is a stretch that the evidence holds. A statement without evidence is not made: the
//! answer abstains instead. What is said or written in a video is quoted data wherever it goes.

mod answer;
mod compose;
mod concepts;
mod coverage;
mod cues;
mod evidence;
pub(crate) mod ground;
mod lookup;
mod material;
mod near;
mod phrase;
mod reply;
mod session;
#[cfg(test)]
mod tests;
mod times;
mod tools;
mod understand;
mod words;

use tempograph_core::{Cancel, MediaTime, Result, timeline::Video, vlm::Vlm};

pub use self::{
    coverage::{Coverage, Reached},
    evidence::{Evidence, Kind, evidence},
    material::{Found, Material, NoIndex, Retrieve},
    reply::{COMPOSED, Citation, Reply, TEXT_LLM, cite, validated},
    session::{DEFAULT_SESSION, MAX_TURNS, Turn},
    tools::{TOOLS, Tool},
};

/// Answers `question` about `material` after `history`, telling the text piece by piece to `on_text` as it is settled.
///
/// `model` may put the answer into words; without one, or where its words are not borne out, the sentences are ours.
///
/// # Errors
/// When the index cannot be read, or `cancel` was raised.
pub fn answer(
    material: Material<'_>,
    question: &str,
    history: &[Turn],
    model: Option<&dyn Vlm>,
    cancel: &Cancel,
    on_text: &mut dyn FnMut(&str),
) -> Result<Reply> {
    cancel.check()?;
    let all = evidence(material.timeline);
    let draft = answer::draft(&all, material, question, history)?;
    let coverage = coverage::coverage(material.timeline, material.reached);
    let mut reply = Reply { backend: COMPOSED.to_owned(), coverage, ..Reply::default() };
    let mut say = |reply: &mut Reply, text: &str| {
        let piece = if reply.text.is_empty() { text.to_owned() } else { format!(" {text}") };
        on_text(&piece);
        reply.text.push_str(&piece);
    };
    if draft.lines.is_empty() {
        reply.abstained = true;
        say(&mut reply, &format!("The analysis shows nothing about {}.", draft.about));
    }
    if let Some(note) = &draft.note {
        say(&mut reply, &format!("{note}:"));
    }
    let mut tell = |reply: &mut Reply, at: usize, words: Option<&str>| {
        let Some(line) = draft.lines.get(at) else { return };
        say(reply, &line.shown(words));
        for citation in &line.cites {
            if !reply.citations.contains(citation) {
                reply.citations.push(citation.clone());
            }
        }
    };
    match model.filter(|_| !draft.lines.is_empty()) {
        None => (0..draft.lines.len()).for_each(|at| tell(&mut reply, at, None)),
        Some(model) => {
            let phrased =
                phrase::phrase(&draft.lines, question, model, cancel, &mut |at, words| tell(&mut reply, at, words))?;
            reply.usage = phrased.usage;
            reply.issue = phrased.issue;
            if phrased.used {
                TEXT_LLM.clone_into(&mut reply.backend);
                reply.model = Some(model.limits().model.clone());
            }
        }
    }
    if let Some(caveat) = reply.coverage.caveat(draft.channel, !draft.lines.is_empty()) {
        let caveat = format!("({caveat})");
        say(&mut reply, &caveat);
    }
    Ok(reply)
}

/// `M:SS` or `H:MM:SS`, counted from the start of the video.
fn clock(time: MediaTime, video: &Video) -> String {
    let secs = (time - video.start_s).as_secs_f64().max(0.0).round() as u64;
    let (h, m, s) = (secs / 3600, secs / 60 % 60, secs % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m}:{s:02}") }
}
