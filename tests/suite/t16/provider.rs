//! A real OpenID provider: npm `oidc-provider`, served by `tests/node/oidc.mjs`.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use demo::browser;
use domain::Timestamp;
use serde_json::{Value, json};
use url::Url;

/// A running provider, stopped when dropped.
pub struct Provider {
    /// The URL that the process printed at its start.
    pub issuer: Url,
    client: http::Client,
    server: Child,
}

impl Provider {
    /// Starts a provider whose clock shows `now` until the test moves it.
    pub fn start(now: Timestamp) -> Self {
        let folder = std::env::var_os("MUSTER_NODE_DIR").map(PathBuf::from);
        let folder = folder.expect("MUSTER_NODE_DIR is not set: run the tests through scripts/test");
        let mut server = Command::new("node")
            .arg(folder.join("oidc.mjs"))
            .arg(now.timestamp().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut issuer = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().parse().expect("the provider says where it is");
        Self { issuer, client: browser::local_client().unwrap(), server }
    }

    /// The issuer identifier, without a trailing slash.
    pub fn name(&self) -> String {
        self.issuer.as_str().trim_end_matches('/').to_owned()
    }

    /// Sets clients, published keys or the time.
    pub async fn arrange(&self, what: Value) {
        self.told("/test/arrange", what).await;
    }

    /// Has one of the provider's keys sign a token.
    pub async fn sign(&self, key: &str, header: Value, claims: Value) -> String {
        let signed = self.told("/test/sign", json!({ "key": key, "header": header, "claims": claims })).await;
        signed["token"].as_str().unwrap().to_owned()
    }

    /// A key's public part: `jwk` and `pem`.
    pub async fn public(&self, key: &str) -> Value {
        self.told("/test/public", json!({ "key": key })).await
    }

    /// The token response for a code.
    pub async fn token(&self, form: &[(&str, &str)]) -> Value {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let request = http::Request::new(http::Method::POST, self.issuer.join("/token").unwrap())
            .body("application/x-www-form-urlencoded", body.finish());
        self.client.send(request).await.unwrap().json().unwrap()
    }

    async fn told(&self, path: &str, what: Value) -> Value {
        let request = http::Request::new(http::Method::POST, self.issuer.join(path).unwrap())
            .body("application/json", what.to_string());
        let answer = self.client.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        answer.json().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _already_over = self.server.kill();
        let _already_reaped = self.server.wait();
    }
}
