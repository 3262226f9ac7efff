//! A place that takes Google's notices and keeps their headers.

use std::collections::BTreeMap;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

/// The headers of one notice, names in small letters.
type Notice = BTreeMap<String, String>;

/// The server.
pub struct Hooks {
    /// Its address.
    pub url: String,
    told: mpsc::UnboundedReceiver<Notice>,
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
                sender.send(read(BufReader::new(stream)).await).unwrap();
            }
        });
        Self { url, told, _server: server }
    }

    /// The next notice.
    pub async fn next(&mut self) -> Notice {
        self.told.recv().await.unwrap()
    }
}

async fn read(mut stream: BufReader<TcpStream>) -> Notice {
    let mut notice = Notice::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.unwrap();
        match line.trim_end() {
            "" => break,
            line => {
                let (name, value) = line.split_once(": ").unwrap_or((line, ""));
                notice.insert(name.to_ascii_lowercase(), value.to_owned());
            }
        }
    }
    assert_eq!(notice["content-length"], "0", "a notice has no body");
    stream.write_all(b"HTTP/1.1 204 Told\r\nconnection: close\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    notice
}
