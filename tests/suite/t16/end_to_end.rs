//! What users do: sign in by the page, exchange a code, present their issuer's own tokens; and what ends it.

use serde_json::{Value, json};

use super::{
    forge::challenge,
    provider::Provider,
    scene::{Registered, Tenant, register, tenant, who},
    visitor::{Visitor, code_of, location, parameter, token_of, with},
};
use crate::harness::{TestApp, steps::LANDING};

both!(
    a_user_signs_in_by_the_tenants_issuer,
    an_application_gets_the_token_of_whom_it_sent_to_sign_in,
    an_issuers_access_token_opens_the_api,
    an_issuer_that_is_removed_ends_everything_that_came_through_it,
    a_user_whose_account_was_made_anew_is_linked_by_an_administrator,
    a_user_of_an_issuer_without_addresses_is_linked_beforehand,
    nobody_becomes_an_administrator_by_an_address_that_they_entered,
);

/// A secret of Muster's client at the provider.
pub const SECRET: &str = "a secret with & and % in it";
/// Where an application of its own, which is no browser of Muster's, is sent back.
pub const ELSEWHERE: &str = "http://127.0.0.1:9/back";

/// The provider, registered at a tenant with Anna, Bert and the administrator Boss, and Muster's client at it.
pub async fn registered(app: &TestApp, more: Value) -> (Provider, Tenant, Registered) {
    let provider = Provider::start(app.now());
    let acme = tenant(app, "acme.example", &["anna", "bert", "boss"]).await;
    let mut input = json!({ "clientSecret": SECRET });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let issuer = register(app, &acme, &provider.name(), input).await;
    provider.arrange(json!({ "clients": clients(&issuer) })).await;
    (provider, acme, issuer)
}

/// Muster's client, and an application's that asks for access tokens.
pub fn clients(issuer: &Registered) -> Value {
    json!([
        { "client_id": "muster", "client_secret": SECRET, "redirect_uris": [issuer.redirect_uri] },
        { "client_id": "app", "redirect_uris": [ELSEWHERE], "token_endpoint_auth_method": "none" },
    ])
}

/// Signs somebody in by the page; returns what Muster answers in the end.
pub async fn signed_in(visitor: &mut Visitor, from: &url::Url, name: &str) -> http::Response {
    let begun = visitor.get(from).await;
    assert!(begun.status.is_redirection(), "{}", begun.text());
    let back = visitor.sign_in(&location(from, &begun), name).await;
    visitor.get(&back).await
}

/// What the provider gives an application for somebody who signs in there.
pub async fn tokens_of(provider: &Provider, name: &str, audience: &str) -> Value {
    let verifier = "v".repeat(43);
    let mut begin = provider.issuer.join("/auth").unwrap();
    begin.query_pairs_mut().extend_pairs([
        ("client_id", "app"),
        ("redirect_uri", ELSEWHERE),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("resource", audience),
        ("code_challenge", &challenge(&verifier)),
        ("code_challenge_method", "S256"),
    ]);
    let back = Visitor::new().sign_in(&begin, name).await;
    let code = parameter(&back, "code");
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("redirect_uri", ELSEWHERE),
        ("code", code.as_str()),
        ("code_verifier", &verifier),
        ("resource", audience),
    ];
    provider.token(&form).await
}

async fn a_user_signs_in_by_the_tenants_issuer(app: TestApp) {
    let (_provider, acme, issuer) = registered(&app, json!({})).await;
    let mut visitor = Visitor::new();
    for time in ["first", "second"] {
        let page = signed_in(&mut visitor, &issuer.sign_in_url, "anna").await;
        let token = token_of(&page).unwrap_or_else(|| panic!("the {time} time: {}", page.text()));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        assert_eq!(who(&app.bearer(&token, None)).await.as_deref(), Ok("anna@acme.example"));
        assert_eq!(who(&app.bearer(&token, Some(&acme.id))).await.as_deref(), Ok("anna@acme.example"));
    }
    // The token is one of Muster's own: listed, and revoked like every other.
    let tokens = "query($user: ID!) { accessTokens(userId: $user) { nodes { id } } }";
    let user = &acme.users["anna"];
    let listed = app.vendor_for(&acme.id).query(tokens, json!({ "user": user })).await;
    assert_eq!(listed["accessTokens"]["nodes"].as_array().unwrap().len(), 2);
    app.finish().await;
}

