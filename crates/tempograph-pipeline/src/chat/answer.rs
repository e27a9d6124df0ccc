//! From a question to statements, each with what bears it out; or to nothing, when there is nothing.

use std::collections::BTreeMap;

use tempograph_core::{MediaTime, Result, Span, allen::Relation, timeline::Video};

use super::{
    clock,
    compose::{article, at_once, count, looks, ordered, tell, union},
    evidence::{Evidence, Kind},
    lookup::{self, Hits, inside, same_passage},
    material::Material,
    near,
    reply::{Citation, Line},
    session::{self, Turn},
    understand::{Anchor, Asked, Channel, Intent, Side, Term, Without, understand},
};

/// What was found out.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Statements, the most telling first. None: the analysis shows nothing about it.
    pub(super) lines: Vec<Line>,
    /// What nothing is shown about, in the words of the question.
    pub(super) about: String,
    /// What must be said beside, without evidence of its own: what the analysis cannot tell.
    pub(super) note: Option<String>,
    /// The sense that was asked for.
    pub(super) channel: Option<Channel>,
}

/// Pieces that a list shows.
const LISTED: usize = 8;
/// What starts this soon after the first thing that follows is part of what follows.
const SOON: MediaTime = MediaTime::from_millis(3_000);
/// Times of evidence are this exact.
const EXACT: MediaTime = MediaTime::from_millis(250);
/// Occurrences of one thing with shorter pauses between are one occurrence.
const CLUSTER: MediaTime = MediaTime::from_millis(5_000);

struct Desk<'a> {
    all: &'a [Evidence],
    material: Material<'a>,
    video: &'a Video,
    question: &'a str,
}

/// What `all` says to `question` after `history`.
///
/// # Errors
/// When the index cannot be read.
pub(super) fn draft(all: &[Evidence], material: Material<'_>, question: &str, history: &[Turn]) -> Result<Draft> {
    let video = &material.timeline.video;
    let mut asked = understand(question, video);
    let last = session::last(history);
    if let Some(last) = last.filter(|_| asked.goes_on) {
        let before = understand(&last.question, video);
        if asked.intent == Intent::Find && asked.channel.is_none() {
            asked.intent = before.intent;
            asked.channel = before.channel;
        }
        if asked.terms.is_empty() && asked.order.is_some() {
            asked.terms = before.terms;
            asked.intent = before.intent;
        }
    } else if let Some(last) = last
        .filter(|_| asked.intent == Intent::Count && asked.terms.is_empty() && !asked.scenes && asked.channel.is_none())
    {
        // `how many?`
        asked.terms = understand(&last.question, video).terms;
    }
    let kept: Vec<Evidence>;
    let all = match &asked.without {
        Some(without) => {
            kept = all.iter().filter(|e| !is_left_out(e, without)).cloned().collect();
            &kept
        }
        None => all,
    };
    let desk = Desk { all, material, video, question };
    let mut draft = desk.answer(&asked, last)?;
    draft.channel = asked.channel;
    draft.about = about(&asked);
    Ok(draft)
}

/// Whether a question does not ask for `piece`.
fn is_left_out(piece: &Evidence, without: &Without) -> bool {
    let named = !without.terms.is_empty() || without.speaker.is_some();
    let by_sense = without.channel.is_some_and(|c| !named && c.kinds().contains(&piece.kind));
    let voices = without.speaker.as_deref().zip(piece.speaker.as_deref());
    let by_voice = voices.is_some_and(|(without, speaker)| speaker.eq_ignore_ascii_case(without));
    by_sense || by_voice || without.terms.iter().any(|t| lookup::bears_out(t, piece))
}

