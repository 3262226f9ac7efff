//! Google: consent, tokens, refusals, and what a list of changes rests on.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Method;
use sandbox::microsoft::identity::keys::sha256;
use serde_json::{Value, json};
use url::Url;

use crate::setup::{CLIENT, RETURN, SECRET, Setup, VERIFIER, answer, claims, launch, member, text, with};

const SCOPE: &str = "openid email https://www.googleapis.com/auth/calendar";

/// Where a browser is sent.
fn auth(more: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()));
    let members = [
        ("client_id", CLIENT),
        ("redirect_uri", RETURN),
        ("response_type", "code"),
        ("scope", SCOPE),
        ("state", "s3"),
        ("nonce", "n3"),
        ("access_type", "offline"),
        ("login_hint", "ada@acme.test"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    with("google/o/oauth2/v2/auth", &[&members[..], more].concat())
}

async fn token(setup: &Setup, members: &[(&str, &str)]) -> (u16, Value) {
    let known = [("client_id", CLIENT), ("client_secret", SECRET)];
    let form = [&known[..], members].concat();
    answer(setup.client.post(setup.url("google/token")).form(&form)).await
}

async fn redeem(setup: &Setup, back: &Url) -> (u16, Value) {
    let code = member(back, "code");
    let members = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", RETURN),
        ("code_verifier", VERIFIER),
    ];
    token(setup, &members).await
}

