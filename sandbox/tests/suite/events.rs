//! One event: made, found, changed, taken away.

use reqwest::Method;
use serde_json::json;

use crate::setup::{PROPERTY, Setup, answer, meeting, segment, text, with};

#[tokio::test]
async fn an_event_is_made_in_the_shape_of_the_reference() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let mut body = meeting("key-1", 9, 10, &[("required", "guest@elsewhere.test")]);
    body["start"] = json!({"dateTime": "2026-11-17T10:00:00", "timeZone": "W. Europe Standard Time"});
    body["location"] = json!({"displayName": "Room 1"});
    let event = setup.book(&token, "ada@acme.test", body.clone()).await;
    assert_eq!(event["start"], json!({"dateTime": "2026-11-17T09:00:00.0000000", "timeZone": "UTC"}));
    assert_eq!(event["originalStartTimeZone"], "W. Europe Standard Time");
    for (member, expected) in [
        ("subject", json!("Interview")),
        ("isOrganizer", json!(true)),
        ("type", json!("singleInstance")),
        ("showAs", json!("busy")),
        ("transactionId", json!("key-1")),
        ("responseStatus", json!({"response": "organizer", "time": "0001-01-01T00:00:00Z"})),
        ("createdDateTime", json!("2026-11-16T08:00:00.0000000Z")),
        ("organizer", json!({"emailAddress": {"name": "Ada Albers", "address": "ada@acme.test"}})),
    ] {
        assert_eq!(event[member], expected, "{member}");
    }
    assert!(text(&event["@odata.etag"]).starts_with("W/\""));
    assert_eq!(event["attendees"][0]["status"]["response"], "none");
    for (member, value) in [
        ("end", json!({"dateTime": "2026-11-17T08:00:00", "timeZone": "UTC"})),
        ("start", json!({"dateTime": "2026-11-17T08:00:00", "timeZone": "Middle Earth Time"})),
        ("attendees", json!([{"emailAddress": {"name": "nobody"}}])),
    ] {
        let mut bad = body.clone();
        bad["transactionId"] = "other".into();
        bad[member] = value;
        assert_eq!(setup.post(&token, "users/ada@acme.test/events", bad).await.0, 400, "{member}");
    }
    assert_eq!(setup.calendar("ada@acme.test").await.len(), 1, "bad input changes nothing");
}

#[tokio::test]
async fn a_transaction_id_makes_one_event_for_ever() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event = setup.book(&token, "ada@acme.test", meeting("key-1", 9, 10, &[])).await;
    let path = "users/ada@acme.test/events";
    let (status, refused) = setup.post(&token, path, meeting("key-1", 9, 10, &[])).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("ErrorDuplicateTransactionId")));
    assert_eq!(setup.calendar("ada@acme.test").await.len(), 1);
    let one = format!("{path}/{}", segment(&event["id"]));
    assert_eq!(answer(setup.graph(&token, Method::DELETE, &one)).await.0, 204);
    assert_eq!(setup.post(&token, path, meeting("key-1", 9, 10, &[])).await.0, 409);
    assert_eq!(setup.post(&token, "users/bob@acme.test/events", meeting("key-1", 9, 10, &[])).await.0, 201);
}

