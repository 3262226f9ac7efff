//! B12: campaigns, from the preview to the retry of what failed; and the mailboxes that neither a campaign nor their
//! user activates.

use serde_json::{Value, json};

use crate::harness::{Org, TestApp, steps::nodes};

async fn preview(app: &TestApp, org: &Org, integration: &str) -> Value {
    let query = "query($id: ID!) { campaignPreview(integrationId: $id) { users rooms active excluded } }";
    app.vendor_for(&org.tenant).query(query, json!({ "id": integration })).await["campaignPreview"].clone()
}

async fn campaign(app: &TestApp, org: &Org, id: &Value) -> Value {
    let query = "query($id: ID!) { campaign(id: $id) { state finishedAt
        progress { total finished active freeBusyOnly unreachable }
        items(first: 50) { edges { node { result finishedAt connectedMailbox { address } reason { code nextAction } } } } } }";
    app.vendor_for(&org.tenant).query(query, json!({ "id": id })).await["campaign"].clone()
}

/// The result of each mailbox, by address.
fn results(campaign: &Value) -> std::collections::BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let item = |one: &Value| {
        (text(&one["connectedMailbox"]["address"]), (text(&one["result"]), text(&one["reason"]["code"])))
    };
    nodes(&campaign["items"]).iter().map(item).collect()
}

async fn b12_a_campaign_has_a_preview_a_result_for_each_mailbox_and_a_retry_of_the_failed(app: TestApp) {
    let org = app.with_tenant("Campaign", 5, 2).await;
    app.scope(&org, org.room(1), false).await;
    app.with_users(&org, 5).await;
    let integration = app.connect(&org).await;
    let outside = [org.people()[org.outsider()], org.room(1)];
    let vendor = app.vendor_for(&org.tenant);
    let all = nodes(
        &vendor.query("{ campaigns(first: 5) { edges { node { id } } } }", json!({})).await["campaigns"],
    );
    let first = campaign(&app, &org, &all[0]["id"]).await;
    assert_eq!(first["state"], "FINISHED", "{first}");
    let counts = json!({ "total": 7, "finished": 7, "active": 5, "freeBusyOnly": 0, "unreachable": 2 });
    assert_eq!(first["progress"], counts);
    let by_mailbox = results(&first);
    assert_eq!(by_mailbox.len(), 7, "{by_mailbox:?}");
    for (address, (result, code)) in &by_mailbox {
        let wanted = match outside.contains(&address.as_str()) {
            true => ("UNREACHABLE", "MAILBOX_OUT_OF_SCOPE"),
            false => ("ACTIVE", ""),
        };
        assert_eq!((result.as_str(), code.as_str()), wanted, "{address}");
    }
    for item in nodes(&first["items"]) {
        assert!(item["finishedAt"].is_string(), "{item}");
        assert_eq!(item["reason"]["nextAction"].is_string(), item["result"] != "ACTIVE", "{item}");
    }
    let would = preview(&app, &org, &integration).await;
    assert_eq!(
        would,
        json!({ "users": 1, "rooms": 1, "active": 5, "excluded": 0 }),
        "what a campaign would do now"
    );

    // One of the two can be reached by now.
    app.scope(&org, outside[0], true).await;
    let again = vendor.mutate("retryCampaign", "campaign { id }", json!({ "id": all[0]["id"] })).await;
    assert_eq!(again["userErrors"], json!([]), "{again}");
    let running = campaign(&app, &org, &again["campaign"]["id"]).await;
    assert_eq!((&running["state"], &running["progress"]["finished"]), (&json!("RUNNING"), &json!(0)));
    let early = json!({ "id": again["campaign"]["id"] });
    assert_eq!(vendor.refused("retryCampaign", "campaign { id }", early).await, "CAMPAIGN_RUNS");
    app.run_jobs().await;
    let second = campaign(&app, &org, &again["campaign"]["id"]).await;
    let counts = json!({ "total": 2, "finished": 2, "active": 1, "freeBusyOnly": 0, "unreachable": 1 });
    assert_eq!((&second["state"], &second["progress"]), (&json!("FINISHED"), &counts), "{second}");
    let by_mailbox = results(&second);
    assert_eq!(by_mailbox.len(), 2, "only those that failed are tried: {by_mailbox:?}");
    assert_eq!(
        (by_mailbox[outside[0]].0.as_str(), by_mailbox[outside[1]].0.as_str()),
        ("ACTIVE", "UNREACHABLE")
    );
    assert_eq!(preview(&app, &org, &integration).await["users"], 0);
    app.finish().await;
}

