//! Faces over time: who carries them and what they express.
//!
//! Faces of neighbouring frames are linked into face tracks, which never cross a cut. A face track is tied to the
//! person's track whose upper part it keeps to. Its emotions are intervals of smoothed scores under hysteresis.

mod emotion;
mod link;
mod route;
mod tie;

use tempograph_core::{
    BoxXyxy, Claim, MediaTime, Observation, Span,
    timeline::{Emotion, FaceTrack, Track},
};

use super::paths::Path;

/// When faces are one, whose they are, and what they express.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceOptions {
    /// Longest time a face may go unseen within a track.
    pub max_gap: MediaTime,
    /// How far a face may move from one frame to the next, in its own widths.
    pub max_move: f32,
    /// Largest ratio of the sizes of a face in two frames.
    pub max_ratio: f32,
    /// Frames a face has to be seen in, where its scene has as many and it lies on no person: a chance likeness lasts one.
    pub min_frames: usize,
    /// Height of a person's box, from the top, in which the middle of its face lies.
    pub upper: f32,
    /// A face of at least this share of the person's height is a close-up, and lies anywhere in its box.
    pub close_up: f32,
    /// Share of its frames in which a face has to lie in a person's box.
    pub tie_share: f64,
    /// Time that scores are averaged over.
    pub smooth: MediaTime,
    /// Mean score at which an emotion begins.
    pub emotion_on: f32,
    /// Mean score that it keeps.
    pub emotion_off: f32,
    /// What another emotion has to score more to take over.
    pub margin: f32,
    /// Shortest emotion, unless the face is seen for less.
    pub min_emotion: MediaTime,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            max_gap: MediaTime::from_millis(1000),
            max_move: 1.0,
            max_ratio: 1.8,
            min_frames: 2,
            upper: 0.5,
            close_up: 0.25,
            tie_share: 0.5,
            smooth: MediaTime::from_millis(750),
            emotion_on: 0.45,
            emotion_off: 0.35,
            margin: 0.1,
            min_emotion: MediaTime::from_millis(500),
        }
    }
}

/// One face in one frame.
#[derive(Clone, Debug)]
struct Sight<'a> {
    time: MediaTime,
    /// Position of its frame among those looked at.
    frame: usize,
    bbox: BoxXyxy,
    score: f32,
    emotions: &'a [f32],
}

/// A frame that was looked at.
struct Look<'a> {
    /// From its time to that of the next one in the scene, or the scene's end.
    span: Span,
    scene: usize,
    faces: Vec<Sight<'a>>,
}

/// The face tracks with ids `F1`, `F2`, … and the emotions in order of start.
pub(super) fn faces(
    observations: &[Observation],
    scenes: &[Span],
    paths: &[Path],
    tracks: &[Track],
    options: &FaceOptions,
) -> (Vec<FaceTrack>, Vec<Emotion>) {
    let looks = looks(observations, scenes);
    let linked = link::link(&looks, options);
    let owners = tie::owners(&linked, &looks, paths, options);
    let (mut faces, mut emotions) = (Vec::new(), Vec::new());
    for (n, (sights, owner)) in link::settle(linked, owners, &looks, options).iter().enumerate() {
        let owner = *owner;
        let (Some(first), Some(last)) = (sights.first(), sights.last()) else { continue };
        let Some(largest) =
            sights.iter().max_by(|a, b| a.bbox.area().total_cmp(&b.bbox.area()).then(b.time.cmp(&a.time)))
        else {
            continue;
        };
        let entity = tracks.iter().find(|t| Some(t.id) == owner).and_then(|t| t.entity.clone());
        let face = FaceTrack {
            id: format!("F{}", n + 1),
            span: Span::new(first.time, looks[last.frame].span.end),
            score: sights.iter().map(|s| s.score).sum::<f32>() / sights.len() as f32,
            frames: sights.len() as u64,
            track: owner,
            entity: entity.clone(),
            bbox: largest.bbox,
            box_time_s: largest.time,
            path: route::route(sights),
        };
        let spans: Vec<Span> = sights.iter().map(|s| looks[s.frame].span).collect();
        emotions.extend(emotion::intervals(sights, &spans, options).into_iter().map(|found| Emotion {
            entity: entity.clone(),
            track: owner,
            face: Some(face.id.clone()),
            span: found.span,
            label: found.label.to_owned(),
            confidence: found.confidence,
        }));
        faces.push(face);
    }
    emotions.sort_by(|a, b| (a.span, &a.face, &a.label).cmp(&(b.span, &b.face, &b.label)));
    (faces, emotions)
}

/// The frames that were looked at, in order of time.
fn looks<'a>(observations: &'a [Observation], scenes: &[Span]) -> Vec<Look<'a>> {
    let mut claims: Vec<(Span, u64, &[tempograph_core::FaceSeen])> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Faces { frame, faces } => Some((o.span, *frame, faces.as_slice())),
            _ => None,
        })
        .collect();
    claims.sort_by_key(|&(span, frame, _)| (span.start, frame));
    claims.dedup_by_key(|c| c.0.start);
    let scene_of = |time| super::scenes::scene_at(scenes, time);
    let next = |i: usize| claims.get(i + 1).map(|c| c.0.start);
    claims
        .iter()
        .enumerate()
        .map(|(i, &(span, _, faces))| {
            let scene = scene_of(span.start);
            let scene_end = scenes.get(scene).map_or(span.end, |s| s.end);
            let end = next(i).filter(|&n| n < scene_end).unwrap_or(scene_end).max(span.start);
            let sights = faces.iter().filter(|f| f.bbox.area() > 0.0).map(|f| Sight {
                time: span.start,
                frame: i,
                bbox: f.bbox,
                score: f.score.clamp(0.0, 1.0),
                emotions: &f.emotions,
            });
            Look { span: Span::new(span.start, end), scene, faces: sights.collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests;
