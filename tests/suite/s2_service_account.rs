//! S2: what the service account may do, and what it must be able to do.

use chrono::Duration;
use demo::browser::Browser;
use serde_json::{Value, json};

use crate::harness::{
    TestApp,
    steps::{ACCEPTED_TERMS, at},
};

fn creation(access: &str) -> Value {
    json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": access })
}

async fn s2_1_without_the_plan_the_feature_is_refused_with_a_clear_message(app: TestApp) {
    let input =
        json!({ "name": "Basic", "plan": "BASIC", "returnUrls": ["https://vendor.example/calendar"] });
    let made = app.vendor().mutate("createTenant", "tenant { id plan features }", input).await;
    let tenant = made["tenant"]["id"].as_str().unwrap().to_owned();
    let vendor = app.vendor_for(&tenant);
    let invitation = json!({ "email": "it@basic.test" });
    let on = json!({ "tenantId": tenant, "feature": "SERVICE_ACCOUNT", "on": true });
    assert_eq!(app.vendor().refused("setFeature", "tenant { id }", on.clone()).await, "PLAN_LACKS_FEATURE");
    for (field, selection, input) in [
        ("createIntegration", "integration { id }", creation("FULL")),
        ("inviteAdministrator", "url", invitation.clone()),
    ] {
        let said = vendor.mutate(field, selection, input).await;
        let refusal = &said["userErrors"][0];
        assert_eq!(refusal["code"], "FEATURE_NOT_IN_PLAN", "{said}");
        assert!(refusal["message"].as_str().unwrap().contains("plan PLUS"), "{said}");
    }
    let plus = json!({ "tenantId": tenant, "plan": "PLUS" });
    app.vendor().mutate("setPlan", "tenant { id }", plus).await;
    assert_eq!(
        vendor.refused("createIntegration", "integration { id }", creation("FULL")).await,
        "FEATURE_OFF"
    );
    app.vendor().mutate("setFeature", "tenant { id }", on).await;
    let link = vendor.mutate("inviteAdministrator", "url", invitation).await;
    // A plan that is taken back ends invitations as well.
    let basic = json!({ "tenantId": tenant, "plan": "BASIC" });
    app.vendor().mutate("setPlan", "tenant { id }", basic).await;
    let mut browser = app.browser(&app.with_tenant("Other", 2, 1).await);
    let refused = app.walk_to(&mut browser, link["url"].as_str().unwrap(), |_| true).await;
    assert_eq!(refused.code.as_deref(), Some("FEATURE_NOT_IN_PLAN"), "{}", refused.text);
    let rows = vendor.query("{ integrations(first: 5) { edges { node { id } } } }", json!({})).await;
    assert_eq!(rows["integrations"]["edges"], json!([]));
    app.finish().await;
}

async fn s2_3_full_and_restricted_are_accepted_and_free_busy_is_refused_with_the_reason(app: TestApp) {
    let org = app.with_tenant("Levels", 3, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    let said = vendor.mutate("createIntegration", "integration { id }", creation("FREE_BUSY")).await;
    let refusal = &said["userErrors"][0];
    assert_eq!(refusal["code"], "ACCESS_LEVEL_CANNOT_WRITE", "{said}");
    assert!(refusal["message"].as_str().unwrap().contains("cannot write"), "{said}");
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let mut free_busy = ACCEPTED_TERMS.to_vec();
    free_busy.push(("access", "FREE_BUSY"));
    let refused = browser.submit(&page, &free_busy).await.unwrap().page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("ACCESS_LEVEL_CANNOT_WRITE"), "{}", refused.text);
    assert!(app.integrations(&org).await.is_empty(), "a refusal made something");
    for access in ["FULL", "RESTRICTED"] {
        let made = vendor.mutate("createIntegration", "integration { accessLevel }", creation(access)).await;
        assert_eq!(made["integration"]["accessLevel"], access, "{made}");
    }
    app.finish().await;
}

