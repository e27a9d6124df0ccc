//! What a sound is: the classes of AudioSet and the networks that score them.

mod audioset;
mod ced;
mod logmel;
mod spectrum;
#[cfg(test)]
mod suite;
mod yamnet;

use tempograph_core::{Error, ErrorKind, Result, Session};

pub use audioset::{Class, Kind};

type Open = fn(Box<dyn Session>) -> Result<Box<dyn Tagger>>;

/// A network of one family: its name as in the manifest's `family`, what loads it, and how its scores are to be taken.
struct Family {
    name: &'static str,
    open: Open,
    scale: Scale,
}

const FAMILIES: &[Family] = &[
    // One row a family.
    Family { name: "yamnet", open: |s| Ok(Box::new(yamnet::Yamnet::new(s)?)), scale: yamnet::SCALE },
    Family { name: "ced", open: |s| Ok(Box::new(ced::Ced::new(s)?)), scale: ced::SCALE },
];

/// Scores how much a recording sounds like each class, window by window.
pub trait Tagger: Send {
    /// How it divides a recording.
    fn windows(&self) -> Windows;

    /// The scores of `count` windows of `samples` (16 kHz, −1..1), the first at the start and each a hop later: for each
    /// window the classes that reach `least`, by falling score.
    ///
    /// A window's scores depend on nothing but its own samples.
    ///
    /// # Errors
    /// Those of [`Session::run`]; [`ErrorKind::Usage`] when there are not enough samples, [`ErrorKind::ModelInvalid`]
    /// when the network's answer is not of its family's form.
    fn score(&mut self, samples: &[f32], count: usize, least: f32) -> Result<Vec<Vec<(Class, f32)>>>;
}

/// How a family divides a recording, in samples at 16 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// What one answer rests on.
    pub context: usize,
    /// What it is about: the middle of the context.
    pub answer: usize,
    /// From one window to the next.
    pub hop: usize,
}

impl Windows {
    /// What a window looks at before and after that which it answers for.
    pub fn margin(self) -> usize {
        self.context.saturating_sub(self.answer) / 2
    }

    /// The samples that `count` windows need.
    pub fn span(self, count: usize) -> usize {
        if count == 0 { 0 } else { self.hop * (count - 1) + self.context }
    }

    /// # Errors
    /// [`ErrorKind::Usage`] when `samples` do not hold `count` windows.
    fn check(self, samples: &[f32], count: usize) -> Result<()> {
        if samples.len() < self.span(count) {
            return Err(Error::new(ErrorKind::Usage, format!("{} samples do not hold {count} windows", samples.len())));
        }
        Ok(())
    }
}

/// From which scores of a family a sound is an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Score that one window of an event reaches at least.
    pub on: f32,
    /// Score that the windows around it keep.
    pub off: f32,
    /// As `on`, for a window that is mostly voice: there a sound must be plain to stand beside it.
    pub on_over_voice: f32,
}

/// The network of `family` in `session`.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when there is no such family or the model is not of its form.
pub fn open(family: &str, session: Box<dyn Session>) -> Result<Box<dyn Tagger>> {
    match FAMILIES.iter().find(|f| f.name == family) {
        Some(found) => (found.open)(session),
        None => {
            let names: Vec<&str> = FAMILIES.iter().map(|f| f.name).collect();
            let message = format!("there is no family of sound taggers of this name: {family}");
            let hint = format!("the families are `{}`", names.join("`, `"));
            Err(Error::new(ErrorKind::ModelInvalid, message).with_hint(hint))
        }
    }
}

/// How the scores of `family` are to be taken; those of an unknown family as YAMNet's.
pub fn scale(family: &str) -> Scale {
    FAMILIES.iter().find(|f| f.name == family).map_or(yamnet::SCALE, |f| f.scale)
}

/// Scores are kept to this part: enough to decide by, and short to store.
const STEPS: f32 = 1000.0;

/// The classes whose scores reach `least`, by falling score; `scores` counts them in [`STEPS`].
fn kept(scores: impl Iterator<Item = (Class, f32)>, least: f32) -> Vec<(Class, f32)> {
    let rounded = scores.map(|(class, score)| (class, score.round() / STEPS));
    let mut kept: Vec<(Class, f32)> = rounded.filter(|&(_, score)| score >= least).collect();
    kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    kept
}

fn wrong_form(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the sound model is not of its family's form: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeSession;

    #[test]
    fn an_unknown_family_is_refused_with_the_known_ones() {
        let err = open("seashell", Box::new(FakeSession::new(&[], Vec::new()))).err().expect("no such family");
        assert!(err.hint().is_some_and(|h| h.contains("`yamnet`, `ced`")), "{err:?}");
        assert_eq!(scale("seashell"), scale("yamnet"));
    }

    #[test]
    fn every_family_has_a_scale_that_can_be_reached() {
        for Family { name, scale, .. } in FAMILIES {
            let Scale { on, off, on_over_voice } = *scale;
            assert!(0.0 < off && off < on && on < on_over_voice && on_over_voice < 1.0, "{name}: {scale:?}");
        }
    }
}
