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

/// Denominators of pixel aspects at most: those of ITU-R BT.601 pictures go up to 117.
const MAX_DEN: u32 = 1000;
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
    let pixel = video
        .pixel_aspect
        .and_then(fraction)
        .map_or_else(String::new, |(wide, high)| format!(" paspH=\"{wide}\" paspV=\"{high}\""));
    writeln!(
        out,
        "    <format id=\"r1\" frameDuration=\"{}\" width=\"{}\" height=\"{}\"{pixel}/>",
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

/// The ratio nearest to `aspect` with the smallest terms; `None` for what no picture has.
fn fraction(aspect: f64) -> Option<(u32, u32)> {
    if !(0.01..=100.0).contains(&aspect) {
        return None;
    }
    let of = |den: u32| ((aspect * f64::from(den)).round() as u32, den);
    let off = |(num, den): (u32, u32)| (f64::from(num) / f64::from(den) - aspect).abs();
    let near = (1..=MAX_DEN).map(of).find(|&ratio| off(ratio) < 1e-6 * aspect);
    near.or_else(|| (1..=MAX_DEN).map(of).min_by(|&a, &b| off(a).total_cmp(&off(b))))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixel_aspects_are_the_fractions_they_were() {
        // Those of the ISO/IEC 14496-2 table, and of BT.601 pictures.
        for ratio in [(12, 11), (10, 11), (16, 11), (40, 33), (59, 54), (118, 81), (64, 45), (8, 9), (32, 27), (4, 3)] {
            assert_eq!(fraction(f64::from(ratio.0) / f64::from(ratio.1)), Some(ratio));
        }
        let (wide, high) = fraction(std::f64::consts::PI).unwrap();
        assert_eq!((wide, high), (355, 113));
        for none in [0.0, -1.0, 1e-9, 1e9, f64::NAN, f64::INFINITY] {
            assert_eq!(fraction(none), None);
        }
    }
}
