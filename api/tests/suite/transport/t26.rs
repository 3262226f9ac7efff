//! Bodies and documents that are designed to be expensive (T26). The tests count the bytes that the server reads; they
//! do not measure time or memory.

use std::time::Duration;

use api::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::transport::support::{PATIENCE, Reply, Server, open};

const MEGABYTE: usize = 1 << 20;
/// Upper bound of the unread bytes that the operating system buffers at both ends of a connection.
const IN_BUFFERS: usize = 12 * MEGABYTE;
/// One path of each kind: the API, a page's form or a hook, a route without a body, no route.
const DOORS: [&str; 4] = ["/graphql", "/form", "/health", "/nowhere"];

/// Sends a head and then chunks of a body until the server stops reading. Returns the number of bytes sent and the
/// response.
async fn poured(server: &Server, head: &str, chunk: &[u8], most: usize) -> (usize, Vec<u8>) {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut from, mut to) = stream.split();
    let mut taken = 0;
    let pour = async {
        while taken < most && to.write_all(chunk).await.is_ok() {
            taken += chunk.len();
        }
    };
    let mut answer = Vec::new();
    let read = async {
        // A server that refuses a body may reset the connection after its response.
        let _ = from.read_to_end(&mut answer).await;
    };
    let both = async { tokio::join!(pour, read) };
    tokio::time::timeout(PATIENCE, both).await.expect("the connection is closed");
    (taken, answer)
}

#[tokio::test]
async fn t26_a_body_without_end_is_taken_no_further_than_its_limit() {
    let server = Server::start();
    for path in DOORS {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
        let (taken, answer) = poured(&server, &chunked, &chunk, 256 * MEGABYTE).await;
        assert!(taken < IN_BUFFERS, "{path}: {taken} bytes of 256 MB");
        assert!(answer.is_empty() || Reply::parse(&answer).status == 413, "{path}");
        for declared in ["268435456", "4294967296", "18446744073709551615"] {
            let declared = format!("{head}content-length: {declared}\r\n\r\n");
            let (taken, answer) = poured(&server, &declared, &vec![b' '; 0x10000], 256 * MEGABYTE).await;
            assert!(taken < IN_BUFFERS, "{path}: {taken} bytes");
            assert!(answer.is_empty() || Reply::parse(&answer).status == 413, "{path}: {declared}");
        }
    }
    assert_eq!(server.query("{ hello }").await.status, 200, "other requests are served");
}

#[tokio::test]
async fn t26_a_length_that_is_none_is_refused() {
    let server = Server::with(Config { body_timeout: Duration::from_millis(200), ..open() });
    for lines in [
        "content-length: -1",
        "content-length: 18446744073709551616",
        "content-length: 2\r\ncontent-length: 3",
        "content-length: 2, 3",
        "content-length: 0x10",
        "content-length: +2",
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    ] {
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let reply = server.send(format!("{head}{lines}\r\n\r\n{{}}").as_bytes()).await;
        assert!((400..500).contains(&reply.status) || reply.status == 501, "{lines}: {reply:?}");
    }
    for size in ["ffffffffffffffff", "10000000000000000", "-1", "0x10", "7fffffffffffffff"] {
        let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        let body = format!("{head}transfer-encoding: chunked\r\n\r\n{size}\r\n{{}}");
        let reply = server.send(body.as_bytes()).await;
        assert!((400..500).contains(&reply.status), "a chunk of {size}: {reply:?}");
    }
}

