//! What the settings say of how to decide.

use tempograph_core::{Error, ErrorKind, MediaTime, Result};
use tempograph_models::vad::SegmentOptions;
use tempograph_pipeline::{
    analyze::{
        scenes::Detector,
        track::{TrackOptions, TrackerKind},
    },
    fuse::{FuseOptions, Heard, HighlightOptions, SoundOptions, Weights},
    run::Options,
};

use super::Registry;
use crate::settings::Settings;

/// Confidence a track of a detector here needs to start, unless the settings say: what NanoDet-g does best with.
const CONFIDENCE: f32 = 0.35;

impl Registry {
    /// How to decide, from the settings.
    pub(crate) fn options(&self) -> Result<Options> {
        let s = &self.settings;
        let detectors: Vec<Detector> =
            s.scene_detectors.0.iter().map(|name| Detector::named(name)).collect::<Result<_>>()?;
        if detectors.is_empty() {
            return Err(Error::new(ErrorKind::Config, "setting `analyze.scene_detectors` names none")
                .with_hint("leave the stage out with `--skip scenes` instead"));
        }
        let confidence = s.confidence.map_or(CONFIDENCE, |c| c.0 as f32);
        let mut fuse = FuseOptions { scene_detector: Some(detectors[0].name().to_owned()), ..FuseOptions::default() };
        fuse.correlations.window = MediaTime::from_secs_f64(s.correlation_window_s.0);
        fuse.highlights = Self::highlights(s)?;
        // Without a model there are no sounds to decide on.
        fuse.audio.sounds =
            self.sound_model().map_or_else(|_| SoundOptions::default(), |m| SoundOptions::of(&m.family));
        Ok(Options {
            scene_detectors: detectors,
            track: TrackOptions {
                tracker: TrackerKind::from_name(&s.tracker.to_string())?,
                ..TrackOptions::trusting(confidence)
            },
            confidence,
            voice: SegmentOptions::default(),
            fuse,
            heard: Heard { voice: self.wants("vad"), words: self.wants("speech") },
        })
    }

    /// What is a highlight, from the settings.
    pub(crate) fn highlights(settings: &Settings) -> Result<HighlightOptions> {
        let s = settings;
        let (min, max) = (s.highlights_min_s.0, s.highlights_max_s.0);
        if min > max || max <= 0.0 {
            return Err(Error::new(
                ErrorKind::Config,
                format!("settings `highlights.min_s` and `highlights.max_s` leave no length: {min} to {max}"),
            ));
        }
        Ok(HighlightOptions {
            count: s.highlights_count.0,
            // No clip is shorter than what can be recognised as one.
            min: MediaTime::from_secs_f64(min.max(0.5).min(max)),
            max: MediaTime::from_secs_f64(max),
            min_score: s.highlights_min_score.0,
            weights: Weights {
                emotion: s.highlights_emotion.0,
                speech: s.highlights_speech.0,
                motion: s.highlights_motion.0,
                events: s.highlights_events.0,
                novelty: s.highlights_novelty.0,
            },
        })
    }
}
