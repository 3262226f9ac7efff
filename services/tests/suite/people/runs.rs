//! Runs, as people see and steer them.

use domain::{
    Id, StandardRole, Timestamp, ids,
    state::{Lane, RunStatus},
};
use entity::run::{Column, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, QueryFilter, sea_query::Expr};
use serde_json::json;
use services::{
    Caller, PageArgs,
    run_inputs::{RunInput, Verify},
    runs::RunFilter,
};

use crate::people::harness::{Harness, refused};

on_both!(
    a_quarantined_run_goes_on_where_it_stood,
    a_failed_run_begins_again,
    only_what_is_parked_can_be_retried,
    a_run_is_not_retried_beside_another_of_its_kind,
    a_live_run_is_cancelled_and_signalled,
    runs_are_found_by_what_they_are_about,
    a_run_is_its_tenants_alone,
);

async fn setup(h: &Harness) -> (Id<ids::Tenant>, Caller) {
    let tenant = h.tenant("acme").await;
    let administrator = h.caller(tenant, StandardRole::Administrator).await;
    (tenant, administrator)
}

async fn ordered(h: &Harness, tenant: Id<ids::Tenant>, integration: Id<ids::Integration>) -> Id<ids::Run> {
    let mut tx = h.services.begin(tenant).await.unwrap();
    let order = RunInput::Verify(Verify { integration, candidate: None });
    let run = tx.enqueue(order, "test", Lane::Interactive).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    run
}

/// Parks a run as the engine does: no job, and an end.
async fn park(h: &Harness, tenant: Id<ids::Tenant>, run: Id<ids::Run>, status: RunStatus) {
    let tx = h.services.begin(tenant).await.unwrap();
    entity::run::update(tenant)
        .filter(Column::Id.eq(run))
        .col_expr(Column::Status, Expr::value(status.as_str()))
        .col_expr(Column::State, Expr::value("Climb"))
        .col_expr(Column::Version, Expr::value(1))
        .col_expr(Column::Trail, Expr::value(json!(["Climb"])))
        .col_expr(Column::Reason, Expr::value(json!({ "code": "X", "message": "x" })))
        .col_expr(Column::CancelRequested, Expr::value(true))
        .col_expr(Column::FinishedAt, Expr::value(tx.now()))
        .exec(tx.conn())
        .await
        .unwrap();
    tx.conn().execute_unprepared("DELETE FROM job").await.unwrap();
    tx.commit().await.unwrap();
}

fn standing(run: &Model) -> (&str, Option<&str>, Option<i32>, Option<Timestamp>, bool) {
    (
        run.status.as_str(),
        run.state.as_ref().map(entity::StateName::as_str),
        run.version,
        run.finished_at,
        run.cancel_requested,
    )
}

async fn a_quarantined_run_goes_on_where_it_stood(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let run = ordered(&h, tenant, h.services.ids.make()).await;
    park(&h, tenant, run, RunStatus::Quarantined).await;
    let retried = h.services.runs().retry(&by.allow().unwrap(), run).await.unwrap();
    assert_eq!(standing(&retried), ("RUNNING", Some("Climb"), Some(1), None, false));
    assert_eq!((retried.trail.clone(), retried.reason.clone()), (json!(["Climb"]), None));
    assert_eq!(h.jobs(tenant).await, 1);
    assert_eq!(h.services.runs().get(&by.allow().unwrap(), run).await.unwrap(), retried);
}

async fn a_failed_run_begins_again(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let run = ordered(&h, tenant, h.services.ids.make()).await;
    let before = h.services.runs().get(&by.allow().unwrap(), run).await.unwrap();
    h.services.runs().signal(&by.allow().unwrap(), run, "old", json!({})).await.unwrap();
    park(&h, tenant, run, RunStatus::Failed).await;
    let retried = h.services.runs().retry(&by.allow().unwrap(), run).await.unwrap();
    assert_eq!(standing(&retried), ("ORDERED", None, None, None, false));
    assert_eq!((retried.trail.clone(), retried.memory.clone()), (json!([]), before.memory));
    assert!(retried.revision > before.revision, "a worker of the former attempt can commit no more");
    assert_eq!(h.jobs(tenant).await, 1);
    let txn = h.services.store.read(tenant).await.unwrap();
    let signals = entity::signal::of(tenant).all(&txn).await.unwrap();
    assert_eq!(signals, [], "what was said to the former attempt is gone");
}

