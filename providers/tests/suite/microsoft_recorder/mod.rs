//! A loopback server that sends prepared responses and records the requests.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use url::Url;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method and target, such as `GET /v1.0/users`.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
}

impl Asked {
    /// The value of a header; `None` when absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// One prepared response, sent once.
#[derive(Debug, Clone)]
pub struct Told {
    /// The status; 0 closes the connection without a response.
    pub status: u16,
    /// Further header lines, each ending with `\r\n`.
    pub headers: String,
    /// The response content, JSON in most tests.
    pub body: String,
}

/// A running server.
#[derive(Debug)]
pub struct Recorder {
    url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
    told: Arc<Mutex<VecDeque<Told>>>,
    _server: JoinSet<()>,
}

impl Recorder {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let told: Arc<Mutex<VecDeque<Told>>> = Arc::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&asked), Arc::clone(&told)));
        Self { url, asked, told, _server: server }
    }

    /// The server's URL with a path.
    pub fn url(&self, path: &str) -> Url {
        self.url.join(path).unwrap()
    }

    /// Prepares a response for the next request that has none.
    pub fn tell(&self, status: u16, body: &Value) {
        self.tell_with(status, "", body);
    }

    /// Like [`Self::tell`], with further header lines.
    pub fn tell_with(&self, status: u16, headers: &str, body: &Value) {
        let told = Told { status, headers: headers.to_owned(), body: body.to_string() };
        self.told.lock().unwrap().push_back(told);
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn serve(listener: TcpListener, asked: Arc<Mutex<Vec<Asked>>>, told: Arc<Mutex<VecDeque<Told>>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let request = read(&mut stream).await;
        asked.lock().unwrap().push(request.clone());
        let answer = told.lock().unwrap().pop_front();
        let answer = answer.unwrap_or_else(|| panic!("nothing was told about {}", request.line));
        if answer.status == 0 {
            continue;
        }
        let Told { status, headers, body } = answer;
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status} Told\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Asked {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<(String, String)> = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    Asked { line, headers, body: String::from_utf8(body).unwrap() }
}
