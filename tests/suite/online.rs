//! Online meetings through the API.

use chrono::Duration;
use serde_json::{Value, json};

use crate::harness::{Org, TestApp, steps::evening};

const MEETING: &str = "query($id: ID!) { booking(id: $id) { state onlineMeeting onlineMeetingUrl } }";
const CAPABILITIES: &str =
    "query($id: ID!) { user(id: $id) { calendar { connectedMailbox { capabilities { onlineMeetings } } } } }";

async fn booking(app: &TestApp, org: &Org, id: &str) -> Value {
    app.vendor_for(&org.tenant).query(MEETING, json!({ "id": id })).await["booking"].clone()
}

fn at(org: &Org, order: &str) -> String {
    format!("/control/organisations/{}/{order}", org.sandbox["id"].as_str().unwrap())
}

async fn an_online_meeting_is_booked_and_its_address_comes_later(app: TestApp) {
    let org = app.with_tenant("Online", 5, 1).await;
    let users = app.with_users(&org, 5).await;
    app.connect(&org).await;
    let organiser = &users[org.insider()];
    let seen = app.vendor_for(&org.tenant).query(CAPABILITIES, json!({ "id": organiser })).await;
    assert_eq!(
        seen["user"]["calendar"]["connectedMailbox"]["capabilities"]["onlineMeetings"], true,
        "{seen}"
    );
    app.control(&at(&org, "settings"), json!({ "meeting_delay_s": 60 })).await;
    let id = app.order_booking(&org, organiser, "online", json!({ "onlineMeeting": true })).await;
    let stands =
        |state: &str| json!({ "state": state, "onlineMeeting": "PENDING", "onlineMeetingUrl": null });
    assert_eq!(booking(&app, &org, &id).await, stands("HELD"));
    app.run_jobs().await;
    assert_eq!(booking(&app, &org, &id).await, stands("CONFIRMED"), "the booking does not wait for it");
    app.advance(Duration::seconds(61)).await;
    app.advance(Duration::seconds(61)).await;
    let ready = booking(&app, &org, &id).await;
    assert_eq!(ready["onlineMeeting"], "READY", "{ready}");
    assert!(
        ready["onlineMeetingUrl"].as_str().unwrap().starts_with("https://teams.microsoft.com/"),
        "{ready}"
    );
    let plain = json!({ "start": "2026-12-05T20:00:00Z", "end": "2026-12-05T20:30:00Z" });
    let plain = app.book(&org, organiser, "plain", plain).await;
    let plain = booking(&app, &org, plain["id"].as_str().unwrap()).await;
    assert_eq!((&plain["onlineMeeting"], &plain["onlineMeetingUrl"]), (&Value::Null, &Value::Null));
    app.finish().await;
}

async fn who_cannot_have_an_online_meeting_is_told_before_anything_is_booked(app: TestApp) {
    let org = app.with_tenant("Offline", 5, 1).await;
    let users = app.with_users(&org, 5).await;
    let address = org.people()[org.insider()].to_owned();
    let closed = json!({ "address": address, "online_meetings": false });
    app.control(&at(&org, "mailbox"), closed).await;
    app.connect(&org).await;
    let organiser = &users[org.insider()];
    let vendor = app.vendor_for(&org.tenant);
    let seen = vendor.query(CAPABILITIES, json!({ "id": organiser })).await;
    assert_eq!(
        seen["user"]["calendar"]["connectedMailbox"]["capabilities"]["onlineMeetings"], false,
        "{seen}"
    );
    let input = evening(organiser, "key", json!({ "onlineMeeting": true }));
    let made = vendor.mutate("createBooking", "booking { id }", input).await;
    assert_eq!(made["booking"], Value::Null);
    let error = &made["userErrors"][0];
    assert_eq!(error["code"], "ONLINE_MEETING_UNAVAILABLE", "{made}");
    let all = vendor.query("{ bookings(first: 5) { edges { node { id } } } }", json!({})).await;
    assert_eq!(all["bookings"]["edges"], json!([]), "nothing is booked and the time is free");
    let without = app.book(&org, organiser, "key", json!({})).await;
    assert_eq!(without["state"], "CONFIRMED", "a refused request's key may be used again");
    app.finish().await;
}

both! {
    an_online_meeting_is_booked_and_its_address_comes_later,
    who_cannot_have_an_online_meeting_is_told_before_anything_is_booked,
}
