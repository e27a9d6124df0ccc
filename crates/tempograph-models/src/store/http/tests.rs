//! A real server on the loopback interface that answers by script.

use std::{
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use super::*;

const BODY: &[u8] = b"0123456789abcdefghij";

/// What the server does with one request.
#[derive(Clone)]
struct Answer {
    status: &'static str,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Serves `answers` in order, one a connection; keeps the heads of the requests.
pub(in crate::store) struct Server {
    pub address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, &answer, &kept);
            }
        });
        Self { address, heads }
    }

    /// Gives `body` to whoever asks for it, whole.
    pub(in crate::store) fn giving(body: &[u8], times: usize) -> Self {
        Self::start(vec![ok(body); times])
    }

    /// Gives each of `bodies`, one a request.
    pub(in crate::store) fn in_turn(bodies: &[&[u8]]) -> Self {
        Self::start(bodies.iter().map(|b| ok(b)).collect())
    }

    /// Answers `500` so many times.
    pub(in crate::store) fn broken(times: usize) -> Self {
        Self::start(vec![answer("500 Internal Server Error", b""); times])
    }

    fn head(&self, i: usize) -> String {
        self.heads.lock().unwrap()[i].clone()
    }

    pub(in crate::store) fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}

fn serve(mut stream: TcpStream, answer: &Answer, heads: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|n| n > 0) && !head.ends_with("\r\n\r\n") {}
    heads.lock().unwrap().push(head.to_lowercase());
    let headers: String = answer.headers.iter().map(|h| format!("{h}\r\n")).collect();
    write!(stream, "HTTP/1.1 {}\r\nConnection: close\r\n{headers}\r\n", answer.status).ok();
    stream.write_all(&answer.body).ok();
}

fn answer(status: &'static str, body: &[u8]) -> Answer {
    Answer { status, headers: vec![format!("Content-Length: {}", body.len())], body: body.to_vec() }
}

fn ok(body: &[u8]) -> Answer {
    answer("200 OK", body)
}

fn partial(from: usize) -> Answer {
    let mut answer = answer("206 Partial Content", &BODY[from..]);
    answer.headers.push(format!("Content-Range: bytes {from}-{}/{}", BODY.len() - 1, BODY.len()));
    answer
}

fn redirect(to: &str) -> Answer {
    let mut answer = answer("302 Found", b"");
    answer.headers.push(format!("Location: {to}"));
    answer
}

/// Says its whole length and hangs up after `n` bytes.
fn cut(n: usize) -> Answer {
    Answer { body: BODY[..n].to_vec(), ..ok(BODY) }
}

struct Bench {
    dir: tempfile::TempDir,
    progress: Vec<u64>,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), progress: Vec::new() }
    }

    fn with(part: &[u8]) -> Self {
        let bench = Self::new();
        std::fs::write(bench.part(), part).unwrap();
        bench
    }

    fn part(&self) -> std::path::PathBuf {
        self.dir.path().join("x.part")
    }

    fn get(&mut self, url: &str, token: Option<&str>) -> Result<Vec<u8>> {
        let options = HttpOptions { loopback: true, patience: Duration::from_secs(5), pause: Duration::from_millis(1) };
        let wanted = Download { url, token, bytes: BODY.len() as u64 };
        let (part, progress) = (self.part(), &mut self.progress);
        HttpClient::new(options).download(&wanted, &part, &Cancel::new(), &mut |n| progress.push(n))?;
        Ok(std::fs::read(part).unwrap())
    }
}

#[test]
fn a_file_arrives_whole() {
    let server = Server::start(vec![ok(BODY)]);
    let mut bench = Bench::new();
    assert_eq!(bench.get(&format!("{}/o/r/x", server.address), None).unwrap(), BODY);
    assert_eq!(bench.progress.last(), Some(&20));
    assert!(server.head(0).starts_with("get /o/r/x http/1.1"));
}

#[test]
fn a_download_goes_on_where_it_ended() {
    let server = Server::start(vec![partial(8)]);
    assert_eq!(Bench::with(&BODY[..8]).get(&server.address, None).unwrap(), BODY);
    assert!(server.head(0).contains("range: bytes=8-"));
}

#[test]
fn a_server_that_cannot_continue_starts_over() {
    let server = Server::start(vec![ok(BODY)]);
    assert_eq!(Bench::with(b"wrong").get(&server.address, None).unwrap(), BODY, "200 to a range");
    let server = Server::start(vec![answer("416 Range Not Satisfiable", b""), ok(BODY)]);
    assert_eq!(Bench::with(b"wrong").get(&server.address, None).unwrap(), BODY, "416");
    assert!(!server.head(1).contains("range:"));
    let server = Server::start(vec![partial(3), ok(BODY)]);
    assert_eq!(Bench::with(b"01234").get(&server.address, None).unwrap(), BODY, "another range than asked");
    let server = Server::start(vec![ok(BODY)]);
    assert_eq!(Bench::with(&[7; 99]).get(&server.address, None).unwrap(), BODY, "a part longer than the file");
}

