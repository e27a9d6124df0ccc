//! What a question asks, found by its words: no model is needed, and what cannot be found stays a word that the
//! evidence must hold.

use tempograph_core::timeline::Video;
use tempograph_models::sounds::Class;

use super::{
    concepts::{self, Concept, LONGEST},
    cues::{self, Cue},
    evidence::Kind,
    times::{self, Window},
    words::{self, Word, is_stop},
};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// What there is, and when.
    Find,
    /// How many there are.
    Count,
    /// Who it is.
    Who,
    /// How long it lasts.
    HowLong,
    /// Why something is so.
    Why,
    /// The video in a few words.
    Summary,
    /// What goes on at a time.
    Describe,
    /// Who is near whom.
    Near,
    /// What is worth watching.
    Highlights,
    /// What language is spoken.
    Language,
}

/// By which sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// What is said.
    Said,
    /// What is written in the picture.
    Read,
    /// What is heard.
    Heard,
    /// What is seen.
    Seen,
    /// What faces show.
    Felt,
}

impl Channel {
    /// What counts as evidence of it.
    pub(super) fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Said => &[Kind::Speech],
            Self::Read => &[Kind::Text],
            Self::Heard => &[Kind::Sound, Kind::Speech, Kind::Silence],
            Self::Seen => {
                &[Kind::Object, Kind::Face, Kind::Emotion, Kind::Event, Kind::Near, Kind::Text, Kind::Description]
            }
            Self::Felt => &[Kind::Emotion],
        }
    }

    /// What may answer instead, when it says so.
    pub(super) fn instead(self) -> &'static [Kind] {
        match self {
            Self::Said => &[Kind::Text],
            Self::Seen => &[Kind::Sound],
            Self::Read | Self::Heard | Self::Felt => &[],
        }
    }
}

/// Which of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The earliest.
    First,
    /// The latest.
    Last,
}

/// On which side of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What comes before it.
    Before,
    /// What comes after it.
    After,
    /// What goes on while it does.
    During,
}

/// Something that must be found.
#[derive(Clone, Debug)]
pub(super) struct Term {
    /// As it was asked.
    pub(super) text: String,
    /// Its words.
    pub(super) stems: Vec<String>,
    /// What it may stand for.
    pub(super) concept: Option<&'static Concept>,
    /// The class of sounds of this name.
    pub(super) class: Option<Class>,
    /// What it must look like.
    pub(super) form: Option<Form>,
}

impl Term {
    /// Whether it is people in general.
    pub(super) fn is_person(&self) -> bool {
        self.concept.is_some_and(|c| c.seen == ["person"])
    }
}

/// What something looks like when it is written or said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It has digits.
    Number,
    /// It is the address of a page or a mailbox.
    Address,
}

/// Something else that a question refers to in time.
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    /// Where the answer lies.
    pub(super) side: Side,
    /// What is referred to; nothing means the answer before.
    pub(super) terms: Vec<Term>,
    /// By which sense it is found.
    pub(super) channel: Option<Channel>,
    /// Whether a whole passage is meant (`the part about …`).
    pub(super) passage: bool,
}

/// A question, understood.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) intent: Intent,
    pub(super) channel: Option<Channel>,
    pub(super) terms: Vec<Term>,
    pub(super) window: Option<Window>,
    pub(super) anchor: Option<Anchor>,
    pub(super) order: Option<Order>,
    /// `Speaker 2`, when one is named.
    pub(super) speaker: Option<String>,
    /// Whether where in the picture is asked.
    pub(super) place: bool,
    /// Whether it points back: `he`, `that`, `and then`.
    pub(super) back: bool,
    /// Who shall have said it, when that is nobody the analysis knows.
    pub(super) unknown_speaker: Option<String>,
    /// Whether one of the terms will do: `a cat or a dog`.
    pub(super) either: bool,
    /// Whether scenes are asked for.
    pub(super) scenes: bool,
    /// Whether it goes on from the question before: `and the dog?`
    pub(super) goes_on: bool,
    /// What is not asked for: `what is heard besides speech`.
    pub(super) without: Option<Without>,
}

/// What an answer leaves out.
#[derive(Clone, Debug)]
pub(super) struct Without {
    /// What is known by this sense.
    pub(super) channel: Option<Channel>,
    /// Any of these.
    pub(super) terms: Vec<Term>,
    /// What this speaker says.
    pub(super) speaker: Option<String>,
}

