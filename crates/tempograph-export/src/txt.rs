//! `transcript.txt`: a line per stretch of speech, with its time from the start of the video.

use std::io::Write;

use tempograph_core::{Result, Timeline, timeline::AudioEventKind};

use crate::{Export, text::one_line, write_failed};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    out.write_all(txt(export.timeline).as_bytes()).map_err(write_failed)
}

/// The transcript as plain text: `[HH:MM:SS.mmm] speaker: words`, times from the first frame.
pub fn txt(timeline: &Timeline) -> String {
    let mut lines = String::new();
    for event in timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech) {
        let text = one_line(event.text.as_deref().unwrap_or_default());
        if text.is_empty() {
            continue;
        }
        let start = event.span.start - timeline.video.start_s;
        let speaker = event.speaker.as_deref().map(one_line).filter(|s| !s.is_empty());
        let speaker = speaker.map(|s| s + ": ").unwrap_or_default();
        lines.push_str(&format!("[{start}] {speaker}{text}\n"));
    }
    lines
}
