//! What calls cost, and the limits that are kept before they are passed.
//!
//! A call reserves the most it can cost; what it did cost replaces that when it ends. Reservations count: ten calls at
//! once cannot pass a limit together that each of them keeps.

use std::sync::Arc;

use parking_lot::Mutex;
use tempograph_core::{
    Error, ErrorKind, Issue, MediaTime, Result,
    vlm::{Ask, Limits, Part, SpendLedger, Spending, TOKENS_A_VIDEO_SECOND, Usage},
};

use crate::router::WallClock;

/// Letters that make a token at least, in the text of prompts: English has four, numbers and other scripts fewer. An
/// estimate must not be too small.
const BYTES_A_TOKEN: u64 = 3;
/// Tokens around each message and part.
const TOKENS_A_PART: u64 = 8;
/// Tokens of a tile, for models that cut pictures into tiles (Gemini's documentation of its tokens).
const TOKENS_A_TILE: u64 = 258;
/// A picture with no longer side is one tile.
const ONE_TILE_PX: u32 = 384;
/// Sides of a tile at least and at most.
const TILE_PX: [u32; 2] = [256, 768];

/// The tokens that `ask` sends to a model of `limits`, rather too many than too few.
pub fn estimate_tokens_in(ask: &Ask, limits: &Limits) -> u64 {
    let image = |image: &tempograph_core::Rgb| match u64::from(limits.image_factor) {
        0 | 1 => tiles(image.size.width, image.size.height) * TOKENS_A_TILE,
        side => u64::from(image.size.width).div_ceil(side) * u64::from(image.size.height).div_ceil(side) + 2,
    };
    let mut tokens = 0_u64;
    for message in &ask.messages {
        tokens += TOKENS_A_PART;
        for part in &message.parts {
            tokens += TOKENS_A_PART;
            tokens += match part {
                Part::Text(text) => (text.len() as u64).div_ceil(BYTES_A_TOKEN),
                Part::Image(picture) => image(picture),
                Part::Frames(frames) => frames.iter().map(|f| image(&f.image) + TOKENS_A_PART).sum(),
                Part::Video(video) => {
                    let length = video.span.duration().max(MediaTime::ZERO).as_secs_f64();
                    (length * TOKENS_A_VIDEO_SECOND).ceil() as u64
                }
            };
        }
    }
    let schema = ask.schema.as_ref().map_or(0, |s| (s.schema.to_string().len() as u64).div_ceil(BYTES_A_TOKEN));
    tokens + schema
}

/// Tiles of a picture: their side is two thirds of its shorter one.
fn tiles(width: u32, height: u32) -> u64 {
    if width.max(height) <= ONE_TILE_PX {
        return 1;
    }
    let side = (width.min(height) * 2 / 3).clamp(TILE_PX[0], TILE_PX[1]);
    u64::from(width.div_ceil(side)) * u64::from(height.div_ceil(side))
}

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendLimits {
    /// US dollars for one video in one run.
    pub video_usd: Option<f64>,
    /// US dollars in one day (UTC), over all runs of this library.
    pub day_usd: Option<f64>,
    /// Share of a limit at which it is said that it comes near.
    pub alert_share: f64,
}

impl Default for SpendLimits {
    fn default() -> Self {
        Self { video_usd: None, day_usd: None, alert_share: 0.8 }
    }
}

/// Counts what is spent and refuses what would pass a limit.
pub struct Meter {
    limits: SpendLimits,
    ledger: Option<Arc<dyn SpendLedger>>,
    clock: Arc<dyn WallClock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    video_usd: f64,
    reserved_usd: f64,
    /// What this process spent today, where there is no ledger.
    day: u32,
    day_usd: f64,
    video_alerted: bool,
    day_alerted: Option<u32>,
    alerts: Vec<Issue>,
}

impl Meter {
    /// A meter that keeps `limits`. Without a ledger a day's total is that of this process.
    pub fn new(limits: SpendLimits, ledger: Option<Arc<dyn SpendLedger>>, clock: Arc<dyn WallClock>) -> Arc<Self> {
        Arc::new(Self { limits, ledger, clock, state: Mutex::default() })
    }

    /// From here on another video is counted.
    pub fn begin_video(&self) {
        let mut state = self.state.lock();
        state.video_usd = 0.0;
        state.video_alerted = false;
    }

    /// Spent for this video so far, in US dollars.
    pub fn video_usd(&self) -> f64 {
        self.state.lock().video_usd
    }

    /// What came near its limit since this was last asked.
    pub fn take_alerts(&self) -> Vec<Issue> {
        std::mem::take(&mut self.state.lock().alerts)
    }

    /// Whether anything is limited.
    pub fn is_limited(&self) -> bool {
        self.limits.video_usd.is_some() || self.limits.day_usd.is_some()
    }

    /// Sets `usd` aside for a call that can cost so much.
    ///
    /// # Errors
    /// [`ErrorKind::CostLimit`] when a limit could be passed; what the ledger refuses.
    pub(crate) fn reserve(self: &Arc<Self>, usd: f64) -> Result<Reservation> {
        let day = self.clock.day();
        if usd > 0.0 {
            // What is booked is read while nothing can be set aside or settled: a sum must not miss a call in between.
            let mut state = self.state.lock();
            state.roll(day);
            let day_usd = match (&self.ledger, self.limits.day_usd) {
                (Some(ledger), Some(_)) => ledger.spent_usd(day)?,
                _ => state.day_usd,
            };
            let spans = [
                ("this video", "cost.video_usd", self.limits.video_usd, state.video_usd),
                ("today", "cost.day_usd", self.limits.day_usd, day_usd),
            ];
            for (what, setting, limit, spent) in spans {
                let Some(limit) = limit else { continue };
                if spent + state.reserved_usd + usd > limit {
                    return Err(over(what, setting, limit, spent + state.reserved_usd, usd));
                }
            }
            state.reserved_usd += usd;
        }
        Ok(Reservation { meter: Arc::clone(self), usd, day })
    }