async fn an_application_gets_the_token_of_whom_it_sent_to_sign_in(app: TestApp) {
    let (_provider, _acme, issuer) = registered(&app, json!({})).await;
    let verifier = "w".repeat(43);
    let from = with(&issuer.sign_in_url, |pairs| {
        pairs.push(("return_url".to_owned(), format!("{LANDING}?tab=1")));
        pairs.push(("code_challenge".to_owned(), challenge(&verifier)));
        pairs.push(("state".to_owned(), "the app's own".to_owned()));
    });
    let answer = signed_in(&mut Visitor::new(), &from, "anna").await;
    let back = location(&issuer.redirect_uri, &answer);
    assert!(back.as_str().starts_with(LANDING), "{back}");
    assert_eq!((parameter(&back, "tab"), parameter(&back, "state")), ("1".into(), "the app's own".into()));
    let given = exchange(&app, &parameter(&back, "code"), &verifier).await;
    let given: Value = given.json().unwrap();
    assert_eq!((&given["token_type"], &given["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(who(&app.bearer(token, None)).await.as_deref(), Ok("anna@acme.example"));
    app.finish().await;
}

/// Exchanges a code at Muster.
pub async fn exchange(app: &TestApp, code: &str, verifier: &str) -> http::Response {
    let fields = [("code", code), ("code_verifier", verifier)];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Visitor::new().post(&app.base.join("/sign-in/token").unwrap(), &fields).await
}

async fn an_issuers_access_token_opens_the_api(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({ "accepts": "ACCESS_TOKEN" })).await;
    let given = tokens_of(&provider, "anna", &issuer.audience).await;
    let token = given["access_token"].as_str().unwrap_or_else(|| panic!("no token: {given}"));
    // The audience says which tenant is meant; a header may say it too, and nothing else.
    assert_eq!(who(&app.bearer(token, None)).await.as_deref(), Ok("anna@acme.example"));
    assert_eq!(who(&app.bearer(token, Some(&acme.id))).await.as_deref(), Ok("anna@acme.example"));
    let other = tenant(&app, "other.example", &["anna"]).await;
    assert_eq!(who(&app.bearer(token, Some(&other.id))).await.unwrap_err(), "UNAUTHENTICATED");
    app.clock.advance(chrono::Duration::seconds(3_600 + 30));
    assert!(who(&app.bearer(token, None)).await.is_err(), "it has ended");
    app.finish().await;
}

async fn an_issuer_that_is_removed_ends_everything_that_came_through_it(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({ "accepts": "ACCESS_TOKEN" })).await;
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    let ours = token_of(&page).unwrap();
    let given = tokens_of(&provider, "anna", &issuer.audience).await;
    let theirs = given["access_token"].as_str().unwrap().to_owned();
    let vendors = app.user(&acme.id, &acme.users["anna"]).await;
    for token in [&ours, &theirs] {
        assert!(who(&app.bearer(token, None)).await.is_ok());
    }
    let input = json!({ "id": issuer.id });
    let vendor = app.vendor_for(&acme.id);
    let gone = vendor.mutate("deleteOpenIdIssuer", "deletedOpenIdIssuerId", input.clone()).await;
    assert_eq!(gone["deletedOpenIdIssuerId"], json!(issuer.id), "{gone}");
    for token in [&ours, &theirs] {
        assert_eq!(who(&app.bearer(token, None)).await.unwrap_err(), "UNAUTHENTICATED");
    }
    assert!(who(&vendors).await.is_ok(), "a token that came another way stays");
    assert_eq!(vendor.refused("deleteOpenIdIssuer", "deletedOpenIdIssuerId", input).await, "NOT_FOUND");
    let page = Visitor::new().get(&issuer.sign_in_url).await;
    assert_eq!(code_of(&page).as_deref(), Some("NOT_FOUND"));
    app.finish().await;
}

async fn a_user_whose_account_was_made_anew_is_linked_by_an_administrator(app: TestApp) {
    let (_provider, acme, issuer) = registered(&app, json!({})).await;
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    let former = token_of(&page).unwrap();
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna2").await;
    assert_eq!(code_of(&page).as_deref(), Some("IDENTITY_TAKEN"), "the same address, another account");
    let input = json!({ "issuerId": issuer.id, "userId": acme.users["anna"] });
    let unlinked = app.vendor_for(&acme.id).mutate("unlinkOpenIdIdentity", "unlinked", input).await;
    assert_eq!(unlinked["unlinked"], true, "{unlinked}");
    assert!(who(&app.bearer(&former, None)).await.is_err(), "what the former account opened is closed");
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    assert_eq!(code_of(&page).as_deref(), Some("IDENTITY_UNLINKED"), "it does not link itself again");
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna2").await;
    let token = token_of(&page).unwrap_or_else(|| panic!("{}", page.text()));
    assert_eq!(who(&app.bearer(&token, None)).await.as_deref(), Ok("anna@acme.example"));
    let input = json!({ "issuerId": issuer.id, "userId": acme.users["anna"], "subject": "anna" });
    app.vendor_for(&acme.id).mutate("linkOpenIdIdentity", "openIdIdentity { subject }", input).await;
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    assert!(token_of(&page).is_some(), "an administrator may link it again: {}", page.text());
    app.finish().await;
}

async fn a_user_of_an_issuer_without_addresses_is_linked_beforehand(app: TestApp) {
    let (_provider, acme, issuer) = registered(&app, json!({ "emailClaim": null })).await;
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    assert_eq!(code_of(&page).as_deref(), Some("SIGN_IN_UNKNOWN"), "no address is asked for");
    let vendor = app.vendor_for(&acme.id);
    let link = async |user: &str, subject: &str| {
        let input = json!({ "issuerId": issuer.id, "userId": acme.users[user], "subject": subject });
        vendor.mutate("linkOpenIdIdentity", "openIdIdentity { userId subject }", input).await
    };
    assert_eq!(link("bert", "anna").await["openIdIdentity"]["subject"], "anna");
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    let token = token_of(&page).unwrap();
    assert_eq!(who(&app.bearer(&token, None)).await.as_deref(), Ok("bert@acme.example"));
    let refused = link("anna", "anna").await;
    assert_eq!(refused["userErrors"][0]["code"], "IDENTITY_TAKEN", "{refused}");
    assert_eq!(link("bert", "another").await["openIdIdentity"]["subject"], "another");
    assert!(who(&app.bearer(&token, None)).await.is_err(), "a user who is linked anew signs in anew");
    app.finish().await;
}

async fn nobody_becomes_an_administrator_by_an_address_that_they_entered(app: TestApp) {
    let (_provider, acme, issuer) = registered(&app, json!({})).await;
    let vendor = app.vendor_for(&acme.id);
    let role = async |name: &str| {
        let roles = vendor.query("{ roles { id name } }", json!({})).await;
        let roles = roles["roles"].as_array().unwrap();
        roles.iter().find(|role| role["name"] == name).unwrap()["id"].clone()
    };
    let give = async |user: &str, role: Value| {
        let input = json!({ "userId": acme.users[user], "roleIds": [role] });
        let given = vendor.mutate("assignRoles", "user { id }", input).await;
        assert_eq!(given["userErrors"], json!([]), "{given}");
    };
    give("boss", role("Human Resources").await).await;
    let human_resources = app.user(&acme.id, &acme.users["boss"]).await;
    // Anna's account at the provider is that of the attacker.
    for (user, address) in [("anna", "away@acme.example"), ("bert", "anna@acme.example")] {
        let input = json!({ "id": acme.users[user], "email": address });
        let changed = human_resources.mutate("updateUser", "user { id }", input).await;
        assert_eq!(changed["userErrors"], json!([]), "{changed}");
    }
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    let token = token_of(&page).unwrap_or_else(|| panic!("{}", page.text()));
    assert!(who(&app.bearer(&token, None)).await.is_ok(), "Bert has no permission yet");
    give("bert", role("Administrator").await).await;
    assert!(who(&app.bearer(&token, None)).await.is_err(), "what rested on the address has ended");
    let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
    assert_eq!(code_of(&page).as_deref(), Some("ADDRESS_UNCONFIRMED"));
    for (confirm, code) in [(false, Some("ADDRESS_UNCONFIRMED")), (true, None)] {
        let input =
            json!({ "id": acme.users["bert"], "email": "anna@acme.example", "confirmEmail": confirm });
        let changed = vendor.mutate("updateUser", "user { id }", input).await;
        assert_eq!(changed["userErrors"], json!([]), "{changed}");
        let page = signed_in(&mut Visitor::new(), &issuer.sign_in_url, "anna").await;
        assert_eq!(code_of(&page).as_deref(), code, "repeating the address confirms nothing");
        assert_eq!(token_of(&page).is_some(), confirm, "{}", page.text());
    }
    app.finish().await;
}