/// What a question is about, to say that nothing is known of it.
fn about(asked: &Asked) -> String {
    let anchor = asked.anchor.iter().flat_map(|a| &a.terms);
    let mut words: Vec<&str> = asked.terms.iter().chain(anchor).map(|t| t.text.as_str()).collect();
    words.extend(asked.unknown_speaker.as_deref());
    match (words.as_slice(), asked.channel) {
        ([], Some(Channel::Said)) => "anything that is said".to_owned(),
        ([], Some(Channel::Read)) => "text in the picture".to_owned(),
        ([], Some(Channel::Heard)) => "sounds".to_owned(),
        ([], Some(Channel::Seen)) => "things or people".to_owned(),
        ([], Some(Channel::Felt)) => "emotions".to_owned(),
        ([], None) => "that".to_owned(),
        (words, _) => format!("“{}”", words.join(" ").replace(['“', '”'], "\"")),
    }
}

impl<'a> Desk<'a> {
    fn answer(&self, asked: &Asked, last: Option<&Turn>) -> Result<Draft> {
        let from_lines = |lines: Vec<Line>| Draft { lines, ..Draft::default() };
        let mut within = asked.window.map(|w| w.span);
        if let Some(anchor) = &asked.anchor {
            let Some(span) = self.resolve(anchor, last) else { return Ok(Draft::default()) };
            let whole = self.whole();
            if asked.terms.is_empty() {
                let pieces = match anchor.side {
                    Side::During => self.during(span, asked),
                    side => self.beside(span, side, asked),
                };
                return Ok(from_lines(tell(&pieces, asked, true)));
            }
            within = Some(match anchor.side {
                Side::During => span,
                Side::After => Span::new(span.end - EXACT, whole.end),
                Side::Before => Span::new(whole.start, span.start + EXACT),
            });
        }
        match asked.intent {
            Intent::Summary => return Ok(from_lines(self.summary())),
            Intent::Language => return Ok(from_lines(self.language())),
            Intent::Highlights => {
                let best: Vec<&Evidence> = self.of(&[Kind::Highlight]).take(3).collect();
                return Ok(from_lines(tell(&best, asked, true)));
            }
            Intent::HowLong if asked.terms.is_empty() => return Ok(from_lines(self.length())),
            Intent::Count if asked.scenes => return Ok(from_lines(self.scenes())),
            Intent::Count if asked.channel == Some(Channel::Said) && asked.terms.iter().all(Term::is_person) => {
                return Ok(from_lines(self.speakers()));
            }
            Intent::Near => {
                let edges = near::pieces(self.material.timeline, self.material.graph);
                let found = lookup::find(&edges, &asked.terms, None).pieces;
                let found = near::about(&edges, found, &asked.terms);
                let found = within.map_or(found.clone(), |w| inside(found.iter().copied(), w));
                return Ok(from_lines(tell(&found, asked, false)));
            }
            _ => {}
        }
        if asked.terms.is_empty() {
            return Ok(from_lines(self.open(asked, within, last)));
        }
        self.find(asked, within)
    }

