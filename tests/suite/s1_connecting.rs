//! S1: connecting the service account, as the administrator's browser and the vendor's back end see it.

use chrono::Duration;
use demo::browser::{ACCEPTED_TERMS, Location};
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    steps::{at, landed, member, refusing},
};

fn creation(provider: &str) -> Value {
    json!({ "provider": provider, "name": "Calendars", "accessLevel": "FULL" })
}

async fn s1_1_a_technical_account_is_registered_as_the_tenants_service_account(app: TestApp) {
    let org = app.with_tenant("One", 2, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    for provider in ["MICROSOFT_365", "GOOGLE_WORKSPACE", "CALDAV"] {
        let made =
            vendor.mutate("createIntegration", "integration { id provider state }", creation(provider)).await;
        assert_eq!(made["integration"]["state"], "DRAFT", "{made}");
        assert_eq!(made["integration"]["provider"], provider);
    }
    assert_eq!(app.integrations(&org).await.len(), 3);
    app.finish().await;
}

async fn s1_2_many_calendars_are_connected_without_their_owners_signing_in(app: TestApp) {
    let org = app.with_tenant("Two", 6, 2).await;
    app.with_users(&org, 6).await;
    app.connect(&org).await;
    let connections = app.connections(&org).await;
    let active = connections.values().filter(|node| node["state"] == "ACTIVE").count();
    assert_eq!(active, 7, "five people and two rooms: {connections:?}");
    let journal = app.journal(0).await;
    let signed_in: Vec<_> = journal.iter().filter(|entry| entry["outcome"] == "signed in").collect();
    assert_eq!(signed_in.len(), 1, "{signed_in:?}");
    assert_eq!(signed_in[0]["mailbox"], org.admin());
    app.finish().await;
}

async fn s1_3_only_whoever_may_manage_users_or_connect_calendars_starts_it(app: TestApp) {
    let org = app.with_tenant("Three", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.give_role(&org, &users[1], "Human Resources").await;
    app.give_role(&org, &users[2], "Calendar Connector").await;
    let start = creation("MICROSOFT_365");
    let nobody = app.anonymous();
    assert_eq!(
        nobody.refused("createIntegration", "integration { id }", start.clone()).await,
        "UNAUTHENTICATED"
    );
    let plain = app.user(&org.tenant, &users[0]).await;
    assert_eq!(plain.refused("createIntegration", "integration { id }", start.clone()).await, "FORBIDDEN");
    assert!(app.integrations(&org).await.is_empty(), "a refusal leaves nothing");
    for user in [&users[1], &users[2]] {
        let allowed = app.user(&org.tenant, user).await;
        let made = allowed.mutate("createIntegration", "integration { id state }", start.clone()).await;
        assert_eq!(made["integration"]["state"], "DRAFT", "{made}");
    }
    // The minimal role sees nothing else.
    let connector = app.user(&org.tenant, &users[2]).await;
    let body = connector.ask("{ users(first: 1) { edges { node { id } } } }", json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "FORBIDDEN", "{body}");
    // Less than all four permissions over users is not enough.
    let input = json!({ "name": "Half", "permissions": ["USER_VIEW", "USER_EDIT", "USER_CREATE"] });
    app.vendor_for(&org.tenant).mutate("createRole", "role { id }", input).await;
    app.give_role(&org, &users[3], "Half").await;
    let half = app.user(&org.tenant, &users[3]).await;
    assert_eq!(half.refused("createIntegration", "integration { id }", start).await, "FORBIDDEN");
    app.finish().await;
}

async fn s1_6_the_first_page_explains_what_will_happen_before_anything_is_sent(app: TestApp) {
    let org = app.with_tenant("Six", 2, 1).await;
    let link = app.invite(&org).await;
    let before = app.journal(0).await.len();
    let mut browser = app.browser(&org);
    let page = browser.open(link.parse().unwrap()).await.unwrap().page().unwrap();
    for told in ["what will happen", "Nothing is sent before that", "authorise", "Six"] {
        assert!(page.text.contains(told), "{told} is not told: {}", page.text);
    }
    assert!(!page.form().unwrap().is_post, "going on is reading on");
    let next = browser.submit(&page, &[]).await.unwrap().page().unwrap();
    assert!(next.form().unwrap().has_field("terms"), "the next page asks for the terms");
    assert_eq!(app.journal(before).await, Vec::<Value>::new(), "the provider has heard of it");
    assert!(app.integrations(&org).await.is_empty(), "something was made");
    app.finish().await;
}

async fn s1_8_linking_is_impossible_until_both_boxes_are_ticked_and_who_ticked_is_stored(app: TestApp) {
    let org = app.with_tenant("Eight", 2, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let before = app.journal(0).await.len();
    for ticked in [&[][..], &[("terms", "yes")], &[("privacy", "yes")]] {
        let refused = browser.submit(&page, ticked).await.unwrap().page().unwrap();
        assert_eq!(refused.code.as_deref(), Some("TERMS_NOT_ACCEPTED"), "{ticked:?}: {}", refused.text);
    }
    assert!(app.integrations(&org).await.is_empty(), "something was made");
    assert_eq!(app.journal(before).await, Vec::<Value>::new());
    app.send(&mut browser, &page, ACCEPTED_TERMS).await;
    let query = "{ integrations(first: 1) { edges { node { \
                 acceptances { document documentVersion acceptedBy acceptedAt } } } } }";
    let rows = app.vendor_for(&org.tenant).query(query, json!({})).await;
    let rows = rows["integrations"]["edges"][0]["node"]["acceptances"].as_array().unwrap().clone();
    let settings = &app.node.services.settings;
    let wanted =
        [("TERMS_OF_SERVICE", &settings.terms_version), ("PRIVACY_POLICY", &settings.privacy_version)];
    assert_eq!(rows.len(), 2, "{rows:?}");
    for (document, version) in wanted {
        let row = rows.iter().find(|row| row["document"] == document).unwrap();
        assert_eq!(row["documentVersion"], **version);
        assert_eq!(row["acceptedBy"], org.admin());
        assert_eq!(row["acceptedAt"], "2026-12-01T07:00:00Z");
    }
    app.finish().await;
}

async fn s1_10_after_the_consent_the_browser_lands_where_the_vendor_allowed_it(app: TestApp) {
    let org = app.with_tenant("Ten", 3, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    for elsewhere in
        ["https://evil.example/calendar", "https://vendor.example/", "https://vendor.example.evil/calendar"]
    {
        let input = json!({ "email": org.admin(), "returnUrl": elsewhere });
        assert_eq!(
            vendor.refused("inviteAdministrator", "url", input).await,
            "RETURN_URL_NOT_ALLOWED",
            "{elsewhere}"
        );
    }
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let place = app.send(&mut browser, &page, &[]).await;
    let said = landed(&place);
    app.run_jobs().await;
    let integration = app.integration(&org).await;
    assert_eq!(said["integration"], integration["id"].as_str().unwrap());
    assert_eq!(said["state"], "ACTIVE", "it is sent back with the verdict");
    assert!(!said.contains_key("reason"), "{said:?}");
    assert_eq!(integration["state"], "ACTIVE", "{integration}");
    app.finish().await;
}

async fn s1_11_the_connected_service_account_is_shown_as_the_current_one(app: TestApp) {
    let org = app.with_tenant("Eleven", 2, 1).await;
    app.connect(&org).await;
    let integration = app.integration(&org).await;
    assert_eq!(integration["serviceMailbox"], org.mailbox(), "{integration}");
    let accounts = integration["serviceAccounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 1, "{integration}");
    assert_eq!((&accounts[0]["address"], &accounts[0]["isCurrent"]), (&json!(org.mailbox()), &json!(true)));
    assert_eq!(integration["consentedBy"], org.admin());
    app.finish().await;
}

async fn s1_12_a_consent_refused_at_the_provider_lands_back_and_leaves_nothing(app: TestApp) {
    let org = app.with_tenant("Twelve", 3, 1).await;
    app.with_users(&org, 3).await;
    for page_of in [at::sign_in as fn(&_) -> bool, at::consent] {
        let link = app.invite(&org).await;
        let mut browser = app.browser(&org);
        let page = app.walk_to(&mut browser, &link, page_of).await;
        let place = app.send(&mut browser, &refusing(&page), &[]).await;
        let said = landed(&place);
        assert_eq!((said["state"].as_str(), said["reason"].as_str()), ("DECLINED", "CONSENT_DECLINED"));
        app.run_jobs().await;
        let all = app.integrations(&org).await;
        let ours = all.iter().find(|one| one["id"] == *said["integration"]).unwrap();
        assert_eq!(
            (&ours["state"], &ours["reason"]["code"]),
            (&json!("DECLINED"), &json!("CONSENT_DECLINED"))
        );
        assert!(ours["reason"]["nextAction"].is_string(), "{ours}");
        assert_eq!(app.remains(&org).await, []);
    }
    app.finish().await;
}

async fn s1_12_an_authorisation_refused_takes_the_consent_out_of_force(app: TestApp) {
    let org = app.with_tenant("Twelve B", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let mut page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let kept: Vec<_> = app.remains(&org).await.into_iter().map(|(table, _)| table).collect();
    assert_eq!(kept, ["consent_grant", "external_binding", "live run"], "the consent is in force until then");
    page.next.as_mut().unwrap().action.set_path("/connect/decline");
    let place = app.send(&mut browser, &page, &[]).await;
    assert_eq!(landed(&place)["reason"], "CONSENT_DECLINED");
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "DECLINED");
    assert_eq!(app.remains(&org).await, []);
    // The same link begins anew, and the organisation is free to be connected.
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s1_12_somebody_who_is_no_administrator_is_sent_back_with_the_reason(app: TestApp) {
    let org = app.with_tenant("Twelve C", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::sign_in).await;
    let someone = org.people()[org.insider()];
    let place = app.send(&mut browser, &page, &[("address", someone)]).await;
    let consent = place.page().unwrap();
    let place = app.send(&mut browser, &consent, &[]).await;
    assert_eq!(landed(&place)["reason"], "NOT_AN_ADMINISTRATOR");
    app.run_jobs().await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILED"), &json!("NOT_AN_ADMINISTRATOR"))
    );
    assert_eq!(app.remains(&org).await, []);
    app.finish().await;
}

async fn s1_12_a_forged_tenant_on_the_consent_redirect_binds_nothing(app: TestApp) {
    let org = app.with_tenant("Twelve D", 3, 1).await;
    let other = app.with_tenant("Victim", 2, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::consent).await;
    let (state, victim) = (member(&page, "state"), other.sandbox["id"].as_str().unwrap());
    let path = providers::microsoft::CONSENTED_PATH;
    let forged = format!("{path}?admin_consent=True&tenant={victim}&state={state}");
    let said = landed(&app.open(&mut browser, &forged).await);
    assert_eq!(said["reason"], "TENANT_MISMATCH");
    app.run_jobs().await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILED"), &json!("TENANT_MISMATCH"))
    );
    assert_eq!(app.remains(&org).await, []);
    assert_eq!(app.remains(&other).await, []);
    app.finish().await;
}

async fn s1_12_a_state_that_was_used_or_is_anothers_changes_nothing(app: TestApp) {
    let org = app.with_tenant("Twelve E", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::sign_in).await;
    let used = member(&page, "state");
    let (mut place, mut told) = (app.send(&mut browser, &page, &[]).await, false);
    while let Location::Page(page) = &place
        && (at::sign_in(page) || at::asked(page))
    {
        if at::asked(page) {
            let account = org.sandbox["admin"]["address"].as_str().unwrap();
            for named in ["Twelve E", account, org.sandbox["id"].as_str().unwrap()] {
                assert!(page.text.contains(named), "it says who asks whom: {}", page.text);
            }
            told = true;
        }
        place = app.send(&mut browser, page, &[]).await;
    }
    assert!(told, "a page of ours stands before the provider's second one");
    let consent = place.page().unwrap();
    assert!(at::consent(&consent), "{}", consent.url);
    let fresh = member(&consent, "state");
    let (signed_in, consented) = (providers::microsoft::SIGNED_IN_PATH, providers::microsoft::CONSENTED_PATH);
    let tenant = org.sandbox["id"].as_str().unwrap();
    for replayed in [
        format!("{signed_in}?code=again&state={used}"),
        format!("{signed_in}?code=again&state={fresh}"),
        format!("{consented}?admin_consent=True&tenant={tenant}&state={used}"),
        format!("{consented}?admin_consent=True&tenant={tenant}"),
    ] {
        let page = app.open(&mut browser, &replayed).await.page().unwrap();
        assert_eq!(page.code.as_deref(), Some("STATE_INVALID"), "{replayed}: {}", page.text);
    }
    // Another browser, with a state that is right but not its own.
    let stolen = format!("{consented}?admin_consent=True&tenant={tenant}&state={fresh}");
    let page = app.open(&mut app.browser(&org), &stolen).await.page().unwrap();
    assert_eq!(page.code.as_deref(), Some("SESSION_OVER"), "{}", page.text);
    assert_eq!(app.integration(&org).await["state"], "AWAITING_CONSENT");
    assert_eq!(app.remains(&org).await, [("live run", 1)]);
    // The attempt itself is unharmed.
    app.send_all(&mut browser, &consent).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

async fn s1_12_an_expired_link_says_so_and_makes_nothing(app: TestApp) {
    let org = app.with_tenant("Twelve F", 2, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    app.advance(Duration::days(7)).await;
    let again = browser.open(link.parse().unwrap()).await.unwrap().page().unwrap();
    assert_eq!(again.code.as_deref(), Some("LINK_EXPIRED"), "{}", again.text);
    let sent = browser.submit(&page, ACCEPTED_TERMS).await.unwrap().page().unwrap();
    assert_eq!(sent.code.as_deref(), Some("LINK_EXPIRED"), "{}", sent.text);
    let unknown = app.base.join("/connect/made-up").unwrap();
    let unknown = browser.open(unknown).await.unwrap().page().unwrap();
    assert_eq!(unknown.code.as_deref(), Some("LINK_UNKNOWN"), "{}", unknown.text);
    assert!(app.integrations(&org).await.is_empty());
    assert_eq!(app.remains(&org).await, []);
    app.finish().await;
}

async fn s1_12_whoever_walks_away_leaves_an_expired_integration_and_nothing_else(app: TestApp) {
    let org = app.with_tenant("Twelve G", 3, 1).await;
    app.with_users(&org, 3).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    app.advance(Duration::hours(2)).await;
    let late = app.send(&mut browser, &page, &[]).await.page().unwrap();
    assert_eq!(late.code.as_deref(), Some("SESSION_OVER"), "{}", late.text);
    assert_eq!(app.integration(&org).await["state"], "AWAITING_AUTHORIZATION");
    app.advance(Duration::days(7)).await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("EXPIRED"), &json!("CONNECT_EXPIRED"))
    );
    assert!(integration["reason"]["nextAction"].is_string(), "{integration}");
    assert_eq!(app.remains(&org).await, []);
    app.finish().await;
}

async fn s1_13_whoever_may_edit_users_connects_another_users_calendar(app: TestApp) {
    let org = app.with_tenant("Thirteen", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    let (late, address) = (org.outsider(), org.people()[org.outsider()].to_owned());
    app.connect(&org).await;
    assert_eq!(app.mailbox_state(&org, &address).await, "UNREACHABLE");
    app.scope(&org, &address, true).await;
    let editor = (late + 1) % users.len();
    let input = json!({ "userId": users[late] });
    let plain = app.user(&org.tenant, &users[editor]).await;
    assert_eq!(plain.refused("activateUserCalendar", "run { id }", input.clone()).await, "FORBIDDEN");
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "UNREACHABLE");
    app.give_role(&org, &users[editor], "Human Resources").await;
    let editor = app.user(&org.tenant, &users[editor]).await;
    let done = editor.mutate("activateUserCalendar", "run { id workflow }", input).await;
    assert_eq!(done["run"]["workflow"], "activate_mailbox", "{done}");
    app.run_jobs().await;
    assert_eq!(app.mailbox_state(&org, &address).await, "ACTIVE");
    app.finish().await;
}

both! {
    s1_1_a_technical_account_is_registered_as_the_tenants_service_account,
    s1_2_many_calendars_are_connected_without_their_owners_signing_in,
    s1_3_only_whoever_may_manage_users_or_connect_calendars_starts_it,
    s1_6_the_first_page_explains_what_will_happen_before_anything_is_sent,
    s1_8_linking_is_impossible_until_both_boxes_are_ticked_and_who_ticked_is_stored,
    s1_10_after_the_consent_the_browser_lands_where_the_vendor_allowed_it,
    s1_11_the_connected_service_account_is_shown_as_the_current_one,
    s1_12_a_consent_refused_at_the_provider_lands_back_and_leaves_nothing,
    s1_12_an_authorisation_refused_takes_the_consent_out_of_force,
    s1_12_somebody_who_is_no_administrator_is_sent_back_with_the_reason,
    s1_12_a_forged_tenant_on_the_consent_redirect_binds_nothing,
    s1_12_a_state_that_was_used_or_is_anothers_changes_nothing,
    s1_12_an_expired_link_says_so_and_makes_nothing,
    s1_12_whoever_walks_away_leaves_an_expired_integration_and_nothing_else,
    s1_13_whoever_may_edit_users_connects_another_users_calendar,
}