/// What `question` asks about `video`.
pub(super) fn understand(question: &str, video: &Video) -> Asked {
    let cut = question.char_indices().nth(words::MAX_QUESTION).map_or(question, |(end, _)| &question[..end]);
    let (window, rest) = times::window(cut, video);
    let (all, without) = leave_out(words::words(&rest));
    let (head, tail) = split(&all);
    let anchor = tail.map(|(side, words)| {
        let part = Part::read(words);
        Anchor { side, passage: part.passage, channel: part.channel, terms: part.terms }
    });
    let part = Part::read(head);
    let intent = part.intent(anchor.as_ref(), window.as_ref());
    let mut terms = part.terms;
    let mut unknown_speaker = None;
    if part.channel == Some(Channel::Said)
        && let Some(subject) = part.subject
        && terms.first().is_some_and(|t| t.text == subject)
        && (terms.len() > 1 || part.about)
    {
        unknown_speaker = Some(subject);
        if terms.len() > 1 {
            terms.remove(0);
        }
    }
    drop_people(&mut terms, part.channel, intent);
    Asked {
        back: part.back || terms.is_empty() && anchor.as_ref().is_some_and(|a| a.terms.is_empty()),
        intent,
        channel: part.channel,
        terms,
        window,
        anchor,
        order: part.order,
        speaker: part.speaker,
        place: part.place,
        unknown_speaker,
        either: head.iter().any(|w| w.text == "or"),
        scenes: part.scenes,
        goes_on: goes_on(&all),
        without,
    }
}

/// Takes what is not asked for out of a question: `what is heard | besides speech`, `besides cars | what is there`.
fn leave_out(mut words: Vec<Word>) -> (Vec<Word>, Option<Without>) {
    let begins = |at: usize| -> Option<usize> {
        let text = |i: usize| words.get(i).map(|w| w.text.as_str()).unwrap_or_default();
        match (text(at), text(at + 1)) {
            ("besides" | "except" | "excluding", "for") | ("other", "than") | ("apart" | "aside", "from") => Some(2),
            ("besides" | "except" | "excluding", _) => Some(1),
            _ => None,
        }
    };
    let Some((at, used)) = (0..words.len()).find_map(|i| Some((i, begins(i)?))) else { return (words, None) };
    let from = at + used;
    let to = if at == 0 {
        // Up to where the question begins.
        let asks =
            |w: &Word| matches!(w.text.as_str(), "what" | "who" | "which" | "when" | "where" | "how" | "is" | "are");
        words[from..].iter().position(asks).map_or(words.len(), |n| from + n)
    } else {
        words.len()
    };
    let part = Part::read(&words[from..to]);
    words.drain(at..to);
    let empty = part.channel.is_none() && part.terms.is_empty() && part.speaker.is_none();
    (words, (!empty).then_some(Without { channel: part.channel, terms: part.terms, speaker: part.speaker }))
}

/// Whether a question only makes sense after another.
fn goes_on(words: &[Word]) -> bool {
    let text = |i: usize| words.get(i).map(|w| w.text.as_str()).unwrap_or_default();
    matches!(text(0), "and" | "then" | "also" | "but") || matches!((text(0), text(1)), ("what" | "how", "about"))
}

/// Somebody who smiles or speaks is a person anyway: people in general are asked for only when nothing else is.
fn drop_people(terms: &mut Vec<Term>, channel: Option<Channel>, intent: Intent) {
    if matches!(intent, Intent::Near) {
        return;
    }
    let others = terms.iter().any(|t| !t.is_person());
    if others || matches!(channel, Some(Channel::Said | Channel::Felt)) && intent != Intent::Count {
        terms.retain(|t| !t.is_person());
    }
}

/// Splits at what refers to another time: `what happens | after | the alarm`.
fn split(words: &[Word]) -> (&[Word], Option<(Side, &[Word])>) {
    for (i, word) in words.iter().enumerate() {
        let side = match word.text.as_str() {
            "after" | "following" | "since" => Side::After,
            "before" | "until" | "till" | "preceding" => Side::Before,
            "while" | "during" | "whilst" => Side::During,
            "when" | "as" if i > 0 => {
                // `Hello world: when can one read that?` asks, `what does he say when the dog barks` refers.
                let next = words.get(i + 1).map(|w| w.text.as_str()).unwrap_or_default();
                if cues::AUXILIARIES.contains(&next) || next.is_empty() || word.text == "as" && next != "the" {
                    continue;
                }
                Side::During
            }
            "then" | "next" | "afterwards" | "later" => {
                // `and then?`, `what happens next?`
                let others = words.iter().enumerate().any(|(n, w)| n != i && !is_stop(&w.text));
                if others || words.get(i + 1).is_some() {
                    continue;
                }
                return (&words[..i], Some((Side::After, &[])));
            }
            _ => continue,
        };
        return (&words[..i], Some((side, &words[i + 1..])));
    }
    (words, None)
}

/// One side of a question, read word by word.
struct Part {
    terms: Vec<Term>,
    channel: Option<Channel>,
    order: Option<Order>,
    speaker: Option<String>,
    wants: Option<Intent>,
    subject: Option<String>,
    place: bool,
    passage: bool,
    back: bool,
    about: bool,
    scenes: bool,
}