    /// Looks for the terms.
    fn find(&self, asked: &Asked, within: Option<Span>) -> Result<Draft> {
        let mut hits = Hits::default();
        for terms in if asked.either { asked.terms.chunks(1) } else { asked.terms.chunks(asked.terms.len().max(1)) } {
            let found = lookup::find(self.all, terms, asked.channel);
            hits.instead = found.instead && hits.pieces.is_empty();
            hits.pieces.extend(found.pieces);
        }
        if asked.intent == Intent::Why {
            let reasons = ["becaus", "sinc", "therefor", "reason"];
            hits.pieces.retain(|p| p.kind == Kind::Speech && reasons.iter().any(|r| p.has(r)));
        }
        if let Some(speaker) = &asked.speaker {
            hits.pieces.retain(|p| p.speaker.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(speaker)));
        }
        if hits.pieces.is_empty()
            && asked.intent != Intent::Why
            && asked.unknown_speaker.is_none()
            && asked.speaker.is_none()
        {
            hits = lookup::meant(self.all, self.question, asked.channel, self.material.retrieve)?;
        }
        let mut draft = Draft::default();
        let mut pieces = hits.pieces.clone();
        if let Some(window) = within {
            pieces = inside(pieces, window);
            if pieces.is_empty() && !hits.pieces.is_empty() {
                draft.note = Some("Not at that time, but elsewhere".to_owned());
                pieces.clone_from(&hits.pieces);
            }
        }
        draft.lines = self.worded(&pieces, asked, &hits);
        if let Some(unknown) = asked.unknown_speaker.as_ref().filter(|_| !draft.lines.is_empty()) {
            draft.note = Some(format!("The analysis knows voices, not who “{unknown}” is"));
        }
        Ok(draft)
    }

    fn worded(&self, pieces: &[&Evidence], asked: &Asked, hits: &Hits<'_>) -> Vec<Line> {
        let mut lines = match asked.intent {
            Intent::Count => counted(&things(pieces)),
            Intent::HowLong => lasting(&things(pieces)),
            _ => tell(&ordered(pieces.to_vec(), asked.order), asked, hits.meant),
        };
        if hits.instead && asked.channel == Some(Channel::Seen) {
            for line in &mut lines {
                line.text = format!("it is not seen, but {}", line.text);
            }
        }
        if hits.instead && asked.channel == Some(Channel::Said) {
            for line in &mut lines {
                line.text = format!("it is not said, but {}", line.text);
            }
        }
        lines
    }

    /// Answers a question that names nothing: what is said, what is written, who that was.
    fn open(&self, asked: &Asked, within: Option<Span>, last: Option<&Turn>) -> Vec<Line> {
        if asked.back && asked.channel.is_none() && within.is_none() && asked.order.is_none() {
            return last.map(|turn| self.again(turn, asked)).unwrap_or_default();
        }
        let kinds: &[Kind] = match (asked.channel, asked.intent) {
            (Some(Channel::Seen), _) => &[Kind::Object, Kind::Text, Kind::Event],
            (Some(channel), _) => channel.kinds(),
            (None, Intent::Describe | Intent::Who) => EVERYTHING,
            (None, _) if within.is_some() => EVERYTHING,
            (None, _) => return Vec::new(),
        };
        let kinds = if asked.channel == Some(Channel::Heard) { &[Kind::Sound, Kind::Silence][..] } else { kinds };
        let mut pieces: Vec<&Evidence> = self.of(kinds).collect();
        if let Some(speaker) = &asked.speaker {
            pieces.retain(|p| p.speaker.as_ref().is_some_and(|s| s.eq_ignore_ascii_case(speaker)));
        }
        if let Some(window) = within {
            pieces = self.during(window, asked);
            if asked.channel.is_some() {
                pieces.retain(|p| kinds.contains(&p.kind));
            }
            return tell(&pieces, asked, true);
        }
        pieces.retain(|p| p.kind != Kind::Silence);
        if asked.intent == Intent::Count {
            return counted(&pieces);
        }
        let mut pieces = ordered(pieces, asked.order);
        if asked.channel == Some(Channel::Said) {
            pieces.truncate(LISTED);
        }
        tell(&pieces, asked, false)
    }

    /// Tells once more what the last answer rested on: `when was that?`, `who was he?`
    fn again(&self, last: &Turn, asked: &Asked) -> Vec<Line> {
        let spans: Vec<Span> = last.reply.citations.iter().map(|c| c.span).collect();
        let mut pieces: Vec<&Evidence> = if asked.intent == Intent::Who {
            let there = self.all.iter().filter(|e| spans.iter().any(|s| e.span.intersect(*s).is_some()));
            there
                .filter(|e| matches!(e.kind, Kind::Speech | Kind::Emotion | Kind::Face) || e.label == "person")
                .collect()
        } else {
            let cited =
                |e: &&Evidence| last.reply.citations.iter().any(|c| c.span == e.span && c.kind == e.kind.as_str());
            self.all.iter().filter(cited).collect()
        };
        pieces.truncate(LISTED);
        tell(&pieces, asked, false)
    }

    /// Where the thing is that a question refers to.
    fn resolve(&self, anchor: &Anchor, last: Option<&Turn>) -> Option<Span> {
        if anchor.terms.is_empty() {
            let cited = &last?.reply.citations;
            let start = cited.iter().map(|c| c.span.start).min()?;
            let end = cited.iter().map(|c| c.span.end).max()?;
            return Some(Span::new(start, end));
        }
        let mut hits = lookup::find(self.all, &anchor.terms, anchor.channel).pieces;
        hits.sort_by_key(|p| (p.span.start, p.span.end));
        let first = *hits.first()?;
        let mut span = first.span;
        for piece in &hits {
            if piece.span.gap(span) <= CLUSTER && piece.kind == first.kind {
                span = Span::new(span.start, span.end.max(piece.span.end));
            }
        }
        if anchor.passage && first.kind == Kind::Speech {
            let speech: Vec<&Evidence> = self.of(&[Kind::Speech]).collect();
            let mut end = first;
            for next in speech.iter().filter(|s| s.span.start >= first.span.start) {
                if same_passage(end, next) {
                    end = next;
                }
            }
            span = Span::new(span.start, span.end.max(end.span.end));
        }
        Some(span)
    }

    /// What goes on in `window`, what lies most of all in it first.
    fn during(&self, window: Span, asked: &Asked) -> Vec<&'a Evidence> {
        let kinds = self.kinds_of(asked);
        let share = |e: &Evidence| {
            let common = e.span.intersect(window).map_or(0.0, |c| c.duration().as_secs_f64());
            let length = e.span.duration().as_secs_f64().max(window.duration().as_secs_f64());
            common / length.max(0.001)
        };
        let mut pieces = inside(self.of(kinds), window);
        // A neighbour that reaches in by a hair is not what goes on.
        let least = EXACT.as_secs_f64().min(window.duration().as_secs_f64() / 2.0);
        pieces.retain(|e| {
            e.span.duration() <= EXACT || e.span.intersect(window).is_some_and(|c| c.duration().as_secs_f64() >= least)
        });
        pieces.sort_by(|a, b| share(b).total_cmp(&share(a)).then(a.span.cmp(&b.span)));
        pieces.truncate(4 * LISTED);
        if pieces.is_empty() { inside(self.of(&[Kind::Scene]), window) } else { pieces }
    }

    /// What comes before or after `span`, the nearest first.
    fn beside(&self, span: Span, side: Side, asked: &Asked) -> Vec<&'a Evidence> {
        let kinds = self.kinds_of(asked);
        let span = match side {
            Side::After => Span::new(span.start, (span.end - EXACT).max(span.start)),
            _ => Span::new((span.start + EXACT).min(span.end), span.end),
        };
        let mut pieces: Vec<&Evidence> = self
            .of(kinds)
            .filter(|e| {
                let relation = Relation::between(e.span, span);
                match side {
                    Side::After => matches!(relation, Relation::After | Relation::MetBy),
                    _ => matches!(relation, Relation::Before | Relation::Meets),
                }
            })
            .collect();
        let far = |e: &Evidence| e.span.gap(span);
        // What happens outweighs what is merely there.
        pieces.sort_by_key(|e| (far(e), e.kind == Kind::Object, e.span));
        let nearest = pieces.first().map(|e| far(e)).unwrap_or_default();
        pieces.retain(|e| far(e) <= nearest.saturating_add(SOON));
        pieces.truncate(3);
        pieces
    }

    fn kinds_of(&self, asked: &Asked) -> &'static [Kind] {
        match asked.channel {
            Some(Channel::Heard) => &[Kind::Sound, Kind::Speech],
            Some(channel) => channel.kinds(),
            None => EVERYTHING,
        }
    }

    fn of(&self, kinds: &[Kind]) -> impl Iterator<Item = &'a Evidence> {
        let kinds = kinds.to_vec();
        self.all.iter().filter(move |e| kinds.contains(&e.kind))
    }

    fn whole(&self) -> Span {
        Span::new(self.video.start_s, self.video.start_s + self.video.duration_s)
    }

    fn length(&self) -> Vec<Line> {
        let seconds = self.video.duration_s.as_secs_f64();
        let text = format!("it lasts {seconds:.1} s ({})", clock(self.whole().end, self.video));
        let piece = Evidence::new(Kind::Video, self.whole(), "the whole video");
        Line::new(text, vec![Citation::of(&piece)]).into_iter().collect()
    }

    fn scenes(&self) -> Vec<Line> {
        let scenes: Vec<&Evidence> = self.of(&[Kind::Scene]).collect();
        let text = format!("there {} {}", if scenes.len() == 1 { "is" } else { "are" }, count(scenes.len(), "scene"));
        Line::new(text, scenes.into_iter().map(Citation::of).collect()).into_iter().collect()
    }

    fn language(&self) -> Vec<Line> {
        let mut by: BTreeMap<&str, Vec<Citation>> = BTreeMap::new();
        for event in &self.material.timeline.audio_events {
            if let Some(language) = &event.language {
                let piece = Evidence::new(Kind::Speech, event.span, event.text.as_deref().unwrap_or_default());
                by.entry(language).or_default().push(Citation::of(&piece));
            }
        }
        by.into_iter().filter_map(|(tag, cites)| Line::new(format!("the language spoken is `{tag}`"), cites)).collect()
    }

    /// Who speaks, each with the first thing they say.
    fn speakers(&self) -> Vec<Line> {
        let mut by: BTreeMap<&str, Citation> = BTreeMap::new();
        for piece in self.of(&[Kind::Speech]) {
            if let Some(speaker) = &piece.speaker {
                by.entry(speaker).or_insert_with(|| Citation::of(piece));
            }
        }
        let text = match by.len() {
            1 => "1 voice speaks".to_owned(),
            n => format!("{n} voices speak: {}", by.keys().copied().collect::<Vec<_>>().join(", ")),
        };
        Line::new(text, by.into_values().collect()).into_iter().collect()
    }

    /// The video in a few statements, over what was seen and heard.
    fn summary(&self) -> Vec<Line> {
        let timeline = self.material.timeline;
        let mut lines = Vec::new();
        if timeline.summary.backend != "template" && !timeline.summary.text.is_empty() {
            let piece = Evidence::new(Kind::Video, self.whole(), timeline.summary.text.as_str());
            let text = piece.text.trim_end_matches('.').to_owned();
            lines.extend(Line::new(text, vec![Citation::of(&piece)]));
        } else {
            lines.extend(self.length());
        }
        let mut things: BTreeMap<&str, Vec<&Evidence>> = BTreeMap::new();
        for piece in self.of(&[Kind::Object]) {
            things.entry(&piece.label).or_default().push(piece);
        }
        let mut things: Vec<_> = things.into_iter().collect();
        things.sort_by_key(|(label, pieces)| (std::cmp::Reverse(pieces.len()), *label));
        if !things.is_empty() {
            let named: Vec<String> = things.iter().take(4).map(|(label, pieces)| count(pieces.len(), label)).collect();
            let cites = things.iter().take(4).filter_map(|(_, p)| p.first().map(|p| Citation::of(p))).collect();
            lines.extend(Line::new(format!("seen: {}", named.join(", ")), cites));
        }
        let plain = understand("", self.video);
        for kind in [Kind::Speech, Kind::Text, Kind::Sound, Kind::Emotion] {
            let first: Vec<&Evidence> = self.of(&[kind]).take(2).collect();
            lines.extend(tell(&first, &plain, false));
        }
        lines
    }
}

