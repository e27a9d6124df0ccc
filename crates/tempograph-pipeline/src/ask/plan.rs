//! What will be asked: windows, the frames and evidence of each, and which need no question of their own.

use serde::Serialize;
use tempograph_core::{
    MediaTime, Result, Size, Span, Timeline,
    vlm::{Limits, TOKENS_A_VIDEO_SECOND, VideoPart, Vlm},
};

use super::{
    Asking,
    context::{self, Evidence, Places},
    frames,
    pictures::{Album, Moment, Shot},
    summary::{self, CHARS_A_TOKEN},
    windows::{Window, windows},
};
use crate::cache::Objects;

/// Time between the moments that frames are taken from where no small pictures were kept.
const STEP: MediaTime = MediaTime::from_millis(500);
/// Tokens that a question takes besides prompt, evidence and frames: its form and the turns around it.
const FORM_TOKENS: u64 = 700;
/// Tokens around each frame: its time and markers.
const FRAME_MARK: u64 = 10;

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is asked about.
    Ask,
    /// It looks and sounds like this earlier one, whose answer it takes.
    SameAs(usize),
    /// There is nothing to ask about: no frames, and nothing was measured.
    Nothing,
}

/// A window with all that is put to the model.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) window: Window,
    pub(crate) evidence: Evidence,
    /// Moments to be shown; empty for a model that only reads.
    pub(crate) moments: Vec<Moment>,
    pub(crate) need: Need,
}

/// Everything that will be asked of a video.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) windows: Vec<Planned>,
    /// The size frames are shown in; `None` when none are.
    pub(crate) size: Option<Size>,
    /// The whole video, of which each window is a part, in place of frames.
    pub(crate) video: Option<VideoPart>,
}

/// What asking would take, before anything is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Who would be asked.
    pub model: String,
    /// Windows of the video.
    pub windows: u64,
    /// Windows that would be asked about.
    pub asked: u64,
    /// Windows that take the answer of one like them.
    pub saved: u64,
    /// Frames that would be sent.
    pub frames: u64,
    /// Tokens of one frame.
    pub frame_tokens: u64,
    /// Seconds of the video that the model would look at itself, where the file is sent and not frames.
    pub video_s: u64,
    /// Calls for summaries.
    pub summaries: u64,
    /// Tokens that would be sent.
    pub tokens_in: u64,
    /// Tokens that the answers may take at most.
    pub tokens_out: u64,
    /// Whether the video was looked at before, so that this rests on what it shows; else on its length alone.
    pub measured: bool,
}

/// What is known when a plan is made.
pub(crate) struct Known<'a> {
    pub(crate) timeline: &'a Timeline,
    /// With track ids, in order of time.
    pub(crate) places: &'a Places,
    /// In order of time.
    pub(crate) shots: &'a [Shot],
    pub(crate) objects: &'a dyn Objects,
    /// The video, where it is to be sent itself.
    pub(crate) video: Option<VideoPart>,
}

/// Plans the questions about a video.
///
/// # Errors
/// When a small picture cannot be read, or frames of the video's size cannot be shown.
pub(crate) fn plan(known: &Known<'_>, limits: &Limits, asking: &Asking) -> Result<Plan> {
    let timeline = known.timeline;
    let (width, height) = (timeline.video.width, timeline.video.height);
    let blind = limits.images == 0 || asking.windows.frames == 0;
    let (size, most) = if width == 0 || height == 0 {
        (None, 0)
    } else if known.video.is_some() {
        // No frame is shown, but moments are chosen: they tell whether windows are alike, and stand for them.
        (None, asking.windows.frames.clamp(1, frames::MAX_MOMENTS))
    } else if blind {
        (None, 0)
    } else {
        let (size, most) = frames::shown(Size::new(width, height), limits, &asking.windows)?;
        (Some(size), most)
    };
    let scenes: Vec<Span> = timeline.scenes.iter().map(|s| s.span).collect();
    let begins = frames::beginnings(timeline);
    let mut album = Album::new(known.objects);
    let mut planned: Vec<Planned> = Vec::new();
    for window in windows(timeline, &asking.windows) {
        let evidence = context::evidence(&window, timeline, known.places, &asking.context);
        let moments = if most > 0 {
            let moments = moments(window.span, known.shots, &mut album)?;
            frames::choose(window.span, &scenes, &moments, &begins, most)
        } else {
            Vec::new()
        };
        let need = need(&evidence, &moments, &planned);
        planned.push(Planned { window, evidence, moments, need });
    }
    Ok(Plan { windows: planned, size, video: known.video.clone() })
}

