//! HTTP/1.1 as far as the fake servers need it: one request a connection, a thread each.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::Value;

/// Longest wait for something to appear in a log.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON, null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Reads one with its body.
    ///
    /// # Errors
    /// When the connection breaks.
    pub fn read(stream: &TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut headers = Vec::new();
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_lowercase(), value.trim().to_owned()));
            }
        }
        let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        Ok(Self { method, path, headers, body })
    }
}

/// What a server was asked and what became of it.
#[derive(Clone, Default)]
pub struct Log(Arc<Logged>);

#[derive(Default)]
struct Logged {
    requests: Mutex<Vec<Request>>,
    events: Mutex<Vec<String>>,
    open: AtomicUsize,
}

impl Log {
    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.0.requests.lock().clone()
    }

    /// What happened: `POST /path` for each request, `closed POST /path` when a client left before the end, and what
    /// the servers add.
    pub fn events(&self) -> Vec<String> {
        self.0.events.lock().clone()
    }

    /// How many events begin with `start`.
    pub fn count(&self, start: &str) -> usize {
        self.0.events.lock().iter().filter(|e| e.starts_with(start)).count()
    }

    /// Waits until an event begins with `start`. Says whether one did.
    pub fn waits_for(&self, start: &str) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.count(start) > 0 {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Connections that are being answered.
    pub fn open(&self) -> usize {
        self.0.open.load(Ordering::SeqCst)
    }

    pub(super) fn note(&self, event: impl Into<String>) {
        self.0.events.lock().push(event.into());
    }
}

/// A connection that waits for its answer.
pub(super) struct Connection<'a> {
    stream: &'a TcpStream,
    log: &'a Log,
    what: String,
}

impl Connection<'_> {
    /// Adds to the log.
    pub(super) fn note(&self, event: &str) {
        self.log.note(event);
    }

    /// A whole JSON answer.
    pub(super) fn json(&mut self, status: u16, headers: &[(&str, &str)], body: &Value) {
        self.text(status, headers, "application/json", &body.to_string());
    }

    pub(super) fn text(&mut self, status: u16, headers: &[(&str, &str)], kind: &str, body: &str) {
        let extra: String = headers.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let length = body.len();
        self.send(&format!(
            "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n{extra}\r\n{body}"
        ));
    }

    /// Begins a stream of events.
    pub(super) fn begin_events(&mut self) {
        self.send(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        );
    }

    /// One event. Says whether the client is still there.
    pub(super) fn event(&mut self, data: &str) -> bool {
        let text = format!("data: {data}\n\n");
        self.send(&format!("{:x}\r\n{text}\r\n", text.len())) && !self.has_left()
    }

    /// Ends a stream of events as it should.
    pub(super) fn end_events(&mut self) {
        self.send("0\r\n\r\n");
    }

    /// Breaks the connection.
    pub(super) fn break_off(&mut self) {
        self.stream.shutdown(Shutdown::Both).ok();
    }

    /// Says nothing until the client leaves.
    pub(super) fn hang(&mut self) {
        let mut stream = self.stream;
        let mut byte = [0];
        stream.set_read_timeout(Some(PATIENCE)).ok();
        if matches!(stream.read(&mut byte), Ok(0)) {
            self.left();
        }
    }

    fn has_left(&mut self) -> bool {
        let mut byte = [0];
        self.stream.set_nonblocking(true).ok();
        let left = matches!(self.stream.peek(&mut byte), Ok(0));
        self.stream.set_nonblocking(false).ok();
        if left {
            self.left();
        }
        left
    }

    fn left(&self) {
        self.log.note(format!("closed {}", self.what));
    }

    fn send(&mut self, text: &str) -> bool {
        let mut stream = self.stream;
        let sent = stream.write_all(text.as_bytes()).is_ok();
        if !sent {
            self.left();
        }
        sent
    }
}

/// A server on a port of its own, stopped when it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    pub(super) log: Log,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Answers every request with `handler`.
    ///
    /// # Panics
    /// When this machine gives no port.
    pub(super) fn start(handler: impl Fn(&Request, &mut Connection<'_>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback interface");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (log, stop) = (Log::default(), Arc::new(AtomicBool::new(false)));
        let (kept, stopped, handler) = (log.clone(), Arc::clone(&stop), Arc::new(handler));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                let (log, handler) = (kept.clone(), Arc::clone(&handler));
                let Ok(stream) = stream else { continue };
                thread::spawn(move || {
                    let Ok(request) = Request::read(&stream) else { return };
                    let what = format!("{} {}", request.method, request.path);
                    log.0.open.fetch_add(1, Ordering::SeqCst);
                    log.0.requests.lock().push(request.clone());
                    log.note(what.clone());
                    handler(&request, &mut Connection { stream: &stream, log: &log, what });
                    log.0.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, log, stop }
    }

    /// `http://127.0.0.1:PORT`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        TcpStream::connect(self.address).ok();
    }
}
