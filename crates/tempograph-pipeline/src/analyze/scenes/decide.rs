//! Deciding: cuts from the measurements of every frame.
//!
//! Five pure functions, one per detector, with the parameters and defaults of PySceneDetect 0.7.2.
//! Lengths given in frames are counted as it does: a time difference, in microseconds, times the
//! mean frame rate, rounded. With a variable frame rate that is not a count of decoded frames.

mod adaptive;
mod clock;
mod content;
mod fade;
mod flash;
mod jump;
mod scores;

use serde::{Deserialize, Serialize};
use tempograph_core::{Claim, Error, ErrorKind, MediaTime, Observation, Result, Span};

pub use self::{
    adaptive::Adaptive,
    clock::{Clock, Length},
    content::{Content, Weights},
    fade::{FadeMethod, Threshold},
    flash::FilterMode,
    jump::{Hash, Hist},
    scores::Scores,
};
use super::measure::Measures;

/// Where a new scene starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// First frame of the new scene.
    pub frame: u64,
    /// Presentation time of that frame.
    #[serde(rename = "time_s")]
    pub time: MediaTime,
}

impl Cut {
    /// The cut as a claim of the detector called `detector`.
    pub fn observation(self, detector: &str) -> Observation {
        Observation {
            span: Span::new(self.time, self.time),
            claim: Claim::Cut { frame: self.frame, detector: detector.to_owned() },
        }
    }
}

/// A detector with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// `detect-content`: jumps in colour and brightness.
    Content(Content),
    /// `detect-adaptive`: jumps that stand out from their neighbours.
    Adaptive(Adaptive),
    /// `detect-threshold`: fades through black or white.
    Threshold(Threshold),
    /// `detect-hist`: changes of the luma histogram.
    Hist(Hist),
    /// `detect-hash`: changes of the perceptual hash.
    Hash(Hash),
}

impl Default for Detector {
    fn default() -> Self {
        Self::Content(Content::default())
    }
}

impl Detector {
    /// Every detector with its default parameters.
    pub fn all() -> [Self; 5] {
        [
            Self::Content(Content::default()),
            Self::Adaptive(Adaptive::default()),
            Self::Threshold(Threshold::default()),
            Self::Hist(Hist::default()),
            Self::Hash(Hash::default()),
        ]
    }

    /// The detector called `name` or `detect-name`, with its default parameters.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when there is none.
    pub fn named(name: &str) -> Result<Self> {
        let short = name.strip_prefix("detect-").unwrap_or(name);
        Self::all().into_iter().find(|d| d.name() == short).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("no such scene detector: {name}"))
                .with_hint("choose one of `content`, `adaptive`, `threshold`, `hist` and `hash`")
        })
    }

    /// Its name, as in [`Claim::Cut`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Content(_) => "content",
            Self::Adaptive(_) => "adaptive",
            Self::Threshold(_) => "threshold",
            Self::Hist(_) => "hist",
            Self::Hash(_) => "hash",
        }
    }

    /// What it needs measured.
    pub fn measures(&self) -> Measures {
        match self {
            Self::Content(d) => d.weights.measures(d.kernel_size),
            Self::Adaptive(d) => d.weights.measures(d.kernel_size),
            Self::Threshold(_) => Measures { brightness: true, ..Measures::default() },
            Self::Hist(d) => Measures { histogram: Some(d.bins), ..Measures::default() },
            Self::Hash(d) => Measures { hash: Some(d.kind()), ..Measures::default() },
        }
    }

    /// Whether every parameter is in range.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the parameter that is not.
    pub fn check(&self) -> Result<()> {
        self.measures().check()?;
        match self {
            Self::Content(d) => d.check(),
            Self::Adaptive(d) => d.check(),
            Self::Threshold(d) => d.check(),
            Self::Hist(d) => d.check(),
            Self::Hash(d) => d.check(),
        }
    }

    /// The cuts in order of time, each once.
    ///
    /// `fps` is the mean frame rate as the file states it; 0 takes it from the times.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when `scores` lack a measurement this detector needs.
    pub fn cuts(&self, scores: &Scores, fps: f64) -> Result<Vec<Cut>> {
        let clock = Clock::new(scores, fps);
        let frames = match self {
            Self::Content(d) => d.frames(scores, &clock)?,
            Self::Adaptive(d) => d.frames(scores, &clock)?,
            Self::Threshold(d) => d.frames(scores, &clock)?,
            Self::Hist(d) => d.frames(scores, &clock)?,
            Self::Hash(d) => d.frames(scores, &clock)?,
        };
        let mut cuts: Vec<_> =
            frames.into_iter().map(|i| Cut { frame: scores.frames[i], time: scores.times[i] }).collect();
        cuts.sort_unstable_by_key(|cut| (cut.time, cut.frame));
        cuts.dedup_by_key(|cut| cut.time);
        Ok(cuts)
    }
}

/// Fails when `value` is not within `range`.
fn in_range(name: &str, value: f64, range: std::ops::RangeInclusive<f64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, format!("`{name}` must be from {} to {}: {value}", range.start(), range.end())))
}

#[cfg(test)]
mod tests;
