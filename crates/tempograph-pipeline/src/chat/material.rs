//! What is asked about: a timeline, its graph, how far it goes, and a way to find what is close in meaning.

use tempograph_core::{Graph, Result, Span, Timeline};

use super::{coverage::Reached, evidence::Kind};

/// The stored analysis of one video.
#[derive(Clone, Copy)]
pub struct Material<'a> {
    /// The fused view.
    pub timeline: &'a Timeline,
    /// Who was near whom, and what came before what.
    pub graph: &'a Graph,
    /// How far the analysis is; `None` when it is finished.
    pub reached: Option<&'a Reached>,
    /// Finds what is close in meaning.
    pub retrieve: &'a dyn Retrieve,
}

/// Finds moments of the video by words and by meaning.
pub trait Retrieve {
    /// The moments that are closest to `query`, best first, at most `limit`. What comes back is believed only where
    /// the timeline holds it too.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn retrieve(&self, query: &str, kinds: &[Kind], limit: usize) -> Result<Vec<Found>>;
}

/// A moment that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What kind.
    pub kind: Kind,
    /// When.
    pub span: Span,
    /// What is said, read, heard or seen.
    pub text: String,
    /// How close in meaning: cosine; `None` when words alone were compared.
    pub similarity: Option<f32>,
}

/// Finds nothing: the timeline's own words are all there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIndex;

impl Retrieve for NoIndex {
    fn retrieve(&self, _: &str, _: &[Kind], _: usize) -> Result<Vec<Found>> {
        Ok(Vec::new())
    }
}
