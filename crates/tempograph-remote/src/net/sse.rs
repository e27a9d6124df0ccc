//! Server-sent events: `data:` lines, however the bytes are cut.

use tempograph_core::{Error, ErrorKind, vlm::CallError};

/// Longest line that is kept. A piece of an answer is some hundred bytes; a whole answer sent at once is less than this.
const MAX_LINE: usize = 4 << 20;

/// Puts the bytes of an event stream together again.
///
/// Takes all three line ends, comments, fields that nobody asked for, data over several lines, a byte order mark, and
/// a last event without the empty line behind it.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: String,
    has_data: bool,
    after_cr: bool,
    begun: bool,
}

impl Events {
    /// Takes the next bytes and tells each event's data that they complete.
    ///
    /// # Errors
    /// [`ErrorKind::AnswerInvalid`] when a line or an event is longer than any answer.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<String>) -> Result<(), CallError> {
        for &byte in bytes {
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                continue;
            }
            match byte {
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(out);
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.len() > MAX_LINE {
                let error = Error::new(ErrorKind::AnswerInvalid, "the back end sent an event without an end");
                return Err(CallError::passing(error));
            }
        }
        Ok(())
    }

    /// The event that the stream ended in, if it is whole enough to be one.
    pub(crate) fn finish(mut self) -> Option<String> {
        let mut out = Vec::new();
        self.end_line(&mut out);
        self.end_event(&mut out);
        out.pop()
    }

    fn end_line(&mut self, out: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            return self.end_event(out);
        }
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = String::from_utf8_lossy(data.strip_prefix(b" ").unwrap_or(data));
        if self.has_data {
            self.data.push('\n');
        }
        self.has_data = true;
        self.data.push_str(&data);
    }

    fn end_event(&mut self, out: &mut Vec<String>) {
        if std::mem::take(&mut self.has_data) {
            out.push(std::mem::take(&mut self.data));
        }
    }
}

/// The events of a stream that came in `pieces`; [`None`] when it is given up. For those who fuzz.
#[doc(hidden)]
#[cfg(feature = "conformance")]
pub fn read_events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<String>> {
    let (mut events, mut out) = (Events::default(), Vec::new());
    for piece in pieces {
        events.push(piece, &mut out).ok()?;
    }
    out.extend(events.finish());
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let (mut events, mut out) = (Events::default(), Vec::new());
        for piece in pieces {
            events.push(piece, &mut out).unwrap();
        }
        out.extend(events.finish());
        out
    }

    #[test]
    fn every_form_of_the_standard() {
        assert_eq!(read(&[b"data: a\n\ndata:b\r\n\r\n"]), ["a", "b"]);
        assert_eq!(read(&[b"\xef\xbb\xbfdata: a\rdata: b\r\r"]), ["a\nb"]);
        assert_eq!(read(&[b": ping\n\nevent: x\nid: 1\ndata: a\n\n"]), ["a"]);
        assert_eq!(read(&["data: dé".as_bytes(), b"\xc3", b"\xa9\r", b"\n\r\n"]), ["déé"]);
        assert_eq!(read(&[b"data: a\n\n\n\ndata: no blank line behind"]), ["a", "no blank line behind"]);
        assert_eq!(read(&[b"data:\n\n"]), [""]);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let mut events = Events::default();
        let piece = vec![b'x'; 1 << 20];
        let mut out = Vec::new();
        assert!((0..8).any(|_| events.push(&piece, &mut out).is_err()));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'd'), any::<u8>()], 0..200), at in 0usize..200) {
            let at = at.min(bytes.len());
            prop_assert_eq!(read(&[&bytes]), read(&[&bytes[..at], &bytes[at..]]));
        }
    }
}
