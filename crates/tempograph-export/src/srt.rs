//! `transcript.srt`: SubRip subtitles. Text goes in as it is; the form has no escapes.

use std::io::Write;

use tempograph_core::{MediaTime, Result, Timeline};

use crate::{
    Export,
    cues::{self, Cue},
    write_failed,
};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    out.write_all(srt(export.timeline).as_bytes()).map_err(write_failed)
}

/// The speech of `timeline` as SubRip, times from the first frame. Who speaks stands before the first words of a turn.
pub fn srt(timeline: &Timeline) -> String {
    from_cues(&cues::layout_named(timeline))
}

/// `cues` as SubRip. Two voices in one cue are told apart by a dash.
pub(crate) fn from_cues(cues: &[Cue]) -> String {
    let mut file = String::new();
    for (i, cue) in cues.iter().enumerate() {
        file.push_str(&format!("{}\n{} --> {}\n", i + 1, time(cue.start), time(cue.end)));
        for line in &cue.lines {
            let dash = if cue.is_dialogue() { "- " } else { "" };
            file.push_str(&format!("{dash}{}\n", line.text));
        }
        file.push('\n');
    }
    file
}

fn time(t: MediaTime) -> String {
    t.max(MediaTime::ZERO).to_string().replace('.', ",")
}