#[test]
fn a_cut_connection_is_taken_up_again() {
    let server = Server::start(vec![cut(5), partial(5)]);
    assert_eq!(Bench::new().get(&server.address, None).unwrap(), BODY);
    assert!(server.head(1).contains("range: bytes=5-"));
}

#[test]
fn a_server_that_never_gets_further_is_given_up() {
    let server = Server::start(vec![cut(5), cut(0), cut(0), cut(0), cut(0)]);
    let mut bench = Bench::new();
    let error = bench.get(&server.address, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FetchFailed);
    assert!(server.requests() <= 5);
}

#[test]
fn a_server_that_never_answers_is_not_waited_for_again() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", gone.local_addr().unwrap());
    drop(gone);
    let options = HttpOptions { loopback: true, patience: Duration::from_secs(5), pause: Duration::from_millis(1) };
    let (client, bench) = (HttpClient::new(options), Bench::new());
    let wanted = Download { url: &url, token: None, bytes: 20 };
    assert!(!client.is_unreachable(&url));
    let error = client.download(&wanted, &bench.part(), &Cancel::new(), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::FetchFailed);
    assert!(client.is_unreachable(&url) && !client.is_unreachable("http://127.0.0.1:1/x"));
}

#[test]
fn a_busy_server_is_asked_again() {
    let busy = answer("503 Service Unavailable", b"later");
    let server = Server::start(vec![busy, answer("429 Too Many Requests", b""), ok(BODY)]);
    assert_eq!(Bench::new().get(&server.address, None).unwrap(), BODY);
    let error = Bench::new().get(&Server::broken(9).address, None).unwrap_err();
    assert!(error.to_string().contains("500"), "{error}");
}

#[test]
fn what_is_not_there_is_not_asked_twice() {
    for status in ["404 Not Found", "401 Unauthorized", "403 Forbidden", "410 Gone"] {
        let server = Server::start(vec![answer(status, b"no"), ok(BODY)]);
        let error = Bench::new().get(&server.address, None).unwrap_err();
        assert!(error.to_string().contains(&status[..3]), "{error}");
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn a_file_of_another_length_is_refused() {
    for body in [&BODY[..19], &[BODY, b"x"].concat()] {
        let error = Bench::new().get(&Server::giving(body, 1).address, None).unwrap_err();
        assert!(error.to_string().contains("not the expected 20"), "{error}");
    }
    // Without a stated length it shows while reading.
    let endless = Answer { status: "200 OK", headers: vec![], body: vec![b'x'; 1 << 20] };
    let mut bench = Bench::new();
    let error = bench.get(&Server::start(vec![endless]).address, None).unwrap_err();
    assert!(error.to_string().contains("longer than the expected 20"), "{error}");
    assert_eq!(length(&bench.part()).unwrap(), 0, "nothing of it is kept");
}

#[test]
fn redirects_are_followed_without_the_token() {
    let target = Server::start(vec![ok(BODY)]);
    let hub = Server::start(vec![redirect("/moved?x=1"), redirect(&format!("{}/store", target.address))]);
    assert_eq!(Bench::new().get(&format!("{}/a", hub.address), Some("secret")).unwrap(), BODY);
    assert!(hub.head(0).contains("authorization: bearer secret"));
    assert!(hub.head(1).starts_with("get /moved?x=1") && hub.head(1).contains("authorization"));
    assert!(!target.head(0).contains("secret"), "another host does not learn the token");
}

#[test]
fn redirects_end() {
    let server = Server::start(vec![redirect("/again"); 20]);
    let error = Bench::new().get(&server.address, None).unwrap_err();
    assert!(error.to_string().contains("redirects more than"), "{error}");
    assert_eq!(server.requests(), MAX_REDIRECTS + 1);
}

#[test]
fn no_other_address_is_asked() {
    for to in ["http://192.0.2.1/x", "http://localhost/x", "file:///etc/passwd", "ftp://127.0.0.1/", "https://"] {
        let server = Server::start(vec![redirect(to)]);
        let error = Bench::new().get(&server.address, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FetchFailed, "{to}");
    }
    let strict = HttpOptions { loopback: false, patience: Duration::from_secs(1), pause: Duration::from_millis(1) };
    let error = HttpClient::new(strict).checked("http://127.0.0.1/x").unwrap_err();
    assert!(error.to_string().contains("only addresses with https"), "{error}");
}

#[test]
fn a_wish_to_stop_is_heard() {
    let server = Server::giving(BODY, 1);
    let options = HttpOptions { loopback: true, patience: Duration::from_secs(5), pause: Duration::ZERO };
    let wanted = Download { url: &server.address, token: None, bytes: 20 };
    let cancel = Cancel::new();
    cancel.cancel();
    let bench = Bench::new();
    let error = HttpClient::new(options).download(&wanted, &bench.part(), &cancel, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn places_resolve_against_their_base() {
    let base: Uri = "https://h:1/a/b?q".parse().unwrap();
    let cases = [("/c", "https://h:1/c"), ("c", "https://h:1/a/c"), ("//o/c", "https://o/c"), ("http://o", "http://o")];
    for (location, expected) in cases {
        assert_eq!(absolute(&base, location), expected);
    }
}
