//! Visual events from geometry.

use tempograph_core::{
    Span,
    timeline::{Video, VisualEvent},
};

use super::{TrackDepth, entities::Mover};

/// When movement is an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventOptions {}

pub(super) fn find(
    _movers: &[Mover],
    _scenes: &[Span],
    _depths: &[TrackDepth],
    _video: &Video,
    _options: &EventOptions,
) -> Vec<VisualEvent> {
    Vec::new()
}
