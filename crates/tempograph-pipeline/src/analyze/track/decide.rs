//! Tracks from the detections of a whole video.

use std::collections::BTreeMap;

use tempograph_core::{Claim, Error, ErrorKind, MediaTime, Observation, Result, Span, timeline::Track};

use super::{ByteTrack, ByteTrackOptions, Labels, Sort, SortOptions, Tracker};

/// Which tracker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrackerKind {
    /// [`ByteTrack`].
    #[default]
    ByteTrack,
    /// [`Sort`].
    Sort,
}

impl TrackerKind {
    /// The kind that users call `name`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when there is none.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "bytetrack" => Ok(Self::ByteTrack),
            "sort" => Ok(Self::Sort),
            _ => Err(Error::new(ErrorKind::Config, format!("unknown tracker: {name}"))
                .with_hint("choose `bytetrack` or `sort`")),
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByteTrack => "bytetrack",
            Self::Sort => "sort",
        }
    }
}

/// How [`track`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackOptions {
    /// Which tracker follows.
    pub tracker: TrackerKind,
    /// Its options when it is ByteTrack; `step` is set by [`Self::step`].
    pub bytetrack: ByteTrackOptions,
    /// Its options when it is SORT; `step` is set by [`Self::step`].
    pub sort: SortOptions,
    /// Distance of analysed frames; the median of their distances when not given.
    pub step: Option<MediaTime>,
    /// Whether tracks end at hard cuts.
    pub end_at_cuts: bool,
}

impl Default for TrackOptions {
    fn default() -> Self {
        Self {
            tracker: TrackerKind::default(),
            bytetrack: ByteTrackOptions::default(),
            sort: SortOptions::default(),
            step: None,
            end_at_cuts: true,
        }
    }
}

impl TrackOptions {
    /// The defaults for a detector whose boxes are to be trusted from `score` on.
    ///
    /// Detectors differ in how sure they sound: the trackers' own default suits those that reach
    /// 0.9 and more on clear objects, NanoDet-g does best with 0.5.
    pub fn trusting(score: f32) -> Self {
        let mut options = Self::default();
        options.bytetrack.high_score = score;
        options.sort.min_score = score;
        options
    }
}

/// What [`track`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tracked {
    /// The detections, in order of time, with their track ids.
    pub observations: Vec<Observation>,
    /// The tracks, in order of their ids.
    pub tracks: Vec<Track>,
}

/// Joins the detections among `observations` into tracks.
///
/// Other claims are left out. `cuts` are the times of the first frames of new scenes. Ids count
/// from 1 in order of first appearance, within a frame in order of rows. The same input gives the
/// same tracks, in whatever order it comes.
pub fn track(observations: &[Observation], cuts: &[MediaTime], options: &TrackOptions) -> Tracked {
    let mut seen = in_order(observations);
    let mut cuts = cuts.to_vec();
    cuts.sort_unstable();
    let mut tracker = open(options, options.step.unwrap_or_else(|| median_step(&seen)));

    let mut ids: Vec<Vec<Option<u32>>> = Vec::with_capacity(seen.len());
    let mut next_cut = cuts.iter().copied().peekable();
    for o in &seen {
        let mut crossed = false;
        while next_cut.next_if(|&cut| cut <= o.span.start).is_some() {
            crossed = true;
        }
        if crossed && options.end_at_cuts {
            tracker.cut();
        }
        let Claim::Detections { detections, .. } = &o.claim else { continue };
        ids.push(tracker.update(detections, o.span.start));
        for s in tracker.confirmed() {
            if let Some(id) = usize::try_from(s.update).ok().and_then(|u| ids.get_mut(u)?.get_mut(s.row)) {
                *id = Some(s.track);
            }
        }
    }
    rename(&mut ids);
    let tracks = summarise(&seen, &ids);
    for (o, ids) in seen.iter_mut().zip(ids) {
        if let Claim::Detections { detections, .. } = &mut o.claim {
            // One id a row is what trackers promise; rows without ids are the answer otherwise.
            if let Ok(with_ids) = std::mem::take(detections).without_appearances().with_tracks(ids) {
                *detections = with_ids;
            }
        }
    }
    Tracked { observations: seen, tracks }
}

/// The tracks that detections came with; `None` when none of them names one.
///
/// Whoever followed the objects before knew more than boxes tell, so nothing is joined or renamed.
pub fn named(observations: &[Observation]) -> Option<Tracked> {
    let seen = in_order(observations);
    let ids: Vec<Vec<Option<u32>>> = seen
        .iter()
        .map(|o| match &o.claim {
            Claim::Detections { detections, .. } => detections.iter().map(|d| d.track).collect(),
            _ => Vec::new(),
        })
        .collect();
    let some = ids.iter().flatten().any(Option::is_some);
    some.then(|| Tracked { tracks: summarise(&seen, &ids), observations: seen })
}

/// The detections among `observations` in order of time.
fn in_order(observations: &[Observation]) -> Vec<Observation> {
    let mut seen: Vec<Observation> =
        observations.iter().filter(|o| matches!(o.claim, Claim::Detections { .. })).cloned().collect();
    seen.sort_by_key(|o| (o.span, frame_of(o)));
    seen
}

fn open(options: &TrackOptions, step: MediaTime) -> Box<dyn Tracker> {
    match options.tracker {
        TrackerKind::ByteTrack => Box::new(ByteTrack::new(ByteTrackOptions { step, ..options.bytetrack.clone() })),
        TrackerKind::Sort => Box::new(Sort::new(SortOptions { step, ..options.sort.clone() })),
    }
}

fn frame_of(o: &Observation) -> u64 {
    if let Claim::Detections { frame, .. } = o.claim { frame } else { 0 }
}

/// The median distance of consecutive frames; 1/30 s when there are not two.
fn median_step(seen: &[Observation]) -> MediaTime {
    let mut gaps: Vec<MediaTime> =
        seen.windows(2).map(|w| w[1].span.start - w[0].span.start).filter(|&g| g > MediaTime::ZERO).collect();
    if gaps.is_empty() {
        return ByteTrackOptions::default().step;
    }
    let middle = gaps.len() / 2;
    *gaps.select_nth_unstable(middle).1
}

/// Renames ids to 1, 2, … in order of first appearance.
fn rename(ids: &mut [Vec<Option<u32>>]) {
    let mut names = BTreeMap::new();
    for id in ids.iter_mut().flatten().flatten() {
        let next = names.len() as u32 + 1;
        *id = *names.entry(*id).or_insert(next);
    }
}

fn summarise(seen: &[Observation], ids: &[Vec<Option<u32>>]) -> Vec<Track> {
    struct Sum {
        labels: Labels,
        score: f64,
        frames: u64,
        span: Span,
    }
    let mut sums: BTreeMap<u32, Sum> = BTreeMap::new();
    for (o, ids) in seen.iter().zip(ids) {
        let Claim::Detections { detections, .. } = &o.claim else { continue };
        for (d, id) in detections.iter().zip(ids) {
            let Some(id) = id else { continue };
            let sum = sums.entry(*id).or_insert_with(|| Sum {
                labels: Labels::default(),
                score: 0.0,
                frames: 0,
                span: o.span,
            });
            sum.labels.add(d.label);
            sum.score += f64::from(d.score);
            sum.frames += 1;
            sum.span.end = sum.span.end.max(o.span.end);
        }
    }
    let track = |(id, s): (u32, Sum)| Track {
        id,
        label: s.labels.majority().to_owned(),
        score: (s.score / s.frames as f64) as f32,
        span: s.span,
        frames: s.frames,
        entity: None,
    };
    sums.into_iter().map(track).collect()
}
