//! A plan or a feature that is taken away suspends the tenant's integrations at once, and gives them back as they were
//! (S6.11).

use chrono::Duration;
use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{
    Org, TestApp,
    steps::{at, evening},
};

const SUSPENDED: &str = "INTEGRATION_SUSPENDED";

/// The two ways in which the vendor takes the service account away and gives it back.
#[derive(Debug, Clone, Copy)]
enum Entitlement {
    Plan,
    Feature,
}

impl Entitlement {
    /// Code with which whatever needs the entitlement is refused.
    fn refusal(self) -> &'static str {
        match self {
            Self::Plan => "FEATURE_NOT_IN_PLAN",
            Self::Feature => "FEATURE_OFF",
        }
    }

    async fn set(self, app: &TestApp, org: &Org, on: bool) {
        let (field, input) = match self {
            Self::Plan => {
                ("setPlan", json!({ "tenantId": org.tenant, "plan": if on { "PLUS" } else { "BASIC" } }))
            }
            Self::Feature => {
                ("setFeature", json!({ "tenantId": org.tenant, "feature": "SERVICE_ACCOUNT", "on": on }))
            }
        };
        let made = app.vendor().mutate(field, "userErrors { code }", input).await;
        assert_eq!(made["userErrors"], json!([]), "{made}");
    }
}

async fn run(app: &TestApp, org: &Org, id: &Value) -> Value {
    let query = "query($id: ID!) { run(id: $id) { status reason { code nextAction } } }";
    app.vendor_for(&org.tenant).query(query, json!({ "id": id })).await["run"].clone()
}

/// Works for hours, with every reconciler.
async fn for_hours(app: &TestApp) {
    for _ in 0..3 {
        app.advance(Duration::hours(1)).await;
        for reconciler in Reconciler::ALL {
            app.reconcile(reconciler).await;
        }
        app.run_jobs().await;
    }
}

async fn suspends(app: TestApp, by: Entitlement) {
    let org = app.with_tenant("Suspended", 4, 1).await;
    let users = app.with_users(&org, 3).await;
    let integration = app.connect(&org).await;
    let organiser = &users[org.insider()];
    let id = app.order_booking(&org, organiser, "one", json!({})).await;
    by.set(&app, &org, false).await;

    let shown = app.integration(&org).await;
    assert_eq!((&shown["state"], &shown["reason"]["code"]), (&json!("SUSPENDED"), &json!(SUSPENDED)));
    assert!(shown["reason"]["nextAction"].as_str().unwrap().contains("vendor"), "{shown}");
    let requests = app.journal(0).await.len();
    // Somebody joins meanwhile.
    let vendor = app.vendor_for(&org.tenant);
    let newcomer = org.people()[3];
    let joined = json!({ "email": newcomer, "name": "Newcomer", "calendarAddress": newcomer });
    vendor.mutate("createUser", "user { id }", joined).await;
    let this = json!({ "id": integration });
    for (field, input) in [
        (
            "createBooking",
            evening(
                organiser,
                "two",
                json!({ "start": "2026-12-16T19:00:00Z", "end": "2026-12-16T19:30:00Z" }),
            ),
        ),
        ("verifyIntegration", this.clone()),
        ("startCampaign", json!({ "integrationId": integration })),
    ] {
        assert_eq!(vendor.refused(field, "__typename", input).await, SUSPENDED, "{field}");
    }
    let reconnection = vendor.refused("reconnectIntegration", "__typename", this).await;
    assert_eq!(reconnection, by.refusal());
    for_hours(&app).await;
    let asked = app.journal(requests).await;
    assert_eq!(asked, Vec::<Value>::new(), "nothing is read and nothing written");
    let booking = app.booking(&org, &id).await;
    assert_eq!(booking["state"], "HELD", "nothing is undone: {booking}");
    let waiting = run(&app, &org, &booking["run"]["id"]).await;
    assert_eq!((&waiting["status"], &waiting["reason"]["code"]), (&json!("WAITING"), &json!(SUSPENDED)));

    by.set(&app, &org, true).await;
    let shown = app.integration(&org).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("ACTIVE"), &Value::Null));
    let at = json!({ "start": "2026-12-16T19:00:00Z", "end": "2026-12-16T19:30:00Z" });
    let unknown =
        vendor.refused("createBooking", "__typename", evening(organiser, "three", at.clone())).await;
    assert_eq!(unknown, "CALENDAR_UNKNOWN", "nobody has followed the calendars meanwhile");
    app.settle().await;
    assert_eq!(app.booking(&org, &id).await["state"], "CONFIRMED", "its run was woken");
    app.reconcile(Reconciler::Calendars).await;
    app.run_jobs().await;
    let made = vendor.mutate("createBooking", "booking { id }", evening(organiser, "four", at)).await;
    assert_eq!(made["userErrors"], json!([]), "{made}");
    let wanted = if 3 == org.outsider() { "UNREACHABLE" } else { "ACTIVE" };
    assert_eq!(app.mailbox_state(&org, newcomer).await, wanted);
    app.finish().await;
}

async fn s6_11_a_plan_taken_away_suspends_at_once_and_given_back_it_goes_on(app: TestApp) {
    Box::pin(suspends(app, Entitlement::Plan)).await;
}

async fn s6_11_a_feature_taken_away_suspends_at_once_and_given_back_it_goes_on(app: TestApp) {
    Box::pin(suspends(app, Entitlement::Feature)).await;
}

