use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::TestClock;
use http::{AllowedHosts, Config};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::*;

const TENANT: &str = "5a7c2f10-1111-4222-8333-944455566677";
const CLIENT: &str = "our-client";
const NONCE: &str = "our-nonce";

/// A local authority that publishes one key and counts the downloads.
struct Authority {
    keys: SigningKeys,
    clock: TestClock,
    looks: Arc<AtomicUsize>,
    signer: EncodingKey,
    _server: JoinSet<()>,
}

impl Authority {
    async fn start() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let public = pair.public_key();
        let key = json!({
            "kty": "RSA", "kid": "k1",
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let login: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let looks = Arc::new(AtomicUsize::new(0));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, login.clone(), key, Arc::clone(&looks)));
        let clock = TestClock::at("2026-12-01T09:00:00Z".parse().unwrap());
        let allowance = AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
        let client = Client::new(Config { allowance, ..Config::default() }).unwrap();
        let keys = SigningKeys::new(login, client, Arc::new(clock.clone()));
        let signer = EncodingKey::from_rsa_pem(pem(der.as_ref()).as_bytes()).unwrap();
        Self { keys, clock, looks, signer, _server: server }
    }

    fn claims(&self) -> Value {
        let now = domain::Clock::now(&self.clock).timestamp();
        let origin = self.keys.login.as_str();
        json!({
            "aud": CLIENT, "iss": format!("{origin}{TENANT}/v2.0"), "iat": now, "nbf": now, "exp": now + 3600,
            "ver": "2.0", "tid": TENANT, "oid": "o-1", "nonce": NONCE, "name": "Ada",
            "preferred_username": "ada@acme.test",
        })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as("k1", claims)
    }

    fn sign_as(&self, kid: &str, claims: &Value) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, claims, &self.signer).unwrap()
    }

    async fn code(&self, token: &str) -> String {
        self.keys
            .verify(token, CLIENT, NONCE)
            .await
            .map_or_else(|error| error.code, |_| "accepted".to_owned())
    }
}

fn pem(der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))
}

