//! A place that takes change notifications: proves itself when it is asked to, keeps what it is told.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// The server.
pub struct Hooks {
    /// Its address.
    pub url: String,
    told: mpsc::UnboundedReceiver<Value>,
    _server: JoinSet<()>,
}

impl Hooks {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let (sender, told) = mpsc::unbounded_channel();
        let mut server = JoinSet::new();
        server.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                serve(BufReader::new(stream), &sender).await;
            }
        });
        Self { url, told, _server: server }
    }

    /// The next notification.
    pub async fn next(&mut self) -> Value {
        self.told.recv().await.unwrap()
    }
}

async fn serve(mut stream: BufReader<TcpStream>, told: &mpsc::UnboundedSender<Value>) {
    let (mut target, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if target.is_empty() {
            target = line.split(' ').nth(1).unwrap().to_owned();
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "validationToken");
    let answer = token.map(|(_, token)| token.into_owned()).unwrap_or_default();
    if answer.is_empty() {
        told.send(serde_json::from_slice(&body).unwrap()).unwrap();
    }
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
}
