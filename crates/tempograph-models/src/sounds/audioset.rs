//! AudioSet's classes and how they contain each other.
//!
//! The names come in the order of the ontology's tree, so a class and all it contains lie side by side: [`BRANCHES`]
//! only has to say where each branch ends.

use std::{collections::HashMap, sync::LazyLock};

/// The names of the 527 classes, in the order of AudioSet's own index (`class_labels_indices.csv`).
const NAMES: &str = include_str!("classes.txt");

/// How an event of a class is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Names what sounds.
    Source,
    /// Holds such different things that it says little beside one of them, e.g. `Animal`.
    Container,
    /// Says how it sounds, whatever makes the sound, e.g. `Beep, bleep`.
    Manner,
    /// Somebody speaks: voice activity knows better.
    Speech,
    /// Says where or how something was recorded, or that there is nothing. Also what only a microphone at the body can
    /// hear: from a distance its score means rumble and handling (11 of the 12 false events on the public speech files
    /// and on `box.mp4`).
    Setting,
}

/// A class of AudioSet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(u16);

impl Class {
    /// All classes, in AudioSet's order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        (0..count() as u16).map(Self)
    }

    /// The class at `index` of AudioSet's order.
    pub fn at(index: usize) -> Option<Self> {
        u16::try_from(index).ok().filter(|&i| usize::from(i) < count()).map(Self)
    }

    /// The class of this name.
    pub fn named(name: &str) -> Option<Self> {
        TABLE.by_name.get(name).copied()
    }

    /// AudioSet's name.
    pub fn name(self) -> &'static str {
        TABLE.names[self.index()]
    }

    /// Its place in AudioSet's order.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The class that contains it directly.
    pub fn parent(self) -> Option<Self> {
        TABLE.parents[self.index()]
    }

    /// Whether it contains `other`, which is not itself.
    pub fn contains(self, other: Self) -> bool {
        self < other && other <= TABLE.last[self.index()]
    }

    /// The classes it contains directly.
    pub fn children(self) -> impl Iterator<Item = Self> {
        (self.0 + 1..=TABLE.last[self.index()].0).map(Self).filter(move |c| c.parent() == Some(self))
    }

    /// The classes that contain it, the nearest first.
    pub fn ancestors(self) -> impl Iterator<Item = Self> {
        std::iter::successors(self.parent(), |c| c.parent())
    }

    /// How an event of it is to be taken.
    pub fn kind(self) -> Kind {
        let inside = |names: &[(&str, &str)]| {
            names.iter().any(|(first, last)| {
                let (first, last) = (TABLE.by_name.get(first), TABLE.by_name.get(last));
                first.is_some_and(|&f| f <= self) && last.is_some_and(|&l| self <= l)
            })
        };
        if inside(SPEECH) {
            Kind::Speech
        } else if inside(SETTING) {
            Kind::Setting
        } else if inside(MANNER) {
            Kind::Manner
        } else if CONTAINERS.contains(&self.name()) {
            Kind::Container
        } else {
            Kind::Source
        }
    }

    /// Whether one sound is readily taken for either of two classes: they belong to one realm of things that sound
    /// alike, e.g. a siren and the vehicle that carries it.
    pub fn rivals(self, other: Self) -> bool {
        let realm = |class: Self| {
            REALMS.iter().position(|realm| {
                realm.iter().any(|(first, last)| {
                    let (first, last) = (TABLE.by_name.get(first), TABLE.by_name.get(last));
                    first.is_some_and(|&f| f <= class) && last.is_some_and(|&l| class <= l)
                })
            })
        };
        realm(self).is_some_and(|r| realm(other) == Some(r))
    }

    /// Whether its sound goes on or repeats as one thing, so that short pauses do not end it.
    pub fn is_sustained(self) -> bool {
        SUSTAINED.iter().filter_map(|name| Self::named(name)).any(|s| s == self || s.contains(self))
    }
}

