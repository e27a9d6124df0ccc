//! A server with OpenAI's interface that tells what a test wants and remembers what it was asked.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// What a question is answered with: a text, or a status of HTTP.
pub(crate) type Answer = Result<String, u16>;

/// The server. It ends with the process.
pub(crate) struct Teller {
    url: String,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Teller {
    /// Answers each question with what `answer` makes of its number and body.
    pub(crate) fn start(answer: impl Fn(usize, &Value) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<Value>>>::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || serve(stream, answer.as_ref(), &log));
            }
        });
        Self { url, asked }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Bodies of the questions so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(usize, &Value) -> Answer, log: &Mutex<Vec<Value>>) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim().to_lowercase().split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if !first.contains("chat/completions") {
        let text = r#"{"data": [{"id": "teller"}]}"#;
        return write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len()).ok();
    }
    let number = {
        let mut log = log.lock().unwrap();
        log.push(body.clone());
        log.len() - 1
    };
    match answer(number, &body) {
        Ok(text) => {
            let mut events = String::new();
            let mut event = |value: Value| events += &format!("data: {value}\n\n");
            for piece in text.as_bytes().chunks(64) {
                let piece = String::from_utf8_lossy(piece);
                event(json!({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]}));
            }
            event(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}));
            event(
                json!({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}),
            );
            events += "data: [DONE]\n\n";
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}")
                .ok()
        }
        Err(status) => {
            let text = r#"{"error": {"message": "no", "type": "error", "code": "error"}}"#;
            write!(stream, "HTTP/1.1 {status} Nothing\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}", text.len()).ok()
        }
    }
}

/// Whether a question is about a window, and how many pictures it brings.
pub(crate) fn window(body: &Value) -> Option<usize> {
    let parts = body["messages"].as_array()?.last()?["content"].as_array()?.clone();
    let text: String = parts.iter().filter_map(|p| p["text"].as_str()).collect();
    text.contains("Describe the window").then(|| parts.iter().filter(|p| p["type"] == "image_url").count())
}

/// All text of a question.
pub(crate) fn text(body: &Value) -> String {
    let mut all = String::new();
    for message in body["messages"].as_array().into_iter().flatten() {
        match &message["content"] {
            Value::String(text) => all += text,
            parts => parts.as_array().into_iter().flatten().filter_map(|p| p["text"].as_str()).for_each(|t| all += t),
        }
    }
    all
}
