//! Which evidence bears a question out, and when there is none.
//!
//! **Rule:** every term of a question must be borne out by the same piece of evidence, or by things seen at the same
//! time. A word that occurs by accident is not enough: `the country's economy` is not answered by `your country`.

use tempograph_core::{Result, Span};

use super::{
    concepts,
    evidence::{Evidence, Kind, bounded},
    material::Retrieve,
    understand::{Channel, Form, Term},
};

/// Share of a question's words that a sentence must hold, when there are at least three: people quote freely.
const MOST: f64 = 0.66;
/// From this cosine on a sentence is taken to mean what is asked though it shares no word with it. Higher than for
/// search (0.6), where a person judges. Not measured: a cautious choice.
const CLOSE: f32 = 0.75;
/// Pieces that meaning may add.
const MEANT: usize = 3;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits<'e> {
    /// The pieces that bear it out.
    pub(super) pieces: Vec<&'e Evidence>,
    /// Whether another sense than the one that was asked for says so.
    pub(super) instead: bool,
    /// Whether they only mean something alike.
    pub(super) meant: bool,
}

/// Finds what bears out all of `terms` by `channel`.
pub(super) fn find<'e>(all: &'e [Evidence], terms: &[Term], channel: Option<Channel>) -> Hits<'e> {
    let kinds = channel.map(Channel::kinds);
    let of = |kinds: Option<&'static [Kind]>| -> Vec<&'e Evidence> {
        all.iter().filter(|e| kinds.map_or(e.kind.answers(), |k| k.contains(&e.kind))).collect()
    };
    let pieces = within(&of(kinds), terms);
    if !pieces.is_empty() {
        return Hits { pieces, ..Hits::default() };
    }
    let others = channel.map(Channel::instead).unwrap_or_default();
    let pieces = within(&of(Some(others)), terms);
    Hits { instead: !pieces.is_empty(), pieces, meant: false }
}

/// What of the index means the question, where no word of it does.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn meant<'e>(
    all: &'e [Evidence],
    question: &str,
    channel: Option<Channel>,
    index: &dyn Retrieve,
) -> Result<Hits<'e>> {
    let kinds: &[Kind] = match channel {
        Some(Channel::Said) => &[Kind::Speech],
        None => &[Kind::Speech, Kind::Description],
        Some(_) => return Ok(Hits::default()),
    };
    let mut pieces: Vec<&Evidence> = Vec::new();
    for found in index.retrieve(question, kinds, MEANT)? {
        if found.similarity.is_none_or(|s| s < CLOSE) {
            continue;
        }
        // The index may know more than this analysis, and what it says is believed only where the timeline agrees.
        let text = bounded(&found.text);
        let known = all.iter().find(|e| {
            e.kind == found.kind
                && e.span.intersect(found.span).is_some()
                && (e.text.contains(text.trim()) || text.contains(e.text.trim()))
        });
        pieces.extend(known.filter(|k| !pieces.contains(k)));
    }
    Ok(Hits { meant: !pieces.is_empty(), pieces, instead: false })
}

impl Kind {
    /// Whether it answers a question that names no sense.
    fn answers(self) -> bool {
        !matches!(self, Self::Scene | Self::Highlight | Self::Video | Self::Near)
    }
}

fn within<'e>(pieces: &[&'e Evidence], terms: &[Term]) -> Vec<&'e Evidence> {
    if terms.is_empty() {
        return Vec::new();
    }
    let whole: Vec<&Evidence> = pieces.iter().copied().filter(|e| terms.iter().all(|t| bears_out(t, e))).collect();
    if !whole.is_empty() {
        return rule_out_words(whole, terms);
    }
    let together = together(pieces, terms);
    if !together.is_empty() {
        return together;
    }
    most(pieces, terms)
}

/// A thing that is seen or heard answers better than a word that sounds like it, unless only words can be meant.
fn rule_out_words<'e>(pieces: Vec<&'e Evidence>, terms: &[Term]) -> Vec<&'e Evidence> {
    let thing = |e: &Evidence| !matches!(e.kind, Kind::Speech | Kind::Text | Kind::Description);
    let things = terms.iter().any(|t| t.concept.is_some() || t.class.is_some()) && pieces.iter().any(|e| thing(e));
    if things { pieces.into_iter().filter(|e| thing(e)).collect() } else { pieces }
}

/// Things seen at the same time, when no piece bears out every term.
fn together<'e>(pieces: &[&'e Evidence], terms: &[Term]) -> Vec<&'e Evidence> {
    let seen = |e: &&Evidence| matches!(e.kind, Kind::Object | Kind::Face | Kind::Emotion | Kind::Event);
    let by_term: Vec<Vec<&Evidence>> =
        terms.iter().map(|t| pieces.iter().copied().filter(seen).filter(|e| bears_out(t, e)).collect()).collect();
    let Some((first, others)) = by_term.split_first() else { return Vec::new() };
    if others.is_empty() || by_term.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let mut out: Vec<&Evidence> = Vec::new();
    for piece in first {
        let mut common = Some(piece.span);
        let mut with = vec![*piece];
        for other in others {
            let partner = other.iter().find(|o| common.is_some_and(|c| o.span.intersect(c).is_some()));
            common = partner.and_then(|p| common.and_then(|c| c.intersect(p.span)));
            with.extend(partner.copied());
        }
        if common.is_some() {
            out.extend(with);
        }
    }
    out.dedup();
    out
}