/// How many classes there are.
pub(super) fn count() -> usize {
    TABLE.names.len()
}

struct Table {
    names: Vec<&'static str>,
    by_name: HashMap<&'static str, Class>,
    parents: Vec<Option<Class>>,
    last: Vec<Class>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let names: Vec<&'static str> = NAMES.lines().collect();
    let by_name: HashMap<_, _> = names.iter().enumerate().map(|(i, &n)| (n, Class(i as u16))).collect();
    let mut last: Vec<Class> = (0..names.len()).map(|i| Class(i as u16)).collect();
    for (first, end) in BRANCHES {
        if let (Some(&first), Some(&end)) = (by_name.get(first), by_name.get(end)) {
            last[usize::from(first.0)] = end;
        }
    }
    let parents =
        (0..names.len() as u16).map(|i| (0..i).rev().map(Class).find(|c| last[c.index()] >= Class(i))).collect();
    Table { names, by_name, parents, last }
});

const SPEECH: &[(&str, &str)] = &[("Speech", "Speech synthesizer"), ("Whispering", "Whispering")];
const SETTING: &[(&str, &str)] = &[
    ("Stomach rumble", "Stomach rumble"),
    ("Fart", "Fart"),
    ("Heart sounds, heartbeat", "Heart murmur"),
    ("Silence", "Silence"),
    ("Sound effect", "Sound effect"),
    ("Inside, small room", "Echo"),
    ("Environmental noise", "Environmental noise"),
    ("Distortion", "Sidetone"),
    ("Television", "Field recording"),
];
const MANNER: &[(&str, &str)] =
    &[("Sonar", "Boing"), ("Crunch", "Crunch"), ("Sine wave", "Pulse"), ("Noise", "Vibration")];
const CONTAINERS: &[&str] = &[
    "Animal",
    "Domestic animals, pets",
    "Livestock, farm animals, working animals",
    "Wild animals",
    "Vehicle",
    "Motor vehicle (road)",
    "Alarm",
    "Mechanisms",
    "Tools",
    "Explosion",
];
const SUSTAINED: &[&str] = &[
    "Music",
    "Singing",
    "Crowd",
    "Hubbub, speech noise, speech babble",
    "Applause",
    "Insect",
    "Wind",
    "Thunderstorm",
    "Water",
    "Fire",
    "Vehicle",
    "Engine",
    "Alarm",
    "Mechanisms",
    "Power tool",
    "Typing",
    "Walk, footsteps",
    "Run",
    "Bell",
    "Noise",
    "Breathing",
    "Vacuum cleaner",
    "Hair dryer",
    "Blender",
    "Boiling",
    "Frying (food)",
];

/// Classes that sound alike, as runs of neighbouring names: voices that are no speech, animals, music, weather and
/// liquids and blasts, traffic and its signals, things handled indoors.
const REALMS: &[&[(&str, &str)]] = &[
    &[("Shout", "Children playing")],
    &[("Animal", "Whale vocalization")],
    &[("Music", "Scary music")],
    &[
        ("Wind", "Crackle"),
        ("Water tap, faucet", "Bathtub (filling or washing)"),
        ("Toilet flush", "Toilet flush"),
        ("Explosion", "Boom"),
        ("Liquid", "Boiling"),
    ],
    &[("Vehicle", "Accelerating, revving, vroom"), ("Alarm", "Steam whistle")],
    &[
        ("Door", "Blender"),
        ("Hair dryer", "Hair dryer"),
        ("Toothbrush", "Writing"),
        ("Mechanisms", "Drill"),
        ("Wood", "Shatter"),
    ],
];