#[tokio::test]
async fn an_event_is_found_by_an_extended_property_and_shows_it_when_asked() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event = setup.book(&token, "ada@acme.test", meeting("key-1", 9, 10, &[])).await;
    setup.book(&token, "ada@acme.test", meeting("key-2", 11, 12, &[])).await;
    let find = |value: &str| {
        let filter =
            format!("singleValueExtendedProperties/Any(ep: ep/id eq '{PROPERTY}' and ep/value eq '{value}')");
        let expand = format!("singleValueExtendedProperties($filter=id eq '{PROPERTY}')");
        let members = [("$filter", filter.as_str()), ("$expand", &expand), ("$select", "id,subject")];
        setup.graph(&token, Method::GET, &with("users/ada@acme.test/events", &members))
    };
    let (_, found) = answer(find("key-1")).await;
    assert_eq!(found["value"].as_array().unwrap().len(), 1);
    assert_eq!(found["value"][0]["id"], event["id"]);
    assert_eq!(
        found["value"][0]["singleValueExtendedProperties"],
        json!([{"id": PROPERTY, "value": "key-1"}])
    );
    assert_eq!(answer(find("key-3")).await.1["value"], json!([]));
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let (_, plain) = setup.get(&token, &path).await;
    assert!(plain.get("singleValueExtendedProperties").is_none(), "only on demand");
    let odd =
        setup.graph(&token, Method::GET, &with("users/ada@acme.test/events", &[("$filter", "a lt 'b'")]));
    assert_eq!(answer(odd).await.1["error"]["code"], "ErrorInvalidUrlQueryFilter");
}

#[tokio::test]
async fn a_change_with_an_old_version_is_a_conflict() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event = setup.book(&token, "ada@acme.test", meeting("key-1", 9, 10, &[])).await;
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let change = |etag: &str, subject: &str| {
        setup.graph(&token, Method::PATCH, &path).header("if-match", etag).json(&json!({"subject": subject}))
    };
    let (status, changed) = answer(change(&text(&event["@odata.etag"]), "Second")).await;
    assert_eq!((status, &changed["subject"], &changed["id"]), (200, &json!("Second"), &event["id"]));
    assert_ne!(changed["@odata.etag"], event["@odata.etag"]);
    assert_eq!(changed["start"], event["start"]);
    let (status, refused) = answer(change(&text(&event["@odata.etag"]), "Third")).await;
    assert_eq!((status, &refused["error"]["code"]), (412, &json!("ErrorIrresolvableConflict")));
    assert_eq!(setup.calendar("ada@acme.test").await[0]["subject"], "Second");
    assert_eq!(answer(change("*", "Fourth")).await.0, 200);
}

#[tokio::test]
async fn an_event_that_is_gone_is_not_found() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let event = setup.book(&token, "ada@acme.test", meeting("key-1", 9, 10, &[])).await;
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    assert_eq!(answer(setup.graph(&token, Method::DELETE, &path)).await.0, 204);
    for method in [Method::GET, Method::DELETE] {
        let (status, refused) = answer(setup.graph(&token, method, &path)).await;
        assert_eq!((status, &refused["error"]["code"]), (404, &json!("ErrorItemNotFound")));
    }
}

#[tokio::test]
async fn an_online_meeting_stays_until_a_text_leaves_out_how_to_join() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let mut body = meeting("online", 9, 10, &[]);
    body["isOnlineMeeting"] = true.into();
    let event = setup.book(&token, "ada@acme.test", body).await;
    assert_eq!(event["onlineMeetingProvider"], "teamsForBusiness");
    let (url, content) = (event["onlineMeeting"]["joinUrl"].clone(), text(&event["body"]["content"]));
    assert!(content.contains(&text(&url)) && event["body"]["contentType"] == "html", "{event}");
    let path = format!("users/ada@acme.test/events/{}", segment(&event["id"]));
    let change = async |body| answer(setup.graph(&token, Method::PATCH, &path).json(&body)).await.1;
    let same = change(json!({ "isOnlineMeeting": false, "subject": "Later" })).await;
    assert_eq!((&same["isOnlineMeeting"], &same["onlineMeeting"]["joinUrl"]), (&json!(true), &url));
    let kept = format!("<p>More</p>{content}");
    let kept = change(json!({ "body": { "contentType": "html", "content": kept } })).await;
    assert_eq!(kept["onlineMeeting"]["joinUrl"], url);
    let lost = change(json!({ "body": { "contentType": "text", "content": "Agenda" } })).await;
    assert_eq!((&lost["isOnlineMeeting"], &lost["onlineMeeting"]), (&json!(false), &json!(null)));
}
