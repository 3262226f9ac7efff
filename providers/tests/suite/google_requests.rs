//! What the Google connector sends, and what it makes of answers that a well-behaved server rarely gives.

use crate::google_recorded;
use crate::microsoft_recorder as recorder;

use std::{fmt::Write, sync::Arc};

use aws_lc_rs::{encoding::AsDer, rsa::KeySize, signature::RsaKeyPair};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use google_recorded::{Bench, NOW, ROOM, at, bench, everything, interview};
use providers::{
    ChangeCheck, ChangeFeed as _, Credential, Directory as _, ErrorKind, Events as _, Remedy,
    google::ServiceAccountKey,
};
use recorder::Asked;
use secrecy::SecretString;
use serde_json::{Value, json};

#[tokio::test]
async fn every_request_is_as_google_describes_it() {
    let mut told = String::new();
    for Asked { line, headers, body } in everything().await {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap();
        writeln!(told, "{method} {path}").unwrap();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            writeln!(told, "    {name}={value}").unwrap();
        }
        for (name, value) in headers.iter().filter(|(name, _)| name == "if-match") {
            writeln!(told, "  {name}: {value}").unwrap();
        }
        if !body.is_empty() {
            let body: Value = serde_json::from_str(&body).unwrap();
            writeln!(told, "{body:#}").unwrap();
        }
    }
    insta::assert_snapshot!(told);
}

/// A key file with a key of its own.
fn key_file() -> Value {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(&pair).unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    json!({
        "type": "service_account", "client_email": "muster@project.iam.gserviceaccount.com", "client_id": "117",
        "private_key_id": "key-1", "private_key": pem, "token_uri": "https://evil.test/token",
    })
}

async fn service_account() -> Bench {
    let key = ServiceAccountKey::parse(&key_file().to_string()).unwrap();
    bench(Credential::ServiceAccount(Arc::new(key))).await
}

/// Header and claims of the statement in a request for a token.
fn stated(asked: &Asked) -> (Value, Value) {
    let form: std::collections::HashMap<_, _> =
        url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let parts: Vec<&str> = form["assertion"].split('.').collect();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(parts[0]), read(parts[1]))
}

fn token(text: &str) -> Value {
    json!({ "access_token": text, "expires_in": 3_599, "token_type": "Bearer" })
}

#[tokio::test]
async fn a_statement_names_whom_it_acts_for_and_what_it_is_for() {
    let Bench { server, google, session } = service_account().await;
    let (ada, window) = ("ada@acme.test", interview().range);
    server.tell(200, &token("ta"));
    server.tell(200, &json!({ "items": [] }));
    google.events(&session, ada, window, None).await.unwrap();
    server.tell(200, &token("tr"));
    server.tell(200, &json!({ "items": [] }));
    google.events(&session, ROOM, window, None).await.unwrap();
    server.tell(200, &token("tb"));
    server.tell(200, &json!({ "calendars": { (ada): { "busy": [] } } }));
    google.busy(&session, &[ada.to_owned()], window).await.unwrap();
    let asked = server.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.split('?').next().unwrap()).collect();
    assert_eq!(lines[0], "POST /token");
    let (header, claims) = stated(&asked[0]);
    assert_eq!(header, json!({ "typ": "JWT", "alg": "RS256", "kid": "key-1" }));
    let now = at(NOW).timestamp();
    let expected = json!({
        "iss": "muster@project.iam.gserviceaccount.com", "sub": ada,
        "scope": "https://www.googleapis.com/auth/calendar.events",
        "aud": server.url("/token"), "iat": now, "exp": now + 3_600,
    });
    assert_eq!(claims, expected, "the place that the key file names is not followed");
    assert_eq!(asked[1].header("authorization"), Some("Bearer ta"));
    assert!(asked[1].line.ends_with("quotaUser=ada%40acme.test"), "{}", asked[1].line);
    let (_, room) = stated(&asked[2]);
    assert_eq!(room["sub"], "admin@acme.test", "nobody can act for a room");
    let (_, busy) = stated(&asked[4]);
    assert_eq!(
        (&busy["sub"], &busy["scope"]),
        (&json!("admin@acme.test"), &json!("https://www.googleapis.com/auth/calendar.events.freebusy"))
    );
}

#[tokio::test]
async fn callers_who_come_at_the_same_time_fetch_one_token() {
    let Bench { server, google, session } = service_account().await;
    let window = interview().range;
    server.tell(200, &token("t1"));
    server.tell(200, &json!({ "items": [] }));
    server.tell(200, &json!({ "items": [] }));
    let read = || google.events(&session, "ada@acme.test", window, None);
    let (one, other) = futures::join!(read(), read());
    assert!(one.is_ok() && other.is_ok());
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|asked| asked.line == "POST /token").count(), 1);
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_is_a_lost_grant() {
    let Bench { server, google, session } = service_account().await;
    let refused = json!({ "error": { "errors": [{ "reason": "authError" }], "code": 401 } });
    for answer in [&token("t1"), &token("t2")] {
        server.tell(200, answer);
        server.tell(401, &refused);
    }
    let error = google.organisation(&session).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect));
    let asked = server.asked();
    assert_eq!(asked.len(), 4, "one token, one more, and no third");
    assert_eq!(asked[3].header("authorization"), Some("Bearer t2"));
}

