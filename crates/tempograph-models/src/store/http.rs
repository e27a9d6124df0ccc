//! Files over HTTPS, continued where an earlier try ended.
//!
//! The bytes land in a `.part` file. Whoever calls checks their SHA-256, so a server is trusted with nothing: it can
//! at worst waste the length that the manifest states.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use tempograph_core::{Cancel, Error, ErrorKind, Result};
use ureq::{
    Agent, Body,
    http::{Response, StatusCode, Uri, header},
    tls::{RootCerts, TlsConfig},
};

/// Hops a download may take; hubs use two.
const MAX_REDIRECTS: usize = 5;
/// Tries of one source that end without a new byte.
const MAX_IDLE_TRIES: usize = 3;
/// Tries to reach a server that never answered.
const MAX_UNANSWERED: usize = 2;

/// How a client reaches its servers.
#[derive(Clone, Debug)]
pub(super) struct HttpOptions {
    /// Whether plain HTTP to this machine itself is allowed. Everything else is HTTPS.
    pub loopback: bool,
    /// How long the first byte, or the next one, may take.
    pub patience: Duration,
    /// How long to wait before asking again.
    pub pause: Duration,
}

/// Downloads files, and does not wait twice for a server that cannot be reached.
pub(super) struct HttpClient {
    agent: Agent,
    options: HttpOptions,
    /// Per server, tries without any answer; none once it answered.
    silent: RefCell<BTreeMap<String, usize>>,
}

/// What to download, and how much of it is right.
pub(super) struct Download<'a> {
    pub url: &'a str,
    /// Sent to the host of `url` only, never to where it redirects.
    pub token: Option<&'a str>,
    /// The length the file has.
    pub bytes: u64,
}

/// How one request went.
enum Outcome {
    Complete,
    /// Ask again: the connection was cut or the server is busy.
    Again(String),
}

impl HttpClient {
    /// A client; no request is made.
    pub(super) fn new(options: HttpOptions) -> Self {
        let config = Agent::config_builder()
            .https_only(!options.loopback)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(options.patience))
            .timeout_connect(Some(options.patience))
            .timeout_send_request(Some(options.patience))
            .timeout_recv_response(Some(options.patience))
            .timeout_per_read(Some(options.patience))
            .accept_encoding("identity")
            .user_agent(concat!("tempograph/", env!("CARGO_PKG_VERSION")))
            // The roots of the system, so that it works behind a company's proxy too.
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        Self { agent: config.new_agent(), options, silent: RefCell::default() }
    }

    /// Whether the server of `url` was tried before and never answered.
    pub(super) fn is_unreachable(&self, url: &str) -> bool {
        let server = url.parse::<Uri>().map(|u| server(&u)).unwrap_or_default();
        self.silent.borrow().get(&server).is_some_and(|n| *n >= MAX_UNANSWERED)
    }

    /// Downloads into `part`, after what it already holds. `progress` hears how many bytes are there.
    ///
    /// # Errors
    /// [`ErrorKind::FetchFailed`] when the server does not give the file; what came is kept for the next try.
    /// [`ErrorKind::Cancelled`]; and those of writing `part`.
    pub(super) fn download(
        &self,
        wanted: &Download<'_>,
        part: &Path,
        cancel: &Cancel,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut idle = 0;
        loop {
            cancel.check()?;
            let before = length(part)?;
            match self.attempt(wanted, part, before, cancel, progress)? {
                Outcome::Complete => return Ok(()),
                Outcome::Again(why) => {
                    idle = if length(part)? > before { 0 } else { idle + 1 };
                    if idle >= MAX_IDLE_TRIES || self.is_unreachable(wanted.url) {
                        return Err(failed(why));
                    }
                    tracing::debug!(why, "asking again");
                    wait(self.options.pause * idle.max(1) as u32, cancel)?;
                }
            }
        }
    }

    fn attempt(
        &self,
        wanted: &Download<'_>,
        part: &Path,
        have: u64,
        cancel: &Cancel,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Outcome> {
        if have == wanted.bytes {
            return Ok(Outcome::Complete);
        }
        let have = if have > wanted.bytes { 0 } else { have };
        let response = match self.request(wanted, have)? {
            Ok(response) => response,
            Err(why) => return Ok(Outcome::Again(why)),
        };
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if starts_at(&response, have) => have,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                truncate(part, 0)?;
                return Ok(Outcome::Again("the server cannot continue the download".to_owned()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Ok(Outcome::Again(format!("the server answers {status}")));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(failed(format!(
                    "the server answers {}: it wants a token, or agreement to its terms",
                    response.status()
                )));
            }
            status => return Err(failed(format!("the server answers {status}"))),
        };
        if let Some(length) = response.body().content_length().filter(|n| start.saturating_add(*n) != wanted.bytes) {
            let total = start.saturating_add(length);
            return Err(failed(format!("the file has {total} bytes, not the expected {}", wanted.bytes)));
        }
        let file = truncate(part, start)?;
        receive(response, file, part, start, wanted.bytes, cancel, progress)
    }

    /// Asks for the bytes from `have` on, following redirects. The inner error is worth another try.
    fn request(&self, wanted: &Download<'_>, have: u64) -> Result<Result<Response<Body>, String>> {
        let mut uri = self.checked(wanted.url)?;
        let home = uri.authority().cloned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(&uri);
            if have > 0 {
                request = request.header(header::RANGE, format!("bytes={have}-"));
            }
            if let Some(token) = wanted.token.filter(|_| uri.authority() == home.as_ref()) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = match request.call() {
                Ok(response) => response,
                Err(e) if is_final(&e) => return Err(failed(e.to_string())),
                Err(e) => {
                    *self.silent.borrow_mut().entry(server(&uri)).or_insert(0) += 1;
                    return Ok(Err(e.to_string()));
                }
            };
            self.silent.borrow_mut().remove(&server(&uri));
            if !response.status().is_redirection() {
                return Ok(Ok(response));
            }
            let location = response.headers().get(header::LOCATION).and_then(|l| l.to_str().ok());
            let Some(location) = location else {
                return Err(failed("the server redirects to nowhere".to_owned()));
            };
            uri = self.checked(&absolute(&uri, location))?;
        }
        Err(failed(format!("the server redirects more than {MAX_REDIRECTS} times")))
    }

    /// `url` when it may be asked: HTTPS, or this machine itself where that is allowed.
    fn checked(&self, url: &str) -> Result<Uri> {
        let uri: Uri = url.parse().map_err(|_| failed(format!("not a web address: {url}")))?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => Ok(uri),
            Some("http") if self.options.loopback && loopback => Ok(uri),
            _ => Err(failed(format!("only addresses with https are asked, not: {url}"))),
        }
    }
}