    fn book(&self, spending: &Spending) {
        if let Some(ledger) = &self.ledger
            && let Err(error) = ledger.book(spending)
        {
            tracing::warn!(%error, "what a call cost could not be written down");
        }
        let mut state = self.state.lock();
        state.roll(spending.day);
        state.video_usd += spending.cost_usd;
        state.day_usd += spending.cost_usd;
        self.alert(&mut state, spending.day);
    }

    /// Says once for each limit that it comes near.
    fn alert(&self, state: &mut State, day: u32) {
        let near = |limit: f64, spent: f64| spent >= limit * self.limits.alert_share;
        if let Some(limit) = self.limits.video_usd.filter(|l| !state.video_alerted && near(*l, state.video_usd)) {
            state.video_alerted = true;
            state.alerts.push(alert("this video", "cost.video_usd", limit, state.video_usd));
        }
        if let Some(limit) = self.limits.day_usd.filter(|_| state.day_alerted != Some(day)) {
            let booked = self.ledger.as_ref().and_then(|ledger| ledger.spent_usd(day).ok());
            let spent = booked.unwrap_or(state.day_usd);
            if near(limit, spent) {
                state.day_alerted = Some(day);
                state.alerts.push(alert("today", "cost.day_usd", limit, spent));
            }
        }
    }
}

fn alert(what: &str, setting: &str, limit: f64, spent: f64) -> Issue {
    tracing::warn!(what, spent_usd = spent, limit_usd = limit, "the spending limit comes near");
    Issue {
        stage: "cost".to_owned(),
        code: ErrorKind::CostLimit.code().as_str().to_owned(),
        message: format!("{spent:.4} of {limit:.4} USD for {what} are spent"),
        hint: Some(format!("calls stop before `{setting}` is passed: raise it if that is too early")),
    }
}

impl State {
    fn roll(&mut self, day: u32) {
        if self.day != day {
            self.day = day;
            self.day_usd = 0.0;
        }
    }
}

fn over(what: &str, setting: &str, limit: f64, spent: f64, usd: f64) -> Error {
    Error::new(
        ErrorKind::CostLimit,
        format!("the call may cost {usd:.4} USD; {spent:.4} of {limit:.4} USD for {what} are spent or set aside"),
    )
    .with_hint(format!("raise `{setting}`, ask a cheaper model, or run again later: finished answers are kept"))
}

/// Money set aside for one try.
pub(crate) struct Reservation {
    meter: Arc<Meter>,
    usd: f64,
    day: u32,
}

impl Reservation {
    /// The try is over and took this.
    pub(crate) fn settle(self, id: String, model: String, usage: Usage, cost_usd: f64) {
        self.meter.book(&Spending { id, day: self.day, model, usage, cost_usd });
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.usd > 0.0 {
            let mut state = self.meter.state.lock();
            state.reserved_usd = (state.reserved_usd - self.usd).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use tempograph_core::{
        Rgb, Size, Span,
        vlm::{Message, Role, Structured, VideoPart, VideoSource},
    };

    use super::*;

    fn tokens(parts: Vec<Part>, image_factor: u32) -> u64 {
        let limits = Limits {
            model: "m".to_owned(),
            context_tokens: 1,
            images: 1,
            image_factor,
            video: true,
            structured: Structured::Prompt,
            concurrency: 1,
            remote: true,
        };
        let ask = Ask { messages: vec![Message { role: Role::User, parts }], ..Ask::default() };
        estimate_tokens_in(&ask, &limits)
    }

    fn picture(width: u32, height: u32) -> Part {
        Part::Image(Arc::new(Rgb { size: Size { width, height }, data: Vec::new() }))
    }

    #[test]
    fn estimates_are_near_and_not_below() {
        // A question of 44 letters is 10 tokens of GPT-4's vocabulary.
        let text = tokens(vec![Part::Text("The quick brown fox jumps over the lazy dog.".to_owned())], 28);
        assert!((10..40).contains(&text), "{text}");
        // Qwen2.5-VL: 644 x 364 is 23 x 13 squares, with a mark at each end.
        assert_eq!(tokens(vec![picture(644, 364)], 28) - tokens(vec![], 28), 23 * 13 + 2 + TOKENS_A_PART);
        // Gemini: 960 x 540 is six tiles, by the example of its documentation; a small one is one.
        assert_eq!(tokens(vec![picture(960, 540)], 1) - tokens(vec![], 1), 6 * 258 + TOKENS_A_PART);
        assert_eq!(tokens(vec![picture(384, 216)], 1) - tokens(vec![], 1), 258 + TOKENS_A_PART);
        let video = Part::Video(VideoPart {
            source: VideoSource::Url(String::new()),
            mime: String::new(),
            digest: String::new(),
            span: Span::new(MediaTime::ZERO, MediaTime::from_millis(60_000)),
        });
        assert!(tokens(vec![video], 1) >= 60 * 290);
    }
}