#[tokio::test]
async fn another_key_never_gets_the_tokens_of_the_first() {
    let Bench { server, google, session } = service_account().await;
    let other = ServiceAccountKey::parse(&key_file().to_string()).unwrap();
    let credential = Credential::ServiceAccount(Arc::new(other));
    let mut stranger = session.clone();
    stranger.credentials = Arc::new(providers::StaticCredentials(credential));
    let people = json!({ "users": [] });
    for name in ["t1", "t2"] {
        server.tell(200, &token(name));
        server.tell(200, &people);
    }
    google.people(&session, None).await.unwrap();
    google.people(&stranger, None).await.unwrap();
    let asked = server.asked();
    assert_eq!(
        asked[3].header("authorization"),
        Some("Bearer t2"),
        "though both files claim the same id and address"
    );
}

#[tokio::test]
async fn an_empty_page_with_a_next_one_is_not_the_end() {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    server.tell(200, &json!({ "items": [], "nextPageToken": "p2" }));
    let page = google.changes(&session, "ada@acme.test", interview().range, None).await.unwrap();
    assert!(page.more && page.changed.is_empty());
    server.tell(200, &json!({ "items": [{ "id": "e9", "status": "cancelled" }], "nextSyncToken": "s1" }));
    let next =
        google.changes(&session, "ada@acme.test", interview().range, Some(&page.cursor)).await.unwrap();
    assert_eq!((next.gone, next.more), (vec!["e9".to_owned()], false));
    server.tell(410, &json!({ "error": { "errors": [{ "reason": "updatedMinTooLongAgo" }], "code": 410 } }));
    let error =
        google.changes(&session, "ada@acme.test", interview().range, Some(&next.cursor)).await.unwrap_err();
    assert_eq!(error.remedy, Remedy::Resync);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_a_write_unknown() {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    server.tell(200, &json!("nonsense"));
    let error = google.create_event(&session, "ada@acme.test", &interview()).await.unwrap_err();
    assert!(error.unknown, "{error:?}");
    server.tell(200, &json!("nonsense"));
    let error = google.event(&session, "ada@acme.test", "e1").await.unwrap_err();
    assert!(!error.unknown, "{error:?}");
}

#[tokio::test]
async fn an_id_that_would_change_the_address_is_refused_before_anything_is_sent() {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    for id in ["", ".", ".."] {
        let error = google.event(&session, "ada@acme.test", id).await.unwrap_err();
        assert_eq!(error.code, "MALFORMED_ADDRESS");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn whether_anything_has_changed_is_asked_by_ids_alone_and_to_the_end() {
    let Bench { server, google, session } = bench(Credential::Bearer(SecretString::from("t1"))).await;
    let ask = async |at: Option<String>| {
        google.poll_changes(&session, "ada@acme.test", interview().range, at.as_deref()).await.unwrap()
    };
    server.tell(200, &json!({ "items": [{ "id": "e1" }], "nextPageToken": "p2" }));
    server.tell(200, &json!({ "nextSyncToken": "s1" }));
    let first = ask(None).await;
    server.tell(200, &json!({ "items": [], "nextSyncToken": "s2" }));
    let same = ask(first.watermark()).await;
    assert!(matches!(same, ChangeCheck::Same(_)), "{same:?}");
    server.tell(200, &json!({ "items": [{ "id": "e1" }], "nextPageToken": "p3" }));
    server.tell(200, &json!({ "items": [], "nextSyncToken": "s3" }));
    let changed = ask(same.watermark()).await;
    assert!(matches!(changed, ChangeCheck::Changed(Some(_))), "{changed:?}");
    server.tell(410, &json!({ "error": { "errors": [{ "reason": "fullSyncRequired" }], "code": 410 } }));
    server.tell(200, &json!({ "items": [], "nextSyncToken": "s4" }));
    let anew = ask(changed.watermark()).await;
    assert!(matches!(anew, ChangeCheck::Changed(Some(_))), "{anew:?}");
    let told = |asked: &Asked| {
        let (_, query) = asked.line.split_once('?').unwrap();
        let pairs: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (fixed, own) = pairs.split_at(3);
        let own = own.iter().filter(|(name, _)| name != "quotaUser");
        let always = [
            ("singleEvents", "true"),
            ("maxResults", "2500"),
            ("fields", "items(id),nextPageToken,nextSyncToken"),
        ];
        assert!(fixed.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(always), "{fixed:?}");
        own.map(
            |(name, value)| {
                if name.starts_with("time") { name.clone() } else { format!("{name}={value}") }
            },
        )
        .collect::<Vec<_>>()
        .join("&")
    };
    let asked: Vec<String> = server.asked().iter().map(told).collect();
    assert_eq!(
        asked,
        [
            "timeMin&timeMax",
            "timeMin&timeMax&pageToken=p2",
            "syncToken=s1",
            "syncToken=s2",
            "syncToken=s2&pageToken=p3",
            "syncToken=s3",
            "timeMin&timeMax",
        ]
    );
}