/// Writes the body behind `start` bytes of `file`.
fn receive(
    response: Response<Body>,
    mut file: File,
    part: &Path,
    start: u64,
    bytes: u64,
    cancel: &Cancel,
    progress: &mut dyn FnMut(u64),
) -> Result<Outcome> {
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    let mut have = start;
    loop {
        cancel.check()?;
        let n = match body.read(&mut buffer) {
            Ok(0) if have == bytes => return Ok(Outcome::Complete),
            Ok(0) => return Ok(Outcome::Again(format!("the connection ended after {have} of {bytes} bytes"))),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Ok(Outcome::Again(format!("the connection failed after {have} of {bytes} bytes: {e}"))),
        };
        have += n as u64;
        if have > bytes {
            truncate(part, 0)?;
            return Err(failed(format!("the file is longer than the expected {bytes} bytes")));
        }
        file.write_all(&buffer[..n]).map_err(|e| Error::io("write", part, e))?;
        progress(have);
    }
}

/// The server of an address.
fn server(uri: &Uri) -> String {
    uri.authority().map(ToString::to_string).unwrap_or_default()
}

/// Whether asking again cannot help.
fn is_final(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::BadUri(_)
            | ureq::Error::RequireHttpsOnly(_)
            | ureq::Error::HostNotFound
            | ureq::Error::Tls(_)
            | ureq::Error::Rustls(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::Protocol(_)
            | ureq::Error::Http(_)
            | ureq::Error::LargeResponseHeader(..)
    )
}

/// Whether a partial answer continues at byte `have`.
fn starts_at(response: &Response<Body>, have: u64) -> bool {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|r| r.to_str().ok());
    let first = range.and_then(|r| r.trim().strip_prefix("bytes")?.trim_start().split('-').next());
    first.and_then(|f| f.parse().ok()) == Some(have)
}

/// Where `location` leads from `base`.
fn absolute(base: &Uri, location: &str) -> String {
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |a| a.as_str());
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

/// `part` opened for writing behind its first `bytes` bytes, the rest cut off.
fn truncate(part: &Path, bytes: u64) -> Result<File> {
    let cut = || {
        let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(part)?;
        file.set_len(bytes)?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))?;
        Ok(file)
    };
    cut().map_err(|e| Error::io("write", part, e))
}

fn length(part: &Path) -> Result<u64> {
    match std::fs::metadata(part) {
        Ok(metadata) => Ok(metadata.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::io("read", part, e)),
    }
}

/// Sleeps, unless somebody asks to stop.
fn wait(duration: Duration, cancel: &Cancel) -> Result<()> {
    let step = Duration::from_millis(50);
    let mut left = duration;
    while !left.is_zero() {
        cancel.check()?;
        std::thread::sleep(left.min(step));
        left = left.saturating_sub(step);
    }
    cancel.check()
}

fn failed(why: String) -> Error {
    Error::new(ErrorKind::FetchFailed, why)
}

#[cfg(test)]
pub(super) mod tests;
