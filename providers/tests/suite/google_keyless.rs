//! Acting for service accounts without their keys: Google signs, for a token from the operator's source.

use crate::google_setup;

use std::sync::Arc;

use chrono::Duration;
use domain::Ids;
use google_setup::{METADATA, Setup, config, keyless_from, text};
use providers::{
    Credential, Directory as _, Error, ErrorKind, Events as _, Remedy, Session, StaticCredentials,
    UnlimitedGate,
    google::{Google, TokenSource},
};
use serde_json::{Value, json};

/// An organisation that authorised a service account without a key, and access through it.
async fn acme() -> (Setup, Value, Session) {
    let mut setup = Setup::start().await;
    let order = json!({ "name": "keyless", "keyless": true });
    setup.key = setup.control("google/service-accounts", &order).await;
    let organisation = setup.organisation("Acme", 5, 2).await;
    setup.authorise(&organisation, 0).await;
    let credential = Credential::Keyless(text(&setup.key["client_email"]).into());
    let session = Session {
        credentials: Arc::new(StaticCredentials(credential)),
        gate: Arc::new(UnlimitedGate),
        server: None,
        account: text(&organisation["admin"]["address"]).to_owned(),
        own: false,
        zone: None,
        scope: "test".into(),
        rooms: None,
    };
    (setup, organisation, session)
}

/// How often the source, the signing and the token endpoint were asked.
async fn asked(setup: &Setup) -> [usize; 3] {
    let journal = setup.journal().await;
    let count = |end: &str| journal.iter().filter(|entry| text(&entry["path"]).ends_with(end)).count();
    [count(METADATA), count(":signJwt"), count("/google/token")]
}

/// Reads something that needs one scope.
async fn look(setup: &Setup, session: &Session) -> Result<(), Error> {
    setup.google.people(session, None).await.map(drop)
}

#[tokio::test]
async fn google_signs_what_the_key_would_have_signed() {
    let (setup, organisation, session) = acme().await;
    look(&setup, &session).await.unwrap();
    let user = text(&organisation["users"][1]["address"]);
    setup.google.calendar(&session, user).await.unwrap();
    look(&setup, &session).await.unwrap();
    assert_eq!(
        asked(&setup).await,
        [1, 2, 2],
        "one token of the source, one statement for each subject and scope"
    );
    let journal = setup.journal().await;
    let whose: Vec<&str> = journal
        .iter()
        .filter(|entry| entry["outcome"] == "signed")
        .map(|entry| text(&entry["mailbox"]))
        .collect();
    assert_eq!(whose, [session.account.as_str(), user]);
}

#[tokio::test]
async fn callers_who_come_at_the_same_time_have_one_statement_signed() {
    let (setup, organisation, session) = acme().await;
    let user = text(&organisation["users"][1]["address"]);
    let read = || setup.google.calendar(&session, user);
    let (one, two) = futures::join!(read(), read());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(asked(&setup).await, [1, 1, 1]);
}

#[tokio::test]
async fn tokens_of_the_source_are_renewed_when_they_end_and_when_they_are_refused() {
    let (setup, _, session) = acme().await;
    look(&setup, &session).await.unwrap();
    setup.clock.advance(Duration::minutes(57));
    look(&setup, &session).await.unwrap();
    assert_eq!(asked(&setup).await, [1, 2, 2], "the source's token holds a little longer");
    setup.clock.advance(Duration::minutes(56));
    look(&setup, &session).await.unwrap();
    assert_eq!(asked(&setup).await, [2, 3, 3]);
    setup.control("tokens/expire", &json!({})).await;
    look(&setup, &session).await.unwrap();
    assert_eq!(asked(&setup).await, [3, 5, 4], "the refused one was tried once");
}

