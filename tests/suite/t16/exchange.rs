//! Attacks on where the browser goes back to, and on the code by which an application gets a token.

use chrono::Duration;
use serde_json::{Value, json};
use url::Url;

use super::{
    end_to_end::{exchange, registered},
    forge::challenge,
    provider::Provider,
    scene::{Registered, Tally, left_behind, tenant},
    visitor::{Visitor, code_of, location, parameter, with},
};
use crate::harness::{TestApp, steps::LANDING};

both!(
    t16_no_return_address_leads_a_browser_elsewhere,
    t16_no_code_is_exchanged_twice_late_or_by_another_application,
);

const VERIFIER: &str = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww";

/// The page, as an application asks for it.
fn asking(issuer: &Registered, pairs: &[(&str, &str)]) -> Url {
    with(&issuer.sign_in_url, |query| {
        query.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    })
}

async fn t16_no_return_address_leads_a_browser_elsewhere(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({})).await;
    let digest = challenge(VERIFIER);
    let good = ("code_challenge", digest.as_str());
    let begin = async |pairs: &[(&str, &str)]| {
        let url = asking(&issuer, pairs);
        let answer = Visitor::new().get(&url).await;
        match answer.status.is_redirection() {
            true => Ok(location(&url, &answer).to_string()),
            false => Err(code_of(&answer).unwrap_or_else(|| "NONE".to_owned())),
        }
    };
    let mut tally = Tally::default();
    for (name, return_url) in RETURN_URLS {
        let control = begin(&[("return_url", LANDING), good]).await;
        assert!(control.unwrap().starts_with(provider.issuer.as_str()), "{name}: an allowed address is fine");
        tally.note(name, begin(&[("return_url", return_url), good]).await);
    }
    let here = ("return_url", LANDING);
    let long = format!("{LANDING}?a={}", "a".repeat(1_000));
    for (name, pairs) in [
        ("return_url twice", &[here, ("return_url", "https://evil.example/"), good][..]),
        ("no challenge", &[here]),
        ("an empty challenge", &[here, ("code_challenge", "")]),
        ("a challenge that is no digest", &[here, ("code_challenge", VERIFIER)]),
        (
            "a challenge with a sign that it has not",
            &[here, ("code_challenge", &format!("{}+", &digest[1..]))],
        ),
        ("challenge twice", &[here, good, good]),
        ("a return address without end", &[("return_url", &long), good]),
        ("a state without end", &[here, good, ("state", &"a".repeat(201))]),
        ("a state with a line break", &[here, good, ("state", "a\r\nset-cookie: a=b")]),
    ] {
        tally.note(name, begin(pairs).await);
    }
    let other = tenant(&app, "other.example", &[]).await;
    for (name, page) in [
        ("the issuer of another tenant", format!("/sign-in/{}/{}", other.id, issuer.id)),
        ("an issuer that does not exist", format!("/sign-in/{}/iss_{}", acme.id, "0".repeat(32))),
        ("a tenant that does not exist", format!("/sign-in/ten_{}/{}", "0".repeat(32), issuer.id)),
        ("ids that are none", "/sign-in/none/x".to_owned()),
    ] {
        let answer = Visitor::new().get(&app.base.join(&page).unwrap()).await;
        let to = answer.header("location").unwrap_or_default().to_owned();
        tally.note(name, code_of(&answer).map_or(Ok(to), Err));
    }
    let from = asking(&issuer, &[here, good]);
    let mut visitor = Visitor::new();
    let started = visitor.get(&from).await;
    let back = visitor.sign_in(&location(&from, &started), "anna").await;
    let none = json!({ "tenantId": acme.id, "returnUrls": [] });
    app.vendor().mutate("updateReturnUrls", "tenant { id }", none).await;
    let answer = visitor.get(&back).await;
    let to = answer.header("location").unwrap_or_default().to_owned();
    tally.note("an address that was allowed at the beginning", code_of(&answer).map_or(Ok(to), Err));
    tally.passes(26);
    app.finish().await;
}

const RETURN_URLS: &[(&str, &str)] = &[
    ("elsewhere", "https://evil.example/calendar"),
    ("a name that begins alike", "https://vendor.example.evil.example/calendar"),
    ("a user name that looks alike", "https://vendor.example@evil.example/calendar"),
    ("a user name at the right place", "https://user:word@vendor.example/calendar"),
    ("without a scheme", "//evil.example/calendar"),
    ("a path alone", "/calendar"),
    ("a script", "javascript:alert(1)"),
    ("data", "data:text/html,hello"),
    ("without encryption", "http://vendor.example/calendar"),
    ("another port", "https://vendor.example:8443/calendar"),
    ("a path that begins alike", "https://vendor.example/calendars"),
    ("a path that leads out", "https://vendor.example/calendar/../evil"),
    ("a path that leads out, encoded", "https://vendor.example/calendar/%2e%2e/evil"),
    ("a slash that is encoded", "https://vendor.example/calendar/..%2fevil"),
    ("backslashes", "https:\\\\evil.example\\calendar"),
    ("a backslash after the host", "https://evil.example\\@vendor.example/calendar"),
    ("a fragment", "https://vendor.example/calendar#access_token=x"),
    ("a line break", "https://vendor.example/calendar\r\nx: y"),
    ("an encoded host", "https://vendor%2eexample.evil.example/calendar"),
    ("another host by a full stop", "https://vendor.example./calendar"),
];

