//! Fusion: observations become a timeline.
//!
//! Pure and deterministic: the same observations give the same timeline in whatever order they
//! come, with no clock, no randomness and no I/O. Cheap enough to run again after every change
//! of an option, so nothing here is cached.

mod audio;
mod correlate;
mod entities;
mod events;
pub mod graph;
mod paths;
mod prosody;
mod scenes;
mod speakers;
mod summary;
#[cfg(test)]
mod tests;
mod voices;

pub use audio::AudioOptions;
pub use correlate::CorrelationOptions;
pub use entities::EntityOptions;
pub use events::{EventOptions, Proximity};
pub use prosody::ProsodyOptions;
pub use speakers::SpeakerOptions;
use tempograph_core::{
    Issue, Observation, Timeline,
    timeline::{AudioEvent, Correlation, Entity, Scene, SpeakerTurn, Summary, Track, Video, VisualEvent},
};

/// What fusion starts from.
#[derive(Clone, Copy, Debug)]
pub struct FuseInput<'a> {
    /// The file.
    pub video: &'a Video,
    /// Cuts, tracked detections, voice and speech, in any order. Other claims are passed over.
    pub observations: &'a [Observation],
    /// The tracks that the detections name.
    pub tracks: &'a [Track],
    /// Distance from the camera of each track, when a depth stage measured it.
    pub depths: &'a [TrackDepth],
    /// Which audio stages ran, so that "nothing said" can be told from "nobody listened".
    pub heard: Heard,
}

/// Which audio stages ran to their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Voice activity was looked for.
    pub voice: bool,
    /// Speech was turned into words.
    pub words: bool,
}

/// Mean relative depth of a track: larger is farther; the unit only has to be one for all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackDepth {
    /// The track.
    pub track: u32,
    /// Relative depth, above 0.
    pub depth: f32,
}

/// Every choice fusion makes, as numbers with names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FuseOptions {
    /// Scene detector whose cuts divide the video; `None` takes the cuts of all.
    pub scene_detector: Option<String>,
    /// When interrupted tracks are one entity.
    pub entities: EntityOptions,
    /// When movement is an event.
    pub events: EventOptions,
    /// What counts as an audio event.
    pub audio: AudioOptions,
    /// When voices are one speaker, and when a speaker speaks.
    pub speakers: SpeakerOptions,
    /// What prosody hints at.
    pub prosody: ProsodyOptions,
    /// Which visual and audio events belong together.
    pub correlations: CorrelationOptions,
}

/// The parts of a [`Timeline`] that fusion decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fused {
    /// Scenes covering the whole video; empty without a video stream.
    pub scenes: Vec<Scene>,
    /// The tracks with their entities filled in, ordered by id.
    pub tracks: Vec<Track>,
    /// Entities in order of first appearance; those only heard come after those seen.
    pub entities: Vec<Entity>,
    /// Visual events in order of start.
    pub visual_events: Vec<VisualEvent>,
    /// When two entities are near each other, in order of start; the graph's `near` edges.
    pub proximities: Vec<Proximity>,
    /// Audio events in order of start.
    pub audio_events: Vec<AudioEvent>,
    /// Who speaks when, in order of start.
    pub speakers: Vec<SpeakerTurn>,
    /// Correlations in order of audio, then visual event.
    pub correlations: Vec<Correlation>,
    /// The video in words, from facts alone.
    pub summary: Summary,
    /// What could not be used.
    pub issues: Vec<Issue>,
}

impl Fused {
    /// Puts the parts into `timeline`; issues are added to those it has.
    pub fn fill(self, timeline: &mut Timeline) {
        timeline.scenes = self.scenes;
        timeline.tracks = self.tracks;
        timeline.entities = self.entities;
        timeline.visual_events = self.visual_events;
        timeline.audio_events = self.audio_events;
        timeline.speakers = self.speakers;
        timeline.correlations = self.correlations;
        timeline.summary = self.summary;
        timeline.issues.extend(self.issues);
    }
}

/// Decides the timeline that the observations amount to.
pub fn fuse(input: &FuseInput<'_>, options: &FuseOptions) -> Fused {
    let scenes = scenes::scenes(input.video, input.observations, options.scene_detector.as_deref());
    let mut tracks = input.tracks.to_vec();
    tracks.sort_by_key(|t| t.id);
    tracks.dedup_by_key(|t| t.id);

    let spans: Vec<_> = scenes.iter().map(|s| s.span).collect();
    let paths = paths::paths(input.observations, &tracks, &spans);
    let mut grouped = entities::group(&mut tracks, &paths, input.video, &options.entities);
    let geometry = events::find(&grouped.movers, &spans, input.depths, &options.events);
    let speakers = speakers::turns(input.observations, &options.speakers);
    let mut audio_events = audio::events(input, &speakers, &options.audio);
    prosody::fill(&mut audio_events, input.observations, &options.prosody);
    voices::entities(&mut grouped.entities, &tracks, &speakers, input.video);
    let correlations = correlate::correlate(&geometry.events, &audio_events, &options.correlations);

    let mut fused = Fused {
        scenes,
        tracks,
        entities: grouped.entities,
        visual_events: geometry.events,
        proximities: geometry.proximities,
        audio_events,
        speakers,
        correlations,
        summary: Summary::default(),
        issues: Vec::new(),
    };
    fused.summary = summary::template(input.video, &fused);
    fused
}