/// Where the branch of a class ends: its name and that of the last class it contains.
const BRANCHES: &[(&str, &str)] = &[
    ("Speech", "Speech synthesizer"),
    ("Shout", "Children shouting"),
    ("Laughter", "Chuckle, chortle"),
    ("Crying, sobbing", "Whimper"),
    ("Singing", "Rapping"),
    ("Chant", "Mantra"),
    ("Breathing", "Snort"),
    ("Cough", "Throat clearing"),
    ("Hands", "Clapping"),
    ("Heart sounds, heartbeat", "Heart murmur"),
    ("Animal", "Whale vocalization"),
    ("Domestic animals, pets", "Caterwaul"),
    ("Dog", "Whimper (dog)"),
    ("Cat", "Caterwaul"),
    ("Livestock, farm animals, working animals", "Honk"),
    ("Horse", "Neigh, whinny"),
    ("Cattle, bovinae", "Cowbell"),
    ("Pig", "Oink"),
    ("Goat", "Bleat"),
    ("Fowl", "Honk"),
    ("Chicken, rooster", "Crowing, cock-a-doodle-doo"),
    ("Turkey", "Gobble"),
    ("Duck", "Quack"),
    ("Goose", "Honk"),
    ("Wild animals", "Whale vocalization"),
    ("Roaring cats (lions, tigers)", "Roar"),
    ("Bird", "Bird flight, flapping wings"),
    ("Bird vocalization, bird call, bird song", "Squawk"),
    ("Pigeon, dove", "Coo"),
    ("Crow", "Caw"),
    ("Owl", "Hoot"),
    ("Rodents, rats, mice", "Patter"),
    ("Insect", "Bee, wasp, etc."),
    ("Fly, housefly", "Buzz"),
    ("Frog", "Croak"),
    ("Snake", "Rattle"),
    ("Music", "Scary music"),
    ("Musical instrument", "Scratching (performance technique)"),
    ("Plucked string instrument", "Ukulele"),
    ("Guitar", "Strum"),
    ("Keyboard (musical)", "Harpsichord"),
    ("Piano", "Electric piano"),
    ("Organ", "Hammond organ"),
    ("Synthesizer", "Sampler"),
    ("Percussion", "Steelpan"),
    ("Drum kit", "Drum machine"),
    ("Drum", "Tabla"),
    ("Snare drum", "Drum roll"),
    ("Cymbal", "Hi-hat"),
    ("Rattle (instrument)", "Maraca"),
    ("Mallet percussion", "Steelpan"),
    ("Brass instrument", "Trombone"),
    ("Bowed string instrument", "Double bass"),
    ("Violin, fiddle", "Pizzicato"),
    ("Wind instrument, woodwind instrument", "Clarinet"),
    ("Bell", "Change ringing (campanology)"),
    ("Chime", "Wind chime"),
    ("Hip hop music", "Beatboxing"),
    ("Rock music", "Psychedelic rock"),
    ("Country", "Bluegrass"),
    ("Classical music", "Opera"),
    ("Electronic music", "Trance music"),
    ("Music of Latin America", "Flamenco"),
    ("Vocal music", "A capella"),
    ("Music of Africa", "Afrobeat"),
    ("Christian music", "Gospel music"),
    ("Music of Asia", "Music of Bollywood"),
    ("Wind", "Wind noise (microphone)"),
    ("Thunderstorm", "Thunder"),
    ("Water", "Gurgling"),
    ("Rain", "Rain on surface"),
    ("Ocean", "Waves, surf"),
    ("Fire", "Crackle"),
    ("Vehicle", "Skateboard"),
    ("Boat, Water vehicle", "Ship"),
    ("Motor vehicle (road)", "Traffic noise, roadway noise"),
    ("Car", "Race car, auto racing"),
    ("Vehicle horn, car horn, honking", "Toot"),
    ("Truck", "Ice cream truck, ice cream van"),
    ("Emergency vehicle", "Fire engine, fire truck (siren)"),
    ("Rail transport", "Subway, metro, underground"),
    ("Train", "Train horn"),
    ("Aircraft", "Fixed-wing aircraft, airplane"),
    ("Aircraft engine", "Propeller, airscrew"),
    ("Engine", "Accelerating, revving, vroom"),
    ("Light engine (high frequency)", "Chainsaw"),
    ("Door", "Squeak"),
    ("Doorbell", "Ding-dong"),
    ("Toothbrush", "Electric toothbrush"),
    ("Typing", "Computer keyboard"),
    ("Alarm", "Steam whistle"),
    ("Telephone", "Busy signal"),
    ("Siren", "Civil defense siren"),
    ("Whistle", "Steam whistle"),
    ("Mechanisms", "Single-lens reflex camera"),
    ("Clock", "Tick-tock"),
    ("Camera", "Single-lens reflex camera"),
    ("Tools", "Drill"),
    ("Power tool", "Drill"),
    ("Explosion", "Boom"),
    ("Gunshot, gunfire", "Cap gun"),
    ("Fireworks", "Firecracker"),
    ("Wood", "Crack"),
    ("Glass", "Shatter"),
    ("Liquid", "Boiling"),
    ("Splash, splatter", "Slosh"),
    ("Pour", "Gush"),
    ("Effects unit", "Chorus effect"),
    ("Noise", "Vibration"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> Class {
        Class::named(name).unwrap_or_else(|| panic!("no class {name}"))
    }

    #[test]
    fn every_name_of_the_tables_is_a_class_and_branches_nest() {
        assert_eq!(count(), 527);
        let ends = BRANCHES.iter().chain(SPEECH).chain(SETTING).chain(MANNER).flat_map(|&(a, b)| [a, b]);
        for name in ends
            .chain(REALMS.iter().copied().flatten().flat_map(|&(a, b)| [a, b]))
            .chain(CONTAINERS.iter().chain(SUSTAINED).copied())
        {
            class(name);
        }
        for &(first, last) in BRANCHES {
            let (first, last) = (class(first), class(last));
            assert!(first <= last, "{first:?}");
            for other in Class::all() {
                let end = TABLE.last[other.index()];
                let disjoint = end < first || last < other;
                let inside = first <= other && end <= last;
                let around = other <= first && last <= end;
                assert!(disjoint || inside || around, "{} and {}", first.name(), other.name());
            }
        }
    }

    #[test]
    fn a_bark_is_a_dogs_and_a_dog_an_animal() {
        let lineage: Vec<_> = class("Bark").ancestors().map(Class::name).collect();
        assert_eq!(lineage, ["Dog", "Domestic animals, pets", "Animal"]);
        assert!(class("Animal").contains(class("Bark")) && !class("Bark").contains(class("Animal")));
        assert!(class("Dog").children().any(|c| c.name() == "Bow-wow"));
        assert!(class("Dog").children().all(|c| c.name() != "Cat"));
        assert_eq!(class("Siren").parent(), Some(class("Alarm")));
        assert_eq!(class("Music").parent(), None);
        assert_eq!(Class::at(527), None);
        assert_eq!(class("Battle cry").parent(), Some(class("Shout")));
        assert_eq!(class("Female singing").parent(), Some(class("Singing")));
    }

    #[test]
    fn kinds_are_what_they_should_be() {
        assert_eq!(class("Narration, monologue").kind(), Kind::Speech);
        assert_eq!(class("Male speech, man speaking").kind(), Kind::Speech);
        assert_eq!(class("Beep, bleep").kind(), Kind::Manner);
        assert_eq!(class("Silence").kind(), Kind::Setting);
        assert_eq!(class("Animal").kind(), Kind::Container);
        assert_eq!(class("Bark").kind(), Kind::Source);
        assert!(class("Siren").rivals(class("Emergency vehicle")) && class("Dog").rivals(class("Roar")));
        assert!(!class("Dog").rivals(class("Music")) && !class("Beep, bleep").rivals(class("Beep, bleep")));
        assert!(class("Smoke detector, smoke alarm").is_sustained() && !class("Bark").is_sustained());
    }
}
