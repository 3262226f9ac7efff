//! S3: one approval for everyone, once.

use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{
    TestApp,
    steps::{at, landed, nodes},
};

async fn s3_1_one_approval_gives_access_to_the_whole_calendar_system(app: TestApp) {
    let org = app.with_tenant("Everyone", 5, 3).await;
    app.with_users(&org, 5).await;
    app.connect(&org).await;
    let connections = app.connections(&org).await;
    let active = |address: &str| connections[address]["state"] == "ACTIVE";
    for room in 0..3 {
        assert!(active(org.room(room)), "{connections:?}");
    }
    for (index, person) in org.people().into_iter().enumerate() {
        assert_eq!(active(person), index != org.outsider(), "{person}: {connections:?}");
    }
    let journal = app.journal(0).await;
    assert_eq!(journal.iter().filter(|entry| entry["outcome"] == "consented").count(), 1);
    app.finish().await;
}

async fn s3_2_only_the_vendors_staff_switch_the_feature_on_before_it_is_visible(app: TestApp) {
    let input = json!({ "name": "Staff", "plan": "PLUS" });
    let made = app.vendor().mutate("createTenant", "tenant { id features }", input).await;
    assert_eq!(made["tenant"]["features"], json!([]), "{made}");
    let tenant = made["tenant"]["id"].as_str().unwrap();
    let vendor = app.vendor_for(tenant);
    let roles = vendor.query("{ roles { id name } }", json!({})).await;
    let administrator =
        roles["roles"].as_array().unwrap().iter().find(|role| role["name"] == "Administrator").unwrap();
    let user = json!({ "email": "boss@staff.test", "name": "Boss", "roleIds": [administrator["id"]] });
    let user = vendor.mutate("createUser", "user { id }", user).await;
    let boss = app.user(tenant, user["user"]["id"].as_str().unwrap()).await;
    let on = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    assert_eq!(boss.refused("setFeature", "tenant { id }", on.clone()).await, "FORBIDDEN");
    let creation = json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "FULL" });
    assert_eq!(
        boss.refused("createIntegration", "integration { id }", creation.clone()).await,
        "FEATURE_OFF"
    );
    let done = app.vendor().mutate("setFeature", "tenant { features }", on).await;
    assert_eq!(done["tenant"]["features"], json!(["SERVICE_ACCOUNT"]), "{done}");
    let seen = boss.query("{ tenant { features } }", json!({})).await;
    assert_eq!(seen["tenant"]["features"], json!(["SERVICE_ACCOUNT"]));
    let made = boss.mutate("createIntegration", "integration { state }", creation).await;
    assert_eq!(made["integration"]["state"], "DRAFT", "{made}");
    app.finish().await;
}