/// What a question about a time means when it names no sense.
const EVERYTHING: &[Kind] =
    &[Kind::Speech, Kind::Sound, Kind::Text, Kind::Object, Kind::Emotion, Kind::Event, Kind::Description];

/// What is there, without what is only said of it, where there is any such thing.
fn things<'e>(pieces: &[&'e Evidence]) -> Vec<&'e Evidence> {
    let of =
        |kinds: &[Kind]| -> Vec<&'e Evidence> { pieces.iter().copied().filter(|p| kinds.contains(&p.kind)).collect() };
    let choices = [of(&[Kind::Object, Kind::Sound]), of(&[Kind::Face]), of(&[Kind::Emotion])];
    choices.into_iter().find(|c| !c.is_empty()).unwrap_or_else(|| pieces.to_vec())
}

/// How many there are of each class.
fn counted(pieces: &[&Evidence]) -> Vec<Line> {
    let mut by: BTreeMap<(Kind, &str), Vec<&Evidence>> = BTreeMap::new();
    for piece in pieces {
        let label =
            if matches!(piece.kind, Kind::Speech | Kind::Text | Kind::Description) { "" } else { piece.label.as_str() };
        by.entry((piece.kind, label)).or_default().push(piece);
    }
    let line = |((kind, label), group): ((Kind, &str), Vec<&Evidence>)| {
        let n = group.len();
        let cites = |pieces: &[&Evidence]| pieces.iter().map(|p| Citation::of(p)).collect::<Vec<_>>();
        let (text, cites) = match kind {
            Kind::Object => {
                let (most, there) = at_once(&group);
                let mut ids: Vec<&str> = group.iter().map(|p| p.id.as_str()).collect();
                ids.sort_unstable();
                ids.dedup();
                let all =
                    if ids.len() > most { format!(", {} over the whole video", ids.len()) } else { String::new() };
                let verb = if most == 1 { "is" } else { "are" };
                (format!("{} {verb} seen at once{all}", count(most, label)), cites(&there))
            }
            Kind::Face => {
                let verb = if n == 1 { "is" } else { "are" };
                (format!("{} {verb} seen", count(n, "face")), cites(&group))
            }
            Kind::Sound => (format!("“{label}” is heard {}", count(n, "time")), cites(&group)),
            Kind::Speech => (format!("it is said {}", count(n, "time")), cites(&group)),
            Kind::Text => (format!("it is written {}", count(n, "time")), cites(&group)),
            Kind::Emotion => (format!("a face looks {} {}", looks(label), count(n, "time")), cites(&group)),
            _ => (format!("it happens {}", count(n, "time")), cites(&group)),
        };
        Line::new(text, cites)
    };
    by.into_iter().filter_map(line).collect()
}

/// For how long each thing is there.
fn lasting(pieces: &[&Evidence]) -> Vec<Line> {
    let mut by: BTreeMap<(Kind, &str), Vec<&Evidence>> = BTreeMap::new();
    for piece in pieces {
        by.entry((piece.kind, piece.label.as_str())).or_default().push(piece);
    }
    let line = |((kind, label), group): ((Kind, &str), Vec<&Evidence>)| {
        let spans = union(&group);
        let seconds: f64 = spans.iter().map(|s| s.duration().as_secs_f64()).sum();
        let what = match kind {
            Kind::Object => format!("{} is seen", article(label)),
            Kind::Sound => format!("“{label}” is heard"),
            Kind::Emotion => format!("a face looks {}", looks(label)),
            Kind::Face => "a face is seen".to_owned(),
            Kind::Speech => "it is spoken of".to_owned(),
            _ => "it is there".to_owned(),
        };
        let cites = group.first().map(|first| spans.iter().map(|s| Citation::over(*s, first)).collect());
        Line::new(format!("{what} for {seconds:.1} s"), cites.unwrap_or_default())
    };
    by.into_iter().filter_map(line).collect()
}
