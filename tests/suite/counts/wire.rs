//! A proxy before PostgreSQL that counts what a client sends.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use url::Url;

/// What an operation cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub statements: u64,
    /// How often the client waited for the server.
    pub round_trips: u64,
}

#[derive(Debug, Default)]
struct Counters {
    statements: AtomicU64,
    round_trips: AtomicU64,
    /// Round trips that the server has not answered yet, and transactions that are open.
    busy: AtomicI64,
}

/// A proxy to a database.
#[derive(Debug)]
pub struct Wire {
    /// The database's URL, through the proxy.
    pub url: String,
    counters: Arc<Counters>,
}

impl Wire {
    /// Starts a proxy before the server of a URL.
    pub fn before(url: &str) -> Self {
        let mut url: Url = url.parse().unwrap();
        let server = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let SocketAddr::V4(at) = listener.local_addr().unwrap() else { unreachable!("it listens on IPv4") };
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(at.port())).unwrap();
        // What is encrypted cannot be counted.
        url.query_pairs_mut().append_pair("sslmode", "disable");
        let counters = Arc::new(Counters::default());
        let kept = Arc::clone(&counters);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counters = Arc::clone(&kept);
                std::thread::spawn(move || passed(from, to, true, &mut Asked::new(&counters)));
                let counters = Arc::clone(&kept);
                std::thread::spawn(move || passed(server, client, false, &mut Answered::new(&counters)));
            }
        });
        Self { url: url.into(), counters }
    }

    /// Awaits an operation; returns what came of it and what it cost. Nothing else may use the database meanwhile.
    pub async fn cost_of<T>(&self, operation: impl Future<Output = T>) -> (T, Cost) {
        self.quiet().await;
        let before = self.so_far();
        let done = operation.await;
        self.quiet().await;
        let after = self.so_far();
        let cost = Cost {
            statements: after.statements - before.statements,
            round_trips: after.round_trips - before.round_trips,
        };
        (done, cost)
    }

    fn so_far(&self) -> Cost {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Cost { statements: read(&self.counters.statements), round_trips: read(&self.counters.round_trips) }
    }

    /// Waits until everything is answered and every transaction has ended: the end of one that was dropped is sent later.
    async fn quiet(&self) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.counters.busy.load(Ordering::SeqCst) != 0 {
            assert!(Instant::now() < until, "a transaction stays open");
            tokio::task::yield_now().await;
        }
    }
}

/// What is made of the messages in one direction.
trait Messages {
    fn message(&mut self, kind: u8, body: &[u8]);
}

/// What a client asks.
struct Asked<'a> {
    counters: &'a Counters,
    /// Whether anything stands before the next `Sync`: one alone is a look at whether the server is still there.
    is_something: bool,
}

impl<'a> Asked<'a> {
    fn new(counters: &'a Counters) -> Self {
        Self { counters, is_something: false }
    }
}

impl Messages for Asked<'_> {
    fn message(&mut self, kind: u8, _body: &[u8]) {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        match kind {
            b'Q' => {
                count(&self.counters.statements);
                count(&self.counters.round_trips);
                self.counters.busy.fetch_add(1, Ordering::SeqCst);
            }
            b'S' => {
                if std::mem::take(&mut self.is_something) {
                    count(&self.counters.round_trips);
                }
                self.counters.busy.fetch_add(1, Ordering::SeqCst);
            }
            b'B' => {
                count(&self.counters.statements);
                self.is_something = true;
            }
            _ => self.is_something = true,
        }
    }
}

/// What a server answers.
struct Answered<'a> {
    counters: &'a Counters,
    is_in_transaction: bool,
    is_started: bool,
}

impl<'a> Answered<'a> {
    fn new(counters: &'a Counters) -> Self {
        Self { counters, is_in_transaction: false, is_started: false }
    }
}

impl Messages for Answered<'_> {
    fn message(&mut self, kind: u8, body: &[u8]) {
        if kind != b'Z' {
            return;
        }
        let is_in_transaction = body != b"I";
        // The first one ends the start, which was not counted.
        let answered = if std::mem::replace(&mut self.is_started, true) { -1 } else { 0 };
        let open = i64::from(is_in_transaction) - i64::from(self.is_in_transaction);
        self.is_in_transaction = is_in_transaction;
        self.counters.busy.fetch_add(open + answered, Ordering::SeqCst);
    }
}

/// Passes bytes on, and tells what messages they are. A client's first message has no kind.
fn passed(mut from: TcpStream, mut to: TcpStream, begins_bare: bool, messages: &mut dyn Messages) {
    let (mut pending, mut is_bare, mut buffer) = (Vec::new(), begins_bare, vec![0; 0x1_0000]);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        pending.extend_from_slice(&buffer[..count]);
        loop {
            let head = usize::from(!is_bare);
            let Some(length) = pending.get(head..head + 4) else { break };
            let end = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let Some(message) = pending.get(..end) else { break };
            if !is_bare {
                messages.message(message[0], &message[5..]);
            }
            is_bare = false;
            pending.drain(..end);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _closed = to.shutdown(std::net::Shutdown::Both);
}
