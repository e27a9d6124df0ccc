//! `timeline.fcpxml`: scenes and highlights for Final Cut Pro, FCPXML 1.10.
//!
//! A project of the scenes with a marker at each highlight, and a project of the highlights one
//! after the other. Times are fractions of a second on frame boundaries, as the form demands.

use std::io::{self, Write};

use tempograph_core::{Result, timeline::Video};

use crate::{
    Export,
    edit::{Clip, Edit},
    text::xml,
    write_failed,
};

/// Sample rates that the form knows.
const AUDIO_RATES: [u32; 7] = [32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

pub(crate) fn write(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let edit = Edit::of(export);
    document(&edit, &export.timeline.video, out).map_err(write_failed)
}

fn document(edit: &Edit, video: &Video, out: &mut dyn Write) -> io::Result<()> {
    let name = xml(&edit.name);
    let rational = |frames| edit.rate.rational(frames);
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE fcpxml>\n<fcpxml version=\"1.10\">\n")?;
    out.write_all(b"  <resources>\n")?;
    writeln!(
        out,
        "    <format id=\"r1\" frameDuration=\"{}\" width=\"{}\" height=\"{}\"/>",
        rational(1),
        video.width,
        video.height
    )?;
    let seen = if video.width > 0 { " hasVideo=\"1\" format=\"r1\"" } else { "" };
    let heard = video.audio.as_ref().map_or_else(String::new, |a| {
        let rate = AUDIO_RATES.contains(&a.sample_rate_hz).then(|| format!(" audioRate=\"{}\"", a.sample_rate_hz));
        format!(" hasAudio=\"1\" audioSources=\"1\" audioChannels=\"{}\"{}", a.channels, rate.unwrap_or_default())
    });
    writeln!(
        out,
        "    <asset id=\"r2\" name=\"{name}\" uid=\"{}\" start=\"0s\" duration=\"{}\"{seen}{heard}>",
        xml(&video.id),
        rational(edit.frames)
    )?;
    writeln!(out, "      <media-rep kind=\"original-media\" src=\"{}\"/>", xml(&edit.address))?;
    writeln!(out, "    </asset>\n  </resources>\n  <library>\n    <event name=\"{name}\">")?;
    project("Scenes", &edit.scenes, &edit.highlights, edit, out)?;
    if !edit.highlights.is_empty() {
        project("Highlights", &edit.highlights, &[], edit, out)?;
    }
    out.write_all(b"    </event>\n  </library>\n</fcpxml>\n")
}

fn project(name: &str, clips: &[Clip], marks: &[Clip], edit: &Edit, out: &mut dyn Write) -> io::Result<()> {
    let rational = |frames| edit.rate.rational(frames);
    let length: i64 = clips.iter().map(Clip::frames).sum();
    let code = if edit.rate.drops() { "DF" } else { "NDF" };
    writeln!(out, "      <project name=\"{name}\">")?;
    writeln!(
        out,
        "        <sequence format=\"r1\" duration=\"{}\" tcStart=\"0s\" tcFormat=\"{code}\">",
        rational(length)
    )?;
    out.write_all(b"          <spine>\n")?;
    let mut at = 0;
    for clip in clips {
        writeln!(
            out,
            "            <asset-clip ref=\"r2\" name=\"{}\" offset=\"{}\" start=\"{}\" duration=\"{}\" tcFormat=\"{code}\">",
            xml(&clip.name),
            rational(at),
            rational(clip.start),
            rational(clip.frames())
        )?;
        if !clip.note.is_empty() {
            writeln!(out, "              <note>{}</note>", xml(&clip.note))?;
        }
        for mark in marks.iter().filter(|m| (clip.start..clip.end).contains(&m.start)) {
            writeln!(
                out,
                "              <marker start=\"{}\" duration=\"{}\" value=\"{}\" note=\"{}\"/>",
                rational(mark.start),
                rational(1),
                xml(&mark.name),
                xml(&mark.note)
            )?;
        }
        out.write_all(b"            </asset-clip>\n")?;
        at += clip.frames();
    }
    out.write_all(b"          </spine>\n        </sequence>\n      </project>\n")
}
