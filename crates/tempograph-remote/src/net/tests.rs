use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt as _, pin_mut};
use tempograph_core::vlm::{Chunk, Finish};

use super::*;

/// Polls on this thread, which has no runtime.
fn next(stream: &mut tempograph_core::vlm::ChunkStream) -> Option<Result<Chunk, CallError>> {
    let next = stream.next();
    pin_mut!(next);
    block_on(next)
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn nothing_happens_before_the_first_poll() {
    let net = Net::new();
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&begun);
    let mut stream = answer(&net, LONG, move |call| async move {
        seen.fetch_add(1, Ordering::SeqCst);
        call.text("hello".to_owned()).await?;
        Ok(Finish::Stop)
    });
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(begun.load(Ordering::SeqCst), 0);
    assert_eq!(next(&mut stream).unwrap().unwrap(), Chunk::Text("hello".to_owned()));
    assert_eq!(next(&mut stream).unwrap().unwrap(), Chunk::Done(Finish::Stop));
    assert!(next(&mut stream).is_none() && next(&mut stream).is_none(), "it stays at its end");
}

#[test]
fn dropping_the_stream_stops_the_work_and_runs_its_cleanups() {
    let net = Net::new();
    let undone = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&undone);
    let mut stream = answer(&net, LONG, move |call| async move {
        call.at_end(move |ended| async move {
            assert_eq!(ended, Ended::Broken);
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen.fetch_add(1, Ordering::SeqCst);
        });
        call.text("one".to_owned()).await?;
        std::future::pending().await
    });
    assert!(matches!(next(&mut stream), Some(Ok(Chunk::Text(_)))));
    drop(stream);
    drop(net);
    assert_eq!(undone.load(Ordering::SeqCst), 1, "the last handle waits for cleanups");
}

#[test]
fn closing_ends_what_is_under_way_and_what_comes_later() {
    let net = Net::new();
    let hang = |call: Call| async move {
        call.text("one".to_owned()).await?;
        std::future::pending().await
    };
    let mut stream = answer(&net, LONG, hang);
    assert!(next(&mut stream).unwrap().is_ok());
    assert!(net.shutdown(Duration::from_secs(5)));
    let mut later = answer(&net, LONG, hang);
    assert_eq!(next(&mut later).unwrap().unwrap_err().error.kind(), ErrorKind::Cancelled);
    let reply = net.run(async { Ok(1) });
    assert!(block_on(reply).is_err());
    assert!(net.shutdown(Duration::ZERO), "closing twice is harmless");
}

#[test]
fn a_panic_and_an_endless_call_become_errors() {
    let net = Net::new();
    let mut panics = answer(&net, LONG, |_| async { panic!("a bug") });
    assert_eq!(next(&mut panics).unwrap().unwrap_err().error.kind(), ErrorKind::Internal);
    let mut endless = answer(&net, Duration::from_millis(20), |_| std::future::pending());
    assert_eq!(next(&mut endless).unwrap().unwrap_err().error.kind(), ErrorKind::TimedOut);
}
