//! What parent and child say to each other: frames over a pipe.
//!
//! A frame is two lengths as 32-bit little-endian numbers, a header of JSON and a body of bytes. Both sides bound
//! what they read: a broken peer costs an error, not memory.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Finish, Retry, SamplingParams, Usage},
};

use crate::memory::Memory;

/// Longest header: a question of a million tokens fits.
const MAX_HEADER: u32 = 16 << 20;
/// Longest body: one picture of 16 megapixels.
pub(crate) const MAX_BODY: u32 = 48 << 20;

/// What the parent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToChild {
    /// Load these weights. Comes first, once.
    Load(Load),
    /// A picture of the next question, in the body as packed RGB.
    Picture { width: u32, height: u32, mergeable: bool },
    /// Answer this; its pictures came before it.
    Ask(Box<Question>),
    /// The answer to this call is not wanted any more.
    Stop { call: u64 },
}

/// What to load, and how to compute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) model: std::path::PathBuf,
    pub(crate) mmproj: Option<std::path::PathBuf>,
    /// Most tokens of a context.
    pub(crate) context_tokens: u32,
    /// Most tokens of one picture.
    pub(crate) picture_tokens: u32,
    /// Most processor threads; fewer are used while others need them.
    pub(crate) threads: u32,
    pub(crate) gpu_layers: u32,
    /// Most bytes that the process may come to.
    pub(crate) budget_bytes: u64,
    pub(crate) exact: bool,
}

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) call: u64,
    pub(crate) turns: Vec<Turn>,
    /// JSON Schema that the answer is held to.
    pub(crate) schema: Option<serde_json::Value>,
    pub(crate) sampling: SamplingParams,
}

/// One turn of the conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) role: tempograph_core::vlm::Role,
    pub(crate) parts: Vec<Part>,
}

/// A piece of a turn.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// Words.
    Text(String),
    /// The next of the pictures that came before the question.
    Picture,
}

/// What the child says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromChild {
    /// The weights are loaded.
    Loaded { memory: Memory },
    /// The next piece of the answer.
    Text(String),
    /// Tokens of the question, before the first piece.
    Usage(Usage),
    /// The answer is complete.
    Done { finish: Finish, usage: Usage, memory: Memory },
    /// Loading or answering failed; the child goes on.
    Failed(Failure),
}

/// A failure on its way to the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    code: String,
    message: String,
    hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(e: &Error) -> Self {
        Self { code: e.code().to_string(), message: e.to_string(), hint: e.hint().map(str::to_owned) }
    }
}

impl Failure {
    /// The failure as the caller gets it. What the model or its input caused will happen again; the rest may pass.
    pub(crate) fn into_error(self) -> CallError {
        let kind = ErrorKind::ALL.iter().find(|k| k.code().as_str() == self.code).copied();
        let kind = kind.unwrap_or(ErrorKind::Inference);
        let retry = if kind == ErrorKind::Inference { Retry::Backoff } else { Retry::Never };
        let error = Error::new(kind, self.message);
        CallError { error: if let Some(hint) = self.hint { error.with_hint(hint) } else { error }, retry }
    }
}

/// Writes a frame and sends it off.
pub(crate) fn send(to: &mut impl Write, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    let header = serde_json::to_vec(header)?;
    let too_long = |_| io::Error::new(io::ErrorKind::InvalidInput, "a frame too long to be sent");
    let lengths = [u32::try_from(header.len()).map_err(too_long)?, u32::try_from(body.len()).map_err(too_long)?];
    if lengths[0] > MAX_HEADER || lengths[1] > MAX_BODY {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a frame longer than frames may be"));
    }
    for length in lengths {
        to.write_all(&length.to_le_bytes())?;
    }
    to.write_all(&header)?;
    to.write_all(body)?;
    to.flush()
}

