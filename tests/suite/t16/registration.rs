//! Attacks by what an issuer says of itself when it is registered.

use chrono::Duration;
use serde_json::{Value, json};

use super::{
    evil::{Answer, MaliciousIssuer},
    forge::Signer,
    scene::{Tally, Tenant, left_behind, register, tenant, try_to_register},
};
use crate::harness::TestApp;

both!(t16_no_issuer_is_registered_that_is_not_what_it_says_or_leads_inside);

/// An attack: what the issuer says of itself. `INSIDE` is an address that nobody may be led to.
type Case = (&'static str, fn(&MaliciousIssuer, &str));

const CASES: &[Case] = &[
    ("another issuer's document", |e, _| e.say(&json!({ "issuer": "https://issuer.example" }))),
    ("an issuer with a slash more", |e, _| e.say(&json!({ "issuer": format!("{}/", e.issuer) }))),
    ("an issuer in another case", |e, _| e.say(&json!({ "issuer": e.issuer.to_uppercase() }))),
    ("no issuer", |e, _| e.say(&json!({ "issuer": null }))),
    ("a document that is elsewhere", |e, inside| e.discovery(Answer::Redirect(format!("{inside}/document")))),
    ("a document that is elsewhere at the issuer's own", |e, _| {
        e.answer("/document", Answer::Json(e.document()));
        e.discovery(Answer::Redirect("/document".to_owned()));
    }),
    ("a document without end", |e, _| e.discovery(Answer::Huge)),
    ("a document that does not come", |e, _| e.discovery(Answer::Never)),
    ("a document that is none", |e, _| e.discovery(Answer::Text("<html>".to_owned()))),
    ("a document that is a list", |e, _| e.discovery(Answer::Json(json!([e.document()])))),
    ("a document of a thousand depths", |e, _| {
        e.discovery(Answer::Text(format!("{}{}", "[".repeat(1_000), "]".repeat(1_000))));
    }),
    ("a member twice", |e, _| {
        let text = e.document().to_string().replacen('{', "{\"issuer\":\"https://issuer.example\",", 1);
        e.discovery(Answer::Text(text));
    }),
    ("no document", |e, _| e.discovery(Answer::Status(404))),
    ("a broken server", |e, _| e.discovery(Answer::Status(500))),
    ("keys inside", |e, inside| e.say(&json!({ "jwks_uri": format!("{inside}/jwks") }))),
    ("keys at the cloud's own address", |e, _| {
        e.say(&json!({ "jwks_uri": "http://169.254.169.254/latest" }));
    }),
    ("keys at a private address", |e, _| e.say(&json!({ "jwks_uri": "https://10.0.0.1/jwks" }))),
    ("keys at a name for this machine", |e, _| e.say(&json!({ "jwks_uri": "https://localhost/jwks" }))),
    ("keys in a file", |e, _| e.say(&json!({ "jwks_uri": "file:///etc/passwd" }))),
    ("keys at no address", |e, _| e.say(&json!({ "jwks_uri": "/jwks" }))),
    ("keys behind a user name", |e, _| {
        e.say(&json!({ "jwks_uri": e.issuer.replace("//", "//user:word@") + "/jwks" }));
    }),
    ("keys that are elsewhere", |e, inside| e.answer("/jwks", Answer::Redirect(format!("{inside}/jwks")))),
    ("keys without end", |e, _| e.answer("/jwks", Answer::Huge)),
    ("keys that do not come", |e, _| e.answer("/jwks", Answer::Never)),
    ("keys that are none", |e, _| e.answer("/jwks", Answer::Json(json!({ "keys": "own" })))),
    ("no keys", |e, _| e.answer("/jwks", Answer::Status(404))),
    ("a token endpoint inside", |e, inside| e.say(&json!({ "token_endpoint": format!("{inside}/token") }))),
    ("an authorization endpoint inside", |e, inside| {
        e.say(&json!({ "authorization_endpoint": format!("{inside}/auth") }));
    }),
    ("an authorization endpoint that is a script", |e, _| {
        e.say(&json!({ "authorization_endpoint": "javascript:alert(1)" }));
    }),
    ("a userinfo endpoint inside", |e, inside| {
        e.say(&json!({ "userinfo_endpoint": format!("{inside}/me") }));
    }),
    ("none of the algorithms", |e, _| {
        e.say(&json!({ "id_token_signing_alg_values_supported": ["HS256", "none", "RS256"] }));
    }),
    ("PKCE by the text itself alone", |e, _| {
        e.say(&json!({ "code_challenge_methods_supported": ["plain"] }));
    }),
];

/// Addresses that are no issuer's, whatever is there.
const ADDRESSES: &[(&str, &str)] = &[
    ("a private address", "https://10.0.0.1"),
    ("the cloud's own address", "http://169.254.169.254"),
    ("without encryption", "http://issuer.example"),
    ("this machine by a number", "https://2130706433"),
    ("another scheme", "ftp://127.0.0.1"),
    ("a file", "file:///etc"),
    ("no address", "issuer"),
    ("nothing", ""),
];

async fn t16_no_issuer_is_registered_that_is_not_what_it_says_or_leads_inside(app: TestApp) {
    let key = Signer::ed25519("own");
    let (evil, inside) = (MaliciousIssuer::start(&[&key.jwk]), MaliciousIssuer::start(&[&key.jwk]));
    let acme = tenant(&app, "acme.example", &["anna"]).await;
    let more = || json!({ "algorithms": ["EDDSA"] });
    let mut tally = Tally::default();
    for (name, plan) in CASES {
        evil.behave(&[&key.jwk]);
        unregister(&app, &acme, &register(&app, &acme, &evil.issuer, more()).await.id).await;
        plan(&evil, &inside.issuer);
        let before = left_behind(&app, &[&acme]).await;
        tally.note(name, tried(&app, &acme, &evil.issuer, more()).await);
        assert_eq!(left_behind(&app, &[&acme]).await, before, "{name}: nothing is registered");
    }
    evil.behave(&[&key.jwk]);
    for (name, address) in ADDRESSES {
        tally.note(name, tried(&app, &acme, address, more()).await);
    }
    for (name, suffix) in [("a query", "?a=b"), ("a fragment", "#a")] {
        tally.note(name, tried(&app, &acme, &format!("{}{suffix}", evil.issuer), more()).await);
    }
    let user = evil.issuer.replace("//", "//user:word@");
    tally.note("a user name", tried(&app, &acme, &user, more()).await);
    let ours = app.base.as_str().trim_end_matches('/');
    tally.note("Muster itself", tried(&app, &acme, ours, more()).await);
    tally.note("no algorithm", tried(&app, &acme, &evil.issuer, json!({ "algorithms": [] })).await);
    register(&app, &acme, &evil.issuer, more()).await;
    tally.note("the same issuer twice", tried(&app, &acme, &evil.issuer, more()).await);
    assert_eq!(inside.asked_in_all(), 0, "nobody was led inside");
    tally.passes(45);
    changed_later(&app, &acme, &evil, &inside, &key).await;
    evil.stop().await;
    inside.stop().await;
    app.finish().await;
}

async fn tried(app: &TestApp, tenant: &Tenant, issuer: &str, more: Value) -> Result<String, String> {
    let made = try_to_register(app, tenant, issuer, more).await;
    match made["openIdIssuer"]["id"].as_str() {
        Some(id) => Ok(id.to_owned()),
        None => Err(made["userErrors"][0]["code"].as_str().unwrap_or("NONE").to_owned()),
    }
}

async fn unregister(app: &TestApp, tenant: &Tenant, id: &str) {
    let input = json!({ "id": id });
    app.vendor_for(&tenant.id).mutate("deleteOpenIdIssuer", "deletedOpenIdIssuerId", input).await;
}

/// An issuer that was decent when it was registered is held to the same later on.
async fn changed_later(
    app: &TestApp,
    acme: &Tenant,
    evil: &MaliciousIssuer,
    inside: &MaliciousIssuer,
    key: &Signer,
) {
    let query = "{ openIdIssuers { nodes { signInUrl } } }";
    let seen = app.vendor_for(&acme.id).query(query, json!({})).await;
    let page: url::Url = seen["openIdIssuers"]["nodes"][0]["signInUrl"].as_str().unwrap().parse().unwrap();
    let mut visitor = super::visitor::Visitor::new();
    assert!(visitor.get(&page).await.status.is_redirection());
    for members in [
        json!({ "authorization_endpoint": format!("{}/auth", inside.issuer) }),
        json!({ "issuer": "https://issuer.example" }),
    ] {
        // As long as the former document outlives its issuer.
        app.clock.advance(Duration::hours(1));
        evil.behave(&[&key.jwk]);
        evil.say(&members);
        let answer = visitor.get(&page).await;
        let code = super::visitor::code_of(&answer);
        assert_eq!(code.as_deref(), Some("SIGN_IN_UNVERIFIED"), "{members}");
    }
    assert_eq!(inside.asked_in_all(), 0, "nobody was led inside");
}