impl Part {
    fn read(words: &[Word]) -> Self {
        let mut part = Self {
            terms: Vec::new(),
            channel: None,
            order: None,
            speaker: None,
            wants: None,
            subject: None,
            place: words.first().is_some_and(|w| w.text == "where"),
            passage: false,
            back: false,
            about: words.iter().any(|w| matches!(w.text.as_str(), "about" | "regarding" | "concerning")),
            scenes: false,
        };
        let mut motions: Vec<(usize, Term)> = Vec::new();
        let mut i = 0;
        let mut spoken_at = None;
        while i < words.len() {
            if let Some((cue, used)) = cues::cue(&words[i..], i == 0) {
                part.take(cue, &words[i..i + used], &mut motions);
                if matches!(cue, Cue::By(Channel::Said)) && spoken_at.is_none() {
                    spoken_at = Some(part.terms.len());
                }
                i += used;
                continue;
            }
            let (term, used) = term(&words[i..]);
            if used > 1 || !is_stop(&words[i].text) {
                part.terms.push(term);
            }
            i += used;
        }
        // `what does the driver say about …`: the driver says it.
        if spoken_at == Some(1) && words.iter().take(3).any(|w| cues::AUXILIARIES.contains(&w.text.as_str())) {
            part.subject =
                part.terms.first().filter(|t| t.concept.is_none_or(|c| c.seen.is_empty())).map(|t| t.text.clone());
        }
        if part.channel == Some(Channel::Read) {
            // What is written may well be `coming`.
            for (at, word) in motions.into_iter().rev() {
                part.terms.insert(at, word);
            }
        }
        part
    }

    fn take(&mut self, cue: Cue, words: &[Word], motions: &mut Vec<(usize, Term)>) {
        match cue {
            Cue::By(channel) => {
                if self.channel.is_none_or(|c| rank(channel) > rank(c)) {
                    self.channel = Some(channel);
                }
            }
            Cue::First => self.order = self.order.or(Some(Order::First)),
            Cue::Last => self.order = self.order.or(Some(Order::Last)),
            // `who is near the dog` asks for nearness.
            Cue::Want(Intent::Near) => self.wants = Some(Intent::Near),
            Cue::Want(intent) => self.wants = self.wants.or(Some(intent)),
            Cue::Back => self.back = true,
            Cue::Passage => self.passage = true,
            Cue::Scenes => self.scenes = true,
            Cue::Motion => {
                let (term, _) = term(words);
                motions.push((self.terms.len(), term));
            }
            Cue::Gone => self.order = Some(Order::Last),
            Cue::Form(form) => self.terms.push(Term {
                text: words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" "),
                stems: words.iter().map(|w| w.stem.clone()).collect(),
                concept: None,
                class: None,
                form: Some(form),
            }),
            Cue::Speaker => self.speaker = words.last().map(|w| format!("Speaker {}", w.text)),
            Cue::Nothing => {}
        }
    }

    fn intent(&self, anchor: Option<&Anchor>, window: Option<&Window>) -> Intent {
        let bare = self.terms.is_empty() && anchor.is_none() && window.is_none();
        match self.wants {
            Some(Intent::Describe) if self.terms.is_empty() && (anchor.is_some() || window.is_some()) => {
                Intent::Describe
            }
            Some(Intent::Describe) if bare && self.channel.is_none() && !self.back => Intent::Summary,
            Some(Intent::Describe) => Intent::Find,
            Some(Intent::Summary) if !self.terms.is_empty() || anchor.is_some() || window.is_some() => {
                if self.terms.is_empty() { Intent::Describe } else { Intent::Find }
            }
            Some(intent) => intent,
            None if bare && self.about && self.channel.is_none() && self.order.is_none() => Intent::Summary,
            None if self.terms.is_empty() && (anchor.is_some() || window.is_some()) => Intent::Describe,
            None => Intent::Find,
        }
    }
}

/// Which sense a question means when it names several: `mentioned on screen` is read.
fn rank(channel: Channel) -> u8 {
    match channel {
        Channel::Read => 4,
        Channel::Said => 3,
        Channel::Felt => 2,
        Channel::Heard => 1,
        Channel::Seen => 0,
    }
}

/// The term that `words` begin with, the longest name that means something, and how many words it takes.
fn term(words: &[Word]) -> (Term, usize) {
    for used in (1..=LONGEST.min(words.len())).rev() {
        let stems: Vec<String> = words[..used].iter().map(|w| w.stem.clone()).collect();
        let joined = stems.join(" ");
        let concept = concepts::concept(&joined);
        let class = concepts::class(&joined);
        if used == 1 || concept.is_some() || class.is_some() {
            let text = words[..used].iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ");
            return (Term { text, stems, concept, class, form: None }, used);
        }
    }
    (Term { text: String::new(), stems: Vec::new(), concept: None, class: None, form: None }, 1)
}
