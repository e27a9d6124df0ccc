//! `tempograph chat`: questions about an analysed video.

use std::{
    cell::OnceCell,
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::Path,
};

use serde_json::{Value, json};
use tempograph_core::{Cancel, Error, ErrorKind, Result};
use tempograph_pipeline::chat::{self, COMPOSED, Found, Kind, MAX_TURNS, Material, Reply, Retrieve, Turn};
use tempograph_store::{
    Library, RunRecord,
    search::{self, Query},
};

use super::{export, print};
use crate::{args, indexing, progress::Display, registry::Registry, settings::Settings};

/// Characters of the name of a session.
const MAX_NAME: usize = 100;

/// Answers one question, or question after question as they are typed.
pub(crate) fn run(args: &args::Chat, settings: &Settings, data: &Path, cancel: &Cancel) -> Result<u8> {
    if args.session.is_empty() || args.session.chars().count() > MAX_NAME {
        return Err(Error::new(ErrorKind::Usage, "the name of a session has 1 to 100 characters"));
    }
    let library = Library::open(data)?;
    let run = export::find(&library, &args.video)?;
    let registry = Registry::open(settings, data)?;
    let display = Display::new(args.json);
    library.index_pending()?;
    let video = run.timeline.video.id.clone();
    if args.forget {
        library.forget_turns(&video, &args.session)?;
    }
    let talk = Talk { args, library: &library, registry: &registry, display: &display, run: &run, cancel };
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
    registry: &'a Registry,
    display: &'a Display,
    run: &'a RunRecord,
    cancel: &'a Cancel,
}

impl Talk<'_> {
    fn answer(&self, question: &str) -> Result<()> {
        let (id, session) = (&self.run.timeline.video.id, &self.args.session);
        let history = self.library.turns(id, session, MAX_TURNS)?;
        let index = Index { talk: self, refused: OnceCell::new() };
        let material =
            Material { timeline: &self.run.timeline, graph: &self.run.graph, reached: None, retrieve: &index };
        let mut said = Ok(());
        let mut on_text = |piece: &str| {
            if !self.args.json && said.is_ok() {
                said = print(piece);
            }
        };
        let reply = chat::answer(material, question, &history, None, self.cancel, &mut on_text)?;
        said?;
        if self.args.json {
            print(&format!("{}\n", document(self.run, session, question, &reply)))?;
        } else {
            print("\n")?;
            std::io::stdout().flush().map_err(|e| Error::io("write to standard output", Path::new("-"), e))?;
            if reply.backend == COMPOSED {
                self.display.note("(answered from the analysis, no language model)");
            }
        }
        self.library.add_turn(id, session, &Turn { question: question.to_owned(), reply })
    }
}

/// An answer as JSON.
fn document(run: &RunRecord, session: &str, question: &str, reply: &Reply) -> Value {
    let video = &run.timeline.video;
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

/// What is close in meaning, out of the library's index. Without the model nothing is, which is said once.
struct Index<'a> {
    talk: &'a Talk<'a>,
    refused: OnceCell<()>,
}

impl Retrieve for Index<'_> {
    fn retrieve(&self, query: &str, kinds: &[Kind], limit: usize) -> Result<Vec<Found>> {
        let Talk { library, registry, display, run, cancel, .. } = self.talk;
        let vector = match indexing::question(query, library, registry, cancel, &|line| display.note(line)) {
            Ok(vector) => vector,
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => {
                if self.refused.set(()).is_ok() {
                    tracing::info!(%error, "words alone are searched, not meaning");
                }
                return Ok(Vec::new());
            }
        };
        let query = Query {
            videos: vec![run.timeline.video.id.clone()],
            kinds: kinds.iter().filter_map(|k| search_kind(*k)).collect(),
            limit,
            ..Query::new(query)
        };
        let hits = library.search(&query, Some(&vector))?;
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
