//! What words may stand for in an analysis: classes that are seen, sounds, faces, events.
//!
//! A row joins names that people use with the names the analysis uses. What a row does not hold still matches by its
//! own words: `cat` needs no row to be the class `cat` or the sound `Cat`.

use std::{collections::HashMap, sync::LazyLock};

use tempograph_models::sounds::Class;

use super::words;

/// A thing people ask for.
#[derive(Debug)]
pub(super) struct Concept {
    /// What people call it, separated by `|`, each a word or several.
    names: &'static str,
    /// Classes of detectors.
    pub(super) seen: &'static [&'static str],
    /// AudioSet's classes; what they contain is meant too.
    pub(super) heard: &'static [&'static str],
    /// Labels of faces.
    pub(super) feels: &'static [&'static str],
    /// Kinds of visual events.
    pub(super) does: &'static [&'static str],
}

const NONE: Concept = Concept { names: "", seen: &[], heard: &[], feels: &[], does: &[] };

const ANIMALS: &[&str] =
    &["bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal"];
const VEHICLES: &[&str] =
    &["bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "vehicle", "van"];

/// The rows. A name belongs to one row.
static CONCEPTS: &[Concept] = &[
    Concept {
        names: "person|persons|man|woman|guy|lady|gentleman|pedestrian|human|people|boy|girl|passer-by|passerby|crowd",
        seen: &["person"],
        ..NONE
    },
    Concept { names: "face", seen: &["face"], ..NONE },
    Concept { names: "dog|puppy|doggy|doggie|hound|pup|canine", seen: &["dog"], heard: &["Dog"], ..NONE },
    Concept { names: "bark|woof", heard: &["Bark"], ..NONE },
    Concept { names: "cat|kitty|kitten|feline|pussycat", seen: &["cat"], heard: &["Cat"], ..NONE },
    Concept { names: "bird", seen: &["bird"], heard: &["Bird"], ..NONE },
    Concept { names: "cow|bull|cattle|ox|calf", seen: &["cow"], heard: &["Cattle, bovinae"], ..NONE },
    Concept { names: "horse|pony|stallion|mare", seen: &["horse"], heard: &["Horse"], ..NONE },
    Concept { names: "sheep|lamb", seen: &["sheep"], heard: &["Sheep"], ..NONE },
    Concept { names: "rooster|cock|chicken|hen", heard: &["Chicken, rooster"], ..NONE },
    Concept { names: "animal|creature|pet|beast", seen: ANIMALS, heard: &["Animal"], ..NONE },
    Concept { names: "car|automobile|taxi|cab|sedan|auto", seen: &["car"], heard: &["Car"], ..NONE },
    Concept { names: "vehicle|traffic", seen: VEHICLES, heard: &["Vehicle"], ..NONE },
    Concept { names: "truck|lorry|van|pickup", seen: &["truck"], heard: &["Truck"], ..NONE },
    Concept { names: "bicycle|bike|cycle|pushbike", seen: &["bicycle"], heard: &["Bicycle"], ..NONE },
    Concept { names: "cyclist|biker", seen: &["bicycle"], ..NONE },
    Concept { names: "motorcycle|motorbike|scooter|moped", seen: &["motorcycle"], heard: &["Motorcycle"], ..NONE },
    Concept { names: "airplane|plane|aeroplane|aircraft|jet", seen: &["airplane"], heard: &["Aircraft"], ..NONE },
    Concept { names: "train|railway|locomotive", seen: &["train"], heard: &["Rail transport"], ..NONE },
    Concept { names: "boat|ship|vessel", seen: &["boat"], heard: &["Boat, Water vehicle"], ..NONE },
    Concept { names: "couch|sofa|settee", seen: &["couch"], ..NONE },
    Concept { names: "tv|television|screen|monitor", seen: &["tv"], ..NONE },
    Concept {
        names: "phone|cellphone|mobile|smartphone|cell phone",
        seen: &["cell phone"],
        heard: &["Telephone"],
        ..NONE
    },
    Concept { names: "laptop|computer|notebook", seen: &["laptop"], ..NONE },
    Concept { names: "cup|mug|coffee", seen: &["cup"], ..NONE },
    Concept { names: "table|desk", seen: &["dining table"], ..NONE },
    Concept { names: "plant|flowerpot", seen: &["potted plant"], ..NONE },
    Concept { names: "ball|football|basketball", seen: &["sports ball"], ..NONE },
    Concept { names: "bag|purse|handbag", seen: &["handbag", "backpack", "suitcase"], ..NONE },
    Concept { names: "necktie|tie", seen: &["tie"], ..NONE },
    Concept { names: "furniture", seen: &["chair", "couch", "bed", "dining table", "bench"], ..NONE },
    Concept {
        names: "food|meal",
        seen: &["banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"],
        ..NONE
    },
    Concept { names: "music|melody|tune|song|soundtrack", heard: &["Music"], ..NONE },
    Concept { names: "sing|singer|singing", heard: &["Singing"], ..NONE },
    Concept { names: "alarm|siren", heard: &["Alarm"], ..NONE },
    Concept { names: "beep|bleep|tone|beeping", heard: &["Beep, bleep", "Sine wave"], ..NONE },
    Concept { names: "gunshot|shot fired|gunfire|shooting", heard: &["Gunshot, gunfire"], ..NONE },
    Concept { names: "explosion|blast|explode", heard: &["Explosion"], ..NONE },
    Concept { names: "applause|applaud|clap|clapping", heard: &["Applause", "Clapping"], ..NONE },
    Concept { names: "cheer|cheering", heard: &["Cheering"], ..NONE },
    Concept { names: "cough", heard: &["Cough"], ..NONE },
    Concept { names: "scream|shout|yell", heard: &["Shout", "Screaming", "Yell"], ..NONE },
    Concept { names: "laugh|laughter|chuckle|giggle", heard: &["Laughter"], feels: &["happy"], ..NONE },
    Concept { names: "cry|sob|weep", heard: &["Crying, sobbing"], ..NONE },
    Concept { names: "thunder|lightning", heard: &["Thunderstorm"], ..NONE },
    Concept { names: "doorbell", heard: &["Doorbell"], ..NONE },
    Concept { names: "silence|silent|quiet|quietness", seen: &["silence"], ..NONE },
    Concept { names: "happy|smile|smiling|grin|joy|joyful|cheerful|glad|pleased|delighted", feels: &["happy"], ..NONE },
    Concept { names: "sad|unhappy|upset|sorrow|gloomy|sadness", feels: &["sad"], ..NONE },
    Concept { names: "angry|anger|mad|furious|rage|annoyed", feels: &["angry", "anger"], ..NONE },
    Concept {
        names: "surprise|surprised|shocked|astonished|amazed|shock|astonishment|startled",
        feels: &["surprise"],
        ..NONE
    },
    Concept { names: "fear|afraid|scared|frightened|fearful|anxious", feels: &["fear"], ..NONE },
    Concept { names: "disgust|disgusted", feels: &["disgust"], ..NONE },
    Concept { names: "neutral|expressionless", feels: &["neutral"], ..NONE },
    Concept { names: "approach|come closer|come near|walk up|come up", does: &["approach"], ..NONE },
    Concept { names: "depart|draw apart|separate|part ways|walk away", does: &["depart"], ..NONE },
    Concept { names: "interact|meet|touch|hug|together", does: &["interact", "group"], ..NONE },
    Concept { names: "follow|follow behind", does: &["follow"], ..NONE },
    Concept { names: "chase|pursue|hunt", does: &["chase"], ..NONE },
    Concept { names: "idle|stand still|stay|wait|motionless|rest", does: &["idle"], ..NONE },
    Concept { names: "group|gather|assemble", does: &["group"], ..NONE },
    Concept { names: "avoid|evade|turn away", does: &["avoid"], ..NONE },
    Concept { names: "observe|watch|look on", does: &["observe"], ..NONE },
];

/// Words of the longest name.
pub(super) const LONGEST: usize = 3;

/// The concept with a name of exactly these stems, joined by spaces.
pub(super) fn concept(stems: &str) -> Option<&'static Concept> {
    CONCEPTS.iter().find(|c| c.names.split('|').any(|name| stems_of(name) == stems))
}

