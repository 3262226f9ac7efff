//! Users, rooms, roles, the organisation.

use reqwest::Method;
use serde_json::{Value, json};

use crate::setup::{CLIENT, Setup, answer, fixture, text, with};

#[tokio::test]
async fn users_come_in_pages_and_none_is_missed() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    let mut path = "users?$select=id,mail,userPrincipalName&$top=3".to_owned();
    let mut sizes = Vec::new();
    let mut names = Vec::new();
    loop {
        let (status, page) = setup.get(&token, &path).await;
        assert_eq!(status, 200, "{page}");
        let users = page["value"].as_array().unwrap().clone();
        sizes.push(users.len());
        names.extend(users.iter().map(|user| text(&user["userPrincipalName"])));
        assert!(users[0].get("displayName").is_none(), "only what was selected");
        match page.get("@odata.nextLink") {
            Some(next) => path = text(next),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!((sizes, names.len()), (vec![3, 3, 2], 8));
}

#[tokio::test]
async fn a_hundred_users_are_a_page_when_nothing_is_said() {
    let setup = Setup::new().await;
    let made = setup
        .control(
            "organisations/generate",
            json!({
                "name": "Big One", "users": 130, "rooms": 105, "weeks": 0, "seed": 3
            }),
        )
        .await;
    let setup = Setup { tenant: text(&made["id"]), ..setup };
    setup.consent().await;
    let token = setup.application().await;
    for (path, total) in [("users", 130 + 105 + 1), ("places/microsoft.graph.room", 105)] {
        let (_, page) = setup.get(&token, path).await;
        assert_eq!(page["value"].as_array().unwrap().len(), 100);
        let mut count = 100;
        let mut next = page.get("@odata.nextLink").cloned();
        while let Some(link) = next {
            let (_, page) = setup.get(&token, &text(&link)).await;
            count += page["value"].as_array().unwrap().len();
            next = page.get("@odata.nextLink").cloned();
        }
        assert_eq!(count, total, "{path}");
    }
}

#[tokio::test]
async fn users_are_found_by_mail_sign_in_name_and_proxy_address() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    for (filter, found) in [
        ("mail eq 'ADA@acme.test'", 1),
        ("mail eq 'nil@acme.test'", 0),
        ("userPrincipalName eq 'nil@acme.test'", 1),
        ("proxyAddresses/any(p:p eq 'smtp:bob@acme.test')", 1),
        ("mail eq 'ada@acme.test' or userPrincipalName eq 'bob@acme.test'", 2),
    ] {
        let request = setup.graph(&token, Method::GET, &with("users", &[("$filter", filter)]));
        let (status, page) = answer(request).await;
        assert_eq!((status, page["value"].as_array().unwrap().len()), (200, found), "{filter}");
    }
    let request = setup.graph(&token, Method::GET, &with("users", &[("$filter", "mail gt 'a'")]));
    let (status, refused) = answer(request).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("Request_UnsupportedQuery")));
    let (status, refused) = setup.get(&token, "users/ghost@acme.test").await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("Request_ResourceNotFound")));
}

#[tokio::test]
async fn rooms_tell_what_they_hold() {
    let setup = Setup::consented().await;
    let (_, page) = setup.get(&setup.application().await, "places/microsoft.graph.room?$top=50").await;
    let room = page["value"].as_array().unwrap().iter().find(|room| room["displayName"] == "Room 1").unwrap();
    assert_eq!(
        (&room["emailAddress"], &room["capacity"], &room["building"], &room["floorNumber"], &room["tags"]),
        (&json!("room-1@acme.test"), &json!(8), &json!("North"), &json!(2), &json!(["Video conference"]))
    );
}

