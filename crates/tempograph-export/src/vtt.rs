//! `transcript.vtt`: WebVTT subtitles; speakers as voice spans, `& < >` escaped.

use std::io::Write;

use tempograph_core::{MediaTime, Result, Timeline};

use crate::{
    Export,
    cues::{self, Cue},
    text::one_line,
    write_failed,
};

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    out.write_all(vtt(export.timeline).as_bytes()).map_err(write_failed)
}

/// The speech of `timeline` as WebVTT, times from the first frame.
pub fn vtt(timeline: &Timeline) -> String {
    from_cues(&cues::layout(timeline))
}

/// `cues` as WebVTT.
pub(crate) fn from_cues(cues: &[Cue]) -> String {
    let mut file = String::from("WEBVTT\n");
    for (i, cue) in cues.iter().enumerate() {
        file.push_str(&format!("\n{}\n{} --> {}\n", i + 1, time(cue.start), time(cue.end)));
        let same = cue.lines.windows(2).all(|pair| pair[0].speaker == pair[1].speaker);
        for (row, line) in cue.lines.iter().enumerate() {
            let voice = line.speaker.as_deref().map(|s| escape(&one_line(s))).filter(|s| !s.is_empty());
            let last = row + 1 == cue.lines.len();
            let open = voice.as_deref().filter(|_| !same || row == 0);
            let close = voice.is_some() && (!same || last);
            if let Some(voice) = open {
                file.push_str(&format!("<v {voice}>"));
            }
            if cue.is_dialogue() && voice.is_none() {
                file.push_str("- ");
            }
            file.push_str(&escape(&line.text));
            file.push_str(if close { "</v>\n" } else { "\n" });
        }
    }
    file
}

fn time(t: MediaTime) -> String {
    t.max(MediaTime::ZERO).to_string()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
