//! Attacks with what the real provider makes: codes, ID tokens and access tokens of other sign-ins, clients and people.

use chrono::Duration;
use serde_json::{Value, json};
use url::Url;

use super::{
    end_to_end::{registered, signed_in, tokens_of},
    forge::mac,
    pages::said,
    provider::Provider,
    scene::{Registered, Tally, left_behind, tenant, who},
    visitor::{Visitor, location, parameter, with},
};
use crate::harness::TestApp;

both!(
    t16_nothing_that_a_real_provider_makes_for_somebody_else_signs_in,
    t16_no_token_of_a_real_provider_opens_what_it_was_not_made_for,
);

/// Begins a sign-in; returns where Muster sends the browser.
async fn begun(visitor: &mut Visitor, issuer: &Registered) -> Url {
    let answer = visitor.get(&issuer.sign_in_url).await;
    location(&issuer.sign_in_url, &answer)
}

fn without(url: &Url, names: &[&str]) -> Url {
    with(url, |pairs| pairs.retain(|(name, _)| !names.contains(&name.as_str())))
}

fn setting(url: &Url, name: &str, value: &str) -> Url {
    with(url, |pairs| {
        pairs.retain(|(each, _)| each != name);
        pairs.push((name.to_owned(), value.to_owned()));
    })
}

const PKCE: &[&str] = &["code_challenge", "code_challenge_method"];

/// An attack: what becomes of the address to which Muster sends the browser.
type Case = (&'static str, fn(&Url) -> Url);

/// What an attacker changes on the browser's way to the provider.
const ON_THE_WAY: &[Case] = &[
    ("PKCE was left out", |url| without(url, PKCE)),
    ("the challenge is another's", |url| setting(url, "code_challenge", &"A".repeat(43))),
    ("the nonce was left out", |url| without(url, &["nonce"])),
    ("the nonce is another's", |url| setting(url, "nonce", "another")),
    ("the state was left out", |url| without(url, &["state"])),
    ("the state is another's", |url| setting(url, "state", "another")),
    ("PKCE and nonce were left out", |url| without(url, &[PKCE, &["nonce"]].concat())),
    ("openid is not asked for", |url| setting(url, "scope", "email")),
    ("the person says no", |url| setting(url, "prompt", "none")),
];

async fn t16_nothing_that_a_real_provider_makes_for_somebody_else_signs_in(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({})).await;
    let other = tenant(&app, "other.example", &["carl"]).await;
    // What a provider that does not insist lets through, Muster has to refuse.
    provider.arrange(json!({ "challenge": false })).await;
    let mut tally = Tally::default();
    let tenants = [&acme, &other];
    for (name, change) in ON_THE_WAY {
        let control = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
        assert!(said(&control).is_ok(), "{name}: without the attack it signs in: {}", control.text());
        let before = left_behind(&app, &tenants).await;
        let mut visitor = Visitor::new();
        let sent = change(&begun(&mut visitor, &issuer).await);
        let back = visitor.sign_in(&sent, "anna").await;
        tally.note(name, said(&visitor.get(&back).await));
        assert_eq!(left_behind(&app, &tenants).await, before, "{name}: nothing is bound");
    }
    let before = left_behind(&app, &tenants).await;
    for (name, person) in [
        ("an address that the provider has not verified", "bert"),
        ("another tenant's user", "carl"),
        ("somebody whom nobody knows", "nemo"),
        ("another account with a user's address", "anna2"),
    ] {
        tally.note(name, said(&signed_in(&mut Visitor::new(), &issuer.sign_in_url, person).await));
    }
    let (mut victim, victims) = injected(&issuer, &mut tally).await;
    assert_eq!(left_behind(&app, &tenants).await, before, "nothing is bound");
    assert!(said(&victim.get(&victims).await).is_ok(), "whom the code belongs to is signed in all the same");
    replayed(&issuer, &mut tally).await;
    late(&app, &provider, &issuer, &mut tally).await;
    tally.passes(20);
    app.finish().await;
}

/// The code of one sign-in, brought into another. Returns the first victim's browser, and the answer that waits for it.
async fn injected(issuer: &Registered, tally: &mut Tally) -> (Visitor, Url) {
    let mut victim = Visitor::new();
    let sent = begun(&mut victim, issuer).await;
    let victims = victim.sign_in(&sent, "anna").await;
    let mut attacker = Visitor::new();
    let state = parameter(&begun(&mut attacker, issuer).await, "state");
    let stolen = setting(&victims, "state", &state);
    tally.note("a victim's code in the attacker's browser", said(&attacker.get(&stolen).await));
    let mut attacker = Visitor::new();
    let sent = begun(&mut attacker, issuer).await;
    let attackers = attacker.sign_in(&sent, "anna").await;
    tally.note(
        "an attacker's whole answer in a victim's browser",
        said(&Visitor::new().get(&attackers).await),
    );
    let mut another = Visitor::new();
    let sent = begun(&mut another, issuer).await;
    let mixed = setting(&attackers, "state", &parameter(&sent, "state"));
    tally.note("an attacker's code in a victim's sign-in", said(&another.get(&mixed).await));
    (victim, victims)
}

