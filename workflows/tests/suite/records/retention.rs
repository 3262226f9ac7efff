//! What is over goes by policy, what lives stays.

use domain::{
    AccessLevel, Id, ProviderKind,
    connect::{ConnectPurpose, ConnectStep},
    ids,
    state::{IntegrationState, RunStatus},
};
use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, Statement};
use workflows::reconcile::Reconciler;

use crate::records::bench::{Bench, wanted};

pub async fn what_is_over_is_pruned_by_policy_and_what_lives_stays(bench: Bench) {
    let (done, failed, live) = (
        bench.enqueue(bench.tenant, "done").await,
        bench.enqueue(bench.tenant, "fail").await,
        bench.enqueue(bench.tenant, "").await,
    );
    bench.engine.run_until_idle().await.unwrap();
    let lines = async || {
        let txn = bench.services.store.read(bench.tenant).await.unwrap();
        let history = entity::run_history::of(bench.tenant).all(&txn).await.unwrap();
        let mut runs: Vec<Id<ids::Run>> = history.iter().map(|line| line.run_id).collect();
        runs.sort_unstable();
        runs.dedup();
        let events = entity::event_log::of(bench.tenant).all(&txn).await.unwrap();
        (runs, events.len())
    };
    let sorted = |mut runs: Vec<Id<ids::Run>>| {
        runs.sort_unstable();
        runs
    };
    let (_, events) = lines().await;
    assert!(events > 0);
    let prune = async |days: i64| {
        bench.clock.advance(chrono::Duration::days(days));
        Reconciler::Retention.run_round(&bench.services).await.unwrap();
        lines().await
    };
    assert_eq!(prune(6).await, (sorted(vec![done, failed, live]), events), "nothing is old yet");
    assert_eq!(prune(2).await, (sorted(vec![done, failed, live]), 0), "events are kept for a week");
    assert_eq!(prune(23).await.0, sorted(vec![failed, live]), "a run that ended well is kept for a month");
    assert_eq!(prune(60).await.0, [live], "a failed one for three");
    assert!(bench.signal(live).await, "what waits is never too old");
    bench.engine.run_until_idle().await.unwrap();
    assert_eq!(bench.run(live).await.status, RunStatus::Done);
}

/// Sessions are found before their tenant is known: there is no finder that begins with it.
async fn sessions_of(txn: &impl ConnectionTrait) -> u64 {
    let sql = "SELECT count(*) AS n FROM connect_session";
    let row = txn.query_one_raw(Statement::from_string(txn.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get::<i64>("", "n").unwrap().unsigned_abs()
}

/// One transaction takes five hundred rows: here are more of each kind, and as many that stay.
pub async fn pruning_goes_on_until_nothing_old_is_left(bench: Bench) {
    const MANY: usize = 600;
    let ids = &bench.services.ids;
    let now = bench.services.now();
    let integration = entity::integration::Model {
        id: ids.make(),
        tenant_id: bench.tenant,
        provider: ProviderKind::CalDav.into(),
        kind: domain::IntegrationKind::OrganisationWide.into(),
        name: "Office".to_owned(),
        state: IntegrationState::Draft.into(),
        reason: None,
        suspended_state: None,
        suspended_reason: None,
        since: now,
        access_level: AccessLevel::Full.into(),
        scope_group: None,
        external_tenant: None,
        external_name: None,
        room_rules: None,
        server_url: None,
        service_mailbox: None,
        known_good: None,
        consented_by: None,
        consent_session: None,
        return_url: None,
        created_by: "test".to_owned(),
        created_at: now,
        version: 0,
    };
    let keep = now + chrono::Duration::days(60);
    let new = |_| {
        let id = ids.make();
        wanted(id, bench.tenant, "toy", id.to_string(), serde_json::json!({ "mode": "done" }))
    };
    let runs: Vec<_> = (0..MANY).map(new).collect();
    let repeated = (0..2 * MANY).map(|n| entity::idempotency::Model {
        id: ids.make(),
        tenant_id: bench.tenant,
        field: "createBooking".to_owned(),
        caller: "test".to_owned(),
        key: n.to_string(),
        parameters: vec![0],
        entity: domain::AnyId::from_uuid(ids.uuid()),
        expires_at: if n < MANY { now } else { keep },
    });
    let sessions = (0..2 * MANY).map(|n| entity::connect_session::Model {
        id: ids.make(),
        tenant_id: bench.tenant,
        link_id: None,
        user_id: None,
        integration_id: Some(integration.id),
        provider: None,
        cookie_hash: ids.random_bytes::<32>().to_vec(),
        purpose: ConnectPurpose::Connect.into(),
        step: ConnectStep::Open.into(),
        state_hash: None,
        nonce: None,
        verifier: None,
        consent: None,
        signed_in: None,
        typed_account: None,
        return_url: None,
        created_at: now,
        expires_at: if n < MANY { now } else { keep },
    });
    let txn = bench.services.store.write(bench.tenant).await.unwrap();
    assert_eq!(runs::enqueue(&txn, &runs, now).await.unwrap().len(), MANY);
    entity::integration::Entity::insert(integration.clone().into_active_model()).exec(&txn).await.unwrap();
    let repeated = repeated.map(entity::idempotency::ActiveModel::from);
    entity::idempotency::Entity::insert_many(repeated).exec_without_returning(&txn).await.unwrap();
    let sessions = sessions.map(entity::connect_session::ActiveModel::from);
    entity::connect_session::Entity::insert_many(sessions).exec_without_returning(&txn).await.unwrap();
    txn.commit().await.unwrap();
    bench.engine.run_until_idle().await.unwrap();
    let rows = async || {
        let txn = bench.services.store.read(bench.tenant).await.unwrap();
        [
            entity::run::of(bench.tenant).count(&txn).await.unwrap(),
            entity::run_history::of(bench.tenant).count(&txn).await.unwrap(),
            entity::event_log::of(bench.tenant).count(&txn).await.unwrap(),
            entity::idempotency::of(bench.tenant).count(&txn).await.unwrap(),
            sessions_of(&txn).await,
        ]
    };
    let many = MANY as u64;
    assert_eq!(rows().await, [many, many, many, 2 * many, 2 * many]);
    bench.clock.advance(chrono::Duration::days(31));
    Reconciler::Retention.run_round(&bench.services).await.unwrap();
    assert_eq!(rows().await, [0, 0, 0, many, many]);
}
