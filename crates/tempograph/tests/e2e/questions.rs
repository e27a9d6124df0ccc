//! `chat` over the public set: the right times, or nothing.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::support::{Place, clip, models, shared_media};

/// Half a second of grace either side of what the truth says.
const GRACE: f64 = 0.5;
/// Stages that questions need.
const STAGES: &str = "scenes,detect,faces,text,sounds,vad,speech,speakers,embed";

#[derive(Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    video: String,
    ask: String,
    #[serde(default)]
    right: Vec<(f64, f64)>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    abstain: bool,
}

fn questions(name: &str) -> Vec<Question> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/questions").join(name);
    toml::from_str::<Questions>(&std::fs::read_to_string(path).unwrap()).unwrap().question
}

fn ask(place: &Place, media: &Path, question: &Question) -> Value {
    let video = media.join(&question.video);
    let done = place.run(&["chat", video.to_str().unwrap(), &question.ask, "--json", "--forget"]);
    assert_eq!(done.code, 0, "{}: {}", question.ask, done.err);
    serde_json::from_str(&done.out).unwrap()
}

/// Whether the citation lies in what the truth says, by half of its length.
fn is_right(citation: &Value, right: &[(f64, f64)]) -> bool {
    let (from, to) = (citation["start_s"].as_f64().unwrap(), citation["end_s"].as_f64().unwrap());
    right.iter().any(|(a, b)| (to.min(b + GRACE) - from.max(a - GRACE)) >= (to - from) / 2.0)
}

/// Whether the answer is what the question wants.
fn passes(question: &Question, answer: &Value) -> bool {
    let abstained = answer["abstained"].as_bool().unwrap();
    if question.abstain {
        return abstained;
    }
    let cited = answer["citations"].as_array().unwrap();
    let right = cited.iter().filter(|c| is_right(c, &question.right)).count();
    let text = answer["text"].as_str().unwrap().to_lowercase();
    !abstained
        && cited.first().is_some_and(|c| is_right(c, &question.right))
        && 2 * right >= cited.len()
        && (question.says.is_empty() || question.says.iter().any(|s| text.contains(&s.to_lowercase())))
}

/// Right answers and right silences, each of how many.
fn score(place: &Place, media: &Path, questions: &[Question]) -> ((usize, usize), (usize, usize)) {
    let (mut answered, mut silent) = ((0, 0), (0, 0));
    for question in questions {
        let answer = ask(place, media, question);
        let right = passes(question, &answer);
        let count = if question.abstain { &mut silent } else { &mut answered };
        *count = (count.0 + usize::from(right), count.1 + 1);
        let mark = if right { "right" } else { "WRONG" };
        println!("{mark}  {}  {}\n       {}", question.video, question.ask, answer["text"].as_str().unwrap());
    }
    (answered, silent)
}

/// The bar of the project: four of five questions with the right time, and no answer where there is none.
#[test]
fn known_answers_are_found_and_unknown_ones_are_not() {
    let (Some(media), Some(_)) = (shared_media(), models()) else { return };
    let place = Place::new();
    let (first, held_out) = (questions("public.toml"), questions("held_out.toml"));
    let mut videos: Vec<String> =
        first.iter().chain(&held_out).map(|q| media.join(&q.video).to_str().unwrap().to_owned()).collect();
    videos.sort();
    videos.dedup();
    let mut args = vec!["analyze", "--no-annotate", "--only", STAGES];
    args.extend(videos.iter().map(String::as_str));
    let done = place.run(&args);
    assert_eq!(done.code, 0, "{}", done.err);
    for (name, questions) in [("public", &first), ("held out", &held_out)] {
        let ((right, of), (silent, unanswerable)) = score(&place, &media, questions);
        println!("{name}: {right} of {of} answered with the right time, {silent} of {unanswerable} left unanswered");
        assert!(of >= 12 && 5 * right >= 4 * of, "{name}: {right} of {of}");
        assert_eq!(silent, unanswerable, "{name}");
    }
}

/// A conversation is kept, looks back, and says what was not looked for.
#[test]
fn a_conversation_goes_on_where_it_was_left() {
    let place = Place::new();
    if !clip(&place.path("a.mp4"), 4) {
        return;
    }
    let done = place.run(&["chat", "a.mp4", "anything"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("hint: run `tempograph analyze`"), "{}", done.err);
    let done = place.run(&["analyze", "a.mp4", "--only", "scenes", "--no-annotate"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let ask = |question: &str, session: &str| -> Value {
        let done = place.run(&["chat", "a.mp4", question, "--json", "--session", session]);
        assert_eq!(done.code, 0, "{question}: {}", done.err);
        serde_json::from_str(&done.out).unwrap()
    };
    let length = ask("How long is it?", "one");
    assert_eq!((&length["citations"][0]["kind"], &length["abstained"]), (&Value::from("video"), &Value::from(false)));
    assert_eq!(ask("how many scenes are there?", "one")["citations"].as_array().unwrap().len(), 2);
    let unknown = ask("is there a dog?", "one");
    assert_eq!(unknown["abstained"], true);
    assert!(unknown["text"].as_str().unwrap().contains("were looked for"), "{unknown}");
    assert_eq!(ask("when was that?", "one")["abstained"], false);
    assert_eq!(ask("when was that?", "two")["abstained"], true, "another session knows nothing of it");
    let done = place.run(&["chat", "a.mp4", "\u{1b}[2J; DROP TABLE chat_turn; --", "--session", ""]);
    assert_eq!(done.code, 2, "{}", done.err);
}