#[tokio::test]
async fn t26_what_is_compressed_is_not_opened() {
    let server = Server::start();
    for coding in ["gzip", "deflate", "br", "zstd", "compress", "gzip, gzip", "identity"] {
        let line = format!("content-encoding: {coding}");
        let reply = server.post_as(&[&line], r#"{"query":"{ hello }"}"#).await;
        assert_eq!((reply.status, reply.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{coding}");
    }
    let reply = server.request("POST", "/form", &["content-encoding: gzip"], "12345").await;
    assert_eq!(reply.body, "5 bytes", "the body is passed on unchanged");
    let reply = server.post_as(&["accept-encoding: gzip, br"], r#"{"query":"{ hello }"}"#).await;
    assert_eq!((reply.status, reply.header("content-encoding")), (200, ""));
}

#[tokio::test]
async fn t26_documents_in_json_that_go_deep_are_refused() {
    let server = Server::start();
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
    for (name, body) in [
        ("lists", deep("[", "]", 100_000)),
        ("objects", deep("{\"a\":", "}", 30_000)),
        ("unclosed lists", "[".repeat(200_000)),
        ("variables", format!(r#"{{"query":"{{ hello }}","variables":{{"a":{}}}}}"#, deep("[", "]", 90_000))),
        (
            "extensions",
            format!(r#"{{"query":"{{ hello }}","extensions":{{"a":{}}}}}"#, deep("[", "]", 90_000)),
        ),
        ("a number", format!(r#"{{"query":{}}}"#, "9".repeat(200_000))),
        ("an exponent", r#"{"query":1e999999999}"#.to_owned()),
        ("a lone surrogate", "{\"query\":\"\\ud800\"}".to_owned()),
        ("spaces", " ".repeat(250_000)),
    ] {
        let reply = server.post(&body).await;
        assert!((400..500).contains(&reply.status), "{name}: {} {}", reply.status, reply.body.len());
        assert!(reply.body.len() < 2_000, "{name}: the response is short");
        assert!(!reply.code().is_empty(), "{name}");
    }
    assert_eq!(server.query("{ hello }").await.status, 200, "other requests are served");
}

const UPGRADE: &str = "GET /graphql/ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n\
    sec-websocket-protocol: graphql-transport-ws\r\n\r\n";

#[tokio::test]
async fn t26_a_frame_that_is_too_large_is_not_waited_for() {
    let server = Server::start();
    let masked = |head: &[u8]| [head, &[0; 4]].concat();
    let announced = |length: u64| masked(&[&[0x81, 0xff], length.to_be_bytes().as_slice()].concat());
    let part = [masked(&[0x00, 0xfe, 0x40, 0x00]), vec![b' '; 0x4000]].concat();
    for (name, first, chunk) in [
        ("of 2^63 - 1 bytes", announced(u64::MAX >> 1), vec![b' '; 0x4000]),
        ("of 256 MB", announced(256 << 20), vec![b' '; 0x4000]),
        ("in parts without an end", masked(&[0x01, 0x80]), part),
        ("that is compressed", [masked(&[0xc1, 0x84]), vec![0; 4]].concat(), Vec::new()),
        ("of a ping, again and again", Vec::new(), masked(&[0x89, 0x80]).repeat(1_000)),
        ("of an unknown kind", masked(&[0x83, 0x80]), Vec::new()),
        ("that is not masked", vec![0x81, 0x02, b'{', b'}'], Vec::new()),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(UPGRADE.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{name}: the connection is upgraded");
        }
        assert!(!String::from_utf8_lossy(&answer).to_lowercase().contains("deflate"), "{name}");
        let (mut from, mut to) = stream.split();
        let mut taken = first.len();
        to.write_all(&first).await.unwrap();
        let pour = async {
            while !chunk.is_empty() && taken < 256 * MEGABYTE && to.write_all(&chunk).await.is_ok() {
                taken += chunk.len();
            }
        };
        let mut rest = Vec::new();
        let read = async {
            let _ = from.read_to_end(&mut rest).await;
        };
        let closed = tokio::time::timeout(Duration::from_secs(15), async { tokio::join!(pour, read) }).await;
        assert!(closed.is_ok(), "{name}: the connection is closed");
        assert!(taken < IN_BUFFERS, "{name}: {taken} bytes");
    }
}
