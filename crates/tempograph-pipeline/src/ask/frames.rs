//! Which frames of a window a model is shown, and fetching them in one more read of the file.

use std::path::Path;

use tempograph_core::{
    Cancel, Error, ErrorKind, Issue, MediaTime, Result, RgbRequest, ScaleFilter, Size, Span, Timeline,
    vlm::{Limits, TimedImage},
};
use tempograph_media::{
    Reader, Sample, SkipFrames, VideoWants, Wants,
    sampling::{IMAGE_MIN_TOKENS, smart_resize},
};

use super::{
    pictures::{Look, Moment},
    windows::{MAX_FRAMES, WindowOptions},
};

/// Moments of one window that are weighed at most; of more, evenly spread ones are.
pub(crate) const MAX_MOMENTS: usize = 240;
/// Frames that even a window in which nothing moves is shown with: one pair.
const LEAST: usize = 2;
/// News below which a further frame is not worth its tokens.
const MIN_NEWS: f64 = 0.02;
/// What a moment at which something begins counts more, in news.
const BEGINS: f64 = 0.5;
/// How soon after its beginning something must be seen.
const BEGINS_WITHIN: MediaTime = MediaTime::from_millis(1000);
/// What being far from other chosen moments counts at most, in news: it decides between equals.
const SPREAD: f64 = 0.25;
/// Moments this near to the end of their scene are left out: the frame that is found may be a little later.
const EDGE: MediaTime = MediaTime::from_millis(200);
/// Side of the square that is a token, for a model that does not say: those count tiles or pictures instead.
const FACTOR: u32 = 28;

fn side(factor: u32) -> u32 {
    if factor < 2 { FACTOR } else { factor }
}

/// The size frames of `size` are shown in, and how many of a window there may be.
///
/// # Errors
/// As [`smart_resize`].
pub(crate) fn shown(size: Size, limits: &Limits, options: &WindowOptions) -> Result<(Size, usize)> {
    let factor = side(limits.image_factor);
    let per_token = f64::from(factor) * f64::from(factor);
    // Frames may fill half of what the model takes; the other half is for words.
    let room = (limits.context_tokens / 2).max(u64::from(IMAGE_MIN_TOKENS));
    let each = u64::from(options.frame_tokens.max(IMAGE_MIN_TOKENS)).min(room);
    let to = smart_resize(size, factor, None, Some(each as f64 * per_token))?;
    let most = options.frames.clamp(1, MAX_FRAMES).min(limits.images as usize);
    let fit = (room / tokens(to, factor).max(1)).max(1) as usize;
    Ok((to, most.min(fit)))
}

/// Tokens that a picture of `size` takes.
pub(crate) fn tokens(size: Size, factor: u32) -> u64 {
    let side = u64::from(side(factor));
    u64::from(size.width).div_ceil(side) * u64::from(size.height).div_ceil(side)
}

