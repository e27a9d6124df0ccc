//! `depth/` of the output folder: each estimated frame as numbers and as a picture.
//!
//! `NNNNNN.npy` (the frame's number) is inverse depth, `float32 [height, width]`, larger is nearer, up to a scale and
//! shift of its own; `NNNNNN.png` is the same coloured with inferno. Both have the size of the frame, scaled down where
//! a side would be longer than [`MAX_SIDE`]: the network saw no more than about half of that.

use std::{collections::BTreeSet, fs, path::Path};

use tempograph_core::{DepthMap, Error, ErrorKind, Result, Size};
use tempograph_media::{decode_map, inferno, write_png};
use tempograph_models::depth::InverseDepth;
use tempograph_pipeline::{cache::Objects, run::Analysis};

use crate::output;

/// Longest side of what is written, in pixels; an hour in 4K would otherwise be 100 GB.
const MAX_SIDE: u32 = 1280;
/// Folder in the output folder.
const FOLDER: &str = "depth";
/// Notes which map each file was made from, so that none is made twice.
const MADE_FROM: &str = ".made-from";

/// Writes what is not there already and removes what an earlier run left.
///
/// # Errors
/// When the store or the folder fails.
pub(crate) fn write(analysis: &Analysis, out: &Path, objects: &dyn Objects) -> Result<()> {
    let folder = out.join(FOLDER);
    if analysis.depths.is_empty() && !folder.exists() {
        return Ok(());
    }
    let video = &analysis.timeline.video;
    let size = written_size(Size::new(video.width, video.height));
    let notes = folder.join(MADE_FROM);
    let known = fs::read_to_string(&notes).unwrap_or_default();
    let known: BTreeSet<&str> = known.lines().collect();
    let mut lines = String::new();
    let mut names = BTreeSet::new();
    let mut object: Option<(&str, Vec<u8>)> = None;
    for (_, map) in &analysis.depths {
        let name = format!("{:06}", map.frame);
        let line = format!("{name} {}x{} {} {} {}", size.width, size.height, map.object, map.offset, map.len);
        let there = ["npy", "png"].iter().all(|kind| folder.join(&name).with_extension(kind).is_file());
        if !there || !known.contains(line.as_str()) {
            if object.as_ref().is_none_or(|(key, _)| *key != map.object) {
                object = Some((&map.object, objects.get(&map.object)?));
            }
            let bytes = object.as_ref().map_or(&[][..], |(_, bytes)| bytes);
            write_one(map, bytes, size, &folder.join(&name))?;
        }
        lines.push_str(&line);
        lines.push('\n');
        names.insert(name);
    }
    remove_others(&folder, &names)?;
    output::write(&notes, |w| w.write_all(lines.as_bytes()).map_err(|e| Error::io("write a note", &notes, e)))
}

/// `frame`, scaled down so that no side is longer than [`MAX_SIDE`].
fn written_size(frame: Size) -> Size {
    let longest = frame.width.max(frame.height).max(1);
    if longest <= MAX_SIDE {
        return frame;
    }
    let side = |v: u32| (u64::from(v) * u64::from(MAX_SIDE) / u64::from(longest)).max(1) as u32;
    Size::new(side(frame.width), side(frame.height))
}

fn write_one(map: &DepthMap, object: &[u8], size: Size, path: &Path) -> Result<()> {
    let slice = usize::try_from(map.offset).ok().zip(usize::try_from(map.len).ok());
    let slice = slice.and_then(|(from, len)| object.get(from..from.checked_add(len)?));
    let Some(png) = slice else {
        return Err(Error::new(ErrorKind::InvalidData, "a depth map lies outside its object"));
    };
    let (stored, values) = decode_map(png, (map.low, map.high))?;
    let full = InverseDepth { size: stored, values }.resized(size);
    let npy = path.with_extension("npy");
    output::write(&npy, |w| {
        let failed = |e| Error::io("write depth", &npy, e);
        w.write_all(&npy_header(size)).map_err(failed)?;
        full.values.iter().try_for_each(|v| w.write_all(&v.to_le_bytes())).map_err(failed)
    })?;
    write_png(&inferno(&full.values, size, (map.low, map.high)), &path.with_extension("png"))
}

/// The header of a `.npy` file (format 1.0) of little-endian floats, padded to 64 bytes as NumPy does.
fn npy_header(size: Size) -> Vec<u8> {
    let facts = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", size.height, size.width);
    let length = (10 + facts.len() + 1).next_multiple_of(64) - 10;
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend_from_slice(&(length as u16).to_le_bytes());
    header.extend_from_slice(facts.as_bytes());
    header.resize(10 + length - 1, b' ');
    header.push(b'\n');
    header
}

/// Deletes the maps of frames that are not among `names`: an earlier run's, at another rate.
fn remove_others(folder: &Path, names: &BTreeSet<String>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.filter_map(|e| Some(e.ok()?.path())) {
        let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        let ours = path.extension().is_some_and(|e| e == "npy" || e == "png")
            && stem.len() >= 6
            && stem.bytes().all(|b| b.is_ascii_digit());
        if ours && !names.contains(stem) {
            fs::remove_file(&path).map_err(|e| Error::io("delete", &path, e))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_numpys() {
        let header = npy_header(Size::new(741, 500));
        assert_eq!(header.len(), 128);
        assert!(header.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4'") && header.ends_with(b" \n"));
        assert!(String::from_utf8_lossy(&header).contains("'shape': (500, 741), }"));
    }

    #[test]
    fn large_frames_are_written_smaller() {
        assert_eq!(written_size(Size::new(640, 360)), Size::new(640, 360));
        assert_eq!(written_size(Size::new(3840, 2160)), Size::new(1280, 720));
        assert_eq!(written_size(Size::new(10, 100_000)), Size::new(1, 1280));
    }
}