async fn s2_6_b2_read_and_write_are_proven_by_a_probe_that_is_gone_afterwards(app: TestApp) {
    let org = app.with_tenant("Proof", 3, 2).await;
    app.with_users(&org, 3).await;
    app.connect(&org).await;
    assert_eq!(app.verdicts(&org, "WRITE").await.get(org.mailbox()).map(String::as_str), Some("PASSED"));
    let journal = app.journal(0).await;
    let keys = |outcome: &str| -> Vec<String> {
        let of = |entry: &&Value| entry["mailbox"] == org.mailbox() && entry["outcome"] == outcome;
        let mut keys: Vec<_> = journal.iter().filter(of).map(|entry| entry["event_id"].to_string()).collect();
        keys.sort();
        keys
    };
    let written = keys("created");
    assert_eq!(written.len(), 2, "two probes, at the same time: {journal:?}");
    assert_eq!(keys("deleted"), written, "each probe is removed again");
    assert_eq!(app.calendar(&org, org.mailbox()).await, Vec::<Value>::new(), "a probe is left");
    assert!(
        app.mails(&org).await.iter().all(|mail| mail["from"] != org.mailbox()),
        "somebody was told of a probe"
    );
    let rooms = app.verdicts(&org, "ROOM").await;
    assert_eq!(rooms.len(), 2, "{rooms:?}");
    assert!(rooms.values().all(|verdict| verdict == "PASSED"), "availability is read: {rooms:?}");
    app.finish().await;
}

async fn s2_6_a_permission_that_only_reads_fails_the_check_and_is_not_used(app: TestApp) {
    let org = app.with_tenant("Read", 3, 1).await;
    app.with_users(&org, 3).await;
    app.permit(&["Calendars.Read", "User.Read.All", "Place.Read.All", "MailboxSettings.Read"]).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    // A fresh permission may still spread: it is tried again for a day before it counts as missing.
    let waits = app.integration(&org).await;
    assert_eq!(
        (&waits["state"], &waits["reason"]["code"]),
        (&json!("AWAITING_PROPAGATION"), &json!("PERMISSION_SPREADING"))
    );
    app.advance(Duration::days(2)).await;
    app.advance(Duration::minutes(5)).await;
    let failed = app.integration(&org).await;
    assert_eq!(
        (&failed["state"], &failed["reason"]["code"]),
        (&json!("FAILED"), &json!("CHECK_WRITE_FAILED")),
        "{failed}"
    );
    assert!(failed["reason"]["nextAction"].is_string(), "{failed}");
    assert_eq!(failed["verifications"][0]["verdict"], "FAILED");
    assert_eq!(app.verdicts(&org, "WRITE").await.get(org.mailbox()).map(String::as_str), Some("FAILED"));
    let remains = app.remains(&org).await;
    assert!(
        !remains.iter().any(|(table, _)| matches!(
            *table,
            "consent_grant" | "external_binding" | "connection" | "campaign" | "live run"
        )),
        "{remains:?}"
    );
    app.finish().await;
}

async fn s2_8_each_mailbox_records_that_it_came_through_the_service_account(app: TestApp) {
    let org = app.with_tenant("Record", 4, 2).await;
    app.with_users(&org, 4).await;
    app.connect(&org).await;
    let connections = app.connections(&org).await;
    assert_eq!(connections.len(), 6, "{connections:?}");
    for (address, node) in &connections {
        assert_eq!(node["viaServiceAccount"], true, "{node}");
        let reachable = address != org.people()[org.outsider()];
        assert_eq!(node["route"], if reachable { "DELEGATED" } else { "SERVICE_ACCOUNT" }, "{node}");
        // What may be done there is measured, not assumed.
        assert_eq!(node["capabilities"]["create"], reachable, "{node}");
    }
    app.finish().await;
}

