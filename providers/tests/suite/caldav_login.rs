//! How the connector proves who it is, and what it does with a refusal.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use messages::Language;
use providers::{Directory as _, ErrorKind, Events as _, Remedy, Session, StaticCredentials};

use crate::{
    caldav_script::{Reply, basic, caldav, saturday},
    caldav_setup::{Setup, calendar, nodes},
};

const ADA: &str = "ada@corp.test";

fn challenge(values: &[&str]) -> Reply {
    let values = values.iter().map(|value| ("WWW-Authenticate", (*value).to_owned()));
    (401, values.collect(), String::new())
}

fn ada() -> crate::caldav_setup::Nodes {
    nodes([("/c/ada/office/", calendar(""))])
}

#[tokio::test]
async fn digest_is_spoken_and_its_nonce_is_used_again() {
    for algorithm in ["MD5", "md5-sess", "SHA-256", "SHA-512-256-sess"] {
        let given = Arc::new(AtomicUsize::new(0));
        let server = given.clone();
        let setup = Setup::serve(ada(), move |ask| {
            let told = |name: &str| {
                let rest = ask.line.split(&format!("{name}=")).nth(1)?;
                Some(rest.split([',', ' ']).next()?.trim_matches('"').to_owned())
            };
            let count = told("nc").and_then(|nc| u32::from_str_radix(&nc, 16).ok());
            // Each nonce is good for four requests.
            let nonce = format!("n{}", server.load(Ordering::SeqCst));
            if told("nonce").as_deref() == Some(nonce.as_str())
                && count.is_some_and(|count| (1..=4).contains(&count))
            {
                assert!(ask.line.contains(&format!("uri=\"{}\"", ask.path)), "{}", ask.line);
                assert!(ask.line.contains("username=\"svc\"") && ask.line.contains("opaque=\"o, o\""));
                return None;
            }
            let nonce = format!("n{}", server.fetch_add(1, Ordering::SeqCst) + 1);
            let stale = if count.is_some() { ", stale=true" } else { "" };
            let text = format!(
                "Digest nonce=\"{nonce}\", realm=\"r\", qop=\"auth-int,auth\", opaque=\"o, o\", algorithm={algorithm}{stale}"
            );
            Some(challenge(&["Negotiate", &text]))
        });
        let (caldav, session) = (caldav(), setup.session());
        assert_eq!(caldav.mailbox(&session, ADA).await.unwrap().id, "/p/ada/", "{algorithm}");
        assert_eq!(caldav.mailbox(&session, ADA).await.unwrap().id, "/p/ada/", "{algorithm}");
        let (nonces, asked) = (given.load(Ordering::SeqCst), setup.asked().len());
        assert_eq!(asked - nonces, 3 + 2 + 2, "{algorithm}: whatever was not a challenge was answered");
        assert_eq!(nonces, 2, "{algorithm}");
        assert_eq!(
            setup.count(|ask| ask.line.contains("Basic ")),
            1,
            "{algorithm}: only before it was known"
        );
    }
}

#[tokio::test]
async fn a_refused_password_is_not_sent_again_until_somebody_acts() {
    for offered in [&["Basic realm=\"r\""][..], &["Digest realm=\"r\", nonce=\"n\", qop=\"auth\""], &[]] {
        let setup =
            Setup::serve(ada(), move |ask| (!ask.line.contains("c3ZjOm5ldw==")).then(|| challenge(offered)));
        let (caldav, session) = (caldav(), setup.session());
        for _ in 0..5 {
            let error = caldav.organisation(&session).await.unwrap_err();
            assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect), "{offered:?}");
            let two = [ADA.to_owned(), "bo@corp.test".to_owned()];
            let busy = caldav.busy(&session, &two, saturday());
            assert_eq!(busy.await.unwrap_err().remedy, Remedy::Reconnect, "{offered:?}");
        }
        let expected = if offered.first().is_some_and(|one| one.starts_with("Digest")) { 2 } else { 1 };
        assert_eq!(setup.asked().len(), expected, "{offered:?}");
        // Somebody has typed it again: that is tried, once.
        let again = Session { scope: "the next consent".into(), ..session.clone() };
        assert!(caldav.organisation(&again).await.is_err() && caldav.organisation(&again).await.is_err());
        assert_eq!(setup.asked().len(), 2 * expected, "{offered:?}");
        if expected == 1 {
            let credentials = Arc::new(StaticCredentials(basic("new")));
            let renewed = Session { credentials, ..session };
            assert_eq!(
                caldav.mailbox(&renewed, ADA).await.unwrap().id,
                "/p/ada/",
                "another one is not held up"
            );
        }
    }
}

#[tokio::test]
async fn a_server_that_wants_another_scheme_is_named_with_what_to_switch_on() {
    for (offered, named) in [
        (&["Negotiate", "NTLM"][..], "Negotiate, NTLM"),
        (&["Bearer realm=\"x\""], "Bearer"),
        (&["Negotiate, NTLM, Bearer"], "Negotiate, NTLM, Bearer"),
    ] {
        let setup = Setup::serve(ada(), move |_| Some(challenge(offered)));
        let error = caldav().organisation(&setup.session()).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "AUTHENTICATION_SCHEME"));
        let message = messages::render_message(&error.message, Language::English, None);
        assert!(message.contains(named) && message.contains("Basic or Digest"), "{message}");
    }
}

#[tokio::test]
async fn an_odd_answer_about_a_mailbox_passes_and_only_the_server_itself_is_no_caldav_server() {
    let html = || (200, Vec::new(), "<html>maintenance</html>".to_owned());
    for (name, path) in [
        ("the root", "/"),
        ("the principal", "/p/ada/"),
        ("the home", "/c/ada/"),
        ("the calendar", "/c/ada/office/"),
    ] {
        let setup = Setup::serve(ada(), move |ask| (ask.path == path && ask.method != "OPTIONS").then(html));
        let error = caldav().busy(&setup.session(), &[ADA.to_owned()], saturday()).await;
        let error = error.unwrap().remove(0).1.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{name}: {error:?}");
        assert!(matches!(error.remedy, Remedy::RetryAfter(_)), "{name}");
    }
    let setup = Setup::serve(ada(), move |_| Some(html()));
    let error = caldav().organisation(&setup.session()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Misconfigured, "NOT_CALDAV"));
}
