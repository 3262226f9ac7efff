//! S5.1: what the product permits, what the provider was asked to grant, and which mailboxes that reaches.

use serde_json::{Value, json};
use workflows::reconcile::Reconciler;

use crate::harness::{TestApp, steps::evening};

async fn s5_1_permission_consent_and_scope_are_separate(app: TestApp) {
    let org = app.with_tenant("Layers", 4, 1).await;
    let users = app.with_users(&org, 4).await;
    app.connect(&org).await;
    let (inside, outside) = (org.people()[org.insider()], org.people()[org.outsider()]);
    let vendor = app.vendor_for(&org.tenant);
    let plain = app.user(&org.tenant, &users[org.insider()]).await;
    let wish = |key: &str| evening(&users[org.insider()], key, json!({}));

    // Without the permission, consent and scope are of no use, and the provider is not asked.
    let before = app.journal(0).await.len();
    assert_eq!(plain.refused("createBooking", "booking { id }", wish("a")).await, "FORBIDDEN");
    app.run_jobs().await;
    assert_eq!(app.journal(before).await, Vec::<Value>::new());
    assert_eq!(app.integration(&org).await["state"], "ACTIVE");

    // Outside the scope, permission and consent are of no use, and nothing else is said to be wrong.
    let activate = json!({ "userId": users[org.outsider()] });
    vendor.mutate("activateUserCalendar", "run { id }", activate.clone()).await;
    app.run_jobs().await;
    let lost = app.connections(&org).await[outside].clone();
    assert_eq!(
        (&lost["state"], &lost["reason"]["code"]),
        (&json!("UNREACHABLE"), &json!("MAILBOX_OUT_OF_SCOPE"))
    );
    let integration = app.integration(&org).await;
    assert_eq!((&integration["state"], &integration["reason"]), (&json!("ACTIVE"), &Value::Null));

    // Without the consent, permission and scope stay as they are and are of no use.
    app.revoke(&org).await;
    app.reconcile(Reconciler::Health).await;
    let integration = app.integration(&org).await;
    assert_eq!(
        (&integration["state"], &integration["reason"]["code"]),
        (&json!("FAILING"), &json!("CONSENT_LOST"))
    );
    assert_eq!(app.mailbox_state(&org, inside).await, "ACTIVE", "the scope is as before");
    assert_eq!(app.connections(&org).await[outside]["reason"]["code"], "MAILBOX_OUT_OF_SCOPE");
    assert_eq!(plain.refused("createBooking", "booking { id }", wish("b")).await, "FORBIDDEN");
    let id = app.order_booking(&org, &users[org.insider()], "c", json!({})).await;
    app.settle().await;
    let booking = app.booking(&org, &id).await;
    assert_eq!((&booking["state"], &booking["reason"]["code"]), (&json!("FAILED"), &json!("CONSENT_LOST")));
    // A wider scope and another permission do not stand in for it.
    app.scope(&org, outside, true).await;
    app.give_role(&org, &users[org.insider()], "Administrator").await;
    app.reconcile(Reconciler::Health).await;
    assert_eq!(app.integration(&org).await["state"], "FAILING");
    app.finish().await;
}

both! { s5_1_permission_consent_and_scope_are_separate }
