//! Fusion: observations become a timeline.
//!
//! Pure and deterministic: the same observations give the same timeline in whatever order they
//! come, with no clock, no randomness and no I/O. Cheap enough to run again after every change
//! of an option, so nothing here is cached.

mod audio;
mod correlate;
mod depth;
mod entities;
mod events;
mod faces;
mod frames;
pub mod graph;
pub mod highlights;
mod paths;
mod prosody;
mod scenes;
mod sounds;
mod speakers;
mod summary;
#[cfg(test)]
mod tests;
mod texts;
mod turns;
mod voices;

pub use audio::AudioOptions;
pub use correlate::CorrelationOptions;
pub use depth::track_depths;
pub use entities::EntityOptions;
pub use events::{EventOptions, Place, Standing};
pub use faces::FaceOptions;
pub use frames::frame_spans;
pub use highlights::{HighlightOptions, Weights};
pub use prosody::ProsodyOptions;
pub use sounds::SoundOptions;
pub use speakers::SpeakerOptions;
use tempograph_core::{
    Issue, MediaTime, Observation, Timeline,
    timeline::{
        AudioEvent, Correlation, Emotion, Entity, EntityDepth, FaceTrack, Scene, ScreenText, SpeakerTurn, Summary,
        Track, Video, VisualEvent,
    },
};
pub use texts::TextOptions;

/// What fusion starts from.
#[derive(Clone, Copy, Debug)]
pub struct FuseInput<'a> {
    /// The file.
    pub video: &'a Video,
    /// Cuts, tracked detections, faces, lines of text, voice, speech and sounds, in any order. Other claims are passed
    /// over.
    pub observations: &'a [Observation],
    /// The tracks that the detections name.
    pub tracks: &'a [Track],
    /// How near each track was, when a depth stage measured it; [`track_depths`] finds it.
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

/// How near a track was.
#[derive(Clone, Debug, PartialEq)]
pub struct TrackDepth {
    /// The track.
    pub track: u32,
    /// Time and nearness, from the farthest (0) to the nearest (1) of its frame, in order of time.
    pub near: Vec<(MediaTime, f32)>,
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
    /// When faces are one, whose they are and what they express.
    pub faces: FaceOptions,
    /// What counts as an audio event.
    pub audio: AudioOptions,
    /// When voices are one speaker, and when a speaker speaks.
    pub speakers: SpeakerOptions,
    /// What prosody hints at.
    pub prosody: ProsodyOptions,
    /// Which visual and audio events belong together.
    pub correlations: CorrelationOptions,
    /// When what was read is a text.
    pub texts: TextOptions,
    /// What is a highlight.
    pub highlights: HighlightOptions,
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
    pub standings: Vec<Standing>,
    /// Faces in order of first appearance.
    pub faces: Vec<FaceTrack>,
    /// Facial emotions in order of start.
    pub emotions: Vec<Emotion>,
    /// Audio events in order of start.
    pub audio_events: Vec<AudioEvent>,
    /// Who speaks when, in order of start.
    pub speakers: Vec<SpeakerTurn>,
    /// Text in the picture in order of start.
    pub texts: Vec<ScreenText>,
    /// How near entities are, in their order; only those that depth is known of.
    pub depths: Vec<EntityDepth>,
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
        timeline.faces = self.faces;
        timeline.emotions = self.emotions;
        timeline.audio_events = self.audio_events;
        timeline.texts = self.texts;
        timeline.depths = self.depths;
        timeline.speakers = self.speakers;
        timeline.correlations = self.correlations;
        timeline.summary = self.summary;
        timeline.issues.extend(self.issues);
    }
}

/// Relates what is seen and heard anew, after visual events came to be known otherwise.
pub fn recorrelate(timeline: &mut Timeline, options: &FuseOptions) {
    timeline.correlations =
        correlate::correlate(&timeline.visual_events, &timeline.audio_events, &options.correlations);
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
    let (faces, emotions) = faces::faces(input.observations, &spans, &paths, &tracks, &options.faces);
    let end = input.video.start_s + input.video.duration_s;
    let texts = texts::texts(input.observations, &spans, end, &options.texts);
    // Who says who speaks knows better than we do.
    let mut speakers = turns::given(input.observations);
    if speakers.is_empty() {
        speakers = speakers::turns(input.observations, input.heard.voice, &options.speakers);
    }
    let mut audio_events = audio::events(input, &speakers, &options.audio);
    prosody::fill(&mut audio_events, input.observations, &options.prosody);
    voices::entities(&mut grouped.entities, &tracks, &speakers, input.video);
    let correlations = correlate::correlate(&geometry.events, &audio_events, &options.correlations);

    let depths = depth::entity_depths(input.depths, &tracks, &grouped.entities);

    let mut fused = Fused {
        scenes,
        tracks,
        entities: grouped.entities,
        visual_events: geometry.events,
        standings: geometry.standings,
        faces,
        emotions,
        audio_events,
        texts,
        depths,
        speakers,
        correlations,
        summary: Summary::default(),
        issues: Vec::new(),
    };
    fused.summary = summary::template(input.video, &fused);
    fused
}
