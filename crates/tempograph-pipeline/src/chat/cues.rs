//! Words that say how a question is meant, and name nothing themselves.

use super::{
    understand::{Channel, Form, Intent},
    words::{self, Word},
};

/// How words are to be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cue {
    /// It is a matter of this sense.
    By(Channel),
    /// The earliest is meant.
    First,
    /// The latest is meant.
    Last,
    /// Its disappearing is meant.
    Gone,
    /// This is wanted.
    Want(Intent),
    /// It points back.
    Back,
    /// A whole passage is meant.
    Passage,
    /// Scenes are counted.
    Scenes,
    /// Somebody moves, which any seeing shows.
    Motion,
    /// It must look like this.
    Form(Form),
    /// A speaker by number.
    Speaker,
    /// Nothing.
    Nothing,
}

/// Verbs that a question begins with.
pub(super) const AUXILIARIES: &[&str] = &[
    "am", "are", "can", "could", "did", "do", "does", "had", "has", "have", "is", "may", "might", "should", "was",
    "were", "will", "would",
];

/// Words of the longest cue.
const LONGEST: usize = 4;

/// Cues by their words, in stems.
const CUES: &[(Cue, &[&str])] = &[
    (
        Cue::Want(Intent::Count),
        &["how many", "how often", "how many time", "number of time", "the number of", "count", "how many different"],
    ),
    (Cue::Want(Intent::HowLong), &["how long", "duration", "how much time", "length of", "for how long"]),
    (Cue::Want(Intent::Why), &["why", "for what reason", "how come"]),
    (
        Cue::Want(Intent::Summary),
        &[
            "summary",
            "summariz",
            "summaris",
            "sum up",
            "describ",
            "overview",
            "gist",
            "recap",
            "tldr",
            "what is it about",
            "tell me about",
        ],
    ),
    (
        Cue::Want(Intent::Describe),
        &["what happen", "what is happen", "what go on", "what is go on", "happen", "go on", "occur", "what come"],
    ),
    (
        Cue::Want(Intent::Near),
        &["near", "next to", "besid", "clos to", "alongsid", "nearby", "close to", "clos", "around whom", "near to"],
    ),
    (Cue::Want(Intent::Highlights), &["highlight", "best moment", "most interest", "best part", "worth watch"]),
    (Cue::Want(Intent::Language), &["language", "languag", "what languag"]),
    (Cue::Want(Intent::Who), &["who", "whos", "which speaker", "which person", "whose"]),
    (
        Cue::By(Channel::Read),
        &[
            "read",
            "text",
            "caption",
            "sign",
            "titl",
            "subtitl",
            "writ",
            "written",
            "on screen",
            "on the screen",
            "onscreen",
            "card",
            "banner",
            "headlin",
            "label",
            "poster",
            "inscription",
            "title card",
            "written down",
        ],
    ),
    (
        Cue::By(Channel::Said),
        &[
            "say",
            "tell",
            "talk",
            "speak",
            "mention",
            "discus",
            "discuss",
            "announc",
            "claim",
            "address",
            "utter",
            "quot",
            "speech",
            "narrat",
            "narrator",
            "dialogu",
            "conversation",
            "spoken",
            "speaker",
            "voic",
            "word",
            "topic",
            "transcript",
            "talk about",
            "speak about",
            "refer to",
            "sentence",
            "sentenc",
        ],
    ),
    (
        Cue::By(Channel::Heard),
        &["hear", "sound", "nois", "audibl", "ring", "go off", "listen", "play", "loud", "audio"],
    ),
    (Cue::By(Channel::Felt), &["emotion", "feel", "mood", "expression", "facial expression", "seem", "look"]),
    (
        Cue::By(Channel::Seen),
        &[
            "see",
            "show",
            "visibl",
            "appear",
            "display",
            "pictured",
            "pictur",
            "on camera",
            "in view",
            "view",
            "watch out",
            "look at",
            "show up",
            "visible",
            "in the picture",
            "on film",
            "depict",
            "object",
            "seen",
            "come into view",
        ],
    ),
    (Cue::First, &["first", "earliest", "first tim", "for the first tim", "initially", "start", "begin"]),
    (Cue::Last, &["last", "latest", "last tim", "for the last tim", "final", "finally"]),
    (Cue::Gone, &["leav", "disappear", "vanish", "exit", "go away", "stop"]),
    (Cue::Passage, &["part", "bit", "section", "passage", "passag", "segment", "topic of", "piec"]),
    (Cue::Scenes, &["scen", "shot", "cut"]),
    (
        Cue::Form(Form::Address),
        &[
            "web address",
            "websit",
            "url",
            "link",
            "web site",
            "internet address",
            "web pag",
            "email",
            "homepage",
            "homepag",
        ],
    ),
    (Cue::Form(Form::Number), &["number", "digit", "figur"]),
    (
        Cue::Nothing,
        &[
            "video",
            "clip",
            "film",
            "movi",
            "recording",
            "record",
            "footage",
            "footag",
            "moment",
            "tim",
            "thing",
            "someth",
            "anyth",
            "something",
            "anything",
            "somebody",
            "someone",
            "someon",
            "anybody",
            "anyone",
            "anyon",
            "everybody",
            "everyon",
            "everyone",
            "nobody",
            "everything",
            "point",
            "plac",
            "instanc",
            "somewher",
            "anywher",
            "second",
            "minut",
            "whol",
            "entir",
            "exact",
            "tell me",
            "show me",
            "find",
            "find me",
            "let me know",
            "i want to know",
            "do you know",
            "can you tell me",
            "main",
            "what time",
            "what kind of",
            "which kind of",
            "sort",
            "typ",
            "what does the",
            "at what point",
            "at which tim",
            "whenever",
            "be",
            "end",
            "that say",
            "camera",
            "use",
            "quick",
            "briefly",
        ],
    ),
    (Cue::Back, &["what els", "and what els", "more", "go on then"]),
];