async fn only_what_is_parked_can_be_retried(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let run = ordered(&h, tenant, h.services.ids.make()).await;
    let runs = h.services.runs();
    assert_eq!(refused(runs.retry(&by.allow().unwrap(), run).await), "RUN_NOT_RETRYABLE");
    for over in [RunStatus::Done, RunStatus::Cancelled] {
        park(&h, tenant, run, over).await;
        assert_eq!(refused(runs.retry(&by.allow().unwrap(), run).await), "RUN_NOT_RETRYABLE", "{over}");
        assert_eq!(h.jobs(tenant).await, 0);
    }
    park(&h, tenant, run, RunStatus::Failed).await;
    runs.retry(&by.allow().unwrap(), run).await.unwrap();
    assert_eq!(refused(runs.retry(&by.allow().unwrap(), run).await), "RUN_NOT_RETRYABLE", "twice is once");
    assert_eq!(refused(runs.retry(&by.allow().unwrap(), Id::nil()).await), "NOT_FOUND");
}

async fn a_run_is_not_retried_beside_another_of_its_kind(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let integration = h.services.ids.make();
    let first = ordered(&h, tenant, integration).await;
    park(&h, tenant, first, RunStatus::Failed).await;
    let second = ordered(&h, tenant, integration).await;
    assert_eq!(refused(h.services.runs().retry(&by.allow().unwrap(), first).await), "RUN_ALREADY_LIVE");
    park(&h, tenant, second, RunStatus::Done).await;
    assert!(h.services.runs().retry(&by.allow().unwrap(), first).await.is_ok());
}

async fn a_live_run_is_cancelled_and_signalled(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let runs = h.services.runs();
    let run = ordered(&h, tenant, h.services.ids.make()).await;
    runs.signal(&by.allow().unwrap(), run, "authorised", json!({ "by": "it" })).await.unwrap();
    let txn = h.services.store.read(tenant).await.unwrap();
    let signals = entity::signal::of(tenant).all(&txn).await.unwrap();
    assert_eq!((signals.len(), signals[0].name.as_str(), signals[0].run_id), (1, "authorised", run));
    drop(txn);
    assert!(runs.cancel(&by.allow().unwrap(), run).await.unwrap().cancel_requested);
    park(&h, tenant, run, RunStatus::Cancelled).await;
    assert_eq!(refused(runs.cancel(&by.allow().unwrap(), run).await), "RUN_OVER");
    assert_eq!(refused(runs.signal(&by.allow().unwrap(), run, "late", json!({})).await), "RUN_OVER");
    assert_eq!(refused(runs.signal(&by.allow().unwrap(), run, "", json!({})).await), "NAME_MALFORMED");
}

async fn runs_are_found_by_what_they_are_about(h: Harness) {
    let (tenant, by) = setup(&h).await;
    let (one, two) = (h.services.ids.make(), h.services.ids.make());
    let (first, second) = (ordered(&h, tenant, one).await, ordered(&h, tenant, two).await);
    park(&h, tenant, second, RunStatus::Failed).await;
    let found = async |filter: RunFilter| {
        let page = h.services.runs().list(&by.allow().unwrap(), filter, PageArgs::default()).await.unwrap();
        page.items.iter().map(|run| run.id).collect::<Vec<Id<ids::Run>>>()
    };
    assert_eq!(found(RunFilter::default()).await, [first, second]);
    assert_eq!(found(RunFilter { subject: Some(one.any()), ..RunFilter::default() }).await, [first]);
    assert_eq!(
        found(RunFilter { status: Some(Some(RunStatus::Failed)), ..RunFilter::default() }).await,
        [second]
    );
    let workflow = |name: &str| RunFilter { workflow: Some(name.to_owned()), ..RunFilter::default() };
    assert_eq!(found(workflow("verify_integration")).await, [first, second]);
    assert_eq!(found(workflow("campaign")).await, []);
    assert_eq!(h.services.runs().history(&by.allow().unwrap(), first).await.unwrap(), []);
}

async fn a_run_is_its_tenants_alone(h: Harness) {
    let (tenant, _) = setup(&h).await;
    let other = h.tenant("other").await;
    let stranger = h.caller(other, StandardRole::Administrator).await;
    let runs = h.services.runs();
    let run = ordered(&h, tenant, h.services.ids.make()).await;
    assert_eq!(refused(runs.get(&stranger.allow().unwrap(), run).await), "NOT_FOUND");
    assert_eq!(refused(runs.retry(&stranger.allow().unwrap(), run).await), "NOT_FOUND");
    assert_eq!(refused(runs.cancel(&stranger.allow().unwrap(), run).await), "NOT_FOUND");
    assert_eq!(refused(runs.signal(&stranger.allow().unwrap(), run, "x", json!({})).await), "NOT_FOUND");
    assert_eq!(runs.by_ids(h.services.tenant_scope(other), &[run]).await.unwrap(), []);
    assert_eq!(runs.by_ids(h.services.tenant_scope(tenant), &[run]).await.unwrap().len(), 1);
}
