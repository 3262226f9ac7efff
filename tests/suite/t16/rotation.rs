//! Issuers change their keys.

use chrono::Duration;
use serde_json::json;

use super::{
    end_to_end::registered,
    evil::{Answer, MaliciousIssuer},
    forge::Signer,
    provider::Provider,
    scene::{register, tenant, who},
};
use crate::harness::TestApp;

both!(
    an_issuers_keys_rotate_and_one_that_it_takes_back_opens_nothing_any_more,
    keys_that_nobody_has_make_an_issuer_be_asked_once_a_minute,
    keys_outlive_a_bad_moment_of_their_issuer_and_not_an_hour,
);

async fn an_issuers_keys_rotate_and_one_that_it_takes_back_opens_nothing_any_more(app: TestApp) {
    let (provider, acme, _) = registered(&app, json!({ "accepts": "ID_TOKEN" })).await;
    let opens = async |provider: &Provider, key: &str| {
        let now = app.now().timestamp();
        let claims = json!({ "iss": provider.name(), "aud": "muster", "sub": "subject-anna", "iat": now,
            "exp": now + 600, "email": "anna@acme.example", "email_verified": true });
        let token = provider.sign(key, json!({}), claims).await;
        who(&app.bearer(&token, Some(&acme.id))).await.is_ok()
    };
    assert!(opens(&provider, "first").await);
    assert!(!opens(&provider, "second").await, "a key that is not published");
    provider.arrange(json!({ "keys": ["second", "first"] })).await;
    assert!(!opens(&provider, "second").await, "the issuer was asked less than a minute ago");
    app.clock.advance(Duration::seconds(60));
    assert!(opens(&provider, "second").await && opens(&provider, "first").await, "both are published");
    provider.arrange(json!({ "keys": ["second"] })).await;
    app.clock.advance(Duration::minutes(5) - Duration::seconds(1));
    assert!(opens(&provider, "first").await, "what was read five minutes ago is not yet read anew");
    app.clock.advance(Duration::seconds(1));
    assert!(!opens(&provider, "first").await, "the issuer has taken the key back");
    assert!(opens(&provider, "second").await);
    app.finish().await;
}

/// A decent issuer of whose keys one is published, and a token of Anna's by it.
async fn decent(
    app: &TestApp,
) -> (MaliciousIssuer, Signer, String, impl Fn(&Signer, &str) -> String + use<>) {
    let key = Signer::ed25519("one");
    let evil = MaliciousIssuer::start(&[&key.jwk]);
    let acme = tenant(app, "acme.example", &["anna"]).await;
    let input = json!({ "accepts": "ID_TOKEN", "algorithms": ["EDDSA"] });
    register(app, &acme, &evil.issuer, input).await;
    let (issuer, clock) = (evil.issuer.clone(), app.clock.clone());
    let token = move |key: &Signer, kid: &str| {
        let now = domain::Clock::now(&clock).timestamp();
        let header = json!({ "alg": "EdDSA", "kid": kid });
        let claims = json!({ "iss": issuer, "aud": "muster", "sub": "anna", "iat": now, "exp": now + 7_200,
            "email": "anna@acme.example", "email_verified": true });
        key.sign(&header.to_string(), &claims.to_string())
    };
    (evil, key, acme.id, token)
}

async fn keys_that_nobody_has_make_an_issuer_be_asked_once_a_minute(app: TestApp) {
    let (evil, key, acme, token) = decent(&app).await;
    assert!(who(&app.bearer(&token(&key, "one"), Some(&acme))).await.is_ok());
    let asked = evil.asked("/jwks");
    for minute in 1..=3 {
        app.clock.advance(Duration::minutes(1));
        for made_up in 0..20 {
            let token = token(&key, &format!("{minute}-{made_up}"));
            assert!(who(&app.bearer(&token, Some(&acme))).await.is_err());
        }
        assert_eq!(evil.asked("/jwks"), asked + minute);
    }
    evil.stop().await;
    app.finish().await;
}

async fn keys_outlive_a_bad_moment_of_their_issuer_and_not_an_hour(app: TestApp) {
    let (evil, key, acme, token) = decent(&app).await;
    assert!(who(&app.bearer(&token(&key, "one"), Some(&acme))).await.is_ok());
    evil.answer("/jwks", Answer::Status(503));
    app.clock.advance(Duration::minutes(59));
    assert!(who(&app.bearer(&token(&key, "one"), Some(&acme))).await.is_ok());
    app.clock.advance(Duration::minutes(1));
    let late = who(&app.bearer(&token(&key, "one"), Some(&acme))).await;
    assert_eq!(late.unwrap_err(), "UNAVAILABLE", "the issuer may have taken it back long ago");
    evil.behave(&[&key.jwk]);
    app.clock.advance(Duration::minutes(1));
    assert!(who(&app.bearer(&token(&key, "one"), Some(&acme))).await.is_ok());
    evil.stop().await;
    app.finish().await;
}
