//! Hearing an answer to its end from a thread that has no async runtime.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use futures_core::Stream as _;
use tempograph_core::{
    Cancel, Error, ErrorKind,
    vlm::{CallError, Chunk, ChunkStream, Finish, Usage},
};

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the model wrote.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the call.
    pub usage: Usage,
}

/// How long a cancelled call goes on at most.
const CANCEL_POLL: Duration = Duration::from_millis(50);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Hears `stream` to its end, telling each piece of text to `on_text`. Dropping the stream, here or when `cancel` is
/// raised, stops the work behind it.
///
/// # Errors
/// What the stream ends with; [`ErrorKind::Cancelled`]; [`ErrorKind::AnswerInvalid`] when it ends without an end.
pub fn listen(mut stream: ChunkStream, cancel: &Cancel, on_text: &mut dyn FnMut(&str)) -> Result<Answer, CallError> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut stream = pin!(&mut stream);
    let (mut text, mut usage) = (String::new(), Usage::default());
    loop {
        cancel.check()?;
        match stream.as_mut().poll_next(&mut context) {
            Poll::Pending => thread::park_timeout(CANCEL_POLL),
            Poll::Ready(Some(Ok(Chunk::Text(piece)))) => {
                on_text(&piece);
                text.push_str(&piece);
            }
            Poll::Ready(Some(Ok(Chunk::Usage(used)))) => usage = used,
            Poll::Ready(Some(Ok(Chunk::Done(finish)))) => return Ok(Answer { text, finish, usage }),
            Poll::Ready(Some(Err(error))) => return Err(error),
            Poll::Ready(None) => {
                return Err(CallError::passing(Error::new(
                    ErrorKind::AnswerInvalid,
                    "the answer broke off before its end",
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::testing::Scripted;
    use tempograph_core::vlm::{Ask, Vlm as _};

    #[test]
    fn pieces_become_the_answer() {
        let model = Scripted::answers(["it is a dog"]);
        let mut heard = Vec::new();
        let answer =
            listen(model.generate(Ask::default()), &Cancel::new(), &mut |t| heard.push(t.to_owned())).expect("answers");
        assert_eq!(answer.text, "it is a dog");
        assert_eq!(heard.concat(), answer.text);
        assert!(heard.len() > 1 && answer.usage.tokens_out > 0);
    }

    #[test]
    fn a_stream_that_stops_short_is_no_answer() {
        let stream = Box::pin(futures_util::stream::iter([Ok(Chunk::Text("it".to_owned()))]));
        let error = listen(stream, &Cancel::new(), &mut |_| {}).expect_err("has no end");
        assert_eq!(error.error.kind(), ErrorKind::AnswerInvalid);
    }

    #[test]
    fn a_silent_stream_is_left_when_cancelled() {
        let cancel = Cancel::new();
        let raised = cancel.clone();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            raised.cancel();
        });
        let error = listen(Box::pin(futures_util::stream::pending()), &cancel, &mut |_| {}).expect_err("was cancelled");
        assert_eq!(error.error.kind(), ErrorKind::Cancelled);
        thread.join().expect("joins");
    }
}