async fn serve(listener: TcpListener, login: Url, key: Value, looks: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let body = if String::from_utf8_lossy(&head).contains("openid-configuration") {
            looks.fetch_add(1, Ordering::SeqCst);
            json!({"issuer": format!("{login}{{tenantid}}/v2.0"), "jwks_uri": format!("{login}keys")})
        } else {
            json!({"keys": [key, {"kty": "EC", "kid": "other"}]})
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_good_token_names_tenant_and_person() {
    let authority = Authority::start().await;
    let token = authority.sign(&authority.claims());
    let signed_in = authority.keys.verify(&token, CLIENT, NONCE).await.unwrap();
    let expected = SignedInAccount {
        tenant_id: TENANT.to_owned(),
        object_id: "o-1".to_owned(),
        name: "Ada".to_owned(),
        username: "ada@acme.test".to_owned(),
    };
    assert_eq!(signed_in, expected);
}

#[tokio::test]
async fn every_claim_is_demanded_and_must_be_right() {
    let authority = Authority::start().await;
    let good = authority.claims();
    for absent in ["aud", "iss", "exp", "nbf", "ver", "tid", "oid", "nonce"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(absent);
        let code = authority.code(&authority.sign(&claims)).await;
        assert!(code.starts_with("ID_TOKEN_"), "without {absent} it was: {code}");
    }
    let now = good["iat"].as_i64().unwrap();
    let origin = authority.keys.login.to_string();
    let other = "99999999-1111-4222-8333-944455566677";
    let wrong = [
        ("aud", json!("another-client"), "ID_TOKEN_AUDIENCE"),
        ("aud", json!([CLIENT, "another-client"]), "ID_TOKEN_CLAIMS"),
        ("iss", json!(format!("{origin}{other}/v2.0")), "ID_TOKEN_ISSUER"),
        ("iss", json!(format!("https://evil.test/{TENANT}/v2.0")), "ID_TOKEN_ISSUER"),
        ("tid", json!(other), "ID_TOKEN_ISSUER"),
        ("tid", json!(""), "ID_TOKEN_TENANT"),
        ("tid", json!("9188040D-6C67-4C5B-B112-36A304B66DAD"), "PERSONAL_ACCOUNT"),
        ("ver", json!("1.0"), "ID_TOKEN_VERSION"),
        ("exp", json!(now - 61), "ID_TOKEN_EXPIRED"),
        ("nbf", json!(now + 61), "ID_TOKEN_TOO_EARLY"),
        ("nonce", json!("another-nonce"), "ID_TOKEN_NONCE"),
        ("oid", json!(""), "ID_TOKEN_OBJECT"),
    ];
    for (claim, value, code) in wrong {
        let mut claims = good.clone();
        claims[claim] = value.clone();
        assert_eq!(authority.code(&authority.sign(&claims)).await, code, "{claim} = {value}");
    }
    let empty = authority.keys.verify(&authority.sign(&good), CLIENT, "").await;
    assert_eq!(empty.unwrap_err().code, "ID_TOKEN_NONCE");
}

#[tokio::test]
async fn a_sign_in_without_a_nonce_is_refused() {
    let authority = Authority::start().await;
    let mut claims = authority.claims();
    claims["nonce"] = json!("");
    let error = authority.keys.verify(&authority.sign(&claims), CLIENT, "").await.unwrap_err();
    assert_eq!(error.code, "ID_TOKEN_NONCE");
}

#[tokio::test]
async fn foreign_signatures_and_weak_algorithms_are_refused() {
    let authority = Authority::start().await;
    let claims = authority.claims();
    let stranger = Authority::start().await;
    assert_eq!(authority.code(&stranger.sign(&claims)).await, "ID_TOKEN_SIGNATURE");
    let modulus = EncodingKey::from_secret(b"the public key as a secret");
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
    let confused = jsonwebtoken::encode(&header, &claims, &modulus).unwrap();
    assert_eq!(authority.code(&confused).await, "ID_TOKEN_ALGORITHM");
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#);
    let unsigned = format!("{none}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
    assert_eq!(authority.code(&unsigned).await, "ID_TOKEN_MALFORMED");
    let mut tampered = authority.sign(&claims).into_bytes();
    let middle = tampered.iter().position(|byte| *byte == b'.').unwrap() + 20;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    assert_eq!(authority.code(&String::from_utf8(tampered).unwrap()).await, "ID_TOKEN_SIGNATURE");
}

#[tokio::test]
async fn an_unknown_key_orders_a_new_look_at_most_once_a_minute() {
    let authority = Authority::start().await;
    assert_eq!(authority.code(&authority.sign(&authority.claims())).await, "accepted");
    let unknown = authority.sign_as("k2", &authority.claims());
    for _ in 0..10 {
        assert_eq!(authority.code(&unknown).await, "ID_TOKEN_KEY");
    }
    assert_eq!(authority.looks.load(Ordering::SeqCst), 1, "within a minute nothing is asked");
    authority.clock.advance(Duration::seconds(61));
    for _ in 0..10 {
        assert_eq!(authority.code(&unknown).await, "ID_TOKEN_KEY");
    }
    assert_eq!(authority.looks.load(Ordering::SeqCst), 2, "after a minute it is asked once");
}

#[test]
fn a_key_that_the_authority_limits_signs_for_nobody_else() {
    let claims = Claims {
        aud: CLIENT.to_owned(),
        iss: format!("https://login.test/{TENANT}/v2.0"),
        exp: 10_000,
        nbf: 0,
        ver: "2.0".to_owned(),
        tid: TENANT.to_owned(),
        oid: "o".to_owned(),
        nonce: NONCE.to_owned(),
        name: None,
        preferred_username: None,
    };
    let code = |issuer: Option<&str>| {
        let key =
            Key { kid: None, kty: "RSA".to_owned(), n: None, e: None, issuer: issuer.map(str::to_owned) };
        let template = "https://login.test/{tenantid}/v2.0";
        let now = Timestamp::UNIX_EPOCH + Duration::seconds(100);
        check(&claims, &key, template, CLIENT, NONCE, now).map_err(|error| error.code)
    };
    assert_eq!(code(None), Ok(()));
    assert_eq!(code(Some("https://login.test/{tenantid}/v2.0")), Ok(()));
    assert_eq!(code(Some("https://login.test/another/v2.0")), Err("ID_TOKEN_KEY".to_owned()));
}