async fn the_language_comes_from_the_verified_directory_unless_somebody_has_set_one(app: TestApp) {
    let locale = "{ tenant { timeZone language version } }";
    let told = app.with_tenant("Told", 2, 1).await;
    let vendor = app.vendor_for(&told.tenant);
    let nothing = vendor.query(locale, json!({})).await;
    assert_eq!(
        (&nothing["tenant"]["timeZone"], &nothing["tenant"]["language"]),
        (&Value::Null, &Value::Null)
    );
    app.connect(&told).await;
    let known = vendor.query(locale, json!({})).await;
    assert_eq!(known["tenant"]["language"], "en", "{known}");
    assert_eq!(known["tenant"]["timeZone"], Value::Null, "Microsoft 365 tells no zone of an organisation");
    assert_ne!(known["tenant"]["version"], nothing["tenant"]["version"]);
    let set = app.with_tenant("Set", 2, 1).await;
    let wanted = json!({ "tenantId": set.tenant, "timeZone": "Europe/Vienna", "language": "de-at" });
    let changed = app.vendor().mutate("updateTenant", "tenant { timeZone language }", wanted).await;
    let expected = json!({ "timeZone": "Europe/Vienna", "language": "de-AT" });
    assert_eq!(changed["tenant"], expected);
    app.connect(&set).await;
    let kept = app.vendor_for(&set.tenant).query("{ tenant { timeZone language } }", json!({})).await;
    assert_eq!(kept["tenant"], expected);
    app.finish().await;
}

async fn s2_2_a_guide_and_a_link_are_all_that_it_needs(app: TestApp) {
    let org = app.with_tenant("Handed", 3, 1).await;
    let vendor = app.vendor_for(&org.tenant);
    let query = "{ connectPrerequisites(provider: MICROSOFT_365) { guide } }";
    let shown = vendor.query(query, json!({})).await;
    let shown = shown["connectPrerequisites"].as_array().unwrap().clone();
    let guide = shown.iter().find_map(|one| one["guide"].as_str()).unwrap();
    assert!(guide.starts_with(app.base.as_str()), "it can be sent as it is: {guide}");
    // Neither the guide nor the link asks who reads it: this browser has no token and no cookie.
    let request = http::Request::new(http::Method::GET, guide.parse().unwrap());
    let answer = demo::browser::local_client().unwrap().send(request).await.unwrap();
    assert!(answer.status.is_success(), "{}", answer.status);
    let html = answer.text();
    assert!(html.contains("Global Administrator") && html.contains("Calendars.ReadWrite"), "{html}");
    // Its links lead to the provider's own descriptions of the prerequisites, and to itself in another language.
    let mut links = html.split("href=\"").skip(1);
    assert!(
        links.all(|link| link.starts_with("https://learn.microsoft.com/") || link.starts_with("?lang=")),
        "{html}"
    );
    assert!(!html.contains("src="), "it loads nothing: {html}");
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    app.beside_jobs(browser.complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    // The invited person is known by the address, and has never had anything to sign in with.
    let users = vendor.query("{ users(first: 5) { nodes { id email } } }", json!({})).await;
    let users = users["users"]["nodes"].as_array().unwrap().clone();
    let invited = users.iter().find(|user| user["email"] == org.admin()).unwrap();
    let query = "query($id: ID!) { accessTokens(userId: $id, first: 5) { nodes { id } }
        openIdIssuers(first: 5) { nodes { id } } }";
    let held = vendor.query(query, json!({ "id": invited["id"] })).await;
    assert_eq!((&held["accessTokens"]["nodes"], &held["openIdIssuers"]["nodes"]), (&json!([]), &json!([])));
    app.finish().await;
}

