//! `tempograph chat`: questions about an analysed video.

use std::{
    io::{BufRead as _, IsTerminal as _},
    path::Path,
    sync::Arc,
};

use serde_json::{Value, json};
use tempograph_core::{Cancel, Error, ErrorKind, Result, timeline::Video, vlm::Vlm};
use tempograph_pipeline::{
    chat::{self, Found, Kind, MAX_TURNS, Material, Reply, Retrieve, Turn},
    run::SoFar,
};
use tempograph_remote::router::Task;
use tempograph_store::{
    Library,
    search::{self, Query},
};

use super::{analyze, export, print};
use crate::{args, indexing, progress::Display, registry::Registry, settings::Settings};

/// Characters of the name of a session.
const MAX_NAME: usize = 100;

/// Answers one question, or question after question as they are typed.
pub(crate) fn run(args: &args::Chat, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    if args.session.is_empty() || args.session.chars().count() > MAX_NAME {
        return Err(Error::new(ErrorKind::Usage, "the name of a session has 1 to 100 characters"));
    }
    let library = Library::open(data)?;
    let registry = Registry::open(settings, data)?;
    let display = Display::new();
    let path = Path::new(&args.video);
    let (timeline, graph, reached) = match export::find(&library, &args.video) {
        Ok(run) => (run.timeline, run.graph, None),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_file() => {
            let found = analyze::so_far(path, settings, &library, &registry, &display, cancel)?;
            let SoFar { timeline, graph, reached } = found.ok_or(error)?;
            (timeline, graph, Some(reached))
        }
        Err(error) => return Err(error),
    };
    library.index_pending()?;
    let video = timeline.video.id.clone();
    if args.forget {
        library.forget_turns(&video, &args.session)?;
    }
    registry.begin_video();
    let model = match registry.model(Task::Chat) {
        Ok(model) => model,
        Err(error) => {
            display.note(&format!("answering without a language model: {error}"));
            None
        }
    };
    let index = Index { library: &library, registry: &registry, display: &display, video: &video, cancel };
    let material = Material { timeline: &timeline, graph: &graph, reached: reached.as_ref(), retrieve: &index };
    let talk = Talk { args, library: &library, display: &display, material, model, cancel };
    if let Some(question) = &args.question {
        talk.answer(question)?;
        return Ok(0);
    }
    let terminal = std::io::stdin().is_terminal();
    let prompt = || {
        if terminal {
            display.prompt("> ");
        }
    };
    prompt();
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| Error::io("read a question", Path::new("-"), e))?;
        cancel.check()?;
        if !line.trim().is_empty() {
            talk.answer(line.trim())?;
        }
        prompt();
    }
    Ok(0)
}

struct Talk<'a> {
    args: &'a args::Chat,
    library: &'a Library,
    display: &'a Display,
    material: Material<'a>,
    model: Option<Arc<dyn Vlm>>,
    cancel: &'a Cancel,
}

impl Talk<'_> {
    fn answer(&self, question: &str) -> Result<()> {
        let (video, session) = (&self.material.timeline.video, &self.args.session);
        let id = &video.id;
        let history = self.library.turns(id, session, MAX_TURNS)?;
        let mut said = Ok(());
        let mut on_text = |piece: &str| {
            if !self.args.json && said.is_ok() {
                said = print(piece);
            }
        };
        let reply = chat::answer(self.material, question, &history, self.model.as_deref(), self.cancel, &mut on_text)?;
        said?;
        if self.args.json {
            print(&format!("{}\n", document(video, session, question, &reply)))?;
        } else {
            print("\n")?;
            if let Some(issue) = &reply.issue {
                self.display.note(&format!("the language model gave no answer: {}", issue.message));
            }
            self.display.note(&match &reply.model {
                Some(model) => format!("(answered from the analysis, in the words of {model})"),
                None => "(answered from the analysis, no language model)".to_owned(),
            });
        }
        self.library.add_turn(id, session, &Turn { question: question.to_owned(), reply })
    }
}

/// An answer as JSON.
fn document(video: &Video, session: &str, question: &str, reply: &Reply) -> Value {
    let mut document = json!({
        "video": {"id": video.id, "uri": video.uri},
        "session": session,
        "question": question,
    });
    if let (Some(out), Ok(Value::Object(reply))) = (document.as_object_mut(), serde_json::to_value(reply)) {
        out.extend(reply);
    }
    document
}

/// What is close in meaning, out of the library's index. Without the model nothing is, which is logged.
struct Index<'a> {
    library: &'a Library,
    registry: &'a Registry,
    display: &'a Display,
    video: &'a str,
    cancel: &'a Cancel,
}

impl Retrieve for Index<'_> {
    fn retrieve(&self, query: &str, kinds: &[Kind], limit: usize) -> Result<Vec<Found>> {
        let note = |line: &str| self.display.note(line);
        let vector = match indexing::question(query, self.library, self.registry, self.cancel, &note) {
            Ok(vector) => vector,
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                tracing::info!(%error, "words alone are searched, not meaning");
                return Ok(Vec::new());
            }
        };
        let query = Query {
            videos: vec![self.video.to_owned()],
            kinds: kinds.iter().filter_map(|k| search_kind(*k)).collect(),
            limit,
            ..Query::new(query)
        };
        let hits = self.library.search(&query, Some(&vector))?;
        let found = hits.into_iter().flat_map(|hit| hit.matches).filter_map(|found| {
            let kind = *kinds.iter().find(|k| search_kind(**k) == Some(found.kind))?;
            Some(Found { kind, span: found.span, text: found.text, similarity: found.similarity })
        });
        Ok(found.collect())
    }
}

fn search_kind(kind: Kind) -> Option<search::Kind> {
    match kind {
        Kind::Speech => Some(search::Kind::Speech),
        Kind::Text => Some(search::Kind::Text),
        Kind::Sound => Some(search::Kind::Sound),
        Kind::Object => Some(search::Kind::Object),
        Kind::Event => Some(search::Kind::Event),
        Kind::Emotion => Some(search::Kind::Emotion),
        Kind::Description => Some(search::Kind::Description),
        _ => None,
    }
}
