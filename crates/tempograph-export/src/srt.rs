//! `transcript.srt`: SubRip subtitles. Text goes in as it is; the form has no escapes.

use std::{fmt::Write as _, io::Write};

use tempograph_core::{MediaTime, Result, Timeline};

use crate::{
    Export,
    cues::{self, Cue},
    write_failed,
};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    out.write_all(srt(export.timeline).as_bytes()).map_err(write_failed)
}

/// The speech of `timeline` as SubRip, times from the first frame.
pub fn srt(timeline: &Timeline) -> String {
    from_cues(&cues::layout(timeline))
}

/// `cues` as SubRip. Two voices in one cue are told apart by a dash.
pub(crate) fn from_cues(cues: &[Cue]) -> String {
    let mut file = String::new();
    for (i, cue) in cues.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(file, "{}\n{} --> {}", i + 1, time(cue.start), time(cue.end));
        for line in &cue.lines {
            let dash = if cue.is_dialogue() { "- " } else { "" };
            let _ = writeln!(file, "{dash}{}", line.text);
        }
        file.push('\n');
    }
    file
}

fn time(t: MediaTime) -> String {
    t.max(MediaTime::ZERO).to_string().replace('.', ",")
}
