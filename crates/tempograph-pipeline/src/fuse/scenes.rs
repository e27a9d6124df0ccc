//! Scenes: the stretches between the cuts of one detector.

use tempograph_core::{
    Claim, MediaTime, Observation, Span,
    timeline::{Scene, Video},
};

/// The whole video as consecutive scenes; none without a video stream.
pub(super) fn scenes(video: &Video, observations: &[Observation], detector: Option<&str>) -> Vec<Scene> {
    if video.width == 0 || video.height == 0 {
        return Vec::new();
    }
    let (start, end) = (video.start_s, video.start_s + video.duration_s);
    let mut cuts: Vec<(MediaTime, u64)> = observations
        .iter()
        .filter_map(|o| match &o.claim {
            Claim::Cut { frame, detector: by } if detector.is_none_or(|d| d == by) => Some((o.span.start, *frame)),
            _ => None,
        })
        .filter(|&(time, _)| start < time && time < end)
        .collect();
    cuts.sort_unstable();
    cuts.dedup_by_key(|&mut (time, _)| time);

    let starts: Vec<_> = std::iter::once((start, 0)).chain(cuts).collect();
    let ends = starts.iter().skip(1).map(|&(time, _)| time).chain(std::iter::once(end));
    starts
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(i, (&(start, start_frame), end))| Scene {
            id: format!("S{}", i + 1),
            span: Span::new(start, end),
            start_frame,
            thumbnail: None,
            summary: None,
        })
        .collect()
}

/// Index of the scene that shows at `time`; times outside the video belong to the nearest one.
pub(super) fn scene_at(scenes: &[Span], time: MediaTime) -> usize {
    scenes.partition_point(|s| s.start <= time).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(frame: u64, detector: &str) -> Observation {
        let time = MediaTime::from_millis(frame as i64 * 40 + 1000);
        Observation { span: Span::new(time, time), claim: Claim::Cut { frame, detector: detector.into() } }
    }

    fn video() -> Video {
        Video {
            width: 64,
            height: 36,
            start_s: MediaTime::from_millis(1000),
            duration_s: MediaTime::from_millis(4000),
            ..Video::default()
        }
    }

    #[test]
    fn scenes_cover_the_video_and_start_at_the_primary_detectors_cuts() {
        let claims = [cut(50, "content"), cut(25, "content"), cut(30, "hash"), cut(25, "content"), cut(0, "content")];
        let scenes = scenes(&video(), &claims, Some("content"));
        let frames: Vec<_> = scenes.iter().map(|s| s.start_frame).collect();
        assert_eq!(frames, [0, 25, 50]);
        assert_eq!(scenes[0].span.start, MediaTime::from_millis(1000));
        assert_eq!(scenes[2].span.end, MediaTime::from_millis(5000));
        assert!(scenes.windows(2).all(|w| w[0].span.end == w[1].span.start));
    }

    #[test]
    fn sound_alone_has_no_scenes() {
        assert!(scenes(&Video::default(), &[], None).is_empty());
    }

    #[test]
    fn the_scene_of_a_time() {
        let spans: Vec<_> = scenes(&video(), &[cut(25, "a")], None).iter().map(|s| s.span).collect();
        assert_eq!(scene_at(&spans, MediaTime::ZERO), 0);
        assert_eq!(scene_at(&spans, MediaTime::from_millis(2000)), 1);
        assert_eq!(scene_at(&spans, MediaTime::MAX), 1);
    }
}
