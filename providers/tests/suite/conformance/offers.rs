//! What a connector says of itself: the shape of its consents, and where the provider sends browsers and pushes.

use std::collections::BTreeMap;

use providers::{ConsentFlow, ErrorKind, ParsedPush, PushRequest, RedirectPaths, Remedy, Secret};

use super::Fixture;

/// Whether a path is `/FOLDER/WORD/END`, or `/FOLDER/WORD` without an end.
fn is_path(path: &str, folder: &str, end: Option<&str>) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    match (&parts[..], end) {
        (["", at, word, last], Some(end)) => *at == folder && !word.is_empty() && *last == end,
        (["", at, word], None) => *at == folder && !word.is_empty(),
        _ => false,
    }
}

pub async fn what_is_said_of_consents_and_hooks_fits_together(f: &Fixture) {
    let (features, shape) = (f.provider.features(), f.provider.consent_flow());
    let RedirectPaths { signed_in, consented, own } = f.provider.redirect_paths();
    let all = [(signed_in, "signed-in"), (consented, "consented"), (own, "own")];
    for (path, end) in all {
        assert!(path.is_none_or(|path| is_path(path, "connect", Some(end))), "{path:?}");
    }
    match shape {
        ConsentFlow::Pages => assert!(signed_in.is_some() && consented.is_some()),
        ConsentFlow::ServiceAccount { scopes, keyless } => {
            assert!(!scopes.is_empty() && (signed_in.is_some() || !keyless));
        }
        ConsentFlow::Login { .. } => assert_eq!((signed_in, consented), (None, None)),
    }
    assert!(own.is_some() || !features.own_consent, "a user who consents comes back somewhere");
    let hook = f.provider.hook();
    assert_eq!(hook.is_some(), features.push);
    assert!(hook.is_none_or(|path| is_path(path, "hooks", None)), "{hook:?}");
    let nothing = PushRequest { query: "", headers: &BTreeMap::new(), body: b"" };
    let read = f.provider.read_push(&nothing);
    assert!(!matches!(read, ParsedPush::Handshake(_)), "nothing is echoed unasked: {read:?}");
    let limits = f.provider.limits();
    assert!(limits.mailbox.concurrency > 0 && limits.whole.concurrency >= limits.mailbox.concurrency);
    assert!(
        f.provider.is_same_organisation("acme", "acme") && !f.provider.is_same_organisation("acme", "other")
    );
}

/// A password is a credential by itself; no provider exchanges it for a token.
pub async fn a_foreign_consent_is_no_token(f: &Fixture) {
    let secret = Secret::Basic { user: "svc".to_owned(), password: "secret".to_owned() };
    let error = f.provider.token(&secret, None).await.unwrap_err();
    assert_eq!((error.kind, error.remedy), (ErrorKind::GrantLost, Remedy::Reconnect), "{error:?}");
}
