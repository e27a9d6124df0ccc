//! Scores results against truth: multi-object tracking, scene cuts, words, speakers, boxes, depth.
//!
//! Each kind is a pure function from parsed values to a serialisable result, whose numbers equal
//! those of the field's reference tool: [`mot`] py-motmetrics and TrackEval, [`wer`] jiwer,
//! [`der`] pyannote.metrics, [`ap`] pycocotools. [`run`] is the same by name and path, as
//! `tempograph eval` calls it. Parsers take any bytes: what they cannot read is an error with its
//! line, never a panic.

pub mod ap;
pub mod depth;
pub mod der;
mod input;
pub mod mot;
mod run;
pub mod scenes;
pub mod wer;

pub use run::{EvalOptions, KINDS, run};