/// The moments of a window: those of small pictures, else evenly spaced ones whose look is not known.
fn moments(window: Span, shots: &[Shot], album: &mut Album<'_>) -> Result<Vec<Moment>> {
    let from = shots.partition_point(|s| s.span.start < window.start);
    let to = shots.partition_point(|s| s.span.start < window.end);
    let own = shots.get(from..to).unwrap_or_default();
    let step = own.len().div_ceil(frames::MAX_MOMENTS).max(1);
    if !own.is_empty() {
        let look = |shot: &Shot| Ok(Moment { time: shot.span.start, look: album.look(shot)? });
        return own.iter().step_by(step).map(look).collect();
    }
    let count = (window.duration().nanos() / STEP.nanos()).clamp(1, frames::MAX_MOMENTS as i64);
    let each = window.duration().nanos() / count;
    Ok((0..count)
        .map(|i| Moment { time: window.start + MediaTime::from_nanos(each * i + each / 2), look: None })
        .collect())
}

fn need(evidence: &Evidence, moments: &[Moment], earlier: &[Planned]) -> Need {
    if moments.is_empty() && evidence.own.is_empty() {
        return Need::Nothing;
    }
    let same = |p: &Planned| {
        let pictures = moments.is_empty() && p.moments.is_empty() || frames::alike(moments, &p.moments);
        p.need == Need::Ask && p.evidence.own.same(&evidence.own) && pictures
    };
    earlier.iter().position(same).map_or(Need::Ask, Need::SameAs)
}

impl Plan {
    /// Calls that are not made because another window's answer serves.
    pub(crate) fn saved(&self) -> u64 {
        self.windows.iter().filter(|p| matches!(p.need, Need::SameAs(_))).count() as u64
    }

    /// Everything the questions hold besides prompts and pixels: equal digests, equal questions.
    pub(crate) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let size = self.size.unwrap_or_default();
        hasher.update(&size.width.to_le_bytes());
        hasher.update(&size.height.to_le_bytes());
        hasher.update(&[u8::from(self.video.is_some())]);
        for p in &self.windows {
            hasher.update(&p.window.span.start.nanos().to_le_bytes());
            hasher.update(&p.window.span.end.nanos().to_le_bytes());
            hasher.update(format!("{:?}", p.need).as_bytes());
            hasher.update(&(p.moments.len() as u64).to_le_bytes());
            p.moments.iter().for_each(|m| {
                hasher.update(&m.time.nanos().to_le_bytes());
            });
            hasher.update(&(p.evidence.text.len() as u64).to_le_bytes());
            hasher.update(p.evidence.text.as_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }

    /// What asking all of it of `model` would take.
    pub(crate) fn estimate(&self, model: &dyn Vlm, asking: &Asking, measured: bool) -> Estimate {
        let asked: Vec<&Planned> = self.windows.iter().filter(|p| p.need == Need::Ask).collect();
        let frame_tokens = self.size.map_or(0, |s| frames::tokens(s, model.limits().image_factor));
        let frames: u64 = self.size.map_or(0, |_| asked.iter().map(|p| p.moments.len() as u64).sum());
        let seen = |p: &&Planned| p.window.span.duration().as_secs_f64();
        let video_s = self.video.as_ref().map_or(0.0, |_| asked.iter().map(seen).sum());
        let video_tokens = (video_s * TOKENS_A_VIDEO_SECOND).ceil() as u64;
        let prompt = (asking.prompts.system().len() + asking.prompts.window().len()) as u64;
        let words: u64 = asked.iter().map(|p| prompt + p.evidence.text.len() as u64).sum();
        let count = asked.len() as u64;
        let mut estimate = Estimate {
            model: model.limits().model.clone(),
            windows: self.windows.len() as u64,
            asked: count,
            saved: self.saved(),
            frames,
            frame_tokens,
            video_s: video_s.ceil() as u64,
            tokens_in: words.div_ceil(CHARS_A_TOKEN)
                + count * FORM_TOKENS
                + frames * (frame_tokens + FRAME_MARK)
                + video_tokens,
            tokens_out: count * u64::from(asking.answer_tokens),
            measured,
            ..Estimate::default()
        };
        if asking.summarise {
            let told = self.windows.iter().filter(|p| p.need != Need::Nothing).count() as u64;
            let (calls, tokens) = summary::estimate(told, &asking.summary);
            let prompt = (asking.prompts.system().len() + asking.prompts.summary().len()) as u64 / CHARS_A_TOKEN;
            estimate.summaries = calls;
            estimate.tokens_in += tokens + calls * (prompt + FORM_TOKENS);
            estimate.tokens_out += calls * u64::from(asking.summary.answer_tokens);
        }
        estimate
    }
}
