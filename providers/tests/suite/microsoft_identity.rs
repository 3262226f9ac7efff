//! What is sent to the identity platform, and what is made of its answers.

use crate::microsoft_recorder;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair, KeySize},
    signature::KeyPair as _,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use domain::{Ids, TestClock};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use microsoft_recorder::{Asked, Recorder};
use providers::{
    ErrorKind, Remedy,
    microsoft::{
        ClientCredential, Config,
        identity::{AuthorizationPurpose, IdentityClient},
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const TENANT: &str = "5a7c2f10-1111-4222-8333-944455566677";
const BACK: &str = "https://muster.test/connect/back";

async fn identity(credential: ClientCredential) -> (Recorder, IdentityClient) {
    let server = Recorder::start().await;
    let config = Config::new(server.url("/"), server.url("/v1.0"), "client", credential);
    let allowance = http::AllowedHosts::from_hosts(["127.0.0.1".to_owned()]);
    let client = http::Client::new(http::Config { allowance, ..http::Config::default() }).unwrap();
    let clock = Arc::new(TestClock::at("2026-12-01T09:00:00Z".parse().unwrap()));
    let identity = IdentityClient::new(config, client, clock.clone(), Ids::seeded(clock, 1));
    (server, identity)
}

fn secret() -> ClientCredential {
    ClientCredential::Secret(SecretString::from("made&for=this test"))
}

fn form(asked: &Asked) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn s3_10_a_sign_in_asks_for_little_and_a_consent_of_ones_own_for_the_calendar() {
    let (_server, identity) = identity(secret()).await;
    let url = identity
        .authorize_url(AuthorizationPurpose::SignIn, BACK, "st&te", "nonce", "chall", Some("ada@acme.test"))
        .unwrap();
    assert!(url.path().ends_with("/organizations/oauth2/v2.0/authorize"), "{url}");
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let expected = map(&[
        ("client_id", "client"),
        ("response_type", "code"),
        ("redirect_uri", BACK),
        ("response_mode", "query"),
        ("scope", "openid profile email User.Read"),
        ("state", "st&te"),
        ("nonce", "nonce"),
        ("code_challenge", "chall"),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
        ("login_hint", "ada@acme.test"),
    ]);
    assert_eq!(query, expected);
    let url = identity.authorize_url(AuthorizationPurpose::OwnConsent, BACK, "s", "n", "c", None).unwrap();
    let scope = url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(
        scope,
        "openid profile email offline_access Calendars.ReadWrite User.Read MailboxSettings.Read"
    );
}

#[tokio::test]
async fn the_consent_of_an_administrator_is_asked_of_one_tenant() {
    let (_server, identity) = identity(secret()).await;
    let url = identity.admin_consent_url(TENANT, BACK, "state").unwrap();
    assert_eq!(url.path(), format!("/{TENANT}/v2.0/adminconsent"));
    let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let scope = ("scope", "https://graph.microsoft.com/.default");
    assert_eq!(query, map(&[("client_id", "client"), scope, ("redirect_uri", BACK), ("state", "state")]));
    assert!(identity.admin_consent_url("..", BACK, "state").is_err(), "a tenant cannot climb the path");
}

#[tokio::test]
async fn a_code_a_refresh_and_an_application_are_exchanged_for_tokens() {
    let (server, identity) = identity(secret()).await;
    let given = json!({"access_token": "a", "refresh_token": "r2", "id_token": "i", "expires_in": 3736});
    server.tell(200, &given);
    server.tell(200, &given);
    server.tell(200, &json!({"access_token": "a", "expires_in": 3599}));
    let verifier = SecretString::from("verifier");
    let tokens = identity.redeem_code("code", &verifier, BACK, "organizations").await.unwrap();
    assert_eq!(tokens.expires_in, Duration::from_secs(3736));
    assert_eq!(tokens.refresh_token.unwrap().expose_secret(), "r2");
    identity.refresh(TENANT, &SecretString::from("r1"), Some(r#"{"a":1}"#)).await.unwrap();
    let tokens = identity.app_token(TENANT, None).await.unwrap();
    assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /organizations/oauth2/v2.0/token");
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked[0].header("origin"), None, "a confidential client names no origin");
    assert_eq!(asked[2].line, format!("POST /{TENANT}/oauth2/v2.0/token"));
    let us = [("client_id", "client"), ("client_secret", "made&for=this test")];
    let code = [
        ("grant_type", "authorization_code"),
        ("code", "code"),
        ("code_verifier", "verifier"),
        ("redirect_uri", BACK),
    ];
    assert_eq!(form(&asked[0]), map(&[&us[..], &code].concat()));
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "r1"), ("claims", r#"{"a":1}"#)];
    assert_eq!(form(&asked[1]), map(&[&us[..], &refresh].concat()));
    let app = [("grant_type", "client_credentials"), ("scope", "https://graph.microsoft.com/.default")];
    assert_eq!(form(&asked[2]), map(&[&us[..], &app].concat()));
}

#[tokio::test]
async fn a_certificate_signs_a_statement_for_this_endpoint_that_holds_ten_minutes() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let certificate_der = b"stands for a certificate".to_vec();
    let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate_der));
    let credential =
        ClientCredential::Certificate { certificate_der, private_key_pem: SecretString::from(pem) };
    let (server, identity) = identity(credential).await;
    server.tell(200, &json!({"access_token": "a", "expires_in": 3599}));
    server.tell(200, &json!({"access_token": "a", "expires_in": 3599}));
    identity.app_token(TENANT, None).await.unwrap();
    identity.app_token(TENANT, None).await.unwrap();
    let asked = server.asked();
    let sent = form(&asked[0]);
    assert_eq!(sent["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert!(!sent.contains_key("client_secret"));
    let public = pair.public_key();
    let key = DecodingKey::from_rsa_raw_components(
        public.modulus().big_endian_without_leading_zero(),
        public.exponent().big_endian_without_leading_zero(),
    );
    let mut rules = Validation::new(Algorithm::PS256);
    rules.validate_exp = false;
    rules.validate_aud = false;
    let read = |text: &str| jsonwebtoken::decode::<Value>(text, &key, &rules).unwrap();
    let (first, second) = (read(&sent["client_assertion"]), read(&form(&asked[1])["client_assertion"]));
    assert_eq!(first.header.x5t_s256, Some(thumbprint));
    assert_ne!(first.claims["jti"], second.claims["jti"], "each statement has an id of its own");
    let mut claims = first.claims;
    claims["jti"].take();
    let now = 1_796_115_600;
    let expected = json!({
        "aud": server.url(&format!("/{TENANT}/oauth2/v2.0/token")), "iss": "client", "sub": "client", "jti": null,
        "nbf": now, "iat": now, "exp": now + 600,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn a_refusal_is_classified_and_never_shows_the_secret() {
    let (server, identity) = identity(secret()).await;
    let refused =
        |error: &str, number: u32| json!({"error": error, "error_codes": [number], "trace_id": "t"});
    server.tell(401, &refused("invalid_client", 7_000_222));
    let error = identity.app_token(TENANT, None).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "AADSTS7000222"));
    assert!(!format!("{error:?} {identity:?}").contains("made&for"), "no secret in any text");
    server.tell_with(429, "retry-after: 30\r\n", &json!({"error": "temporarily_unavailable"}));
    let error = identity.app_token(TENANT, None).await.unwrap_err();
    assert_eq!(error.remedy, Remedy::RetryAfter(Duration::from_secs(30)));
    server.tell(0, &json!({}));
    let error = identity.app_token(TENANT, None).await.unwrap_err();
    assert_eq!((error.kind, error.unknown), (ErrorKind::Unavailable, false));
}

#[tokio::test]
async fn only_the_two_roles_that_may_consent_make_an_administrator() {
    let (server, identity) = identity(secret()).await;
    let token = SecretString::from("a");
    let role = |template: &str| json!({"value": [{"roleTemplateId": template}]});
    server.tell(200, &role("62E90394-69F5-4237-9190-012177145E10"));
    assert!(identity.is_administrator(&token).await.unwrap());
    server.tell(200, &role("fe930be7-5e62-47db-91af-98c3a49a38b1"));
    assert!(!identity.is_administrator(&token).await.unwrap(), "another role is not enough");
    let mut page = role("fe930be7-5e62-47db-91af-98c3a49a38b1");
    page["@odata.nextLink"] = json!(server.url("/v1.0/next"));
    server.tell(200, &page);
    server.tell(200, &role("e8611ab8-c189-46e8-94e1-60213ab1f814"));
    assert!(identity.is_administrator(&token).await.unwrap(), "the role may stand on a later page");
    page["@odata.nextLink"] = json!("https://evil.test/v1.0/next");
    server.tell(200, &page);
    assert!(!identity.is_administrator(&token).await.unwrap(), "a link elsewhere is not followed");
    server.tell(403, &json!({"error": {"code": "Authorization_RequestDenied"}}));
    assert_eq!(identity.is_administrator(&token).await.unwrap_err().kind, ErrorKind::GrantLost);
    let asked = server.asked();
    let line = "GET /v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole?$select=roleTemplateId";
    assert_eq!(asked[0].line, line);
}
