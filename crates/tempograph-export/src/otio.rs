//! `timeline.otio`: scenes and highlights for OpenTimelineIO.
//!
//! One track holds the scenes one after the other with a marker at each highlight, a second the
//! highlights where they lie. Every clip refers to the source. Schema versions are the oldest that
//! have what is needed, so that every reader opens them.

use std::io::Write;

use serde_json::{Value, json};
use tempograph_core::Result;

use crate::{
    Export,
    edit::{Clip, Edit},
    json,
};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let edit = Edit::of(export);
    let video = &export.timeline.video;
    let scenes: Vec<Value> = edit.scenes.iter().map(|c| clip(c, &edit)).collect();
    let markers: Vec<Value> = edit.highlights.iter().map(|c| marker(c, &edit)).collect();
    let kind = if edit.has_picture { "Video" } else { "Audio" };
    let mut tracks = vec![track("Scenes", kind, &scenes, &markers)];
    if !edit.highlights.is_empty() {
        tracks.push(track("Highlights", kind, &spaced(&edit), &[]));
    }
    let timeline = json!({
        "OTIO_SCHEMA": "Timeline.1",
        "name": edit.name,
        "global_start_time": null,
        "metadata": {"tempograph": {"schema": export.timeline.schema, "video": video.id}},
        "tracks": {
            "OTIO_SCHEMA": "Stack.1", "name": "tracks", "source_range": null,
            "effects": [], "markers": [], "metadata": {}, "children": tracks,
        },
    });
    json::pretty(&timeline, out)
}

fn track(name: &str, kind: &str, children: &[Value], markers: &[Value]) -> Value {
    json!({
        "OTIO_SCHEMA": "Track.1", "name": name, "kind": kind, "source_range": null,
        "effects": [], "markers": markers, "metadata": {}, "children": children,
    })
}

/// Highlights with gaps between them; one that begins before another ends is cut short.
fn spaced(edit: &Edit) -> Vec<Value> {
    let mut items = Vec::new();
    let mut at = 0;
    for c in &edit.highlights {
        let start = c.start.max(at);
        if start >= c.end {
            continue;
        }
        if start > at {
            items.push(json!({
                "OTIO_SCHEMA": "Gap.1", "name": "", "source_range": range(0, start - at, edit),
                "effects": [], "markers": [], "metadata": {},
            }));
        }
        items.push(clip(&Clip { start, ..c.clone() }, edit));
        at = c.end;
    }
    items
}

fn clip(clip: &Clip, edit: &Edit) -> Value {
    json!({
        "OTIO_SCHEMA": "Clip.1",
        "name": clip.name,
        "source_range": range(clip.start, clip.frames(), edit),
        "effects": [], "markers": [],
        "metadata": {"tempograph": {"note": clip.note}},
        "media_reference": {
            "OTIO_SCHEMA": "ExternalReference.1", "name": edit.name, "target_url": edit.address,
            "available_range": range(0, edit.frames, edit), "metadata": {},
        },
    })
}

fn marker(clip: &Clip, edit: &Edit) -> Value {
    json!({
        "OTIO_SCHEMA": "Marker.2", "name": clip.name, "color": "RED", "comment": clip.note,
        "marked_range": range(clip.start, clip.frames(), edit),
        "metadata": {"tempograph": {"note": clip.note}},
    })
}

fn range(start: i64, length: i64, edit: &Edit) -> Value {
    let time = |frames: i64| json!({"OTIO_SCHEMA": "RationalTime.1", "rate": edit.rate.fps(), "value": frames as f64});
    json!({"OTIO_SCHEMA": "TimeRange.1", "start_time": time(start), "duration": time(length)})
}
