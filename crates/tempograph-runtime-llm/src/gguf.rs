//! The header of a GGUF file: what a model is and how large, without its weights.
//!
//! Layout after the GGUF specification (version 2 and 3, little-endian): magic, version, counts, then keys with typed
//! values. Everything read is bounded: lengths from the file only ever skip or stop.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use tempograph_core::{Error, ErrorKind, Result};

/// Keys a header may have; models have under a hundred.
const MAX_KEYS: u64 = 1 << 16;
/// Longest key or text that is kept.
const MAX_TEXT: u64 = 1 << 16;
/// Bytes of header that are read at most: a vocabulary of a quarter million tokens with its merges takes some 10 MB.
const MAX_HEADER: u64 = 1 << 28;
/// Numbers of a list that are kept: one a layer.
const MAX_LIST: u64 = 1 << 12;

/// What the header of a GGUF file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header {
    /// Length of the file, all parts together.
    pub bytes: u64,
    values: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(u64),
    Text(String),
    Numbers(Vec<u64>),
    Length(u64),
}

impl Header {
    /// Reads the header of `path`.
    ///
    /// # Errors
    /// [`ErrorKind::ModelMissing`] when the file is not there; [`ErrorKind::ModelInvalid`] when it is no GGUF file.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| {
            if e.kind() == std::io::ErrorKind::NotFound {
                Error::new(ErrorKind::ModelMissing, format!("the weights are not there: {}", path.display()))
                    .with_hint("fetch them with `tempograph models pull`, or name a file that exists")
            } else {
                Error::io("open the weights", path, e)
            }
        })?;
        let bytes = file.metadata().map_err(|e| Error::io("open the weights", path, e))?.len();
        Self::parse(BufReader::with_capacity(1 << 16, file), bytes).map_err(|what| {
            Error::new(
                ErrorKind::ModelInvalid,
                format!("not a GGUF file that can be used ({what}): {}", path.display()),
            )
            .with_hint("check the file with `tempograph models verify`")
        })
    }

    /// Reads a header from `from`, of a file of `bytes`. The error says what is wrong with it.
    ///
    /// # Errors
    /// When it is no header, or breaks a bound.
    pub fn parse(from: impl Read, bytes: u64) -> std::result::Result<Self, &'static str> {
        let mut from = Bytes(from.take(MAX_HEADER));
        if from.array()? != *b"GGUF" {
            return Err("it begins otherwise");
        }
        if !matches!(from.u32()?, 2 | 3) {
            return Err("a version that is not known");
        }
        let (_tensors, keys) = (from.u64()?, from.u64()?);
        if keys > MAX_KEYS {
            return Err("too many keys");
        }
        let mut values = BTreeMap::new();
        for _ in 0..keys {
            let key = from.text()?.ok_or("a key too long")?;
            let kind = from.u32()?;
            if let Some(value) = from.value(kind)? {
                values.insert(key, value);
            }
        }
        let mut header = Self { bytes, values };
        // Of a model in parts the header is in the first one; parts are of about one length.
        header.bytes = bytes.saturating_mul(header.number("split.count").unwrap_or(1).clamp(1, 1024));
        Ok(header)
    }

    /// The whole number under `key`.
    pub fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }

    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            Value::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The number of things in the list under `key`.
    pub fn length(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            Value::Numbers(n) => Some(n.len() as u64),
            Value::Length(n) => Some(*n),
            _ => None,
        }
    }

    /// The number under `key` for each of `layers` layers: files write one for all, or a list.
    pub fn per_layer(&self, key: &str, layers: u64) -> Option<Vec<u64>> {
        match self.values.get(key)? {
            Value::Number(n) => Some(vec![*n; usize::try_from(layers.min(MAX_LIST)).ok()?]),
            Value::Numbers(n) => Some(n.clone()),
            _ => None,
        }
    }

    /// The kind of language model, e.g. `qwen2vl`.
    pub fn architecture(&self) -> &str {
        self.text("general.architecture").unwrap_or("")
    }

    /// The number under `key` of this kind of model, e.g. `block_count`.
    pub fn model_number(&self, key: &str) -> Option<u64> {
        self.number(&format!("{}.{key}", self.architecture()))
    }

    /// The kind of projector, e.g. `qwen2.5vl_merger`; [`None`] for a language model.
    pub fn projector(&self) -> Option<&str> {
        self.text("clip.vision.projector_type").or_else(|| self.text("clip.projector_type"))
    }
}

struct Bytes<R>(std::io::Take<R>);

