//! T26: requests that are made to be expensive, sent to a node that is a process of its own, so that its processor time
//! and its memory can be read. The suite sends a few of each kind at a time and limits the memory; at full size there are
//! forty at a time, slow clients too, and processor time and the time until the connection is closed are limited as well.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::cluster::{Cluster, SMALL};

const MEGABYTE: u64 = 1 << 20;
/// The reach of the requirement, for each request.
const MEMORY: u64 = 16 * MEGABYTE;
const PROCESSOR: Duration = Duration::from_millis(100);
const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// A large file that anybody may fetch.
const FILE: &str = "/graphiql/main.js";
/// What a client sends without end.
const POURED: u64 = 256 * MEGABYTE;

/// What a client does once it has sent the beginning of its request.
#[derive(Clone)]
enum Then {
    /// Reads the response.
    Read,
    /// Goes on sending this, and reads what comes.
    Pour(Vec<u8>),
    /// Sends this twice a second, and reads what comes.
    Drip(Vec<u8>),
    /// Reads nothing.
    Ignore,
}

struct Attack {
    name: &'static str,
    begin: Vec<u8>,
    then: Then,
}

impl Attack {
    fn new(name: &'static str, begin: impl Into<Vec<u8>>, then: Then) -> Self {
        Self { name, begin: begin.into(), then }
    }
}

fn head(lines: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n{lines}\r\n"
    )
}

/// A complete request of this body.
fn post(key: &str, body: &str) -> Vec<u8> {
    let lines = format!("authorization: Bearer {key}\r\ncontent-length: {}\r\n", body.len());
    (head(&lines) + body).into_bytes()
}

fn document(key: &str, query: &str) -> Vec<u8> {
    post(key, &json!({ "query": query }).to_string())
}

/// The beginning of a WebSocket, and its first frame.
fn socket(frame: &[u8]) -> Vec<u8> {
    let upgrade = "GET /graphql/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
    [upgrade.as_bytes(), frame].concat()
}

/// Fragments of which each spreads the next one twice.
fn doubling(depth: usize) -> String {
    let mut text = "{ ...f0 }".to_owned();
    for level in 0..depth {
        write!(text, " fragment f{level} on Query {{ ...f{} ...f{} }}", level + 1, level + 1).unwrap();
    }
    text + &format!(" fragment f{depth} on Query {{ __typename }}")
}

fn numbered(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect::<Vec<_>>().concat()
}

/// What is answered, or refused, as soon as it was read.
fn bombs(key: &str) -> Vec<Attack> {
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
    let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x1_0000], b"\r\n"].concat();
    let ping = [0x89, 0x80, 0, 0, 0, 0].repeat(1_000);
    let part = [vec![0x00, 0xfe, 0x40, 0x00, 0, 0, 0, 0], vec![b' '; 0x4000]].concat();
    let ids = vec!["usr_00000000000000000000000000000000"; 100];
    let many = numbered(12, |n| format!("a{n}: nodes(ids: {}) {{ id }} ", json!(ids)));
    let types = "types { name fields { name type { name ofType { name ofType { name } } } } }";
    let declared = head("content-length: 268435456\r\n");
    let lines = numbered(50_000, |n| format!("x-{n}: {n}\r\n"));
    let variables = json!({ "query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": { "ids": vec!["usr_0"; 20_000] } });
    vec![
        Attack::new("a declared body of 256 MB", declared, Then::Pour(vec![b' '; 0x1_0000])),
        Attack::new("a chunked body of 256 MB", head("transfer-encoding: chunked\r\n"), Then::Pour(chunk)),
        Attack::new("a head of 50,000 lines", head(&lines), Then::Read),
        Attack::new("a head without end", "GET /graphql HTTP/1.1\r\n", Then::Pour(b"x: y\r\n".repeat(1_000))),
        Attack::new("lists 100,000 deep", post(key, &deep("[", "]", 100_000)), Then::Read),
        Attack::new("objects 30,000 deep", post(key, &deep("{\"a\":", "}", 30_000)), Then::Read),
        Attack::new("20,000 ids", post(key, &variables.to_string()), Then::Read),
        Attack::new("selections 10,000 deep", document(key, &deep("{a", "}", 10_000)), Then::Read),
        Attack::new(
            "10,000 fields",
            document(key, &format!("{{ {} }}", numbered(10_000, |n| format!("a{n}: __typename ")))),
            Then::Read,
        ),
        Attack::new(
            "10,000 directives",
            document(key, &format!("{{ tenant {} {{ id }} }}", "@a ".repeat(10_000))),
            Then::Read,
        ),
        Attack::new("doubling fragments", document(key, &doubling(40)), Then::Read),
        Attack::new(
            "a fragment in a circle",
            document(key, "{ ...a } fragment a on Query { ...a ...a }"),
            Then::Read,
        ),
        Attack::new("1,200 nodes", document(key, &format!("{{ {many} }}")), Then::Read),
        Attack::new(
            "the schema 20 times",
            document(key, &format!("{{ {} }}", numbered(20, |n| format!("a{n}: __schema {{ {types} }} ")))),
            Then::Read,
        ),
        Attack::new("10,000 comments", document(key, &("#\n".repeat(10_000) + "{ __typename }")), Then::Read),
        Attack::new(
            "a batch of 1,000",
            post(key, &json!(vec![json!({ "query": "{ __typename }" }); 1_000]).to_string()),
            Then::Read,
        ),
        Attack::new(
            "a frame of 2^63 - 1 bytes",
            socket(&[&[0x81, 0xff, 0x7f][..], &[0xff; 7], &[0; 4]].concat()),
            Then::Pour(vec![b' '; 0x4000]),
        ),
        Attack::new("a message in parts without end", socket(&[0x01, 0x80, 0, 0, 0, 0]), Then::Pour(part)),
        Attack::new("pings without end", socket(&[]), Then::Pour(ping)),
    ]
}

