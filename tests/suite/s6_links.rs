//! S6.1 and S1.7: whoever may connect gets a link, and the page offers what the tenant may use.

use demo::browser::{ACCEPTED_TERMS, Browser, Page};
use serde_json::{Value, json};

use crate::harness::{
    Org, TestApp,
    steps::{LANDING, at, landed},
};

const LINK: &str = "url invitationId";

/// The user's own link.
async fn own_link(app: &TestApp, org: &Org, user: &str, input: Value) -> String {
    let caller = app.user(&org.tenant, user).await;
    let made = caller.mutate("createConnectLink", LINK, input).await;
    made["url"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// The administrator's browser, whoever has created the link.
fn administrator(org: &Org) -> Browser {
    let answers =
        [("provider", "MICROSOFT_365"), ("service_mailbox", org.mailbox()), ("address", org.admin())];
    let answers = answers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Browser::new(demo::browser::local_client().unwrap(), answers).with_landing(LANDING.parse().unwrap())
}

/// What a link answers to a browser that opens it.
async fn code_of(app: &TestApp, org: &Org, link: &str) -> Option<String> {
    app.browser(org).open(link.parse().unwrap()).await.unwrap().page().unwrap().code
}

async fn s6_1_whoever_may_connect_gets_a_link_for_themselves(app: TestApp) {
    let org = app.with_tenant("Own Link", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    let plain = app.user(&org.tenant, &users[0]).await;
    assert_eq!(plain.refused("createConnectLink", LINK, json!({})).await, "FORBIDDEN");
    let vendor = app.vendor_for(&org.tenant);
    assert_eq!(vendor.refused("createConnectLink", LINK, json!({})).await, "USER_NEEDED");
    app.give_role(&org, &users[1], "Calendar Connector").await;
    let elsewhere = json!({ "returnUrl": "https://evil.example/" });
    let connector = app.user(&org.tenant, &users[1]).await;
    assert_eq!(connector.refused("createConnectLink", LINK, elsewhere).await, "RETURN_URL_NOT_ALLOWED");
    let link = own_link(&app, &org, &users[1], json!({ "returnUrl": LANDING })).await;

    // The minimal role connects, but does not choose the service account (S4.18).
    let mut browser = administrator(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    assert!(!page.form().unwrap().has_field("service_mailbox"), "{}", page.text);
    let mut forged = page.clone();
    let mut field = forged.form().unwrap().fields[0].clone();
    (field.name, field.value) = ("service_mailbox".to_owned(), org.mailbox().to_owned());
    field.kind = demo::browser::FieldKind::Hidden;
    forged.next.as_mut().unwrap().fields.push(field);
    let refused = app.send(&mut browser, &forged, ACCEPTED_TERMS).await.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("SERVICE_MAILBOX_NOT_YOURS"), "{}", refused.text);
    let place = app.send_all(&mut browser, &page).await;
    assert_eq!(landed(&place)["state"], "ACTIVE");
    app.finish().await;
}

async fn s6_1_a_link_of_ones_own_ends_with_the_permission_and_with_the_users_tokens(app: TestApp) {
    let org = app.with_tenant("Ends", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.give_role(&org, &users[1], "Calendar Connector").await;
    let link = own_link(&app, &org, &users[1], json!({})).await;
    assert_eq!(code_of(&app, &org, &link).await, None);
    let vendor = app.vendor_for(&org.tenant);
    let role = app.role(&org, "Calendar Connector").await;
    vendor.mutate("unassignRoles", "user { id }", json!({ "userId": users[1], "roleIds": [role] })).await;
    assert_eq!(code_of(&app, &org, &link).await.as_deref(), Some("LINK_WITHDRAWN"));
    app.give_role(&org, &users[1], "Calendar Connector").await;
    assert_eq!(code_of(&app, &org, &link).await, None);

    let mut browser = app.browser(&org);
    app.walk_to(&mut browser, &link, at::sign_in).await;
    vendor.mutate("revokeAccessTokens", "revokedCount", json!({ "userId": users[1] })).await;
    assert_eq!(code_of(&app, &org, &link).await.as_deref(), Some("LINK_EXPIRED"));
    let page = app.open(&mut browser, "/connect/progress").await.page().unwrap();
    assert_eq!(page.code.as_deref(), Some("SESSION_OVER"), "{}", page.text);

    // It is listed and revoked like any invitation.
    let caller = app.user(&org.tenant, &users[1]).await;
    let made = caller.mutate("createConnectLink", LINK, json!({})).await;
    let query = "{ invitations(first: 10) { nodes { id } } }";
    let listed = vendor.query(query, json!({})).await;
    let id = json!({ "id": made["invitationId"] });
    assert!(listed["invitations"]["nodes"].as_array().unwrap().contains(&id), "{listed}");
    vendor.mutate("revokeInvitation", "revokedInvitationId", id).await;
    assert_eq!(code_of(&app, &org, made["url"].as_str().unwrap()).await.as_deref(), Some("LINK_EXPIRED"));
    app.run_jobs().await;
    app.abandon().await;
}

async fn s6_1_an_integration_that_waits_says_how_to_go_on(app: TestApp) {
    let org = app.with_tenant("Next", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.give_role(&org, &users[1], "Administrator").await;
    let boss = app.user(&org.tenant, &users[1]).await;
    let fields = "integration { id state reason { code nextAction } }";
    let new = json!({ "provider": "MICROSOFT_365", "name": "Calendars", "accessLevel": "FULL" });
    let made = boss.mutate("createIntegration", fields, new).await;
    let reason = &made["integration"]["reason"];
    assert_eq!(reason["code"], "TERMS_PENDING", "{made}");
    assert!(reason["nextAction"].as_str().unwrap().contains("connect link"), "{made}");
    let id = made["integration"]["id"].clone();
    let link = own_link(&app, &org, &users[1], json!({ "integrationId": id })).await;
    app.beside_jobs(administrator(&org).complete_pages(&link)).await.unwrap();
    app.run_jobs().await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");

    // Once the consent is gone, it is connected again in the same way.
    app.revoke(&org).await;
    app.reconcile(workflows::reconcile::Reconciler::Health).await;
    app.run_jobs().await;
    let failing = app.integration(&org).await;
    assert_eq!(failing["state"], "FAILING", "{failing}");
    let run = boss.mutate("reconnectIntegration", "run { id }", json!({ "id": id })).await;
    assert!(run["run"]["id"].is_string(), "{run}");
    let waits = app.integration(&org).await;
    assert_eq!(waits["reason"]["code"], failing["reason"]["code"]);
    assert!(waits["reason"]["nextAction"].as_str().unwrap().contains("connect link"), "{waits}");
    let link = own_link(&app, &org, &users[1], json!({ "integrationId": id })).await;
    let mut browser = administrator(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    assert!(page.text.contains("renewed") && !page.form().unwrap().has_field("access"), "{}", page.text);
    app.send_all(&mut browser, &page).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

/// The calendar systems for which a page has a button.
fn offered(page: &Page) -> Vec<String> {
    let buttons = page.form().unwrap().fields.iter().filter(|field| field.name == "provider");
    buttons.map(|field| field.value.clone()).collect()
}

async fn s1_7_staff_choose_the_calendar_systems_of_a_tenant(app: TestApp) {
    let org = app.with_tenant("Choice", 2, 1).await;
    let staff = app.vendor();
    let choose = async |providers: Value| {
        let input = json!({ "tenantId": org.tenant, "providers": providers });
        staff.mutate("updateTenant", "tenant { providers }", input).await
    };
    assert_eq!(choose(json!([])).await["userErrors"][0]["code"], "PROVIDERS_MISSING");
    let chosen = choose(json!(["GOOGLE_WORKSPACE", "CALDAV", "CALDAV"])).await;
    let mut words: Vec<_> =
        chosen["tenant"]["providers"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    words.sort_unstable();
    assert_eq!(words, ["CALDAV", "GOOGLE_WORKSPACE"]);
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::choice).await;
    let mut buttons = offered(&page);
    buttons.sort();
    assert_eq!(buttons, words);
    // Neither a form that names another one nor the API connects it.
    let mut forged = page.clone();
    let fields = &mut forged.next.as_mut().unwrap().fields;
    let button = fields.iter_mut().find(|field| field.name == "provider").unwrap();
    "MICROSOFT_365".clone_into(&mut button.value);
    let refused = app.send(&mut browser, &forged, ACCEPTED_TERMS).await.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("PROVIDER_NOT_OFFERED"), "{}", refused.text);
    let new = json!({ "provider": "EXCHANGE", "name": "Calendars", "accessLevel": "FULL" });
    let vendor = app.vendor_for(&org.tenant);
    assert_eq!(vendor.refused("createIntegration", "integration { id }", new).await, "PROVIDER_NOT_OFFERED");
    assert!(app.integrations(&org).await.is_empty());
    assert_eq!(choose(Value::Null).await["tenant"]["providers"].as_array().unwrap().len(), 4);
    app.finish().await;
}

async fn a_users_own_consent_returns_where_the_user_came_from(app: TestApp) {
    let org = app.with_tenant("Own Return", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let user = app.user(&org.tenant, &users[org.insider()]).await;
    let elsewhere = json!({ "returnUrl": "https://evil.example/" });
    assert_eq!(user.refused("connectOwnCalendar", "url", elsewhere).await, "RETURN_URL_NOT_ALLOWED");
    let address = org.people()[org.insider()].to_owned();
    for return_url in [Some("https://vendor.example/calendar/mine"), None] {
        let begun = user.mutate("connectOwnCalendar", "url", json!({ "returnUrl": return_url })).await;
        let answers = vec![("address".to_owned(), address.clone())];
        let mut browser = Browser::new(demo::browser::local_client().unwrap(), answers);
        browser = browser.with_landing("https://vendor.example/calendar/mine".parse().unwrap());
        let end = app.beside_jobs(browser.complete_pages(begun["url"].as_str().unwrap())).await.unwrap();
        app.run_jobs().await;
        match (return_url, end) {
            (Some(_), demo::browser::Location::Landed(_)) => {}
            (None, demo::browser::Location::Page(page)) => {
                assert_eq!(page.title, "Your calendar is connected", "{}", page.text);
            }
            (_, end) => panic!("{return_url:?} ended at {end:?}"),
        }
    }
    app.finish().await;
}

both! {
    a_users_own_consent_returns_where_the_user_came_from,
    s1_7_staff_choose_the_calendar_systems_of_a_tenant,
    s6_1_a_link_of_ones_own_ends_with_the_permission_and_with_the_users_tokens,
    s6_1_an_integration_that_waits_says_how_to_go_on,
    s6_1_whoever_may_connect_gets_a_link_for_themselves,
}
