//! The measurements of all frames, column by column.

use tempograph_core::{Claim, Error, ErrorKind, MediaTime, Observation, Result};

use crate::analyze::scenes::Measures;

/// The measurements of all frames in order of time. A column that was not measured is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Frame numbers.
    pub frames: Vec<u64>,
    /// Presentation times.
    pub times: Vec<MediaTime>,
    /// Difference in hue, 0 to 179.
    pub hue: Vec<f64>,
    /// Difference in saturation, 0 to 255.
    pub saturation: Vec<f64>,
    /// Difference in value, 0 to 255.
    pub value: Vec<f64>,
    /// Difference of edges, 0 to 255.
    pub edges: Vec<f64>,
    /// Mean brightness, 0 to 255.
    pub brightness: Vec<f64>,
    /// Correlation of histograms, −1 to 1.
    pub histogram: Vec<f64>,
    /// Distance of hashes, 0 to 1.
    pub hash: Vec<f64>,
}

impl Scores {
    /// The scores among `observations`, which were taken with `measures` and are in order of time.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] when a frame has another number of scores than `measures` ask for.
    pub fn new<'a>(measures: &Measures, observations: impl IntoIterator<Item = &'a Observation>) -> Result<Self> {
        let mut all = Self::default();
        for observation in observations {
            if let Claim::SceneScores { frame, scores } = &observation.claim {
                all.push(measures, *frame, observation.span.start, scores)?;
            }
        }
        Ok(all)
    }

    /// Adds the scores of one frame, taken with `measures`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn push(&mut self, measures: &Measures, frame: u64, time: MediaTime, scores: &[f64]) -> Result<()> {
        if scores.len() != measures.columns() {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("frame {frame} has {} scene scores instead of {}", scores.len(), measures.columns()),
            ));
        }
        self.frames.push(frame);
        self.times.push(time);
        let columns: [(bool, &mut Vec<f64>); 7] = [
            (measures.color, &mut self.hue),
            (measures.color, &mut self.saturation),
            (measures.color, &mut self.value),
            (measures.edges.is_some(), &mut self.edges),
            (measures.brightness, &mut self.brightness),
            (measures.histogram.is_some(), &mut self.histogram),
            (measures.hash.is_some(), &mut self.hash),
        ];
        for ((_, column), &score) in columns.into_iter().filter(|(asked, _)| *asked).zip(scores) {
            column.push(score);
        }
        Ok(())
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// `column` when it has an entry for every frame.
    pub(super) fn whole<'a>(&self, column: &'a [f64], name: &str) -> Result<&'a [f64]> {
        if column.len() == self.len() {
            return Ok(column);
        }
        Err(Error::new(ErrorKind::InvalidData, format!("the scene scores lack `{name}`")))
    }
}
