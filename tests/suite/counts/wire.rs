//! A proxy before PostgreSQL that counts what a client sends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use url::Url;

use crate::harness::proxy::{self, Direction};

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
        let counters = Arc::new(Counters::default());
        let kept = Arc::clone(&counters);
        let server = url.socket_addrs(|| Some(5432)).unwrap()[0];
        let at = proxy::start(server, move |direction| {
            let counters = Arc::clone(&kept);
            let mut stream = Stream::new(direction);
            match direction {
                Direction::ToServer => {
                    let mut asked = Asked { counters, is_something: false };
                    Box::new(move |bytes| stream.follow(bytes, |kind, _| asked.message(kind)))
                }
                Direction::ToClient => {
                    let mut answered = Answered { counters, is_in_transaction: false, is_started: false };
                    Box::new(move |bytes| stream.follow(bytes, |kind, body| answered.message(kind, body)))
                }
            }
        });
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(at.port())).unwrap();
        // What is encrypted cannot be counted.
        url.query_pairs_mut().append_pair("sslmode", "disable");
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

/// The messages in one direction. A client's first one has no kind.
struct Stream {
    pending: Vec<u8>,
    is_bare: bool,
}

impl Stream {
    fn new(direction: Direction) -> Self {
        Self { pending: Vec::new(), is_bare: direction == Direction::ToServer }
    }

    /// Calls `each` with the kind and the body of every message that is complete.
    fn follow(&mut self, bytes: &[u8], mut each: impl FnMut(u8, &[u8])) {
        self.pending.extend_from_slice(bytes);
        loop {
            let head = usize::from(!self.is_bare);
            let Some(length) = self.pending.get(head..head + 4) else { return };
            let end = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let Some(message) = self.pending.get(..end) else { return };
            if !self.is_bare {
                each(message[0], &message[5..]);
            }
            self.is_bare = false;
            self.pending.drain(..end);
        }
    }
}

/// What a client asks.
struct Asked {
    counters: Arc<Counters>,
    /// Whether anything stands before the next `Sync`: one alone is a look at whether the server is still there.
    is_something: bool,
}

impl Asked {
    fn message(&mut self, kind: u8) {
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
struct Answered {
    counters: Arc<Counters>,
    is_in_transaction: bool,
    is_started: bool,
}

impl Answered {
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