#[tokio::test]
async fn a_file_is_read_whenever_a_signature_is_needed() {
    let (setup, _, session) = acme().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let base = setup.url.join("google/").unwrap();
    let clock = Arc::new(setup.clock.clone());
    let mut places = config(&base);
    places.keyless = Some(keyless_from(TokenSource::File(path.clone()), &base));
    let google = Google::new(places, setup.client.clone(), clock.clone(), Ids::seeded(clock, 3));
    let fresh = async || {
        let request = http::Request::new(http::Method::GET, base.join(METADATA).unwrap())
            .header(http::HeaderName::from_static("metadata-flavor"), "Google");
        let given: Value = setup.client.send(request).await.unwrap().json().unwrap();
        std::fs::write(&path, format!("{}\n", text(&given["access_token"]))).unwrap();
    };
    for content in [None, Some(""), Some("two words")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let error = google.organisation(&session).await.unwrap_err();
        assert_eq!((told(&error), error.code.as_str()), (LATER, "SOURCE_UNREADABLE"), "{content:?}");
    }
    fresh().await;
    google.organisation(&session).await.unwrap();
    setup.control("tokens/expire", &json!({})).await;
    assert_eq!(told(&google.organisation(&session).await.unwrap_err()), LATER, "nobody kept it fresh");
    fresh().await;
    google.organisation(&session).await.unwrap();
}

fn told(error: &Error) -> (ErrorKind, Remedy) {
    (error.kind, error.remedy)
}

const LATER: (ErrorKind, Remedy) =
    (ErrorKind::Signing, Remedy::RetryAfter(std::time::Duration::from_mins(1)));

#[tokio::test]
async fn a_source_that_fails_is_the_operators_and_passes() {
    let (setup, _, session) = acme().await;
    let refuse = |status: u16| json!({ "action": "refuse", "status": status, "reason": "none" });
    for (method, path, action) in [
        ("GET", "computeMetadata", json!({ "action": "outage" })),
        ("GET", "computeMetadata", refuse(403)),
        ("GET", "computeMetadata", json!({ "action": "drop_after" })),
        ("POST", "signJwt", json!({ "action": "outage" })),
        ("POST", "signJwt", json!({ "action": "drop_after" })),
        ("POST", "signJwt", json!({ "action": "throttle", "retry_after": 7 })),
    ] {
        setup.fault(method, path, action.clone()).await;
        let error = look(&setup, &session).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Signing, "{path} {action}: {error:?}");
        assert!(matches!(error.remedy, Remedy::RetryAfter(_)), "{path} {action}: {error:?}");
        assert!(!error.unknown && error.operator_action().is_some(), "{error:?}");
    }
    look(&setup, &session).await.unwrap();
}

#[tokio::test]
async fn who_may_not_sign_is_told_from_who_was_not_authorised() {
    let (setup, organisation, session) = acme().await;
    let path = format!("google/service-accounts/{}/signers", text(&setup.key["client_email"]));
    setup.control(&path, &json!({ "signers": ["somebody@else.test"] })).await;
    let denied = look(&setup, &session).await.unwrap_err();
    assert_eq!((told(&denied), denied.code.as_str()), ((ErrorKind::Signing, Remedy::Never), "SIGN_403"));
    setup.control(&path, &json!({ "signers": setup.key["signers"] })).await;
    look(&setup, &session).await.unwrap();
    setup.revoke(&organisation).await;
    let lost = look(&setup, &session).await.unwrap_err();
    let expected = ((ErrorKind::GrantLost, Remedy::Reconnect), "unauthorized_client");
    assert_eq!((told(&lost), lost.code.as_str()), expected, "as with a key");
}

#[tokio::test]
async fn a_wrong_clock_and_an_absent_source_are_the_operators_too() {
    let (setup, _, session) = acme().await;
    // Google's clock runs ahead of ours from here on.
    setup.control("clock/advance", &json!({ "seconds": 7_200 })).await;
    assert_eq!(told(&look(&setup, &session).await.unwrap_err()), LATER);
    let base = setup.url.join("google/").unwrap();
    let clock = Arc::new(setup.clock.clone());
    let places = providers::google::Config { keyless: None, ..config(&base) };
    let google = Google::new(places, setup.client.clone(), clock.clone(), Ids::seeded(clock, 3));
    assert!(!google.supports_keyless());
    let error = google.organisation(&session).await.unwrap_err();
    assert_eq!((told(&error), error.code.as_str()), ((ErrorKind::Signing, Remedy::Never), "SOURCE_ABSENT"));
}
