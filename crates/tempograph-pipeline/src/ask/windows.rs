//! Windows: a video cut into stretches that a model is asked about one by one.
//!
//! Short scenes that follow each other share a window, long ones are split evenly, so that a window begins and ends
//! at cuts where it can. However long the video, there are no more windows than the options allow.

use tempograph_core::{MediaTime, Span, Timeline};

/// How a video is cut into windows, and what is shown of each.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowOptions {
    /// How long a window is meant to be.
    pub length: MediaTime,
    /// Frames shown of a window at most; never more than [`MAX_FRAMES`]. With 0 none is sent.
    pub frames: usize,
    /// Tokens that one frame may take.
    pub frame_tokens: u32,
    /// Windows at most: those of a longer video are longer.
    pub max_windows: usize,
}

/// Frames of a window at most, whatever is asked for.
pub const MAX_FRAMES: usize = 100;
/// Shortest window that is worth a question of its own.
const SHORTEST: f64 = 0.2;
/// Longest window, in lengths: what is longer is split.
const LONGEST: f64 = 1.5;
/// Growth of the length until the windows are few enough.
const GROWTH: f64 = 1.25;

impl Default for WindowOptions {
    fn default() -> Self {
        Self { length: MediaTime::from_millis(30_000), frames: 8, frame_tokens: 256, max_windows: 240 }
    }
}

/// A stretch that a model is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// From 0, in order of time.
    pub number: u32,
    /// When.
    pub span: Span,
}

impl Window {
    /// The name it has in the timeline.
    pub fn id(&self) -> String {
        id(self.number)
    }
}

/// The name of window `number` in the timeline.
pub(crate) fn id(number: u32) -> String {
    format!("W{}", u64::from(number) + 1)
}

/// The windows of `timeline`: in order, without gaps, covering the whole video.
pub fn windows(timeline: &Timeline, options: &WindowOptions) -> Vec<Window> {
    let video = &timeline.video;
    let whole = Span::new(video.start_s, video.start_s + video.duration_s);
    if whole.duration() <= MediaTime::ZERO {
        return Vec::new();
    }
    let mut scenes: Vec<Span> = timeline.scenes.iter().filter_map(|s| s.span.intersect(whole)).collect();
    if scenes.is_empty() {
        scenes.push(whole);
    }
    let most = options.max_windows.max(1);
    let mut length = options.length.as_secs_f64().max(1.0).max(whole.duration().as_secs_f64() / most as f64);
    loop {
        let spans = cut(&scenes, length);
        if spans.len() <= most {
            return (0..).zip(spans).map(|(number, span)| Window { number, span }).collect();
        }
        length *= GROWTH;
    }
}

fn cut(scenes: &[Span], length: f64) -> Vec<Span> {
    let seconds = |s: Span| s.duration().as_secs_f64();
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Option<Span> = None;
    for &scene in scenes {
        if let Some(group) = open {
            let both = Span::new(group.start, scene.end);
            if seconds(both) <= length || seconds(group) < length * SHORTEST && seconds(both) <= length * LONGEST {
                open = Some(both);
                continue;
            }
            close(&mut spans, group, length);
        }
        open = Some(scene);
    }
    if let Some(group) = open {
        close(&mut spans, group, length);
    }
    spans
}

/// Adds a group of scenes: split when it is too long, joined to the one before when it is too short to stand alone.
fn close(spans: &mut Vec<Span>, group: Span, length: f64) {
    let seconds = group.duration().as_secs_f64();
    if seconds < length * SHORTEST
        && let Some(last) = spans.last_mut()
        && (group.end - last.start).as_secs_f64() <= length * LONGEST
    {
        last.end = group.end;
        return;
    }
    let parts = if seconds > length * LONGEST { (seconds / length).ceil() as i64 } else { 1 };
    let at = |i: i64| match i {
        _ if i == parts => group.end,
        _ => group.start + MediaTime::from_nanos(group.duration().nanos() / parts * i),
    };
    spans.extend((0..parts).map(|i| Span::new(at(i), at(i + 1))));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::timeline::{Scene, Video};

    use super::*;

    fn timeline(scenes: &[f64]) -> Timeline {
        let mut at = 5.0;
        let mut timeline = Timeline::empty(Video {
            start_s: MediaTime::from_secs_f64(5.0),
            duration_s: MediaTime::from_secs_f64(scenes.iter().sum()),
            ..Video::default()
        });
        for (i, &length) in scenes.iter().enumerate() {
            let span = Span::new(MediaTime::from_secs_f64(at), MediaTime::from_secs_f64(at + length));
            let id = format!("S{}", i + 1);
            timeline.scenes.push(Scene { id, span, start_frame: 0, thumbnail: None, summary: None });
            at += length;
        }
        timeline
    }

    fn lengths(scenes: &[f64]) -> Vec<f64> {
        let windows = windows(&timeline(scenes), &WindowOptions::default());
        windows.iter().map(|w| w.span.duration().as_secs_f64()).collect()
    }

    #[test]
    fn short_scenes_share_a_window_and_long_ones_are_split() {
        assert_eq!(lengths(&[5.0, 10.0, 14.0, 20.0]), [29.0, 20.0]);
        assert_eq!(lengths(&[100.0]), [25.0; 4]);
        assert_eq!(lengths(&[40.0]), [40.0], "not worth two questions");
        assert_eq!(lengths(&[2.0, 30.0]), [32.0], "a scrap joins what follows");
        assert_eq!(lengths(&[30.0, 2.0]), [32.0], "or what went before");
    }

    #[test]
    fn a_video_without_scenes_is_cut_by_time_and_an_empty_one_not_at_all() {
        let mut heard = timeline(&[90.0]);
        heard.scenes.clear();
        assert_eq!(windows(&heard, &WindowOptions::default()).len(), 3);
        heard.video.duration_s = MediaTime::ZERO;
        assert!(windows(&heard, &WindowOptions::default()).is_empty());
    }

    #[test]
    fn a_day_has_no_more_windows_than_allowed() {
        let day = timeline(&[3.0; 28_800]);
        let options = WindowOptions { max_windows: 50, ..WindowOptions::default() };
        assert!((30..=50).contains(&windows(&day, &options).len()));
    }

    proptest! {
        #[test]
        fn windows_cover_the_video_in_order(scenes in prop::collection::vec(0.2f64..200.0, 1..40), most in 1usize..30) {
            let timeline = timeline(&scenes);
            let options = WindowOptions { max_windows: most, ..WindowOptions::default() };
            let windows = windows(&timeline, &options);
            prop_assert!(!windows.is_empty() && windows.len() <= most);
            prop_assert_eq!(windows[0].span.start, timeline.video.start_s);
            let end = timeline.scenes.last().expect("one").span.end.min(timeline.video.start_s + timeline.video.duration_s);
            prop_assert_eq!(windows[windows.len() - 1].span.end, end);
            for (i, pair) in windows.windows(2).enumerate() {
                prop_assert_eq!(pair[0].span.end, pair[1].span.start);
                prop_assert_eq!(pair[0].number as usize, i);
                prop_assert!(pair[0].span.duration() > MediaTime::ZERO);
            }
        }
    }
}