/// Reads a frame; [`None`] when the peer is gone between two frames.
pub(crate) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut lengths = [0_u8; 8];
    let mut got = 0;
    while got < lengths.len() {
        match from.read(&mut lengths[got..]) {
            Ok(0) if got == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let [a, b, c, d, e, f, g, h] = lengths;
    let (header, body) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if header > MAX_HEADER || body > MAX_BODY {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame longer than frames may be"));
    }
    let header = exactly(from, header)?;
    let body = exactly(from, body)?;
    let header = serde_json::from_slice(&header)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("a frame that cannot be read: {e}")))?;
    Ok(Some((header, body)))
}

/// Reads `bytes` as both sides read their pipe, to the end or to the first frame that is wrong, and sends on what was
/// read: how many frames each side understood. For those who fuzz.
#[doc(hidden)]
pub fn each_frame(bytes: &[u8]) -> [usize; 2] {
    [frames::<ToChild>(bytes), frames::<FromChild>(bytes)]
}

fn frames<T: Serialize + DeserializeOwned>(mut from: &[u8]) -> usize {
    let mut count = 0;
    while let Ok(Some((header, body))) = receive::<T>(&mut from) {
        let mut again = Vec::new();
        // What was read can be sent, unless writing it out makes the header too long.
        if send(&mut again, &header, &body).is_ok() {
            // A number too large for its type is read as infinite and does not come back.
            if let Ok(back) = receive::<T>(&mut again.as_slice()) {
                assert!(back.is_some_and(|(_, b)| b == body), "a frame does not come out as it went in");
            }
        }
        count += 1;
    }
    count
}

/// Exactly `length` bytes, allocated as they come.
fn exactly(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if bytes.len() == length as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut pipe = Vec::new();
        send(&mut pipe, &ToChild::Picture { width: 1, height: 2, mergeable: true }, &[7; 6]).unwrap();
        send(&mut pipe, &ToChild::Stop { call: 3 }, &[]).unwrap();
        let mut from = pipe.as_slice();
        let (header, body) = receive::<ToChild>(&mut from).unwrap().unwrap();
        assert!(matches!(header, ToChild::Picture { width: 1, height: 2, mergeable: true }));
        assert_eq!(body, [7; 6]);
        assert!(matches!(receive(&mut from).unwrap(), Some((ToChild::Stop { call: 3 }, _))));
        assert!(receive::<ToChild>(&mut from).unwrap().is_none(), "the end between frames is an end");
    }

    #[test]
    fn a_frame_cut_anywhere_or_too_long_is_an_error() {
        let mut pipe = Vec::new();
        send(&mut pipe, &FromChild::Text("é".to_owned()), b"xyz").unwrap();
        for cut in 1..pipe.len() {
            assert!(receive::<FromChild>(&mut &pipe[..cut]).is_err(), "cut at {cut}");
        }
        for hostile in [[0xff; 8], [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]] {
            assert!(receive::<FromChild>(&mut hostile.as_slice()).is_err());
        }
        assert!(send(&mut Vec::new(), &ToChild::Stop { call: 0 }, &vec![0; MAX_BODY as usize + 1]).is_err());
    }

    #[test]
    fn frames_are_read_to_the_first_that_is_wrong() {
        let mut pipe = Vec::new();
        send(&mut pipe, &ToChild::Stop { call: 1 }, &[]).unwrap();
        send(&mut pipe, &ToChild::Stop { call: 2 }, b"xyz").unwrap();
        assert_eq!(each_frame(&pipe), [2, 0]);
        send(&mut pipe, &FromChild::Text("a".to_owned()), &[]).unwrap();
        assert_eq!(each_frame(&pipe), [2, 0]);
        assert_eq!(each_frame(b""), [0, 0]);
    }

    #[test]
    fn a_failure_keeps_its_kind_and_hint() {
        let error = Error::new(ErrorKind::OverBudget, "too much").with_hint("ask less");
        let back = Failure::from(&error).into_error();
        assert_eq!((back.error.kind(), back.error.hint()), (ErrorKind::OverBudget, Some("ask less")));
        assert_eq!(back.retry, Retry::Never);
        let passing = Failure::from(&Error::new(ErrorKind::Inference, "x")).into_error();
        assert_eq!(passing.retry, Retry::Backoff);
    }
}