/// Sentences, each with the one before and after it, that hold most of the words.
fn most<'e>(pieces: &[&'e Evidence], terms: &[Term]) -> Vec<&'e Evidence> {
    if terms.len() < 3 {
        // Two words may stand in neighbouring sentences of one speaker.
        return neighbours(pieces, terms);
    }
    let worded = pieces.iter().copied().filter(|e| matches!(e.kind, Kind::Speech | Kind::Text | Kind::Description));
    let scored: Vec<(f64, &Evidence)> = worded
        .map(|e| (terms.iter().filter(|t| bears_out(t, e)).count() as f64 / terms.len() as f64, e))
        .filter(|(share, _)| *share >= MOST)
        .collect();
    let best = scored.iter().map(|s| s.0).fold(0.0, f64::max);
    let found: Vec<&Evidence> = scored.into_iter().filter(|s| s.0 >= best).map(|s| s.1).collect();
    if found.is_empty() { neighbours(pieces, terms) } else { found }
}

/// Sentences that follow each other without a pause, by one speaker, which hold every word between them.
fn neighbours<'e>(pieces: &[&'e Evidence], terms: &[Term]) -> Vec<&'e Evidence> {
    let speech: Vec<&Evidence> = pieces.iter().copied().filter(|e| e.kind == Kind::Speech).collect();
    for pair in speech.windows(2) {
        let joined = same_passage(pair[0], pair[1]);
        if joined && terms.iter().all(|t| pair.iter().any(|e| bears_out(t, e))) {
            return pair.to_vec();
        }
    }
    Vec::new()
}

/// A pause that ends a passage.
const PAUSE: f64 = 2.0;

/// Whether two pieces of speech belong to one passage.
pub(super) fn same_passage(a: &Evidence, b: &Evidence) -> bool {
    a.speaker == b.speaker && a.span.gap(b.span).as_secs_f64() <= PAUSE
}

/// Whether `piece` bears out `term`.
pub(super) fn bears_out(term: &Term, piece: &Evidence) -> bool {
    match term.form {
        Some(Form::Number) => return piece.text.bytes().any(|b| b.is_ascii_digit()),
        Some(Form::Address) => return has_address(&piece.text),
        None => {}
    }
    let worded = || !term.stems.is_empty() && term.stems.iter().all(|s| piece.has(s));
    match piece.kind {
        Kind::Object | Kind::Near => {
            term.concept.map_or_else(worded, |c| c.seen.iter().any(|label| labelled(piece, label)))
        }
        Kind::Face => term.is_person() || term.concept.is_some_and(|c| c.seen.contains(&"face")),
        Kind::Emotion => {
            term.is_person()
                || term
                    .concept
                    .map_or_else(worded, |c| c.feels.contains(&piece.label.as_str()) || c.seen.contains(&"face"))
        }
        Kind::Event => term.concept.map_or_else(worded, |c| {
            c.does.contains(&piece.label.as_str()) || c.seen.iter().any(|l| labelled(piece, l))
        }),
        Kind::Sound => {
            let classes = term.concept.map(|c| c.heard).unwrap_or_default();
            let named = classes.iter().filter_map(|name| concepts::class_named(name));
            let mut asked = named.chain(term.class).peekable();
            if asked.peek().is_none() {
                return term.concept.is_none() && worded();
            }
            asked.any(|class| {
                concepts::sounds_like(class, &piece.label, &mut piece.alternatives.iter().map(String::as_str))
            })
        }
        Kind::Speech | Kind::Text | Kind::Description | Kind::Highlight => {
            worded() || term.concept.is_some_and(|c| !term.is_person() && c.aliases().any(|stem| piece.has(&stem)))
        }
        Kind::Silence => term.concept.is_some_and(|c| c.seen.contains(&"silence")),
        Kind::Scene | Kind::Video => false,
    }
}

/// Whether `label` is among the piece's classes.
fn labelled(piece: &Evidence, label: &str) -> bool {
    piece.label.eq_ignore_ascii_case(label)
        || matches!(piece.kind, Kind::Event | Kind::Near) && concepts::stems(label).iter().all(|s| piece.has(s))
        || piece.kind == Kind::Object && piece.label.split(' ').any(|w| w.eq_ignore_ascii_case(label))
}

/// Whether the text holds the address of a page or a mailbox.
fn has_address(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains("www.")
        || lower.contains("http")
        || lower.split_whitespace().any(|w| {
            let w = w.trim_matches(|c: char| !c.is_alphanumeric());
            w.contains('@') || [".com", ".org", ".net", ".io", ".de", ".gov", ".edu"].iter().any(|end| w.ends_with(end))
        })
}

/// What of `pieces` lies in `window`, the most of it first where `window` is a stretch.
pub(super) fn inside<'e>(pieces: impl IntoIterator<Item = &'e Evidence>, window: Span) -> Vec<&'e Evidence> {
    pieces.into_iter().filter(|e| e.span.intersect(window).is_some() || window.contains(e.span.start)).collect()
}