/// One answer, twice.
async fn replayed(issuer: &Registered, tally: &mut Tally) {
    let mut visitor = Visitor::new();
    let sent = begun(&mut visitor, issuer).await;
    let back = visitor.sign_in(&sent, "anna").await;
    let mut copy = visitor.clone();
    assert!(said(&visitor.get(&back).await).is_ok());
    tally.note("an answer that was used, in the same browser", said(&visitor.get(&back).await));
    tally.note("an answer that was used, with a copy of the cookie", said(&copy.get(&back).await));
}

async fn late(app: &TestApp, provider: &Provider, issuer: &Registered, tally: &mut Tally) {
    let mut visitor = Visitor::new();
    let sent = begun(&mut visitor, issuer).await;
    let back = visitor.sign_in(&sent, "anna").await;
    app.clock.advance(Duration::seconds(61));
    provider.arrange(json!({ "seconds": app.now().timestamp() })).await;
    tally.note("a code of a minute ago", said(&visitor.get(&back).await));
    let mut visitor = Visitor::new();
    let sent = begun(&mut visitor, issuer).await;
    app.clock.advance(Duration::minutes(10));
    provider.arrange(json!({ "seconds": app.now().timestamp() })).await;
    let back = visitor.sign_in(&sent, "anna").await;
    tally.note("a sign-in of ten minutes", said(&visitor.get(&back).await));
}

async fn t16_no_token_of_a_real_provider_opens_what_it_was_not_made_for(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({ "accepts": "ACCESS_TOKEN" })).await;
    let other = tenant(&app, "other.example", &["carl"]).await;
    let given = tokens_of(&provider, "anna", &issuer.audience).await;
    let [access, id] = ["access_token", "id_token"].map(|name| given[name].as_str().unwrap().to_owned());
    assert!(who(&app.bearer(&access, Some(&acme.id))).await.is_ok(), "what was made for Muster opens it");
    let before = left_behind(&app, &[&acme, &other]).await;
    let mut tally = Tally::default();
    let elsewhere = tokens_of(&provider, "anna", "https://api.example/").await;
    let public = provider.public("first").await;
    let claims = claims_of(&access);
    let forged =
        |header: Value, secret: &str| mac(secret.as_bytes(), &header.to_string(), &claims.to_string());
    let header = json!({ "alg": "HS256", "kid": "first", "typ": "at+jwt" });
    let typed = json!({ "typ": "at+jwt" });
    let mut hers = claims.clone();
    (hers["aud"], hers["sub"]) = (json!("https://api.example/"), json!("bert"));
    for (name, token) in [
        ("an ID token", id.clone()),
        ("an access token for another API", text(&elsewhere, "access_token")),
        ("an ID token of another client", text(&elsewhere, "id_token")),
        ("HS256 by the public key as PEM", forged(header.clone(), public["pem"].as_str().unwrap())),
        ("HS256 by the public key as JWK", forged(header.clone(), &public["jwk"].to_string())),
        ("HS256 by the modulus", forged(header, public["jwk"]["n"].as_str().unwrap())),
        ("a key that is not published", provider.sign("third", typed.clone(), claims.clone()).await),
        ("a key under the name of another", provider.sign("third", kid("first"), claims.clone()).await),
        ("a logout token", provider.sign("first", json!({ "typ": "logout+jwt" }), claims.clone()).await),
        ("a token of no type", provider.sign("first", json!({}), claims.clone()).await),
        ("another audience by the right key", provider.sign("first", typed.clone(), hers).await),
        ("an opaque token", "x".repeat(43)),
        ("a refresh token's form", format!("1.{}", "x".repeat(86))),
        ("the token with a blank in it", access.replacen('.', ". ", 1)),
        ("the token twice", format!("{access} {access}")),
    ] {
        tally.note(name, who(&app.bearer(&token, Some(&acme.id))).await);
    }
    tally.note("the token at another tenant", who(&app.bearer(&access, Some(&other.id))).await);
    let unverified = text(&tokens_of(&provider, "bert", &issuer.audience).await, "access_token");
    tally.note("an address that is not verified", who(&app.bearer(&unverified, Some(&acme.id))).await);
    let carls = text(&tokens_of(&provider, "carl", &issuer.audience).await, "access_token");
    tally.note("another tenant's user", who(&app.bearer(&carls, Some(&acme.id))).await);
    assert_eq!(left_behind(&app, &[&acme, &other]).await, before, "nothing is bound");
    tally.passes(18);
    app.finish().await;
}

fn kid(name: &str) -> Value {
    json!({ "kid": name, "typ": "at+jwt" })
}

fn text(given: &Value, name: &str) -> String {
    given[name].as_str().unwrap_or_else(|| panic!("no {name}: {given}")).to_owned()
}

fn claims_of(token: &str) -> Value {
    jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap()
}