/// When something begins that a model should see: entities, events and texts.
pub(crate) fn beginnings(timeline: &Timeline) -> Vec<MediaTime> {
    let tracks = timeline.tracks.iter().map(|t| t.span.start);
    let events = timeline.visual_events.iter().map(|e| e.span.start);
    let mut all: Vec<_> = tracks.chain(events).chain(timeline.texts.iter().map(|t| t.span.start)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// At most `most` of `moments`, which are in order of time and lie in `window`: at least one of each scene as far as
/// they reach, the longest first, then what is news against those chosen, sooner where something begins.
pub(crate) fn choose(
    window: Span,
    scenes: &[Span],
    moments: &[Moment],
    begins: &[MediaTime],
    most: usize,
) -> Vec<Moment> {
    let step = moments.len().div_ceil(MAX_MOMENTS).max(1);
    let moments: Vec<&Moment> = moments.iter().step_by(step).collect();
    if moments.is_empty() || most == 0 {
        return Vec::new();
    }
    let mut own: Vec<Span> = scenes.iter().filter_map(|s| s.intersect(window)).collect();
    let early = |m: &Moment| !own.iter().any(|s| s.contains(m.time) && s.end - m.time < EDGE);
    let inside: Vec<bool> = moments.iter().map(|m| early(m)).collect();
    own.sort_by_key(|s| (std::cmp::Reverse(s.duration()), s.start));

    let mut chosen: Vec<usize> = Vec::new();
    for scene in own.iter().take(most) {
        let middle = MediaTime::from_nanos((scene.start.nanos() + scene.end.nanos()) / 2);
        let there = (0..moments.len()).filter(|&i| scene.contains(moments[i].time));
        if let Some(i) = there.min_by_key(|&i| (!inside[i], moments[i].time.abs_diff(middle)))
            && !chosen.contains(&i)
        {
            chosen.push(i);
        }
    }
    if chosen.is_empty() {
        chosen.push(moments.len() / 2);
    }
    let mut starts = vec![false; moments.len()];
    for &begin in begins.iter().filter(|b| window.contains(**b)) {
        let i = moments.partition_point(|m| m.time < begin);
        if moments.get(i).is_some_and(|m| m.time - begin <= BEGINS_WITHIN) {
            starts[i] = true;
        }
    }
    let usual = window.duration().as_secs_f64() / most as f64;
    let mut gap: Vec<(f64, f64)> = vec![(f64::INFINITY, f64::INFINITY); moments.len()];
    let mut next = 0;
    loop {
        // What each moment would add, kept up as moments are chosen.
        for &c in &chosen[next..] {
            for (i, gap) in gap.iter_mut().enumerate() {
                let apart = moments[i].time.abs_diff(moments[c].time).as_secs_f64();
                gap.0 = gap.0.min(apart);
                gap.1 = gap.1.min(news(moments[i], moments[c], apart / usual.max(1e-9)));
            }
        }
        next = chosen.len();
        if chosen.len() >= most {
            break;
        }
        let worth = |i: usize| {
            let (apart, news) = gap[i];
            let begins = if starts[i] && news > 0.0 { BEGINS } else { 0.0 };
            (news + begins, news + begins + SPREAD * (apart / usual.max(1e-9)).min(1.0))
        };
        let free = (0..moments.len()).filter(|&i| inside[i] && !chosen.contains(&i));
        let best = free.max_by(|&a, &b| worth(a).1.total_cmp(&worth(b).1).then(b.cmp(&a)));
        match best {
            Some(i) if worth(i).0 >= MIN_NEWS || chosen.len() < LEAST => chosen.push(i),
            _ => break,
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|i| moments[i].clone()).collect()
}

/// How new `a` is where `b` is known; where looks are unknown, time alone says.
fn news(a: &Moment, b: &Moment, apart: f64) -> f64 {
    match (&a.look, &b.look) {
        (Some(a), Some(b)) => a.news(b),
        _ => (apart / 2.0).min(1.0),
    }
}

/// Whether two windows show the same: each chosen moment of one looks like one of the other.
pub(crate) fn alike(a: &[Moment], b: &[Moment]) -> bool {
    let looks = |m: &[Moment]| m.iter().map(|m| m.look.clone()).collect::<Option<Vec<Look>>>();
    let (Some(a), Some(b)) = (looks(a), looks(b)) else { return false };
    let covered = |a: &[Look], b: &[Look]| a.iter().all(|x| b.iter().any(|y| x.same(y)));
    !a.is_empty() && !b.is_empty() && covered(&a, &b) && covered(&b, &a)
}

/// The frames wanted of one window.
pub(crate) struct Wanted {
    /// In order.
    pub(crate) times: Vec<MediaTime>,
}

/// Reads the file once more and hands each window's frames over, window by window, in order; those of the next are
/// not held yet. Ends with the last frame that is wanted. `give` returns whether to go on.
///
/// # Errors
/// When the file cannot be read, a picture cannot be made, or `cancel` was raised.
pub(crate) fn read(
    path: &Path,
    size: Size,
    wanted: &[Wanted],
    cancel: &Cancel,
    give: &mut dyn FnMut(usize, Vec<TimedImage>) -> bool,
) -> Result<Vec<Issue>> {
    let mut at = 0;
    let mut held: Vec<TimedImage> = Vec::new();
    let mut next = 0;
    let request = RgbRequest { size, filter: ScaleFilter::Bicubic };
    let stop = || Error::new(ErrorKind::StageFailed, "no more frames are wanted");
    let mut reader = Reader::open(path)?;
    // What no other frame refers to is about a third of the work; a chosen moment is then met a little later.
    let wants = Wants { video: Some(VideoWants { skip: SkipFrames::NonRef }), audio: None };
    let report = reader.read(&wants, cancel, &mut |sample| {
        let Sample::Frame(frame) = sample else { return Ok(()) };
        let mut image = None;
        loop {
            let Some(window) = wanted.get(at) else { return Err(stop()) };
            match window.times.get(next) {
                Some(&time) if frame.time < time => return Ok(()),
                Some(_) => {
                    next += 1;
                    if held.last().is_none_or(|last| last.time < frame.time) {
                        let image = match &image {
                            Some(image) => std::sync::Arc::clone(image),
                            None => std::sync::Arc::clone(image.insert(frame.picture.rgb(request)?)),
                        };
                        held.push(TimedImage { time: frame.time, image });
                    }
                }
                None => {
                    if !give(at, std::mem::take(&mut held)) {
                        return Err(stop());
                    }
                    (at, next) = (at + 1, 0);
                }
            }
        }
    });
    match report {
        Ok(report) => {
            // The file ended before the last frames came.
            while at < wanted.len() && give(at, std::mem::take(&mut held)) {
                at += 1;
            }
            Ok(report.issues)
        }
        Err(error) if error.kind() == ErrorKind::StageFailed => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempograph_core::vlm::Structured;

    use super::*;
    use crate::ask::pictures::tests::look;

    fn ms(ms: i64) -> MediaTime {
        MediaTime::from_millis(ms)
    }

    fn limits(images: u32, context_tokens: u64) -> Limits {
        Limits {
            model: "m".into(),
            context_tokens,
            images,
            image_factor: 28,
            video: false,
            structured: Structured::Prompt,
            concurrency: 1,
            remote: false,
        }
    }

    fn moments(looks: impl IntoIterator<Item = Look>) -> Vec<Moment> {
        (0..).zip(looks).map(|(i, look)| Moment { time: ms(500 * i), look: Some(look) }).collect()
    }

    fn times(chosen: &[Moment]) -> Vec<i64> {
        chosen.iter().map(|m| m.time.nanos() / 1_000_000).collect()
    }

    #[test]
    fn frames_fit_the_model() {
        let options = WindowOptions::default();
        let (size, most) = shown(Size::new(1920, 1080), &limits(100, 32_768), &options).unwrap();
        assert_eq!((size.width % 28, size.height % 28, most), (0, 0, 8));
        assert!(tokens(size, 28) <= 256);
        let (_, few) = shown(Size::new(1920, 1080), &limits(100, 2048), &options).unwrap();
        assert_eq!(few, 4, "half of 2048 tokens is four frames");
        assert_eq!(shown(Size::new(1920, 1080), &limits(0, 2048), &options).unwrap().1, 0);
        assert_eq!(shown(Size::new(1920, 1080), &limits(3, 32_768), &options).unwrap().1, 3);
    }

    #[test]
    fn a_still_window_takes_two_frames_and_a_lively_one_all() {
        let window = Span::new(ms(0), ms(30_000));
        let still = moments((0..60).map(|_| look(90, None)));
        assert_eq!(choose(window, &[window], &still, &[], 8).len(), 2);
        let lively = moments((0..60).map(|i| look(90, Some((i / 4, 200)))));
        assert_eq!(choose(window, &[window], &lively, &[], 8).len(), 8);
        assert!(choose(window, &[window], &[], &[], 8).is_empty());
    }

    #[test]
    fn every_scene_is_shown_before_any_twice() {
        let window = Span::new(ms(0), ms(30_000));
        let scenes =
            [Span::new(ms(0), ms(20_000)), Span::new(ms(20_000), ms(22_000)), Span::new(ms(22_000), ms(30_000))];
        let seen = moments((0..60).map(|i| {
            look(
                if i < 40 {
                    20
                } else if i < 44 {
                    120
                } else {
                    220
                },
                None,
            )
        }));
        let chosen = times(&choose(window, &scenes, &seen, &[], 3));
        assert_eq!(chosen, [10_000, 21_000, 26_000]);
    }

    #[test]
    fn where_something_begins_is_looked_at_first() {
        let window = Span::new(ms(0), ms(30_000));
        let seen = moments((0..60).map(|i| look(90, Some((i % 16, 140)))));
        let chosen = times(&choose(window, &[window], &seen, &[ms(3_900), ms(27_100)], 4));
        assert!(chosen.contains(&4_000) && chosen.contains(&27_500), "{chosen:?}");
    }

    #[test]
    fn windows_are_alike_whatever_the_order_of_their_pictures() {
        let (a, b) = (look(10, None), look(200, None));
        assert!(alike(&moments([a.clone(), b.clone()]), &moments([b.clone(), a.clone(), b.clone()])));
        assert!(!alike(&moments([a.clone(), b]), &moments([a.clone()])));
        assert!(!alike(&moments([a]), &[Moment { time: ms(0), look: None }]), "the unknown is like nothing");
    }

    proptest! {
        #[test]
        fn what_is_chosen_lies_among_the_moments(
            greys in prop::collection::vec((0u8..4, 0usize..16), 0..80), most in 0usize..12, cut in 1i64..40_000,
        ) {
            let seen = moments(greys.iter().map(|&(g, at)| look(g * 60, Some((at, 255)))));
            let window = Span::new(ms(0), ms(40_000));
            let scenes = [Span::new(ms(0), ms(cut)), Span::new(ms(cut), ms(40_000))];
            let chosen = choose(window, &scenes, &seen, &[ms(1000)], most);
            prop_assert!(chosen.len() <= most);
            prop_assert!(chosen.windows(2).all(|w| w[0].time < w[1].time));
            prop_assert!(chosen.iter().all(|c| seen.contains(c)));
            prop_assert_eq!(chosen.is_empty(), seen.is_empty() || most == 0);
        }
    }
}