async fn s2_4_restricted_reaches_the_calendars_of_a_group_and_no_mail(app: TestApp) {
    let org = app.with_tenant("Group", 5, 2).await;
    app.with_users(&org, 5).await;
    let group = [org.mailbox(), org.room(0), org.people()[org.insider()]];
    let all = org.people().into_iter().chain([org.room(0), org.room(1)]);
    for mailbox in all.filter(|mailbox| !group.contains(mailbox)) {
        app.scope(&org, mailbox, false).await;
    }
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let mut restricted = ACCEPTED_TERMS.to_vec();
    restricted.push(("access", "RESTRICTED"));
    let place = app.send(&mut browser, &page, &restricted).await;
    app.send_all(&mut browser, &place.page().unwrap()).await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["accessLevel"]),
        (&json!("ACTIVE"), &json!("RESTRICTED")),
        "{integration}"
    );
    let connections = app.connections(&org).await;
    assert_eq!(connections.len(), 7, "{connections:?}");
    for (address, node) in &connections {
        let (state, reason) = match group.contains(&address.as_str()) {
            true => (json!("ACTIVE"), Value::Null),
            false => (json!("UNREACHABLE"), json!("MAILBOX_OUT_OF_SCOPE")),
        };
        assert_eq!((&node["state"], &node["reason"]["code"]), (&state, &reason), "{node}");
    }
    // Calendars only: what was granted, and what was asked for.
    let at_provider =
        app.observe(&format!("/control/organisations/{}", org.sandbox["id"].as_str().unwrap())).await;
    let granted = &at_provider["consents"][&app.application.0]["roles"];
    assert_eq!(
        *granted,
        json!(["Calendars.ReadWrite", "MailboxSettings.Read", "Place.Read.All", "User.Read.All"])
    );
    let mail = ["/messages", "/mailfolders", "/sendmail"];
    for entry in app.journal(0).await {
        let path = entry["path"].as_str().unwrap_or_default().to_lowercase();
        assert!(!mail.iter().any(|word| path.contains(word)), "{entry}");
    }
    app.finish().await;
}

/// An outage has other tests, and another code.
async fn s2_5_a_refused_login_ends_the_attempt_with_its_own_code_and_leaves_nothing(app: TestApp) {
    let org = app.with_tenant("Told Apart", 3, 1).await;
    let path = format!("/control/organisations/{}/technical-account", org.sandbox["id"].as_str().unwrap());
    let user = app.control(&path, json!({ "password": "right" })).await["user"].as_str().unwrap().to_owned();
    let answers = [
        ("provider", "EXCHANGE"),
        ("server", app.sandbox.as_str()),
        ("user", &user),
        ("password", "wrong"),
        ("service_mailbox", org.mailbox()),
    ];
    let answers = answers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
    let link = app.invite(&org).await;
    let page = app.walk_to(&mut browser, &link, |page| page.url.path() == "/connect/credentials").await;
    // Not `send`, which waits for the page: nobody moves the clock there.
    browser.submit(&page, &[]).await.unwrap();
    for _ in 0..12 {
        app.advance(Duration::minutes(1)).await;
    }
    let ended = app.integration(&org).await;
    assert_eq!(
        (&ended["state"], &ended["reason"]["code"]),
        (&json!("FAILED"), &json!("CREDENTIALS_REFUSED")),
        "{ended}"
    );
    assert_eq!(app.remains(&org).await, []);
    app.finish().await;
}

both! {
    the_language_comes_from_the_verified_directory_unless_somebody_has_set_one,
    s2_1_without_the_plan_the_feature_is_refused_with_a_clear_message,
    s2_2_a_guide_and_a_link_are_all_that_it_needs,
    s2_3_full_and_restricted_are_accepted_and_free_busy_is_refused_with_the_reason,
    s2_4_restricted_reaches_the_calendars_of_a_group_and_no_mail,
    s2_5_a_refused_login_ends_the_attempt_with_its_own_code_and_leaves_nothing,
    s2_6_b2_read_and_write_are_proven_by_a_probe_that_is_gone_afterwards,
    s2_6_a_permission_that_only_reads_fails_the_check_and_is_not_used,
    s2_8_each_mailbox_records_that_it_came_through_the_service_account,
}