/// A code for Anna, as it comes to the application, by whose verifier it was announced.
async fn code(issuer: &Registered, provider: &Provider) -> String {
    let from = asking(issuer, &[("return_url", LANDING), ("code_challenge", &challenge(VERIFIER))]);
    let mut visitor = Visitor::new();
    let begun = visitor.get(&from).await;
    let back = visitor.sign_in(&location(&from, &begun), "anna").await;
    assert_ne!(back.origin(), provider.issuer.origin());
    let answered = visitor.get(&back).await;
    parameter(&location(&back, &answered), "code")
}

async fn t16_no_code_is_exchanged_twice_late_or_by_another_application(app: TestApp) {
    let (provider, acme, issuer) = registered(&app, json!({})).await;
    let other = tenant(&app, "other.example", &["anna"]).await;
    let given = async |code: &str, verifier: &str| -> Result<String, String> {
        let answer = exchange(&app, code, verifier).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let answer: Value = answer.json().unwrap_or_default();
        match answer["access_token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(answer["code"].as_str().unwrap_or("NONE").to_owned()),
        }
    };
    let mut tally = Tally::default();
    let good = code(&issuer, &provider).await;
    let their = domain_id(&other.id);
    let long = "a".repeat(100_000);
    for (name, code, verifier) in [
        ("another verifier", good.as_str(), "v".repeat(48)),
        ("no verifier", &good, String::new()),
        ("the challenge as the verifier", &good, challenge(VERIFIER)),
        ("a code with a letter less", &good[..good.len() - 1], VERIFIER.to_owned()),
        ("a code in another case", &good.to_uppercase(), VERIFIER.to_owned()),
        ("a code that says another tenant", &format!("{their}{}", &good[32..]), VERIFIER.to_owned()),
        ("a code that says no tenant", &good[32..], VERIFIER.to_owned()),
        ("a code with two bytes for a letter", &format!("é{}", &good[1..]), VERIFIER.to_owned()),
        ("a made-up code", &format!("{}{}", &good[..32], "0".repeat(64)), VERIFIER.to_owned()),
        ("no code", "", VERIFIER.to_owned()),
        ("a code without end", &long, VERIFIER.to_owned()),
    ] {
        let before = left_behind(&app, &[&acme, &other]).await;
        tally.note(name, given(code, &verifier).await);
        assert_eq!(left_behind(&app, &[&acme, &other]).await, before, "{name}");
    }
    let twice = format!("code={good}&code={good}&code_verifier={VERIFIER}");
    let request = http::Request::new(http::Method::POST, app.base.join("/sign-in/token").unwrap());
    let request = request.body("application/x-www-form-urlencoded", twice);
    let client = demo::browser::local_client().unwrap();
    let answer: Value = client.send(request).await.unwrap().json().unwrap();
    let said = answer["code"].as_str().unwrap_or("NONE").to_owned();
    tally.note(
        "code twice in the form",
        answer["access_token"].as_str().map_or(Err(said), |it| Ok(it.into())),
    );
    given(&good, VERIFIER).await.expect("what was tried with it in vain has not used it up");
    tally.note("a code that was exchanged", given(&good, VERIFIER).await);
    let late = code(&issuer, &provider).await;
    app.clock.advance(Duration::seconds(60));
    tally.note("a code of a minute ago", given(&late, VERIFIER).await);
    let input = json!({ "issuerId": issuer.id, "userId": acme.users["anna"] });
    provider.arrange(json!({ "seconds": app.now().timestamp() })).await;
    let orphan = code(&issuer, &provider).await;
    let all = json!({ "userId": acme.users["anna"] });
    app.vendor_for(&acme.id).mutate("revokeAccessTokens", "revokedCount", all).await;
    tally.note("a code of somebody whose tokens were revoked since", given(&orphan, VERIFIER).await);
    let orphan = code(&issuer, &provider).await;
    let link = async |subject: &str| {
        let link = json!({ "issuerId": issuer.id, "userId": acme.users["anna"], "subject": subject });
        app.vendor_for(&acme.id).mutate("linkOpenIdIdentity", "openIdIdentity { subject }", link).await;
    };
    link("another").await;
    tally.note("a code of a subject that was replaced since", given(&orphan, VERIFIER).await);
    link("anna").await;
    let orphan = code(&issuer, &provider).await;
    app.vendor_for(&acme.id).mutate("unlinkOpenIdIdentity", "unlinked", input).await;
    tally.note("a code of somebody who was unlinked since", given(&orphan, VERIFIER).await);
    link("anna").await;
    let orphan = code(&issuer, &provider).await;
    let input = json!({ "id": issuer.id });
    app.vendor_for(&acme.id).mutate("deleteOpenIdIssuer", "deletedOpenIdIssuerId", input).await;
    tally.note("a code of an issuer that was removed since", given(&orphan, VERIFIER).await);
    tally.passes(17);
    app.finish().await;
}

/// A tenant's id without what it begins with.
fn domain_id(id: &str) -> &str {
    id.strip_prefix("ten_").unwrap()
}
