//! Attacks by a token that is presented to the API.

use chrono::Duration;
use serde_json::{Value, json};

use super::{
    bearer_cases::{ACCESS_TOKEN, CASES},
    evil::MaliciousIssuer,
    forge::Signer,
    scene::{Registered, Tally, Tenant, left_behind, register, tenant, who},
};
use crate::harness::TestApp;

both!(
    t16_no_forged_confused_or_stolen_token_opens_the_api,
    all_tokens_of_a_user_end_those_of_the_tenants_issuer_too,
);

/// What the attacks are made of.
pub struct Arms {
    pub issuer: String,
    pub audience: String,
    /// The tenants: the one that is attacked, and one that has registered the same issuer and client.
    pub acme: String,
    pub other: String,
    /// The issuer's own key.
    pub key: Signer,
    /// The issuer's, for another purpose: published for encryption alone.
    pub encrypts: Signer,
    /// The issuer's, by an algorithm that the registration does not allow.
    pub p256: Signer,
    /// One of two of the issuer's that have the same name.
    pub twin: Signer,
    /// The attacker's, under the name of the issuer's.
    pub namesake: Signer,
    /// The attacker's, under a name of its own.
    pub foreign: Signer,
    pub now: i64,
}

/// A token before it is signed, as an attack may change it.
pub struct Token {
    pub header: Value,
    pub claims: Value,
    /// The tenant that the request names.
    pub tenant: Option<String>,
}

impl Token {
    /// One that is accepted, as the ID token of the attacked tenant's Anna.
    pub fn good(arms: &Arms) -> Self {
        let claims = json!({ "iss": arms.issuer, "aud": "muster", "sub": "subject-anna", "iat": arms.now,
            "nbf": arms.now, "exp": arms.now + 600, "email": "anna@acme.example", "email_verified": true });
        let header = json!({ "alg": "EdDSA", "kid": "own", "typ": "JWT" });
        Self { header, claims, tenant: Some(arms.acme.clone()) }
    }

    /// The same as an access token (RFC 9068).
    pub fn good_access(arms: &Arms) -> Self {
        let mut token = Self::good(arms);
        token.header["typ"] = json!("at+jwt");
        token.claims["aud"] = json!(arms.audience);
        token
    }

    /// Changed, and signed by the issuer all the same: what it could be brought to sign for somebody else.
    pub fn with(mut self, arms: &Arms, change: impl FnOnce(&mut Self)) -> (String, Option<String>) {
        change(&mut self);
        (self.by(&arms.key), self.tenant)
    }

    /// With another header, and signed by some key.
    pub fn headed(mut self, key: &Signer, members: Value) -> (String, Option<String>) {
        self.header.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        (self.by(key), self.tenant)
    }

    /// With the signature of another algorithm, made from the texts of header and claims.
    pub fn made(mut self, alg: &str, sign: impl FnOnce(&str, &str) -> String) -> (String, Option<String>) {
        self.header["alg"] = json!(alg);
        (sign(&self.header.to_string(), &self.claims.to_string()), self.tenant)
    }

    pub fn by(&self, key: &Signer) -> String {
        key.sign(&self.header.to_string(), &self.claims.to_string())
    }
}

