//! Paths: where each track was, frame by frame and scene by scene.

use std::collections::BTreeMap;

use tempograph_core::{BoxXyxy, Claim, MediaTime, Observation, Span, timeline::Track};

use super::scenes::scene_at;

/// Where one object was at one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) time: MediaTime,
    /// Displayed pixels.
    pub(super) bbox: BoxXyxy,
    pub(super) score: f32,
}

/// The spots of one track within one scene, in order of time, no two at the same time.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) track: u32,
    pub(super) scene: usize,
    pub(super) label: String,
    pub(super) spots: Vec<Spot>,
}

impl Path {
    pub(super) fn first(&self) -> Spot {
        self.spots[0]
    }

    pub(super) fn last(&self) -> Spot {
        self.spots[self.spots.len() - 1]
    }
}

/// The paths of the known tracks, ordered by scene, then track; none is empty.
pub(super) fn paths(observations: &[Observation], tracks: &[Track], scenes: &[Span]) -> Vec<Path> {
    let labels: BTreeMap<u32, &str> = tracks.iter().map(|t| (t.id, t.label.as_str())).collect();
    let mut by_place: BTreeMap<(usize, u32), Vec<Spot>> = BTreeMap::new();
    for observation in observations {
        let Claim::Detections { detections, .. } = &observation.claim else { continue };
        let time = observation.span.start;
        for row in detections.iter() {
            let Some(track) = row.track.filter(|t| labels.contains_key(t)) else { continue };
            if row.bbox.area() > 0.0 {
                let spot = Spot { time, bbox: row.bbox, score: row.score };
                by_place.entry((scene_at(scenes, time), track)).or_default().push(spot);
            }
        }
    }
    by_place
        .into_iter()
        .map(|((scene, track), mut spots)| {
            // Of two rows at one time the surer stays; the box decides between equals, so that
            // the order of the observations cannot matter.
            let corners = |s: &Spot| <[f32; 4]>::from(s.bbox);
            spots.sort_by(|a, b| {
                let ties = || corners(a).partial_cmp(&corners(b)).unwrap_or(std::cmp::Ordering::Equal);
                a.time.cmp(&b.time).then(b.score.total_cmp(&a.score)).then_with(ties)
            });
            spots.dedup_by_key(|s| s.time);
            Path { track, scene, label: labels[&track].to_owned(), spots }
        })
        .collect()
}