impl Concept {
    /// Its names of one word, as stems.
    pub(super) fn aliases(&self) -> impl Iterator<Item = String> {
        self.names.split('|').filter(|name| !name.contains(' ')).map(words::stem)
    }
}

/// The stems of a name.
pub(super) fn stems(name: &str) -> Vec<String> {
    words::words_of(name, LONGEST).into_iter().map(|w| w.stem).collect()
}

fn stems_of(name: &str) -> String {
    stems(name).join(" ")
}

/// AudioSet's class of this name.
pub(super) fn class_named(name: &str) -> Option<Class> {
    Class::named(name)
}

/// AudioSet's classes by each of their names: `smoke alarm` is one of `Smoke detector, smoke alarm`.
static CLASSES: LazyLock<HashMap<String, Class>> = LazyLock::new(|| {
    let mut classes = HashMap::new();
    for class in (0..).map_while(Class::at) {
        for name in class.name().split(['(', ',', ')']).map(stems_of).filter(|n| !n.is_empty()) {
            classes.entry(name).or_insert(class);
        }
    }
    classes
});

/// The class of sounds with a name of exactly these stems.
pub(super) fn class(stems: &str) -> Option<Class> {
    CLASSES.get(stems).copied()
}

/// Whether a sound named `label`, which may also be one of `others`, is what `class` means: it is of that class or
/// contained in it. An animal that is named without what it does (`Dog` for `Bark`) will do, and so will a sibling
/// that was only just not chosen.
pub(super) fn sounds_like(class: Class, label: &str, others: &mut dyn Iterator<Item = &str>) -> bool {
    let Some(heard) = Class::named(label) else { return false };
    let within = |c: Class| c == class || class.contains(c);
    let animal = Class::named("Animal").is_some_and(|a| a.contains(heard));
    within(heard)
        || animal && class.parent() == Some(heard)
        || others
            .filter_map(Class::named)
            .any(|other| within(other) && other.parent().is_some() && other.parent() == heard.parent())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_is_a_class_and_every_name_has_one_row() {
        let mut names = Vec::new();
        for row in CONCEPTS {
            for class in row.heard {
                assert!(Class::named(class).is_some(), "{class}");
            }
            for name in row.names.split('|') {
                assert!(words::words_of(name, 9).len() <= LONGEST, "{name}");
                assert!(std::ptr::eq(concept(&stems_of(name)).expect("a row"), row), "{name} has two rows");
                names.push(name);
            }
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn sounds_are_taken_for_what_they_are() {
        let like = |class: &str, label: &str, other: &str| {
            sounds_like(Class::named(class).expect("a class"), label, &mut [other].into_iter())
        };
        assert!(like("Dog", "Dog", "Roar") && like("Bark", "Dog", "Roar") && like("Dog", "Yip", "Roar"));
        assert!(!like("Roaring cats (lions, tigers)", "Dog", "Roaring cats (lions, tigers)"));
        assert!(like("Alarm clock", "Smoke detector, smoke alarm", "Alarm clock"));
        assert!(like("Music", "Guitar", "") && !like("Singing", "Music", "") && !like("Guitar", "Music", ""));
        assert_eq!(class("smok alarm").map(Class::name), Some("Smoke detector, smoke alarm"));
    }
}
