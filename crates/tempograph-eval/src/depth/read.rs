//! Readers of float maps: NumPy `.npy` and `.npz`, and portable float maps `.pfm`.

use std::io::{Cursor, Read};

use tempograph_core::{Error, ErrorKind, Result};

/// A map of numbers, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height` values.
    pub values: Vec<f32>,
}

/// Most pixels of a map.
const MAX_PIXELS: usize = 1 << 27;

/// Reads a map; the form is known from its first bytes.
///
/// From an `.npz` the first array is taken. An array may have leading or trailing axes of length 1.
///
/// # Errors
/// [`ErrorKind::InvalidData`] when the bytes are not a map or it has over 2²⁷ pixels.
pub fn read_map(bytes: &[u8]) -> Result<Map> {
    if bytes.starts_with(b"\x93NUMPY") {
        npy(bytes)
    } else if bytes.starts_with(b"PK") {
        npz(bytes)
    } else if bytes.starts_with(b"Pf") {
        pfm(bytes)
    } else {
        Err(bad("not a `.npy`, `.npz` or one-channel `.pfm` file"))
    }
}

fn bad(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

fn npz(bytes: &[u8]) -> Result<Map> {
    let broken = |e: zip::result::ZipError| Error::new(ErrorKind::InvalidData, format!("broken archive: {e}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    let file = archive.by_index(0).map_err(broken)?;
    let most = (MAX_PIXELS * 8 + 4096) as u64;
    let mut inner = Vec::new();
    file.take(most)
        .read_to_end(&mut inner)
        .map_err(|e| Error::new(ErrorKind::InvalidData, format!("broken archive: {e}")))?;
    npy(&inner)
}

fn npy(bytes: &[u8]) -> Result<Map> {
    let short = || bad("the array ends early");
    let (length_bytes, start) = match bytes.get(6).copied().ok_or_else(short)? {
        1 => (2, 10),
        2 | 3 => (4, 12),
        _ => return Err(bad("unknown version of the array format")),
    };
    let length = bytes.get(8..8 + length_bytes).ok_or_else(short)?;
    let length = length.iter().rev().fold(0usize, |n, &b| n << 8 | usize::from(b));
    let header = bytes.get(start..).and_then(|b| b.get(..length)).ok_or_else(short)?;
    let header = std::str::from_utf8(header).map_err(|_| bad("the array's header is not text"))?;
    let data = &bytes[start + length..];

    let field = |name: &str| {
        let at = header.find(&format!("'{name}'"))?;
        Some(header[at + name.len() + 2..].trim_start().strip_prefix(':')?.trim_start())
    };
    let dtype = field("descr").and_then(|f| f.strip_prefix('\'')?.split('\'').next());
    let dtype = dtype.ok_or_else(|| bad("the array has no plain type"))?;
    let columns_first = field("fortran_order").is_some_and(|f| f.starts_with("True"));
    let shape = field("shape").and_then(|f| f.strip_prefix('(')?.split(')').next());
    let shape = shape.ok_or_else(|| bad("the array has no shape"))?;
    let axes: Option<Vec<usize>> =
        shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect();
    let axes = axes.ok_or_else(|| bad("the array has no shape"))?;
    let long: Vec<usize> = axes.iter().copied().filter(|&n| n != 1).collect();
    let (height, width) = match long[..] {
        [] => (1, 1),
        [n] if axes.last() == Some(&1) => (n, 1),
        [n] => (1, n),
        [h, w] => (h, w),
        _ => return Err(bad("the array has more than two axes")),
    };
    let pixels = pixels(width, height)?;
    let values = numbers(data, dtype, pixels)?;
    let values = match columns_first {
        true => (0..pixels).map(|i| values[i % width * height + i / width]).collect(),
        false => values,
    };
    Ok(Map { width, height, values })
}

fn pixels(width: usize, height: usize) -> Result<usize> {
    width.checked_mul(height).filter(|&n| n <= MAX_PIXELS).ok_or_else(|| bad("over 2²⁷ pixels"))
}

fn numbers(data: &[u8], dtype: &str, count: usize) -> Result<Vec<f32>> {
    let (order, kind) = dtype.split_at_checked(1).ok_or_else(|| bad("the array has no plain type"))?;
    let big = order == ">";
    macro_rules! read {
        ($t:ty, $to:expr) => {{
            const N: usize = size_of::<$t>();
            let data = data.get(..count * N).ok_or_else(|| bad("the array ends early"))?;
            let one = |c: &[u8; N]| {
                let v = if big { <$t>::from_be_bytes(*c) } else { <$t>::from_le_bytes(*c) };
                $to(v)
            };
            Ok(data.as_chunks::<N>().0.iter().map(one).collect())
        }};
    }
    match kind {
        "f2" => read!(half::f16, |v: half::f16| v.to_f32()),
        "f4" => read!(f32, |v| v),
        "f8" => read!(f64, |v| v as f32),
        "u1" => read!(u8, f32::from),
        "i1" => read!(i8, f32::from),
        "u2" => read!(u16, f32::from),
        "i2" => read!(i16, f32::from),
        "u4" => read!(u32, |v| v as f32),
        "i4" => read!(i32, |v| v as f32),
        _ => Err(Error::new(ErrorKind::InvalidData, format!("unsupported type of array: {dtype}"))),
    }
}

fn pfm(bytes: &[u8]) -> Result<Map> {
    let mut at = 0;
    let mut word = || {
        let start = at + bytes.get(at..)?.iter().position(|b| !b.is_ascii_whitespace())?;
        let end = start + bytes[start..].iter().position(u8::is_ascii_whitespace)?;
        // One white space ends the header's last word; what follows is data.
        at = end + 1;
        std::str::from_utf8(&bytes[start..end]).ok()
    };
    let mut header = || {
        (word()? == "Pf").then_some(())?;
        Some((word()?.parse::<usize>().ok()?, word()?.parse::<usize>().ok()?, word()?.parse::<f64>().ok()?))
    };
    let (width, height, scale) = header().ok_or_else(|| bad("broken header of a float map"))?;
    let pixels = pixels(width, height)?;
    let values = numbers(&bytes[at..], if scale < 0.0 { "<f4" } else { ">f4" }, pixels)?;
    let values = if width == 0 { values } else { values.rchunks(width).flatten().copied().collect() };
    Ok(Map { width, height, values })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn npy_file(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((header.len() as u16).to_le_bytes());
        out.extend(header.as_bytes());
        out.extend(data);
        out
    }

    #[test]
    fn arrays_of_either_order() {
        let rows = read_map(&npy_file("|u1", "False", "(2, 3)", &[1, 2, 3, 4, 5, 6])).expect("rows first");
        assert_eq!((rows.width, rows.height, rows.values[3]), (3, 2, 4.0));
        let columns = read_map(&npy_file("|u1", "True", "(2, 3)", &[1, 4, 2, 5, 3, 6])).expect("columns first");
        assert_eq!(columns, rows);
        let data: Vec<u8> = (1..=6).flat_map(|v| (v as f64).to_be_bytes()).collect();
        assert_eq!(read_map(&npy_file(">f8", "False", "(1, 2, 3)", &data)).expect("big endian"), rows);
    }

    #[test]
    fn a_float_map_starts_at_the_bottom() {
        let mut bytes = b"Pf\n1 2\n-1.0\n".to_vec();
        bytes.extend([1f32, 2.0].iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(read_map(&bytes).expect("a float map").values, [2.0, 1.0]);
    }

    #[test]
    fn a_huge_shape_is_refused_before_it_is_read() {
        assert!(read_map(&npy_file("<f4", "False", "(4294967295, 4294967295)", &[])).is_err());
        assert!(read_map(b"Pf\n99999999999 99999999999\n1\n").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(which in 0usize..4, tail in prop::collection::vec(any::<u8>(), 0..80)) {
            let start: &[u8] = [&b"\x93NUMPY\x01\x00"[..], b"PK\x03\x04", b"Pf\n", b""][which];
            drop(read_map(&[start, &tail].concat()));
        }

        #[test]
        fn any_header_is_taken(header in "[a-z0-9'{}():, ]{0,60}") {
            drop(read_map(&npy_file(&header, "False", &header, &[0; 16])));
        }
    }
}
