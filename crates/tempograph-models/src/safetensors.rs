//! Reads `safetensors` files one tensor at a time.
//!
//! The layout: length of a JSON head `u64` little-endian, the head (name → type, extents, first and last byte), the data.

use std::io::{Read, Seek, SeekFrom};

use half::{bf16, f16};
use serde::Deserialize;
use tempograph_core::{Error, ErrorKind, Result};

/// A head is some hundred bytes a tensor; no real one is longer than this.
const MAX_HEAD: u64 = 64 << 20;

/// Takes a tensor's name, extents and elements.
pub type Take<'a> = dyn FnMut(&str, &[usize], Vec<f32>) -> Result<()> + 'a;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// Calls `take` with the name, extents and elements as floats of each tensor, in the order of the data. Tensors that are
/// not floats are passed over.
///
/// # Errors
/// [`ErrorKind::ModelInvalid`] when the file is damaged, and those of `take`.
pub fn each<R: Read + Seek>(input: &mut R, take: &mut Take<'_>) -> Result<()> {
    let io = |e: std::io::Error| invalid("ends early").with_source(e);
    let mut len = [0; 8];
    input.read_exact(&mut len).map_err(io)?;
    let len = u64::from_le_bytes(len);
    if len > MAX_HEAD {
        return Err(invalid("has a head that cannot be right"));
    }
    let mut head = Vec::new();
    input.by_ref().take(len).read_to_end(&mut head).map_err(io)?;
    let head: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&head).map_err(|e| invalid("has a head that is no JSON").with_source(e))?;
    let mut entries = Vec::new();
    for (name, value) in head {
        if name != "__metadata__" {
            let entry: Entry = serde_json::from_value(value).map_err(|e| invalid("has a bad entry").with_source(e))?;
            entries.push((name, entry));
        }
    }
    entries.sort_by_key(|(_, e)| e.data_offsets);
    for (name, entry) in entries {
        let size = match entry.dtype.as_str() {
            "F32" => 4,
            "F16" | "BF16" => 2,
            _ => continue,
        };
        let [start, end] = entry.data_offsets;
        let count = entry.shape.iter().try_fold(size as u64, |n, &d| n.checked_mul(d as u64));
        if count.is_none() || end.checked_sub(start) != count {
            return Err(invalid(&format!("has extents that do not fit its data: {name}")));
        }
        let at = (8 + len).checked_add(start).ok_or_else(|| invalid("has an offset that cannot be right"))?;
        input.seek(SeekFrom::Start(at)).map_err(io)?;
        let mut bytes = Vec::new();
        input.by_ref().take(end - start).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 != end - start {
            return Err(invalid("ends early"));
        }
        let values = match entry.dtype.as_str() {
            "F32" => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            "F16" => bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
            _ => bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
        };
        take(&name, &entry.shape, values)?;
    }
    Ok(())
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::ModelInvalid, format!("the safetensors file {what}"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn file(head: &str, data: &[u8]) -> Vec<u8> {
        [&(head.len() as u64).to_le_bytes(), head.as_bytes(), data].concat()
    }

    type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

    fn read(bytes: Vec<u8>) -> Result<Tensors> {
        let mut out = Vec::new();
        each(&mut Cursor::new(bytes), &mut |name, dims, values| {
            out.push((name.to_owned(), dims.to_vec(), values));
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn floats_of_every_width_come_in_the_order_of_the_data() {
        let head = r#"{"__metadata__":{"x":"y"},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"n":{"dtype":"I64","shape":[1],"data_offsets":[8,16]}}"#;
        let data =
            [&f16::from_f32(0.5).to_le_bytes()[..], &f16::from_f32(-2.0).to_le_bytes(), &3f32.to_le_bytes(), &[0; 8]]
                .concat();
        let bytes = file(head, &data);
        let got = read(bytes.clone()).unwrap();
        assert_eq!(got, [("a".to_owned(), vec![2], vec![0.5, -2.0]), ("b".to_owned(), vec![1], vec![3.0])]);
        assert_eq!(read(bytes[..bytes.len() - 10].to_vec()).unwrap_err().kind(), ErrorKind::ModelInvalid);
    }

    #[test]
    fn entries_that_contradict_themselves_are_errors() {
        for head in [
            r#"{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551611,18446744073709551615]}}"#,
            r#"{"a":1}"#,
            "[",
        ] {
            assert_eq!(read(file(head, &[0; 4])).unwrap_err().kind(), ErrorKind::ModelInvalid, "{head}");
        }
        assert_eq!(read(u64::MAX.to_le_bytes().to_vec()).unwrap_err().kind(), ErrorKind::ModelInvalid);
    }
}