impl<R: Read> Bytes<R> {
    fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], &'static str> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map_err(|_| "it ends too early")?;
        Ok(bytes)
    }

    fn u32(&mut self) -> std::result::Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> std::result::Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }

    fn skip(&mut self, bytes: u64) -> std::result::Result<(), &'static str> {
        let skipped = std::io::copy(&mut self.0.by_ref().take(bytes), &mut std::io::sink());
        if skipped.is_ok_and(|n| n == bytes) { Ok(()) } else { Err("it ends too early") }
    }

    /// A text; [`None`] when it is too long to be kept.
    fn text(&mut self) -> std::result::Result<Option<String>, &'static str> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            self.skip(length)?;
            return Ok(None);
        }
        let mut bytes = Vec::new();
        self.0.by_ref().take(length).read_to_end(&mut bytes).map_err(|_| "it cannot be read")?;
        if bytes.len() as u64 != length {
            return Err("it ends too early");
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A whole number or truth value of `kind`; [`None`] for other kinds of fixed length, which are skipped.
    fn number(&mut self, kind: u32) -> std::result::Result<Option<u64>, &'static str> {
        Ok(match kind {
            0 | 7 => Some(u64::from(self.array::<1>()?[0])),
            1 => u64::try_from(i8::from_le_bytes(self.array()?)).ok(),
            2 => Some(u64::from(u16::from_le_bytes(self.array()?))),
            3 => u64::try_from(i16::from_le_bytes(self.array()?)).ok(),
            4 => Some(u64::from(self.u32()?)),
            5 => u64::try_from(i32::from_le_bytes(self.array()?)).ok(),
            6 => self.skip(4).map(|()| None)?,
            10 => Some(self.u64()?),
            11 => u64::try_from(i64::from_le_bytes(self.array()?)).ok(),
            12 => self.skip(8).map(|()| None)?,
            _ => return Err("a kind of value that is not known"),
        })
    }

    fn value(&mut self, kind: u32) -> std::result::Result<Option<Value>, &'static str> {
        match kind {
            8 => Ok(self.text()?.map(Value::Text)),
            9 => self.list().map(Some),
            kind => Ok(self.number(kind)?.map(Value::Number)),
        }
    }

    fn list(&mut self) -> std::result::Result<Value, &'static str> {
        let (kind, count) = (self.u32()?, self.u64()?);
        match kind {
            8 => {
                for _ in 0..count {
                    let length = self.u64()?;
                    self.skip(length)?;
                }
                Ok(Value::Length(count))
            }
            9 => Err("a list of lists"),
            kind => {
                let mut kept = Vec::new();
                for i in 0..count {
                    let number = self.number(kind)?;
                    if i < MAX_LIST {
                        kept.extend(number);
                    }
                }
                Ok(if kept.len() as u64 == count { Value::Numbers(kept) } else { Value::Length(count) })
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn file(keys: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(0_u64.to_le_bytes());
        out.extend((keys.len() as u64).to_le_bytes());
        for (key, value) in keys {
            out.extend((key.len() as u64).to_le_bytes());
            out.extend(key.bytes());
            out.extend(value);
        }
        out
    }

    pub(crate) fn number(n: u32) -> Vec<u8> {
        [4_u32.to_le_bytes(), n.to_le_bytes()].concat()
    }

    pub(crate) fn text(t: &str) -> Vec<u8> {
        [&8_u32.to_le_bytes()[..], &(t.len() as u64).to_le_bytes(), t.as_bytes()].concat()
    }

    fn list(numbers: &[u32]) -> Vec<u8> {
        let mut out = [&9_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &(numbers.len() as u64).to_le_bytes()].concat();
        out.extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        out
    }

    #[test]
    fn a_header_is_read() {
        let bytes = file(&[
            ("general.architecture", text("qwen2vl")),
            ("qwen2vl.block_count", number(36)),
            ("qwen2vl.attention.head_count_kv", list(&[2, 4])),
            ("clip.projector_type", text("mlp")),
        ]);
        let header = Header::parse(bytes.as_slice(), 1000).unwrap();
        assert_eq!((header.architecture(), header.model_number("block_count")), ("qwen2vl", Some(36)));
        assert_eq!(header.per_layer("qwen2vl.attention.head_count_kv", 2), Some(vec![2, 4]));
        assert_eq!(header.per_layer("qwen2vl.block_count", 3), Some(vec![36; 3]));
        assert_eq!((header.length("qwen2vl.attention.head_count_kv"), header.projector()), (Some(2), Some("mlp")));
        assert_eq!(header.bytes, 1000);
    }

    #[test]
    fn a_header_cut_anywhere_or_hostile_is_an_error() {
        let good = file(&[("general.architecture", text("llama")), ("a", list(&[1, 2, 3])), ("b", number(1))]);
        for cut in 0..good.len() {
            assert!(Header::parse(&good[..cut], 0).is_err(), "cut at {cut}");
        }
        let huge = |value: Vec<u8>| file(&[("a", value)]);
        let endless = [&9_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), &u64::MAX.to_le_bytes()].concat();
        let lists = [&9_u32.to_le_bytes()[..], &9_u32.to_le_bytes(), &1_u64.to_le_bytes()].concat();
        let long = [&8_u32.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        for hostile in [huge(endless), huge(lists), huge(long), huge(77_u32.to_le_bytes().to_vec())] {
            assert!(Header::parse(hostile.as_slice(), 0).is_err());
        }
        assert!(Header::parse(&b"RIFF1234"[..], 0).is_err());
    }
}
