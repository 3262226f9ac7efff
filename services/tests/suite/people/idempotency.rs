//! Requests that are sent twice.

use chrono::Duration;
use domain::{AnyId, Id, ids};
use serde_json::json;
use services::{
    Error, Tx,
    idempotency::{BeginOutcome, PendingRequest, begin},
};

use crate::people::harness::{Harness, refused};

on_both!(
    a_repeated_request_is_answered_with_what_the_first_one_made,
    the_same_key_with_other_parameters_is_refused,
    a_request_that_was_not_committed_is_forgotten,
    two_at_the_same_time_make_one_thing,
    a_key_is_forgotten_after_a_day,
    keys_of_different_callers_fields_and_tenants_do_not_meet,
    a_key_has_1_to_128_characters,
);

async fn ask(tx: &Tx, key: &str, title: &str) -> Result<BeginOutcome, Error> {
    begin(tx, "createBooking", "usr_1", key, &json!({ "title": title, "rooms": [1, 2] })).await
}

fn new(begun: Result<BeginOutcome, Error>) -> PendingRequest {
    match begun.unwrap() {
        BeginOutcome::New(ticket) => ticket,
        BeginOutcome::Replay(entity) => panic!("it was done before and made {entity:?}"),
    }
}

fn replayed(begun: Result<BeginOutcome, Error>) -> AnyId {
    match begun.unwrap() {
        BeginOutcome::New(_) => panic!("it is new"),
        BeginOutcome::Replay(entity) => entity,
    }
}

async fn made(h: &Harness, tenant: Id<ids::Tenant>, key: &str) -> AnyId {
    let entity = AnyId::from_uuid(h.services.ids.uuid());
    let tx = h.services.begin(tenant).await.unwrap();
    new(ask(&tx, key, "Lunch").await).finish(&tx, entity).await.unwrap();
    tx.commit().await.unwrap();
    entity
}

async fn a_repeated_request_is_answered_with_what_the_first_one_made(h: Harness) {
    let tenant = h.tenant("acme").await;
    let entity = made(&h, tenant, "k").await;
    for _ in 0..2 {
        let tx = h.services.begin(tenant).await.unwrap();
        assert_eq!(replayed(ask(&tx, "k", "Lunch").await), entity);
    }
    let tx = h.services.begin(tenant).await.unwrap();
    let reordered = serde_json::from_str::<serde_json::Value>(r#"{"rooms":[1,2],"title":"Lunch"}"#).unwrap();
    assert_eq!(replayed(begin(&tx, "createBooking", "usr_1", "k", &reordered).await), entity);
}

async fn the_same_key_with_other_parameters_is_refused(h: Harness) {
    let tenant = h.tenant("acme").await;
    made(&h, tenant, "k").await;
    let tx = h.services.begin(tenant).await.unwrap();
    assert_eq!(refused(ask(&tx, "k", "Dinner").await), "IDEMPOTENCY_MISMATCH");
}

async fn a_request_that_was_not_committed_is_forgotten(h: Harness) {
    let tenant = h.tenant("acme").await;
    let tx = h.services.begin(tenant).await.unwrap();
    new(ask(&tx, "k", "Lunch").await).finish(&tx, AnyId::from_uuid(h.services.ids.uuid())).await.unwrap();
    drop(tx);
    let tx = h.services.begin(tenant).await.unwrap();
    let _ticket = new(ask(&tx, "k", "Dinner").await);
    assert_eq!(refused(ask(&tx, "k", "Dinner").await), "IN_PROGRESS");
}

async fn two_at_the_same_time_make_one_thing(h: Harness) {
    let tenant = h.tenant("acme").await;
    let tx = h.services.begin(tenant).await.unwrap();
    let ticket = new(ask(&tx, "k", "Lunch").await);
    let entity = AnyId::from_uuid(h.services.ids.uuid());
    let second = async {
        let tx = h.services.begin(tenant).await.unwrap();
        replayed(ask(&tx, "k", "Lunch").await)
    };
    let first = async {
        ticket.finish(&tx, entity).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (seen, ()) = futures::join!(second, first);
    assert_eq!(seen, entity, "the second waits for the first and is answered alike");
}

async fn a_key_is_forgotten_after_a_day(h: Harness) {
    let tenant = h.tenant("acme").await;
    let entity = made(&h, tenant, "k").await;
    h.clock.advance(Duration::hours(24) - Duration::seconds(1));
    let tx = h.services.begin(tenant).await.unwrap();
    assert_eq!(replayed(ask(&tx, "k", "Lunch").await), entity);
    drop(tx);
    h.clock.advance(Duration::seconds(1));
    assert_ne!(made(&h, tenant, "k").await, entity);
}

async fn keys_of_different_callers_fields_and_tenants_do_not_meet(h: Harness) {
    let (tenant, other) = (h.tenant("acme").await, h.tenant("other").await);
    made(&h, tenant, "k").await;
    made(&h, other, "k").await;
    let tx = h.services.begin(tenant).await.unwrap();
    let _ticket = new(begin(&tx, "createBooking", "usr_2", "k", &json!({})).await);
    let _ticket = new(begin(&tx, "moveBooking", "usr_1", "k", &json!({})).await);
}

async fn a_key_has_1_to_128_characters(h: Harness) {
    let tenant = h.tenant("acme").await;
    let tx = h.services.begin(tenant).await.unwrap();
    for key in ["", &"k".repeat(129), "a\nb"] {
        assert_eq!(refused(ask(&tx, key, "Lunch").await), "IDEMPOTENCY_KEY_MALFORMED");
    }
    let _ticket = new(ask(&tx, &"é".repeat(128), "Lunch").await);
}