/// What a person's consent gives.
async fn consented(setup: &Setup, more: &[(&str, &str)]) -> Value {
    let back = setup.follow(setup.client.get(setup.url(&auth(more)))).await;
    assert_eq!(member(&back, "state"), "s3");
    let (status, answer) = redeem(setup, &back).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn call(setup: &Setup, token: &Value, method: Method, path: &str, body: &Value) -> (u16, Value) {
    let request = setup.client.request(method, setup.url(&format!("google/calendar/v3/{path}")));
    let request = request.bearer_auth(text(token));
    answer(if body.is_null() { request } else { request.json(body) }).await
}

#[tokio::test]
async fn a_person_consents_at_google_for_the_own_calendar() {
    let setup = Setup::new().await;
    let first = consented(&setup, &[]).await;
    let who = claims(&text(&first["id_token"]));
    assert_eq!(
        (&who["email"], &who["hd"], &who["nonce"]),
        (&json!("ada@acme.test"), &json!("acme.test"), &json!("n3"))
    );
    assert_eq!((&who["iss"], &who["aud"]), (&json!(setup.url("google")), &json!(CLIENT)));
    let (status, own) =
        call(&setup, &first["access_token"], Method::GET, "calendars/primary", &Value::Null).await;
    assert_eq!((status, &own["id"]), (200, &json!("ada@acme.test")));
    let again = consented(&setup, &[]).await;
    assert!(again["refresh_token"].is_null(), "a refresh token comes with the first consent only");
    let asked = consented(&setup, &[("prompt", "consent")]).await;
    assert!(asked["refresh_token"].is_string(), "or when consent is asked for anew");
    let refresh = text(&first["refresh_token"]);
    let members = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let (status, fresh) = token(&setup, &members).await;
    assert!(status == 200 && fresh["refresh_token"].is_null(), "{fresh}");
    let revoke = setup.client.post(setup.url("google/revoke")).form(&[("token", refresh.as_str())]);
    assert_eq!(answer(revoke).await.0, 200);
    let (status, dead) = token(&setup, &members).await;
    assert_eq!((status, &dead["error"]), (400, &json!("invalid_grant")));
    assert_eq!(dead["error_description"], "Token has been expired or revoked.");
}

#[tokio::test]
async fn a_consent_can_be_refused_or_given_in_part() {
    let setup = Setup::new().await;
    let page = setup.client.get(setup.url(&auth(&[]))).send().await.unwrap().text().await.unwrap();
    let refused = setup.submit(&page, "data-refuse", &[]).await;
    let back: Url = refused.headers()["location"].to_str().unwrap().parse().unwrap();
    assert_eq!((member(&back, "error").as_str(), member(&back, "state").as_str()), ("access_denied", "s3"));
    let page = setup.submit(&page, "data-muster-next", &[]).await.text().await.unwrap();
    let given = setup.submit(&page, "data-muster-next", &[("scope", "")]).await;
    let back = given.headers()["location"].to_str().unwrap().parse().unwrap();
    let (status, part) = redeem(&setup, &back).await;
    assert_eq!((status, &part["scope"]), (200, &json!("email openid")));
    let (status, refused) =
        call(&setup, &part["access_token"], Method::GET, "calendars/primary", &Value::Null).await;
    assert_eq!((status, &refused["error"]["errors"][0]["reason"]), (403, &json!("insufficientPermissions")));
    let (status, twice) = redeem(&setup, &back).await;
    assert_eq!((status, &twice["error"]), (400, &json!("invalid_grant")), "a code works once");
    for (name, value) in
        [("redirect_uri", "http://127.0.0.1:9/else"), ("client_id", "nobody"), ("scope", "made.up")]
    {
        let path = auth(&[]);
        let (path, query) = path.split_once('?').unwrap();
        let members = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        let members: Vec<(String, String)> = members
            .map(|(key, old)| if key == name { (key, value.to_owned()) } else { (key, old) })
            .collect();
        let members: Vec<(&str, &str)> =
            members.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let answer = setup.client.get(setup.url(&with(path, &members))).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{name}: an error page and no redirect");
    }
}

#[tokio::test]
async fn refusals_have_googles_words() {
    let setup = Setup::new().await;
    let token = consented(&setup, &[]).await["access_token"].clone();
    let time = |hour: u32| json!({ "dateTime": format!("2026-11-17T{hour:02}:00:00Z") });
    let event = |id: &str| json!({ "id": id, "start": time(9), "end": time(10) });
    let busy = |days: u32, count: usize| {
        let items: Vec<Value> = (0..count).map(|n| json!({ "id": format!("u{n}@acme.test") })).collect();
        let end = format!("2027-{:02}-01T00:00:00Z", days / 30 + 1);
        json!({ "timeMin": "2026-12-01T00:00:00Z", "timeMax": end, "items": items })
    };
    let own = "calendars/primary/events";
    let rows = [
        (Method::GET, "calendars/nobody@acme.test", Value::Null, 404, "notFound"),
        (Method::GET, "calendars/eve@acme.test", Value::Null, 403, "forbidden"),
        (Method::GET, "calendars/nil@acme.test", Value::Null, 403, "notACalendarUser"),
        (Method::POST, own, event("UPPER"), 400, "invalid"),
        (Method::POST, own, event("abc"), 400, "invalid"),
        (Method::POST, own, json!({ "start": time(9) }), 400, "required"),
        (Method::POST, own, json!({ "start": time(9), "end": time(9) }), 400, "timeRangeEmpty"),
        (Method::POST, "calendars/bob@acme.test/events", event("abcde"), 403, "requiredAccessLevel"),
        (Method::GET, "calendars/primary/events?orderBy=startTime", Value::Null, 400, "badRequest"),
        (Method::GET, "calendars/primary/events?syncToken=old", Value::Null, 410, "fullSyncRequired"),
        (
            Method::GET,
            "calendars/primary/events?syncToken=old&timeMin=2026-12-01T00:00:00Z",
            Value::Null,
            400,
            "badRequest",
        ),
        (Method::PATCH, "calendars/primary/events/nothere", json!({ "summary": "x" }), 404, "notFound"),
        (Method::POST, "freeBusy", busy(180, 1), 400, "timeRangeTooLong"),
    ];
    for (method, path, body, status, reason) in rows {
        let (seen, refused) = call(&setup, &token, method, path, &body).await;
        let first = &refused["error"]["errors"][0];
        assert_eq!((seen, &first["reason"]), (status, &json!(reason)), "{path}: {refused}");
        assert_eq!(refused["error"]["code"], status, "{path}");
    }
    let (_, many) = call(&setup, &token, Method::POST, "freeBusy", &busy(30, 51)).await;
    let reason = |n: usize| many["calendars"][format!("u{n}@acme.test")]["errors"][0]["reason"].clone();
    assert_eq!((reason(0), reason(50)), (json!("notFound"), json!("tooManyCalendarsRequested")));
    let nobody = setup.client.get(setup.url("google/calendar/v3/calendars/primary"));
    let (status, refused) = answer(nobody).await;
    assert_eq!((status, &refused["error"]["errors"][0]["reason"]), (401, &json!("authError")));
}

#[tokio::test]
async fn other_peoples_calendars_show_when_they_are_busy_and_nothing_more() {
    let setup = Setup::new().await;
    let planted = json!({
        "mailbox": "bob@acme.test", "subject": "Doctor", "start": "2026-11-17T09:00:00Z", "end": "2026-11-17T10:00:00Z",
    });
    setup.control(&format!("organisations/{}/events", setup.tenant), planted).await;
    let token = consented(&setup, &[]).await["access_token"].clone();
    let (status, list) =
        call(&setup, &token, Method::GET, "calendars/bob@acme.test/events", &Value::Null).await;
    assert_eq!((status, &list["accessRole"]), (200, &json!("freeBusyReader")));
    let shown = &list["items"][0];
    assert!(shown["summary"].is_null() && shown["attendees"].is_null(), "{shown}");
    assert_eq!(shown["visibility"], "private");
}

#[tokio::test]
async fn changes_are_told_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::furnish(launch(Some(folder.path()), None).await).await;
    let token = consented(&setup, &[]).await["access_token"].clone();
    let time = |hour: u32| json!({ "dateTime": format!("2026-11-17T{hour:02}:00:00Z") });
    for id in ["first", "other"] {
        let body = json!({ "id": id, "start": time(9), "end": time(10) });
        assert_eq!(call(&setup, &token, Method::POST, "calendars/primary/events", &body).await.0, 200);
    }
    let list = async |setup: &Setup, query: &str| {
        let path = format!("calendars/primary/events?{query}");
        call(setup, &token, Method::GET, &path, &Value::Null).await
    };
    let (_, page) = list(&setup, "maxResults=1").await;
    assert!(page["nextSyncToken"].is_null(), "a sync token comes with the last page");
    let (_, page) = list(&setup, &format!("maxResults=1&pageToken={}", text(&page["nextPageToken"]))).await;
    let sync = text(&page["nextSyncToken"]);
    let gone = "calendars/primary/events/first";
    assert_eq!(call(&setup, &token, Method::DELETE, gone, &Value::Null).await.0, 204);
    setup.running.stop().await;

    let running = launch(Some(folder.path()), None).await;
    let base = running.url().as_str().trim_end_matches('/').to_owned();
    let setup =
        Setup { running, base, client: setup.client, tenant: setup.tenant, organisation: setup.organisation };
    let (_, changes) = list(&setup, &format!("syncToken={sync}")).await;
    let told: Vec<_> =
        changes["items"].as_array().unwrap().iter().map(|one| (&one["id"], &one["status"])).collect();
    assert_eq!(told, [(&json!("first"), &json!("cancelled"))]);
    let (status, _) = list(&setup, &format!("syncToken={sync}&singleEvents=true")).await;
    assert_eq!(status, 410, "a token belongs to its parameters");
    let again = json!({ "id": "first", "start": time(9), "end": time(10) });
    let (status, refused) = call(&setup, &token, Method::POST, "calendars/primary/events", &again).await;
    assert_eq!((status, &refused["error"]["errors"][0]["reason"]), (409, &json!("duplicate")));
    let (status, deleted) = call(&setup, &token, Method::DELETE, gone, &Value::Null).await;
    assert_eq!((status, &deleted["error"]["errors"][0]["reason"]), (410, &json!("deleted")));
}
