//! Videos at the service: uploaded once, shared by the calls that need them, deleted when none does.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use parking_lot::Mutex;
use reqwest::Method;
use serde_json::Value;
use tempograph_core::{Error, ErrorKind, vlm::CallError};
use tokio_util::sync::CancellationToken;

use super::upload::{self, Session};
use crate::net::{Call, Ended, Spawner, http::Endpoint};

/// Longest pause between two questions whether a video is ready.
const MAX_POLL: Duration = Duration::from_secs(10);

/// A broken upload is taken up again sooner than a video is ready.
const RESUMES_A_POLL: u32 = 4;

/// Videos at the service.
pub(super) struct Files {
    endpoint: Endpoint,
    keep: Duration,
    poll: Duration,
    /// By digest.
    known: Mutex<HashMap<String, Entry>>,
    closing: CancellationToken,
}

#[derive(Default)]
struct Entry {
    /// Held while the file is uploaded and made ready, so that a second call waits for the first.
    file: Arc<tokio::sync::Mutex<Option<Stored>>>,
    users: usize,
    /// Rises with every use, so that a pause knows whether it was the last.
    uses: u64,
}

/// A file at the service.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// `files/ID`.
    pub(super) name: String,
    pub(super) uri: String,
}

/// A file that was uploaded whole.
#[derive(Clone, Debug)]
struct Stored {
    file: File,
    /// Whether the service has said that it can be asked about. A call that was cancelled may have left it before that.
    ready: bool,
}

/// The right to use a file during a call.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    digest: String,
    file: File,
}

impl Lease {
    pub(super) fn uri(&self) -> String {
        self.file.uri.clone()
    }
}

impl Files {
    pub(super) fn new(endpoint: Endpoint, keep: Duration, poll: Duration) -> Self {
        Self { endpoint, keep, poll, known: Mutex::default(), closing: CancellationToken::new() }
    }

    /// Files that are kept for a next question are deleted now.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// The file for `call`, uploaded if it is not there yet.
    pub(super) async fn lease(
        self: &Arc<Self>,
        path: &Path,
        mime: &str,
        digest: &str,
        call: &Call,
    ) -> Result<Lease, CallError> {
        let slot = {
            let mut known = self.known.lock();
            let entry = known.entry(digest.to_owned()).or_default();
            entry.users += 1;
            entry.uses += 1;
            Arc::clone(&entry.file)
        };
        let (files, key, spawner) = (Arc::clone(self), digest.to_owned(), call.spawner().clone());
        call.at_end(move |ended| async move { files.release(&key, ended, &spawner).await });

        let mut stored = slot.lock().await;
        let lease = |file: &File| Lease { digest: digest.to_owned(), file: file.clone() };
        let (file, answer) = match &*stored {
            Some(Stored { file, ready: true }) => return Ok(lease(file)),
            Some(Stored { file, ready: false }) => (file.clone(), Value::Null),
            None => {
                let session = Arc::new(Mutex::new(Session::None));
                let (endpoint, cancelled) = (self.endpoint.clone(), Arc::clone(&session));
                call.at_end(move |_| async move { upload::abandon(&endpoint, &cancelled).await });
                let pause = self.poll / RESUMES_A_POLL;
                let (sent, answer) = upload::upload(&self.endpoint, path, mime, pause, &session).await?;
                // From here on the file is deleted with the entry, however the call ends.
                *stored = Some(Stored { file: sent.clone(), ready: false });
                *session.lock() = Session::None;
                (sent, answer)
            }
        };
        if let Err(error) = self.until_active(&file, answer).await {
            // Nobody is to ask about it any more: whoever waits for it, or comes next, sends it anew.
            *stored = None;
            let endpoint = self.endpoint.clone();
            call.at_end(move |_| async move { delete(&endpoint, &file.name).await });
            return Err(error);
        }
        *stored = Some(Stored { file: file.clone(), ready: true });
        Ok(lease(&file))
    }

    /// Forgets a file that the service no longer has.
    pub(super) fn forget(&self, lease: &Lease) {
        let slot = self.known.lock().get(&lease.digest).map(|e| Arc::clone(&e.file));
        let Some(slot) = slot else { return };
        // Whoever holds the lock is uploading it anew already.
        if let Ok(mut stored) = slot.try_lock()
            && stored.as_ref().is_some_and(|s| s.file.name == lease.file.name)
        {
            *stored = None;
        }
    }

    /// Waits until `file`, of which the service said `answer` last, can be asked about.
    async fn until_active(&self, file: &File, mut answer: Value) -> Result<(), CallError> {
        let mut pause = self.poll;
        loop {
            match answer["state"].as_str() {
                Some("ACTIVE") => return Ok(()),
                Some("FAILED") => {
                    let why =
                        crate::net::refusal::clean(answer["error"]["message"].as_str().unwrap_or("no reason given"));
                    return Err(Error::new(ErrorKind::BackendRefused, format!("`gemini` cannot use the video: {why}"))
                        .with_hint("ask about frames instead, or convert the video")
                        .into());
                }
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(MAX_POLL);
            let request = self.endpoint.request(Method::GET, &format!("/{}", file.name));
            answer = self.endpoint.json(self.endpoint.send(request).await?).await?;
        }
    }

    /// A call is over. The last one deletes the file: at once after a failure, else when nobody asked again in time.
    async fn release(self: Arc<Self>, digest: &str, ended: Ended, spawner: &Spawner) {
        let (last, uses) = {
            let mut known = self.known.lock();
            let Some(entry) = known.get_mut(digest) else { return };
            entry.users -= 1;
            (entry.users == 0, entry.uses)
        };
        if !last {
            return;
        }
        if ended == Ended::Broken || self.keep.is_zero() {
            return self.delete(digest, uses).await;
        }
        let (digest, closing) = (digest.to_owned(), spawner.closing().clone());
        spawner.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(self.keep) => {}
                () = self.closing.cancelled() => {}
                () = closing.cancelled() => {}
            }
            self.delete(&digest, uses).await;
        });
    }

    /// Deletes a file unless somebody has begun to use it again.
    async fn delete(&self, digest: &str, uses: u64) {
        let slot = {
            let mut known = self.known.lock();
            match known.get(digest) {
                Some(entry) if entry.users == 0 && entry.uses == uses => known.remove(digest).map(|e| e.file),
                _ => None,
            }
        };
        let Some(slot) = slot else { return };
        let stored = slot.lock().await.take();
        if let Some(stored) = stored {
            delete(&self.endpoint, &stored.file.name).await;
        }
    }
}

/// Deletes a file; the service does so by itself after 48 hours, so a failure is only noted.
pub(super) async fn delete(endpoint: &Endpoint, name: &str) {
    match endpoint.undo(|| endpoint.request(Method::DELETE, &format!("/{name}"))).await {
        Ok(_) => tracing::debug!(name, "upload deleted"),
        Err(failed) => {
            let error = CallError::from(failed);
            tracing::warn!(%error, name, "an upload could not be deleted; the service deletes it after 48 hours");
        }
    }
}
