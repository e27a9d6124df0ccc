//! HTTP as every back end speaks it: bounded in time and size, no redirects, no secret where it does not belong.

use std::{sync::OnceLock, time::Duration};

use bytes::Bytes;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::Value;
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{CallError, Retry},
};
use url::{Host, Url};

use super::{
    Net,
    refusal::{Refusal, Who},
    sse::Events,
};
use crate::Secret;

/// Long enough for a handshake across the world over a bad line.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Largest body that is read whole: an answer of 100 000 tokens is below 1 MiB.
const MAX_BODY: usize = 16 << 20;

/// Largest body of a refusal that is read.
const MAX_REFUSAL: usize = 64 << 10;

/// How often something is undone, at most, and the first pause between two tries; each later one is twice as long.
const UNDO_TRIES: u32 = 4;
const UNDO_PAUSE: Duration = Duration::from_millis(100);

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From sending a question to the first byte of the reply. A slow machine reads a long question for minutes
    /// before it says anything.
    pub first_byte: Duration,
    /// Between two pieces of a reply.
    pub idle: Duration,
    /// A call as a whole, uploads and queues included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(300), idle: Duration::from_secs(120), total: Duration::from_secs(1800) }
    }
}

/// Where a key goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of its own.
    Header(&'static str),
}

/// What an endpoint is made of.
pub(crate) struct EndpointOptions<'a> {
    pub(crate) who: Who,
    pub(crate) base_url: &'a str,
    pub(crate) key: Option<Secret>,
    pub(crate) auth: Auth,
    pub(crate) allow_plain_http: bool,
    pub(crate) timeouts: Timeouts,
}

/// An address with what is needed to talk to it.
#[derive(Clone)]
pub(crate) struct Endpoint {
    who: Who,
    client: Client,
    base: Url,
    key: Option<Secret>,
    auth: Auth,
    pub(crate) timeouts: Timeouts,
}

/// Why a request got no good reply.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The server said no.
    Refused(Refusal),
    /// There was no reply to speak of.
    Broken(CallError),
}

impl Failed {
    /// Whether it may be gone the next time.
    pub(crate) fn may_pass(&self) -> bool {
        let retry = match self {
            Self::Refused(refusal) => refusal.error().retry,
            Self::Broken(error) => error.retry,
        };
        retry != Retry::Never
    }
}

impl From<Failed> for CallError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.error(),
            Failed::Broken(error) => error,
        }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        Self::Broken(error)
    }
}

impl Endpoint {
    pub(crate) fn new(net: &Net, options: EndpointOptions<'_>) -> Result<Self> {
        let base = base_url(options.base_url)?;
        let key = options.key.filter(|k| !k.is_empty());
        if base.scheme() == "http" && !is_loopback(&base) && key.is_some() && !options.allow_plain_http {
            return Err(Error::new(
                ErrorKind::Config,
                format!("the key of `{}` would be sent without encryption: {base}", options.who.backend),
            )
            .with_hint("use an `https` address, or allow plain HTTP for this back end"));
        }
        let client = net.clients().reaching(&base)?;
        Ok(Self { who: options.who, client, base, key, auth: options.auth, timeouts: options.timeouts })
    }

    /// Who answers here.
    pub(crate) fn who(&self) -> &Who {
        &self.who
    }

