//! Google's resumable upload: start, send in pieces, ask how far it came, finish.

use std::{
    fs::File as OsFile,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use parking_lot::Mutex;
use reqwest::{Method, Response, header::HeaderMap};
use serde_json::{Value, json};
use tempograph_core::{
    Error, ErrorKind,
    vlm::{CallError, Retry},
};

use super::files::{self, File};
use crate::net::http::{Endpoint, Failed};

/// Bytes of one piece: few requests, and little to send again.
const PIECE: u64 = 8 << 20;

/// The most the File API takes.
const MAX_FILE: u64 = 2 << 30;

/// How often an upload is taken up again without getting any further before it is given up.
const MAX_RESUMES: u32 = 5;

/// What must be undone when an upload is abandoned.
#[derive(Debug)]
pub(super) enum Session {
    /// Nothing.
    None,
    /// An upload under way at this address; it may be complete without our knowing.
    Open(String),
}

/// Uploads a file. Gives it and what the service says of it. A broken upload is taken up again after `pause`, then twice
/// that, and so on.
pub(super) async fn upload(
    endpoint: &Endpoint,
    path: &Path,
    mime: &str,
    pause: Duration,
    session: &Mutex<Session>,
) -> Result<(File, Value), CallError> {
    let size = std::fs::metadata(path).map_err(|e| Error::io("read", path, e))?.len();
    if size == 0 || size > MAX_FILE {
        return Err(Error::new(ErrorKind::OverBudget, format!("`gemini` takes videos up to 2 GB, not {size} bytes"))
            .with_hint("ask about frames instead")
            .into());
    }
    let headers = start(endpoint, size, mime).await?;
    let url = header(&headers, "x-goog-upload-url").ok_or_else(|| endpoint.invalid("gave no address to upload to"))?;
    let granularity = header(&headers, "x-goog-upload-chunk-granularity").and_then(|g| g.parse::<u64>().ok());
    let granularity = granularity.unwrap_or(1).clamp(1, PIECE);
    let piece = PIECE / granularity * granularity;
    // An address that is not safe ends the upload before anything is sent there.
    drop(endpoint.unsigned(Method::POST, url)?);
    *session.lock() = Session::Open(url.to_owned());

    let (mut offset, mut furthest, mut resumes, mut resumed) = (0, 0, 0, false);
    loop {
        let length = piece.min(size - offset);
        let bytes = read(path.to_owned(), offset, length).await?;
        let command = if offset + length == size { "upload, finalize" } else { "upload" };
        let request = endpoint.unsigned(Method::POST, url)?;
        let request = request.header("x-goog-upload-command", command).header("x-goog-upload-offset", offset);
        let trouble = match endpoint.send(request.body(bytes)).await {
            Ok(response) if offset + length == size => return finished(endpoint, response).await,
            Ok(_) => {
                offset += length;
                continue;
            }
            Err(failed) => CallError::from(failed),
        };
        // A piece that was given up may arrive after all, and the one sent again is then refused: not where it belongs.
        let refused = trouble.retry == Retry::Never;
        if resumes == MAX_RESUMES || (refused && !resumed) {
            return Err(trouble);
        }
        tokio::time::sleep(pause * 2_u32.pow(resumes)).await;
        resumes += 1;
        resumed = true;
        match query(endpoint, url).await {
            Ok(Progress::Received(received)) if refused && received == offset => return Err(trouble),
            // All of it may have arrived without our hearing so; then an empty piece finishes.
            Ok(Progress::Received(received)) if received <= size => {
                offset = received;
                if received > furthest {
                    (furthest, resumes) = (received, 0);
                }
            }
            Ok(Progress::Final(file)) => return Ok(file),
            Ok(Progress::Received(_)) => return Err(endpoint.invalid("received more than was sent")),
            Err(failed) if failed.may_pass() => {}
            Err(failed) => return Err(failed.into()),
        }
    }
}

async fn start(endpoint: &Endpoint, size: u64, mime: &str) -> Result<HeaderMap, CallError> {
    let request = endpoint
        .request_beside("/upload", Method::POST, "/files")
        .header("x-goog-upload-protocol", "resumable")
        .header("x-goog-upload-command", "start")
        .header("x-goog-upload-header-content-length", size)
        .header("x-goog-upload-header-content-type", mime)
        .json(&json!({"file": {"display_name": "tempograph"}}));
    Ok(endpoint.send(request).await?.headers().clone())
}

enum Progress {
    Received(u64),
    Final((File, Value)),
}

async fn query(endpoint: &Endpoint, url: &str) -> Result<Progress, Failed> {
    let request = endpoint.unsigned(Method::POST, url)?.header("x-goog-upload-command", "query");
    progress(endpoint, endpoint.send(request).await?).await
}

async fn progress(endpoint: &Endpoint, response: Response) -> Result<Progress, Failed> {
    if header(response.headers(), "x-goog-upload-status") == Some("final") {
        return Ok(Progress::Final(finished(endpoint, response).await?));
    }
    let received = header(response.headers(), "x-goog-upload-size-received").and_then(|s| s.parse().ok());
    Ok(Progress::Received(received.ok_or_else(|| endpoint.invalid("did not say how far the upload came"))?))
}

async fn finished(endpoint: &Endpoint, response: Response) -> Result<(File, Value), CallError> {
    let file = endpoint.json(response).await?["file"].take();
    let is_name = |n: &str| {
        n.strip_prefix("files/").is_some_and(|id| {
            (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    };
    match (file["name"].as_str().filter(|n| is_name(n)), file["uri"].as_str()) {
        (Some(name), Some(uri)) => Ok((File { name: name.to_owned(), uri: uri.to_owned() }, file)),
        _ => Err(endpoint.invalid("did not name the file that was uploaded")),
    }
}

async fn read(path: PathBuf, offset: u64, length: u64) -> Result<Vec<u8>, CallError> {
    let work = move || -> Result<Vec<u8>, Error> {
        let error = |e| Error::io("read", &path, e);
        let mut file = OsFile::open(&path).map_err(error)?;
        file.seek(SeekFrom::Start(offset)).map_err(error)?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        file.read_exact(&mut bytes).map_err(error)?;
        Ok(bytes)
    };
    let read = tokio::task::spawn_blocking(work).await;
    Ok(read.map_err(|_| Error::new(ErrorKind::Internal, "reading a video panicked"))??)
}

/// Undoes an upload that nobody waits for: stops it, or deletes the file if it was complete.
pub(super) async fn abandon(endpoint: &Endpoint, session: &Mutex<Session>) {
    let Session::Open(url) = std::mem::replace(&mut *session.lock(), Session::None) else { return };
    let Ok(request) = endpoint.unsigned(Method::POST, &url) else { return };
    let again = |command| {
        let request = request.try_clone().expect("a request without a body can be sent twice");
        request.header("x-goog-upload-command", command)
    };
    let progress = match endpoint.undo(|| again("query")).await {
        Ok(response) => progress(endpoint, response).await,
        Err(failed) => Err(failed),
    };
    match progress {
        Ok(Progress::Final((file, _))) => files::delete(endpoint, &file.name).await,
        Ok(Progress::Received(_)) => {
            if let Err(failed) = endpoint.undo(|| again("cancel")).await {
                tracing::debug!(error = %CallError::from(failed), "an upload could not be cancelled");
            }
        }
        Err(failed) => tracing::debug!(error = %CallError::from(failed), "an upload could not be asked about"),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