async fn the_mailbox_of_somebody_who_left_is_activated_by_nobody_until_it_is_a_users_again(app: TestApp) {
    let org = app.with_tenant("Left", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let integration = app.connect(&org).await;
    let (vendor, address) = (app.vendor_for(&org.tenant), org.people()[org.insider()].to_owned());
    let mailbox = app.connections(&org).await[&address]["id"].clone();
    vendor.mutate("deleteUser", "deletedUserId", json!({ "id": users[org.insider()] })).await;
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "DISCONNECTED");
    let started =
        vendor.mutate("startCampaign", "campaign { id }", json!({ "integrationId": integration })).await;
    app.run_jobs().await;
    let done = campaign(&app, &org, &started["campaign"]["id"]).await;
    assert_eq!(done["state"], "FINISHED", "{done}");
    assert!(!results(&done).contains_key(&address), "{done}");
    let activate = json!({ "id": mailbox });
    let refused = vendor.refused("activateConnectedMailbox", "run { id }", activate).await;
    assert_eq!(refused, "MAILBOX_DISCONNECTED");
    assert_eq!(app.mailbox_state(&org, &address).await, "DISCONNECTED");
    // Nor does an exclusion and its end make it anybody's.
    vendor.mutate("excludeConnectedMailbox", "connectedMailbox { state }", json!({ "id": mailbox })).await;
    let refused = vendor.refused("activateConnectedMailbox", "run { id }", json!({ "id": mailbox })).await;
    assert_eq!(refused, "MAILBOX_DISCONNECTED");
    let back = json!({ "email": address, "name": "Back", "calendarAddress": address });
    let back = vendor.mutate("createUser", "user { id }", back).await;
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "EXCLUDED", "the exclusion is not the user's to end");
    let activate = json!({ "userId": back["user"]["id"] });
    vendor.mutate("activateUserCalendar", "run { id }", activate).await;
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "ACTIVE");
    app.finish().await;
}

/// An administrator's exclusion is not the user's to end.
async fn a_user_does_not_end_the_exclusion_of_their_calendar(app: TestApp) {
    let org = app.with_tenant("Excluded", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let address = org.people()[org.insider()];
    let id = app.connections(&org).await[address]["id"].clone();
    let vendor = app.vendor_for(&org.tenant);
    vendor.mutate("excludeConnectedMailbox", "connectedMailbox { state }", json!({ "id": id })).await;
    let user = app.user(&org.tenant, &users[org.insider()]).await;
    let query = "mutation { activateMyCalendar { run { id } userErrors { code } } }";
    let answer = user.query(query, json!({})).await;
    assert_eq!(answer["activateMyCalendar"]["userErrors"][0]["code"], "MAILBOX_EXCLUDED", "{answer}");
    let query = "mutation { connectOwnCalendar(input: {}) { url userErrors { code } } }";
    let answer = user.query(query, json!({})).await;
    assert_eq!(answer["connectOwnCalendar"]["userErrors"][0]["code"], "MAILBOX_EXCLUDED", "{answer}");
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, address).await, "EXCLUDED");
    vendor.mutate("activateConnectedMailbox", "run { id }", json!({ "id": id })).await;
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, address).await, "ACTIVE");
    app.finish().await;
}

both! {
    b12_a_campaign_has_a_preview_a_result_for_each_mailbox_and_a_retry_of_the_failed,
    a_user_does_not_end_the_exclusion_of_their_calendar,
    the_mailbox_of_somebody_who_left_is_activated_by_nobody_until_it_is_a_users_again,
}
