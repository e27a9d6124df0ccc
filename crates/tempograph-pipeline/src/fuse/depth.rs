//! Depth of tracks: how near each is among what its frame shows.

use std::collections::BTreeMap;

use tempograph_core::{
    BoxXyxy, Claim, DepthMap, Detections, MediaTime, Observation,
    timeline::{DepthSample, Entity, EntityDepth, Track, Video},
};

use super::TrackDepth;

/// A map and boxes further apart in time are not of one moment.
const TOLERANCE: MediaTime = MediaTime::from_millis(250);
/// Share of a box that is cut off on each side: there the background shows.
const MARGIN: f32 = 0.2;

/// How near each track was, at each time that depth and boxes are known for.
///
/// Nearness is that of the middle of the box (the median of its blocks) between the farthest (0) and the nearest (1)
/// that the frame shows. Monocular depth has a scale and shift of its own in each frame, so values compare within a
/// frame and not between them.
pub fn track_depths(observations: &[Observation], video: &Video) -> Vec<TrackDepth> {
    let mut boxes: Vec<(MediaTime, &Detections)> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Detections { detections, .. } => Some((o.span.start, detections)),
            _ => None,
        })
        .collect();
    boxes.sort_by_key(|&(time, _)| time);
    let mut by_track: BTreeMap<u32, BTreeMap<MediaTime, f32>> = BTreeMap::new();
    for observation in observations {
        let Claim::Depth(map) = &observation.claim else { continue };
        let time = observation.span.start;
        let after = boxes.partition_point(|&(t, _)| t < time);
        let nearest = boxes[after.saturating_sub(1)..(after + 1).min(boxes.len())]
            .iter()
            .min_by_key(|(t, _)| (t.abs_diff(time), *t))
            .filter(|(t, _)| t.abs_diff(time) <= TOLERANCE);
        let Some((_, detections)) = nearest else { continue };
        for row in detections.iter() {
            if let (Some(track), Some(near)) = (row.track, nearness(map, row.bbox, video)) {
                by_track.entry(track).or_default().insert(time, near);
            }
        }
    }
    by_track.into_iter().map(|(track, near)| TrackDepth { track, near: near.into_iter().collect() }).collect()
}

/// The median of the blocks under the middle of `bbox`, 0 to 1.
fn nearness(map: &DepthMap, bbox: BoxXyxy, video: &Video) -> Option<f32> {
    let (columns, rows) = (map.columns as usize, map.rows as usize);
    if map.grid.len() != columns * rows || map.grid.is_empty() || video.width == 0 || video.height == 0 {
        return None;
    }
    let blocks = |from: f32, to: f32, pixels: u32, blocks: usize| {
        let cut = (to - from) * MARGIN;
        let at = |v: f32| ((v / pixels as f32 * blocks as f32).max(0.0) as usize).min(blocks - 1);
        at(from + cut)..=at(to - cut)
    };
    let across = blocks(bbox.x1, bbox.x2, video.width, columns);
    let mut under: Vec<u8> = blocks(bbox.y1, bbox.y2, video.height, rows)
        .flat_map(|y| &map.grid[y * columns..][across.clone()])
        .copied()
        .collect();
    under.sort_unstable();
    Some(f32::from(*under.get(under.len() / 2)?) / 255.0)
}

/// The depth of each entity over time, from that of its tracks.
pub(super) fn entity_depths(depths: &[TrackDepth], tracks: &[Track], entities: &[Entity]) -> Vec<EntityDepth> {
    let of: BTreeMap<u32, &str> = tracks.iter().filter_map(|t| Some((t.id, t.entity.as_deref()?))).collect();
    let mut by_entity: BTreeMap<&str, BTreeMap<MediaTime, f32>> = BTreeMap::new();
    for depth in depths {
        if let Some(entity) = of.get(&depth.track) {
            by_entity.entry(entity).or_default().extend(depth.near.iter().copied());
        }
    }
    let samples =
        |near: &BTreeMap<MediaTime, f32>| near.iter().map(|(&t_s, &nearness)| DepthSample { t_s, nearness }).collect();
    let told = |e: &Entity| Some(EntityDepth { entity: e.id.clone(), samples: samples(by_entity.get(e.id.as_str())?) });
    entities.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use tempograph_core::Span;

    use super::*;

    fn ms(v: i64) -> MediaTime {
        MediaTime::from_millis(v)
    }

    /// Near on the left half, far on the right one.
    fn map() -> DepthMap {
        let grid = (0..48 * 27).map(|i| if i % 48 < 24 { 204 } else { 51 }).collect();
        let (low, high) = (0.0, 1.0);
        DepthMap { frame: 0, object: String::new(), offset: 0, len: 0, low, high, columns: 48, rows: 27, grid }
    }

    #[test]
    fn a_box_is_as_near_as_its_middle() {
        let video = Video { width: 480, height: 270, ..Video::default() };
        let near = |x1, x2| nearness(&map(), BoxXyxy::new(x1, 20.0, x2, 200.0), &video).expect("a grid");
        assert!((near(10.0, 200.0) - 0.8).abs() < 1e-6);
        assert!((near(300.0, 470.0) - 0.2).abs() < 1e-6);
        assert!((near(50.0, 260.0) - 0.8).abs() < 1e-6, "its right edge shows the background");
        assert!((near(-500.0, 2000.0) - 0.8).abs() < 0.7, "boxes outside are cut");
        let broken = DepthMap { grid: vec![1, 2], ..map() };
        assert_eq!(nearness(&broken, BoxXyxy::default(), &video), None);
    }

    #[test]
    fn boxes_of_another_moment_have_no_depth() {
        let video = Video { width: 480, height: 270, ..Video::default() };
        let mut detections = Detections::default();
        detections.push(BoxXyxy::new(10.0, 20.0, 200.0, 200.0), 0.9, "dog");
        let detections = detections.with_tracks(vec![Some(7)]).expect("a column");
        let seen = |at: i64| Observation {
            span: Span::new(ms(at), ms(at)),
            claim: Claim::Detections { frame: 0, detections: detections.clone() },
        };
        let depth = Observation { span: Span::new(ms(1000), ms(1000)), claim: Claim::Depth(map()) };
        let depths = track_depths(&[depth.clone(), seen(600), seen(1100)], &video);
        assert_eq!(depths, [TrackDepth { track: 7, near: vec![(ms(1000), 0.8)] }]);
        assert_eq!(track_depths(&[seen(600), depth], &video), []);
    }
}