async fn s3_3_an_it_person_is_invited_with_the_one_permission_that_connecting_needs(app: TestApp) {
    let org = app.with_tenant("Invited", 2, 1).await;
    let link = app.invite(&org).await;
    let people = "{ users(first: 5) { edges { node { id email roles { name permissions } } } }
        roles { id name } }";
    let seen = app.vendor_for(&org.tenant).query(people, json!({})).await;
    let users = nodes(&seen["users"]);
    assert_eq!(users.len(), 1, "{users:?}");
    assert_eq!(users[0]["email"], org.admin());
    let wanted = json!([{ "name": "Calendar Connector", "permissions": ["CALENDAR_CONNECT"] }]);
    assert_eq!(users[0]["roles"], wanted);
    // That is enough to connect, with the link alone or signed in, and for nothing else.
    let it = app.user(&org.tenant, users[0]["id"].as_str().unwrap()).await;
    let body = it.ask("{ users(first: 5) { edges { node { id } } } }", json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN", "{body}");
    let again = json!({ "email": "second@invited.test" });
    assert_eq!(it.refused("inviteAdministrator", "url", again).await, "FORBIDDEN");
    // More is given where whoever invites has it: the vendor has.
    let role =
        seen["roles"].as_array().unwrap().iter().find(|role| role["name"] == "Platform Administration");
    let more = json!({ "email": "second@invited.test", "roleIds": [role.unwrap()["id"]] });
    app.vendor_for(&org.tenant).mutate("inviteAdministrator", "url", more).await;
    let seen = app.vendor_for(&org.tenant).query(people, json!({})).await;
    let second =
        nodes(&seen["users"]).into_iter().find(|user| user["email"] == "second@invited.test").unwrap();
    assert_eq!(second["roles"][0]["permissions"], json!(["PLATFORM_ADMINISTRATION"]));
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

/// What Graph was asked of mailboxes: everything but the directory and the organisation itself.
fn of_mailboxes(journal: &[Value]) -> Vec<&Value> {
    let touches = |entry: &&Value| {
        let path = entry["path"].as_str().unwrap_or_default();
        let words = ["/calendar", "/events", "/mailboxSettings", "/getSchedule"];
        path.starts_with("/v1.0/") && words.iter().any(|word| path.contains(word))
    };
    journal.iter().filter(touches).collect()
}

async fn s3_5_before_the_second_step_no_mailbox_is_touched(app: TestApp) {
    let org = app.with_tenant("Second", 4, 2).await;
    app.with_users(&org, 4).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    app.run_jobs().await;
    app.advance(chrono::Duration::minutes(30)).await;
    let before = app.journal(0).await;
    assert!(before.iter().any(|entry| entry["outcome"] == "consented"), "the provider granted access");
    assert_eq!(of_mailboxes(&before), Vec::<&Value>::new());
    let integration = app.integration(&org).await;
    assert_eq!(integration["state"], "AWAITING_AUTHORIZATION");
    assert_eq!(integration["verifications"], json!([]));
    assert!(app.connections(&org).await.is_empty());
    let place = app.send(&mut browser, &page, &[]).await;
    landed(&place);
    app.run_jobs().await;
    let after = app.journal(before.len()).await;
    assert!(!of_mailboxes(&after).is_empty(), "the second step lets the work begin: {after:?}");
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s3_6_users_who_existed_before_the_connection_are_activated_by_the_product(app: TestApp) {
    let org = app.with_tenant("Before", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let query = "query($id: ID!) { user(id: $id) { calendar { state } } }";
    for (index, user) in users.iter().enumerate() {
        let seen = app.vendor_for(&org.tenant).query(query, json!({ "id": user })).await;
        let wanted = if index == org.outsider() { "UNREACHABLE" } else { "ACTIVE" };
        assert_eq!(seen["user"]["calendar"]["state"], wanted, "{index}");
    }
    let query = "{ campaigns(first: 5) { edges { node { state } } } }";
    let campaigns = nodes(&app.vendor_for(&org.tenant).query(query, json!({})).await["campaigns"]);
    assert_eq!(campaigns.len(), 1, "nobody had to start it: {campaigns:?}");
    app.finish().await;
}

async fn s3_7_users_added_after_the_connection_are_activated_by_themselves(app: TestApp) {
    let org = app.with_tenant("After", 4, 1).await;
    app.connect(&org).await;
    let rooms_only = app.connections(&org).await;
    assert_eq!(rooms_only.keys().collect::<Vec<_>>(), [org.room(0)]);
    let before = app.journal(0).await.len();
    // The administrator became a user by the invitation.
    let others = || org.people().into_iter().enumerate().filter(|(_, person)| *person != org.admin());
    for (_, person) in others() {
        let input = json!({ "email": person, "name": person, "calendarAddress": person });
        let made = app.vendor_for(&org.tenant).mutate("createUser", "user { id }", input).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
    }
    app.run_jobs().await;
    for (index, person) in others() {
        let wanted = if index == org.outsider() { "UNREACHABLE" } else { "ACTIVE" };
        assert_eq!(app.mailbox_state(&org, person).await, wanted, "{person}");
    }
    let after = app.journal(before).await;
    let pages = after.iter().filter(|entry| entry["path"].as_str().unwrap_or_default().contains("authorize"));
    assert_eq!(pages.count(), 0, "nobody signed in again");
    app.finish().await;
}

async fn s3_8_a_user_activates_the_own_calendar_with_one_click_and_without_a_login(app: TestApp) {
    let org = app.with_tenant("Click", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let (late, address) = (org.outsider(), org.people()[org.outsider()].to_owned());
    app.connect(&org).await;
    app.scope(&org, &address, true).await;
    let before = app.journal(0).await.len();
    let user = app.user(&org.tenant, &users[late]).await;
    let query = "mutation { activateMyCalendar { run { id } userErrors { code } } }";
    let done = user.query(query, json!({})).await;
    assert_eq!(done["activateMyCalendar"]["userErrors"], json!([]), "{done}");
    app.run_jobs().await;
    let seen = user.query("{ viewer { user { calendar { state reason { code } asOf } } } }", json!({})).await;
    let calendar = &seen["viewer"]["user"]["calendar"];
    assert_eq!((&calendar["state"], &calendar["reason"]), (&json!("ACTIVE"), &Value::Null), "{seen}");
    let after = app.journal(before).await;
    let pages = after.iter().filter(|entry| entry["path"].as_str().unwrap_or_default().contains("authorize"));
    assert_eq!(pages.count(), 0, "a login was asked for");
    // Only the own one, and only for users.
    assert!(
        after.iter().all(|entry| entry["mailbox"].is_null()
            || entry["mailbox"] == *address
            || entry["mailbox"] == org.room(0)),
        "{after:?}"
    );
    let vendor = app.vendor_for(&org.tenant).ask(query, json!({})).await;
    assert!(vendor["errors"][0]["extensions"]["code"].is_string(), "{vendor}");
    app.finish().await;
}

async fn s3_11_the_state_of_a_calendar_is_visible_to_its_user(app: TestApp) {
    let org = app.with_tenant("Visible", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let query = "{ viewer { user { id calendar { state reason { code message nextAction } } } } }";
    let states = async |index: usize| {
        let user = app.user(&org.tenant, &users[index]).await;
        let seen = user.query(query, json!({})).await;
        assert_eq!(seen["viewer"]["user"]["id"], *users[index]);
        seen["viewer"]["user"]["calendar"].clone()
    };
    let nothing = states(org.insider()).await;
    assert_eq!(
        (&nothing["state"], &nothing["reason"]["code"]),
        (&json!("DISCONNECTED"), &json!("CALENDAR_NOT_CONNECTED"))
    );
    app.connect(&org).await;
    assert_eq!(states(org.insider()).await["state"], "ACTIVE");
    let out = states(org.outsider()).await;
    assert_eq!(
        (&out["state"], &out["reason"]["code"]),
        (&json!("UNREACHABLE"), &json!("MAILBOX_OUT_OF_SCOPE"))
    );
    assert!(out["reason"]["nextAction"].is_string(), "{out}");
    // A user without any role sees the own state and nobody else's.
    let user = app.user(&org.tenant, &users[org.insider()]).await;
    let query = "query($id: ID!) { user(id: $id) { calendar { state } } }";
    let own = user.query(query, json!({ "id": users[org.insider()] })).await;
    assert_eq!(own["user"]["calendar"]["state"], "ACTIVE");
    let other = user.ask(query, json!({ "id": users[org.outsider()] })).await;
    assert_eq!(other["errors"][0]["extensions"]["code"], "FORBIDDEN", "{other}");
    app.finish().await;
}

/// Everything of the provider's sign-in and consent pages that was asked for.
fn of_people(journal: &[Value]) -> Vec<&Value> {
    let words = ["/authorize", "/adminconsent"];
    let asks =
        |entry: &&Value| words.iter().any(|word| entry["path"].as_str().unwrap_or_default().contains(word));
    journal.iter().filter(asks).collect()
}

async fn s3_9_nothing_routine_needs_the_it_person_again(app: TestApp) {
    let org = app.with_tenant("Stepped Out", 5, 1).await;
    let users = app.with_users(&org, 4).await;
    let people = org.people();
    let integration = app.connect(&org).await;
    let at = format!("/control/organisations/{}/mailbox", org.sandbox["id"].as_str().unwrap());
    // The IT person leaves, here and at the provider.
    let it = people.iter().position(|person| *person == org.admin()).unwrap();
    let vendor = app.vendor_for(&org.tenant);
    let gone = vendor.mutate("deleteUser", "deletedUserId", json!({ "id": users[it] })).await;
    assert_eq!(gone["userErrors"], json!([]), "{gone}");
    app.control(&at, json!({ "address": org.admin(), "kind": "none" })).await;
    let before = app.journal(0).await.len();

    let joiner = json!({ "email": people[4], "name": "Joiner", "calendarAddress": people[4] });
    vendor.mutate("createUser", "user { id }", joiner).await;
    app.run_jobs().await;
    let wanted = if org.outsider() == 4 { "UNREACHABLE" } else { "ACTIVE" };
    assert_eq!(app.mailbox_state(&org, people[4]).await, wanted, "joiners are activated");
    app.clock.advance(chrono::Duration::hours(25));
    for reconciler in Reconciler::ALL {
        app.reconcile(reconciler).await;
    }
    let booking = app.book(&org, &users[org.insider()], "book", json!({})).await;
    assert_eq!(booking["state"], "CONFIRMED", "calendars are read and written: {booking}");
    let input = json!({ "id": booking["id"], "start": "2026-12-16T19:00:00Z", "end": "2026-12-16T19:30:00Z",
        "idempotencyKey": "move" });
    vendor.mutate("moveBooking", "booking { id }", input).await;
    app.settle().await;
    vendor
        .mutate("cancelBooking", "booking { id }", json!({ "id": booking["id"], "idempotencyKey": "cancel" }))
        .await;
    app.settle().await;
    assert_eq!(app.booking(&org, booking["id"].as_str().unwrap()).await["state"], "CANCELLED");
    for (field, input) in [
        ("verifyIntegration", json!({ "id": integration })),
        ("setServiceMailbox", json!({ "integrationId": integration, "mailbox": people[org.insider()] })),
        ("startCampaign", json!({ "integrationId": integration })),
    ] {
        let done = vendor.mutate(field, "__typename", input).await;
        assert_eq!(done["userErrors"], json!([]), "{field}: {done}");
        app.run_jobs().await;
    }
    let now = app.integration(&org).await;
    assert_eq!(
        (&now["state"], &now["serviceMailbox"]),
        (&json!("ACTIVE"), &json!(people[org.insider()])),
        "{now}"
    );
    let after = app.journal(before).await;
    assert_eq!(of_people(&after), Vec::<&Value>::new(), "nobody signed in or consented");
    app.finish().await;
}

async fn s3_10_whoever_leaves_disconnects_nobody_else_and_no_more_is_asked_for(app: TestApp) {
    let org = app.with_tenant("Leaving", 6, 1).await;
    let users = app.with_users(&org, 6).await;
    app.connect(&org).await;
    let organisation = format!("/control/organisations/{}", org.sandbox["id"].as_str().unwrap());
    let granted = async || app.observe(&organisation).await["consents"][&app.application.0].clone();
    let (agreed, before) = (granted().await, app.journal(0).await.len());
    // Who consented loses the licence, somebody else leaves the group, and every token ends as with changed passwords.
    let people = org.people();
    let others: Vec<_> = (0..people.len())
        .filter(|index| *index != org.outsider() && *index != org.insider() && people[*index] != org.admin())
        .collect();
    let lost = [org.admin(), people[others[0]]];
    let unlicensed = json!({ "address": lost[0], "kind": "none" });
    app.control(&format!("{organisation}/mailbox"), unlicensed).await;
    app.scope(&org, lost[1], false).await;
    app.control("/control/tokens/expire", json!({})).await;
    for _ in 0..3 {
        app.clock.advance(chrono::Duration::minutes(16));
        app.reconcile(Reconciler::Calendars).await;
        app.reconcile(Reconciler::Health).await;
    }
    for (address, node) in app.connections(&org).await {
        let stays = !lost.contains(&address.as_str()) && address != people[org.outsider()];
        assert_eq!(node["state"] == "ACTIVE", stays, "{node}");
    }
    assert_eq!(app.integration(&org).await["state"], "DEGRADED", "the two are missed, and that is all");
    let booking = app.book(&org, &users[org.insider()], "goes on", json!({})).await;
    assert_eq!((&booking["state"], &booking["writtenVia"]), (&json!("CONFIRMED"), &json!("ORGANISER")));
    assert_eq!(granted().await, agreed, "what may be done at the provider is what was agreed");
    let after = app.journal(before).await;
    assert_eq!(of_people(&after), Vec::<&Value>::new(), "and nobody was asked for more");
    app.finish().await;
}

both! {
    s3_1_one_approval_gives_access_to_the_whole_calendar_system,
    s3_2_only_the_vendors_staff_switch_the_feature_on_before_it_is_visible,
    s3_3_an_it_person_is_invited_with_the_one_permission_that_connecting_needs,
    s3_5_before_the_second_step_no_mailbox_is_touched,
    s3_6_users_who_existed_before_the_connection_are_activated_by_the_product,
    s3_7_users_added_after_the_connection_are_activated_by_themselves,
    s3_8_a_user_activates_the_own_calendar_with_one_click_and_without_a_login,
    s3_9_nothing_routine_needs_the_it_person_again,
    s3_10_whoever_leaves_disconnects_nobody_else_and_no_more_is_asked_for,
    s3_11_the_state_of_a_calendar_is_visible_to_its_user,
}