/// An attack: what becomes of a good token.
pub type Case = (&'static str, fn(&Arms, Token) -> (String, Option<String>));

async fn registrations(app: &TestApp, evil: &MaliciousIssuer, accepts: &str) -> (Tenant, Tenant, Registered) {
    let input = json!({ "accepts": accepts, "algorithms": ["EDDSA"] });
    let acme = tenant(app, "acme.example", &["anna", "bert", "kim"]).await;
    let other = tenant(app, "other.example", &["carl"]).await;
    let issuer = register(app, &acme, &evil.issuer, input.clone()).await;
    register(app, &other, &evil.issuer, input).await;
    (acme, other, issuer)
}

async fn t16_no_forged_confused_or_stolen_token_opens_the_api(app: TestApp) {
    let mut tally = Tally::default();
    for (accepts, cases) in [("ID_TOKEN", CASES), ("ACCESS_TOKEN", ACCESS_TOKEN)] {
        attacked(&app, accepts, cases, &mut tally).await;
    }
    tally.passes(70);
    app.finish().await;
}

async fn attacked(app: &TestApp, accepts: &str, cases: &[Case], tally: &mut Tally) {
    let [key, encrypts, foreign] = ["own", "encrypts", "foreign"].map(Signer::ed25519);
    let (p256, namesake) = (Signer::p256("p256"), Signer::ed25519("own"));
    let mut for_encryption = encrypts.jwk.clone();
    for_encryption["use"] = json!("enc");
    let (twin, other_twin) = (Signer::ed25519("twin"), Signer::ed25519("twin"));
    let published = [&key.jwk, &for_encryption, &p256.jwk, &twin.jwk, &other_twin.jwk];
    let evil = MaliciousIssuer::start(&published);
    // Whatever a token points at belongs to the attacker, and is asked for nothing.
    let pointed_at = MaliciousIssuer::start(&[&namesake.jwk, &foreign.jwk]);
    let (acme, other, issuer) = registrations(app, &evil, accepts).await;
    let arms = Arms {
        issuer: evil.issuer.clone(),
        audience: issuer.audience,
        acme: acme.id.clone(),
        other: other.id.clone(),
        key,
        encrypts,
        p256,
        twin,
        namesake,
        foreign,
        now: app.now().timestamp(),
    };
    let good = |arms: &Arms| if accepts == "ID_TOKEN" { Token::good(arms) } else { Token::good_access(arms) };
    let ask = async |token: &str, tenant: Option<&str>| who(&app.bearer(token, tenant)).await;
    for (name, change) in cases {
        let control = good(&arms);
        let opened = ask(&control.by(&arms.key), control.tenant.as_deref()).await;
        assert_eq!(opened.as_deref(), Ok("anna@acme.example"), "{name}: without the attack it is accepted");
        let before = left_behind(app, &[&acme, &other]).await;
        let (token, tenant) = change(&arms, good(&arms));
        let token = token.replace("POINTED-AT", &pointed_at.issuer);
        tally.note(name, ask(&token, tenant.as_deref()).await);
        assert_eq!(left_behind(app, &[&acme, &other]).await, before, "{name}: nothing is bound");
    }
    assert_eq!(pointed_at.asked_in_all(), 0, "nothing that a token points at is asked for");
    // Half a minute between two clocks is no attack, one second more is.
    let late = good(&arms).by(&arms.key);
    app.clock.advance(Duration::seconds(600 + 29));
    assert!(ask(&late, Some(&acme.id)).await.is_ok());
    app.clock.advance(Duration::seconds(1));
    tally.note(&format!("{accepts} that has ended for half a minute"), ask(&late, Some(&acme.id)).await);
    evil.stop().await;
    pointed_at.stop().await;
}

/// An access token of the issuer for one of the tenant's users, issued now.
fn issued(app: &TestApp, (issuer, audience): (&str, &str), key: &Signer, name: &str) -> String {
    let now = app.now().timestamp();
    let claims = json!({ "iss": issuer, "aud": audience, "sub": format!("subject-{name}"), "iat": now,
        "exp": now + 600, "email": format!("{name}@acme.example"), "email_verified": true });
    key.sign(&json!({ "alg": "EdDSA", "kid": "own", "typ": "at+jwt" }).to_string(), &claims.to_string())
}

async fn all_tokens_of_a_user_end_those_of_the_tenants_issuer_too(app: TestApp) {
    let key = Signer::ed25519("own");
    let evil = MaliciousIssuer::start(&[&key.jwk]);
    let (acme, _, issuer) = registrations(&app, &evil, "ACCESS_TOKEN").await;
    let from = (evil.issuer.as_str(), issuer.audience.as_str());
    let [annas, berts] = ["anna", "bert"].map(|name| issued(&app, from, &key, name));
    for token in [&annas, &berts] {
        assert!(who(&app.bearer(token, None)).await.is_ok());
    }
    let input = json!({ "userId": acme.users["anna"] });
    let revoked = app.vendor_for(&acme.id).mutate("revokeAccessTokens", "revokedCount", input).await;
    assert_eq!(revoked["userErrors"], json!([]), "{revoked}");
    assert_eq!(who(&app.bearer(&annas, None)).await.unwrap_err(), "UNAUTHENTICATED");
    assert!(who(&app.bearer(&berts, None)).await.is_ok(), "somebody else's stays");
    app.clock.advance(Duration::seconds(2));
    assert_eq!(who(&app.bearer(&annas, None)).await.unwrap_err(), "UNAUTHENTICATED");
    let again = issued(&app, from, &key, "anna");
    assert_eq!(who(&app.bearer(&again, None)).await.as_deref(), Ok("anna@acme.example"));
    evil.stop().await;
    app.finish().await;
}