/// What takes its time.
fn slow() -> Vec<Attack> {
    let files = format!("GET {FILE} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(100);
    vec![
        Attack::new("nothing at all", "", Then::Drip(Vec::new())),
        Attack::new("a head, line by line", "GET /graphql HTTP/1.1\r\n", Then::Drip(b"x: y\r\n".to_vec())),
        Attack::new("a body, byte by byte", head("content-length: 100\r\n"), Then::Drip(b" ".to_vec())),
        Attack::new(
            "a body, chunk by chunk",
            head("transfer-encoding: chunked\r\n"),
            Then::Drip(b"1\r\n \r\n".to_vec()),
        ),
        Attack::new(
            "a form, byte by byte",
            "POST /connect/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\n",
            Then::Drip(b"a".to_vec()),
        ),
        Attack::new("a socket that says nothing", socket(&[]), Then::Drip(Vec::new())),
        Attack::new("a frame, byte by byte", socket(&[0x81, 0xe4, 0, 0, 0, 0]), Then::Drip(b" ".to_vec())),
        Attack::new("100 files that nobody reads", files, Then::Ignore),
    ]
}

/// Sends one; returns once the connection is closed.
async fn sent(at: SocketAddr, begin: Vec<u8>, then: Then) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let (mut from, mut to) = stream.split();
    if matches!(then, Then::Ignore) {
        to.write_all(&begin).await.unwrap();
        // Anything more is refused once the server has closed the connection.
        let mut every = tokio::time::interval(Duration::from_millis(500));
        while to.write_all(b"\r\n").await.is_ok() {
            every.tick().await;
        }
        return;
    }
    let write = async {
        let mut every = tokio::time::interval(Duration::from_millis(500));
        let mut goes_on = to.write_all(&begin).await.is_ok();
        let mut poured = 0;
        while goes_on {
            match &then {
                Then::Pour(chunk) if poured < POURED => {
                    poured += chunk.len() as u64;
                    goes_on = to.write_all(chunk).await.is_ok();
                }
                Then::Drip(chunk) => {
                    every.tick().await;
                    goes_on = to.write_all(chunk).await.is_ok();
                }
                _ => goes_on = false,
            }
        }
    };
    let mut buffer = vec![0; 0x1_0000];
    let read = async { while matches!(from.read(&mut buffer).await, Ok(1..)) {} };
    match then {
        Then::Drip(_) => {
            tokio::select! { () = read => {}, () = write => {} }
        }
        _ => {
            tokio::join!(read, write);
        }
    }
}

/// What a process has used.
struct Used {
    processor: Duration,
    memory: u64,
    peak: u64,
}

impl Used {
    fn by(process: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
        let (status, stat) = (read("status"), read("stat"));
        let kilobytes = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // Linux counts in hundredths of a second, whatever its own clock is.
        let processor = Duration::from_millis(ticks * 10);
        Self { processor, memory: kilobytes("VmRSS:") * 1024, peak: kilobytes("VmHWM:") * 1024 }
    }

    /// Begins the peak anew.
    fn forget_peak(process: u32) {
        std::fs::write(format!("/proc/{process}/clear_refs"), "5").unwrap();
    }
}

/// Sends so many at a time; prints and returns what each of them cost beyond the requirement.
async fn attacked(cluster: &Cluster, attack: &Attack, count: u32, is_full: bool) -> Vec<String> {
    let process = cluster.nodes[0].process.id();
    let at = cluster.api.base.socket_addrs(|| None).unwrap()[0];
    Used::forget_peak(process);
    let (before, began) = (Used::by(process), Instant::now());
    let mut at_work = JoinSet::new();
    for _ in 0..count {
        at_work.spawn(sent(at, attack.begin.clone(), attack.then.clone()));
    }
    let mut closed = Duration::ZERO;
    while let Some(ended) = at_work.join_next().await {
        ended.unwrap();
        closed = began.elapsed();
    }
    let after = Used::by(process);
    let processor = after.processor.saturating_sub(before.processor) / count;
    let memory = after.peak.saturating_sub(before.memory) / u64::from(count);
    println!("{:>34}: {processor:>8.1?} {:>6} KB, closed within {closed:.1?}", attack.name, memory / 1024);
    let mut beyond = Vec::new();
    let mut limit = |is_kept: bool, what: String| {
        if !is_kept {
            beyond.push(format!("{}: {what}", attack.name));
        }
    };
    limit(memory <= MEMORY, format!("{} MB each", memory / MEGABYTE));
    // Times are judged where somebody looks at them.
    limit(!is_full || processor <= PROCESSOR, format!("{processor:?} of processor time each"));
    limit(!is_full || closed <= CLOSED_WITHIN, format!("open for {closed:?}"));
    beyond
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t26_hostile_input_costs_little() {
    let is_full = std::env::var_os("MUSTER_TEST_ATTACKS_FULL").is_some();
    let cluster = Cluster::set(SMALL).await;
    let mut attacks = bombs(cluster.api.key());
    if is_full {
        attacks.extend(slow());
    }
    let mut beyond = Vec::new();
    for attack in attacks {
        beyond.extend(attacked(&cluster, &attack, if is_full { 40 } else { 4 }, is_full).await);
        cluster.api.ask("{ __typename }", json!({})).await;
    }
    assert_eq!(beyond, Vec::<String>::new());
    assert_eq!(cluster.panics(), Vec::<String>::new());
}