    /// The address, without a secret: it cannot hold one.
    pub(crate) fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A request to `path` below the address, with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.signed(self.client.request(method, format!("{}{path}", self.address())))
    }

    /// A request to `path` below the address whose own path begins with `prefix`, e.g. `/upload/v1beta/files`.
    pub(crate) fn request_beside(&self, prefix: &str, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{prefix}{}{path}", self.base.path().trim_end_matches('/')));
        self.signed(self.client.request(method, url))
    }

    /// Asks for a key where the service is not on this machine.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when there is none.
    pub(crate) fn demand_key(&self) -> Result<()> {
        if self.key.is_some() || is_loopback(&self.base) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, format!("`{}` needs a key", self.who.backend))
            .with_hint("set the key of this back end in the configuration or the environment"))
    }

    /// A request without the key to an address that the server gave.
    ///
    /// # Errors
    /// When the address is less safe than the one the server was asked at.
    pub(crate) fn unsigned(&self, method: Method, url: &str) -> Result<RequestBuilder, CallError> {
        let safe = Url::parse(url)
            .ok()
            .filter(|u| u.scheme() == "https" || (u.scheme() == self.base.scheme() && u.host() == self.base.host()));
        match safe {
            Some(url) => Ok(self.client.request(method, url)),
            None => Err(self.invalid("named an address that is not safe to send to")),
        }
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.key, self.auth) {
            (None, _) => request,
            (Some(key), Auth::Bearer) => request.bearer_auth(key.reveal()),
            (Some(key), Auth::Header(name)) => request.header(name, key.reveal()),
        }
    }

    /// Sends a request; anything but success is a failure.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Failed> {
        let response = match tokio::time::timeout(self.timeouts.first_byte, request.send()).await {
            Err(_) => return Err(Failed::Broken(self.slow(self.timeouts.first_byte))),
            Ok(Err(error)) => return Err(Failed::Broken(self.transport(error))),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = self.body(response, MAX_REFUSAL).await.unwrap_or_default();
        Err(Failed::Refused(Refusal::new(self.who.clone(), self.key.as_ref(), status, &headers, &body)))
    }

    /// Sends what undoes something at the service, again and again while its failure may pass: what is left there is
    /// somebody's video, or is paid for.
    pub(crate) async fn undo(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, Failed> {
        let mut pause = UNDO_PAUSE;
        for _ in 1..UNDO_TRIES {
            match self.send(request()).await {
                Err(failed) if failed.may_pass() => tokio::time::sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        self.send(request()).await
    }

    /// The whole body, up to `max` bytes of it.
    async fn body(&self, mut response: Response, max: usize) -> Result<Vec<u8>, CallError> {
        let mut body = Vec::new();
        while let Some(bytes) = self.next(&mut response).await? {
            if body.len() + bytes.len() > max {
                return Err(self.invalid("sent more than an answer can be"));
            }
            body.extend_from_slice(&bytes);
        }
        Ok(body)
    }

    /// The body as JSON.
    pub(crate) async fn json(&self, response: Response) -> Result<Value, CallError> {
        let body = self.body(response, MAX_BODY).await?;
        serde_json::from_slice(&body).map_err(|_| self.invalid("sent something that is not JSON"))
    }

    /// The body as events.
    pub(crate) fn events(&self, response: Response) -> EventStream {
        EventStream {
            endpoint: self.clone(),
            response: Some(response),
            events: Events::default(),
            ready: Vec::new().into_iter(),
            read: 0,
        }
    }

    async fn next(&self, response: &mut Response) -> Result<Option<Bytes>, CallError> {
        match tokio::time::timeout(self.timeouts.idle, response.chunk()).await {
            Err(_) => Err(self.slow(self.timeouts.idle)),
            Ok(Err(error)) if error.is_timeout() => Err(self.slow(self.timeouts.idle)),
            Ok(Err(_)) => Err(self.truncated()),
            Ok(Ok(bytes)) => Ok(bytes),
        }
    }

    fn transport(&self, error: reqwest::Error) -> CallError {
        if error.is_timeout() {
            return self.slow(CONNECT_TIME);
        }
        let what = if error.is_connect() { "cannot be reached" } else { "broke the connection" };
        let cause = innermost(&error);
        CallError::passing(
            Error::new(
                ErrorKind::BackendUnavailable,
                format!("`{}` {what} ({cause}): {}", self.who.backend, self.address()),
            )
            .with_hint("check that the server runs, and its address")
            .with_source(error.without_url()),
        )
    }

    fn slow(&self, limit: Duration) -> CallError {
        let message = format!("`{}` said nothing for {} s", self.who.backend, limit.as_secs_f32().ceil());
        CallError::passing(Error::new(ErrorKind::TimedOut, message))
    }

    /// The answer stopped before its end.
    pub(crate) fn truncated(&self) -> CallError {
        let message = format!("the answer of `{}` broke off before its end", self.who.backend);
        CallError::passing(Error::new(ErrorKind::AnswerInvalid, message))
    }

    /// The answer is not of the form that the interface documents.
    pub(crate) fn invalid(&self, what: &str) -> CallError {
        CallError::passing(Error::new(ErrorKind::AnswerInvalid, format!("`{}` {what}", self.who.backend)))
    }
}

/// What went wrong at the bottom, e.g. `Connection refused (os error 111)`: the layers above only say that it did.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Events of a reply, in order.
pub(crate) struct EventStream {
    endpoint: Endpoint,
    response: Option<Response>,
    events: Events,
    ready: std::vec::IntoIter<String>,
    read: usize,
}

impl EventStream {
    /// The next event's data; none at the end of the reply.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, CallError> {
        loop {
            if let Some(event) = self.ready.next() {
                return Ok(Some(event));
            }
            let Some(response) = &mut self.response else { return Ok(None) };
            match self.endpoint.next(response).await? {
                Some(bytes) => {
                    self.read += bytes.len();
                    if self.read > MAX_BODY {
                        return Err(self.endpoint.invalid("sent more than an answer can be"));
                    }
                    let mut ready = Vec::new();
                    self.events.push(&bytes, &mut ready)?;
                    self.ready = ready.into_iter();
                }
                None => {
                    self.response = None;
                    return Ok(std::mem::take(&mut self.events).finish());
                }
            }
        }
    }
}

/// The clients, made when first needed: through the proxy of the system, or past it for this machine.
///
/// Without TLS each request has a connection of its own, which costs little: llama.cpp's server closes each one after a
/// streamed answer without saying so, and a question sent on it before that is seen would be lost.
#[derive(Default)]
pub(crate) struct Clients {
    secure: OnceLock<Result<Client, String>>,
    plain: OnceLock<Result<Client, String>>,
    near: OnceLock<Result<Client, String>>,
}

impl Clients {
    fn reaching(&self, base: &Url) -> Result<Client> {
        let client = if is_loopback(base) {
            self.near.get_or_init(|| client(|b| b.no_proxy().pool_max_idle_per_host(0)))
        } else if base.scheme() == "http" {
            self.plain.get_or_init(|| client(|b| b.pool_max_idle_per_host(0)))
        } else {
            self.secure.get_or_init(|| client(|b| b))
        };
        client.clone().map_err(|e| Error::new(ErrorKind::Internal, format!("cannot set up HTTP: {e}")))
    }
}

fn client(reach: impl Fn(ClientBuilder) -> ClientBuilder) -> Result<Client, String> {
    let builder = || {
        let builder = ClientBuilder::new()
            .user_agent(concat!("tempograph/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIME)
            .redirect(Policy::none())
            .referer(false);
        reach(builder)
    };
    let provider = rustls::crypto::ring::default_provider();
    if rustls::crypto::CryptoProvider::get_default().is_none() && provider.install_default().is_err() {
        tracing::debug!("another thread has chosen the TLS provider");
    }
    // A machine without certificates of its own still reaches the public services with those of the browsers.
    builder().build().or_else(|error| {
        tracing::debug!(%error, "no certificates of the system");
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        builder().tls_backend_preconfigured(tls).build().map_err(|e| innermost(&e))
    })
}

/// Reads an address that a user typed.
///
/// # Errors
/// [`ErrorKind::Config`] when it is none, not HTTP, or holds more than an address: a key belongs into its setting.
pub(crate) fn base_url(text: &str) -> Result<Url> {
    let text = text.trim();
    let invalid = |what: &str| {
        Error::new(ErrorKind::Config, format!("the address of a back end {what}"))
            .with_hint("an address looks like `http://127.0.0.1:8080/v1`")
    };
    let mut url = Url::parse(text).map_err(|e| invalid(&format!("is not one ({e})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("begins with `http://` or `https://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("holds a user name or password, which does not belong there"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("ends with its path"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Whether an address is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, key: Option<&str>, allow_plain_http: bool) -> Result<Endpoint> {
        Endpoint::new(
            &Net::new(),
            EndpointOptions {
                who: Who::new("openai", "m"),
                base_url: url,
                key: key.map(Secret::new),
                auth: Auth::Bearer,
                allow_plain_http,
                timeouts: Timeouts::default(),
            },
        )
    }

    #[test]
    fn addresses_are_addresses() {
        assert_eq!(base_url(" http://127.0.0.1:8080/v1/ ").unwrap().as_str(), "http://127.0.0.1:8080/v1");
        for wrong in ["", "localhost:8080", "file:///etc/passwd", "https://me:secret@host/v1", "https://host/v1?key=1"]
        {
            let error = base_url(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{wrong}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_key_goes_nowhere_in_the_clear() {
        assert!(endpoint("http://10.0.0.7/v1", Some("k"), false).is_err());
        assert!(endpoint("http://10.0.0.7/v1", Some("k"), true).is_ok());
        assert!(endpoint("http://10.0.0.7/v1", Some(" "), false).is_ok());
        assert!(endpoint("http://[::1]:9/v1", Some("k"), false).is_ok());
        assert!(endpoint("https://host/v1", Some("k"), false).is_ok());
    }

    #[test]
    fn an_address_given_by_a_server_is_not_trusted() {
        let far = endpoint("https://host/v1", None, false).unwrap();
        assert!(far.unsigned(Method::POST, "https://elsewhere/upload?id=1").is_ok());
        assert!(far.unsigned(Method::POST, "http://host/upload").is_err());
        assert!(far.unsigned(Method::POST, "file:///x").is_err());
        let near = endpoint("http://127.0.0.1:1/v1", None, false).unwrap();
        assert!(near.unsigned(Method::POST, "http://127.0.0.1:1/upload").is_ok());
        assert!(near.unsigned(Method::POST, "http://10.0.0.1/upload").is_err());
    }
}