/// Verbs of moving and being somewhere: whoever is seen does one of them.
const MOTIONS: &[&str] = &[
    "arriv", "carry", "com", "driv", "enter", "exist", "go", "hold", "mov", "pass", "rid", "run", "sit", "stand",
    "stroll", "turn", "walk", "wear",
];

/// Whether the stem is a verb of moving.
pub(super) fn is_motion(stem: &str) -> bool {
    MOTIONS.contains(&stem)
}

/// The cue that `words` begin with, the longest, and how many of them it takes. `opening`: nothing comes before them.
pub(super) fn cue(words: &[Word], opening: bool) -> Option<(Cue, usize)> {
    if let [speaker, number, ..] = words
        && speaker.stem == "speaker"
        && number.text.bytes().all(|b| b.is_ascii_digit())
    {
        return Some((Cue::Speaker, 2));
    }
    for used in (1..=LONGEST.min(words.len())).rev() {
        let joined = words[..used].iter().map(|w| w.stem.as_str()).collect::<Vec<_>>().join(" ");
        if used == 1 {
            match joined.as_str() {
                stem if is_motion(stem) => return Some((Cue::Motion, 1)),
                "and" if opening => return Some((Cue::Back, 1)),
                "he" | "she" | "they" | "him" | "that" | "this" | "it" | "those" | "them" | "these" | "then" => {
                    return Some((Cue::Back, 1));
                }
                _ => {}
            }
        }
        let found = CUES.iter().find(|(_, phrases)| {
            phrases.iter().any(|p| *p == joined || p.split(' ').count() == used && stems(p) == joined)
        });
        if let Some((cue, _)) = found {
            return Some((*cue, used));
        }
    }
    None
}

fn stems(phrase: &str) -> String {
    words::words_of(phrase, LONGEST).into_iter().map(|w| w.stem).collect::<Vec<_>>().join(" ")
}
