//! An OpenID issuer that publishes what it must and nothing else. It ends with the test's process.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use serde_json::json;

/// Starts one; returns its address.
pub fn start() -> String {
    start_and(|| {})
}

/// Starts one that does something before each answer.
pub fn start_and(before: impl Fn() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let document = json!({
        "issuer": issuer, "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    let keys = json!({ "keys": [] });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4_096];
            let length = stream.read(&mut head).unwrap_or_default();
            before();
            let asks_for_keys = head[..length].starts_with(b"GET /jwks ");
            let body = if asks_for_keys { keys.to_string() } else { document.to_string() };
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap_or_default();
        }
    });
    issuer
}
