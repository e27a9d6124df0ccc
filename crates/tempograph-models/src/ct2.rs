//! Reads model files of CTranslate2 (`model.bin`, format versions 4 to 6).
//!
//! The layout, little-endian: version `u32`, name of the specification, its revision `u32`, number of variables `u32`;
//! a variable is its name, rank `u8`, extents `u32`, element type `u8`, length in bytes `u32`, elements. Texts are a
//! `u16` length that counts a closing zero, then the bytes. (CTranslate2, `python/ctranslate2/specs/model_spec.py`.)

use std::io::Read;

use half::{bf16, f16};
use tempograph_core::{Error, ErrorKind, Result};

/// Limits no real model reaches.
const MAX_RANK: u8 = 8;
const MAX_VARIABLES: u32 = 100_000;

/// A model file being read, one variable after the other.
pub struct Ct2Reader<'a> {
    input: &'a mut dyn Read,
    specification: String,
    left: u32,
}

/// A variable with its elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Path of the layer, e.g. `encoder/layer_0/ffn/linear_0/weight`.
    pub name: String,
    /// Extents, outermost first; none for a single value.
    pub dims: Vec<usize>,
    /// The elements as floats. Integer weights are still to be divided by their scale.
    pub values: Vec<f32>,
    /// Whether the elements were integers.
    pub integer: bool,
}

impl<'a> Ct2Reader<'a> {
    /// Reads the head of a model file.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when it is not such a file.
    pub fn open(input: &'a mut dyn Read) -> Result<Self> {
        let mut reader = Self { input, specification: String::new(), left: 0 };
        let version = reader.u32()?;
        if !(4..=6).contains(&version) {
            return Err(invalid(format!("a CTranslate2 model of version 4 to 6 was expected, not: {version}")));
        }
        reader.specification = reader.text()?;
        reader.u32()?;
        reader.left = reader.u32()?;
        if reader.left > MAX_VARIABLES {
            return Err(invalid(format!("the model claims too many variables: {}", reader.left)));
        }
        Ok(reader)
    }

    /// Name of the specification, e.g. `WhisperSpec`.
    pub fn specification(&self) -> &str {
        &self.specification
    }

    /// The next variable; none after the last.
    ///
    /// # Errors
    /// [`ErrorKind::ModelInvalid`] when the file ends early or contradicts itself.
    pub fn next_variable(&mut self) -> Result<Option<Variable>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let name = self.text()?;
        let [rank] = self.bytes()?;
        if rank > MAX_RANK {
            return Err(invalid(format!("a variable of rank {rank} cannot be right: {name}")));
        }
        let dims = (0..rank).map(|_| self.u32().map(|d| d as usize)).collect::<Result<Vec<_>>>()?;
        let [kind] = self.bytes()?;
        let len = self.u32()?;
        let element =
            Element::from_code(kind).ok_or_else(|| invalid(format!("unknown element type {kind}: {name}")))?;
        let count = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if count.and_then(|n| n.checked_mul(element.size())) != Some(len as usize) {
            return Err(invalid(format!("extents {dims:?} do not make {len} bytes: {name}")));
        }
        // The length is only claimed: memory grows with what really comes.
        let mut bytes = Vec::new();
        let read = self.input.take(u64::from(len)).read_to_end(&mut bytes).map_err(|e| early().with_source(e))?;
        if read != len as usize {
            return Err(early());
        }
        Ok(Some(Variable { name, dims, values: element.decode(&bytes), integer: element.is_integer() }))
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|e| early().with_source(e))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Result<String> {
        let len = u16::from_le_bytes(self.bytes()?);
        let mut bytes = vec![0; usize::from(len)];
        self.input.read_exact(&mut bytes).map_err(|e| early().with_source(e))?;
        if bytes.pop() != Some(0) {
            return Err(invalid("a name in the model does not end in a zero".to_owned()));
        }
        String::from_utf8(bytes).map_err(|_| invalid("a name in the model is not UTF-8".to_owned()))
    }
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::ModelInvalid, message)
}

