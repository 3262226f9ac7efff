//! T21: every query, mutation and subscription of the schema, called with another tenant's things.
//!
//! The schema itself says what there is: each field with each of its id arguments is called with every kind of id that
//! the victim has. Nothing of the victim's is answered, and nothing of the victim's changes. Everything of the victim's
//! that is text carries a mark, so a leak is found wherever it is. An argument for which no value can be made fails the
//! test.

mod document;
mod victim;

use std::{collections::BTreeSet, time::Duration};

use domain::{Permission, StandardRole};
use futures::{FutureExt, StreamExt};
use serde_json::{Value, json};

use self::{
    document::{Call, Types},
    victim::{MARK, TENANT, Victim},
};
use crate::graphql::setup::Setup;
use entity::TrustedCode;
use services::Caller;

/// Longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_mins(1);

/// Who calls with things that are not theirs.
async fn strangers(setup: &Setup, victim: &Victim) -> Vec<(&'static str, Caller)> {
    let other = setup.tenant("other").await;
    // What is their own is answered, so that every subscription has something to say.
    let integration = setup.integration(other).await;
    let own = setup.person(other, integration, "own").await;
    victim::booking(setup, &setup.user(other, StandardRole::Administrator).await, own, &[], "own").await;
    let everything: BTreeSet<_> =
        Permission::ALL.iter().copied().filter(|p| *p != Permission::Staff).collect();
    let key = setup.staff().kind();
    vec![
        ("nobody", Caller::anonymous()),
        ("another tenant's administrator", setup.user(other, StandardRole::Administrator).await),
        ("a key for another tenant", Caller::new(TrustedCode, key, Some(other), everything)),
        ("a key without a tenant", Caller::new(TrustedCode, key, None, BTreeSet::new())),
        ("a colleague without any permission", setup.with(victim.tenant, &[]).await),
    ]
}

/// Subscriptions that may have nothing to say to those who may listen: nobody here has a parked run, and nobody else has
/// a connection of the victim's integration.
const QUIET: &[&str] = &["runParked", "connectionStatus"];

/// What may be answered to a request that is refused.
const REFUSALS: &[&str] = &[
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "TENANT_MISSING",
    "BAD_USER_INPUT",
    // The engine's own word for an answer that is out of the question, such as a cursor of another list.
    "GRAPHQL_VALIDATION_FAILED",
];

#[tokio::test]
async fn t21_nothing_of_another_tenants_is_answered_or_changed() {
    let setup = Setup::new().await;
    let victim = Victim::new(&setup).await;
    let types = Types::of(&setup.introspection().await);
    let strangers = strangers(&setup, &victim).await;
    let before = victim.rows(&setup).await;
    let (mut calls, mut refused) = (0, 0);
    for call in types.calls(&victim.ids) {
        for (who, caller) in &strangers {
            let answer = asked(&setup, caller, &call).await;
            let what = format!("{who}: {} {}", call.document, call.variables);
            let is_member = caller.tenant() == Some(victim.tenant);
            for mark in [MARK, TENANT].into_iter().filter(|mark| !is_member || *mark != TENANT) {
                assert!(!answer.to_string().contains(mark), "{what} shows {answer}");
            }
            for error in answer["errors"].as_array().into_iter().flatten() {
                let code = error["extensions"]["code"].as_str().unwrap_or("none");
                assert!(!["INTERNAL", "none"].contains(&code), "{what}: {error}");
                refused += usize::from(REFUSALS.contains(&code));
            }
            calls += 1;
        }
    }
    let after = victim.rows(&setup).await;
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table} of the victim has changed");
    }
    assert!(calls > 2_000 && refused > 1_000, "{calls} calls, {refused} refused");
}

/// The same calls by the victim's own administrator show the mark: the calls reach what there is to be seen.
#[tokio::test]
async fn the_victims_own_administrator_sees_what_strangers_do_not() {
    let setup = Setup::new().await;
    let victim = Victim::new(&setup).await;
    let types = Types::of(&setup.introspection().await);
    let own = setup.user(victim.tenant, StandardRole::Administrator).await;
    let mut seen = BTreeSet::new();
    for call in types.calls(&victim.ids).filter(|call| call.operation != "mutation") {
        let answer = asked(&setup, &own, &call).await;
        if answer.to_string().contains(MARK) {
            seen.insert(call.field.clone());
        }
    }
    let wanted = [
        "auditLog",
        "booking",
        "bookingChanged",
        "bookings",
        "campaign",
        "connectedMailbox",
        "connectedMailboxes",
        "integration",
        "integrations",
        "integrationStatus",
        "node",
        "nodes",
        "roles",
        "room",
        "rooms",
        "run",
        "runs",
        "user",
        "users",
    ];
    for field in wanted {
        assert!(seen.contains(field), "{field} shows its owner nothing: {seen:?}");
    }
}

/// The answer; of a subscription the first one, which says how things stand.
async fn asked(setup: &Setup, caller: &Caller, call: &Call) -> Value {
    if call.operation != "subscription" {
        return serde_json::to_value(setup.response(caller, &call.document, call.variables.clone()).await)
            .unwrap();
    }
    let mut told = setup.listen(caller, &call.document, call.variables.clone());
    if QUIET.contains(&call.field.as_str()) && caller.allow_member().is_ok() {
        for _ in 0..500 {
            if let Some(answer) = told.next().now_or_never() {
                return answer.unwrap_or_default();
            }
            tokio::task::yield_now().await;
        }
        return Value::Null;
    }
    let first = tokio::time::timeout(PATIENCE, told.next()).await;
    json!({ "data": first.unwrap_or_else(|_| panic!("{} says how things stand", call.field)) })
}