/// The link is of no use meanwhile; afterwards the same page is finished.
async fn s6_11_a_connection_in_the_making_pauses_and_can_be_finished_afterwards(app: TestApp) {
    let org = app.with_tenant("Half", 3, 1).await;
    let link = app.invite(&org).await;
    let mut browser = app.browser(&org);
    let page = app.walk_to(&mut browser, &link, at::authorisation).await;
    let before = app.integration(&org).await;
    Entitlement::Feature.set(&app, &org, false).await;
    assert_eq!(app.integration(&org).await["state"], "SUSPENDED");
    let refused = app.send(&mut browser, &page, &[]).await.page().unwrap();
    assert_eq!(refused.code.as_deref(), Some("FEATURE_OFF"), "{}", refused.text);
    app.advance(Duration::minutes(5)).await;
    Entitlement::Feature.set(&app, &org, true).await;
    let after = app.integration(&org).await;
    assert_eq!((&after["state"], &after["reason"]), (&before["state"], &before["reason"]));
    app.send_all(&mut browser, &page).await;
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");
    app.finish().await;
}

/// The state and its reason are those from before.
async fn s6_11_a_failing_integration_is_failing_again_afterwards(app: TestApp) {
    let org = app.with_tenant("Failing", 3, 1).await;
    app.with_users(&org, 3).await;
    app.connect(&org).await;
    app.revoke(&org).await;
    app.reconcile(Reconciler::Health).await;
    app.run_jobs().await;
    let before = app.integration(&org).await;
    assert_eq!(before["state"], "FAILING");
    Entitlement::Plan.set(&app, &org, false).await;
    // Both have to be given back.
    Entitlement::Feature.set(&app, &org, false).await;
    Entitlement::Plan.set(&app, &org, true).await;
    assert_eq!(app.integration(&org).await["state"], "SUSPENDED");
    Entitlement::Feature.set(&app, &org, true).await;
    let after = app.integration(&org).await;
    assert_eq!((&after["state"], &after["reason"]), (&before["state"], &before["reason"]));
    app.finish().await;
}

/// The attempt ends while the integration is suspended, which shows afterwards.
async fn s6_11_what_ends_meanwhile_has_ended_afterwards(app: TestApp) {
    let org = app.with_tenant("Ended", 3, 1).await;
    let link = app.invite(&org).await;
    app.walk_to(&mut app.browser(&org), &link, at::authorisation).await;
    Entitlement::Plan.set(&app, &org, false).await;
    app.advance(Duration::days(60)).await;
    assert_eq!(app.integration(&org).await["state"], "SUSPENDED");
    Entitlement::Plan.set(&app, &org, true).await;
    let after = app.integration(&org).await;
    assert_eq!((&after["state"], &after["reason"]["code"]), (&json!("EXPIRED"), &json!("CONNECT_EXPIRED")));
    app.finish().await;
}

/// A step sends many requests: none after the suspension.
async fn s6_11_a_session_that_was_opened_before_sends_nothing_more(app: TestApp) {
    let org = app.with_tenant("Opened", 3, 1).await;
    app.connect(&org).await;
    let system = &app.node.services;
    let row = {
        let txn = system.store.read(org.id()).await.unwrap();
        entity::integration::of(org.id()).one(&txn).await.unwrap().unwrap()
    };
    let (provider, session) = system.grants().open_session(system, &row, None).await.unwrap();
    provider.people(&session, None).await.unwrap();
    Entitlement::Plan.set(&app, &org, false).await;
    let requests = app.journal(0).await.len();
    let refused = provider.people(&session, None).await.unwrap_err();
    assert_eq!(refused.code, services::SUSPENDED_REQUEST_CODE);
    assert_eq!(app.journal(requests).await, Vec::<Value>::new());
    Entitlement::Plan.set(&app, &org, true).await;
    provider.people(&session, None).await.unwrap();
    app.finish().await;
}

/// Nobody is invited to a meeting that took place, or did not, while the integration was suspended.
async fn s6_11_a_meeting_that_is_over_by_then_is_not_written(app: TestApp) {
    let org = app.with_tenant("Late", 3, 1).await;
    let users = app.with_users(&org, 3).await;
    app.connect(&org).await;
    let id = app.order_booking(&org, &users[org.insider()], "one", json!({})).await;
    Entitlement::Plan.set(&app, &org, false).await;
    app.advance(Duration::days(60)).await;
    Entitlement::Plan.set(&app, &org, true).await;
    let mails = app.mails(&org).await.len();
    app.settle().await;
    let booking = app.booking(&org, &id).await;
    assert_eq!((&booking["state"], &booking["reason"]["code"]), (&json!("FAILED"), &json!("IN_THE_PAST")));
    assert_eq!(app.interviews(&org, org.people()[org.insider()]).await, Vec::<Value>::new());
    assert_eq!(app.mails(&org).await.len(), mails);
    app.finish().await;
}

both! {
    s6_11_a_session_that_was_opened_before_sends_nothing_more,
    s6_11_a_meeting_that_is_over_by_then_is_not_written,
    s6_11_a_plan_taken_away_suspends_at_once_and_given_back_it_goes_on,
    s6_11_a_feature_taken_away_suspends_at_once_and_given_back_it_goes_on,
    s6_11_a_connection_in_the_making_pauses_and_can_be_finished_afterwards,
    s6_11_a_failing_integration_is_failing_again_afterwards,
    s6_11_what_ends_meanwhile_has_ended_afterwards,
}