fn early() -> Error {
    Error::new(ErrorKind::ModelInvalid, "the CTranslate2 model ends early").with_hint("pull the model again")
}

/// Element types by CTranslate2's own numbers (`DataType`).
#[derive(Clone, Copy)]
enum Element {
    F32,
    I8,
    I16,
    I32,
    F16,
    Bf16,
}

impl Element {
    fn from_code(code: u8) -> Option<Self> {
        [Self::F32, Self::I8, Self::I16, Self::I32, Self::F16, Self::Bf16].get(usize::from(code)).copied()
    }

    fn size(self) -> usize {
        match self {
            Self::I8 => 1,
            Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
        }
    }

    fn is_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32)
    }

    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let twos = || bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
        let fours = || bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
        match self {
            Self::F32 => fours().map(f32::from_le_bytes).collect(),
            Self::I8 => bytes.iter().map(|&b| f32::from(b as i8)).collect(),
            Self::I16 => twos().map(|b| f32::from(i16::from_le_bytes(b))).collect(),
            Self::I32 => fours().map(|b| i32::from_le_bytes(b) as f32).collect(),
            Self::F16 => twos().map(|b| f16::from_le_bytes(b).to_f32()).collect(),
            Self::Bf16 => twos().map(|b| bf16::from_le_bytes(b).to_f32()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(s: &str) -> Vec<u8> {
        let mut bytes = (s.len() as u16 + 1).to_le_bytes().to_vec();
        bytes.extend_from_slice(s.as_bytes());
        bytes.push(0);
        bytes
    }

    fn variable(name: &str, dims: &[u32], kind: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = text(name);
        bytes.push(dims.len() as u8);
        bytes.extend(dims.iter().flat_map(|d| d.to_le_bytes()));
        bytes.push(kind);
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend_from_slice(data);
        bytes
    }

    fn file() -> Vec<u8> {
        let mut bytes = 6u32.to_le_bytes().to_vec();
        bytes.extend(text("WhisperSpec"));
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(3u32.to_le_bytes());
        bytes.extend(variable("a/heads", &[], 2, &8i16.to_le_bytes()));
        let halves: Vec<u8> = [1.5, -2.0].iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
        bytes.extend(variable("b/weight", &[2, 1], 4, &halves));
        bytes.extend(variable("c/weight", &[3], 1, &[1, 255, 127]));
        bytes
    }

    #[test]
    fn variables_come_in_order_as_floats() {
        let bytes = file();
        let mut input = bytes.as_slice();
        let mut reader = Ct2Reader::open(&mut input).unwrap();
        assert_eq!(reader.specification(), "WhisperSpec");
        let heads = reader.next_variable().unwrap().unwrap();
        assert_eq!((heads.dims.len(), heads.values.as_slice(), heads.integer), (0, [8.0].as_slice(), true));
        let b = reader.next_variable().unwrap().unwrap();
        assert_eq!(
            (b.name.as_str(), b.dims.as_slice(), b.values.as_slice()),
            ("b/weight", [2, 1].as_slice(), [1.5, -2.0].as_slice())
        );
        assert_eq!(reader.next_variable().unwrap().unwrap().values, [1.0, -1.0, 127.0]);
        assert_eq!(reader.next_variable().unwrap(), None);
    }

    fn read_all(bytes: &[u8]) -> Result<usize> {
        let mut input = bytes;
        let mut reader = Ct2Reader::open(&mut input)?;
        let mut count = 0;
        while reader.next_variable()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = file();
        assert_eq!(read_all(&bytes).unwrap(), 3);
        for cut in 0..bytes.len() {
            assert_eq!(read_all(&bytes[..cut]).unwrap_err().kind(), ErrorKind::ModelInvalid);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(at in 0usize..80, to: u8, cut in 0usize..100) {
            let mut bytes = file();
            let at = at.min(bytes.len() - 1);
            bytes[at] = to;
            let _unused = read_all(&bytes[..cut.min(bytes.len())]).is_ok();
            let _unused = read_all(&bytes).is_ok();
        }
    }
}