#[tokio::test]
async fn mailbox_settings_tell_zone_and_purpose_and_what_cannot_be_reached() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    for (who, purpose) in [("ada", "user"), ("bookings", "shared"), ("room-1", "room")] {
        let (_, settings) = setup.get(&token, &format!("users/{who}@acme.test/mailboxSettings")).await;
        assert_eq!(settings["userPurpose"], purpose);
        assert_eq!(settings["timeZone"], "W. Europe Standard Time");
    }
    let mailbox = format!("organisations/{}/mailbox", setup.tenant);
    setup.control(&mailbox, json!({"address": "bob@acme.test", "kind": "onprem"})).await;
    for (who, status, code) in [
        ("eve", 403, "ErrorAccessDenied"),
        ("nil", 404, "ResourceNotFound"),
        ("bob", 404, "MailboxNotEnabledForRESTAPI"),
        ("ghost", 404, "ErrorInvalidUser"),
    ] {
        let (got, refused) = setup.get(&token, &format!("users/{who}@acme.test/calendar")).await;
        assert_eq!((got, &refused["error"]["code"]), (status, &json!(code)), "{who}");
        assert!(refused["error"]["innerError"]["request-id"].is_string());
    }
    let scope = format!("organisations/{}/scope", setup.tenant);
    setup.control(&scope, json!({"mailbox": "eve@acme.test", "in_scope": true})).await;
    assert_eq!(setup.get(&token, "users/eve@acme.test/calendar").await.0, 200);
}

#[tokio::test]
async fn only_an_administrator_holds_the_role_of_one() {
    let setup = Setup::new().await;
    for (who, held) in [("it-admin@acme.test", 1), ("ada@acme.test", 0)] {
        let token = setup.personal(who, "openid profile User.Read").await;
        let (_, me) = setup.get(&token, "me").await;
        assert_eq!(me["userPrincipalName"], who);
        let (status, roles) = setup.get(&token, "me/transitiveMemberOf/microsoft.graph.directoryRole").await;
        let roles = (status, roles["value"].as_array().unwrap().clone());
        assert_eq!((roles.0, roles.1.len()), (200, held));
        if held == 1 {
            assert_eq!(roles.1[0]["roleTemplateId"], "62e90394-69f5-4237-9190-012177145e10");
        }
    }
}

#[tokio::test]
async fn a_token_sees_its_own_organisation_and_nothing_of_another() {
    let setup = Setup::consented().await;
    let token = setup.application().await;
    setup.control("organisations", fixture("Other", "other.test")).await;
    let (_, found) = setup.get(&token, "organization").await;
    assert_eq!(found["value"][0]["id"], setup.tenant.as_str());
    assert_eq!(found["value"][0]["verifiedDomains"][0]["name"], "acme.test");
    assert_eq!(setup.get(&token, "users/ada@other.test").await.0, 404);
    assert_eq!(setup.get(&token, "users/ada@other.test/calendar").await.0, 404);
    let other: Value = setup.get(&token, "users?$select=mail").await.1;
    assert!(!other.to_string().contains("other.test"));
}

#[tokio::test]
async fn a_permission_that_was_not_granted_is_missed() {
    let setup = Setup::new().await;
    setup
        .control(
            "apps",
            json!({
                "client_id": CLIENT, "secret": crate::setup::SECRET, "redirect_uris": [crate::setup::RETURN],
                "permissions": ["Calendars.Read"]
            }),
        )
        .await;
    setup.consent().await;
    let token = setup.application().await;
    assert_eq!(setup.get(&token, "users/ada@acme.test/calendar").await.0, 200);
    for path in ["users", "places/microsoft.graph.room", "users/ada@acme.test/mailboxSettings"] {
        assert_eq!(setup.get(&token, path).await.0, 403, "{path}");
    }
    let (status, refused) =
        setup.post(&token, "users/ada@acme.test/events", crate::setup::meeting("k", 9, 10, &[])).await;
    assert_eq!((status, &refused["error"]["code"]), (403, &json!("ErrorAccessDenied")));
}

#[tokio::test]
async fn a_person_acts_in_the_own_mailbox_only() {
    let setup = Setup::new().await;
    let token = setup.personal("ada@acme.test", "Calendars.ReadWrite").await;
    let event = setup.book(&token, "ada@acme.test", crate::setup::meeting("k", 9, 10, &[])).await;
    assert_eq!(event["organizer"]["emailAddress"]["address"], "ada@acme.test");
    assert_eq!(setup.get(&token, "me/calendar").await.0, 200);
    let (status, refused) = setup.get(&token, "users/bob@acme.test/calendar").await;
    assert_eq!((status, &refused["error"]["code"]), (403, &json!("ErrorAccessDenied")));
}
