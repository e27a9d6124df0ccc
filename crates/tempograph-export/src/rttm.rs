//! `speakers.rttm`: who speaks when, as NIST's Rich Transcription Time Marked lines.
//!
//! Times are counted from the first frame or sample. Names hold no white space there: it becomes `_`.

use std::io::Write;

use tempograph_core::{Result, Span, Timeline, timeline::AudioEventKind};

use crate::{
    Export,
    text::{file_name, one_word},
    write_failed,
};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let video = &export.timeline.video;
    let name = file_name(&video.uri);
    let recording = one_word(name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem));
    for (span, speaker) in turns(export.timeline) {
        let start = (span.start - video.start_s).as_secs_f64().max(0.0);
        let length = span.duration().as_secs_f64();
        writeln!(out, "SPEAKER {recording} 1 {start:.3} {length:.3} <NA> <NA> {} <NA> <NA>", one_word(speaker))
            .map_err(write_failed)?;
    }
    Ok(())
}

/// Who speaks when, in order of start: the turns, else the speech that names a speaker.
fn turns(timeline: &Timeline) -> Vec<(Span, &str)> {
    if !timeline.speakers.is_empty() {
        return timeline.speakers.iter().map(|t| (t.span, t.speaker.as_str())).collect();
    }
    let speech = timeline.audio_events.iter().filter(|e| e.kind == AudioEventKind::Speech);
    speech.filter_map(|e| Some((e.span, e.speaker.as_deref()?))).collect()
}
