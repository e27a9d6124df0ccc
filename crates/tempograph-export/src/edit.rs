//! The cut of a video as editing programs see it: clips counted in frames of one rate.

use tempograph_core::{MediaTime, Span, timeline::Video};

use crate::{
    Export,
    rate::Rate,
    text::{file_name, one_line},
};

/// A stretch of the source.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clip {
    pub(crate) name: String,
    /// Why, or what it shows.
    pub(crate) note: String,
    /// First frame of the source.
    pub(crate) start: i64,
    /// Frame after the last; above `start`.
    pub(crate) end: i64,
}

impl Clip {
    pub(crate) fn frames(&self) -> i64 {
        self.end - self.start
    }
}

/// A video as clips.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Edit {
    /// The file's name.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) address: String,
    pub(crate) rate: Rate,
    /// Whether there is a picture; else the clips are of sound alone.
    pub(crate) has_picture: bool,
    /// All frames.
    pub(crate) frames: i64,
    /// The whole video as scenes; as one clip where there are none.
    pub(crate) scenes: Vec<Clip>,
    /// Highlights in order of time.
    pub(crate) highlights: Vec<Clip>,
}

impl Edit {
    pub(crate) fn of(export: &Export<'_>) -> Self {
        let timeline = export.timeline;
        let video = &timeline.video;
        let rate = Rate::nearest(video.fps);
        let whole = Span::new(video.start_s, video.start_s + video.duration_s);
        let mut edit = Self {
            name: file_name(&video.uri),
            address: export.media.map_or_else(|| one_line(&video.uri), str::to_owned),
            rate,
            has_picture: video.width > 0,
            frames: rate.frame_at(video.duration_s).max(1),
            scenes: Vec::new(),
            highlights: Vec::new(),
        };
        for scene in &timeline.scenes {
            let note = scene.summary.as_deref().map(one_line).unwrap_or_default();
            // What is shorter than a frame is no clip.
            edit.scenes.extend(clip(&scene.id, note, scene.span, video, rate));
        }
        if edit.scenes.is_empty() {
            edit.scenes.extend(clip("whole", String::new(), whole, video, rate));
        }
        for h in &timeline.highlights {
            let note = format!("{}% {}", (h.clip_worthy_score * 100.0).round(), one_line(&h.reasons.join(", ")));
            edit.highlights.extend(clip(&format!("Highlight {}", h.rank), note, h.span, video, rate));
        }
        edit.highlights.sort_by_key(|c| (c.start, c.end));
        edit
    }
}

fn clip(name: &str, note: String, span: Span, video: &Video, rate: Rate) -> Option<Clip> {
    let frame = |t: MediaTime| rate.frame_at((t - video.start_s).max(MediaTime::ZERO));
    let (start, end) = (frame(span.start), frame(span.end));
    (end > start).then(|| Clip { name: one_line(name), note, start, end })
}
