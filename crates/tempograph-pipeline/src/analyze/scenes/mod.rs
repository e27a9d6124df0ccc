//! Scenes: where one shot ends and the next begins.
//!
//! The five detectors of PySceneDetect 0.7.2 with its names and defaults. The work is in two
//! parts. [`SceneAnalyzer`] *measures*: it shrinks every frame to at most 256 pixels a side and
//! compares it with the one before, keeping a handful of numbers. [`Detector::cuts`] *decides*: a
//! pure function from those numbers to cuts, so another threshold needs no new pass over the video.
//! [`scenes`] turns cuts into scenes that cover the whole video.

pub mod decide;
pub mod measure;

pub use decide::{Cut, Detector, Length, Scores};
pub use measure::{Measures, SceneAnalyzer};
use tempograph_core::{Span, timeline::Scene};

/// Raised whenever the measurements of a frame may come out differently than before.
pub const VERSION: u32 = 1;

/// The scenes between `cuts`, covering `video` without a gap; `cuts` in order of time.
///
/// The first scene starts at frame `first_frame`. Cuts at or outside the ends of `video` are left
/// out, so no scene is empty unless the video is.
pub fn scenes(cuts: &[Cut], video: Span, first_frame: u64) -> Vec<Scene> {
    let mut starts = vec![(video.start, first_frame)];
    for cut in cuts {
        let after = starts.last().is_none_or(|&(time, _)| cut.time > time);
        if after && cut.time < video.end {
            starts.push((cut.time, cut.frame));
        }
    }
    let ends = starts.iter().skip(1).map(|&(time, _)| time).chain([video.end]).collect::<Vec<_>>();
    starts
        .into_iter()
        .zip(ends)
        .enumerate()
        .map(|(i, ((start, start_frame), end))| Scene {
            id: format!("S{}", i + 1),
            span: Span::new(start, end),
            start_frame,
            thumbnail: None,
            summary: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::MediaTime;

    use super::*;

    fn at(ms: i64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    #[test]
    fn no_cut_is_one_scene() {
        let all = scenes(&[], Span::new(at(40), at(1000)), 0);
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].id.as_str(), all[0].span, all[0].start_frame), ("S1", Span::new(at(40), at(1000)), 0));
    }

    proptest! {
        #[test]
        fn scenes_cover_the_video_without_gap(mut times in prop::collection::vec(-50i64..1200, 0..20)) {
            times.sort_unstable();
            let video = Span::new(at(0), at(1000));
            let cuts: Vec<_> = times.iter().map(|&t| Cut { frame: t.max(0) as u64, time: at(t) }).collect();
            let all = scenes(&cuts, video, 0);
            prop_assert_eq!(all[0].span.start, video.start);
            prop_assert_eq!(all[all.len() - 1].span.end, video.end);
            prop_assert!(all.windows(2).all(|w| w[0].span.end == w[1].span.start));
            prop_assert!(all.iter().all(|s| s.span.start < s.span.end));
        }
    }
}
