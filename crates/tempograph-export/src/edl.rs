//! `scenes.edl` and `highlights.edl`: CMX 3600 edit decision lists.
//!
//! Scenes lie where they lie in the source, with a locator at each highlight; highlights lie one
//! after the other. At 29.97 and 59.94 frames a second timecode is drop-frame.

use std::io::{self, Write};

use tempograph_core::Result;

use crate::{
    Export,
    edit::{Clip, Edit},
    write_failed,
};

/// Columns of a comment line that programs read.
const COMMENT: usize = 200;

pub(crate) fn scenes(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let edit = Edit::of(export);
    let clips = edit.scenes.iter().map(|c| (c, c.start));
    list(&edit, "scenes", clips, &edit.highlights, out).map_err(write_failed)
}

pub(crate) fn highlights(export: &Export<'_>, out: &mut dyn Write) -> Result<()> {
    let edit = Edit::of(export);
    let clips = edit.highlights.iter().scan(0, |at, c| {
        let start = *at;
        *at += c.frames();
        Some((c, start))
    });
    list(&edit, "highlights", clips, &[], out).map_err(write_failed)
}

fn list<'a>(
    edit: &Edit,
    title: &str,
    clips: impl Iterator<Item = (&'a Clip, i64)>,
    marks: &[Clip],
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "TITLE: {}", comment(&format!("{} {title}", edit.name)))?;
    writeln!(out, "FCM: {}DROP FRAME\n", if edit.rate.drops() { "" } else { "NON-" })?;
    let code = |frame| edit.rate.timecode(frame);
    for (i, (clip, at)) in clips.enumerate() {
        let (from, to) = (code(clip.start), code(clip.end));
        let channel = if edit.has_picture { "V" } else { "A" };
        // AX: the source is a file, not a reel.
        writeln!(
            out,
            "{:03}  AX       {channel}     C        {from} {to} {} {}",
            i + 1,
            code(at),
            code(at + clip.frames())
        )?;
        writeln!(out, "* FROM CLIP NAME: {}", comment(&edit.name))?;
        writeln!(out, "* COMMENT: {}", comment(&format!("{} {}", clip.name, clip.note)))?;
        for mark in marks.iter().filter(|m| (clip.start..clip.end).contains(&m.start)) {
            writeln!(out, "* LOC: {} RED     {}", code(mark.start), comment(&format!("{} {}", mark.name, mark.note)))?;
        }
    }
    Ok(())
}

/// The texts were put on one line before; here they are only shortened.
fn comment(text: &str) -> String {
    text.trim().chars().take(COMMENT).collect()
}
